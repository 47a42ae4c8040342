"""Skills, their categories, and the skills of employees."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rest.route import Context, Handler, Route, Streams
from hr_sandbox.cornerstone.snapshot import TOPICS
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json

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


def find_categories(skill: Json) -> list[Json]:
    """Return the categories of a skill."""
    return [stable_choice(CATEGORIES, "category", skill["id"])]


def list_held_skills(context: Context, person_id: int) -> list[Json]:
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


def _list_pages(rows: list[Json]) -> Handler:
    return lambda call: call.page(rows, "page", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _list_subcategories(call: Call) -> list[Json]:
    number = call.find(CATEGORIES)["id"]
    return [row for row in CATEGORIES if row["parentId"] == number]


_LIST = partial(Route, scope=SCOPE, parameters=("page", "pageSize"), per_minute=RATE)
_ROUTE = partial(Route, scope=SCOPE, per_minute=RATE)
ROUTES = (
    _LIST(f"{ROOT}/skills", "skills", handler=_list_pages(SKILLS)),
    _ROUTE(f"{ROOT}/skills/{{id}}", "skills", handler=lambda call: call.find(SKILLS)),
    _ROUTE(
        f"{ROOT}/skills/{{id}}/categories",
        "skill_category_links",
        handler=lambda call: find_categories(call.find(SKILLS)),
    ),
    _LIST(f"{ROOT}/skill-categories", "skill_categories", handler=_list_pages(CATEGORIES)),
    _ROUTE(f"{ROOT}/skill-categories/{{id}}", "skill_categories", handler=lambda call: call.find(CATEGORIES)),
    _ROUTE(f"{ROOT}/skill-categories/{{id}}/children", "skill_categories", handler=_list_subcategories),
    _ROUTE(
        f"{ROOT}/employees/{{id}}/skills",
        "employee_skills",
        handler=lambda call: list_held_skills(call.context, call.find_person().id),
    ),
)
STREAMS: Streams = {
    "skills": lambda *_: SKILLS,
    "skill_categories": lambda *_: CATEGORIES,
    "skill_category_links": lambda *_: [
        {"_skill_id": skill["id"], **row} for skill in SKILLS for row in find_categories(skill)
    ],
    "employee_skills": lambda context, *_: [
        row for person in context.snapshot.people for row in list_held_skills(context, person.id)
    ],
}
