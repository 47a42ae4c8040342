"""A table of a stream: created, described and widened, never narrowed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from target_duckdb import types
from target_duckdb.database import no_row_matches, quote_identifier, quote_literal
from target_duckdb.errors import TargetError
from target_duckdb.table_notes import SchemaChange, TableNote
from target_duckdb.type_fit import canonical_text_sql, has_canonical_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_duckdb.references import Reference

logger = logging.getLogger("target-duckdb")

_TABLE = ""  # stands for the table itself among the names of its columns
# DuckDB has no way to set several comments at once, and copies the table's definition for each comment of a column:
# 0.6 s and 70 MB with 500 columns, 5 s and 650 MB with 1,500.
_MAX_DESCRIBED_COLUMNS = 500


@dataclass
class Table:
    """A table in the database.

    Attributes:
        connection: A connection in a transaction.
        stream: The stream that it holds.
        sql: Its full name, quoted.
        keys: The stream's key properties.
        name: Its name.
        recorded_keys: The key properties recorded in the database. They differ from `keys` in case only.
        columns: Types by column name, except generated columns. Empty if the table does not exist yet.
        generated: Names of generated columns.
        column_defaults: SQL of column defaults, by column name.
        version: The version of its rows, if the table was overwritten.
        staging: Whether it is a staging table, whose version is not activated yet.
        column_names: Columns by property, where the names differ.
        flattened: Lower-case names of the objects that have, or once had, flattened columns.
        former_key_types: Former types of key columns that are text now, in which each value has one canonical text.
        sent_columns: The columns that the tap sent in the last complete run.
        privacy: The privacy profile of its rows, and the key of their pseudonyms.
        references: What the tap says of its values. None: an earlier version loaded it.
        fragment_since: The bookmark from which the table was first filled, if older rows are missing.
        comments: The comments in the database, by column. That of the table has an empty name.
        written_comments: The comments that this target wrote last. Others are the user's and are kept.
        changes: The list to which changes to the table are added.
        is_empty: Whether it was created in this transaction and has no rows yet.
    """

    connection: duckdb.DuckDBPyConnection
    stream: str
    sql: str
    keys: tuple[str, ...]
    name: str
    recorded_keys: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    generated: frozenset[str] = frozenset()
    column_defaults: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    staging: bool = False
    column_names: dict[str, str] = field(default_factory=dict)
    flattened: frozenset[str] = frozenset()
    former_key_types: dict[str, list[str]] = field(default_factory=dict)
    sent_columns: frozenset[str] = frozenset()
    privacy: str | None = None
    references: tuple[Reference, ...] | None = None
    fragment_since: str | None = None
    comments: dict[str, str] = field(default_factory=dict)
    written_comments: dict[str, str] = field(default_factory=dict)
    changes: list[SchemaChange] = field(default_factory=list)
    is_empty: bool = False

    @property
    def note(self) -> TableNote:
        """The facts about the table that later runs need, such as its key, because the table has no PRIMARY KEY."""
        return TableNote(
            self.stream,
            self.recorded_keys or self.keys,
            staging=self.staging,
            version=self.version,
            column_names=self.column_names,
            flattened=self.flattened,
            former_key_types=self.former_key_types,
            sent_columns=self.sent_columns,
            fragment_since=self.fragment_since,
            comments=self.written_comments,
            privacy=self.privacy,
            references=self.references,
        )

    def write_comments(self, descriptions: Mapping[str, str | None]) -> None:
        """Writes comments, except where the user has set or removed one.

        Args:
            descriptions: Comments by column, that of the table with an empty name. None removes the target's comment.
        """
        many = len(self.columns) > _MAX_DESCRIBED_COLUMNS
        due = {
            name: text
            for name, text in descriptions.items()
            if self.comments.get(name) == self.written_comments.get(name) != text and (name == _TABLE or not many)
        }
        for name, text in due.items():
            self.write_comment(name, text)
        self.written_comments = _replace_comments(self.written_comments, due)

    def write_comment(self, name: str, text: str | None) -> None:
        """Sets or removes the comment of a column, or of the table if the name is empty."""
        place = f"COLUMN {self.sql}.{quote_identifier(name)}" if name != _TABLE else f"TABLE {self.sql}"
        self.connection.execute(f"COMMENT ON {place} IS {quote_literal(text) if text else 'NULL'}")
        self.comments = _replace_comments(self.comments, {name: text})

    def find_column(self, name: str) -> str | None:
        """Returns the column of a property, None if there is none. Ignores case."""
        name = self.column_names.get(name, name)
        return next((column for column in self.columns if column.lower() == name.lower()), None)

    def save_column_names(self, names: Mapping[str, str], flattened: Iterable[str]) -> None:
        """Records what later runs cannot tell from the column names.

        Args:
            names: Columns by property.
            flattened: Names of objects that have flattened columns.
        """
        self.column_names = self.column_names | {name: column for name, column in names.items() if name != column}
        self.flattened |= {name.lower() for name in flattened}

    def find_canonical_types(self, column: str, type_: str) -> list[str]:
        """Returns the types whose values get a canonical text in a text key column, so that equal keys stay equal.

        Adds and records the type, unless the column already holds values of that type as other text.
        """
        known = self.former_key_types.get(column, [])
        if type_ not in known and has_canonical_text(type_):
            differs = f"{quote_identifier(column)} <> {canonical_text_sql(quote_identifier(column), [*known, type_])}"
            if self.is_empty or no_row_matches(self.connection, self.sql, differs):
                self._save_former_type(column, type_)
        return self.former_key_types.get(column, known)

    def _save_former_type(self, column: str, type_: str) -> None:
        self.former_key_types = {**self.former_key_types, column: [*self.former_key_types.get(column, []), type_]}

    def ensure_columns(self, wanted: Mapping[str, str]) -> None:
        """Creates the table, adds missing columns, and widens columns that are too narrow.

        Args:
            wanted: Types by column name.

        Raises:
            TargetError: A view has the table's name, or an index or a constraint prevents widening.
        """
        if not self.columns:
            columns = ", ".join(f"{quote_identifier(name)} {type_}" for name, type_ in wanted.items())
            try:
                self.connection.execute(f"CREATE TABLE {self.sql} ({columns})")
            except duckdb.CatalogException:
                raise TargetError(
                    f"The table of stream '{self.stream}' cannot be created: a view has its name. Rename or drop it."
                ) from None
            self.columns = dict(wanted)
            self.is_empty = True
            self._add_change("table created")
            if self.name != self.stream and not self.staging:
                logger.warning("Stream '%s' is loaded into the table '%s'.", self.stream, self.name)
            return
        for name, type_ in wanted.items():
            if name not in self.columns:
                self.connection.execute(f"ALTER TABLE {self.sql} ADD COLUMN {quote_identifier(name)} {type_}")
                self.columns[name] = type_
                self._add_change("column added", name, None, type_)
            elif self.columns[name] != type_:
                self._widen_column(name, type_)

    def _widen_column(self, name: str, new: str) -> None:
        old = self.columns[name]
        wide = types.common_type(old, new)
        if not no_row_matches(self.connection, self.sql, types.lossy_sql(quote_identifier(name), old, wide)):
            wide = "VARCHAR"
        if wide == old:
            return
        value = types.convert_sql(quote_identifier(name), old, wide)
        try:
            self.connection.execute(
                f"ALTER TABLE {self.sql} ALTER COLUMN {quote_identifier(name)} TYPE {wide} USING {value}"
            )
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.DependencyException):
            raise TargetError(
                f"Column '{name}' of the table of stream '{self.stream}' must become {wide}, but an index or a"
                " constraint depends on it: drop that first."
            ) from None
        self.columns[name] = wide
        self._add_change("column widened", name, old, wide)
        if wide == "VARCHAR" and name in {self.find_column(key) for key in self.keys}:
            self._save_former_type(name, old)
        logger.warning(
            "Stream '%s': column '%s' was widened from %s to %s to hold all values.", self.stream, name, old, wide
        )

    def _add_change(
        self, change: str, column: str | None = None, old: str | None = None, new: str | None = None
    ) -> None:
        if not self.staging:  # its columns are those of the stream's table once it replaces that
            self.changes.append(SchemaChange(self.name, change, column, old, new))


def _replace_comments(comments: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Returns comments with some of them set, or removed where the change is empty."""
    return {name: text for name, text in {**comments, **changes}.items() if text}
