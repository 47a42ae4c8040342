"""The loader's own tables, which exist in addition to the tables of the streams."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from target_duckdb import types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class OwnTable:
    """A table that the target creates for itself.

    Attributes:
        name: Its name. If a table of the user's has it, the name gets a suffix.
        description: Its comment.
        columns: The type and the comment of each column.
        added: The columns that files of earlier versions lack. They are added.
    """

    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    added: frozenset[str] = frozenset()

    @property
    def types(self) -> dict[str, str]:
        """The type of each column."""
        return {name: type_ for name, (type_, _) in self.columns.items()}

    def create_sql(self, sql: str) -> Iterator[str]:
        """Yields the statements that create the table with its comments, under a full name, quoted."""
        columns = ", ".join(f"{column} {type_}" for column, type_ in self.types.items())
        yield f"CREATE TABLE {sql} ({columns})"
        yield f"COMMENT ON TABLE {sql} IS {_quote(self.description)}"
        for column, (_, description) in self.columns.items():
            yield f"COMMENT ON COLUMN {sql}.{column} IS {_quote(description)}"

    def is_name(self, name: str) -> bool:
        """Whether a table may be this one by its name."""
        return re.fullmatch(rf"{self.name}(_\d+)?", name) is not None


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


STATE = OwnTable(
    "_singer_state",
    "One row per `state_id`: the state that was committed with the rows.",
    {
        "state_id": ("VARCHAR", "The setting `state_id`, by default the name of the schema."),
        "state": ("VARCHAR", "The state as JSON."),
        "committed_at": ("TIMESTAMPTZ", "When it was committed."),
    },
)
REJECTED = OwnTable(
    "_rejected",
    "One row per record that could not be loaded.",
    {
        "stream": ("VARCHAR", "The stream of the record."),
        "record": ("JSON", "The record, as a JSON string if it is not valid JSON."),
        "reason": ("VARCHAR", "Why it could not be loaded."),
        "received": ("TIMESTAMPTZ", "When it was received."),
    },
)
TABLES = OwnTable(
    "_tables",
    "One row per table of a stream: what the loader has to know of it in later runs.",
    {
        "table_name": ("VARCHAR", "The table."),
        "stream": ("VARCHAR", "The stream that is loaded into it."),
        "is_staging": ("BOOLEAN", "Whether it holds the rows of a version that is not activated yet."),
        "key_properties": ("VARCHAR[]", "The properties that identify a row."),
        "version": ("BIGINT", "The version of its rows, if the table was overwritten."),
        "column_names": ("JSON", "Columns by property, where their names differ."),
        "flattened": ("VARCHAR[]", "The objects that have, or once had, flattened columns, in lower case."),
        "former_key_types": ("JSON", "Former types of key columns that are text now, by column."),
        "sent_columns": ("VARCHAR[]", "The columns that the tap sent in the last complete run."),
        "fragment_since": ("VARCHAR", "Set if the table lacks the rows that have not changed since this bookmark."),
        "comments": ("JSON", "The comments that the loader wrote, by column; that of the table has an empty name."),
        "privacy": ("VARCHAR", "The privacy profile of the rows, and the key of their pseudonyms. Empty: none."),
        "protection": ("JSON", "The protection classes of the values, and the people that they refer to."),
    },
    added=frozenset({"privacy", "protection"}),
)
RUNS = OwnTable(
    "_runs",
    "One row per run of the loader.",
    {
        "run_id": ("VARCHAR", "Identifies the run."),
        "state_id": ("VARCHAR", "The setting `state_id`, by default the name of the schema."),
        "status": ("VARCHAR", "`succeeded`, `failed`, `stopped` by a signal, or `unfinished`: running, or killed."),
        "started_at": ("TIMESTAMPTZ", "When it started."),
        "ended_at": ("TIMESTAMPTZ", "When it ended. Empty while it is unfinished."),
        "error": ("VARCHAR", "Why it failed or was stopped."),
    },
)
RUN_STREAMS = OwnTable(
    "_run_streams",
    "One row per run and stream: what is committed of it.",
    {
        "run_id": ("VARCHAR", "The run."),
        "stream": ("VARCHAR", "The stream, after stream maps."),
        "table_name": ("VARCHAR", "Its table."),
        "received": ("BIGINT", "The records that were received."),
        "inserted": ("BIGINT", "The rows that were added."),
        "changed": ("BIGINT", "The rows that replaced a row with the same key, also if no value differs."),
        "deleted": ("BIGINT", "The rows that were removed, or marked as deleted."),
        "rejected": ("BIGINT", "The records that could not be loaded."),
        "seconds": ("DOUBLE", "The time that loading the rows took."),
        "bookmark_before": ("VARCHAR", "Where the tap began. Empty if its first STATE followed records of the stream."),
        "bookmark_after": ("VARCHAR", "The bookmark in the last state that was committed."),
    },
)
FORGOTTEN = OwnTable(
    "_forgotten",
    "One row per identifier of a person who was erased. Loads leave out what refers to them.",
    {
        "mark": ("VARCHAR", "The keyed hash of the identifier."),
        "key_check": ("VARCHAR", "Tells whether a key is the one of the hash."),
        "forgotten_at": ("TIMESTAMPTZ", "When the person was erased."),
    },
)
PERSON_COLUMNS = OwnTable(
    "_person_columns",
    "One row per column with identifiers of people, of tables that are not loaded, such as those of the HR models.",
    {
        "table_schema": ("VARCHAR", "The schema of the table."),
        "table_name": ("VARCHAR", "The table."),
        "column_name": ("VARCHAR", "The column. Empty: the table has columns of `raw_table`."),
        "raw_schema": ("VARCHAR", "The schema of the loaded tables to which the identifiers belong."),
        "raw_table": ("VARCHAR", "The loaded table whose columns the table has."),
        "space": ("VARCHAR", "The kind of id, such as `employee`."),
        "form": ("VARCHAR", "`id`, `email` or `name`."),
        "is_mention": ("BOOLEAN", "Whether a row only mentions the person. Otherwise it is about them."),
        "when_column": ("VARCHAR", "The column that tells whether the values belong to `raw_schema`."),
        "when_value": ("VARCHAR", "Its value if they do."),
    },
)
SCHEMA_CHANGES = OwnTable(
    "_schema_changes",
    "One row per change of a table by the loader.",
    {
        "table_name": ("VARCHAR", "The table."),
        "column_name": ("VARCHAR", "The column. Empty if the table itself changed."),
        "change": (
            "VARCHAR",
            "`table created`, `table replaced`, `column added`, `column widened` or `column no longer sent`.",
        ),
        "old_type": ("VARCHAR", "The type of the column before."),
        "new_type": ("VARCHAR", "Its type afterwards."),
        "changed_at": ("TIMESTAMPTZ", "When it changed."),
        "run_id": ("VARCHAR", "The run that changed it."),
    },
)
OWN_TABLES = (TABLES, REJECTED, FORGOTTEN, RUNS, RUN_STREAMS, SCHEMA_CHANGES)


def is_own(connection: duckdb.DuckDBPyConnection, sql: str, table: OwnTable) -> bool:
    """Whether one of the target's own tables exists under its full name, quoted."""
    try:
        found = connection.execute(f"DESCRIBE {sql}").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return False
    return table.types.items() <= {name: types.LONG_NAMES.get(type_, type_) for name, type_, *_ in found}.items()
