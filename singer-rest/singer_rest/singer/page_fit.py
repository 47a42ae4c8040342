"""Fits whole pages of records to a schema: what is done for a page, and not for each of its values.

Most values need no change. Whether a page holds only such values is checked at once, by converting it to structs made
from the schema. A column of other values is coerced on its own: timestamps always, other columns from the first page on
in which the check fails because of them. Any page that does not fit even so is left to `RecordConformer.conform`, which
fits record by record, keeps what the schema does not list, and gives the same result for a page that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec

from singer_rest.aliases import Record
from singer_rest.singer.coercion import Coercer, plain_type
from singer_rest.singer.row_types import (
    FLAT,
    MAX_NUMBER,
    NON_TEXT_TYPES,
    NUMBER,
    is_free_object,
    list_of,
    make_struct,
    row_type,
)
from singer_rest.singer.scalars import NOT_COERCIBLE, local_time, timestamp

Records = Sequence[Record]

UTC_TIMES = list[Annotated[datetime, msgspec.Meta(tz=True)] | None]
LOCAL_TIMES = list[Annotated[datetime, msgspec.Meta(tz=False)] | None]
UTC_LENGTHS = frozenset({len("2026-11-22T05:00:00Z"), len("2026-11-22T05:00:00.123456Z")})
"""A timestamp of another length has an offset from UTC."""
OFFSET = "+00:00"
LONGEST = len("2026-11-22T05:00:00.123456")


class PageFit:
    """Fits pages to a schema.

    Args:
        properties: The schemas of the columns.
        coercers: The columns' coercers.
        is_public: Whether an object in a column may have a field of a name.
    """

    def __init__(
        self,
        properties: Mapping[str, Mapping[str, Any]],
        coercers: Mapping[str, Coercer],
        is_public: Callable[[str, str], bool],
    ) -> None:
        self._plain_types = {name: plain_type(part) for name, part in properties.items()}
        self._coercers = coercers
        self._is_public = is_public
        self._free = {name for name, part in properties.items() if is_free_object(part)}
        self._types = {name: row_type(part, partial(is_public, name)) for name, part in properties.items()}
        self._loose: dict[str, Callable[[str, Records], bool]] = {}
        """The columns that are coerced on their own, with what does it."""
        for name in [name for name, kind in self._types.items() if kind is None]:
            self._relax_column_type(name)
        self._rows = self._row_list()

    def fit(self, records: Records) -> bool:
        """Fits the records of a page in place.

        Returns:
            Whether they fit. If not, some of their values may have been coerced.
        """
        if not all(coerce(name, records) for name, coerce in self._loose.items()):
            return False
        while not self._is_fitting(records):
            # No name is left to loosen if a field is not listed.
            misfits = [
                name for name, kind in self._types.items() if not _can_convert(_list_column_values(name, records), kind)
            ]
            if not misfits:
                return False
            for name in misfits:
                self._relax_column_type(name)
            self._rows = self._row_list()
            if not all(self._loose[name](name, records) for name in misfits):
                return False
        return True

    def _is_fitting(self, records: Records) -> bool:
        try:
            msgspec.convert(records, self._rows, builtin_types=NON_TEXT_TYPES)
        except (ValueError, RecursionError):  # also if a text holds half a character
            return False
        return all(are_in_range(_list_column_values(name, records)) for name in self._numbers)

    def _row_list(self) -> Any:  # noqa: ANN401 - a type
        self._numbers = [name for name, kind in self._types.items() if kind == NUMBER]
        row = make_struct("Row", {**self._types, **dict.fromkeys(self._loose, Any)})
        return list[row]  # type: ignore[valid-type]

    def _relax_column_type(self, name: str) -> None:
        del self._types[name]
        coercer = self._coercers[name]
        if coercer is timestamp:
            self._loose[name] = self._coerce_timestamps
        elif coercer is local_time:
            self._loose[name] = self._coerce_local_times
        elif name in self._free:
            self._loose[name] = self._coerce_free_objects
        else:
            self._loose[name] = self._coerce

    def _coerce(self, name: str, records: Records) -> bool:
        """Coerces a column as `RecordConformer.conform` does. Returns whether all values were coercible."""
        plain, coercer = self._plain_types[name], self._coercers[name]
        for record in records:
            value = record.get(name)
            if value is None or value.__class__ is plain:
                continue
            coerced = coercer(value)
            if coerced is NOT_COERCIBLE:
                return False
            if coerced is not value:
                record[name] = coerced
        return True

    def _coerce_timestamps(self, name: str, records: Records) -> bool:
        values = _list_column_values(name, records)
        found = utc_times(values)
        if found is None:
            return self._coerce(name, records)
        texts, _ = found
        if texts is not values:
            for record, text in zip(records, texts, strict=True):
                if text is not None:
                    record[name] = text
        return True

    def _coerce_local_times(self, name: str, records: Records) -> bool:
        return are_local_times(_list_column_values(name, records)) or self._coerce(name, records)

    def _coerce_free_objects(self, name: str, records: Records) -> bool:
        """Leaves objects as they are if none has an inner one, and none of their names is a secret's."""
        values = _list_column_values(name, records)
        if not _can_convert(values, FLAT):
            return self._coerce(name, records)
        names: set[str] = set().union(*filter(None, values))
        return all(self._is_public(name, inner) for inner in names) or self._coerce(name, records)


def utc_times(values: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """Converts the timestamps of a column, or null, to UTC.

    Returns:
        Their texts, which are the given ones if no timestamp changes, and the timestamps. None: they have to be coerced
        one by one.
    """
    found = [value for value in values if value is not None]
    if not found:
        return values, values
    try:
        is_long = max(map(len, found)) > LONGEST + len(OFFSET)
        times = msgspec.convert([*map(_truncate_to_microseconds, values)] if is_long else values, UTC_TIMES)
    except (TypeError, ValueError):
        return None
    texts: list[Any] = msgspec.to_builtins(times)
    if not {*map(len, filter(None, texts))} <= UTC_LENGTHS:
        return None
    if texts == values:
        return values, times
    if "".join(found).count(OFFSET) < len(found):  # some end with Z and may stay as they are
        return None
    return texts, times


def are_local_times(values: list[Any]) -> bool:
    """Whether the values of a column are timestamps without a zone, or null, that may stay as they are."""
    try:
        return bool(msgspec.to_builtins(msgspec.convert(values, LOCAL_TIMES)) == values)
    except ValueError:
        return False


def are_in_range(numbers: list[Any]) -> bool:
    """Whether numbers, or null, are finite as binary floating point."""
    found = [number for number in numbers if number is not None]
    return not found or (min(found) > -MAX_NUMBER and max(found) < MAX_NUMBER)


def _truncate_to_microseconds(value: Any) -> Any:  # noqa: ANN401 - what the vendor sent
    """Cuts off the digits beyond microseconds of a timestamp in UTC, which msgspec would round."""
    if value.__class__ is not str or not value.endswith(OFFSET):
        return value
    digits = value[LONGEST : -len(OFFSET)]
    return f"{value[:LONGEST]}{OFFSET}" if digits.isascii() and digits.isdecimal() else value


def _list_column_values(name: str, records: Records) -> list[Any]:
    return [record.get(name) for record in records]


def _can_convert(values: list[Any], kind: Any) -> bool:  # noqa: ANN401 - a type
    try:
        msgspec.convert(values, list_of(kind), builtin_types=NON_TEXT_TYPES)
    except (ValueError, RecursionError):  # also if a text holds half a character
        return False
    return kind != NUMBER or are_in_range(values)
