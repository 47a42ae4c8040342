"""Loads one batch of a stream into its table."""

from __future__ import annotations

import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING

from target_duckdb import merge, nested_values, types, versions
from target_duckdb.columns import DELETED_AT, METADATA_DESCRIPTIONS, METADATA_TYPES, TABLE_VERSION, SpoolFormat
from target_duckdb.database import no_row_matches, quote_identifier
from target_duckdb.errors import TargetError
from target_duckdb.names import assign_names
from target_duckdb.references import merge_references
from target_duckdb.runs import Counts, StreamBatch
from target_duckdb.segments import ROW_FIELDS, ActivateVersion, Segment
from target_duckdb.type_fit import TypeFit, canonical_text_sql, fit_types, text_sql, timestamp_sql, value_sql
from target_duckdb.versions import version_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb

    from target_duckdb.columns import Column
    from target_duckdb.streams import Stream
    from target_duckdb.table import Table
    from target_duckdb.tables import Tables

logger = logging.getLogger("target-duckdb")

_RECEIVED_AT = "make_timestamptz(s.received)"
_EXTRACTED_AT = "_sdc_extracted_at"
_METADATA_SQL = {
    _EXTRACTED_AT: timestamp_sql("s.extracted"),
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


class StreamLoad:
    """Loads one batch of a stream into its table. Upserts rows."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, tables: Tables, stream: Stream, *, hard_delete: bool
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._stream = stream
        self._hard_delete = hard_delete
        self.counts = Counts()
        self._columns: set[str] = set()

    @property
    def stream_name(self) -> str:
        """The stream's name."""
        return self._stream.name

    @property
    def main_table(self) -> Table:
        """The stream's table."""
        return self._table

    @cached_property
    def result(self) -> StreamBatch:
        """The result of the batch for the stream. Complete after `run`."""
        return StreamBatch(
            self.table_name,
            self.counts,
            frozenset(self._stream.source_streams),
            frozenset(self._columns),
            is_new=self._is_new,
            is_activated=any(isinstance(step, ActivateVersion) and step.after_rows for step in self._stream.steps),
        )

    @property
    def table_name(self) -> str:
        """The name of the stream's table."""
        return self.main_table.name

    def run(self) -> None:
        """Creates the table and runs the stream's steps in order."""
        started = time.perf_counter()
        self._run_steps()
        self.counts.seconds = time.perf_counter() - started

    def _run_steps(self) -> None:
        self._use_table(self._open_table())
        for step in self._stream.steps:
            if isinstance(step, ActivateVersion):
                self._activate_version(step)
            else:
                self._load_segment(step)

    def _open_table(self) -> Table:
        """Opens the stream's table.

        Raises:
            TargetError: If its rows were loaded with another privacy profile or key.
        """
        table = self._tables.open_table(self._stream.name, self._stream.keys)
        self._is_new = not table.columns
        if not self._is_new and table.privacy != self._stream.privacy:
            raise TargetError(
                f"Table '{table.name}' was loaded with another privacy profile or key than this run's, so its rows may "
                "hold values that this profile withholds. Load into a new file or schema."
            )
        return table

    def _use_table(self, table: Table) -> None:
        """Selects the table to load into and adds the columns that the stream needs."""
        stream = self._stream
        self._table = table
        table.privacy = stream.privacy
        table.references = tuple(merge_references(table.references or (), stream.references))
        schemas = [*(names for segment in stream.segments for names in segment.schemas), [*stream.declared_types]]
        properties = dict.fromkeys(name for names in schemas for name in names)
        self._metadata = self._find_metadata_columns(properties)
        own = [name for name in properties if name not in self._metadata]
        schemas = [[*self._metadata, *names] for names in schemas]
        self._names = assign_names([*self._metadata, *own], table.columns, table.generated, table.column_names, schemas)
        for recorded, key in zip(table.recorded_keys, table.keys, strict=True) if table.recorded_keys else ():
            if table.columns and table.find_column(recorded) != self._names[key]:
                raise TargetError(self._key_error)
        self._warn_of_names(own)
        self._columns |= {self._names[name] for name in own}
        table.save_column_names(self._names, stream.flattened_objects)
        self._table.ensure_columns(
            {self._names[name]: type_ for name, type_ in stream.declared_types.items() if name in own}
            | {self._names[name]: _metadata_type(name, table.columns.get(self._names[name])) for name in self._metadata}
        )
        table.write_comments(
            {"": stream.descriptions.get(None)}
            | {self._names[name]: METADATA_DESCRIPTIONS[name] for name in self._metadata}
            | {self._names[name]: text for name, text in stream.descriptions.items() if name in own}
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

    def _find_metadata_columns(self, properties: Iterable[str]) -> list[str]:
        """Returns the metadata columns to fill: the required ones, and the ones that the table already has."""
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

    def _load_segment(self, segment: Segment) -> None:
        self._read_segment(segment)
        if self._tables.forgotten is not None:
            self.counts.left_out += self._tables.forgotten.leave_out(segment, self._stream, self._tables.notes)
        fitted = self._fit_types(segment)
        self._table.ensure_columns({name: fit.type for name, fit, _ in fitted})
        types_, flattened = self._table.columns, self._table.flattened
        values = []
        for name, fit, position in fitted:
            is_present = segment.is_present_sql(segment.find_source_columns(segment.columns[position].name, flattened))
            key = segment.columns[position].name.lower() in self._key_names
            value = types.convert_sql(_value_sql(segment, position, fit, key=key), fit.type, types_[name])
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
            values += self._make_null_values(segment, {value.column for value in values})
        marks = (0, 0)
        if segment.has_deletion_marks:
            self._drop_unmatched_marks(segment, values)
            marks = merge.count_marks(self._connection, self._table, values, self._key_columns)
        self.counts.received += segment.rows
        self.counts.add_merged(self._merge_rows(values), marks)
        if self._hard_delete and DELETED_AT in self._metadata:
            self._delete_rows(f"{quote_identifier(self._names[DELETED_AT])} IS NOT NULL")
        else:
            self.counts.deleted += marks[0]

    def _drop_unmatched_marks(self, segment: Segment, values: list[merge.Value]) -> None:
        """Leaves out deletion marks of rows that were never loaded."""
        keys = self._key_columns if self._table.keys else []
        if not keys or not {*keys} <= {value.column for value in values}:
            return
        names = self._key_names.union(METADATA_TYPES)
        others = [position for position, column in enumerate(segment.columns) if column.name.lower() not in names]
        if not others:  # a mark is a whole row
            return
        dropped = merge.drop_unmatched_marks(self._connection, self._table, values, keys, others)
        if dropped:
            logger.info("Stream '%s': deletion marks without a row in the table: %d.", self.stream_name, dropped)

    def _delete_rows(self, condition: str) -> None:
        deleted = self._connection.execute(f"DELETE FROM {self._table.sql} WHERE {condition}")  # noqa: S608 - quoted names
        self.counts.deleted += deleted.fetchall()[0][0]

    def _key_text_sql(self, column: Column, spooled: str, name: str) -> str:
        """Returns SQL for the canonical text of a spooled value in a key column, for current and former types."""
        former_types = self._table.find_canonical_types(name, column.declared_type or column.type)
        return canonical_text_sql(types.convert_sql(spooled, column.spool_type, "VARCHAR"), former_types)

    def _make_null_values(self, segment: Segment, own: set[str]) -> Iterator[merge.Value]:
        """Yields NULL for an object's column if the segment flattens it, and for its flattened columns if not."""
        properties = {column: name for name, column in (self._table.column_names | self._names).items()}
        for column, type_ in self._table.columns.items():
            if column in own:
                continue
            source_columns = segment.find_source_columns(properties.get(column, column), self._table.flattened)
            if source_columns:
                yield merge.Value(column, f"CAST(NULL AS {type_})", segment.is_present_sql(source_columns))

    @property
    def _key_columns(self) -> list[str]:
        return [self._names[key] for key in self._table.keys]

    def _merge_rows(self, values: list[merge.Value]) -> tuple[int, int]:
        """Merges the spooled rows into the table. Returns how many were inserted, and how many rows they replaced."""
        if not self._table.keys:
            values = versions.fill_missing_versions(self._connection, self._table, values)
            return merge.append_rows(self._connection, self._table, values), 0
        keys = self._key_columns
        # False if two schemas in a batch use different columns as the key.
        if not {*keys} <= {value.column for value in values}:
            raise TargetError(self._key_error)
        # `_sdc_table_version` is a property of the tap, and no message has a version.
        if TABLE_VERSION in self._stream.declared_types and not self._stream.sends_versions:
            return merge.upsert_rows(self._connection, self._table, values, keys)
        with versions.keep_newest_versions(self._connection, self._table, values, keys):
            return merge.upsert_rows(self._connection, self._table, values, keys)

    def _fit_types(self, segment: Segment) -> list[tuple[str, TypeFit, int]]:
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

    def _read_segment(self, segment: Segment) -> None:
        fields = ROW_FIELDS | {f"c{position}": column.spool_type for position, column in enumerate(segment.columns)}
        if _EXTRACTED_AT not in self._metadata:
            del fields["extracted"]
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE _spool AS {segment.file.select_sql(fields)}")

    def _activate_version(self, step: ActivateVersion) -> None:
        """Deletes rows of older versions, and rows without a version if the activated version is complete.

        A tap that sends ACTIVATE_VERSION before the rows may send changes only, so rows loaded without versions stay.
        Rows of the version before its activation, or of an older version in the table, prove a full read.
        """
        version, deleted_at = (
            version_sql(quote_identifier(self._names[TABLE_VERSION])),
            quote_identifier(self._names[DELETED_AT]),
        )
        if step.needs_rows and no_row_matches(self._connection, self._table.sql, f"{version} = {step.version:d}"):
            return
        older = f"{version} < {step.version:d}"
        if step.after_rows or not no_row_matches(self._connection, self._table.sql, older):
            self._warn_of_rows_without_version(self._table)
            older = f"({version} IS NULL OR {older})"
        if self._hard_delete:
            self._delete_rows(older)
        else:
            marked = self._connection.execute(
                f"UPDATE {self._table.sql} SET {deleted_at} = now() WHERE {older} AND {deleted_at} IS NULL"  # noqa: S608 - quoted names
            )
            self.counts.deleted += marked.fetchall()[0][0]

    def _warn_of_rows_without_version(self, table: Table) -> None:
        """Warns of live rows without a version that the activation deletes."""
        version, deleted_at = table.find_column(TABLE_VERSION), table.find_column(DELETED_AT)
        live = [f"{version_sql(quote_identifier(version))} IS NULL"] if version else []
        live += [f"{quote_identifier(deleted_at)} IS NULL"] if deleted_at else []
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
