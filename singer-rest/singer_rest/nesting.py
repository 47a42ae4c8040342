"""JSON that is nested deeper than its readers can follow: its innermost parts are kept as text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""Objects and lists inside one another that are kept as such; most readers of JSON give up at some hundreds."""

PART = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def shallow(document: str) -> str:
    """A JSON document in which what is nested too deep is a text that holds it, letter by letter."""
    parts, depth, done, begin = [], 0, 0, 0
    for found in PART.finditer(document):
        bracket = found[0]
        if bracket in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                begin = found.start()
        elif bracket in "]}":
            if depth == MAX_DEPTH + 1:
                parts += [document[done:begin], json.dumps(document[begin : found.end()])]
                done = found.end()
            depth -= 1
    return "".join([*parts, document[done:]])


def dump(value: Any, encode: Callable[[Any], bytes]) -> str:  # noqa: ANN401
    """A value as JSON, however deep it is nested.

    Args:
        value: The value.
        encode: Encodes a text, a number, or whatever is neither an object nor a list.
    """
    written: list[str] = []
    left: list[tuple[str, Any]] = [("", value)]  # texts to write, each before a value; and those that end a value
    while left:
        before, item = left.pop()
        written.append(before)
        if item is _END:
            continue
        if isinstance(item, dict):
            inner = [(f"{encode(name).decode()}:", part) for name, part in item.items()]
            brackets = "{}"
        elif isinstance(item, list):
            inner = [("", part) for part in item]
            brackets = "[]"
        else:
            written.append(encode(item).decode())
            continue
        written.append(brackets[0])
        left.append((brackets[1], _END))
        left += [(f",{text}" if place else text, part) for place, (text, part) in reversed([*enumerate(inner)])]
    return "".join(written)


_END = object()
