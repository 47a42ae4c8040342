"""Cells of custom reports. Their members depend on the type of value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.company.custom_cells import Away, Centers, Entity, Minutes, Span, Word
from hr_sandbox.company.custom_reports import HISTORY, columns_of
from hr_sandbox.company.reports import Money

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.custom_cells import Cell
    from hr_sandbox.company.custom_rows import CustomRow
    from hr_sandbox.http.messages import Json

LOCALES = ("en", "de")
SYMBOLS = {"EUR": "€", "PLN": "zł", "GBP": "£", "JPY": "¥"}


def item(row: CustomRow, company: Company, kind: str, locale: str = LOCALES[0]) -> Json:
    """Render a row. Reports about changes use other names for cells."""
    columns = columns_of(company)
    cells = [_cell(part, columns[part.column][1], row.person_id, locale) for part in row.cells]
    return {"employee_id": row.person_id, "historical_attributes" if kind == HISTORY else "attributes": cells}


def word(value: Word, locale: str) -> str:
    """Translate a word."""
    return value.german if locale == "de" else value.english


def _cell(cell: Cell, kind: str, person_id: int, locale: str) -> Json:
    body = {
        "attribute_id": cell.column,
        "data_type": kind,
        **_held(cell.value, kind, locale),
        "employee_id": person_id,
    }
    if cell.since:
        body["effective_date"] = cell.since.isoformat()
    return body


def _held(value: Any, kind: str, locale: str) -> Json:  # noqa: ANN401, PLR0911  many types of values
    match value:
        case Word():
            return {"value": word(value, locale)}
        case Entity():
            return {"entity_id": str(value.number), "value": value.name}
        case Centers():
            return {
                "cost_centers": [
                    {"cost_center_id": str(row.number), "value": row.name, "weight": f"{share:g}%"}
                    for row, share in value.shares
                ]
            }
        case Minutes():
            return {"duration": value.value}
        case Money():
            return {"amount": f"{value.amount:.2f}", "currency_symbol": SYMBOLS.get(value.currency, value.currency)}
        case Away():
            return {
                "start_date": value.first.isoformat(),
                "end_date": value.last.isoformat(),
                "duration_days": f"{value.days:g}",
                "duration_hours": f"{value.hours:g}",
            }
        case Span():
            return {
                "start_date": value.first.isoformat(),
                "end_date": value.last.isoformat() if value.last else None,
                "half_day_at_start": value.half_start,
                "half_day_at_end": value.half_end,
            }
    return _EMPTY_CELL.get(kind, {"value": value})


# The cell of an empty value.
_EMPTY_CELL: dict[str, Json] = {
    "ENTITY": {"entity_id": None, "value": None},
    "COST_CENTER": {"cost_centers": []},
    "DURATION": {"duration": None},
    "SALARY": {"amount": None, "currency_symbol": None},
}
