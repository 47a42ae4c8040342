"""What the user says of fields, by patterns of their paths."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")


class PathPatterns(Generic[T]):
    """Values by patterns of `stream.path`, which may hold `*`. `[]` after the name of a list may be left out.

    Args:
        values: The values by pattern. The first pattern that matches wins.
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = [(re.compile(_translate(pattern)), pattern, value) for pattern, value in values.items()]
        self._matched: set[str] = set()

    def find(self, stream: str, path: str) -> T | None:
        """Returns the value of a path, or that of the nearest object or list around it. None: no pattern matches."""
        for name in _with_outer_paths(_without_brackets(path)) if self._values else ():
            for compiled, pattern, value in self._values:
                if compiled.match(f"{stream}.{name}"):
                    self._matched.add(pattern)
                    return value
        return None

    def unmatched(self, stream: str) -> list[str]:
        """Returns the patterns of a stream that no path has matched so far."""
        return [
            pattern
            for _, pattern, _ in self._values
            if pattern.startswith(f"{stream}.") and pattern not in self._matched
        ]


def _translate(pattern: str) -> str:
    return translate(_without_brackets(pattern).replace("[", "[[]"))


def _without_brackets(path: str) -> str:
    return path.replace("[]", "")


def _with_outer_paths(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]
