"""Descriptions of the columns of views and objects."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from tap_cornerstone.odata.metadata import OBJECT

if TYPE_CHECKING:
    from tap_cornerstone.odata.metadata import Column, EntitySet

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
"""The term for the values of each type in descriptions."""


class Descriptions(msgspec.Struct, frozen=True):
    """The content of `descriptions.json`. In the names of columns, `#` stands for a number.

    Args:
        rows: The noun for a row, by entity set, for sentences with `{row}`.
        streams: Sentences for columns of one entity set, or of several, separated by spaces.
        columns: Sentences for the columns of this name in all entity sets; those with `{row}` only for `rows`.
    """

    rows: dict[str, str]
    streams: dict[str, dict[str, str]]
    columns: dict[str, str]

    def columns_of(self, entity_set: str) -> dict[str, str]:
        """Returns the sentences for the columns of one entity set only, or of some."""
        groups = (columns for names, columns in self.streams.items() if entity_set in names.split())
        return {name: sentence for columns in groups for name, sentence in columns.items()}


@cache
def load_shipped() -> Descriptions:
    """Returns the descriptions of the columns that are known without a portal."""
    return msgspec.json.decode((files(__package__ or "") / "descriptions.json").read_bytes(), type=Descriptions)


def describe_columns(entity_set: EntitySet) -> dict[str, str]:
    """Returns the descriptions of all columns; of those that are not known, what the portal's metadata tells."""
    own, row = load_shipped().columns_of(entity_set.name), load_shipped().rows.get(entity_set.name)

    def find_sentence(name: str) -> str | None:
        sentence = own.get(name) or load_shipped().columns.get(name)
        return sentence.replace("{row}", row or "") if sentence and (row or "{row}" not in sentence) else None

    return {
        name: find_sentence(name) or _with_label(find_sentence(NUMBER.sub("#", name)), column)
        for name, column in entity_set.columns.items()
    }


def _with_label(sentence: str | None, column: Column) -> str:
    """Returns the sentence of a column that is known by its kind only, or not at all."""
    if sentence:
        return f'{sentence} Its label is "{column.label}".' if column.label else sentence
    kind = "List" if column.type.startswith("Collection(") else TYPE_NAMES.get(column.type, "Value")
    return f'{kind} with the label "{column.label}" in the portal.' if column.label else f"{kind}; {NAME_AND_TYPE}"
