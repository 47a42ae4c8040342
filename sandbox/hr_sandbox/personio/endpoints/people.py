"""People and their employments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.http.limits import Rate
from hr_sandbox.personio.endpoint import ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.filters import Filter, filter_any_of, filter_comparisons, filter_equal, parser_for_choice
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import make_picture_url, render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import people
    from hr_sandbox.http.messages import Json

STRICT = ("", "gt", "lt")
_declare = partial(
    ListEndpoint,
    permission="personio:persons:read",
    forbidden_status=401,
    rate=Rate(30, 100),
    default_limit=10,
    max_limit=50,
)


def _find_persons(company: Company, values: Values) -> list[people.Person]:
    status = values.get("status")
    return [row for row in company.people if status is None or _get_status(company, row) == status]


def _get_status(company: Company, row: people.Person) -> str:
    """Returns the status: active if the latest employment is active, on leave or not started yet."""
    latest = company.latest_employment(row.id)
    if latest is None:
        return "UNSPECIFIED"
    return "INACTIVE" if latest.status == "INACTIVE" else "ACTIVE"


def _render_person(row: people.Person, context: RenderContext) -> Json:
    """Renders a person. Employments are ids only."""
    company, root = context.company, context.root
    return {
        **render_fields(
            row, "email", "created_at", "updated_at", "first_name", "last_name", "preferred_name", "gender"
        ),
        "id": str(row.id),
        "profile_picture": {"url": make_picture_url(row, root)} if row.has_picture else None,
        "status": _get_status(company, row),
        "custom_attributes": list(_render_attributes(row, company)),
        "employments": [{"id": employment.uuid} for employment in reversed(company.employments.find_by_owner(row.id))],
        "_meta": {"links": {"employments": {"href": f"{root}/v2/persons/{row.id}/employments"}}},
    }


def _render_attributes(row: people.Person, company: Company) -> Iterator[Json]:
    for definition in company.attributes:
        if definition.id in row.attributes:
            names = [name for name in ("global_id", "label") if getattr(definition, name)]
            yield {**render_fields(definition, "id", "type", *names), "value": row.attributes[definition.id]}


def _find_employments(company: Company, values: Values) -> list[people.Employment]:
    """Returns the employments of an existing person, newest first."""
    rows = company.employments.find_by_owner(find_or_fail(company.people, values["person_id"]).id)
    return sorted(rows, key=lambda row: (row.start_date, row.id), reverse=True)


def _find_employment(company: Company, values: Values) -> people.Employment | None:
    row = company.employments.find(values["id"])
    return row if row and str(row.person_id) == values["person_id"] else None


def _render_employment(row: people.Employment, context: RenderContext) -> Json:
    company, end = context.company, row.termination
    units = [("team", row.team_id), ("department", row.department_id)]
    links = {"person": {"href": f"{context.root}/v2/persons/{row.person_id}"}}
    if row.supervisor_id is not None:
        links["supervisor"] = {"href": f"{context.root}/v2/persons/{row.supervisor_id}"}
    return {
        **render_fields(row, "status", "weekly_working_hours", "full_time_weekly_working_hours", "type", id="uuid"),
        **render_fields(row, "probation_end_date", "contract_end_date", "created_at", "updated_at"),
        **render_fields(row, employment_start_date="start_date", employment_end_date="end_date"),
        "position": {"title": row.title},
        "supervisor": render_reference(row.supervisor_id),
        "office": render_reference(row.office_id),
        "legal_entity": render_reference(row.legal_entity_id),
        "job": None if row.job_id is None else render_reference(company.jobs[row.job_id].uuid),
        "sub_company": render_reference(row.legal_entity_id),
        "org_units": [{"type": kind, "id": str(number)} for kind, number in units if number is not None],
        "cost_centers": [
            {"id": company.cost_centers[number].uuid, "weight": weight} for number, weight in row.cost_centers
        ],
        "person": render_reference(row.person_id),
        "termination": end and _render_termination(end),
        "_meta": {"links": links},
    }


def _render_termination(row: people.Termination) -> Json:
    dates = {"termination_date": "ends_on", "last_working_date": "last_working_day", "terminated_at": "decided_on"}
    return render_fields(row, "type", "reason", **dates)


ENDPOINTS: tuple[ListEndpoint, ...] = (
    _declare(
        "/v2/persons",
        "persons",
        _render_person,
        rows=_find_persons,
        filters=(
            filter_any_of("id"),
            filter_any_of("email"),
            *(filter_equal(name) for name in ("first_name", "last_name", "preferred_name")),
            *filter_comparisons("created_at", "created_at", STRICT),
            *filter_comparisons("updated_at", "updated_at", STRICT),
            Filter("status", parser_for_choice("ACTIVE", "INACTIVE")),
        ),
        table="people",
    ),
    _declare(
        "/v2/persons/{person_id}/employments",
        "employments",
        _render_employment,
        rows=_find_employments,
        links=Links(path="/v2/employments"),  # a path that does not exist
        slices=lambda company, *_: [{"person_id": str(row.id)} for row in company.people],
        filters=(filter_any_of("id", "uuid"), *filter_comparisons("updated_at", "updated_at", STRICT)),
        find=_find_employment,
    ),
)
