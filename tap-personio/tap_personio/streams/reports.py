"""Reports that the company made for the API, their attributes and their rows."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Children, Reply, Request, TapError
from typing_extensions import override

from tap_personio.client import PersonioStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_rest import Slice
    from singer_rest.pages import Page, Record


class Reports(PersonioStream):
    """One row per report that the API may read. Right: personio:reports:read."""

    name = "reports"
    path = "/v2/reports"
    primary_keys = ("id",)
    cursor_alone = True


class ReportAttributes(PersonioStream):
    """One row per attribute that reports can hold. Right: personio:reports:read."""

    name = "report_attributes"
    path = "/v2/reports/attributes"
    primary_keys = ("id",)

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        # Some attributes are known by their name only.
        row["id"] = row.get("id") or row.get("name")
        return row


class ReportRows(PersonioStream):
    """One row per row of a report, its cells by column. Right: personio:reports:read."""

    name = "report_rows"
    path = "/v2/reports/{report_id}"
    primary_keys = ("report_id", "row_number")
    slices = Children("reports", "report_id")
    page_size = 1000  # without a limit all rows come at once
    cursor_alone = True

    @override
    def parse(self, body: Any, request: Request) -> tuple[list[Record], Sequence[Request]]:
        rows = body.get("_data") if isinstance(body, dict) else None
        meta = body.get("_meta") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise TapError(f"{self.name}: the answer of {self.path} holds no rows. Check `api_url`.")
        columns = [column.get("name") for column in (meta or {}).get("columns") or []]
        _, following = super().parse({"_data": [], "_meta": meta}, request)
        return [{"values": _by_column(row, columns)} for row in rows], following

    @override
    def is_gone(self, reply: Reply) -> bool:
        # Grouped reports and charts have no rows that the API could send.
        grouped = reply.status == HTTPStatus.BAD_REQUEST and b"unsupported nested type" in reply.body.lower()
        return grouped or super().is_gone(reply)

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        page = super().fetch(request, part)
        if not page.size:
            self.logger.warning(
                "report_rows: report %s is grouped, a chart or gone, and has no rows to read.",
                part.columns["report_id"],
            )
        return page

    @override
    def shaped(self, page: Page) -> Iterable[Record]:
        if page.slice is not self._slice:
            self._rows = 0
        for record in page.records:
            self._rows += 1
            record["row_number"] = self._rows
        return super().shaped(page)

    _rows = 0


def _by_column(cells: list[Any], columns: list[str | None]) -> Record:
    """A row's cells, which stand in the order of the columns, by the columns' names."""
    values: Record = {}
    for place, cell in enumerate(cells):
        name = columns[place] if place < len(columns) else None
        values[name or (cell or {}).get("attribute_id") or f"column_{place + 1}"] = _value(cell)
    return values


def _value(cell: Any) -> Any:  # noqa: ANN401 - what the API sends
    """What a typed cell holds: text, a number, a list of options, or what stands there where its type is new."""
    if not isinstance(cell, dict):
        return cell
    for kind, content in cell.items():
        if not kind.endswith("_value") or not isinstance(content, dict):
            continue
        if "options" in content:
            return [option.get("value") for option in content["options"] or []]
        for name in ("value", "number"):
            if name in content:
                return content[name]
        return content
    return None
