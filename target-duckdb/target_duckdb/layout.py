"""The decoders for the records of one schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_duckdb.columns import Column
    from target_duckdb.fast_decode import LinesDecoder
    from target_duckdb.flatten import Flattener
    from target_duckdb.records import RecordDecoder


@dataclass
class Layout:
    """Columns and decoders of one schema. Cached, because some taps alternate between schemas.

    Attributes:
        columns: The columns of the schema, widened where values needed it.
        declared_types: The types declared by the schema, by property.
        descriptions: The schema's description of each property, and of the stream under the name None.
        decoder: Decodes single records.
        ignored: Names of fields in records that the schema does not list.
        flattener: Flattens records, if flattening is on.
        run_decoder: Decodes consecutive lines together. None until it is needed.
    """

    columns: tuple[Column, ...]
    declared_types: dict[str, str]
    descriptions: dict[str | None, str | None]
    decoder: RecordDecoder
    ignored: set[str]
    flattener: Flattener | None = None
    lines_decoder: LinesDecoder | None = None
