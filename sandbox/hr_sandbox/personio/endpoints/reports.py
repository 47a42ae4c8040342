"""Reports about people, their pay and their absences: rows of cells, whose members depend on their types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ALL, ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.errors import make_problem
from hr_sandbox.personio.filters import Filter, parse_text, parser_for_choice
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import format_date, render_fields

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import documents
    from hr_sandbox.http.messages import Json

    Pair = tuple[str, str]

GROUPED = "Unsupported nested type: null"
LOCALES = ("en", "de")
DAYS = 365  # of absences

_declare_report = partial(ListEndpoint, permission="personio:reports:read", forbidden_status=400, default_limit=ALL)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that a report can have as a column.

    Attributes:
        type: string, numeric, options, percentage, monetary or date.
        value: returns the value in a row, or None: of options pairs of a key and a label, of money the amount and the
            currency.
    """

    id: str
    label: str
    german: str
    type: str
    value: Callable[[Company, Any], Any]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row. Its number is its position in the report."""

    id: int
    cells: list[Json]


def _find_department(company: Company, person: Any) -> list[Pair] | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return [(str(latest.department_id), company.departments[latest.department_id].name)] if latest else None


def _find_hire_date(company: Company, person: Any) -> date | None:  # noqa: ANN401  a person
    first = next(iter(company.employments.find_by_owner(person.id)), None)
    return first.start_date if first else None


def _find_hours(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return latest.weekly_working_hours if latest else None


def _compute_part_time(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return round(100 * latest.weekly_working_hours / latest.full_time_weekly_working_hours, 1) if latest else None


def _find_absence_type(company: Company, absence: Any) -> list[Pair]:  # noqa: ANN401  an absence
    row = company.absence_types[absence.type_id]
    return [(row.uuid, row.name)]


def _list_languages(_company: Company, person: Any) -> list[Pair]:  # noqa: ANN401  a person
    return [(name.lower(), name) for name in person.attributes.get("dynamic_30001", ())]


ATTRIBUTES = {
    row.id: row
    for row in (
        Attribute("person.id", "ID", "ID", "numeric", lambda _, row: row.id),
        Attribute("person.last_name", "Last name", "Nachname", "string", lambda _, row: row.last_name),
        Attribute("person.hire_date", "Hire date", "Eintrittsdatum", "date", _find_hire_date),
        Attribute("person.department", "Department", "Abteilung", "options", _find_department),
        Attribute("person.weekly_hours", "Weekly hours", "Wochenstunden", "numeric", _find_hours),
        Attribute("person.part_time", "Share of full time", "Beschäftigungsgrad", "percentage", _compute_part_time),
        Attribute("person.languages", "Languages", "Sprachen", "options", _list_languages),
        Attribute("pay.person_id", "ID", "ID", "numeric", lambda _, row: row.person_id),
        Attribute("pay.amount", "Amount", "Betrag", "monetary", lambda _, row: (row.amount, row.currency)),
        Attribute("pay.since", "Effective from", "Gültig ab", "date", lambda _, row: row.effective_from),
        Attribute("absence.person_id", "ID", "ID", "numeric", lambda _, row: row.person_id),
        Attribute("absence.type", "Absence type", "Abwesenheitsart", "options", _find_absence_type),
        Attribute("absence.start", "Start", "Beginn", "date", lambda _, row: row.starts_at.date()),
        Attribute("absence.comment", "Comment", "Kommentar", "string", lambda _, row: row.comment),
    )
}


def _list_shared_reports(company: Company, _values: Values) -> list[documents.Report]:
    return [row for row in company.reports if row.shared]


def _list_report_rows(company: Company, values: Values) -> list[ReportRow]:
    """Returns the rows of a shared report as of now. Grouped reports are not supported."""
    report, today = find_or_fail(company.reports, values["id"]), company.today
    if not report.shared:
        raise ApiError(make_problem(404))
    if report.grouped:
        raise ApiError(make_problem(400, GROUPED, GROUPED))
    records: dict[str, Callable[[], list[Any]]] = {
        "people": lambda: list(company.people),
        "pay": lambda: [row for row in company.compensations if row.is_in_effect(today, today)],
        "absences": lambda: [row for row in company.absences if 0 <= (today - row.starts_at.date()).days < DAYS],
        "nothing": list,
    }
    columns = [ATTRIBUTES[name] for name in report.columns]
    return [
        ReportRow(number, [_render_cell(column, column.value(company, row)) for column in columns])
        for number, row in enumerate(records[report.about](), 1)
    ]


def _render_cell(attribute: Attribute, value: Any) -> Json:  # noqa: ANN401  any value of a report
    cell: Json = {"attribute_id": attribute.id}
    if value is None:
        return cell
    if attribute.type == "monetary":
        cell["monetary_value"] = {"amount": value[0], "currency": value[1]}
    elif attribute.type == "options":
        cell["options_value"] = {"options": [{"key": key, "value": label} for key, label in value]}
    elif attribute.type in {"percentage", "numeric"}:
        cell[f"{attribute.type}_value"] = {"number": value}
    else:
        cell["string_value"] = {"value": format_date(value)}
    return cell


def _render_attribute(row: Attribute, _context: RenderContext) -> Json:
    """Renders an attribute that reports can have as a column."""
    is_filterable = row.type in {"options", "date"}
    return {**render_fields(row, "id", name="label"), "type": row.type.upper(), "is_filterable": is_filterable}


def _render_settings_and_columns(context: RenderContext) -> Json:
    """Returns the members of a report other than its rows: its settings and columns."""
    row = find_or_fail(context.company.reports, context.values["id"])
    locale = context.values.get("locale", LOCALES[0])
    columns = [ATTRIBUTES[name] for name in row.columns]
    return {
        "report_config": {"id": row.uuid, "name": row.name, "locale": locale},
        "_meta": {
            "links": None,
            "columns": [
                {"name": part.id, "display": part.german if locale == "de" else part.label, "type": part.type.upper()}
                for part in columns
            ],
        },
    }


ENDPOINTS: tuple[ListEndpoint, ...] = (
    _declare_report(
        "/v2/reports",
        "reports",
        lambda row, _: render_fields(row, "name", "created_at", "updated_at", id="uuid"),
        rows=_list_shared_reports,
        max_limit=ALL,
        accepts_any_limit=True,
        exclusive_cursor=True,
        filters=(Filter("name", parse_text, lambda row, wanted: wanted.casefold() in row.name.casefold()),),
    ),
    _declare_report(
        "/v2/reports/attributes",
        "report_attributes",
        _render_attribute,
        rows=lambda *_: list(ATTRIBUTES.values()),
        paged=False,
        links=Links(last_page="none"),
    ),
    _declare_report(
        "/v2/reports/{id}",
        "report_rows",
        lambda row, _: row.cells,
        rows=_list_report_rows,
        max_limit=ALL,
        exclusive_cursor=True,
        links=Links(last_page="null"),
        extra_body=_render_settings_and_columns,
        slices=lambda company, *_: [{"id": row.uuid} for row in company.reports if row.shared and not row.grouped],
        extra_fields=lambda values, row: {"_report_id": values["id"], "_row_number": row.id},
        filters=(Filter("locale", parser_for_choice(*LOCALES)),),
    ),
)
