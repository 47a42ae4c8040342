"""Cost centers, workplaces, legal entities, jobs and salary bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.company.model import key_of
from hr_sandbox.personio.endpoint import ListEndpoint, Values, find_by_id
from hr_sandbox.personio.filters import Filter, any_of, number_list, one_of
from hr_sandbox.personio.links import Links
from hr_sandbox.personio.render import structure as render

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Table

COST_CENTERS = "personio:cost-centers:read"
WORKPLACES = "personio:workplaces:read"
LEGAL_ENTITIES = "personio:legal-entities:read"
JOBS = "personio:jobs:read"

_ID = any_of("id", key_of)
_NAMED = (
    _ID,
    any_of("name", lambda row: str(row.name)),
    Filter("sort", one_of("id", "-id", "name", "-name")),
)


def _sorted(table: Callable[[Company], Table[Any]]) -> Callable[[Company, Values], list[Any]]:
    def rows(company: Company, values: Values) -> list[Any]:
        sort = values.get("sort", "")
        keys: dict[str, Callable[[Any], Any]] = {
            "": lambda row: row.id,
            "id": lambda row: getattr(row, "uuid", row.id),
            "name": lambda row: (row.name, row.id),
        }
        return sorted(table(company), key=keys[sort.removeprefix("-")], reverse=sort.startswith("-"))

    return rows


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        path="/v2/cost-centers",
        stream="cost_centers",
        permission=COST_CENTERS,
        forbidden_status=403,
        rows=_sorted(lambda company: company.cost_centers),
        render=render.cost_center,
        default_limit=50,
        filters=_NAMED,
    ),
    ListEndpoint(
        path="/v2/workplaces",
        stream="workplaces",
        permission=WORKPLACES,
        rows=_sorted(lambda company: company.offices),
        render=render.workplace,
        default_limit=50,
        filters=_NAMED,
    ),
    ListEndpoint(
        path="/v2/legal-entities",
        stream="legal_entities",
        permission=LEGAL_ENTITIES,
        rows=lambda company, _: sorted(company.legal_entities, key=lambda row: row.created_at, reverse=True),
        render=render.legal_entity,
        default_limit=20,
        links=Links(carries_query=True),
        filters=(
            Filter("id", number_list, lambda row, wanted: row.id in wanted),
            any_of("country", lambda row: str(row.country)),
        ),
        find=find_by_id(lambda company: company.legal_entities),
    ),
    ListEndpoint(
        path="/v2/jobs",
        stream="jobs",
        permission=JOBS,
        forbidden_status=403,
        rows=_sorted(lambda company: company.jobs),
        render=render.job,
        default_limit=50,
        links=Links(carries_query=True),
        filters=_NAMED,
        find=find_by_id(lambda company: company.jobs),
    ),
    ListEndpoint(
        path="/v2/salary-bands",
        stream="salary_bands",
        permission=render.SALARY_BANDS,
        forbidden_status=403,
        rows=lambda company, _: list(company.salary_bands),
        render=render.salary_band,
        default_limit=50,
        links=Links(carries_query=True),
        filters=(_ID,),
        find=find_by_id(lambda company: company.salary_bands),
    ),
)
