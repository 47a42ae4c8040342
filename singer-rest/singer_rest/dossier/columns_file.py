"""The columns as CSV: a line per stream and path."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest.dossier.inventory import Column, Inventory

HEAD = ("stream", "path", "key", "class", "refers_to", "action", "not_loaded_because", "permission", "description")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet begins a formula."""


def to_csv(inventory: Inventory) -> str:
    """Returns a line per stream and path, loaded or not."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for table in inventory.tables:
        for column in table.columns:
            cells = (
                table.name,
                column.path,
                "key" if column.is_key else "",
                column.protection.name,
                _describe_reference(column),
                column.action if column.is_loaded else "drop",
                column.reason,
                table.permission or "",
                column.description,
            )
            writer.writerow([_escape_cell(cell) for cell in cells])
    return text.getvalue()


def _describe_reference(column: Column) -> str:
    """Returns the kind of people that a column identifies, and when it does."""
    conditions = (column.refers_to.get("when") or {}).items()
    return " if ".join(filter(None, [column.subjects, *(f"{name}={value}" for name, value in conditions)]))


def _escape_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
