"""What the taps read again after an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hr_webhooks.events.event import Event
from hr_webhooks.events.rereads import CORNERSTONE, FACTORIAL, PERSONIO, TABLES, reads_of
from singer_rest.slices.ids import ById
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.streams import streams_of
from tap_personio.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.events.rereads import Read

STREAM_TYPES = {
    "personio": {stream.name: stream for stream in STREAMS},
    "factorial": {stream.name: stream for stream in streams_of("2026-10-01")},
    "cornerstone": {
        name: type(stream)
        for name, stream in TapCornerstone(
            config={"views": ["vw_rpt_user", "vw_rpt_transcript"], "objects": ["users_core"], "corpname": "acme"},
            validate_config=False,
        ).streams.items()
    },
}


def reads() -> Iterator[tuple[str, Read]]:
    for vendor, table in TABLES.items():
        for ways in (ways for rule in table.values() for ways in rule):
            for read in ways:
                yield vendor, read


def test_the_streams_exist_and_can_be_read_so() -> None:
    for vendor, read in reads():
        stream = STREAM_TYPES[vendor][read.stream]
        assert read.by is None or isinstance(stream.by_id, ById), read


def event(subject: str, record_id: str | None = None, person_id: str | None = None) -> Event:
    return Event(id="1", subject_type=subject, subject_id=record_id, person_id=person_id)


def found(vendor: str, given: Event) -> list[tuple[str, str | None]]:
    return [(read.stream, record_id) for read, record_id in reads_of(vendor, given)]


def test_records_are_read_by_their_id() -> None:
    assert found("personio", event("person", "7", "7")) == [("persons", "7"), ("employees", "7")]
    assert found("personio", event("absence_period", "a")) == [("absence_periods", "a")]
    assert found("factorial", event("timeoff/leave", "5", "7")) == [("timeoff_leaves", "5")]
    assert found("cornerstone", event("employee", "7", "7"))[0] == ("employees", "7")


def test_events_without_an_id_read_what_has_changed() -> None:
    assert found("factorial", event("attendance/shift", None, "7")) == [("attendance_shifts", None)]
    assert found("personio", event("document", "d")) == [("documents", None)]
    assert found("personio", event("document", "d", "7")) == [("persons", "7")]
    assert found("cornerstone", event("training", "t", "7"))[0] == ("transcripts", None)


@pytest.mark.parametrize("subject", ["compensation", "unknown", None])
def test_nothing_is_read_for_unknown_kinds(subject: str | None) -> None:
    for vendor in TABLES:
        assert found(vendor, Event(id="1", subject_type=subject, subject_id="1")) == []


def test_nothing_is_read_without_an_id() -> None:
    assert found("personio", event("person")) == []


def test_the_tables_cover_the_documented_kinds() -> None:
    assert set(PERSONIO) == {"person", "employment", "absence_period", "attendance_period", "document"}
    assert len(FACTORIAL) == 32
    assert {"employee", "training"} <= set(CORNERSTONE)
