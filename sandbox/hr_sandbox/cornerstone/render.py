"""Renders rows as JSON. Generated rows are formatted with a template, because there may be millions."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.store import coerce
from hr_sandbox.cornerstone.tables import EXPORTER
from hr_sandbox.cornerstone.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.cornerstone.tables import Column, EntitySet

ZONES = {EXPORTER: "+00:00"}
_written = lru_cache(4096)(format_timestamp)  # many rows share a timestamp
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: Any) -> str:  # noqa: ANN401  any JSON
    """Encode a value as JSON without whitespace."""
    return _encode(value)


class Renderer:
    """Renders rows.

    Attributes:
        long_texts: whether 64-bit integers are written as texts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.long_texts = False

    def body(self, table: EntitySet, columns: Iterable[Column], row: Row) -> Row:
        """Render one row."""
        return {column.name: self._cell(table, column, self._store.value(table, row, column)) for column in columns}

    def texts(self, table: EntitySet, columns: Iterable[Column], rows: Iterable[Row]) -> Iterator[str]:
        """Render rows as JSON."""
        return (to_json(self.body(table, columns, row)) for row in rows)

    def bulk(self, table: EntitySet, columns: Sequence[Column], places: Sequence[int]) -> Iterator[str]:
        """Render generated rows as JSON."""
        if not places:
            return
        bulk = self._store.bulk
        varying = bulk.varying(table.name)
        parts, filled = [], []
        first = self.body(table, columns, bulk.row(table.name, places[0]))
        for column in columns:
            fixed = column.name not in varying
            parts.append(f'"{column.name}":' + (to_json(first[column.name]).replace("%", "%%") if fixed else "%s"))
            if not fixed:
                filled.append(column)
        pattern = "{" + ",".join(parts) + "}"
        writers = [(column.name, self._writer(table, column)) for column in filled]
        for place in places:
            row = bulk.row(table.name, place)
            yield pattern % tuple([write(row[name]) for name, write in writers])

    def _writer(self, table: EntitySet, column: Column) -> Callable[[Any], str]:
        """Return a function that formats the column's values. Integers take a fast path."""
        if column.type == "Edm.Int32":
            return str
        return lambda value: to_json(self._cell(table, column, coerce(column, value)))

    def _cell(self, table: EntitySet, column: Column, value: Any) -> Any:  # noqa: ANN401  any JSON
        if value is None:
            return None
        if column.type == "Edm.DateTimeOffset":
            return _written(value, ZONES.get(table.service, "Z"))
        return str(value) if self.long_texts and column.type == "Edm.Int64" else value
