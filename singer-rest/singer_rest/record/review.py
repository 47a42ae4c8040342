"""Reviews a recording before it is sent: its structure, and what in it can be read. Needs no original."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMBERS = {"method", "endpoint", "path", "query", "members", "status", "headers", "body", "xml", "length"}
HEADERS = re.compile(
    r"content-type|(x-)?rate-?limit.*|x-csod-.*|retry-after|etag|last-modified|deprecation|sunset|link|odata-version|"
    r"preference-applied"
)
REPLACED = re.compile(
    r"""
      [jkqvwxz]*                                                            # a text
    | -?\d+(\.\d+)?                                                         # a number
    | (0001|1[67]\d\d|18[0-3]\d)-\d\d-\d\d([T ][\d:.,]+(\ ?Z|\ ?[+-][\d:]+)?)?  # a date of two centuries ago
    | \d\d:\d\d(:\d\d)?([.,]\d+)?                                           # a time
    | [bcdf]{8}-[bcdf]{4}-.[bcdf]{3}-[bcdf]{4}-[bcdf]{12}                   # a UUID
    | [jkqvwxz]+@example\.invalid
    | https://host\.invalid/[jkqvwxz]*
    | https://recorded\.invalid\S*
    | true | false
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
"""A value that the shipped files document."""


class Review(NamedTuple):
    """The result of a review.

    Args:
        files: Number of responses.
        problems: A sentence for each problem.
        names: The names of fields that are shown, and how often.
        values: The values that are shown, and how often.
    """

    files: int
    problems: list[str]
    names: Counter[str]
    values: Counter[str]


def review_recording(folder: Path) -> Review:
    """Reviews a recording.

    Raises:
        OSError: If it cannot be read.
    """
    problems, names, values = list[str](), Counter[str](), Counter[str]()
    files = sorted(folder.glob("*.json"))
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        problems.append("Other users can read the folder. Run: chmod 700 on it.")
    for file in files:
        try:
            shape = json.loads(file.read_bytes(), parse_float=str, parse_int=str)
            unknown = shape.keys() - MEMBERS or {name for name in shape["headers"] if not HEADERS.fullmatch(name)}
        except (ValueError, LookupError, AttributeError, TypeError):
            problems.append(f"{file.name} is damaged.")
            continue
        if unknown:
            problems.append(f"{file.name} has properties or headers that no recording has.")
        if suspicious := _count_shown(shape.get("body"), names, values):
            problems.append(
                f"{file.name} has {suspicious} values that do not look like replaced values. Do not send it."
            )
    return Review(len(files), problems, names, values)


def _iterate_texts(body: Any) -> Iterator[tuple[bool, str]]:  # noqa: ANN401 - JSON
    """Yields each name and each text of a JSON body, with whether it is a name."""
    left = [body]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from ((True, name) for name in value)
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str):
            yield False, value


def _count_shown(body: Any, names: Counter[str], values: Counter[str]) -> int:  # noqa: ANN401 - JSON
    """Counts the names and values that can be read. Returns how many values do not look like replaced values."""
    suspicious = 0
    for is_name, text in _iterate_texts(body):
        if REPLACED.fullmatch(text):
            continue
        if is_name:
            names[text] += 1
        elif WORD.fullmatch(text) or not re.search(r"\w{4}", text):
            values[text] += 1
        elif not re.fullmatch(r"[^\s:]*[/?][^\s:]*", text):  # a relative link
            suspicious += 1
    return suspicious
