"""The tap: rows of the journal, each once, and its position in the state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_webhooks.entries import make_entry
from hr_webhooks.journal import Journal
from hr_webhooks.tap.streams import PACKAGE
from hr_webhooks.tap.tap import TapHrWebhooks
from singer_rest import RunError
from singer_rest.privacy.classification import shipped_classes
from singer_sdk.exceptions import ConfigValidationError
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_webhooks.entries import Entry

BIN = Path(sys.executable).parent
VENDORS = ("personio", "factorial", "cornerstone")
STREAMS = [f"{vendor}_events" for vendor in VENDORS]


def make(number: int, tenant: str = "acme") -> Entry:
    """Returns an entry: the vendors in turn, two events in each of Cornerstone's."""
    vendor = VENDORS[number % 3]
    body: dict[str, Any] = {
        "personio": {
            "company_id": 1,
            "event_name": "person.updated",
            "occurred_at": "2026-11-30T10:00:00Z",
            "payload": {"person": {"id": str(number + 100)}},
        },
        "factorial": {"id": number, "employee_id": 7, "description": "Zoë"},
        "cornerstone": {
            "subscriptionId": "s",
            "records": [
                {
                    "offset": number,
                    "value": {"headers": {"messageId": f"{number}-{part}"}, "userUpdated": {"userId": 1}},
                }
                for part in range(2)
            ],
        },
    }[vendor]
    event_type = "timeoff/leave/update" if vendor == "factorial" else None
    return make_entry(json.dumps(body).encode(), tenant=tenant, vendor=vendor, event_type=event_type)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal", create=True)
    made.append([make(number) for number in range(6)])
    return made


Messages = list[dict[str, Any]]


@pytest.fixture
def run(journal: Journal, capsys: pytest.CaptureFixture[str]) -> Callable[..., Messages]:
    def run(state: dict[str, Any] | None = None, **config: Any) -> Messages:
        tap = TapHrWebhooks(config={"journal": str(journal.folder), **config}, state=state)
        tap.sync_all()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def rows(messages: Messages, stream: str) -> list[dict[str, Any]]:
    return [one["record"] for one in messages if one["type"] == "RECORD" and one["stream"] == stream]


def last_state(messages: Messages) -> dict[str, Any]:
    found: dict[str, Any] = next(one["value"] for one in reversed(messages) if one["type"] == "STATE")
    return found


def test_each_event_is_a_row(run: Callable[..., Messages]) -> None:
    messages = run()
    assert [one["type"] for one in messages[:3]] == ["SCHEMA"] * 3
    assert [(row["position"], row["record"]) for row in rows(messages, "cornerstone_events")] == [
        (3, 0),
        (3, 1),
        (6, 0),
        (6, 1),
    ]
    (first, _) = rows(messages, "factorial_events")
    assert first["payload"] == {"id": 1, "employee_id": 7, "description": "Zoë"}
    assert (first["tenant"], first["type"], first["subject_id"]) == ("acme", "timeoff/leave/update", "1")
    assert last_state(messages) == {"bookmarks": {stream: {"position": 6} for stream in STREAMS}}
    for schema in messages[:3]:
        columns = schema["schema"]["properties"].keys()
        assert all(row.keys() == columns for row in rows(messages, schema["stream"]))
        assert schema["key_properties"] == ["position", "record"]


def test_the_next_run_continues(run: Callable[..., Messages], journal: Journal) -> None:
    state = last_state(run())
    assert not rows(run(state), "personio_events")
    journal.append([make(number) for number in range(6, 9)])
    messages = run(state)
    assert [row["position"] for stream in STREAMS for row in rows(messages, stream)] == [7, 8, 9, 9]


def test_each_stream_has_its_own_position(run: Callable[..., Messages]) -> None:
    state = {"bookmarks": {"personio_events": {"position": 2}, "factorial_events": {"position": 5}}}
    messages = run(state)
    found = {stream: [row["position"] for row in rows(messages, stream)] for stream in STREAMS}
    assert found == {"personio_events": [4], "factorial_events": [], "cornerstone_events": [3, 3, 6, 6]}


def test_a_run_of_a_few_entries(run: Callable[..., Messages]) -> None:
    state: dict[str, Any] = {}
    found = []
    for position in (2, 4, 6, 6):
        messages = run(state, max_entries=2)
        state = last_state(messages)
        assert state["bookmarks"]["personio_events"] == {"position": position}
        found += [row["position"] for stream in STREAMS for row in rows(messages, stream)]
    assert sorted(found) == [1, 2, 3, 3, 4, 5, 6, 6]


def test_the_events_of_one_tenant(run: Callable[..., Messages], journal: Journal) -> None:
    journal.append([make(number, "other") for number in range(3)])
    messages = run(tenant="other")
    assert {row["position"] for stream in STREAMS for row in rows(messages, stream)} == {7, 8, 9}
    assert last_state(messages)["bookmarks"]["personio_events"] == {"position": 9}


