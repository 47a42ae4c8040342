"""Reads whole pages into RECORD lines without a dictionary per record.

A page is decoded into structs made from the schema, which accept only values that need no coercion, and the structs are
encoded again. Timestamps are coerced column by column. Any other page is read the exact way: into dictionaries, which
`RecordConformer` fits. Both give the same records.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Raw, UnsetType

from singer_rest.fetch.page import FittedRecords, StructRows
from singer_rest.http.request import DECODER
from singer_rest.singer.coercion import Coercion, types_of
from singer_rest.singer.messages import encode_lines
from singer_rest.singer.page_fit import are_in_range, are_local_times, utc_times
from singer_rest.singer.page_rows import ID, PageRows, RowShape, make_wrapper_struct
from singer_rest.singer.row_types import FLAT, INTEGER, NUMBER, is_free_object, row_type
from singer_rest.singer.scalars import local_time, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from singer_rest.aliases import Record
    from singer_rest.privacy.stream_privacy import StreamPrivacy

    Schema = Mapping[str, Any]

MAX_BYTES = 1024 * 1024
"""Maximum size of a page. The records of larger ones are fitted and written in parts."""
MAX_MISFITS = 5
"""Number of consecutive pages that do not fit, after which no further page is tried."""
TEXT = Annotated[str, msgspec.Meta(min_length=1)]
NUMBERS = frozenset({int, Decimal, type(None)})

_members = msgspec.json.Decoder(dict[str, Raw])
_first = msgspec.json.Decoder(list[dict[str, Raw]])


class PageReader:
    """Reads the pages of one stream. Used by several threads.

    Args:
        properties: The schemas of the columns.
        keys: The primary keys.
        replication_key: The column of the bookmark, if any.
        records_path: The member of the body that holds the records.
        shape: How the records differ from the rows.
        is_public: Whether an object in a column may have a field of a name.
        privacy: The stream under the privacy profile. None: all values are loaded.
    """

    def __init__(
        self,
        properties: Mapping[str, Schema],
        keys: Sequence[str],
        replication_key: str | None = None,
        *,
        records_path: str,
        shape: RowShape,
        is_public: Callable[[str, str], bool],
        privacy: StreamPrivacy | None = None,
    ) -> None:
        self._properties = properties
        self._keys = keys
        self._replication_key = replication_key
        self._records_path = records_path
        self._shape = shape
        self._is_public = is_public
        self._privacy = privacy
        coercers = {name: Coercion().of(part) for name, part in properties.items()}
        self._timestamps = [name for name, coercer in coercers.items() if coercer is timestamp]
        self._local_times = [name for name, coercer in coercers.items() if coercer is local_time]
        self._objects = [name for name, part in properties.items() if is_free_object(part)]
        self._numbers = [name for name, part in properties.items() if self._row_type(name, part) == NUMBER]
        # Keys and bookmarks are compared with those of pages that are read the exact way.
        is_known = set(properties).issuperset([*keys, ID] if shape.attributes else keys)
        self._can_read = (
            is_known
            # Without keys, two pages could be alike in what the privacy profile leaves of them.
            and (privacy is None or bool(keys))
            and bool(records_path)
            and "." not in records_path
            and all(self._row_type(key, properties[key]) in (str, INTEGER) for key in keys)
            and (replication_key is None or replication_key in self._timestamps)
        )
        self._misfits = 0
        self._rows: PageRows | None = None

    def read(self, body: bytes, load: Callable[[], Sequence[Record]]) -> dict[str, Any] | None:
        """Reads a page.

        Args:
            body: The body of the response.
            load: Reads its records the exact way.

        Returns:
            The decoded body, with `StructRows` in place of the records. None if it has to be read the exact way.
        """
        if not self._can_read or self._misfits >= MAX_MISFITS or len(body) > MAX_BYTES:
            return None
        try:
            members = _members.decode(body)
            page = bytes(members.pop(self._records_path, b"[]"))
            if page == b"[]":
                return None
            rows = self._rows = self._rows or self._rows_like(page)
            structs = rows.decode(page)
            records = self._fit_rows(rows, structs, load)
            read: dict[str, Any] = {name: DECODER.decode(value) for name, value in members.items()}
        except (ValueError, ArithmeticError, RecursionError):  # also if a text holds half a character
            self._misfits += 1
            return None
        self._misfits = 0
        read[self._records_path] = StructRows(structs, records)
        return read

    def _fit_rows(self, rows: PageRows, structs: list[Any], load: Callable[[], Sequence[Record]]) -> FittedRecords:
        """Coerces the columns that are coerced on their own, and encodes the rows.

        Raises:
            ValueError: If a value does not fit.
        """
        latest = None
        for name in self._timestamps:
            values = rows.column(name, structs)
            found = utc_times(values)
            _raise_unless(found is not None)
            texts, times = found or ([], [])
            if texts is not values:
                rows.replace(name, structs, texts)
            if name == self._replication_key:
                _raise_unless(None not in times)
                latest = max(times)
        for name in self._local_times:
            _raise_unless(are_local_times(rows.column(name, structs)))
        for name in self._numbers:
            values = rows.column(name, structs)
            _raise_unless({*map(type, values)} <= NUMBERS and are_in_range(values))
        for name in self._objects:
            values = rows.column(name, structs)
            if self._shape.attributes and any(values):
                values = [value and value.unwrapped() for value in values]
                rows.replace(name, structs, values)
            _raise_unless(all(self._is_public(name, inner) for inner in set().union(*filter(None, values))))
        keys = [rows.column(name, structs) for name in self._keys]
        kept = structs
        if self._privacy:
            columns = StructColumns(rows, structs)
            self._privacy.apply(columns)
            kept = columns.structs
        withheld = len(structs) - len(kept)
        return FittedRecords(len(structs), encode_lines(kept), keys, latest, load, withheld=withheld)

    def _rows_like(self, page: bytes) -> PageRows:
        """Returns rows whose fields are in the order of a page's first record, as they would be in its line."""
        first = _first.decode(page)[0]
        inner = first.get(self._shape.attributes or "")
        names = [*first, *(_members.decode(inner) if inner else ()), *self._properties]
        return PageRows({name: self._field_type(name) for name in names if name in self._properties}, self._shape)

    def _row_type(self, name: str, part: Schema) -> Any:  # noqa: ANN401 - a type
        return row_type(part, partial(self._is_public, name))

    def _field_type(self, name: str) -> Any:  # noqa: ANN401 - a type
        """Returns the type of a column's values in a page that fits. Without one, only null does."""
        part, is_strict = self._properties[name], not self._shape.has_empty_values
        if name in self._numbers:
            return Any
        kind = str if name in (*self._timestamps, *self._local_times) else self._row_type(name, part)
        if name in self._objects:
            kind = make_wrapper_struct(self._shape, FLAT, Any) if self._shape.attributes else FLAT
        elif not _keeps_order(part, is_wrapped=self._shape.attributes is not None):
            kind = None
        if is_strict and "array" in types_of(part):
            return UnsetType if kind is None else kind | UnsetType
        return (TEXT if is_strict and kind is str else kind) | UnsetType | None


