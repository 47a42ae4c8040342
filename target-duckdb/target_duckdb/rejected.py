"""Records that cannot be loaded go to the table `_rejected`, so that the others can be loaded."""

from __future__ import annotations

import copy
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from target_duckdb.messages import repair_json
from target_duckdb.own_tables import REJECTED
from target_duckdb.spool import SpoolFile

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.spool import SpoolDirectory
    from target_duckdb.tables import Tables

logger = logging.getLogger("target-duckdb")

_FIELDS = {"received": "BIGINT", "stream": "VARCHAR", "record": "VARCHAR", "reason": "VARCHAR"}
_NAMES = tuple(_FIELDS)
_MAX_REASONS = 3  # per warning


class RejectedRecords:
    """Rejected records that the next batch writes to the table `_rejected`.

    Args:
        directory: The folder in which they are spooled.
    """

    def __init__(self, directory: SpoolDirectory) -> None:
        self._directory = directory
        self._file: SpoolFile | None = None
        self._pending: Counter[tuple[str, str]] = Counter()
        self._committed: Counter[tuple[str, str, str]] = Counter()  # by table, stream and reason
        self._table = ""

    def take_uncommitted(self) -> RejectedRecords:
        """Hands over the records that are not committed yet. This object is empty afterwards."""
        taken = copy.copy(self)
        self._file, self._pending = None, Counter()
        return taken

    def __len__(self) -> int:
        return self._pending.total()

    def add_record(self, stream: str, record: bytes | None, reason: str) -> None:
        """Adds a record.

        Args:
            stream: The stream's name.
            record: The JSON text of the record, or the line if it cannot be decoded. None if it must not be kept.
            reason: Why it cannot be loaded, as a sentence that starts with "its record".
        """
        if self._file is None:
            self._file = SpoolFile(self._directory)
        text = None if record is None else str(repair_json(record), "utf-8", "backslashreplace")
        reason = f"The record{reason.removeprefix('its record')}"
        self._file.add_row(_NAMES, (time.time_ns() // 1000, stream, text, reason), len(text or ""))
        self._pending[stream, reason] += 1

    @property
    def counts(self) -> Counter[str]:
        """Number of rejected records that are not committed yet, by stream."""
        found: Counter[str] = Counter()
        for (stream, _), count in self._pending.items():
            found[stream] += count
        return found

    @property
    def max_line_bytes(self) -> int:
        """The length of the longest spooled line in bytes."""
        return self._file.max_line_bytes if self._file else 0

    def flush(self) -> None:
        """Writes the records that are still in memory."""
        if self._file is not None:
            self._file.flush()

    def insert_records(self, connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
        """Inserts the records into their table."""
        if self._file is None:
            return
        self._table = tables.open_own_table(REJECTED)
        where = ""
        if tables.forgotten is not None:
            record = "TRY_CAST(s.record AS JSON)"
            where = f" WHERE NOT {tables.forgotten.rejected_sql(tables.notes, record, 's.stream')}"
        connection.execute(
            f"INSERT INTO {tables.sql_name(self._table)} (stream, record, reason, received)"  # noqa: S608 - quoted names
            " SELECT s.stream, coalesce(TRY_CAST(s.record AS JSON), to_json(s.record)), s.reason,"
            f" make_timestamptz(s.received) FROM ({self._file.select_sql(_FIELDS)}) AS s{where}"
        )

    def remove_committed(self) -> None:
        """Removes what was committed, but keeps the counts for the warning."""
        if self._file is not None:
            self._file.remove()
            self._file = None
        for (stream, reason), count in self._pending.items():
            self._committed[self._table, stream, reason] += count
        self._pending.clear()

    def log_warnings(self) -> None:
        """Logs one warning per stream with the number of rejected records and the reasons."""
        for table, stream in dict.fromkeys((table, stream) for table, stream, _ in self._committed):
            reasons = Counter(
                {reason: count for (*place, reason), count in self._committed.items() if place == [table, stream]}
            )
            listed = [f"{reason} ({count})" for reason, count in reasons.most_common(_MAX_REASONS)]
            more = len(reasons) - len(listed)
            logger.warning(
                "Stream '%s': %d of its records could not be loaded and are in the table '%s'. %s%s",
                stream,
                reasons.total(),
                table,
                " ".join(listed),
                f" And {more} other reasons." if more else "",
            )
        self._committed.clear()
