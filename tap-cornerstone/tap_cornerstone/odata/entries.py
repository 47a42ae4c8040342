"""Entries of a list: rows, deletions, and others."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from singer_rest import TapError

from tap_cornerstone.odata.links import find_property
from tap_cornerstone.odata.types import DELETED_AT, parse_literal

if TYPE_CHECKING:
    from singer_rest import Record

    from tap_cornerstone.odata.metadata import EntitySet

ROW = re.compile(r"[^(]*\((.*)\)\s*", re.DOTALL)
PART = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^',()]+?)\s*(?:,|$)")

LINKS = ("/$link", "/$deletedlink")
"""Ends of the context of entries that are not rows, in lists of changes."""
REMOVED = ("@removed", "@odata.removed")
NOT_REMOVED = (None, False)
"""Values of these members in rows that were not deleted."""
DELETED = "/$deletedentity"
"""The end of the context, in lower case, of a deleted row without `@removed`."""

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class ExpiredLinkError(TapError):
    """A link, or its content, is no longer valid; the list is read from the start."""


class PartialRowError(ExpiredLinkError):
    """A changed row lacks some columns, so that their values are unknown."""


def as_entry_list(value: Any) -> list[Any] | None:  # noqa: ANN401 - what the portal sends
    """Returns the entries of a page, of any type. A single entry need not be in a list. None: there is no list."""
    return [value] if isinstance(value, dict) else value if isinstance(value, list) else None


class Entries:
    """Interprets the entries of a view or an object.

    Args:
        entity_set: The view or object.
        now: When the run began, as text: the time of deletions found in it.
    """

    def __init__(self, entity_set: EntitySet, now: str) -> None:
        self._entity_set = entity_set
        self._now = now

    def is_error(self, record: Record) -> bool:
        """Whether an entry is an error in place of a row."""
        error = find_property(record, "error")
        return isinstance(error, dict) and not any(name.lower() == "error" for name in self._entity_set.columns)

    def make_row(self, record: Record) -> Record | None:
        """Returns the row of an entry: the entry itself, a deletion, or None if it concerns a relation.

        Raises:
            ExpiredLinkError: If a deleted row's key cannot be read.
        """
        if DELETED_AT in record:  # a custom column does not mean a deletion
            record[f"portal{DELETED_AT}"] = record.pop(DELETED_AT)
        if (
            record.keys() <= self._entity_set.columns.keys()
        ):  # most entries have nothing else, and there may be millions
            return record
        context = find_property(record, "@odata.context")
        context = context if isinstance(context, str) else ""
        if context.lower().endswith(LINKS):
            return None
        is_removed = any(name.lower() in REMOVED and value not in NOT_REMOVED for name, value in record.items())
        if context.lower().endswith(DELETED) or is_removed:
            # Without change tracking the row cannot be marked; a full read shows that it is gone.
            return self._deleted_row(record) if self._entity_set.tracks_changes else None
        return {name: value for name, value in record.items() if not name.startswith("@")}

    def check_complete(self, rows: list[Record], optional: Any) -> None:  # noqa: ANN401 - what stands in a state
        """Checks that changed rows have all columns, because OData allows a service to send only the changed columns.

        Args:
            rows: The rows of a list of changes.
            optional: The columns that a full read lacked in some rows, too.

        Raises:
            PartialRowError: If one lacks a column.
        """
        optional = {name for name in optional if isinstance(name, str)} if isinstance(optional, list) else set()
        changed = [row for row in rows if not row.get(DELETED_AT)]
        if any(not omitted <= optional for omitted in self.omitted_columns(changed)):
            raise PartialRowError(
                f"{self._entity_set.name}: the changes since the last run contain rows that lack columns."
            )

    def omitted_columns(self, rows: list[Record]) -> set[frozenset[str]]:
        """Returns the columns that rows lack: a set for each combination."""
        columns = self._entity_set.columns.keys()
        return {frozenset(columns - row.keys()) for row in rows if not columns <= row.keys()}

    def _deleted_row(self, record: Record) -> Record:
        """Returns the key of a deleted row and the time at which the deletion was found."""
        key = {name: record[name] for name in self._entity_set.key if record.get(name) is not None}
        for name in ("id", "@odata.id", "@id"):
            address = find_property(record, name)
            with suppress(ValueError):
                address_key = self._key_of(unquote(str(address or "").rpartition("/")[2]))
                key = {**address_key, **{part: value for part, value in key.items() if value != address}}
        if set(key) != set(self._entity_set.key):
            raise ExpiredLinkError(
                f"{self._entity_set.name}: a row was deleted, but its key cannot be read. Run with a full refresh."
            )
        return {**key, DELETED_AT: self._now}

    def _key_of(self, address: str) -> Record:
        """Parses the key in the address of a row, for example ``user_ou_core(user_id=5,ou_id=77)``."""
        found = ROW.fullmatch(address)
        text = found[1] if found else ""
        parts = list(PART.finditer(text))
        if "".join(part[0] for part in parts) != text:
            raise ValueError("it is not a list of values")
        key = {}
        for part, only in zip(parts, self._entity_set.key, strict=True):
            name = part[1] or only
            column = self._entity_set.columns.get(name)
            key[name] = parse_literal(part[2], column.type if column else "")
        return key


class Spelling:
    """Tracks the letter case of GUIDs in the keys of an object's rows: deletions may use the other case.

    Args:
        known: The case of GUIDs that an earlier run learnt, by column: ``upper`` or ``lower``.
    """

    def __init__(self, known: Any) -> None:  # noqa: ANN401 - what stands in a state
        self.known: dict[str, str] = (
            {name: case for name, case in known.items() if case in {"upper", "lower"}}
            if isinstance(known, dict)
            else {}
        )

    def learn_spelling(self, name: str, value: Any) -> None:  # noqa: ANN401 - what the portal sends
        """Learns from a value of a row's key."""
        if name in self.known or not isinstance(value, str) or not GUID.fullmatch(value):
            return
        if value.isupper() or value.islower():
            self.known[name] = "upper" if value.isupper() else "lower"

    def restore_case(self, name: str, value: Any) -> Any:  # noqa: ANN401 - what the portal sends
        """Returns a value of a deleted row's key in the letter case of the rows."""
        if name not in self.known or not isinstance(value, str) or not GUID.fullmatch(value):
            return value
        return value.upper() if self.known[name] == "upper" else value.lower()
