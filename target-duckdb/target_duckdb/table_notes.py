"""Facts about tables that the target stores, because later runs cannot tell them from the tables themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_duckdb.own_tables import TABLES
from target_duckdb.references import Reference, parse_references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb


@dataclass(frozen=True)
class TableNote:
    """A row of `_tables`.

    Attributes:
        stream: The stream that is loaded into the table.
        keys: The stream's key properties.
        staging: Whether it is a staging table, whose version is not activated yet.
        version: The version of its rows, if the table was overwritten.
        column_names: Columns by property, where the names differ.
        flattened: Lower-case names of the objects that have, or once had, flattened columns.
        former_key_types: Former types of key columns that are text now.
        sent_columns: The columns that the tap sent in the last complete run.
        fragment_since: The bookmark from which the table was first filled, if older rows are missing.
        comments: The comments that the target wrote, by column. That of the table has an empty name.
        privacy: The privacy profile of the rows, and the key of their pseudonyms.
        references: What the tap says of the values. None: an earlier version loaded the table.
    """

    stream: str
    keys: tuple[str, ...]
    staging: bool = False
    version: int | None = None
    column_names: Mapping[str, str] = field(default_factory=dict)
    flattened: frozenset[str] = frozenset()
    former_key_types: Mapping[str, list[str]] = field(default_factory=dict)
    sent_columns: frozenset[str] = frozenset()
    fragment_since: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    privacy: str | None = None
    references: tuple[Reference, ...] | None = None


@dataclass(frozen=True)
class SchemaChange:
    """A change to a table.

    Attributes:
        table: The table.
        change: What changed, such as "column added".
        column: The column, None if the table itself changed.
        old_type: Its type before.
        new_type: Its type afterwards.
    """

    table: str
    change: str
    column: str | None = None
    old_type: str | None = None
    new_type: str | None = None


def read_notes(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, TableNote]:
    """Returns the notes in a table `_tables`, by the name of the table that they are about.

    Args:
        connection: A connection in a transaction.
        table: The full name of `_tables`, quoted.
    """
    rows = connection.execute(f"SELECT {', '.join(TABLES.columns)} FROM {table}").fetchall()  # noqa: S608 - quoted names
    return {
        name: TableNote(
            stream,
            tuple(keys or ()),
            staging=bool(staging),
            version=version,
            column_names=_parse_object(column_names),
            flattened=frozenset(flattened or ()),
            former_key_types=_parse_object(former_key_types),
            sent_columns=frozenset(sent_columns or ()),
            fragment_since=fragment_since,
            comments=_parse_object(comments),
            privacy=privacy,
            references=_parse_protection(protection),
        )
        for (
            name,
            stream,
            staging,
            keys,
            version,
            column_names,
            flattened,
            former_key_types,
            sent_columns,
            fragment_since,
            comments,
            privacy,
            protection,
        ) in rows
    }


def write_notes(
    connection: duckdb.DuckDBPyConnection, table: str, notes: Mapping[str, TableNote], removed: Iterable[str]
) -> None:
    """Writes notes to a table `_tables`.

    Args:
        connection: A connection in a transaction.
        table: The full name of `_tables`, quoted.
        notes: New and changed notes, by the name of the table that they are about.
        removed: The names of tables whose notes are removed.
    """
    connection.execute(f"DELETE FROM {table} WHERE list_contains(?, table_name)", [[*notes, *removed]])  # noqa: S608 - quoted names
    if not notes:
        return
    values: list[Any] = []
    for name, note in notes.items():
        values += [
            name,
            note.stream,
            note.staging,
            list(note.keys),
            note.version,
            json.dumps(note.column_names, ensure_ascii=False),
            sorted(note.flattened),
            json.dumps(note.former_key_types, ensure_ascii=False),
            sorted(note.sent_columns),
            note.fragment_since,
            json.dumps(note.comments, ensure_ascii=False),
            note.privacy,
            None if note.references is None else json.dumps([item.to_json() for item in note.references]),
        ]
    row = f"({', '.join('?' * len(TABLES.columns))})"
    connection.execute(
        f"INSERT INTO {table} ({', '.join(TABLES.columns)}) VALUES {', '.join([row] * len(notes))}",  # noqa: S608 - quoted names
        values,
    )


def parse_comment(comment: str | None) -> TableNote | None:
    """Parses a table's comment in which versions before `_tables` kept the note. None for any other comment."""
    note = _parse_object(comment)
    keys, staged = note.get("key_properties"), note.get("singer_aside")
    stream = note.get("singer_stream", staged)
    if not isinstance(keys, list) or not isinstance(stream, str):
        return None
    version, flattened = note.get("version"), note.get("apart")
    return TableNote(
        stream,
        tuple(map(str, keys)),
        staging=staged is not None,
        version=version if isinstance(version, int) else None,
        column_names=_parse_object(note.get("columns")),
        flattened=frozenset(map(str, flattened)) if isinstance(flattened, list) else frozenset(),
        former_key_types=_parse_object(note.get("former_types")),
    )


def _parse_protection(value: str | None) -> tuple[Reference, ...] | None:
    found = parse_references(json.loads(value)) if value else None
    return None if found is None else tuple(found)


def _parse_object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a user may have edited it
    """Returns a JSON object, given as text or already parsed. Empty if it is anything else."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
