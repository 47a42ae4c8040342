"""Loads a batch in one transaction: tables, rows, deletions and the state."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from target_duckdb import merge, nested_values, types, versions
from target_duckdb.columns import DELETED_AT, METADATA_TYPES, TABLE_VERSION, SpoolFormat
from target_duckdb.database import STATE_TABLE, no_row_matches, quoted
from target_duckdb.errors import OutOfMemoryTargetError, TargetError, constraint_message
from target_duckdb.names import assign_names
from target_duckdb.segments import ROW_FIELDS, ActivateVersion, Segment
from target_duckdb.spool import MIN_OBJECT_SIZE
from target_duckdb.tables import Tables
from target_duckdb.type_fit import TypeFit, canonical_text_sql, fit_types, text_sql, timestamp_sql, value_sql
from target_duckdb.versions import version_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from target_duckdb.columns import Column
    from target_duckdb.database import Database
    from target_duckdb.rejected import RejectedRecords
    from target_duckdb.streams import Stream
    from target_duckdb.tables import Table

logger = logging.getLogger("target-duckdb")

_RECEIVED_AT = "make_timestamptz(s.received)"
_METADATA_SQL = {
    "_sdc_extracted_at": timestamp_sql("s.extracted"),
    "_sdc_received_at": _RECEIVED_AT,
    "_sdc_batched_at": "now()",
    "_sdc_sequence": "s.received // 1000",  # milliseconds, as the SDK counts
    TABLE_VERSION: "s.version",
    DELETED_AT: f"CASE WHEN s.deleted IS NOT NULL THEN coalesce({timestamp_sql('s.deleted')}, {_RECEIVED_AT}) END",
}
#: Types of existing metadata columns, from other loaders, that are kept, by the type that this target uses.
_WIDE_ENOUGH = {
    "BIGINT": {"BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT", "DOUBLE", "VARCHAR", "JSON"},
    "TIMESTAMPTZ": {"TIMESTAMPTZ", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "VARCHAR", "JSON"},
}
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
    """

    database: Database
    schema: str
    state_id: str
    hard_delete: bool
    method: type[StreamLoad]

    def commit(
        self, streams: Iterable[Stream], rejected: RejectedRecords, state: str | None, temp_directory: Path
    ) -> None:
        """Commits all spooled rows and the state in one transaction.

        Args:
            streams: The streams. Those without changes are skipped.
            rejected: Records that could not be loaded.
            state: The state as JSON text, None if there is none.
            temp_directory: Where DuckDB writes data that does not fit into memory.

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
                self._commit(streams, rejected, state, temp_directory, low_memory=True)
            except OutOfMemoryTargetError:
                logger.info("DuckDB needs more memory for this batch: retrying with the whole memory_limit.")
            else:
                return
        self._commit(streams, rejected, state, temp_directory, low_memory=False)

    def _commit(
        self,
        streams: list[Stream],
        rejected: RejectedRecords,
        state: str | None,
        temp_directory: Path,
        *,
        low_memory: bool,
    ) -> None:
        with self.database.transaction(temp_directory, low_memory=low_memory) as connection:
            tables = Tables(connection, self.database.catalog(connection), self.schema)
            for stream in streams:
                load = self.method(connection, tables, stream, hard_delete=self.hard_delete)
                try:
                    load.run()
                except duckdb.ConstraintException as error:
                    raise TargetError(constraint_message(error, stream.name, load.table_name)) from None
            rejected.load(connection, tables)
            if state is not None:
                self._write_state(connection, tables.sql_name(STATE_TABLE), state)

    def _write_state(self, connection: duckdb.DuckDBPyConnection, table: str, state: str) -> None:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (state_id VARCHAR, state VARCHAR, committed_at TIMESTAMPTZ)"
        )
        connection.execute(f"DELETE FROM {table} WHERE state_id = ?", [self.state_id])  # noqa: S608 - quoted names
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, now())", [self.state_id, state])  # noqa: S608 - quoted names


class StreamLoad:
    """Loads one batch of a stream into its table. Upserts rows."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, tables: Tables, stream: Stream, *, hard_delete: bool
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._stream = stream
        self._hard_delete = hard_delete

    @property
    def table_name(self) -> str:
        """The name of the current table."""
        return self._table.name

    def run(self) -> None:
        """Creates the table and runs the stream's steps in order."""
        self._use_table(self._tables.open(self._stream.name, self._stream.keys))
        for step in self._stream.steps:
            if isinstance(step, ActivateVersion):
                self._activate(step)
            else:
                self._load(step)

    def _use_table(self, table: Table) -> None:
        """Selects the table to load into and adds the columns that the stream needs."""
        stream = self._stream
        self._table = table
        schemas = [*(names for segment in stream.segments for names in segment.schemas), [*stream.declared_types]]
        properties = dict.fromkeys(name for names in schemas for name in names)
        self._metadata = self._metadata_columns(properties)
        own = [name for name in properties if name not in self._metadata]
        schemas = [[*self._metadata, *names] for names in schemas]
        self._names = assign_names([*self._metadata, *own], table.columns, table.generated, table.column_names, schemas)
        for recorded, key in zip(table.recorded_keys, table.keys, strict=True) if table.recorded_keys else ():
            if table.columns and table.find_column(recorded) != self._names[key]:
                raise TargetError(self._key_error)
        self._warn_of_names(own)
        table.save_column_names(self._names, stream.flattened_objects)
        self._table.ensure_columns(
            {self._names[name]: type_ for name, type_ in stream.declared_types.items() if name in own}
            | {self._names[name]: _metadata_type(name, table.columns.get(self._names[name])) for name in self._metadata}
        )

    @property
    def _key_error(self) -> str:
        return (
            f"Stream '{self._stream.name}': its key now uses another property that differs only in case:"
            " rename or drop its table and load the stream again in full."
        )

    @property
    def _key_names(self) -> set[str]:
        """The names of the key properties in lower case."""
        return {key.lower() for key in self._stream.keys}

    def _metadata_columns(self, properties: Iterable[str]) -> list[str]:
        """Returns the metadata columns to fill: those required, and those that the table already has."""
        stream = self._stream
        wanted = set(METADATA_TYPES) if stream.metadata else set()
        if stream.sends_versions:
            wanted |= {TABLE_VERSION, DELETED_AT}
        if stream.sends_deletions:
            wanted.add(DELETED_AT)
        wanted |= {name for name in METADATA_TYPES if self._table.find_column(name)} - {
            name.lower() for name in properties
        }
        return [name for name in METADATA_TYPES if name in wanted]

    def _warn_of_names(self, properties: Iterable[str]) -> None:
        for name in properties:
            column = self._names[name]
            if column != name and ("", name) not in self._stream.warned:
                self._stream.warned.add(("", name))
                logger.warning(
                    "Stream '%s': property '%s' is loaded into column '%s'.", self._stream.name, name, column
                )

    def _load(self, segment: Segment) -> None:
        self._read(segment)
        fitted = self._fitted_types(segment)
        self._table.ensure_columns({name: fit.type for name, fit, _ in fitted})
        types_, flattened = self._table.columns, self._table.flattened
        values = []
        for name, fit, position in fitted:
            is_present = segment.is_present_sql(segment.source_columns(segment.columns[position].name, flattened))
            key = segment.columns[position].name.lower() in self._key_names
            value = types.convert(_value_sql(segment, position, fit, key=key), fit.type, types_[name])
            if key and types_[name] == "VARCHAR":
                value = self._key_text_sql(segment.columns[position], f"s.c{position}", name)
            values.append(merge.Value(name, value, is_present))
        tap_values = {value.column: value.sql for value in values}
        values = [value for value in values if value.column not in {self._names[name] for name in self._metadata}]
        for name in self._metadata:
            column = self._names[name]
            value = f"CAST({_METADATA_SQL[name]} AS {types_[column]})"
            if column in tap_values:  # the tap's value takes precedence, except for the version
                candidates = (value, tap_values[column]) if name == TABLE_VERSION else (tap_values[column], value)
                value = f"coalesce({', '.join(candidates)})"
            values.append(merge.Value(column, value))
        if flattened:
            values += self._null_values(segment, {value.column for value in values})
        self._merge(values)

    def _key_text_sql(self, column: Column, spooled: str, name: str) -> str:
        """Returns SQL for the canonical text of a spooled value in a key column, for current and former types."""
        former_types = self._table.canonical_types_of(name, column.declared_type or column.type)
        return canonical_text_sql(types.convert(spooled, column.spool_type, "VARCHAR"), former_types)

    def _null_values(self, segment: Segment, own: set[str]) -> Iterator[merge.Value]:
        """Yields NULL for an object's column if the segment flattens it, and for its flattened columns if not."""
        properties = {column: name for name, column in (self._table.column_names | self._names).items()}
        for column, type_ in self._table.columns.items():
            if column in own:
                continue
            source_columns = segment.source_columns(properties.get(column, column), self._table.flattened)
            if source_columns:
                yield merge.Value(column, f"CAST(NULL AS {type_})", segment.is_present_sql(source_columns))

    def _merge(self, values: list[merge.Value]) -> None:
        """Merges the spooled rows into the table."""
        if self._table.keys:
            keys = [self._names[key] for key in self._table.keys]
            # False if two schemas in a batch use different columns as the key.
            if not {*keys} <= {value.column for value in values}:
                raise TargetError(self._key_error)
            # `_sdc_table_version` is a property of the tap, and no message has a version.
            if TABLE_VERSION in self._stream.declared_types and not self._stream.sends_versions:
                merge.upsert(self._connection, self._table, values, keys)
                return
            with versions.keep_newest_versions(self._connection, self._table, values, keys):
                merge.upsert(self._connection, self._table, values, keys)
        else:
            merge.append(self._connection, self._table, versions.fill_versions(self._connection, self._table, values))
        if self._hard_delete and DELETED_AT in self._metadata:
            deleted_at = quoted(self._names[DELETED_AT])
            self._connection.execute(f"DELETE FROM {self._table.sql} WHERE {deleted_at} IS NOT NULL")  # noqa: S608 - quoted names

    def _fitted_types(self, segment: Segment) -> list[tuple[str, TypeFit, int]]:
        """Returns table column, type that holds all values, and position in the segment, for each column."""
        result = []
        fitted = fit_types(self._connection, merge.SPOOL, segment.columns, self._key_names)
        for position, (column, fit) in enumerate(zip(segment.columns, fitted, strict=True)):
            name = self._names[column.name]
            wide = types.common_type(self._table.columns.get(name, fit.type), fit.type)
            if column.spool_format is SpoolFormat.NATIVE:
                result.append((name, TypeFit("JSON") if wide == "JSON" else fit, position))
                continue
            lossy = types.lossy_sql(value_sql(f"s.c{position}", fit.type), fit.type, wide)
            fits = no_row_matches(self._connection, f"{merge.SPOOL} AS s", lossy)
            # VARCHAR keeps empty strings.
            result.append(
                (name, fit if fits and not (fit.irregular and wide == "VARCHAR") else TypeFit("VARCHAR"), position)
            )
        return result

    def _read(self, segment: Segment) -> None:
        fields = ROW_FIELDS | {f"c{position}": column.spool_type for position, column in enumerate(segment.columns)}
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE _spool AS {segment.file.select(fields)}")

    def _activate(self, step: ActivateVersion) -> None:
        """Deletes rows of older versions, and rows without a version if the activated version is complete.

        A tap that sends ACTIVATE_VERSION before the rows may send changes only, so rows loaded without versions stay.
        Rows of the version before its activation, or of an older version in the table, prove a full read.
        """
        version, deleted_at = version_sql(quoted(self._names[TABLE_VERSION])), quoted(self._names[DELETED_AT])
        if step.needs_rows and no_row_matches(self._connection, self._table.sql, f"{version} = {step.version:d}"):
            return
        older = f"{version} < {step.version:d}"
        if step.after_rows or not no_row_matches(self._connection, self._table.sql, older):
            self._warn_of_rows_without_version(self._table)
            older = f"({version} IS NULL OR {older})"
        if self._hard_delete:
            self._connection.execute(f"DELETE FROM {self._table.sql} WHERE {older}")  # noqa: S608 - quoted names
        else:
            self._connection.execute(
                f"UPDATE {self._table.sql} SET {deleted_at} = now() WHERE {older} AND {deleted_at} IS NULL"  # noqa: S608 - quoted names
            )

    def _warn_of_rows_without_version(self, table: Table) -> None:
        """Warns of live rows without a version that the activation deletes."""
        version, deleted_at = table.find_column(TABLE_VERSION), table.find_column(DELETED_AT)
        live = [f"{version_sql(quoted(version))} IS NULL"] if version else []
        live += [f"{quoted(deleted_at)} IS NULL"] if deleted_at else []
        where = f" WHERE {' AND '.join(live)}" if live else ""
        rows = self._connection.execute(f"SELECT count(*) FROM {table.sql}{where}").fetchall()[0][0]  # noqa: S608 - quoted names
        if rows:
            logger.warning(
                "Stream '%s': %d unversioned rows are not in the activated version and are being deleted.",
                self._stream.name,
                rows,
            )


def _metadata_type(name: str, existing: str | None) -> str:
    """Returns the type of a metadata column: the existing type if it is wide enough."""
    own = METADATA_TYPES[name]
    return existing if existing in _WIDE_ENOUGH[own] else own


def _value_sql(segment: Segment, position: int, fit: TypeFit, *, key: bool) -> str:
    """Returns SQL that converts a spooled value to the type that its column needs."""
    column = segment.columns[position]
    if column.spool_format is SpoolFormat.NATIVE:
        return nested_values.value_sql(f"s.c{position}", column.type, fit.type)
    if fit.type == "VARCHAR" and column.type != fit.type:
        return text_sql(f"s.c{position}", column, key=key)
    return value_sql(f"s.c{position}", fit.type, irregular=fit.irregular, key=key)