class StructColumns:
    """The columns of rows, for a privacy profile.

    Args:
        rows: Gives access to the columns.
        structs: The rows, which are changed in place.
    """

    def __init__(self, rows: PageRows, structs: list[Any]) -> None:
        self._rows = rows
        self.structs = structs

    def values(self, name: str) -> list[Any]:
        """Returns the values of a column, as they are in JSON. Those that are missing are null."""
        if name not in self._rows.names:
            return [None] * len(self.structs)
        found: list[Any] = msgspec.to_builtins(self._rows.column(name, self.structs), builtin_types=(Decimal,))
        return found

    def replace(self, name: str, values: list[Any]) -> None:
        """Replaces the values of a column. Those that are missing stay so."""
        if name in self._rows.names:
            self._rows.replace_all(name, self.structs, values)

    def keep_rows(self, kept: Iterable[bool]) -> None:
        """Drops the other rows."""
        self.structs = [*compress(self.structs, kept)]

    def keep_columns(self, kept: Collection[str]) -> int:
        """Drops the other columns. All values have one."""
        for name in self._rows.names:
            if name not in kept:
                self._rows.drop(name, self.structs)
        return 0


def _keeps_order(part: Schema, *, is_wrapped: bool) -> bool:
    """Whether a struct is encoded like the value: objects with several fields could be in another order."""
    properties = part.get("properties") or {}
    if properties and (is_wrapped or len(properties) > 1):
        return False
    parts = [*properties.values(), *([part["items"]] if part.get("items") else [])]
    return all(_keeps_order(inner, is_wrapped=is_wrapped) for inner in parts)


def _raise_unless(fits: bool) -> None:  # noqa: FBT001
    if not fits:
        raise ValueError
