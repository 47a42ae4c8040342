"""Skills, their categories, and the skills of employees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest import PageNumber, PerParent
from typing_extensions import override

from tap_cornerstone.client import per_minute
from tap_cornerstone.odata.links import find_property
from tap_cornerstone.rest import RestList, first_value_of

if TYPE_CHECKING:
    from singer_rest import Record

SKILLS = "/services/api/x/skills/v1"


class Skills(RestList):
    """One row per skill."""

    name = "skills"
    path = f"{SKILLS}/skills"
    permission = "the scope skill:read"
    primary_keys = ("id",)
    rate = per_minute(100)
    pagination = PageNumber("page", size=50, size_param=None)


class SkillCategories(RestList):
    """One row per category of skills."""

    name = "skill_categories"
    path = f"{SKILLS}/skill-categories"
    permission = "the scope skill:read"
    primary_keys = ("id",)
    rate = per_minute(100)
    pagination = PageNumber("page", size=50, size_param=None)


class SkillCategoryLinks(RestList):
    """One row per category that a skill is in."""

    name = "skill_category_links"
    path = f"{SKILLS}/skills/{{skill_id}}/categories"
    permission = "the scope skill:read"
    primary_keys = ("skill_id", "id")
    slices = PerParent("skills", "skill_id")
    optional = True  # one request per skill
    rate = per_minute(100)


class EmployeeSkills(RestList):
    """One row per skill of an employee."""

    name = "employee_skills"
    path = f"{SKILLS}/employees/{{employee_id}}/skills"
    permission = "the scope skill:read"
    primary_keys = ("employee_id", "skill_id")
    slices = PerParent("employees", "employee_id")
    optional = True  # one request per employee
    rate = per_minute(100)

    @override
    def rows_in_item(self, item: Record) -> list[Record]:
        # The name of the skill's id is not documented here.
        skill = find_property(item, "skill")
        inner = first_value_of(skill, "id", "skillid") if isinstance(skill, dict) else None
        found = first_value_of(item, "skillid", "skill_id")
        return [{**item, "skill_id": next((id_ for id_ in (found, inner, item.get("id")) if id_ is not None), None)}]
