"""Handles requests to the OData services: pages of rows, single rows, and changes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.errors import NOT_FOUND, make_bad_request, make_error, make_not_implemented
from hr_sandbox.cornerstone.metadata import JSON_TYPE, ODATA
from hr_sandbox.cornerstone.query import (
    DELTA_TOKEN,
    TRACK_CHANGES,
    Preferences,
    check_accept,
    parse_preferences,
    parse_query,
)
from hr_sandbox.cornerstone.selection import Links, Selection, hash_options
from hr_sandbox.cornerstone.store import KEY, coerce_value
from hr_sandbox.cornerstone.tables import EXPORTER, ROOTS
from hr_sandbox.cornerstone.timestamps import format_timestamp
from hr_sandbox.http.messages import ApiError, Response, to_json
from hr_sandbox.http.table import RowTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hr_sandbox.cornerstone.query import Query
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.store import Key, Store
    from hr_sandbox.cornerstone.tables import Column, EntitySet
    from hr_sandbox.http.messages import Request

ZONES = {EXPORTER: "+00:00"}
_written = lru_cache(4096)(format_timestamp)  # many rows share a timestamp


class Renderer:
    """Renders rows.

    Attributes:
        long_texts: whether 64-bit integers are written as texts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.long_texts = False

    def render_row(self, table: EntitySet, columns: Iterable[Column], row: Row) -> Row:
        """Renders one row."""
        return {
            column.name: self._render_cell(table, column, self._store.find_value(table, row, column))
            for column in columns
        }

    def render_rows(self, table: EntitySet, columns: Iterable[Column], rows: Iterable[Row]) -> Iterator[str]:
        """Renders rows as JSON."""
        return (to_json(self.render_row(table, columns, row)) for row in rows)

    def render_generated(self, table: EntitySet, columns: Sequence[Column], places: Sequence[int]) -> Iterator[str]:
        """Renders generated rows as JSON."""
        if not places:
            return
        bulk = self._store.bulk
        first = bulk.make_row(table.name, places[0])
        template = RowTemplate(self.render_row(table, columns, first))
        writers = {column.name: self._make_writer(table, column) for column in columns if column.name in first}
        for place in places:
            row = bulk.make_row(table.name, place)
            yield template.render_row({name: write(row[name]) for name, write in writers.items()})

    def _make_writer(self, table: EntitySet, column: Column) -> Callable[[Any], str]:
        """Returns a function that formats the column's values. Integers take a fast path."""
        if column.type == "Edm.Int32":
            return str
        return lambda value: to_json(self._render_cell(table, column, coerce_value(column, value)))

    def _render_cell(self, table: EntitySet, column: Column, value: Any) -> Any:  # noqa: ANN401  any JSON
        if value is None:
            return None
        if column.type == "Edm.DateTimeOffset":
            return _written(value, ZONES.get(table.service, "Z"))
        return str(value) if self.long_texts and column.type == "Edm.Int64" else value


DELETED_ROW_FORMATS = ("entity", "removed", "removed-id")
KEY_PART = re.compile(r"(?:(\w+)=)?(-?\d+|[0-9a-fA-F-]{36}|'(?:[^']|'')*')")


