"""Personio's log of events: what pushes have missed reaches the journal, and nothing twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hr_webhooks.entries import make_entry
from hr_webhooks.events import read_events
from hr_webhooks.subscriptions.log_sync import as_pushed

if TYPE_CHECKING:
    from conftest import Installation, Personio
    from hr_webhooks.journal import Journal

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def subscribed(installation: Installation, personio: Personio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the webhook whose log is read. Its events happen now: the module may have been imported long ago."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))
    installation.run("subscribe", "--vendor", "personio", "--wait", "0")


def row(number: int, name: str = "person.updated", **members: Any) -> dict[str, Any]:
    """Returns a row of the log; the higher its number, the older it is."""
    at = NOW - timedelta(minutes=number)
    return {"id": f"e{number}", "event_name": name, "occurred_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", **members}


def push(journal: Journal, number: int, name: str, payload: Any, fraction: str = "") -> None:
    """Writes the push of the event with this number to the journal, as it would have arrived."""
    at = NOW - timedelta(minutes=number)
    body = {"company_id": "1", "event_name": name, "occurred_at": f"{at:%Y-%m-%dT%H:%M:%S}{fraction}Z"}
    text = json.dumps({**body, "payload": payload}).encode()
    journal.append([make_entry(text, tenant="acme", vendor="personio", received=at + timedelta(seconds=1))])


def sync(installation: Installation, *arguments: str) -> str:
    """Reads the log. Returns what the command printed."""
    code, output, errors = installation.run("sync", "--vendor", "personio", *arguments)
    assert (code, errors) == (0, "")
    return output


def subjects(journal: Journal, source: str) -> list[tuple[str | None, str | None]]:
    """Returns the types and ids of the events that came from a source."""
    entries = [entry for entry in journal.read(0) if entry.source == source]
    return [(event.type, event.subject_id) for entry in entries for event in read_events(entry)]


def test_only_what_the_journal_lacks_is_added(installation: Installation, personio: Personio) -> None:
    personio.events = [row(number, data={"id": str(number)}) for number in range(450)]
    journal = installation.journal
    for number in range(0, 450, 2):
        push(journal, number, "person.updated", {"person": {"id": number}, "more": 1}, fraction=".250")
    assert "450 events in the log, 225 of them added" in sync(installation)
    added = [("person.updated", str(number)) for number in range(1, 450, 2)]
    assert subjects(journal, "log") == added[::-1]  # the oldest first
    assert "0 of them added" in sync(installation)
    assert "0 of them added" in sync(installation, "--days", "30")
    assert len(list(journal.read(0))) == 450


@pytest.mark.parametrize(
    "members",
    [
        {"data": {"id": "7"}},
        {"payload": {"absence-period": {"id": 7}}},
        {"payload": {"absence_period": {"id": "7"}, "person": {"id": 1}}, "data": None},
        {"payload": {"event_name": "absence-period.deleted", "payload": {"absence_period": {"id": 7}}}},
        {"event": {"event_name": "absence-period.deleted", "payload": {"absence_period": {"id": 7}}, "meta": {}}},
        {"data": {"absence_period": {"id": 7}}, "unknown": [1.5]},
    ],
)
def test_rows_of_several_forms_are_understood(installation: Installation, personio: Personio, members: Any) -> None:
    given = row(100, "absence-period.deleted", **members)
    personio.events = [given]
    sync(installation)
    (entry,) = installation.journal.read(0)
    (event,) = read_events(entry)
    assert (event.type, event.subject_type, event.subject_id) == ("absence-period.deleted", "absence_period", "7")
    assert event.happened_at == given["occurred_at"]
    assert json.loads(entry.read_body())["id"] == "e100"
    assert as_pushed({"unknown": 1.5})["unknown"] == 1.5
    push(installation.journal, 100, "absence-period.deleted", {"absence_period": {"id": "7"}})
    assert "0 of them added" in sync(installation)
    if members == {"data": {"id": "7"}}:  # says no more than the push
        assert [row.id for each in installation.journal.read(1) for row in read_events(each)] == [event.id]


def test_a_row_that_is_not_understood_is_kept_once(installation: Installation, personio: Personio) -> None:
    personio.events = [{"id": "x", "kind": "?"}, row(5, "ping"), row(6, data={})]
    assert "2 of them added" in sync(installation)  # a ping is none
    assert "0 of them added" in sync(installation)


def test_the_log_is_read_since_the_last_sync(installation: Installation, personio: Personio) -> None:
    asked = []
    listed = personio.list_log

    def listen(request: Any, name: str) -> Any:
        asked.append(request.query["occurred_at.gte"])
        return listed(request, name)

    personio.list_log = listen  # type: ignore[method-assign]
    personio.events = [row(200, data={"id": "1"})]
    sync(installation)
    sync(installation)
    personio.rows["new"] = {**personio.rows.pop("wh-1"), "id": "new"}
    sync(installation)
    sync(installation, "--days", "2")
    since = [(NOW - datetime.fromisoformat(text)).total_seconds() / 3600 for text in asked]
    assert since == pytest.approx([30 * 24, 200 / 60 + 1, 30 * 24, 48], abs=0.1)


def test_what_was_cut_off_the_journal_is_not_added_again(installation: Installation, personio: Personio) -> None:
    journal = installation.journal
    personio.events = [row(number, data={"id": str(number)}) for number in (40, 20)]
    sync(installation)
    journal.cut(journal.last_position())
    push(journal, 10, "person.updated", {"person": {"id": "10"}})
    personio.events += [row(10, data={"id": "10"}), row(5, data={"id": "5"})]
    assert "1 of them added" in sync(installation)
    assert subjects(journal, "log") == [("person.updated", "5")]


def test_a_sync_that_could_not_write_is_repeated(
    installation: Installation, personio: Personio, monkeypatch: pytest.MonkeyPatch
) -> None:
    personio.events = [row(number, data={"id": str(number)}) for number in range(30)]
    monkeypatch.setattr("hr_webhooks.subscriptions.log_sync.BATCH", 10)
    append = type(installation.journal).append
    calls = []

    def fail_at_second(journal: Journal, entries: Any) -> int:
        calls.append(entries)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return append(journal, entries)

    monkeypatch.setattr("hr_webhooks.journal.Journal.append", fail_at_second)
    code, _, errors = installation.run("sync", "--vendor", "personio")
    assert (code, "no space left" in errors.lower()) == (1, True)
    assert "20 of them added" in sync(installation)
    assert sorted(subjects(installation.journal, "log")) == sorted(("person.updated", str(n)) for n in range(30))


def test_check_counts_what_is_missing(installation: Installation, personio: Personio) -> None:
    personio.events = [row(number, data={"id": str(number)}) for number in (0, 30, 40)]
    delivery = {"id": "d", "event_name": "person.updated", "completed_at": personio.events[1]["occurred_at"]}
    personio.deliveries = [{**delivery, "is_delivered": value} for value in (True, False, False)]
    assert installation.journal.last_position() == 0
    code, output, _ = installation.run("check", "--vendor", "personio")
    assert code == 1
    assert "ACTION: 2 of 3 events in Personio's log are not in the journal" in output  # one may be under way
    assert "2 requests" in output
    assert list(installation.journal.read(0)) == []
    sync(installation)
    code, output, _ = installation.run("check", "--vendor", "personio")
    assert (code, "not in the journal" in output) == (0, False)


def test_the_log_of_another_webhook_can_be_read(installation: Installation, personio: Personio) -> None:
    personio.may_write = False
    personio.events = [row(9, data={"id": "9"})]
    personio.rows["theirs"] = {**personio.rows.pop("wh-1"), "id": "theirs", "url": "https://theirs.example.com/"}
    code, _, errors = installation.run("sync", "--vendor", "personio")
    assert code == 1
    assert "--webhook: theirs" in errors
    assert "1 of them added" in sync(installation, "--webhook", "theirs")


@pytest.mark.parametrize("vendor", ["factorial", "cornerstone"])
def test_vendors_without_a_log_are_named(installation: Installation, vendor: str) -> None:
    code, output, _ = installation.run("sync", "--vendor", vendor)
    assert code == 0
    assert "has no log of events" in output
