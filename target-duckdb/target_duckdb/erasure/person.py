"""Finds a person's identifiers at all vendors from one of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_duckdb.database import quote_literal
from target_duckdb.errors import TargetError
from target_duckdb.people import any_sql, normalized, normalized_sql, subject_names
from target_duckdb.references import EMAIL, ID, NAME, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from target_duckdb.erasure.file_tables import FileTable
    from target_duckdb.people import Located

_IDS = "temp.main._ids"
_FIRST, _LAST = re.compile(r"first", re.IGNORECASE), re.compile(r"last", re.IGNORECASE)
_MAX_SPACES_SHOWN = 8
_NOBODY = re.compile(r"-\d+|0*", re.ASCII)  # vendors send such ids for "nobody" and for their own service accounts


@dataclass
class Identity:
    """What identifies one person, or several.

    Attributes:
        values: Identifiers by space.
        contact_emails: Private addresses that were given. They only find rows whose addresses may be private.
        names: Full names.
        name_parts: First and last names, in pairs.
        private_emails: Private addresses in the person's rows, which are searched as text.
    """

    values: dict[str, set[str]] = field(default_factory=dict)
    contact_emails: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    name_parts: set[tuple[str, str]] = field(default_factory=set)
    private_emails: set[str] = field(default_factory=set)

    def add(self, space: str, value: str) -> bool:
        """Adds an identifier. Returns whether it is new."""
        known = self.values.setdefault(space, set())
        if value in known or _NOBODY.fullmatch(value):
            return False
        known.add(value)
        return True

    @property
    def emails(self) -> set[str]:
        """All addresses."""
        return self.values.get(EMAIL, set()) | self.contact_emails | self.private_emails

    @property
    def summary(self) -> str:
        """How many identifiers of each kind there are, without the identifiers."""
        return ", ".join(f"{space} ({len(values)})" for space, values in sorted(self.values.items()) if values)


class IdentityMatcher:
    """Matches the identifiers of an identity, which it writes to a temporary table.

    Args:
        connection: A connection.
        identity: The identity.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, identity: Identity) -> None:
        self._connection = connection
        self.identity = identity
        connection.execute("CREATE OR REPLACE TEMP TABLE _ids (space VARCHAR, value VARCHAR)")
        self.update(identity.values)

    def update(self, values: dict[str, set[str]]) -> None:
        """Adds identifiers to the temporary table."""
        rows = [[space, value] for space, found in values.items() for value in found]
        if rows:
            self._connection.executemany("INSERT INTO _ids VALUES (?, ?)", rows)

    def add_rows(self, space: str, sql: str) -> None:
        """Adds the identifiers that a query returns."""
        self._connection.execute(f"INSERT INTO {_IDS} SELECT '{space}', value FROM ({sql}) AS q(value)")  # noqa: S608 - own names
        found = self._connection.execute(f"SELECT value FROM {_IDS} WHERE space = ?", [space]).fetchall()  # noqa: S608 - own name
        self.identity.values[space] = {value for (value,) in found if value is not None}

    def match_sql(self, space: str, value: str) -> str:
        """Returns SQL for whether a text is one of the identifiers of a space."""
        if not self.identity.values.get(space):
            return "false"
        known = f"SELECT value FROM {_IDS} WHERE space = {quote_literal(space)}"  # noqa: S608 - own name
        return f"coalesce({normalized_sql(value)} IN ({known}), false)"

    def match_any_sql(self, space: str, values: str) -> str:
        """Returns SQL for whether any of a list of texts is."""
        if not self.identity.values.get(space):
            return "false"
        known = f"(SELECT list(value) FROM {_IDS} WHERE space = {quote_literal(space)})"  # noqa: S608 - own name
        return f"coalesce(list_has_any(list_transform({values}, lambda x: {normalized_sql('x')}), {known}), false)"

    def matches(self, space: str, value: str) -> bool:
        """Whether a text is."""
        return normalized(value) in self.identity.values.get(space, ())


def subject_fields(table: FileTable) -> list[Located]:
    """Returns the identifiers of the person that a row of a table is about."""
    return [item for item in table.fields if item.reference.is_subject and item.reference.form != NAME]


def is_record(table: FileTable) -> bool:
    """Whether the id of the person that a row is about is in the key, so that all identifiers of the row are theirs.

    Other rows may name several people, such as an employee and the one who invited them.
    """
    return any(item.reference.form == ID and item.in_key for item in subject_fields(table))


