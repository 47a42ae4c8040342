"""Limits the depth of JSON that readers could not parse: values nested deeper are kept as text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""Maximum depth of nested objects and lists. Most JSON parsers fail at some hundreds."""

PART = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def limit_depth(document: str) -> str:
    """Returns a JSON document in which values nested too deeply are replaced by their JSON as a string."""
    parts, depth, position, start = [], 0, 0, 0
    for match in PART.finditer(document):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                start = match.start()
        elif bracket in "]}":
            if depth == MAX_DEPTH + 1:
                parts += [document[position:start], json.dumps(document[start : match.end()])]
                position = match.end()
            depth -= 1
    return "".join([*parts, document[position:]])


def dump(value: Any, encode: Callable[[Any], bytes]) -> str:  # noqa: ANN401
    """Serializes a value of any depth as JSON.

    Args:
        value: The value.
        encode: Encodes values that are neither objects nor lists.
    """
    output: list[str] = []
    stack: list[tuple[str, Any]] = [("", value)]  # text to write before each value; `_END` marks the end of a container
    while stack:
        before, item = stack.pop()
        output.append(before)
        if item is _END:
            continue
        if isinstance(item, dict):
            inner = [(f"{encode(name).decode()}:", part) for name, part in item.items()]
            brackets = "{}"
        elif isinstance(item, list):
            inner = [("", part) for part in item]
            brackets = "[]"
        else:
            output.append(encode(item).decode())
            continue
        output.append(brackets[0])
        stack.append((brackets[1], _END))
        stack += [(f",{text}" if place else text, part) for place, (text, part) in reversed([*enumerate(inner)])]
    return "".join(output)


_END = object()
