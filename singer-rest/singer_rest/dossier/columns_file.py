"""The columns as CSV: a line per stream and path."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest.dossier.inventory import Inventory

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
                column.subjects,
                column.action if column.is_loaded else "drop",
                column.reason,
                table.permission or "",
                column.description,
            )
            writer.writerow([_escape_cell(cell) for cell in cells])
    return text.getvalue()


def _escape_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