class OData:
    """Reads the tables of a store.

    Attributes:
        duplicates: rows that are served on two pages, by table.
        shape: how deleted rows look in changes.
        short: per table, the largest page, and whether the first page is empty.
    """

    def __init__(self, store: Store, links: Links) -> None:
        self.store = store
        self.links = links
        self.renderer = Renderer(store)
        self.duplicates: dict[str, Key] = {}
        self.shape = DELETED_ROW_FORMATS[0]
        self.short: dict[str, tuple[int, bool]] = {}
        self._kept: tuple[tuple[object, ...], list[Row], Selection] | None = None

    def handle(self, table: EntitySet, request: Request) -> Response:
        """Returns a page of a table or of its changes."""
        check_accept(request)
        prefer = parse_preferences(request)
        if table.service == EXPORTER and any(name == DELTA_TOKEN for name, _ in request.query):
            return self._start_change_tracking(table, request, prefer)
        query = parse_query(table, self.store.portal.list_columns(table), request)
        start_state = self.links.open_token("next", query.token, table.name) if query.token is not None else {}
        if start_state and start_state["options"] != hash_options(query.options):
            raise make_bad_request("The token belongs to another query.")
        if "until" in start_state:
            return self._make_page_of_changes(table, request, prefer, start_state)
        if not start_state and prefer.track:
            if table.service != EXPORTER or table.name not in self.store.portal.tracked:
                return make_not_implemented()
            if query.options:
                raise make_bad_request("Changes are tracked of whole objects only.")
            start_state = {"track": self.store.find_last_change_number(table.name)}
        return self._make_page_of_rows(table, request, prefer, query, start_state)

    def _make_page_of_rows(
        self, table: EntitySet, request: Request, prefer: Preferences, query: Query, start_state: dict[str, Any]
    ) -> Response:
        found = self._select_rows(table, query)
        start = found.find_index_after(start_state["after"]) if "after" in start_state else query.skip
        left = start_state.get("left", query.top)
        most, empty = self.short.get(table.name, (prefer.size, False))
        size = 0 if empty and "after" not in start_state else min(most, prefer.size)
        end = max(start, min(start + (size if left is None else min(size, left)), found.end))
        rows, places, duplicates = found.slice_page(start, end)
        columns = query.columns
        texts = [
            *self.renderer.render_rows(table, columns, rows),
            *self.renderer.render_generated(table, columns, places),
            *self.renderer.render_rows(table, columns, duplicates),
        ]
        left = None if left is None else left - (end - start)
        tail: dict[str, Any] = {}
        track = {"track": start_state["track"]} if "track" in start_state else {}
        if end < found.end and left != 0:
            # With `$orderby` or `$skip` a position is only an offset.
            placed = bool(query.order or query.skip) or not end
            after = ["place", end] if placed else found.find_position_before(end)
            if self.links.styles.get(table.name) == "repeated" and "after" in start_state:
                after = start_state["after"]
            state = {"table": table.name, "after": after, "left": left, "options": hash_options(query.options), **track}
            tail = self.links.make_next_link(table, request.root, query.options, self.links.make_token("next", state))
        elif track:
            tail = self._make_delta_link(table, track["track"])
        count = {"@odata.count": len(found)} if query.count else {}
        response = self._make_response(table, request, texts, count, tail)
        if track:
            response.headers["preference-applied"] = TRACK_CHANGES
        return response

    def _select_rows(self, table: EntitySet, query: Query) -> Selection:
        """Returns the rows that match a query. The result is cached for the next page."""
        state = (table.name, query.options, self.store.portal.version, self.store.bulk.count_rows(table.name))
        rows, duplicates = self.store.list_rows(table.name), self._find_duplicates(table)
        kept = self._kept
        if kept is None or kept[0] != state or kept[1] is not rows or kept[2].duplicates != duplicates:
            self._kept = kept = (state, rows, Selection(self.store, table, query, duplicates))
        return kept[2]

    def _find_duplicates(self, table: EntitySet) -> list[Row]:
        key = self.duplicates.get(table.name)
        row = None if key is None else self.store.find_row(table.name, key)
        return [] if row is None else [row]

    def _make_response(
        self,
        table: EntitySet,
        request: Request,
        texts: Iterable[str],
        head: dict[str, Any],
        tail: dict[str, Any],
        *,
        context: str = "",
    ) -> Response:
        """Builds the body around the rows."""
        named = {"@odata.context": f"{_make_context_url(table, request)}{context}", **head}
        end = f",{to_json(tail)[1:-1]}" if tail else ""
        body = f'{to_json(named)[:-1]},"value":[{",".join(texts)}]{end}}}'
        return Response(200, body.encode(), {"content-type": JSON_TYPE, **ODATA})

    # Changes

    def _make_delta_link(self, table: EntitySet, number: int) -> dict[str, str]:
        token = self.links.make_token("delta", {"table": table.name, "track": number})
        return {"@odata.deltaLink": f"{table.name}?{DELTA_TOKEN}={token}"}

    def _start_change_tracking(self, table: EntitySet, request: Request, prefer: Preferences) -> Response:
        """Returns the first page of changes since a delta link was issued."""
        if len(request.query) != 1:
            raise make_bad_request(f"Nothing else is asked for with {DELTA_TOKEN}.")
        since = self.links.open_token("delta", request.query[0][1], table.name)["track"]
        if table.name not in self.store.portal.tracked:
            return make_not_implemented()
        state = {"track": since, "until": self.store.find_last_change_number(table.name), "place": 0}
        return self._make_page_of_changes(table, request, prefer, state)

    def _make_page_of_changes(
        self, table: EntitySet, request: Request, prefer: Preferences, state: dict[str, Any]
    ) -> Response:
        """Returns a page of changes."""
        changes = self.store.list_changes(table.name, state["track"], state["until"])
        start, end = state["place"], min(state["place"] + prefer.size, len(changes))
        rows = {row[KEY]: row for row in self.store.list_rows(table.name)}
        columns = tuple(self.store.portal.list_columns(table).values())
        texts = []
        for key, deleted in changes[start:end]:
            if not deleted and key in rows:
                texts.append(to_json(self.renderer.render_row(table, columns, rows[key])))
            else:
                texts.append(to_json(self._render_deleted_row(table, request, key)))
        if end < len(changes):
            named = {
                "table": table.name,
                "options": hash_options(()),
                "track": state["track"],
                "until": state["until"],
                "place": end,
            }
            tail = self.links.make_next_link(table, request.root, (), self.links.make_token("next", named))
        else:
            tail = self._make_delta_link(table, state["until"])
        return self._make_response(table, request, texts, {}, tail, context="/$delta")

    def _render_deleted_row(self, table: EntitySet, request: Request, key: Key) -> dict[str, Any]:
        """Returns a deleted row in the selected shape."""
        named = dict(zip(table.key, key, strict=True))
        parts = (f"{name}={_format_key(value)}" for name, value in named.items())
        address = f"{table.name}({','.join(parts)})"
        if self.shape == DELETED_ROW_FORMATS[0]:
            context = f"{_make_context_url(table, request)}/$deletedEntity"
            return {"@odata.context": context, "id": address, "reason": "deleted"}
        removed = {"@removed": {"reason": "deleted"}}
        return {**removed, **named} if self.shape == DELETED_ROW_FORMATS[1] else {**removed, "@odata.id": address}

    # Single rows

    def get_single_row(self, table: EntitySet, key_text: str, request: Request) -> Response:
        """Returns one row by its key, such as `5` or `user_id=5,ou_id=77`."""
        check_accept(request)
        if request.query:
            raise make_bad_request("A single row has no options.")
        row = self._find_row(table, key_text)
        if row is None:
            raise ApiError(make_error(NOT_FOUND))
        columns = self.store.portal.list_columns(table).values()
        body = {
            "@odata.context": f"{_make_context_url(table, request)}/$entity",
            **self.renderer.render_row(table, columns, row),
        }
        return Response(200, to_json(body).encode(), {"content-type": JSON_TYPE, **ODATA})

    def _find_row(self, table: EntitySet, text: str) -> Row | None:
        parts = [KEY_PART.fullmatch(part.strip()) for part in text.split(",")]
        if not table.key or len(parts) != len(table.key):
            return None
        given: dict[str, Any] = {}
        for name, part in zip(table.key, parts, strict=True):
            if part is None:
                return None
            given[part[1] or name] = _parse_key(part[2])
        key = tuple(given.get(name) for name in table.key)
        return self.store.find_row(table.name, key) or (
            self.store.bulk.find_row(table.name, key) if self.store.bulk.count_rows(table.name) else None
        )


def _make_context_url(table: EntitySet, request: Request) -> str:
    return f"{request.root}{ROOTS[table.service]}/$metadata#{table.name}"


def _format_key(value: object) -> str:
    """Formats a key's value for a URL: texts in quotes, numbers and GUIDs without."""
    guid = isinstance(value, str) and re.fullmatch(r"[0-9a-f-]{36}", value)
    return str(value) if guid or not isinstance(value, str) else "'{}'".format(value.replace("'", "''"))


def _parse_key(text: str) -> int | str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return text.lower() if re.fullmatch(r"[0-9a-fA-F-]{36}", text) else int(text)