def test_an_unreadable_body_is_a_row(run: Callable[..., Messages], journal: Journal) -> None:
    journal.append([make_entry(b"{broken", tenant="acme", vendor="factorial", event_type="tasks/task/update"), make(0)])
    row = rows(run(), "factorial_events")[-1]
    assert (row["type"], row["payload"], row["body"]) == (None, None, "{broken")


def test_rows_without_payload(run: Callable[..., Messages]) -> None:
    messages = run(payload=False)
    assert all(not {"payload", "body"} & row.keys() for stream in STREAMS for row in rows(messages, stream))
    assert "payload" not in messages[0]["schema"]["properties"]


def test_a_privacy_profile_drops_payloads_and_makes_pseudonyms(run: Callable[..., Messages]) -> None:
    (row, _) = rows(messages := run(privacy="minimal", privacy_key="k" * 40), "personio_events")
    assert not {"payload", "body"} & row.keys()
    of_tap = TapPersonio(config={"privacy": "minimal", "privacy_key": "k" * 40}, validate_config=False)
    assert [row["person_id"], row["subject_id"]] == of_tap.make_pseudonyms(["person:100"]) * 2
    assert "Zoë" not in json.dumps(messages, ensure_ascii=False)
    state = last_state(messages)
    with pytest.raises(RunError, match="privacy profile"):
        run(state)


def test_stream_maps_apply(run: Callable[..., Messages]) -> None:
    messages = run(stream_maps={"factorial_events": {"id": "subject_id", "payload": "payload['id']"}})
    assert [(row["id"], row["payload"]) for row in rows(messages, "factorial_events")] == [("1", 1), ("4", 4)]


def test_payloads_can_be_flattened(run: Callable[..., Messages]) -> None:
    messages = run(flattening_enabled=True, flattening_max_depth=2)
    assert all(row["payload"] for row in rows(messages, "factorial_events"))


def test_every_column_has_a_protection_class(journal: Journal) -> None:
    shipped = shipped_classes(PACKAGE)
    tap = TapHrWebhooks(config={"journal": str(journal.folder)})
    assert {name: set(stream.schema["properties"]) for name, stream in tap.streams.items()} == {
        name: set(paths) for name, paths in shipped.items()
    }


def test_columns_say_their_class(run: Callable[..., Messages]) -> None:
    (schema,) = (one["schema"] for one in run()[:3] if one["stream"] == "factorial_events")
    columns = schema["properties"]
    assert columns["person_id"]["x-refers-to"] == {"space": "employee", "form": "id"}
    assert columns["subject_id"]["x-refers-to"]["when"] == {"subject_type": "employees/employee"}
    assert all(column["description"].endswith(".") for column in columns.values())


def test_another_journal_is_refused(run: Callable[..., Messages]) -> None:
    with pytest.raises(RunError, match="it is another one"):
        run({"bookmarks": {"personio_events": {"position": 7}}})


def test_entries_that_are_gone_are_reported(
    run: Callable[..., Messages], journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.cut(6)
    journal.append([make(6)])
    run({"bookmarks": {stream: {"position": 2} for stream in STREAMS}})
    assert "The entries 3 to 6 of the journal were removed" in caplog.text


def test_invalid_settings_are_sentences(tmp_path: Path, run: Callable[..., Messages]) -> None:
    with pytest.raises(RunError, match="There is no journal in"):
        run(journal=str(tmp_path / "wrong"))
    with pytest.raises(ConfigValidationError):
        run(max_entries=0)


@pytest.mark.slow
def test_a_killed_run_loses_and_repeats_nothing(tmp_path: Path, journal: Journal) -> None:
    journal.append([make(number) for number in range(6, 15_000)])
    config, target, state = (tmp_path / name for name in ("tap.json", "target.json", "state.json"))
    database = tmp_path / "events.duckdb"
    config.write_text(json.dumps({"journal": str(journal.folder)}))
    target.write_text(json.dumps({"path": str(database), "batch_size_rows": 3000}))
    load = [str(BIN / "target-duckdb"), "--config", str(target)]
    for victim in ("tap", "loader", None):
        committed = subprocess.run([*load, "--committed-state"], capture_output=True, check=False).stdout
        state.write_bytes(committed or b"{}")
        command = [str(BIN / "tap-hr-webhooks"), "--config", str(config), "--state", str(state)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap,
            subprocess.Popen(load, stdin=tap.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as loader,
        ):
            assert tap.stdout is not None
            assert loader.stdout is not None
            tap.stdout.close()
            if victim and loader.stdout.readline():  # a batch is committed, others are not
                os.kill((tap if victim == "tap" else loader).pid, signal.SIGKILL)
            loader.stdout.read()
    with duckdb.connect(database, read_only=True) as connection:
        for stream in STREAMS:
            found = connection.execute(
                f"SELECT count(*), count(DISTINCT (position, record)), count(DISTINCT position) FROM {stream}"
            ).fetchall()
            events = 10_000 if stream == "cornerstone_events" else 5000
            assert found == [(events, events, 5000)], stream
