"""Interrupted full reads resume after their finished slices and end as if uninterrupted."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.state.checkpoint import KEY
from singer_rest.testing import Output, Response, capture_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from singer_rest import Page
    from singer_rest.testing import Host, ReceivedRequest

FIRST = datetime(2026, 6, 10, tzinfo=timezone.utc)
SECOND = datetime(2026, 6, 12, tzinfo=timezone.utc)
VERSION = int(FIRST.timestamp() * 1000)
OPTIONS: dict[str, Any] = {"optional_streams": ["visits", "guests"], "start_date": None, "end_date": None}

NAMES = ["../2026-01-01", *(f"2026-0{month}-01/2026-0{month + 1}-01" for month in range(1, 6))]
"""The slices that have ended on the day of the first run; June and everything after it follow."""


def make_visit(month: int, number: int, **more: Any) -> dict[str, Any]:
    # Day and time are in `name`: the schema has no start of a visit.
    return {
        "id": f"{month}{number}",
        "name": f"2026-0{month}-0{number}T09:00:00",
        "updated_at": f"2026-0{month}-0{number}T10:00:00Z",
        **more,
    }


class Calendar:
    """Three visits in each month of January to June 2026, on two pages. The month `broken` fails."""

    def __init__(self) -> None:
        self.visits = [make_visit(month, number) for month in range(1, 7) for number in (1, 2, 3)]
        self.broken: int | None = None

    def respond(self, request: ReceivedRequest) -> Response:
        if request.path.endswith("/guests"):
            return Response({"data": [{"id": "guest"}]})
        if request.path != "/visits":
            return Response({"data": []})
        after, before, since, offset = request.query.get("cursor", "|||0").split("|")
        after = request.query.get("after", after)
        before = request.query.get("before", before)
        since = request.query.get("changed_after", since)
        if int(offset) and after == f"2026-0{self.broken}-01T00:00:00":
            return Response({}, 422)
        rows = [
            row
            for row in self.visits
            if after <= row["name"] <= (before or "9") and (row.get("updated_at") or "9") >= since
        ]
        page = rows[int(offset) : int(offset) + 2]
        more = int(offset) + 2 < len(rows)
        return Response({"data": page, "next": f"{after}|{before}|{since}|{int(offset) + 2}" if more else None})


@pytest.fixture
def calendar(vendor: Host) -> Calendar:
    calendar = Calendar()
    vendor.respond = calendar.respond
    return calendar


@pytest.fixture
def read_visits(run: Callable[..., Output], vendor: Host) -> Callable[..., Output]:
    """Runs the tap over visits, on the second day if there is a state. The host forgets earlier requests."""

    def read_visits(*streams: str, state: dict[str, Any] | None = None, **options: Any) -> Output:
        vendor.requests.clear()
        options = {**OPTIONS, "started": SECOND if state else FIRST, **options}
        return run(*(streams or ("visits",)), state=json.loads(json.dumps(state)), **options)

    return read_visits


def interrupted_run(
    calendar: Calendar, visits: Callable[..., Output], *streams: str, month: int = 4, **options: Any
) -> Output:
    """Returns the output of a first run in which a given month fails."""
    calendar.broken = month
    output = visits(*streams, fails=[], **options)
    calendar.broken = None
    return output


def finished_slices(output: Output) -> set[str]:
    """Returns the names of the finished slices in the state."""
    return set(bookmark_of(output)[KEY][1:])


def unfinished_months(output: Output) -> set[str]:
    """Returns the first timestamps of the slices that a run left, without the time before January."""
    starts = {f"2026-0{month}-01T00:00:00" for month in range(1, 8)}
    return {start for start in starts if not any(name.startswith(start[:10]) for name in finished_slices(output))}


def months_of(output: Output) -> set[str]:
    """Returns the months of the records."""
    return {row["id"][0] for row in output.records("visits")}


def visit_ids(*outputs: Output) -> set[str]:
    return {record["id"] for output in outputs for record in output.records("visits")}


def message_versions(output: Output, kind: str = "RECORD") -> set[int]:
    return {message["version"] for message in output.messages_of(kind, "visits")}


def bookmark_of(output: Output) -> dict[str, Any]:
    place: dict[str, Any] = output.state["bookmarks"]["visits"]
    return place


def requested_starts(vendor: Host) -> set[str | None]:
    return {query.get("after") for query in vendor.queries("/visits") if "cursor" not in query}


def merge_states(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Merges states as Meltano does: objects by key, anything else is replaced."""
    for key, value in new.items():
        if isinstance(value, dict):
            merge_states(value, old.setdefault(key, {}))
        else:
            old[key] = value
    return old


