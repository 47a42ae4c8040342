"""The filter that selects rows of a view or object by their key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from singer_rest import ById, Slice
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_cornerstone.odata.metadata import EntitySet

FILTER = "$filter"
LITERALS = {
    **dict.fromkeys(("Edm.Byte", "Edm.Int16", "Edm.Int32", "Edm.Int64"), re.compile(r"-?\d{1,19}", re.ASCII)),
    "Edm.Guid": re.compile(r"[\da-fA-F]{8}(-[\da-fA-F]{4}){3}-[\da-fA-F]{12}"),
}
"""The patterns of values that are written without quotes, by type."""


@dataclass(frozen=True)
class KeyFilter(ById):
    """Selects rows by the values of the only column of their key.

    Args:
        column: The column.
        type: Its OData type.
    """

    column: str
    type: str
    size = 25  # a GUID and its comparison take 60 characters of the URL

    @override
    def make_slice(self, ids: Sequence[str]) -> Slice:
        return Slice(params={FILTER: " or ".join(f"{self.column} eq {self._format_literal(value)}" for value in ids)})

    def _format_literal(self, value: str) -> str:
        if self.type == "Edm.String":
            return "'{}'".format(value.replace("'", "''"))
        if not LITERALS[self.type].fullmatch(value):
            raise ValueError(f"{self.column} is of type {self.type}.")
        return value


def key_filter(entity_set: EntitySet) -> KeyFilter | None:
    """Returns the filter for a view or object. None if its key has several columns, or cannot be used in a filter."""
    if len(entity_set.key) != 1:
        return None
    (name,) = entity_set.key
    column = entity_set.columns.get(name)
    is_usable = column is not None and column.filterable and column.type in {"Edm.String", *LITERALS}
    return KeyFilter(name, column.type) if column and is_usable else None
