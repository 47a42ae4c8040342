"""Loads a batch in one transaction: tables, rows, deletions and the state."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.database import no_row_matches, quote_identifier
from target_duckdb.errors import LockedTargetError, OutOfMemoryTargetError, TargetError, constraint_message
from target_duckdb.own_tables import RUNS, is_own
from target_duckdb.runs import SUCCEEDED, UNFINISHED, Counts, Run, StreamBatch
from target_duckdb.spool import MIN_OBJECT_SIZE
from target_duckdb.table_notes import SchemaChange
from target_duckdb.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from target_duckdb.database import Database
    from target_duckdb.forgotten import Forgotten
    from target_duckdb.rejected import RejectedRecords
    from target_duckdb.stream_load import StreamLoad
    from target_duckdb.streams import Stream

logger = logging.getLogger("target-duckdb")

FRAGMENT_ADVICE = "For a full read, run the tap without its state, with Meltano by `--full-refresh`."

_LOW_MEMORY_COLUMNS = 500  # of all tables in a batch


@dataclass(frozen=True)
class Loader:
    """Commits batches.

    Attributes:
        database: The database to load into.
        schema: The schema of all tables.
        state_id: Identifies the row of the state table.
        hard_delete: Whether deleted rows are removed instead of marked.
        method: The load method.
        run: The record of the current run.
        allows_fragments: Whether a table may lack rows from before the bookmark that the tap began with.
        tombstone_key_file: The file with the key for the marks of people who were erased.
    """

    database: Database
    schema: str
    state_id: str
    hard_delete: bool
    method: type[StreamLoad]
    run: Run
    allows_fragments: bool = True
    tombstone_key_file: str | None = None

    def record_start(self, temp_directory: Path) -> None:
        """Records that a run has started.

        If the file is open in another process or does not exist, the first batch records the start instead.
        """
        if self.database.is_missing:
            return
        with suppress(LockedTargetError), self.database.transaction(temp_directory, wait=False) as connection:
            names = (self.database.find_catalog(connection), self.schema, RUNS.name)
            table = ".".join(map(quote_identifier, names))
            # Usually an earlier run has created the table. Listing all tables takes longer than the rest.
            if is_own(connection, table, RUNS):
                self.run.insert_run(connection, table)
            else:
                connection.rollback()  # no statement can follow one about a table that does not exist
                connection.begin()
                self._write_run(connection, UNFINISHED)

    def record_failure(self, temp_directory: Path, status: str, error: str) -> None:
        """Records that the run failed, if that is possible."""
        with suppress(TargetError), self.database.transaction(temp_directory, wait=False) as connection:
            self._write_run(connection, status, error)

    def _write_run(self, connection: duckdb.DuckDBPyConnection, status: str, error: str | None = None) -> None:
        tables = self._open_tables(connection)
        self.run.write_run(connection, tables, {}, status=status, error=error)
        tables.save_notes()

    def _open_tables(self, connection: duckdb.DuckDBPyConnection) -> Tables:
        catalog = self.database.find_catalog(connection)
        return Tables(connection, catalog, self.schema, is_empty=self.database.is_empty)

    def commit(
        self,
        streams: Iterable[Stream],
        rejected: RejectedRecords,
        state: str | None,
        temp_directory: Path,
        status: str = UNFINISHED,
    ) -> None:
        """Commits all spooled rows and the state in one transaction.

        Args:
            streams: The streams. Those without changes are skipped.
            rejected: Records that could not be loaded.
            state: The state as JSON text, None if there is none.
            temp_directory: The folder in which DuckDB writes data that does not fit into memory.
            status: The status of the run after the batch.

        Raises:
            TargetError: The batch was rolled back.
        """
        streams = [stream for stream in streams if stream.has_new_schema or stream.steps]
        for stream in streams:
            stream.flush()
        rejected.flush()
        segments = [segment for stream in streams for segment in stream.segments]
        low_memory = (
            max((segment.file.max_line_bytes for segment in segments), default=rejected.max_line_bytes)
            <= MIN_OBJECT_SIZE
            and sum(len(segment.columns) for segment in segments) <= _LOW_MEMORY_COLUMNS
        )
        if low_memory:
            try:
                self._commit_once(streams, rejected, state, temp_directory, status, low_memory=True)
            except OutOfMemoryTargetError:
                logger.info("DuckDB needs more memory for this batch: retrying with the whole memory_limit.")
            else:
                return
        self._commit_once(streams, rejected, state, temp_directory, status, low_memory=False)

    def _commit_once(
        self,
        streams: list[Stream],
        rejected: RejectedRecords,
        state: str | None,
        temp_directory: Path,
        status: str,
        *,
        low_memory: bool,
    ) -> None:
        batch: dict[str, StreamBatch] = {}
        with self.database.transaction(temp_directory, low_memory=low_memory) as connection:
            tables = self._open_tables(connection)
            if tables.has_forgotten:
                tables.forgotten = self._open_forgotten(connection)
            for stream in streams:
                load = self.method(connection, tables, stream, hard_delete=self.hard_delete)
                try:
                    load.run()
                except duckdb.ConstraintException as error:
                    raise TargetError(constraint_message(error, stream.name, load.table_name)) from None
                batch[stream.name] = load.result
                self._check_fragment(load)
            rejected.insert_records(connection, tables)
            for name, count in rejected.counts.items():
                batch.setdefault(name, StreamBatch()).counts += Counts(received=count, rejected=count)
            if status == SUCCEEDED:
                _note_sent_columns(connection, tables, self.run.sum_all_batches(batch))
            tables.save_notes()
            if state is not None:
                self._write_state(connection, tables.sql_name(tables.state_table()), state)
            self.run.write_run(connection, tables, batch, state=state, status=status)
        self.run.note_commit(batch, state)

    def _open_forgotten(self, connection: duckdb.DuckDBPyConnection) -> Forgotten | None:
        from target_duckdb.forgotten import open_forgotten  # noqa: PLC0415 - few files need it

        catalog = self.database.find_catalog(connection)
        return open_forgotten(connection, catalog, self.schema, self.tombstone_key_file)

    def _check_fragment(self, load: StreamLoad) -> None:
        """Records whether a table lacks older rows.

        Raises:
            TargetError: The table lacks older rows, and the setting `on_fragment` is `fail`.
        """
        name, result = load.stream_name, load.result
        since = result.fragment_since = load.main_table.fragment_since = self.run.find_fragment_start(
            name, result, load.main_table.fragment_since
        )
        if since and not self.allows_fragments:
            raise TargetError(
                f"Stream '{name}': its table lacks rows from before {since}, because the tap continued from an older"
                f" state when the table was created. {FRAGMENT_ADVICE}"
            )

    def _write_state(self, connection: duckdb.DuckDBPyConnection, table: str, state: str) -> None:
        connection.execute(f"DELETE FROM {table} WHERE state_id = ?", [self.state_id])  # noqa: S608 - quoted names
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, now())", [self.state_id, state])  # noqa: S608 - quoted names


def _note_sent_columns(
    connection: duckdb.DuckDBPyConnection, tables: Tables, streams: Mapping[str, StreamBatch]
) -> None:
    """Records the columns that a complete run sent. Logs the columns that keep old values."""
    for name, stream in streams.items():
        if stream.table is None or not stream.columns:
            continue
        sql = tables.sql_name(stream.table)
        gone = tables.set_sent_columns(stream.table, stream.columns)
        tables.changes += [SchemaChange(stream.table, "column no longer sent", column) for column in gone]
        filled = [
            column for column in gone if not no_row_matches(connection, sql, f"{quote_identifier(column)} IS NOT NULL")
        ]
        if filled:
            logger.warning(
                "Stream '%s': columns that the tap no longer sends keep their old values."
                " To empty them: UPDATE %s SET %s;",
                name,
                sql,
                ", ".join(f"{quote_identifier(column)} = NULL" for column in filled),
            )
