"""Records that cannot be loaded: they go to a table of their own, so that one of them holds up no other."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from target_duckdb.messages import repair
from target_duckdb.spool import SpoolFile

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.spool import SpoolDirectory
    from target_duckdb.tables import Tables

logger = logging.getLogger("target-duckdb")

_FIELDS = {"received": "BIGINT", "stream": "VARCHAR", "record": "VARCHAR", "reason": "VARCHAR"}
_NAMES = tuple(_FIELDS)
_MAX_REASONS = 3  # that a warning tells


class RejectedRecords:
    """Records that wait for the next batch, which takes them to the table `_rejected`.

    Args:
        directory: Where they wait.
    """

    def __init__(self, directory: SpoolDirectory) -> None:
        self._directory = directory
        self._file: SpoolFile | None = None
        self._pending: Counter[tuple[str, str]] = Counter()
        self._committed: Counter[tuple[str, str]] = Counter()
        self._table = ""

    def __len__(self) -> int:
        return self._pending.total()

    def add(self, stream: str, record: bytes | None, reason: str) -> None:
        """Takes a record.

        Args:
            stream: The stream's name.
            record: Its JSON text, or what stands in its place; None where it must not be kept.
            reason: Why it cannot be loaded, as a sentence of which it is the subject.
        """
        if self._file is None:
            self._file = SpoolFile(self._directory)
        text = None if record is None else str(repair(record), "utf-8", "backslashreplace")
        reason = f"The record{reason.removeprefix('its record')}"
        self._file.add(_NAMES, (time.time_ns() // 1000, stream, text, reason), len(text or ""))
        self._pending[stream, reason] += 1

    @property
    def max_line_bytes(self) -> int:
        """Bytes of the longest line in which they wait."""
        return self._file.max_line_bytes if self._file else 0

    def flush(self) -> None:
        """Writes all to the file."""
        if self._file is not None:
            self._file.flush()

    def load(self, connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
        """Brings them into their table."""
        if self._file is None:
            return
        self._table = tables.rejected_table()
        connection.execute(
            f"INSERT INTO {tables.sql_name(self._table)} (stream, record, reason, received)"  # noqa: S608 - quoted names
            " SELECT s.stream, coalesce(TRY_CAST(s.record AS JSON), to_json(s.record)), s.reason,"
            f" make_timestamptz(s.received) FROM ({self._file.select(_FIELDS)}) AS s"
        )

    def clear(self) -> None:
        """Forgets what a batch has committed, but for its number."""
        if self._file is not None:
            self._file.remove()
            self._file = None
        self._committed.update(self._pending)
        self._pending.clear()

    def warn(self) -> None:
        """Says, once per stream, how many records were set aside, and why."""
        for stream in dict.fromkeys(stream for stream, _ in self._committed):
            reasons = Counter({reason: count for (name, reason), count in self._committed.items() if name == stream})
            listed = [f"{reason} ({count})" for reason, count in reasons.most_common(_MAX_REASONS)]
            more = len(reasons) - len(listed)
            logger.warning(
                "Stream '%s': %d of its records could not be loaded and were set aside in the table '%s'. %s%s",
                stream,
                reasons.total(),
                self._table,
                " ".join(listed),
                f" And {more} other reasons." if more else "",
            )
        self._committed.clear()
