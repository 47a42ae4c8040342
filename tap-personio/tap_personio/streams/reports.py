"""Reports that the company has made available to the API, their attributes and their rows."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from singer_rest import Meaning, ParsedBody, PerParent, Reply, Request, TapError
from typing_extensions import override

from tap_personio.client import CURSOR_ALONE, PersonioStream

if TYPE_CHECKING:
    from singer_rest import Page, Record


class Reports(PersonioStream):
    """One row per report that the API may read."""

    name = "reports"
    path = "/v2/reports"
    permission = "personio:reports:read"
    primary_keys = ("id",)
    pagination = CURSOR_ALONE


class ReportAttributes(PersonioStream):
    """One row per attribute that reports can hold."""

    name = "report_attributes"
    path = "/v2/reports/attributes"
    permission = "personio:reports:read"
    primary_keys = ("id",)

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        # Some attributes have only a name.
        row["id"] = row.get("id") or row.get("name")
        return row


class ReportRows(PersonioStream):
    """One row per row of a report, its cells by column."""

    name = "report_rows"
    path = "/v2/reports/{report_id}"
    permission = "personio:reports:read"
    primary_keys = ("report_id", "row_number")
    slices = PerParent("reports", "report_id")
    page_size = 1000  # without a limit all rows are sent at once
    log_parent_ids = True
    unreadable_advice = "They may report on deleted data: switch off their API access in Personio, or change them."
    pagination = CURSOR_ALONE
    free_names = ("values",)  # the company names the columns of its reports

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        rows = body.get("_data") if isinstance(body, dict) else None
        meta = body.get("_meta") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise TapError(f"{self.name}: the response of {self.path} contains no list of records. Check `api_url`.")
        raw_columns = meta.get("columns") if isinstance(meta, dict) else None
        columns = raw_columns if isinstance(raw_columns, list) else None
        next_requests = self.next_requests(request, body, rows)
        cells = (row if isinstance(row, list) else [row] for row in rows)
        return ParsedBody([{"cells": row, "columns": columns} for row in cells], next_requests)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # Grouped reports and charts never have rows in the API, so their rows cannot be missing.
        if reply.status == HTTPStatus.BAD_REQUEST and b"unsupported nested type" in reply.body.lower():
            report_id = unquote(request.path.rpartition("/")[2])
            self.logger.warning(
                "%s: report %s is grouped or a chart and has no rows. Switch off its API access in Personio.",
                self.name,
                report_id,
            )
            return Meaning.NO_RECORDS
        meaning = super().classify(reply, request)
        # The API cannot return some reports because of their form or content, but can return others.
        is_unreadable = meaning is Meaning.ERROR and reply.status in {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        }
        return Meaning.UNREADABLE if is_unreadable else meaning

    @override
    def prepared_records(self, page: Page) -> list[Record]:
        rows, columns = page.memory.get("rows", 0), page.memory.get("columns", [])
        for number, record in enumerate(page.records, rows + 1):
            columns = record.pop("columns") or columns  # not every page has them
            record |= {"row_number": number, "values": _map_cells_to_columns(record.pop("cells"), columns)}
        page.memory |= {"rows": rows + len(page.records), "columns": columns}
        return super().prepared_records(page)


def _map_cells_to_columns(cells: list[Any], columns: list[Any]) -> Record:
    """Maps a row's cells to the names of their columns. Repeated names are numbered."""
    values: Record = {}
    for index, cell in enumerate(cells):
        column = columns[index] if index < len(columns) else None
        name = column.get("name") if isinstance(column, dict) else None
        name = str(name or (cell.get("attribute_id") if isinstance(cell, dict) else None) or f"column_{index + 1}")
        number = 2
        unique = name
        while unique in values:
            unique, number = f"{name}_{number}", number + 1
        values[unique] = _cell_value(cell)
    return values


def _cell_value(cell: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Returns the content of a typed cell: text, number or options. Other cells are unchanged."""
    if not isinstance(cell, dict):
        return cell
    fields = {name: value for name, value in cell.items() if name != "attribute_id" and value is not None}
    for kind, content in fields.items():
        if len(fields) == 1 and kind.endswith("_value") and isinstance(content, dict) and len(content) == 1:
            ((inner, value),) = content.items()
            return value if inner in {"value", "number", "options"} else fields
    return fields or None
