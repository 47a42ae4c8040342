"""Leaves out of a load the people who were erased, by the marks in the table `_forgotten`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_duckdb import merge, nested_types
from target_duckdb.columns import SpoolFormat
from target_duckdb.database import quote_identifier, quote_literal
from target_duckdb.errors import TargetError
from target_duckdb.own_tables import FORGOTTEN, is_own
from target_duckdb.people import (
    Located,
    any_sql,
    find_attached_names,
    locate_rejected,
    remove_mentions,
    split_places,
    when_sql,
)
from target_duckdb.references import ITEMS, ROW
from target_duckdb.tombstones import check_key, read_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import duckdb

    from target_duckdb.columns import Column
    from target_duckdb.nested_types import Tree
    from target_duckdb.segments import Segment
    from target_duckdb.streams import Stream
    from target_duckdb.table_notes import TableNote
    from target_duckdb.tombstones import Marker

_MARKS = "temp.main._marks"


@dataclass
class Forgotten:
    """The people who were erased, for one transaction.

    Attributes:
        connection: A connection in the transaction.
        table: The full name of the table `_forgotten`, quoted.
        schema: The schema that is loaded into.
        marker: Computes marks.
        marks: The marks of the people.
    """

    connection: duckdb.DuckDBPyConnection
    table: str
    schema: str
    marker: Marker
    marks: set[str] = field(default_factory=set)

    def match_sql(self, space: str, value: str) -> str:
        """Returns SQL for whether a text is an identifier of one of them."""
        return f"coalesce(mark({quote_literal(space)}, {value}) IN (SELECT mark FROM {_MARKS}), false)"  # noqa: S608 - own name

    def match_any_sql(self, space: str, values: str) -> str:
        """Returns SQL for whether any of a list of texts is."""
        marks = f"list_transform({values}, lambda x: mark({quote_literal(space)}, x))"
        return f"coalesce(list_has_any({marks}, (SELECT list(mark) FROM {_MARKS})), false)"  # noqa: S608 - own name

    def matches(self, space: str, value: str) -> bool:
        """Whether a text is."""
        return self.marker.mark(space, value) in self.marks

    def leave_out(self, segment: Segment, stream: Stream, notes: Iterable[TableNote]) -> int:
        """Removes the rows about them from the spool, and the mentions of them.

        Args:
            segment: The segment that was read into the spool.
            stream: Its stream.
            notes: What is known of the tables.

        Returns:
            How many rows were removed.
        """
        places = _locate_spooled(segment, stream, self.schema)
        about, mentions = split_places(places)
        removed = 0
        if about:
            condition = any_sql(item.match_sql(self) for item in about)
            if stream.name in _find_parents(notes, stream) and len(stream.keys) == 1:
                self._add_rows(segment, stream, condition)
            deleted = self.connection.execute(f"DELETE FROM {merge.SPOOL} AS s WHERE {condition}")  # noqa: S608 - own name
            removed = int(deleted.fetchall()[0][0])
        for item in mentions:
            self._remove_mention(item, places, segment)
        return removed

    def rejected_sql(self, notes: Iterable[TableNote], record: str, stream: str) -> str:
        """Returns SQL for whether a rejected record refers to one of them.

        Args:
            notes: What is known of the tables.
            record: The record as JSON in SQL.
            stream: Its stream in SQL.
        """
        conditions = []
        for note in notes:
            for reference in note.references or ():
                if reference.form:
                    is_of_stream = f"{stream} = {quote_literal(note.stream)}"
                    place = locate_rejected(reference, self.schema, record, is_of_stream)
                    conditions.append(place.match_sql(self))
        return any_sql(conditions)

    def _add_rows(self, segment: Segment, stream: Stream, condition: str) -> None:
        """Adds marks of rows that are removed, so that the rows that belong to them are, too."""
        place = next(n for n, column in enumerate(segment.columns) if column.name == stream.keys[0])
        space = quote_literal(f"{self.schema}/row/{stream.name}")
        rows = self.connection.execute(
            f"SELECT DISTINCT mark({space}, CAST(s.c{place} AS VARCHAR)) FROM {merge.SPOOL} AS s WHERE {condition}"  # noqa: S608 - own name
        ).fetchall()
        new = sorted({mark for (mark,) in rows} - self.marks)
        if new:
            self.marks |= set(new)
            self.connection.execute(f"INSERT INTO {_MARKS} SELECT unnest(?)", [new])
            self.connection.execute(
                f"INSERT INTO {self.table} SELECT unnest(?), ?, now()",
                [new, self.marker.key_check],
            )

    def _remove_mention(self, item: Located, places: Sequence[Located], segment: Segment) -> None:
        condition = item.match_sql(self)
        if not item.is_nested:
            attached = find_attached_names(item, places)
            columns = dict.fromkeys((item, *attached))
            assignments = ", ".join(f"{other.sql.removeprefix('s.')} = NULL" for other in columns)
            self.connection.execute(f"UPDATE {merge.SPOOL} AS s SET {assignments} WHERE {condition}")  # noqa: S608 - own name
            return
        column = segment.columns[int(item.sql.removeprefix("s.c"))]
        is_native = column.spool_format is SpoolFormat.NATIVE
        texts = f"struct_extract({item.sql}, 't'), to_json(struct_extract({item.sql}, 'v'))" if is_native else item.sql
        rows = self.connection.execute(
            f"SELECT s.rowid, {texts} FROM {merge.SPOOL} AS s WHERE {condition}"  # noqa: S608 - own name
        ).fetchall()
        path = item.reference.path[1:]
        test = self._make_test(item.space)
        name = item.sql.removeprefix("s.")
        for row_id, text, *parsed in rows:
            left = remove_mentions(str(text).encode(), path, test)
            new = None if left is None else left.decode()
            value = "CAST(? AS VARCHAR)"
            values: list[object] = [new]
            if is_native:
                keys = list(_spool_names(nested_types.parse_type(column.type), path))
                inner = remove_mentions(str(parsed[0]).encode(), path, test, keys)
                both = None if new is None or inner is None else f'{{"t": {json.dumps(new)}, "v": {inner.decode()}}}'
                value, values = f"CAST(CAST(? AS JSON) AS {column.spool_type})", [both]
            update = f"UPDATE {merge.SPOOL} AS s SET {name} = {value} WHERE s.rowid = ?"  # noqa: S608 - own names
            self.connection.execute(update, [*values, row_id])

    def _make_test(self, space: str) -> Callable[[str], bool]:
        return lambda value: self.matches(space, value)


def open_forgotten(
    connection: duckdb.DuckDBPyConnection, catalog: str, schema: str, key_file: str | None
) -> Forgotten | None:
    """Reads the marks of the people who were erased. None: there are none.

    Args:
        connection: A connection in a transaction.
        catalog: The database's name. It has the table `_forgotten`.
        schema: The schema that is loaded into.
        key_file: The file with the key.

    Raises:
        TargetError: There is no key, or it is not the one of the marks.
    """
    table = ".".join(map(quote_identifier, (catalog, "main", FORGOTTEN.name)))
    if not is_own(connection, table, FORGOTTEN):
        return None
    rows = connection.execute(f"SELECT mark, key_check FROM {table}").fetchall()  # noqa: S608 - quoted names
    if not rows:
        return None
    if not key_file:
        raise TargetError(
            "The DuckDB file has marks of people who were removed by `forget`, and the setting `tombstone_key_file` is"
            " missing: set it to the file with their key, so that this load does not bring them back."
        )
    marker = read_key(key_file)
    check_key(marker, {check for _, check in rows})
    marker.create_macro(connection)
    marks = {mark for mark, _ in rows}
    connection.execute("CREATE OR REPLACE TEMP TABLE _marks AS SELECT unnest(?) AS mark", [sorted(marks)])
    return Forgotten(connection, table, schema, marker, marks)


def _find_parents(notes: Iterable[TableNote], stream: Stream) -> set[str]:
    """Returns the streams whose rows other rows belong to."""
    references = [item for note in notes for item in note.references or ()]
    return {item.stream for item in (*references, *stream.references) if item.form == ROW}


def _locate_spooled(segment: Segment, stream: Stream, schema: str) -> list[Located]:
    """Returns where the rows of the spool refer to people."""
    places = {column.name: n for n, column in enumerate(segment.columns)}
    found = []
    for reference in stream.references:
        place = places.get(reference.path[0])
        if place is None or not reference.form:
            continue
        sql = f"s.c{place}"
        when = None
        if reference.when:
            other = places.get(reference.when[0])
            when = "false" if other is None else when_sql(f"s.c{other}", reference.when[1])
        in_key = reference.path[0] in stream.keys
        as_json = _spooled_json_sql(segment.columns[place], sql)
        found.append(Located(reference, schema, reference.path[0], sql, as_json, when, in_key=in_key))
    return found


def _spooled_json_sql(column: Column, sql: str) -> str:
    if column.spool_format is SpoolFormat.NATIVE:
        return f"TRY_CAST(struct_extract({sql}, 't') AS JSON)"
    return f"TRY_CAST({sql} AS JSON)" if column.spool_type == "VARCHAR" else "CAST(NULL AS JSON)"


def _spool_names(tree: Tree, path: Sequence[str]) -> Iterable[str]:
    """Yields the names in the spool format of a nested value that lead along a path."""
    for name in path:
        if name == ITEMS:
            tree = tree.item if isinstance(tree, nested_types.List) else tree
            yield ITEMS
            continue
        fields = tree.fields if isinstance(tree, nested_types.Struct) else ()
        place = next((n for n, (field_name, _) in enumerate(fields) if field_name == name), None)
        yield name if place is None else f"f{place}"
        tree = fields[place][1] if place is not None else ""
