"""Recruiting. All lists are sorted newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ListEndpoint, Values, find_by_id
from hr_sandbox.personio.errors import invalid_value, problem
from hr_sandbox.personio.filters import Filter, comparisons, equals, text_value
from hr_sandbox.personio.links import Links
from hr_sandbox.personio.render import recruiting as render

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Application, Table, Transition

RECRUITING = "personio:recruiting:read"
MAX_PAGE_SIZE = 200

_UPDATED = comparisons("updated_at", lambda row: row.updated_at, ("gt", "lt"))


def _newest(table: Callable[[Company], Table[Any]]) -> Callable[[Company, Values], list[Any]]:
    def rows(company: Company, values: Values) -> list[Any]:
        if {"updated_at.gt", "updated_at.lt"} <= values.keys():
            raise invalid_value("updated_at.lt")
        return sorted(table(company), key=lambda row: (row.updated_at, row.id), reverse=True)

    return rows


def _applications(company: Company, values: Values) -> list[Application]:
    wanted = values.get("candidate.email")
    rows = _newest(lambda company: company.applications)(company, values)
    return [row for row in rows if wanted is None or company.candidates[row.candidate_id].email == wanted]


def _transitions(company: Company, values: Values) -> list[Transition]:
    """Return the transitions of an existing application, latest first."""
    row = company.applications.find(values["id"])
    if row is None:
        raise ApiError(problem(404))
    return row.transitions[::-1]


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        path="/v2/recruiting/applications",
        stream="recruiting_applications",
        permission=RECRUITING,
        rows=_applications,
        render=render.application,
        max_limit=MAX_PAGE_SIZE,
        links=Links(carries_query=True),
        filters=(*_UPDATED, Filter("candidate.email", text_value)),
        find=find_by_id(lambda company: company.applications),
    ),
    ListEndpoint(
        path="/v2/recruiting/applications/{id}/stage-transitions",
        stream="recruiting_stage_transitions",
        permission=RECRUITING,
        rows=_transitions,
        render=render.transition,
        max_limit=MAX_PAGE_SIZE,
        links=Links(last_page="null"),
        slices=lambda company, *_: [{"id": str(row.id)} for row in company.applications],
        extra_fields=lambda values, _: {"_application_id": values["id"]},
    ),
    ListEndpoint(
        path="/v2/recruiting/candidates",
        stream="recruiting_candidates",
        permission=RECRUITING,
        rows=_newest(lambda company: company.candidates),
        render=render.candidate,
        max_limit=MAX_PAGE_SIZE,
        filters=(*_UPDATED, equals("email", lambda row: str(row.email))),
        find=find_by_id(lambda company: company.candidates),
    ),
    ListEndpoint(
        path="/v2/recruiting/jobs",
        stream="recruiting_jobs",
        permission=RECRUITING,
        rows=_newest(lambda company: company.openings),
        render=render.opening,
        max_limit=MAX_PAGE_SIZE,
        filters=_UPDATED,
        find=find_by_id(lambda company: company.openings),
    ),
    ListEndpoint(
        path="/v2/recruiting/categories",
        stream="recruiting_categories",
        permission=RECRUITING,
        rows=lambda company, _: list(company.categories),
        render=render.category,
        max_limit=MAX_PAGE_SIZE,
        links=Links(last_page="none"),
        find=find_by_id(lambda company: company.categories),
    ),
)
