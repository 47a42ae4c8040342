"""Test helpers that several files share."""

from __future__ import annotations

import re
import socket
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def code_blocks(page: Path, language: str) -> list[str]:
    """Returns the code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def tap_settings(vendor: str, url: str) -> dict[str, Any]:
    """Returns a tap's settings for a sandbox, with all streams enabled.

    Args:
        vendor: The tap's vendor.
        url: The sandbox.
    """
    credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    return {"api_url": f"{url}/{vendor}", "optional_streams": ["*"]} | {
        "personio": credentials | {"careers_url": f"{url}/personio-careers", "legacy_v1_streams": True},
        "factorial": {"api_key": "sandbox-api-key", "integration_uuid": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"},
        "cornerstone": credentials,
    }[vendor]


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def exact(value: Any) -> Any:
    """Returns a value in a form that is the same in all readers of a copy, but differs for two different values."""
    if isinstance(value, dict):
        return sorted((str(name), exact(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return [exact(part) for part in value]
    kind = type(value).__name__
    if isinstance(value, int | Decimal) and not isinstance(value, bool):  # a float never equals a whole number
        kind, value = "number", f"{Decimal(value):f}"
        value = value.rstrip("0").rstrip(".") if "." in value else value
    elif isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC)
    elif isinstance(value, UUID):
        kind = "str"
    return f"{kind} {value}"


def differing_columns(columns: Iterable[str], expected: Iterable[Any], found: Iterable[Any]) -> Counter[str]:
    """Counts the values that differ between two lists of rows in any order, by column. Contains no values.

    Args:
        columns: The names of the columns.
        expected: Rows as sequences of values.
        found: The same.
    """
    both = [sorted(([exact(value) for value in row] for row in rows), key=repr) for rows in (expected, found)]
    if len(both[0]) != len(both[1]):
        return Counter({f"{len(both[0])} rows expected, {len(both[1])} found": 1})
    return Counter(
        name
        for one, other in zip(*both, strict=True)
        for name, value, copied in zip(columns, one, other, strict=True)
        if value != copied
    )


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
