"""Fits records to their stream's schema without losing data, and removes secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.singerlib import SelectionMask

from singer_rest.singer.coercion import Coercion, plain_type
from singer_rest.singer.messages import encode
from singer_rest.singer.page_fit import PageFit
from singer_rest.singer.scalars import NOT_COERCIBLE, as_extra
from singer_rest.singer.schemas import EXTRA

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from singer_rest.aliases import Record

MAX_TRACKED_KEYS = 200_000
"""Maximum number of keys of the slices under way that are remembered to detect repeated records: some 20 MB. Beyond it,
repeats are left to the loader's upsert.
"""

RECORDS_AT_ONCE = 250
"""Number of records of a large page that are fitted together: so few that the processor's caches hold them."""


class RecordConformer:
    """Fits records to a stream's schema.

    Fields that the schema does not list, and values that cannot be converted to their column's type, are kept in the
    object `_extra` under their own names. So is a field that the vendor itself calls `_extra`.

    Args:
        schema: The stream's JSON Schema.
        keys: Its primary keys.
        look_alikes: Fields whose names look like secrets, but are not.
        free_names: Columns in which the customer names the fields, which are not checked for secrets.
        mask: The user's selection. Deselected fields are not kept.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        keys: Sequence[str],
        *,
        look_alikes: Collection[str] = (),
        free_names: Collection[str] = (),
        mask: SelectionMask | None = None,
    ) -> None:
        properties = {name: part for name, part in schema["properties"].items() if name != EXTRA}
        self._checked, self._unchecked = Coercion(look_alikes), Coercion(checks_names=False)
        self._known = properties.keys()
        self._free_names = free_names
        self._plain_types = {name: plain_type(part) for name, part in properties.items()}
        self._coercers = {name: self._coercion(name).of(part) for name, part in properties.items()}
        self._pages = PageFit(properties, self._coercers, lambda column, name: self._coercion(column).is_public(name))
        self._keys = keys
        self._mask = mask or SelectionMask()
        self.keeps_extra = self._mask["properties", EXTRA]
        self.unlisted: set[str] = set()
        self.misfits: set[str] = set()
        """Columns with values of another type, which are in `_extra`."""
        self.repeated = 0
        self.keyless = 0
        self.tracks_all_keys = True
        self._seen_keys: set[int] = set()
        self._keys_held = 0

    @property
    def secrets(self) -> Collection[str]:
        """Names of the fields that were dropped as secrets."""
        return self._checked.secrets

    def _coercion(self, name: str) -> Coercion:
        return self._unchecked if name in self._free_names else self._checked

    def start_page(self, memory: dict[str, Any]) -> None:
        """Continues a slice: a record may repeat in another slice, but not within one.

        Args:
            memory: What is remembered of the slice's earlier pages.
        """
        self._seen_keys = memory.setdefault("seen_keys", set())

    def end_slice(self, memory: dict[str, Any]) -> None:
        """Forgets the keys of a slice."""
        self._keys_held -= len(memory.pop("seen_keys", ()))

    def conform_page(self, records: list[Record]) -> list[Record]:
        """Fits the records of a page to the schema and checks their keys, with the result of `conform` for each."""
        if len(records) > RECORDS_AT_ONCE:
            starts = range(0, len(records), RECORDS_AT_ONCE)
            parts = (self.conform_page(records[start : start + RECORDS_AT_ONCE]) for start in starts)
            return [record for part in parts for record in part]
        if not self._pages.fit(records):
            return [self.conform(record) for record in records]
        self.check_keys([[record.get(name) for record in records] for name in self._keys])
        return records

    def conform(self, record: Record) -> Record:
        """Fits a record to the schema and checks its key."""
        extra: Record = {}
        if not record.keys() <= self._known:
            extra = {name: record.pop(name) for name in sorted(record.keys() - self._known)}
            self._keep_unlisted_fields(extra)
        plain_types, coercers = self._plain_types, self._coercers
        for name, value in record.items():
            if value is None or value.__class__ is plain_types[name]:
                continue
            coerced = coercers[name](value)
            if coerced is NOT_COERCIBLE:
                self._keep_misfit(name, value, extra)
                record[name] = None
            elif coerced is not value:
                record[name] = coerced
        if extra:
            record[EXTRA] = extra
        if self._keys:
            self._check_key(tuple([record.get(name) for name in self._keys]))
        return record

    def _keep_unlisted_fields(self, extra: Record) -> None:
        self._checked.drop_secrets(extra)
        for name, value in extra.items():
            extra[name] = as_extra(self._coercion(name).clean(value))
        self.unlisted |= extra.keys()

    def _keep_misfit(self, name: str, value: Any, extra: Record) -> None:  # noqa: ANN401
        place = ("properties", name)
        if not self._mask[place]:
            return
        # Only if a part of it is deselected: the SDK recurses, and a vendor may nest values at any depth.
        partly_deselected = any(not selected and part[: len(place)] == place for part, selected in self._mask.items())
        if partly_deselected and isinstance(value, dict):
            pop_deselected_record_properties(value, {}, self._mask, place)
        extra[name] = as_extra(self._coercion(name).clean(value))
        self.misfits.add(name)

    def check_keys(self, columns: Sequence[Sequence[Any]]) -> None:
        """Checks the keys of the records of a page.

        Args:
            columns: The values of each key. Empty if there are no keys.
        """
        if not columns:
            return
        try:
            keys = {*map(hash, zip(*columns, strict=True))}
        except TypeError:
            keys = set()
        is_tracked = self._keys_held + len(keys) <= MAX_TRACKED_KEYS and self._seen_keys.isdisjoint(keys)
        if is_tracked and len(keys) == len(columns[0]) and not any(None in column for column in columns):
            self._seen_keys |= keys
            self._keys_held += len(keys)
            return
        for values in zip(*columns, strict=True):
            self._check_key(values)

    def _check_key(self, values: tuple[Any, ...]) -> None:
        if None in values:
            self.keyless += 1
            return
        try:
            key = hash(values)
        except TypeError:
            key = hash(encode(values))
        if key in self._seen_keys:
            self.repeated += 1
        elif self._keys_held < MAX_TRACKED_KEYS:
            self._seen_keys.add(key)
            self._keys_held += 1
        else:
            self.tracks_all_keys = False
