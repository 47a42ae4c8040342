"""Reads values from bodies of which little is certain: hyphens or underscores, text or numbers, unknown members."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_decoder = msgspec.json.Decoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")


class UnreadableError(Exception):
    """A body is not of a form that the vendor is known to send."""


def decode(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Decodes JSON.

    Raises:
        UnreadableError: If it is none, or cannot be held.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise UnreadableError from None


def compact(text: str | bytes) -> msgspec.Raw:
    """Returns valid JSON on one line. Numbers keep all their digits."""
    return msgspec.Raw(msgspec.json.format(text.encode() if isinstance(text, str) else text, indent=-1))


def as_id(value: object) -> str | None:
    """Returns an id as text. None: the value is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, (str, int)):
        return str(value).strip() or None
    return None


def first_id(members: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Returns the first id among members, each of which is an id or an object with one."""
    for name in names:
        value = members.get(name)
        if found := as_id(value.get("id") if isinstance(value, dict) else value):
            return found
    return None


def with_underscores(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Returns a value in which the names of members have underscores, and ids are text."""
    if isinstance(value, dict):
        return {
            name.replace("-", "_"): as_id(item) or item
            if name == "id" or name.endswith(("_id", "-id"))
            else with_underscores(item)
            for name, item in value.items()
        }
    return [with_underscores(item) for item in value] if isinstance(value, list) else value


def hashed(*parts: object) -> str:
    """Returns a SHA-256 of JSON values, which is the same in whatever order members stand."""
    return hashlib.sha256(_sorted_encoder.encode(parts)).hexdigest()


def as_utc(value: object) -> str | None:
    """Returns a timestamp in UTC, with ``Z``. None: the value is none. One without offset is taken for UTC."""
    if not isinstance(value, str) or len(value) < len("2026-01-31"):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    try:
        found = found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    except OverflowError:
        return None
    return found.replace(tzinfo=None).isoformat() + "Z"
