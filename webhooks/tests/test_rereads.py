"""What the taps read again after an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from hr_webhooks.events.event import Event
from hr_webhooks.events.rereads import CORNERSTONE, FACTORIAL, PERSONIO, TABLES, reads_of
from hr_webhooks.follow.plan import Plan
from singer_rest.slices.ids import ById
from singer_rest.testing import shorten_waits, sync_streams
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.streams import streams_of
from tap_factorial.tap import TapFactorial
from tap_personio.streams import STREAMS
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.events.rereads import Read
    from singer_rest import RestTap

STREAM_TYPES = {
    "personio": {stream.name: stream for stream in STREAMS},
    "factorial": {stream.name: stream for stream in streams_of("2026-10-01")},
    "cornerstone": {
        name: type(stream)
        for name, stream in TapCornerstone(
            config={
                "views": ["vw_rpt_user", "vw_rpt_transcript"],
                "objects": ["transcript_core", "users_core"],
                "corpname": "acme",
            },
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


def test_what_can_be_read_by_id_is() -> None:
    """The ways without an id are for streams without records by id, or come after a way with one."""
    by_id = {(vendor, read.stream) for vendor, read in reads() if read.by}
    for vendor, read in reads():
        assert read.by or (vendor, read.stream) in by_id or not STREAM_TYPES[vendor][read.stream].by_id, read


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


# The real taps against the sandbox


CONFIGS: dict[str, dict[str, Any]] = {
    "personio": {"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
    "factorial": {"api_key": "sandbox-api-key"},
    "cornerstone": {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "views": ["vw_rpt_user", "vw_rpt_transcript"],
        "objects": ["transcript_core", "users_core"],
    },
}
TAPS: dict[str, type[RestTap]] = {"personio": TapPersonio, "factorial": TapFactorial, "cornerstone": TapCornerstone}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(employees=30, requests_per_minute=600_000) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("vendor", TABLES)
def test_the_tap_reads_what_events_are_about(vendor: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event of each kind, about a record of the sandbox, and one without an id."""
    tap_type = TAPS[vendor]
    shorten_waits(monkeypatch, tap_type)
    plan = Plan()
    asked: dict[str, str] = {}
    for subject, rule in TABLES[vendor].items():
        rows = sandbox.records(vendor, rule[0][0].stream)
        record_id = str(rows[0]["id"]) if rows and "id" in rows[0] else None
        plan.add_event(vendor, event(subject, record_id, record_id))
        plan.add_event(vendor, event(subject))
        if record_id:
            asked |= {read.stream: record_id for ways in rule for read in ways[:1] if read.by}
    found: dict[str, set[str]] = {}
    for settings in [*plan.make_runs(1000), plan.make_changes_run()]:
        config = {**CONFIGS[vendor], "api_url": f"{sandbox.url}/{vendor}", "only": settings.only}
        tap = tap_type(config=config)
        tap.rates = {}
        output = sync_streams(tap)
        for stream in output.counts():
            found.setdefault(stream, {str(row.get("id", row.get("user_id"))) for row in output.records(stream)})
    assert {stream: [*ids] for stream, ids in plan.only.items()} == {stream: [one] for stream, one in asked.items()}
    assert {stream: found[stream] for stream in asked} == {stream: {one} for stream, one in asked.items()}
    for stream in plan.changes:
        assert found.get(stream) or not sandbox.records(vendor, stream), stream
