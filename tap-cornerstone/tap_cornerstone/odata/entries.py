"""Entries of a list: rows, what tells of a deleted one, and what is neither."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from singer_rest import TapError

from tap_cornerstone.odata.links import member
from tap_cornerstone.odata.types import DELETED_AT, literal

if TYPE_CHECKING:
    from singer_rest import Record

    from tap_cornerstone.odata.metadata import EntitySet

ROW = re.compile(r"[^(]*\((.*)\)\s*", re.DOTALL)
PART = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^',()]+?)\s*(?:,|$)")

LINKS = ("/$link", "/$deletedlink")
"""Ends of the context of what is no row among changes."""
REMOVED = ("@removed", "@odata.removed")
NOT_REMOVED = (None, False)
"""What stands under these names where the row is there."""
DELETED = "/$deletedentity"
"""The end of the context, in small letters, of a row that was deleted, where `@removed` does not say so."""

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class LinkEnded(TapError):  # noqa: N818 - there is another way to ask
    """A link, or what came by it, is good no more; the list is read from its beginning."""


def listed(value: Any) -> list[Any] | None:  # noqa: ANN401 - what the portal sends
    """The entries of a page, each of which may be anything; one may stand alone. None: there is no list."""
    return [value] if isinstance(value, dict) else value if isinstance(value, list) else None


class Entries:
    """What the entries of a view or an object are.

    Args:
        entity_set: The view or object.
        now: When the run began, as text: when it became known that a row was deleted.
    """

    def __init__(self, entity_set: EntitySet, now: str) -> None:
        self._entity_set = entity_set
        self._now = now

    def is_error(self, record: Record) -> bool:
        """Whether it tells of an error, in the place of what was to come."""
        error = member(record, "error")
        return isinstance(error, dict) and not any(name.lower() == "error" for name in self._entity_set.columns)

    def row(self, record: Record) -> Record | None:
        """The row of an entry: itself, what tells of a deletion, or None where it is about a relation.

        Raises:
            LinkEnded: If a row was deleted whose key cannot be read.
        """
        if DELETED_AT in record:  # a column of the portal's own says nothing of a deletion
            record[f"portal{DELETED_AT}"] = record.pop(DELETED_AT)
        if record.keys() <= self._entity_set.columns.keys():  # most are nothing else, and there may be millions
            return record
        context = member(record, "@odata.context")
        context = context if isinstance(context, str) else ""
        if context.lower().endswith(LINKS):
            return None
        is_removed = any(name.lower() in REMOVED and value not in NOT_REMOVED for name, value in record.items())
        if context.lower().endswith(DELETED) or is_removed:
            return self._gone(record)
        return {name: value for name, value in record.items() if not name.startswith("@")}

    def _gone(self, record: Record) -> Record:
        """The key of a row that was deleted, and when this became known."""
        key = {name: record[name] for name in self._entity_set.key if record.get(name) is not None}
        for name in ("id", "@odata.id", "@id"):
            address = member(record, name)
            with suppress(ValueError):
                told = self._key_of(unquote(str(address or "").rpartition("/")[2]))
                key = {**told, **{part: value for part, value in key.items() if value != address}}
        if set(key) != set(self._entity_set.key):
            raise LinkEnded(
                f"{self._entity_set.name}: a row was deleted, but its key cannot be read. Run with a full refresh."
            )
        return {**key, DELETED_AT: self._now}

    def _key_of(self, address: str) -> Record:
        """The key in a row's address, such as ``user_ou_core(user_id=5,ou_id=77)``."""
        found = ROW.fullmatch(address)
        text = found[1] if found else ""
        parts = list(PART.finditer(text))
        if "".join(part[0] for part in parts) != text:
            raise ValueError("it is no list of values")
        key = {}
        for part, only in zip(parts, self._entity_set.key, strict=True):
            name = part[1] or only
            column = self._entity_set.columns.get(name)
            key[name] = literal(part[2], column.type if column else "")
        return key


class Spelling:
    """How the rows of an object spell the GUIDs of their key: what tells of a deletion may use the other letters.

    Args:
        known: What an earlier run learnt, by column: ``upper`` or ``lower``.
    """

    def __init__(self, known: Any) -> None:  # noqa: ANN401 - what stands in a state
        self.known: dict[str, str] = (
            {name: case for name, case in known.items() if case in {"upper", "lower"}}
            if isinstance(known, dict)
            else {}
        )

    def learn(self, name: str, value: Any) -> None:  # noqa: ANN401 - what the portal sends
        """Take in a value of a row's key."""
        if name in self.known or not isinstance(value, str) or not GUID.fullmatch(value):
            return
        if value.isupper() or value.islower():
            self.known[name] = "upper" if value.isupper() else "lower"

    def of(self, name: str, value: Any) -> Any:  # noqa: ANN401 - what the portal sends
        """A value of a deleted row's key, as the row spells it."""
        if name not in self.known or not isinstance(value, str) or not GUID.fullmatch(value):
            return value
        return value.upper() if self.known[name] == "upper" else value.lower()
