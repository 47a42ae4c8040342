"""The streams: the events of one vendor each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from singer_rest.privacy.stream_privacy import RecordColumns
from singer_rest.privacy.tap_privacy import TapPrivacy
from singer_rest.singer.messages import record_lines
from singer_sdk import Stream
from singer_sdk.mapper import SameRecordTransform

from hr_webhooks.events import read_events
from hr_webhooks.tap.schemas import make_schema

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from datetime import datetime

    from singer_rest.privacy.stream_privacy import StreamPrivacy
    from singer_rest.singer.messages import MessageWriter
    from singer_sdk.singerlib import SchemaMessage

    from hr_webhooks.config import Vendor
    from hr_webhooks.journal import Entry
    from hr_webhooks.tap.journal_tap import JournalTap

POSITION = "position"
PACKAGE = "hr_webhooks"


class EventStream(Stream):
    """The events of a vendor.

    Args:
        tap: The tap.
        vendor: The vendor.
    """

    primary_keys = (POSITION, "record")
    replication_key = POSITION
    is_sorted = True
    _tap: JournalTap

    def __init__(self, tap: JournalTap, vendor: Vendor) -> None:
        self.vendor = vendor
        self.row_count = 0
        config = tap.config
        self.tap_privacy = TapPrivacy(config, vendor, PACKAGE)
        self._has_payload = bool(config.get("payload", True))
        name = f"{vendor}_events"
        schema = make_schema(vendor, with_payload=self._has_payload)
        self._privacy: StreamPrivacy | None = None
        if self.tap_privacy.is_active:
            self._privacy = self.tap_privacy.compiler.compile(name, schema, self.primary_keys, POSITION)
            schema = {**schema, "properties": self._privacy.schema["properties"]}
        super().__init__(tap, schema=schema, name=name)

    @property
    def position(self) -> int:
        """The position of the last entry that earlier runs have read. 0: none."""
        found = self.stream_state.get(POSITION)
        return found if isinstance(found, int) and not isinstance(found, bool) else 0

    @position.setter
    def position(self, value: int) -> None:
        self.stream_state[POSITION] = value

    def get_records(self, context: object) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        """Yields the rows since the last run, for a connection test. The sync itself reads all streams at once."""
        for entry in self._tap.read_journal(self.position):
            if entry.vendor == self.vendor and self._tap.includes(entry):
                yield from map(_decode_payload, self.make_rows(entry))

    def make_rows(self, entry: Entry) -> list[dict[str, Any]]:
        """Returns the rows of a request of this vendor."""
        rows: list[dict[str, Any]] = []
        for record, event in enumerate(read_events(entry)):
            row: dict[str, Any] = {
                POSITION: entry.n,
                "record": record,
                "id": event.id,
                "tenant": entry.tenant,
                "type": event.type if event.payload is not None else None,
                "action": event.action,
                "received_at": entry.received,
                "happened_at": event.happened_at,
                "subject_type": event.subject_type,
                "subject_id": event.subject_id,
                "person_id": event.person_id,
                "source": entry.source,
                **event.details,
            }
            if self._has_payload:
                row["payload"], row["body"] = event.payload, event.text
            rows.append(row)
        return rows

    def write_rows(self, rows: list[dict[str, Any]], writer: MessageWriter, extracted: datetime) -> None:
        """Writes rows as RECORD messages."""
        if self._privacy and rows:
            columns = RecordColumns(rows)
            self._privacy.apply(columns)
            rows = columns.records
        self.row_count += len(rows)
        if self._is_unmapped:
            writer.write_lines(record_lines(self.name, rows, None, extracted))
            return
        for row in rows:
            for message in self._generate_record_messages(_decode_payload(row)):
                message.time_extracted = extracted
                self._tap.write_message(message)

    def write_schema(self) -> None:
        """Writes the SCHEMA message."""
        self._write_schema_message()

    @cached_property
    def _is_unmapped(self) -> bool:
        return all(self.mask.values()) and all(
            type(item) is SameRecordTransform and not item.flattening_enabled for item in self.stream_maps
        )

    def _generate_schema_messages(self) -> Generator[SchemaMessage]:
        for message in super()._generate_schema_messages():
            message.schema = self.tap_privacy.classification.annotated(self.name, message.schema)
            yield message


def _decode_payload(row: dict[str, Any]) -> dict[str, Any]:
    payload = row.get("payload")
    return {**row, "payload": msgspec.json.decode(payload)} if isinstance(payload, msgspec.Raw) else row
