"""Records what a run does in `_runs`, `_run_streams` and `_schema_changes`, in the same transactions as its rows."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from target_duckdb.own_tables import RUN_STREAMS, RUNS, SCHEMA_CHANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from target_duckdb.table_notes import SchemaChange
    from target_duckdb.tables import Tables

UNFINISHED, SUCCEEDED, FAILED, STOPPED = "unfinished", "succeeded", "failed", "stopped"
_COUNTS = ("received", "inserted", "changed", "deleted", "rejected", "seconds")  # in `_run_streams`
_MAX_BOOKMARK_LENGTH = 200  # taps keep lists of what they have read in some


@dataclass
class Counts:
    """Rows of a stream, and the seconds that loading them took.

    Attributes:
        received: The records that were received, after stream maps.
        inserted: The rows that were added.
        changed: The rows that replaced one with the same key.
        deleted: The rows that were removed, or marked as deleted.
        rejected: The records that could not be loaded.
        left_out: The records of people who were erased.
        seconds: The time that loading them took.
    """

    received: int = 0
    inserted: int = 0
    changed: int = 0
    deleted: int = 0
    rejected: int = 0
    left_out: int = 0
    seconds: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        """Returns the sums."""
        return Counts(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    def add_merged(self, rows: tuple[int, int], marks: tuple[int, int]) -> None:
        """Counts rows that were merged into a table. Deletion marks count as neither inserted nor changed.

        Args:
            rows: The rows that were inserted, and the rows with the same keys that they replaced.
            marks: The deletion marks among the inserted rows, and among those that replaced a row.
        """
        inserted, changed = rows[0] - marks[0], rows[1] - marks[1]
        self.inserted += inserted - changed
        self.changed += changed


@dataclass
class StreamBatch:
    """The result of a batch for a stream.

    Attributes:
        table: The name of its table.
        counts: Its rows.
        sources: The names of the streams in the input that are loaded into it.
        columns: The columns that its records fill.
        is_new: Whether its table was created.
        is_activated: Whether a version was activated after its rows, which proves that the read was complete.
        fragment_since: The bookmark from which its table was first filled, if older rows are missing.
    """

    table: str | None = None
    counts: Counts = field(default_factory=Counts)
    sources: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    is_new: bool = False
    is_activated: bool = False
    fragment_since: str | None = None

    def __add__(self, later: StreamBatch) -> StreamBatch:
        """Returns the result of both batches together."""
        return StreamBatch(
            later.table or self.table,
            self.counts + later.counts,
            self.sources | later.sources,
            self.columns | later.columns,
            is_new=self.is_new or later.is_new,
            is_activated=self.is_activated or later.is_activated,
            fragment_since=later.fragment_since,
        )


class Run:
    """One run of the target.

    Args:
        state_id: Identifies the row of the state table.

    Attributes:
        is_recorded: Whether the database has its row.
    """

    def __init__(self, state_id: str) -> None:
        self.is_recorded = False
        self._id = str(uuid.uuid4())
        self._state_id = state_id
        self._started_at = time.time()
        self._started = time.monotonic()
        self._streams: dict[str, StreamBatch] = {}  # what is committed
        self._first_bookmarks: dict[str, Any] | None = None
        self._bookmarks: dict[str, Any] = {}  # committed

    def note_first_state(self, state: str, received: Iterable[str]) -> None:
        """Remembers the bookmarks of the run's first STATE message, which are those that the tap began with.

        Args:
            state: The state as JSON text.
            received: The streams that had records before. Their bookmarks may be new.
        """
        if self._first_bookmarks is None:
            known = set(received)
            self._first_bookmarks = {
                name: bookmark for name, bookmark in _read_bookmarks(state).items() if name not in known
            }

    def find_fragment_start(self, name: str, batch: StreamBatch, known: str | None) -> str | None:
        """Returns the bookmark from which a stream's table was first filled, None if it has all rows.

        A table that is created while the tap continues from an older state lacks the rows that have not changed since.

        Args:
            name: The stream's name.
            batch: The result of the current transaction for it.
            known: The bookmark that earlier runs found.
        """
        sums = self._sum_batches({name: batch})[name]
        if sums.is_activated:
            return None
        since = _find_start(sums, self._first_bookmarks or {})
        return since if sums.is_new else known and since and known

    @property
    def fragments(self) -> dict[str, str]:
        """The tables that lack older rows, and the bookmarks from which they were first filled."""
        found = {stream.table: stream.fragment_since for stream in self._streams.values()}
        return {table: since for table, since in found.items() if table and since}

    @property
    def summary(self) -> str:
        """A line that says what was committed."""
        total = sum((stream.counts for stream in self._streams.values()), Counts())
        streams, rows = len(self._streams), total.received
        left_out = f" {total.left_out:,} of forgotten people left out," if total.left_out else ""
        return (
            f"{streams:,} stream{'' if streams == 1 else 's'}, {rows:,} row{'' if rows == 1 else 's'}:"
            f" {total.inserted:,} inserted, {total.changed:,} changed, {total.deleted:,} deleted,"
            f" {total.rejected:,} rejected,{left_out} {time.monotonic() - self._started:.1f} s."
        )

    def write_run(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: Tables,
        batch: Mapping[str, StreamBatch],
        *,
        state: str | None = None,
        status: str = UNFINISHED,
        error: str | None = None,
    ) -> None:
        """Writes the run's rows, as they are once the transaction is committed.

        Args:
            connection: A connection in a transaction.
            tables: The tables of the schema.
            batch: The results of the transaction, by stream.
            state: The state that is committed with it.
            status: The status of the run.
            error: Why it failed.
        """
        runs, run_streams, schema_changes = (
            tables.sql_name(tables.open_own_table(table)) for table in (RUNS, RUN_STREAMS, SCHEMA_CHANGES)
        )
        connection.execute(f"DELETE FROM {runs} WHERE run_id = ?", [self._id])  # noqa: S608 - quoted names
        self.insert_run(connection, runs, status, error)
        bookmarks = self._bookmarks if state is None else _read_bookmarks(state)
        moved = {
            name: StreamBatch(known.table, sources=known.sources, fragment_since=known.fragment_since)
            for name, known in self._streams.items()
            if _find_bookmark(known, bookmarks) != _find_bookmark(known, self._bookmarks)
        }
        streams = self._sum_batches(moved | dict(batch))
        if streams:
            self._write_streams(connection, run_streams, streams, bookmarks)
        if tables.changes:
            _write_changes(connection, schema_changes, self._id, tables.changes)

    def insert_run(
        self, connection: duckdb.DuckDBPyConnection, table: str, status: str = UNFINISHED, error: str | None = None
    ) -> None:
        """Inserts the run's row.

        Args:
            connection: A connection in a transaction.
            table: The full name of `_runs`, quoted.
            status: The status of the run.
            error: Why it failed.
        """
        ended_at = None if status == UNFINISHED else time.time()
        connection.execute(
            f"INSERT INTO {table} ({', '.join(RUNS.columns)}) VALUES (?, ?, ?, to_timestamp(?), to_timestamp(?), ?)",  # noqa: S608 - quoted names
            [self._id, self._state_id, status, self._started_at, ended_at, error],
        )

    def _write_streams(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        streams: Mapping[str, StreamBatch],
        bookmarks: Mapping[str, Any],
    ) -> None:
        names = [*streams]
        connection.execute(f"DELETE FROM {table} WHERE run_id = ? AND list_contains(?, stream)", [self._id, names])  # noqa: S608 - quoted names
        values: list[Any] = []
        for name, stream in streams.items():
            counts = (getattr(stream.counts, name) for name in _COUNTS)
            before = _find_bookmark(stream, self._first_bookmarks or {})
            values += [self._id, name, stream.table, *counts, before, _find_bookmark(stream, bookmarks)]
        _insert_rows(connection, table, [*RUN_STREAMS.columns], values)

    def note_commit(self, batch: Mapping[str, StreamBatch], state: str | None = None) -> None:
        """Adds a committed transaction to what the run has done."""
        self.is_recorded = True
        self._streams |= self._sum_batches(batch)
        if state is not None:
            self._bookmarks = _read_bookmarks(state)

    def sum_all_batches(self, batch: Mapping[str, StreamBatch]) -> dict[str, StreamBatch]:
        """Returns the results for all streams up to the end of a batch."""
        return self._streams | self._sum_batches(batch)

    def _sum_batches(self, batch: Mapping[str, StreamBatch]) -> dict[str, StreamBatch]:
        """Returns the results for each stream of a batch, including earlier batches."""
        return {name: self._streams.get(name, StreamBatch()) + stream for name, stream in batch.items()}


def _write_changes(
    connection: duckdb.DuckDBPyConnection, table: str, run: str, changes: Iterable[SchemaChange]
) -> None:
    values: list[Any] = []
    for item in changes:
        values += [item.table, item.column, item.change, item.old_type, item.new_type, time.time(), run]
    _insert_rows(connection, table, [*SCHEMA_CHANGES.columns], values)


def _insert_rows(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str], values: list[Any]) -> None:
    """Inserts rows with one statement."""
    row = ", ".join("to_timestamp(?)" if column.endswith("_at") else "?" for column in columns)
    rows = ", ".join([f"({row})"] * (len(values) // len(columns)))
    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows}", values)  # noqa: S608 - quoted names


def _read_bookmarks(state: str) -> dict[str, Any]:
    """Returns the bookmarks in a state by stream, none if it has another structure."""
    value = json.loads(state)
    found = value.get("bookmarks") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _find_bookmark(stream: StreamBatch, bookmarks: Mapping[str, Any]) -> str | None:
    """Returns a stream's bookmark as text, None if it has none."""
    bookmark = next((bookmarks[name] for name in sorted(stream.sources) if name in bookmarks), None)
    if not isinstance(bookmark, dict):
        return None
    value = bookmark.get("replication_key_value")
    if value is None:
        value = {name: item for name, item in bookmark.items() if isinstance(item, str | int | float)} or None
    if value is None or isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_BOOKMARK_LENGTH else None


def _find_start(stream: StreamBatch, bookmarks: Mapping[str, Any]) -> str | None:
    """Returns the bookmark at which an incremental read began, None if it read everything or this is not known."""
    for name in sorted(stream.sources):
        bookmark = bookmarks.get(name)
        partitions = bookmark.get("partitions") if isinstance(bookmark, dict) else None
        parts = [bookmark, *(partitions if isinstance(partitions, list) else ())]
        values = [part.get("replication_key_value") for part in parts if isinstance(part, dict)]
        if found := [str(value) for value in values if value is not None]:
            return min(found)
    return None