def test_failed_run_keeps_finished_slices_and_leaves_bookmark_and_version(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    before = {"version": 7, "window_start": None, "replication_key_value": None}
    first = interrupted_run(calendar, read_visits, state={"bookmarks": {"visits": before}}, started=FIRST)
    last = max(index for index, message in enumerate(first.messages) if message["type"] == "STATE")
    records = [message["record"] for message in first.messages[:last] if message["type"] == "RECORD"]
    assert finished_slices(first) == {*NAMES} - {"2026-04-01/2026-05-01"}
    assert bookmark_of(first) == {
        **before,
        "full_read_due": True,
        KEY: [
            {
                "version": VERSION,
                "began": "2026-06-10T00:00:00Z",
                "made_with": {
                    "start_date": None,
                    "end_date": None,
                    "window_start": None,
                    "replication_key": "updated_at",
                },
                "rows": len(records),
                "keyless_rows": 0,
                "latest": max(record["updated_at"] for record in records),
                "unidentified_rows": 0,
            },
            *bookmark_of(first)[KEY][1:],
        ],
    }
    assert first.messages_of("ACTIVATE_VERSION") == []


@pytest.mark.parametrize("workers", [1, 8])
def test_next_run_reads_the_rest_under_the_same_version_and_ends_like_one_run(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host, workers: int
) -> None:
    whole = read_visits(max_concurrency=workers)
    first = interrupted_run(calendar, read_visits, max_concurrency=workers)
    second = read_visits(state=first.state, max_concurrency=workers)
    assert visit_ids(first, second) == visit_ids(whole)
    assert requested_starts(vendor) == unfinished_months(first)
    assert {row["id"][0] for row in second.records("visits")} == {start[6] for start in unfinished_months(first)} - {
        "7"
    }
    assert (
        message_versions(first) == message_versions(second) == message_versions(second, "ACTIVATE_VERSION") == {VERSION}
    )
    assert [message["type"] for message in second.messages[-2:]] == ["ACTIVATE_VERSION", "STATE"]
    assert bookmark_of(second) == bookmark_of(whole) | {KEY: None}
    assert bookmark_of(second)["replication_key_value"] == "2026-06-03T10:00:00Z"


def test_both_runs_write_the_same_for_every_concurrency(calendar: Calendar, read_visits: Callable[..., Output]) -> None:
    def results(*outputs: Output) -> Any:
        written = sorted(
            {(row["id"], row["name"], row["updated_at"]) for out in outputs for row in out.records("visits")}
        )
        return written, message_versions(*outputs[-1:], kind="ACTIVATE_VERSION"), bookmark_of(outputs[-1])

    found = []
    for workers in (1, 2, 8):
        first = interrupted_run(calendar, read_visits, max_concurrency=workers)
        found.append(results(first, read_visits(state=first.state, max_concurrency=workers)))
    assert found[0] == found[1] == found[2]


def test_state_follows_the_records_of_its_slices_and_moves_no_bookmark(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    messages = read_visits().messages
    begun, *states = [index for index, message in enumerate(messages) if message["type"] == "STATE"]
    assert messages[begun]["value"]["bookmarks"]["visits"] == {"full_read_due": True}
    assert len(states) == len(NAMES) + 1
    for number, index in enumerate(states[:-1]):
        state = messages[index]["value"]["bookmarks"]["visits"]
        assert state.keys() == {KEY, "full_read_due"}
        assert len(state[KEY][1:]) == number + 1
        assert {*state[KEY][1:]} <= {*NAMES}
        written = Counter(message["record"]["id"][0] for message in messages[:index] if message["type"] == "RECORD")
        assert all(written[name[6]] == 3 for name in state[KEY][1:] if name != NAMES[0])


def test_nothing_is_lost_from_any_state_a_loader_received(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    lines = read_visits().raw.splitlines(keepends=True)
    cuts = [index + 1 for index, line in enumerate(lines) if b'"type":"STATE"' in line]
    for cut in cuts[:-1]:
        loaded = Output(b"".join(lines[:cut]))
        assert visit_ids(loaded, read_visits(state=loaded.state)) == {row["id"] for row in calendar.visits}


def test_run_interrupted_twice_keeps_the_slices_of_both_runs(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    first = interrupted_run(calendar, read_visits, month=2, max_concurrency=1)
    second = interrupted_run(calendar, read_visits, month=5, state=first.state)
    assert finished_slices(first) | finished_slices(second) == finished_slices(second)
    assert "2026-05-01/2026-06-01" not in finished_slices(second)
    assert bookmark_of(second)[KEY][0]["began"] == "2026-06-10T00:00:00Z"
    third = read_visits(state=second.state)
    assert requested_starts(vendor) == unfinished_months(second)
    assert visit_ids(first, second, third) == {row["id"] for row in calendar.visits}
    assert message_versions(third, "ACTIVATE_VERSION") == {VERSION}


@pytest.mark.parametrize(
    "settings",
    [
        {"start_date": "2026-01-01"},
        {"end_date": "2026-12-31"},
    ],
    ids=["start_date", "end_date"],
)
def test_other_start_or_end_date_starts_over_under_a_higher_version(
    calendar: Calendar, read_visits: Callable[..., Output], settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = interrupted_run(calendar, read_visits)
    second = read_visits(state=first.state, **settings)
    assert visit_ids(second) == {row["id"] for row in calendar.visits}
    assert message_versions(second) == message_versions(second, "ACTIVATE_VERSION") == {int(SECOND.timestamp() * 1000)}
    assert bookmark_of(second)[KEY] is None
    assert "visits: what an interrupted run had finished was read with other settings" in caplog.text


def test_run_that_starts_over_clears_the_list_at_once(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    first = interrupted_run(calendar, read_visits)
    vendor.respond = lambda request: Response({}, 422) if request.path == "/visits" else Response({"data": []})
    second = read_visits("visits", "kinds", state=first.state, end_date="2026-12-31", fails=[])
    assert bookmark_of(second)[KEY] is None  # in the STATE of kinds


@pytest.mark.parametrize(
    "forced", [{"forced_replication_method": "FULL_TABLE"}, {"replication_key": "name"}], ids=["method", "key"]
)
def test_other_replication_method_or_key_starts_over(
    calendar: Calendar, read_visits: Callable[..., Output], make_tap: Callable[..., Any], capfdbinary: Any, forced: Any
) -> None:
    first = interrupted_run(calendar, read_visits)
    tap = make_tap("visits", state=first.state, started=SECOND, **OPTIONS)
    for name, value in forced.items():
        setattr(tap.streams["visits"], name, value)
    tap.sync_all()
    second = Output(capfdbinary.readouterr().out)
    assert visit_ids(second) == {row["id"] for row in calendar.visits}
    assert message_versions(second) == {int(SECOND.timestamp() * 1000)}
    assert bookmark_of(second)[KEY] is None


def broken_lists() -> list[Any]:
    good = {"version": VERSION, "began": "2026-06-10T00:00:00Z", "rows": 9, "keyless_rows": 0, "latest": None}
    good["made_with"] = dict.fromkeys(("start_date", "end_date", "window_start")) | {"replication_key": "updated_at"}
    return [
        [],
        {},
        {"a": 1},
        "2026-06-10",
        5,
        [5, *NAMES],
        [{}, *NAMES],
        [good, 5],
        [good, None],
        [good | {"version": -1}, *NAMES],
        [good | {"version": "new"}, *NAMES],
        [good | {"version": None}, *NAMES],  # the stream's records carry one
        [good | {"version": 6}, *NAMES],  # the table has a later, complete one
        [good | {"began": "yesterday"}, *NAMES],
        [good | {"began": "2026-06-20T00:00:00Z"}, *NAMES],  # after this run
        [good | {"latest": "0001-01-01T00:00:00+05:00"}, *NAMES],
        [good | {"rows": None}, *NAMES],
        [good | {"made_with": []}, *NAMES],
    ]


@pytest.mark.parametrize("broken", broken_lists(), ids=str)
def test_invalid_or_finished_list_starts_over(
    calendar: Calendar, read_visits: Callable[..., Output], broken: Any
) -> None:
    state = {"bookmarks": {"visits": {KEY: broken, "version": 7}}}
    second = read_visits(state=state)
    assert visit_ids(second) == {row["id"] for row in calendar.visits}
    assert message_versions(second, "ACTIVATE_VERSION") == {int(SECOND.timestamp() * 1000)}
    assert bookmark_of(second)[KEY] is None


def test_starting_over_raises_the_version_above_that_of_the_list(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    first = interrupted_run(calendar, read_visits)
    bookmark_of(first)[KEY][0]["version"] = 10**15  # by a machine whose clock runs ahead
    assert message_versions(read_visits(state=first.state, end_date="2026-12-31"), "ACTIVATE_VERSION") == {10**15 + 1}


def test_deeply_merged_states_end_with_null(calendar: Calendar, read_visits: Callable[..., Output]) -> None:
    first = interrupted_run(calendar, read_visits)
    second = read_visits(state=first.state)
    assert merge_states(second.state, first.state)["bookmarks"]["visits"][KEY] is None


def test_full_refresh_without_the_list_sets_it_to_null_too(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    first = interrupted_run(calendar, read_visits)
    refreshed = read_visits(started=SECOND)
    assert merge_states(refreshed.state, first.state)["bookmarks"]["visits"][KEY] is None


def test_bookmark_never_passes_the_start_of_the_first_run(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    first = interrupted_run(calendar, read_visits)
    for row in calendar.visits:
        if row["id"] in {"11", "61"}:  # one in a slice that is finished, one in a slice that is not
            row["updated_at"] = "2026-06-11T08:00:00Z"
    second = read_visits(state=first.state)
    assert bookmark_of(second)["replication_key_value"] == "2026-06-10T00:00:00Z"
    third = read_visits(state=second.state)
    assert vendor.queries("/visits") == [{"limit": "2", "changed_after": "2026-06-09T23:55:00Z"}]
    assert third.ids()["visits"] == ["11", "61"]


def test_resumed_run_without_rows_ends_with_the_earlier_bookmark_and_version(
    calendar: Calendar, read_visits: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    first = interrupted_run(calendar, read_visits)
    latest = bookmark_of(first)[KEY][0]["latest"]
    calendar.visits = [
        row for row in calendar.visits if f"2026-0{row['id'][0]}-01T00:00:00" not in unfinished_months(first)
    ]
    second = read_visits(state=first.state)
    assert second.messages_of("RECORD") == []
    assert message_versions(second, "ACTIVATE_VERSION") == {VERSION}
    assert bookmark_of(second)["replication_key_value"] == latest
    assert "no records were returned" not in caplog.text


def test_records_without_replication_key_before_the_interruption_are_counted(
    calendar: Calendar, read_visits: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    calendar.visits[0]["updated_at"] = None
    first = interrupted_run(calendar, read_visits)
    second = read_visits(state=first.state)
    assert bookmark_of(second)["replication_key_value"] is None
    assert re.search(r"visits: 1 of \d+ records have no updated_at", caplog.text)


def test_records_without_primary_key_before_the_interruption_are_counted(
    calendar: Calendar, read_visits: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    calendar.visits[0] |= {"id": None}
    second = read_visits(state=interrupted_run(calendar, read_visits).state)
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert "visits: 1 records lack a part of their key (id)" in caplog.text
    assert "no row is marked as deleted in this run" in caplog.text


@pytest.mark.parametrize("case", [(None, "2"), (1, "0")])
def test_no_run_continues_after_a_page_that_may_lack_records(
    run: Callable[..., Output],
    vendor: Host,
    make_tap: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[int | None, str],
) -> None:
    lacking, position = case

    def respond(request: ReceivedRequest) -> Response:
        page = int(request.query.get("cursor", 0))
        data = [None] if page == lacking else [{"id": str(page)}]
        return Response({"data": data, "next": page + 1}, 200 if page < 3 else 422)

    def position_after(_: object, page: Page) -> str | None:
        return page.records[-1]["id"] if page.records else None

    monkeypatch.setattr(type(make_tap().streams["kinds"]), "position_after", position_after)
    vendor.respond = respond
    output = run("kinds", fails=[])
    assert output.state["bookmarks"]["kinds"][KEY][1:] == [f"goes on at {position}"]


def test_slice_without_a_body_is_not_finished_before_it_was_requested_again(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    february = "2026-02-01T00:00:00"

    def respond(request: ReceivedRequest) -> Response:
        return Response(b"", 204) if request.query.get("after") == february else calendar.respond(request)

    vendor.respond = respond
    first = interrupted_run(calendar, read_visits)
    assert unfinished_months(first) >= {february, "2026-04-01T00:00:00"}
    vendor.respond = calendar.respond
    second = read_visits(state=first.state)
    assert visit_ids(first, second) == {row["id"] for row in calendar.visits}


def test_parent_that_provides_the_ids_is_read_in_full(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    first = interrupted_run(calendar, read_visits)
    second = read_visits("visits", "guests", state=first.state)
    everything = [row["id"] for row in calendar.visits]
    assert sorted(record["visit_id"] for record in second.records("guests")) == everything
    assert sorted(second.ids()["visits"]) == everything
    assert None in requested_starts(vendor)
    assert message_versions(second, "ACTIVATE_VERSION") == {int(SECOND.timestamp() * 1000)}
    assert bookmark_of(second)[KEY] is None


def test_parent_read_separately_resumes_and_no_child_is_missing(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    settings = {"start_date": "2026-02-02"}  # limits the visits, not the parents of guests
    first = interrupted_run(calendar, read_visits, **settings)
    second = read_visits("visits", "guests", state=first.state, **settings)
    assert sorted(record["visit_id"] for record in second.records("guests")) == [row["id"] for row in calendar.visits]
    assert message_versions(second) == {VERSION}
    assert {"41", "63"} <= visit_ids(second) <= {row["id"] for row in calendar.visits if row["id"] > "21"}
    assert "31" not in visit_ids(second)
    assert visit_ids(first, second) == {row["id"] for row in calendar.visits if row["id"] > "21"}


def test_children_are_not_kept_in_the_state(run: Callable[..., Output], shop: Any) -> None:
    shop.refusals["/owners/3/pets"] = Response({}, 418)
    output = run("pets", "kinds", fails=[])
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b"]
    assert KEY not in output.state["bookmarks"]["pets"]


BOOKMARK = {"replication_key": "updated_at", "replication_key_value": "2026-06-02T00:00:00Z", "version": 3}


def test_failed_full_refresh_is_due_until_a_run_has_read_everything(
    calendar: Calendar, read_visits: Callable[..., Output]
) -> None:
    # A full refresh is a run without a state. Its state is merged into that of the earlier runs.
    kept = merge_states(interrupted_run(calendar, read_visits).state, {"bookmarks": {"visits": dict(BOOKMARK)}})
    second = read_visits(state=kept)
    assert "41" in visit_ids(second)
    assert "31" not in visit_ids(second)
    assert message_versions(second, "ACTIVATE_VERSION") == message_versions(second) == {VERSION}
    third = read_visits(state=merge_states(second.state, kept))
    assert third.ids()["visits"] == ["63"]
    assert third.messages_of("ACTIVATE_VERSION") == []


def test_full_read_that_failed_before_its_first_slice_is_due_too(
    calendar: Calendar, read_visits: Callable[..., Output], vendor: Host
) -> None:
    vendor.respond = lambda request: Response({}, 422)
    kept = merge_states(read_visits(fails=[]).state, {"bookmarks": {"visits": dict(BOOKMARK)}})
    vendor.respond = calendar.respond
    del calendar.visits[0]
    second = read_visits(state=kept)
    assert visit_ids(second) == {row["id"] for row in calendar.visits}
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


def test_incremental_reads_are_not_sliced(calendar: Calendar, read_visits: Callable[..., Output]) -> None:
    second = read_visits(state={"bookmarks": {"visits": dict(BOOKMARK)}})
    assert second.ids()["visits"] == ["62", "63"]
    assert message_versions(second) == {3}


def test_stream_maps_resume_too(calendar: Calendar, read_visits: Callable[..., Output]) -> None:
    settings = {"stream_maps": {"visits": {"id": "id", "updated_at": "updated_at", "__else__": None}}}
    first = interrupted_run(calendar, read_visits, **settings)
    assert finished_slices(first) >= {*NAMES[:4]}
    second = read_visits(state=first.state, **settings)
    assert {row["id"][0] for row in second.records("visits")} == {start[6] for start in unfinished_months(first)} - {
        "7"
    }
    assert second.records("visits")[0].keys() == {"id", "updated_at"}
    assert visit_ids(first, second) == {row["id"] for row in calendar.visits}
    assert message_versions(second) == message_versions(second, "ACTIVATE_VERSION") == {VERSION}


@pytest.mark.parametrize("batches", [True, False])
def test_state_remembers_no_page_whose_records_are_not_in_a_batch_yet(
    make_tap: Callable[..., Any], shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: Any
) -> None:
    def remember(stream: object, page: Page, state: dict[str, Any]) -> bool:
        state["seen"] = [record["id"] for record in page.records]
        return True

    config = {"encoding": {"format": "jsonl"}, "storage": {"root": tmp_path.as_uri()}, "batch_size": 10}
    tap = make_tap("kinds", "sales", **({"batch_config": config} if batches else {}))
    monkeypatch.setattr(type(tap.streams["kinds"]), "remember", remember)
    shop.before = lambda request: Response({}, 422) if "cursor" in request.query else None  # the second page of kinds
    output = capture_output(tap.sync_all, [])
    assert ("seen" in output.state["bookmarks"]["kinds"]) is not batches
    assert (len(output.records("kinds")), output.messages_of("BATCH", "kinds")) == (0 if batches else 2, [])


def test_batches_hold_every_record_and_keep_no_slices(
    calendar: Calendar, read_visits: Callable[..., Output], tmp_path: Path
) -> None:
    first = interrupted_run(calendar, read_visits)
    config = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": tmp_path.as_uri()}}
    second = read_visits(state=first.state, batch_config=config)
    rows: list[str] = []
    for batch in second.messages_of("BATCH"):
        for file in batch["manifest"]:
            with gzip.open(file.removeprefix("file://")) as lines:
                rows += [json.loads(line)["id"] for line in lines]
    assert sorted(rows) == [row["id"] for row in calendar.visits]
    assert len(second.messages_of("STATE")) == 2  # as it begins, and after its end
    assert bookmark_of(second)[KEY] is None


def test_connection_test_and_get_records_ignore_the_list(
    calendar: Calendar, read_visits: Callable[..., Output], make_tap: Callable[..., Any]
) -> None:
    first = interrupted_run(calendar, read_visits)
    kept = json.loads(json.dumps(bookmark_of(first)[KEY]))
    tap = make_tap("visits", state=first.state, started=SECOND, **OPTIONS)
    assert next(iter(tap.streams["visits"].get_records(None)))["id"] in {row["id"] for row in calendar.visits}
    assert tap.run_connection_test()
    assert tap.state["bookmarks"]["visits"][KEY] == kept


def test_months_resume_too(run: Callable[..., Output], shop: Any, vendor: Host) -> None:
    dates = {"start_date": "2021-01-01", "end_date": "2021-06-30"}
    shop.before = lambda request: Response({}, 422) if request.query.get("from") == "2021-04-01" else None
    first = run("sales", fails=[], **dates)
    assert first.state["bookmarks"]["sales"][KEY][0]["made_with"] == {
        "start_date": "2021-01-01T00:00:00Z",
        "end_date": "2021-06-30T00:00:00Z",
        "window_start": "2021-01-01T00:00:00Z",
        "replication_key": "month",
    }
    shop.before = lambda request: None
    vendor.requests.clear()
    second = run("sales", state=first.state, **dates)
    assert [query["from"] for query in vendor.queries("/sales")] == ["2021-04-01"]
    months = [record["month"] for output in (first, second) for record in output.records("sales")]
    assert sorted(months) == [f"2021-0{month}-01" for month in range(1, 7)]
    assert second.state["bookmarks"]["sales"]["window_start"] == "2021-01-01T00:00:00Z"
    assert second.state["bookmarks"]["sales"]["replication_key_value"] == "2021-06-01T00:00:00Z"


def test_default_window_that_moved_with_the_year_starts_over(
    run: Callable[..., Output], shop: Any, vendor: Host
) -> None:
    shop.before = lambda request: Response({}, 422) if request.query.get("from") == "2024-01-01" else None
    december, january = datetime(2026, 12, 30, tzinfo=timezone.utc), datetime(2027, 1, 2, tzinfo=timezone.utc)
    first = run("sales", fails=[], started=december, start_date=None, end_date=None)
    assert "2021-01-01/2023-12-31" in first.state["bookmarks"]["sales"][KEY]
    shop.before = lambda request: None
    vendor.requests.clear()
    second = run("sales", state=first.state, started=january, start_date=None, end_date=None)
    assert len(vendor.queries("/sales")) == 5 * 12 + 1
    assert second.state["bookmarks"]["sales"]["window_start"] == "2022-01-01T00:00:00Z"


def test_slices_of_incremental_reads_are_not_kept(run: Callable[..., Output], shop: Any) -> None:
    shop.before = lambda request: Response({}, 422) if request.query.get("from") == "2021-04-01" else None
    before = {"replication_key": "month", "replication_key_value": "2021-02-01T00:00:00Z", "version": 3}
    state = {"bookmarks": {"sales": dict(before)}}
    output = run("sales", "kinds", state=state, fails=[], start_date=None, end_date="2021-06-30")
    assert {record["month"] for record in output.records("sales")} == {f"2021-0{month}-01" for month in (1, 2, 3, 5, 6)}
    assert len(output.messages_of("STATE")) == 2  # as it begins, and that of kinds
    assert output.state["bookmarks"]["sales"] == before
