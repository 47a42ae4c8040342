"""The rows of a page as structs of msgspec."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ID = "id"


@dataclass(frozen=True)
class RowShape:
    """The differences between a vendor's records and the rows that are made from them.

    Args:
        attributes: The member that holds the fields of a record or object, except its id. None: they are not wrapped.
        ignored: The member beside it that is dropped.
        has_empty_values: Whether empty texts, and null in place of a list, are kept as they are.
    """

    attributes: str | None = None
    ignored: str = "type"
    has_empty_values: bool = True


class PageRows:
    """The structs of a page's rows.

    Args:
        types: The types of their fields, in order.
        shape: How the vendor's records differ from them.
    """

    def __init__(self, types: Mapping[str, Any], shape: RowShape) -> None:
        # The fields have other names than the columns: a column may be called `class` or `first name`.
        self._names = {name: f"field_{place}" for place, name in enumerate(types)}
        self._getters = {name: attrgetter(field) for name, field in self._names.items()}
        fields = [(field, types[name], UNSET) for name, field in self._names.items()]
        rename = {field: name for name, field in self._names.items()}
        row = msgspec.defstruct("Row", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        self._is_wrapped = shape.attributes is not None
        kind: Any = make_wrapper_struct(shape, row, types[ID]) if self._is_wrapped else row
        self._decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[kind], float_hook=Decimal)

    def decode(self, page: bytes) -> list[Any]:
        """Decodes the records of a page."""
        records = self._decoder.decode(page)
        if not self._is_wrapped:
            return records
        rows = [record.fields for record in records]
        own_ids = zip(self._values(ID, rows), records, strict=True)
        self._set(ID, rows, [record.id if own is UNSET else own for own, record in own_ids])
        return rows

    def column(self, name: str, rows: list[Any]) -> list[Any]:
        """Returns the values of a column. Those that are missing are None."""
        values = self._values(name, rows)
        return [None if value is UNSET else value for value in values] if UNSET in values else values

    def replace(self, name: str, rows: list[Any], values: list[Any]) -> None:
        """Replaces the values of a column, except those that are null or missing."""
        if None not in values:
            self._set(name, rows, values)
            return
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                setattr(row, self._names[name], value)

    def drop(self, name: str, rows: list[Any]) -> None:
        """Drops a column."""
        self._set(name, rows, repeat(UNSET))

    @property
    def names(self) -> Collection[str]:
        """The names of the columns."""
        return self._names

    def replace_all(self, name: str, rows: list[Any], values: list[Any]) -> None:
        """Replaces the values of a column, except those that are missing."""
        before = self._values(name, rows)
        if UNSET in before:
            values = [UNSET if old is UNSET else new for old, new in zip(before, values, strict=True)]
        self._set(name, rows, values)

    def _values(self, name: str, rows: list[Any]) -> list[Any]:
        return [*map(self._getters[name], rows)]

    def _set(self, name: str, rows: list[Any], values: Iterable[Any]) -> None:
        """Sets a column in a loop that is not Python's."""
        deque(map(setattr, rows, repeat(self._names[name]), values), maxlen=0)


def make_wrapper_struct(shape: RowShape, kind: Any, id_type: Any) -> Any:  # noqa: ANN401 - types
    """Returns the struct of a wrapped record or object."""
    return msgspec.defstruct(
        "Wrapped",
        [("fields", kind), ("id", id_type, UNSET), ("ignored", Any, UNSET)],
        rename={"fields": shape.attributes or "", "id": ID, "ignored": shape.ignored},
        namespace={"unwrapped": lambda self: self.fields if self.id is UNSET else {ID: self.id, **self.fields}},
        forbid_unknown_fields=True,
        gc=False,
    )
