"""Test helpers that several files share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def code_blocks(page: Path, language: str) -> list[str]:
    """Returns the code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the paths of a schema that have no paths below them, with their schemas."""
    items = schema.get("items")
    if properties := schema.get("properties"):
        for name, part in properties.items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(items, dict) and (items.get("properties") or items.get("items")):
        yield from leaves(items, f"{path}[]")
    elif path:
        yield path, schema