def is_contact(item: Located) -> bool:
    """Whether an address may be a private one, which two people may share."""
    return item.reference.form == EMAIL and not item.reference.protection.startswith("direct_id")


def find_identity(connection: duckdb.DuckDBPyConnection, tables: Sequence[FileTable], given: str) -> Identity:
    """Finds the identifiers of a person.

    Args:
        connection: A connection.
        tables: The tables of the file.
        given: An e-mail address, an id, `SCHEMA.KIND:ID`, or a pseudonym of an address or id.

    Returns:
        The identity. Without identifiers if no row is about such a person.

    Raises:
        TargetError: Nobody is named, or several people have this identifier.
    """
    value = normalized(unicodedata.normalize("NFKC", given))
    if not value:
        raise TargetError("`--person` is empty: give an e-mail address, an id, `SCHEMA.KIND:ID`, or a pseudonym.")
    loaded = [table for table in tables if table.stream is not None]
    records = [table for table in loaded if is_record(table)]
    identity = Identity()
    for places in (records, loaded):
        if _add_emails(connection, places, identity, value) or _add_ids(connection, places, identity, value):
            break
    expand_identity(connection, records, identity)
    return identity


def _add_emails(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[FileTable], identity: Identity, value: str
) -> bool:
    """Adds the identifiers of the rows with an address. Returns whether there are any."""
    people: dict[str, set[str]] = {}
    for table in tables:
        addresses = [item for item in table.fields if item.reference.form == EMAIL and item.reference.is_subject]
        for item in addresses:
            ids = [other for other in subject_fields(table) if other.reference.form == ID]
            columns = ", ".join(normalized_sql(other.value_sql) for other in ids) or "NULL"
            sql = f"SELECT DISTINCT {columns} FROM {table.sql} AS t WHERE {normalized_sql(item.value_sql)} = ?"  # noqa: S608 - quoted names
            for row in connection.execute(sql, [value]).fetchall():
                if is_contact(item):
                    identity.contact_emails.add(value)
                else:
                    identity.add(EMAIL, value)
                for other, found in zip(ids, row, strict=False):
                    if found is not None:
                        identity.add(other.space, found)
                        if is_contact(item):
                            people.setdefault(other.space, set()).add(found)
    if shared := [space for space, ids in people.items() if len(ids) > 1]:
        raise TargetError(
            f"Several people have this private address ({', '.join(sorted(shared))}): name one of them by the work"
            " address or an id."
        )
    return bool(identity.values or identity.contact_emails)


def _add_ids(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[FileTable], identity: Identity, given: str
) -> bool:
    """Adds an id with its kind. Returns whether any row is about such a person.

    Raises:
        TargetError: It is an id of several kinds.
    """
    wanted, _, value = given.rpartition(":")
    spaces: dict[str, bool] = {}
    for table in tables:
        for item in subject_fields(table):
            kind = item.space.replace("/", ".").lower()
            if item.reference.form not in {ID, NUMBER} or item.when or (wanted and kind != wanted):
                continue
            sql = f"SELECT 1 FROM {table.sql} AS t WHERE {normalized_sql(item.value_sql)} = ? LIMIT 1"  # noqa: S608 - quoted names
            if connection.execute(sql, [value]).fetchall():
                spaces[item.space] = spaces.get(item.space, False) or item.reference.form == NUMBER
    if len(spaces) > 1:
        names = sorted(f"{space.replace('/', '.')}:ID" for space in spaces)
        raise TargetError(f"This is an id of several kinds: name one as {' or '.join(names[:_MAX_SPACES_SHOWN])}.")
    for space, is_number in spaces.items():
        identity.add(space, value)
        if is_number:
            _add_ids_of_number(connection, tables, identity, space, value)
    return bool(spaces)


def _add_ids_of_number(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[FileTable], identity: Identity, space: str, value: str
) -> None:
    """Adds the ids in the rows with a personnel number."""
    for table in tables:
        fields = subject_fields(table)
        numbers = [item for item in fields if item.space == space]
        ids = [item for item in fields if item.reference.form == ID]
        for number in numbers if ids else ():
            columns = ", ".join(normalized_sql(item.value_sql) for item in ids)
            sql = f"SELECT DISTINCT {columns} FROM {table.sql} AS t WHERE {normalized_sql(number.value_sql)} = ?"  # noqa: S608 - quoted names
            for row in connection.execute(sql, [value]).fetchall():
                for item, found in zip(ids, row, strict=True):
                    if found is not None:
                        identity.add(item.space, found)


