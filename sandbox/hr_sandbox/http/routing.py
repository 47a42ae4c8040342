"""Paths with parameters in braces, such as `/v2/persons/{id}`."""

from __future__ import annotations

import re
from functools import cache


@cache
def path_pattern(template: str) -> re.Pattern[str]:
    """Compile a path template. Each parameter is a named group that matches one segment."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


def match_path(template: str, path: str) -> dict[str, str] | None:
    """Return the values of a template's parameters in a path, or None if the path does not match."""
    found = path_pattern(template).fullmatch(path)
    return None if found is None else found.groupdict()
