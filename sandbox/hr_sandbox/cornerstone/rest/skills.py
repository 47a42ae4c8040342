"""Skills, their categories, and the skills of employees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.cornerstone.rest.route import Context, Route, newer_response
from hr_sandbox.cornerstone.snapshot import TOPICS
from hr_sandbox.http.messages import json_response
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, SCOPE, RATE, USUAL, MOST = "/services/api/x/skills/v1", "skill:read", 100, 50, 100
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


def _paged(rows: list[Json], context: Context, call: Call) -> Response:
    number, size = call.number("page", 1), call.number("pageSize", USUAL, MOST)
    return newer_response(context, rows[(number - 1) * size : number * size])


def _skills(context: Context, call: Call) -> Response:
    return _paged(SKILLS, context, call)


def _categories(context: Context, call: Call) -> Response:
    return _paged(CATEGORIES, context, call)


def _find(rows: list[Json], call: Call) -> Json:
    for row in rows:
        if str(row["id"]) == call.parts["id"]:
            return row
    raise call.not_found()


def _skill(_context: Context, call: Call) -> Response:
    return json_response(_find(SKILLS, call), media_type=JSON_TYPE)


def _category(_context: Context, call: Call) -> Response:
    return json_response(_find(CATEGORIES, call), media_type=JSON_TYPE)


def categories_of(skill: Json) -> list[Json]:
    """Return the categories of a skill."""
    return [stable_choice(CATEGORIES, "category", skill["id"])]


def _of_skill(context: Context, call: Call) -> Response:
    return newer_response(context, categories_of(_find(SKILLS, call)))


def _children(context: Context, call: Call) -> Response:
    number = _find(CATEGORIES, call)["id"]
    return newer_response(context, [row for row in CATEGORIES if row["parentId"] == number])


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
    text = call.parts["id"]
    if not (text.isascii() and text.isdigit()) or int(text) not in context.company.people:
        raise call.not_found()
    return newer_response(context, held(context, int(text)))


PAGES = ("page", "pageSize")
ROUTES = (
    Route(f"{ROOT}/skills", "skills", SCOPE, _skills, PAGES, per_minute=RATE),
    Route(f"{ROOT}/skills/{{id}}", "skills", SCOPE, _skill, per_minute=RATE),
    Route(f"{ROOT}/skills/{{id}}/categories", "skill_category_links", SCOPE, _of_skill, per_minute=RATE),
    Route(f"{ROOT}/skill-categories", "skill_categories", SCOPE, _categories, PAGES, per_minute=RATE),
    Route(f"{ROOT}/skill-categories/{{id}}", "skill_categories", SCOPE, _category, per_minute=RATE),
    Route(f"{ROOT}/skill-categories/{{id}}/children", "skill_categories", SCOPE, _children, per_minute=RATE),
    Route(f"{ROOT}/employees/{{id}}/skills", "employee_skills", SCOPE, _held, per_minute=RATE),
)


def _all_skills(_context: Context, _first: date, _last: date) -> list[Json]:
    return list(SKILLS)


def _all_categories(_context: Context, _first: date, _last: date) -> list[Json]:
    return list(CATEGORIES)


def _all_held(context: Context, _first: date, _last: date) -> list[Json]:
    return [row for person in context.snapshot.people for row in held(context, person.id)]


def _all_links(_context: Context, _first: date, _last: date) -> list[Json]:
    return [{"_skill_id": skill["id"], **row} for skill in SKILLS for row in categories_of(skill)]


STREAMS = {
    "skills": _all_skills,
    "skill_categories": _all_categories,
    "skill_category_links": _all_links,
    "employee_skills": _all_held,
}