def expand_identity(connection: duckdb.DuckDBPyConnection, tables: Sequence[FileTable], identity: Identity) -> None:
    """Adds all identifiers and names in the records of the people, at all vendors.

    Personnel numbers and private addresses are collected but not followed: they are not always unique. Numbers that
    other people have, too, are left out.
    """
    matcher = IdentityMatcher(connection, identity)
    is_new = True
    while is_new:
        is_new = False
        for table in tables:
            fields = subject_fields(table)
            followed = [item for item in fields if item.reference.form != NUMBER and not is_contact(item)]
            if len(fields) < 2 or not followed:  # noqa: PLR2004 - one identifier leads to no other
                continue
            columns = ", ".join(item.identifier_sql for item in fields)
            condition = any_sql(item.match_sql(matcher) for item in followed)
            sql = f"SELECT DISTINCT {columns} FROM {table.sql} AS t WHERE {condition}"  # noqa: S608 - quoted names
            new: dict[str, set[str]] = {}
            for row in connection.execute(sql).fetchall():
                for item, value in zip(fields, row, strict=True):
                    if not value:
                        continue
                    if is_contact(item):
                        identity.private_emails.add(value)
                    elif identity.add(item.space, value):
                        new.setdefault(item.space, set()).add(value)
                        is_new = is_new or item in followed
            matcher.update(new)
    _remove_shared_numbers(connection, tables, matcher)
    for table in tables:
        _add_names(connection, table, matcher)


def _remove_shared_numbers(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[FileTable], matcher: IdentityMatcher
) -> None:
    """Removes the numbers that other people have in their records, too: they identify nobody."""
    for table in tables:
        fields = subject_fields(table)
        is_same = any_sql(item.match_sql(matcher) for item in fields if item.reference.form == ID and item.in_key)
        for item in (item for item in fields if item.reference.form == NUMBER):
            number = normalized_sql(item.value_sql)
            sql = f"SELECT DISTINCT {number} FROM {table.sql} AS t WHERE {item.match_sql(matcher)} AND NOT {is_same}"  # noqa: S608 - quoted names
            shared = {row[0] for row in connection.execute(sql).fetchall()}
            matcher.identity.values.get(item.space, set()).difference_update(shared)


def find_shared_spaces(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[FileTable], matcher: IdentityMatcher
) -> list[str]:
    """Returns the kinds of ids of which several have the person's work address.

    These are several records of one person, or of several people who have or had the same address.
    """
    found: dict[str, set[str]] = {}
    for table in tables:
        fields = subject_fields(table)
        emails = [item for item in fields if item.reference.form == EMAIL and not is_contact(item)]
        if table.stream is None or not emails:
            continue
        condition = any_sql(item.match_sql(matcher) for item in emails)
        for item in (item for item in fields if item.reference.form == ID and item.in_key):
            sql = f"SELECT DISTINCT {item.identifier_sql} FROM {table.sql} AS t WHERE {condition}"  # noqa: S608 - quoted names
            found.setdefault(item.space, set()).update(
                value for (value,) in connection.execute(sql).fetchall() if value and not _NOBODY.fullmatch(value)
            )
    return sorted(space for space, ids in found.items() if len(ids) > 1)


def _add_names(connection: duckdb.DuckDBPyConnection, table: FileTable, matcher: IdentityMatcher) -> None:
    """Adds the names in the rows about the people."""
    names = subject_names(table.fields)
    ids = [item for item in subject_fields(table) if item.reference.form == ID]
    if not names or not ids:
        return
    columns = ", ".join(normalized_sql(item.value_sql) for item in names)
    condition = any_sql(item.match_sql(matcher) for item in ids)
    rows = connection.execute(f"SELECT DISTINCT {columns} FROM {table.sql} AS t WHERE {condition}").fetchall()  # noqa: S608 - quoted names
    first = next((place for place, item in enumerate(names) if _FIRST.search(item.reference.path[-1])), None)
    last = next((place for place, item in enumerate(names) if _LAST.search(item.reference.path[-1])), None)
    for row in rows:
        matcher.identity.names |= {value for value in row if value and " " in value}
        if first is not None and last is not None and row[first] and row[last]:
            matcher.identity.names.add(f"{row[first]} {row[last]}")
            matcher.identity.name_parts.add((row[first], row[last]))
