"""Skills, their categories, and the skills of employees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.cornerstone.rest.route import Context, Handler, Route, Streams, newer_response
from hr_sandbox.cornerstone.snapshot import TOPICS
from hr_sandbox.http.messages import json_response
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, SCOPE, RATE, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = "/services/api/x/skills/v1", "skill:read", 100, 50, 100
FIRST_SKILL, FIRST_CATEGORY = 3_000, 40
CATEGORIES: list[Json] = [
    {"id": FIRST_CATEGORY + index, "name": name, "parentId": parent and FIRST_CATEGORY + parent}
    for index, (name, parent) in enumerate(
        (("Alle", None), ("Technik", None), ("Optik", 1), ("Sprachen", None), ("日本語", 3), ("Führung", None))
    )
]
SKILLS: list[Json] = [
    {
        "id": FIRST_SKILL + index,
        "name": f"{TOPICS[index % len(TOPICS)]} {index // len(TOPICS) + 1}",
        "description": None if index % 3 else "",
        "source": "custom" if index % 4 else "library",
        "active": index % 17 != 0,
    }
    for index in range(130)
]


def categories_of(skill: Json) -> list[Json]:
    """Return the categories of a skill."""
    return [stable_choice(CATEGORIES, "category", skill["id"])]


def held(context: Context, person_id: int) -> list[Json]:
    """Return the skills of a person."""
    seed = context.company.seed
    many = stable_number(seed, "skills", person_id) % 5
    chosen = sorted({stable_number(seed, "skill", person_id, place) % len(SKILLS) for place in range(many)})
    return [
        {
            "employeeId": person_id,
            "skillId": SKILLS[index]["id"],
            "name": SKILLS[index]["name"],
            "level": 1 + stable_number(person_id, index) % 5,
        }
        for index in chosen
    ]


def _held(context: Context, call: Call) -> Response:
    return newer_response(context, held(context, call.person(context).id))


def _page_of(rows: list[Json]) -> Handler:
    return lambda context, call: newer_response(context, call.page(rows, "page", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE))


def _one_of(rows: list[Json]) -> Handler:
    return lambda _context, call: json_response(call.find(rows, "id"), media_type=JSON_TYPE)


def _children(context: Context, call: Call) -> Response:
    number = call.find(CATEGORIES, "id")["id"]
    return newer_response(context, [row for row in CATEGORIES if row["parentId"] == number])


PAGES = ("page", "pageSize")
ROUTES = (
    Route(f"{ROOT}/skills", "skills", SCOPE, _page_of(SKILLS), PAGES, per_minute=RATE),
    Route(f"{ROOT}/skills/{{id}}", "skills", SCOPE, _one_of(SKILLS), per_minute=RATE),
    Route(
        f"{ROOT}/skills/{{id}}/categories",
        "skill_category_links",
        SCOPE,
        lambda context, call: newer_response(context, categories_of(call.find(SKILLS, "id"))),
        per_minute=RATE,
    ),
    Route(f"{ROOT}/skill-categories", "skill_categories", SCOPE, _page_of(CATEGORIES), PAGES, per_minute=RATE),
    Route(f"{ROOT}/skill-categories/{{id}}", "skill_categories", SCOPE, _one_of(CATEGORIES), per_minute=RATE),
    Route(f"{ROOT}/skill-categories/{{id}}/children", "skill_categories", SCOPE, _children, per_minute=RATE),
    Route(f"{ROOT}/employees/{{id}}/skills", "employee_skills", SCOPE, _held, per_minute=RATE),
)
STREAMS: Streams = {
    "skills": lambda *_: SKILLS,
    "skill_categories": lambda *_: CATEGORIES,
    "skill_category_links": lambda *_: [
        {"_skill_id": skill["id"], **row} for skill in SKILLS for row in categories_of(skill)
    ],
    "employee_skills": lambda context, *_: [
        row for person in context.snapshot.people for row in held(context, person.id)
    ],
}
