"""Recruiting: openings, candidates, applications and their stages. All lists are sorted newest first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hr_sandbox.clock import format_rfc3339
from hr_sandbox.personio import modes
from hr_sandbox.personio.endpoint import ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.errors import make_invalid_value
from hr_sandbox.personio.filters import Filter, filter_comparisons, filter_equal, parse_text
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import documents
    from hr_sandbox.http.messages import Json

_declare = partial(ListEndpoint, permission="personio:recruiting:read", max_limit=200)
_UPDATED = filter_comparisons("updated_at", "updated_at", ("gt", "lt"))


def _make_newest_first_sorter(table: str) -> Callable[[Company, Values], list[Any]]:
    def sort_rows(company: Company, values: Values) -> list[Any]:
        if {"updated_at.gt", "updated_at.lt"} <= values.keys():
            raise make_invalid_value("updated_at.lt")
        return sorted(getattr(company, table), key=lambda row: (row.updated_at, row.id), reverse=True)

    return sort_rows


def _find_applications(company: Company, values: Values) -> list[documents.Application]:
    wanted = values.get("candidate.email")
    rows = _make_newest_first_sorter("applications")(company, values)
    return [row for row in rows if wanted is None or company.candidates[row.candidate_id].email == wanted]


def _find_transitions(company: Company, values: Values) -> list[documents.Transition]:
    """Returns the transitions of an existing application, latest first."""
    return find_or_fail(company.applications, values["id"]).transitions[::-1]


def _render_timestamp(value: datetime, zone: str | None, context: RenderContext) -> Json | str:
    """Renders a timestamp of recruiting: an object of a local time and its zone, or of UTC.

    The hour that occurs twice when clocks are set back is written with its offset.
    """
    if zone is None or context.mode in {modes.UTC, modes.PLAIN}:
        text, zone = format_rfc3339(value), zone or "UTC"
    else:
        local = value.astimezone(ZoneInfo(zone))
        is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        text = (local if is_twice else local.replace(tzinfo=None)).isoformat()
    if context.mode == modes.PLAIN:
        return text
    zone = "Mars/Olympus_Mons" if context.mode == modes.UNKNOWN_ZONE else zone
    return {"date_time" if context.mode == modes.UNDERSCORE else "date-time": text, "timezone": zone}


def _render_timestamps(row: Any, zone: str | None, context: RenderContext) -> Json:  # noqa: ANN401  any record
    """Renders when a record was created and updated."""
    return {name: _render_timestamp(getattr(row, name), zone, context) for name in ("created_at", "updated_at")}


def _get_zone(row: documents.Opening, context: RenderContext) -> str:
    return context.company.offices[row.office_id].timezone


def _render_stage(row: documents.Stage) -> Json:
    """Renders a stage. System stages have no id."""
    return {"id": None if row.id is None else str(row.id), **render_fields(row, "name", "type", "kind")}


def _render_category(row: documents.Category, context: RenderContext) -> Json:
    return {
        "id": str(row.id),
        "name": row.name,
        "stages": [_render_stage(part) for part in row.stages],
        "company": render_reference(next(iter(context.company.legal_entities)).id),
    }


def _render_opening(row: documents.Opening, context: RenderContext) -> Json:
    """Renders an opening, which Personio calls a job."""
    return {
        **_summarize_opening(row, context),
        **_render_timestamps(row, _get_zone(row, context), context),
        "hiring_team": _render_team(row),
        "company": render_reference(context.company.offices[row.office_id].legal_entity_id),
    }


def _summarize_opening(row: documents.Opening, context: RenderContext) -> Json:
    department = context.company.departments[row.department_id]
    kind = context.company.categories[row.category_id]
    return {
        "id": str(row.id),
        "name": row.name,
        "department": {"id": str(department.id), "name": department.name},
        "category": {"id": str(kind.id), "name": kind.name},
    }


def _render_team(row: documents.Opening) -> list[Json]:
    return [{"person": render_reference(number), "role": "RECRUITER"} for number in row.recruiter_ids]


def _render_candidate(row: documents.Candidate, context: RenderContext) -> Json:
    """Renders a candidate. Applications are ids only."""
    return {
        **render_fields(row, "first_name", "last_name", "email", "gender", "phone", "location", "birthday"),
        **render_fields(row, "available_from", linkedin_profile="profile"),
        **_render_timestamps(row, None, context),
        "id": str(row.id),
        "applications": [render_reference(other.id) for other in context.company.applications.find_by_owner(row.id)],
    }


def _render_application(row: documents.Application, context: RenderContext) -> Json:
    """Renders an application. Anonymized ones have no names."""
    who = context.company.candidates[row.candidate_id]
    job = context.company.openings[row.opening_id]
    names = ("first_name", "last_name", "email")
    return {
        **render_fields(row, application_date="applied_on", is_anonymized="anonymized"),
        **_render_timestamps(row, _get_zone(job, context), context),
        "id": str(row.id),
        "candidate": {"id": str(who.id), **{name: None if row.anonymized else getattr(who, name) for name in names}},
        "job": _summarize_opening(job, context),
        "current_stage": _render_stage(row.transitions[-1].stage),
        "channel": {"id": str(sum(map(ord, row.channel))), "name": row.channel},
        "hiring_team": _render_team(job),
    }


def _render_transition(row: documents.Transition, context: RenderContext) -> Json:
    """Renders a stage transition. It has no id."""
    of = context.company.applications.find(context.values["id"])
    zone = _get_zone(context.company.openings[of.opening_id], context) if of else None
    return {"entered_at": _render_timestamp(row.entered_at, zone, context), "stage": _render_stage(row.stage)}


ENDPOINTS: tuple[ListEndpoint, ...] = (
    _declare(
        "/v2/recruiting/applications",
        "recruiting_applications",
        _render_application,
        rows=_find_applications,
        links=Links(carries_query=True),
        filters=(*_UPDATED, Filter("candidate.email", parse_text)),
        table="applications",
    ),
    _declare(
        "/v2/recruiting/applications/{id}/stage-transitions",
        "recruiting_stage_transitions",
        _render_transition,
        rows=_find_transitions,
        links=Links(last_page="null"),
        slices=lambda company, *_: [{"id": str(row.id)} for row in company.applications],
        extra_fields=lambda values, _: {"_application_id": values["id"]},
    ),
    _declare(
        "/v2/recruiting/candidates",
        "recruiting_candidates",
        _render_candidate,
        rows=_make_newest_first_sorter("candidates"),
        filters=(*_UPDATED, filter_equal("email")),
        table="candidates",
    ),
    _declare(
        "/v2/recruiting/jobs",
        "recruiting_jobs",
        _render_opening,
        rows=_make_newest_first_sorter("openings"),
        filters=_UPDATED,
        table="openings",
    ),
    _declare(
        "/v2/recruiting/categories",
        "recruiting_categories",
        _render_category,
        links=Links(last_page="none"),
        table="categories",
    ),
)
