"""Org units, cost centers, workplaces, legal entities, jobs and salary bands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.model.company import key_of
from hr_sandbox.company.model.people import Team
from hr_sandbox.company.seed_data import FAMILIES
from hr_sandbox.personio.endpoint import ListEndpoint, RenderContext, Values
from hr_sandbox.personio.filters import Filter, filter_any_of, parse_boolean, parse_number_list, parser_for_choice
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import people
    from hr_sandbox.company.model.company import Table
    from hr_sandbox.http.messages import Json

    Unit = people.Department | Team

SALARY_BANDS = "personio:salary-bands:read"
MANAGERS = 11  # the lowest grade with management responsibility

_declare = partial(ListEndpoint, default_limit=50)
_REPEATED = Links(carries_query=True)
_UNIT_TYPE = Filter("type", parser_for_choice("department", "team"), required=True)
_PARENTS = Filter("include_parent_chain", parse_boolean)
_ID = filter_any_of("id", key_of)
_NAMED = (_ID, filter_any_of("name"), Filter("sort", parser_for_choice("id", "-id", "name", "-name")))


def _get_units(company: Company, values: Values) -> Table[Any]:
    return company.departments if values["type"] == "department" else company.teams


def _sort_units(company: Company, values: Values) -> list[Any]:
    sort = values.get("sort", "id")
    name = sort.removeprefix("-")
    rows = _get_units(company, values)
    return sorted(rows, key=lambda row: (getattr(row, name), row.id), reverse=sort.startswith("-"))


def _render_unit(row: Unit, context: RenderContext, shown: tuple[str, ...] = ()) -> Json:
    """Renders a department or team. Its parents, if requested, are ids only in lists and have more fields otherwise."""
    kind = context.values["type"]
    body: Json = {
        **render_fields(row, "name", "description", "abbreviation"),
        "id": str(row.id),
        "type": kind,
        "parent_id": None if row.parent_id is None else str(row.parent_id),
    }
    if context.values.get("include_parent_chain"):
        body["parent_chain"] = [
            {"id": str(parent.id), "type": kind, **render_fields(parent, *shown)}
            for parent in _find_parents(row, context.company)
        ]
    return body


def _find_parents(row: Unit, company: Company) -> Iterator[Unit]:
    table: Table[Any] = company.teams if isinstance(row, Team) else company.departments
    seen = {row.id}
    while row.parent_id is not None and row.parent_id not in seen and row.parent_id in table:
        row = table[row.parent_id]
        seen.add(row.id)
        yield row


def _make_sorter(table: str) -> Callable[[Company, Values], list[Any]]:
    def sort_rows(company: Company, values: Values) -> list[Any]:
        sort = values.get("sort", "")
        keys: dict[str, Callable[[Any], Any]] = {
            "": lambda row: row.id,
            "id": lambda row: getattr(row, "uuid", row.id),
            "name": lambda row: (row.name, row.id),
        }
        return sorted(getattr(company, table), key=keys[sort.removeprefix("-")], reverse=sort.startswith("-"))

    return sort_rows


def _render_workplace(row: people.Office, _context: RenderContext) -> Json:
    """Renders a workplace, which employments call an office."""
    address = {"city": row.city, "country": row.country}
    return {"id": str(row.id), "address": address, **render_fields(row, "name", timezone_id="timezone")}


def _render_legal_entity(row: people.LegalEntity, _context: RenderContext) -> Json:
    return {"id": str(row.id), **render_fields(row, "name", "country", "currency", "created_at")}


def _render_job(row: people.Job, context: RenderContext) -> Json:
    """Renders a job. Salary bands require their own permission."""
    shown = context.permissions is None or SALARY_BANDS in context.permissions
    bands = context.company.salary_bands.find_by_owner(row.id) if shown else []
    return {
        **render_fields(row, "name", id="uuid", global_grade="grade"),
        "job_family": FAMILIES[row.family][0],
        "level": None if row.grade is None else f"L{row.grade - 7}",
        "job_track": None if row.grade is None else ("MANAGER" if row.grade >= MANAGERS else "PROFESSIONAL"),
        "salary_band_ids": [band.uuid for band in bands],
    }


def _render_salary_band(row: people.SalaryBand, context: RenderContext) -> Json:
    return {
        **render_fields(row, "name", "currency", "minimum", "maximum", id="uuid"),
        "job": render_reference(context.company.jobs[row.job_id].uuid),
        "interval": "YEARLY",
    }


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        "/v2/org-units",
        "org_units",
        _render_unit,
        "personio:org-units:read",
        rows=_sort_units,
        default_limit=20,
        links=_REPEATED,
        slices=lambda *_: [{"type": "department"}, {"type": "team"}],
        filters=(_UNIT_TYPE, _PARENTS, Filter("sort", parser_for_choice("name", "-name", "id", "-id"))),
        find=lambda company, values: _get_units(company, values).find(values["id"]),
        item_filters=(_UNIT_TYPE, _PARENTS),
        item_render=lambda row, context: _render_unit(row, context, ("name", "description", "abbreviation")),
    ),
    _declare(
        "/v2/cost-centers",
        "cost_centers",
        lambda row, _: render_fields(row, "name", id="uuid"),
        "personio:cost-centers:read",
        forbidden_status=403,
        rows=_make_sorter("cost_centers"),
        filters=_NAMED,
    ),
    _declare(
        "/v2/workplaces",
        "workplaces",
        _render_workplace,
        "personio:workplaces:read",
        rows=_make_sorter("offices"),
        filters=_NAMED,
    ),
    ListEndpoint(
        "/v2/legal-entities",
        "legal_entities",
        _render_legal_entity,
        "personio:legal-entities:read",
        rows=lambda company, _: sorted(company.legal_entities, key=lambda row: row.created_at, reverse=True),
        default_limit=20,
        links=_REPEATED,
        filters=(Filter("id", parse_number_list, lambda row, wanted: row.id in wanted), filter_any_of("country")),
        table="legal_entities",
    ),
    _declare(
        "/v2/jobs",
        "jobs",
        _render_job,
        "personio:jobs:read",
        forbidden_status=403,
        rows=_make_sorter("jobs"),
        links=_REPEATED,
        filters=_NAMED,
        table="jobs",
    ),
    _declare(
        "/v2/salary-bands",
        "salary_bands",
        _render_salary_band,
        SALARY_BANDS,
        forbidden_status=403,
        links=_REPEATED,
        filters=(_ID,),
        table="salary_bands",
    ),
)
