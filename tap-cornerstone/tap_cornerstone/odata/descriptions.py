"""Descriptions of the columns of views and objects."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from tap_cornerstone.odata.metadata import OBJECT

if TYPE_CHECKING:
    from tap_cornerstone.odata.metadata import Column

NUMBER = re.compile(r"\d+")
NAME_AND_TYPE = "the portal's metadata tells only the name and the type."
TYPE_NAMES = {
    "Edm.Boolean": "Boolean",
    "Edm.Byte": "Integer",
    "Edm.SByte": "Integer",
    "Edm.Int16": "Integer",
    "Edm.Int32": "Integer",
    "Edm.Int64": "Integer",
    "Edm.Decimal": "Decimal number",
    "Edm.Double": "Number",
    "Edm.Single": "Number",
    "Edm.DateTimeOffset": "Timestamp, UTC",
    "Edm.Date": "Date",
    "Edm.Guid": "GUID",
    "Edm.String": "Text",
    "Edm.TimeOfDay": "Time of day",
    "Edm.Duration": "Duration",
    "Edm.Binary": "Binary value",
    OBJECT: "Object",
}
"""What the values of a type are called in a description."""


class Descriptions(msgspec.Struct, frozen=True):
    """The content of `descriptions.json`. In the names of columns, `#` stands for a number.

    Args:
        rows: What a row is, by entity set, for sentences with `{row}`.
        streams: Sentences for the columns of one entity set.
        columns: Sentences for the columns of this name in all entity sets; those with `{row}` only for `rows`.
    """

    rows: dict[str, str]
    streams: dict[str, dict[str, str]]
    columns: dict[str, str]

    def find(self, entity_set: str, column: str) -> str | None:
        """Returns the sentence for a column, or None if there is none."""
        sentence = self.streams.get(entity_set, {}).get(column) or self.columns.get(column)
        row = self.rows.get(entity_set)
        return sentence.replace("{row}", row or "") if sentence and (row or "{row}" not in sentence) else None


@cache
def shipped() -> Descriptions:
    """Returns the descriptions of the columns that are known without a portal."""
    return msgspec.json.decode((files(__package__ or "") / "descriptions.json").read_bytes(), type=Descriptions)


def describe(entity_set: str, name: str, column: Column) -> str:
    """Returns the description of a column; of one that is not known, what the portal's metadata tells."""
    descriptions = shipped()
    if known := descriptions.find(entity_set, name):
        return known
    if numbered := descriptions.find(entity_set, NUMBER.sub("#", name)):
        return f'{numbered} Its label is "{column.label}".' if column.label else numbered
    kind = "List" if column.type.startswith("Collection(") else TYPE_NAMES.get(column.type, "Value")
    return f'{kind} with the label "{column.label}" in the portal.' if column.label else f"{kind}; {NAME_AND_TYPE}"
