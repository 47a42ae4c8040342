"""Decides whether a value was loaded without loss, in any form."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import pendulum
from singer_rest import nesting
from singer_rest.testing import canonical_value

if TYPE_CHECKING:
    from faults.vendors import Key

EXACT = Context(prec=1000)


def is_equivalent(sent: Any, found: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a value was loaded without loss.

    Numbers and times may be written in any way, empty text is null, 0 and 1 are booleans, an empty object may be an
    empty list and the reverse, a single value a list of one, a labelled value its value, and text may hold JSON.
    """
    if isinstance(sent, dict) and sent.keys() == {"label", "value"} and is_equivalent(sent["value"], found):
        return True
    if isinstance(sent, dict) and isinstance(found, dict):
        return sent.keys() == found.keys() and all(is_equivalent(sent[name], found[name]) for name in sent)
    if isinstance(found, list):
        if not isinstance(sent, list):
            sent = [] if sent == {} else [sent.strip() if isinstance(sent, str) else sent]
        return len(sent) == len(found) and all(map(is_equivalent, sent, found))
    return (
        (sent == "" and found is None)
        or (sent == [] and found == {})
        or (isinstance(found, bool) and str(sent).strip().lower() == str(found).lower())
        or canonical_value(sent) == canonical_value(found)
        or parse_finite_number(sent) == parse_finite_number(found) is not None
        or _parse_instant(sent) == _parse_instant(found) is not None
        or _holds_json(found, sent)
        or _find_deep_brackets(sent) == _find_deep_brackets(found) is not None
    )


def make_canonical_key(key: Key) -> Key:
    """Returns a key in a form that is the same for all forms of its values."""
    return tuple(map(_make_canonical_text, key))


def parse_finite_number(value: Any) -> Decimal | None:  # noqa: ANN401
    """Returns a finite number, from a number, boolean or text. None: the value is none."""
    try:
        number = Decimal(int(value) if isinstance(value, bool) else str(value).strip())
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _make_canonical_text(text: str) -> str:
    if (number := parse_finite_number(text)) is not None:
        return str(EXACT.normalize(number)) if number else "0"
    instant = _parse_instant(text)
    return text if instant is None else instant.in_timezone("UTC").isoformat()


def _holds_json(text: Any, value: Any) -> bool:  # noqa: ANN401
    try:
        return isinstance(text, str) and canonical_value(json.loads(text, parse_float=Decimal)) == canonical_value(
            value
        )
    except (ValueError, RecursionError):
        return False


def _find_deep_brackets(value: Any) -> str | None:  # noqa: ANN401
    """Returns lists that are nested so deeply that the tap keeps some levels as text. None: they are not."""
    text = nesting.dump(value, lambda item: json.dumps(item, default=str).encode())
    brackets = text.replace('"', "").replace("\\", "")
    return brackets if brackets.startswith("[" * nesting.MAX_DEPTH) else None


def _parse_instant(value: Any) -> pendulum.DateTime | None:  # noqa: ANN401
    try:
        parsed = pendulum.parse(str(value).strip().upper())
    except (ValueError, OverflowError):
        return None
    return parsed if isinstance(parsed, pendulum.DateTime) else None
