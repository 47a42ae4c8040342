"""Records brought to their stream's schema: nothing is lost, nothing that is a secret leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.singerlib import SelectionMask

from singer_rest.singer.coercion import Coercion, plain_type
from singer_rest.singer.messages import encode
from singer_rest.singer.scalars import NOT_COERCIBLE, as_extra
from singer_rest.singer.schemas import EXTRA

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from singer_rest.aliases import Record

MAX_TRACKED_KEYS = 200_000
"""Keys of a slice that are remembered to find those that come again: some 20 MB. Those beyond it are not looked for; a
loader's upsert has to do."""


class RecordConformer:
    """Fits records to a stream's schema.

    What the schema does not list, and what is of another type than its column and cannot be brought to it, is kept in
    the object `_extra`, under its own name; so is a field that the vendor itself calls `_extra`.

    Args:
        schema: The stream's JSON Schema.
        keys: Its primary keys.
        look_alikes: Fields that only look like secrets by their names.
        free_names: Columns in which the customer names the fields: none is a secret by our judgement.
        mask: What the user selected; nothing is kept of what is not.
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
        self._judged, self._free = Coercion(look_alikes), Coercion(judges=False)
        self._known = properties.keys()
        self._free_names = free_names
        self._as_it_is = {name: plain_type(part) for name, part in properties.items()}
        self._coercers = {name: self._coercion(name).of(part) for name, part in properties.items()}
        self._keys = keys
        self._mask = mask or SelectionMask()
        self.keeps_extra = self._mask["properties", EXTRA]
        self.unlisted: set[str] = set()
        self.misfits: set[str] = set()
        """Columns with values of another type, which are in `_extra`."""
        self.repeated = 0
        self.keyless = 0
        self.tracks_all_keys = True
        self._seen: set[int] = set()

    @property
    def secrets(self) -> Collection[str]:
        """Fields that were dropped, for they are secrets by their names."""
        return self._judged.secrets

    def _coercion(self, name: str) -> Coercion:
        return self._free if name in self._free_names else self._judged

    def start_slice(self) -> None:
        """Forget the keys of the slice before: a record may come again in another slice."""
        self._seen.clear()

    def conform(self, record: Record) -> Record:
        """Bring a record to the schema, and check its key."""
        extra: Record = {}
        if not record.keys() <= self._known:
            extra = {name: record.pop(name) for name in sorted(record.keys() - self._known)}
            self._keep_unlisted(extra)
        as_it_is, coercers = self._as_it_is, self._coercers
        for name, value in record.items():
            if value is None or value.__class__ is as_it_is[name]:
                continue
            found = coercers[name](value)
            if found is NOT_COERCIBLE:
                self._keep_misfit(name, value, extra)
                record[name] = None
            elif found is not value:
                record[name] = found
        if extra:
            record[EXTRA] = extra
        if self._keys:
            self._check_key(record)
        return record

    def _keep_unlisted(self, extra: Record) -> None:
        self._judged.drop_secrets(extra)
        for name, value in extra.items():
            extra[name] = as_extra(self._coercion(name).clean(value))
        self.unlisted |= extra.keys()

    def _keep_misfit(self, name: str, value: Any, extra: Record) -> None:  # noqa: ANN401
        place = ("properties", name)
        if not self._mask[place]:
            return
        # Only where a part of it is not selected: the SDK looks by recursion, and a vendor may nest without end.
        within = any(not selected and part[: len(place)] == place for part, selected in self._mask.items())
        if within and isinstance(value, dict):
            pop_deselected_record_properties(value, {}, self._mask, place)
        extra[name] = as_extra(self._coercion(name).clean(value))
        self.misfits.add(name)

    def _check_key(self, record: Record) -> None:
        values = tuple([record.get(name) for name in self._keys])
        if None in values:
            self.keyless += 1
            return
        try:
            key = hash(values)
        except TypeError:
            key = hash(encode(values))
        if key in self._seen:
            self.repeated += 1
        elif len(self._seen) < MAX_TRACKED_KEYS:
            self._seen.add(key)
        else:
            self.tracks_all_keys = False
