"""SQL that finds the rows that are about certain people, and the rows that mention them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import msgspec

from target_duckdb import nested_types
from target_duckdb.database import quote_literal
from target_duckdb.messages import raw_fields
from target_duckdb.references import EMAIL, ITEMS, NAME, ROW, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

RECORD = "record"
"""The column of rejected records."""
_NULL = msgspec.Raw(b"null")
#: A field of an object with one of these names says that the object is a person.
_PERSON_FIELDS = frozenset({"id", "externalid", "ref", "guid", "email", "number"})
_STEM = re.compile(r"(_?(user|access|employee))?_?(id|ref|guid)$", re.IGNORECASE)
_NAME_SUFFIX = r"(_(first|last|middle|full)_?name|_fullname|_name(_(first|last|middle|prefix|suffix))?|_e?mail)?$"
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.encode


def normalized(value: str) -> str:
    """Returns an identifier in the form in which identifiers are compared."""
    return value.strip(" ").lower()


def normalized_sql(value: str) -> str:
    """Returns SQL for an identifier in the form in which identifiers are compared."""
    return f"lower(trim({value}))"


class Matcher(Protocol):
    """Tells whether an identifier is of one of the people."""

    def match_sql(self, space: str, value: str) -> str:
        """Returns SQL for whether a text in SQL is an identifier of one of them, in a space of identifiers."""

    def match_any_sql(self, space: str, values: str) -> str:
        """Returns SQL for whether any of a list of texts is."""

    def matches(self, space: str, value: str) -> bool:
        """Whether a text is."""


@dataclass(frozen=True)
class Located:
    """A reference, and where its values are in rows.

    Attributes:
        reference: The reference.
        schema: The schema of the table, to which ids belong.
        column: The name of the column.
        sql: The column in SQL.
        json: The column as JSON in SQL.
        when: A condition in SQL for whether the values are of people. None: they always are.
        in_key: Whether the column is a part of the key.
    """

    reference: Reference
    schema: str
    column: str
    sql: str
    json: str
    when: str | None = None
    in_key: bool = False

    @property
    def space(self) -> str:
        """What the values can be compared with: the values of the same space."""
        item = self.reference
        if item.form in {EMAIL, NAME}:
            return item.form
        return f"{self.schema}/row/{item.stream}" if item.form == ROW else f"{self.schema}/{item.space}"

    @property
    def is_nested(self) -> bool:
        """Whether the values are within nested values of the column."""
        return len(self.reference.path) > 1

    @property
    def deletes_row(self) -> bool:
        """Whether a row with an identifier of a person is deleted with them."""
        return self.reference.is_subject or self.reference.form == ROW or (self.in_key and not self.is_nested)

    @property
    def value_sql(self) -> str:
        """The value in SQL, a list of values if it is in a list."""
        if not self.is_nested:
            return f"CAST({self.sql} AS VARCHAR)"
        path = "".join("[*]" if name == ITEMS else f".{_quote_path(name)}" for name in self.reference.path[1:])
        return f"json_extract_string({self.json}, {quote_literal(f'${path}')})"

    @property
    def identifier_sql(self) -> str:
        """The value in SQL as an identifier, NULL where it is not one of a person."""
        value = normalized_sql(self.value_sql)
        return f"CASE WHEN {self.when} THEN {value} END" if self.when else value

    def match_sql(self, matcher: Matcher) -> str:
        """Returns SQL for whether a row refers to one of the people here."""
        match = matcher.match_any_sql if self.reference.is_in_list else matcher.match_sql
        found = match(self.space, self.value_sql)
        return f"({self.when} AND {found})" if self.when else found


def _quote_path(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def json_sql(column: str, type_: str) -> str:
    """Returns SQL for a column as JSON, NULL where it is not valid JSON."""
    if type_ == "JSON":
        return column
    if nested_types.is_nested(type_):
        return f"to_json({column})"
    return f"TRY_CAST({column} AS JSON)" if type_ == "VARCHAR" else "CAST(NULL AS JSON)"


def when_sql(column: str, value: str) -> str:
    """Returns SQL for the condition of a reference."""
    return f"coalesce(CAST({column} AS VARCHAR) = {quote_literal(value)}, false)"


def any_sql(conditions: Iterable[str]) -> str:
    """Joins conditions by OR."""
    return "(" + (" OR ".join(conditions) or "false") + ")"


def subject_names(fields: Iterable[Located]) -> list[Located]:
    """Returns the names of the person that a row is about."""
    return [item for item in fields if item.reference.form == NAME and item.reference.is_subject]


def split_places(fields: Sequence[Located]) -> tuple[list[Located], list[Located]]:
    """Returns the places that say whom a row is about, and those that only mention people.

    A name says it only where nothing else does. Otherwise it goes with the row, or is the same name of somebody else.
    """
    names = subject_names(fields)
    deleting = [item for item in fields if item.deletes_row and item.reference.form != NAME]
    return deleting or names, [item for item in fields if item not in deleting and item not in names]


def locate_rejected(reference: Reference, schema: str, record: str, condition: str) -> Located:
    """Returns where a rejected record refers to people.

    Args:
        reference: The reference of the record's stream.
        schema: The schema of the table, to which ids belong.
        record: The column with the record as JSON in SQL.
        condition: A condition in SQL for whether the record is of the stream.
    """
    if reference.when:
        name, value = reference.when
        path = quote_literal(f'$."{name}"')
        condition += f" AND {when_sql(f'json_extract_string({record}, {path})', value)}"
    inner = replace(reference, path=(RECORD, *reference.path))
    return Located(inner, schema, RECORD, record, record, f"({condition})")


def find_attached_names(mention: Located, fields: Sequence[Located]) -> list[Located]:
    """Returns the columns with the name or address of the person that a column of ids mentions.

    They are the columns that are named like it: `approver_full_name` beside `approver_id`.

    Args:
        mention: The column of ids.
        fields: All references of the table.
    """
    stem = _STEM.sub("", mention.column)
    if mention.is_nested or not stem or stem == mention.column:
        return []
    pattern = re.compile(re.escape(stem) + _NAME_SUFFIX, re.IGNORECASE)
    return [
        field
        for field in fields
        if field.reference.form in {NAME, EMAIL} and not field.is_nested and pattern.fullmatch(field.column)
    ]


def remove_mentions(
    text: bytes, path: Sequence[str], matches: Callable[[str], bool], keys: Sequence[str] = ()
) -> bytes | None:
    """Removes the mentions of people from a nested value.

    An item of a list that mentions one is removed, and an object that is the person becomes null.

    Args:
        text: The value as JSON.
        path: The names that lead to the identifiers, with `[]` for items.
        matches: Whether an identifier is of one of the people.
        keys: The names in the JSON text, if they differ from those of the path.

    Returns:
        The JSON text, unchanged if it mentions none of them. None if the whole value goes.
    """
    return _edit(text, list(zip(path, keys or path, strict=True)), matches, in_list=False)


def _edit(text: bytes, path: list[tuple[str, str]], matches: Callable[[str], bool], *, in_list: bool) -> bytes | None:
    if not path:
        return None if text != b"null" and matches(_scalar_text(text)) else text
    if path[0][0] == ITEMS:
        return _edit_items(text, path[1:], matches) if text.startswith(b"[") else text
    return _edit_object(text, path, matches, in_list=in_list) if text.startswith(b"{") else text


def _edit_items(text: bytes, path: list[tuple[str, str]], matches: Callable[[str], bool]) -> bytes:
    items = [bytes(item) for item in _decode_items(text)]
    edited = [_edit(item, path, matches, in_list=True) for item in items]
    return text if edited == items else _encode([msgspec.Raw(item) for item in edited if item is not None])


def _edit_object(
    text: bytes, path: list[tuple[str, str]], matches: Callable[[str], bool], *, in_list: bool
) -> bytes | None:
    (name, key), *rest = path
    fields = raw_fields(msgspec.Raw(text))
    value = bytes(fields[key]) if key in fields else b"null"
    found = _edit(value, rest, matches, in_list=in_list)
    if found == value:
        return text
    if found is None and (in_list or (not rest and name.lower() in _PERSON_FIELDS)):
        return None
    fields[key] = _NULL if found is None else msgspec.Raw(found)
    return _encode(fields)


def _scalar_text(text: bytes) -> str:
    if text.startswith(b'"'):
        return str(msgspec.json.decode(text))
    return text.decode()
