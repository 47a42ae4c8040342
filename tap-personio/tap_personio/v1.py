"""The base class of the streams of Personio's v1 API: its records, totals and values."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import Paginator, RowShape, SinglePage, TapError, parse_count, value_at_path
from typing_extensions import override

from tap_personio.client import PersonioStream
from tap_personio.values import NORMAL, as_list, make_normalizer, unwrap_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_rest import Authenticator, Record

    from tap_personio.client import PersonioTap


class V1Stream(PersonioStream):
    """An endpoint of Personio's v1 API."""

    pagination: ClassVar[Paginator] = SinglePage()
    records_path = "data"
    row_shape: ClassVar[RowShape] = RowShape(attributes="attributes", has_empty_values=False)

    _tap: PersonioTap

    @property
    @override
    def authenticator(self) -> Authenticator:
        return self._tap.v1_authenticator

    @override
    def find_items(self, body: Any) -> Any:
        if isinstance(body, dict) and body.get("success") is False:
            raise TapError(f"{self.name}: {self.path} reported a failure. Run again later.")
        return as_list(self.find_rows(body.get("data"))) if isinstance(body, dict) else None

    @override
    def find_total(self, body: Any) -> int | None:
        # The number of pages is sometimes wrong, but the number of records is not. It may be text, or missing.
        return parse_count(value_at_path(body, "metadata.total_elements"))

    def find_rows(self, data: Any) -> Any:  # noqa: ANN401 - what the API sends
        """Returns the list of records in the body's data."""
        return data

    @override
    def unwrap_record(self, record: Record) -> Record:
        unwrapped: Record = unwrap_value(record)
        return unwrapped

    @cached_property
    def _normalizers(self) -> Mapping[str, Callable[[Any], Any]]:
        return {name: make_normalizer(definition) for name, definition in self.effective_schema["properties"].items()}

    @override
    def process_records(self, records: list[Record]) -> list[Record]:
        normalizers = self._normalizers
        for row in records:
            values = row.values()
            if "" in values or [] in values:
                row.update({name: normalizers[name](value) for name, value in row.items() if name in normalizers})
        for name, normalize in normalizers.items():
            if kind := NORMAL.get(normalize):
                for row in records:
                    value = row.get(name)
                    if value.__class__ is not kind and name in row:
                        row[name] = normalize(value)
        return records
