"""A list that is read by date windows."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import ParamSets, ParsedBody, Product
from singer_rest.http.transport import Transport
from singer_rest.state.checkpoint import KEY
from singer_rest.testing import Output, Response, capture_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

WALKS: dict[str, Any] = {"optional_streams": ["walks"], "start_date": "2026-01-01", "end_date": "2026-03-31"}


def until_march(received_request: ReceivedRequest) -> Response:
    """Responds with one row per window, and rejects windows from March on."""
    return Response(
        {"data": [{"id": received_request.query["from"]}]}, 422 if received_request.query["to"] > "2026-02-28" else 200
    )


def test_adjacent_finished_windows_are_merged(run: Callable[..., Output], vendor: Host) -> None:
    vendor.respond = until_march
    first = run("walks", fails=[], window_days=1, **WALKS)
    assert (
        len(first.records("walks")) == len(first.messages_of("STATE")[1:]) == 31 + 28
    )  # after the full read is marked as due
    assert first.state["bookmarks"]["walks"][KEY][1:] == ["2026-01-01/2026-02-28"]


def test_window_that_is_finished_last_is_merged_with_those_on_both_sides(
    run: Callable[..., Output], vendor: Host
) -> None:
    others_are_asked = threading.Event()

    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.query["from"] == "2026-02-10":
            others_are_asked.wait(10)
        elif received_request.query["to"] == "2026-03-31":
            others_are_asked.set()
        return Response({"data": [{"id": received_request.query["from"]}]})

    vendor.respond = respond
    *_, last, _ = run("walks", window_days=1, max_concurrency=4, **WALKS).messages_of("STATE")
    assert others_are_asked.is_set()
    assert last["value"]["bookmarks"]["walks"][KEY][1:] == ["2026-01-01/2026-03-31"]


@pytest.mark.parametrize("width", [1, 7, 100])
def test_finished_days_are_skipped_by_windows_of_another_size(
    run: Callable[..., Output], vendor: Host, width: int
) -> None:
    vendor.respond = until_march
    first = run("walks", fails=[], window_days=1, **WALKS)
    vendor.respond = lambda received_request: Response({"data": [{"id": received_request.query["from"]}]})
    vendor.requests.clear()
    second = run("walks", state=first.state, window_days=width, **WALKS)
    requested = [(query["from"], query["to"]) for query in vendor.queries("/walks")]
    assert all(last > "2026-02-28" for _, last in requested)
    assert min(requested)[0] <= "2026-03-01"
    assert max(requested)[1] == "2026-03-31"
    assert second.state["bookmarks"]["walks"][KEY] is None


def test_incremental_reads_request_all_windows(run: Callable[..., Output], vendor: Host) -> None:
    vendor.respond = lambda received_request: Response({"data": []})
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-03-20T00:00:00Z", "version": 3}
    run("walks", state={"bookmarks": {"walks": bookmark}}, max_concurrency=1, **WALKS)
    requested = vendor.queries("/walks")
    assert (min(query["from"] for query in requested), max(query["to"] for query in requested)) == (
        "2026-01-01",
        "2026-03-31",
    )
    assert {query["changed_after"] for query in requested} == {"2026-03-19T23:55:00Z"}


class Meadow:
    """One walk per day, two on a page. More than `bearable` days at once time out."""

    def __init__(self, bearable: int, slow: Response) -> None:
        self.bearable = bearable
        self.slow = slow
        self.requests: list[tuple[date, date]] = []
        self._lock = threading.Lock()

    def respond(self, received_request: ReceivedRequest) -> Response:
        first, last = (date.fromisoformat(received_request.query[name]) for name in ("from", "to"))
        with self._lock:
            self.requests.append((first, last))
        if (last - first).days >= self.bearable:
            return self.slow
        days = [date.fromordinal(day).isoformat() for day in range(first.toordinal(), last.toordinal() + 1)]
        offset = int(received_request.query.get("cursor", "0"))
        more = str(offset + 2) if offset + 2 < len(days) else None
        return Response({"data": [{"id": day} for day in days[offset : offset + 2]], "next": more})

    @property
    def widths(self) -> list[int]:
        return [(last - first).days + 1 for first, last in self.requests]


def days_of_winter() -> list[str]:
    return [date.fromordinal(date(2026, 1, 1).toordinal() + day).isoformat() for day in range(90)]


@pytest.fixture
def read_walks(make_tap: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Output]:
    """Runs the tap over walks. Requests of later pages keep the window."""

    def following(stream: Any, body: Any, request: Any) -> Any:
        params = [(name, value) for name, value in request.params if name != "cursor"]
        cursor = body.get("next")
        return ParsedBody(body["data"], [replace(request, params=(*params, ("cursor", cursor)))] if cursor else [])

    def read_walks(meadow: Meadow, *, fails: list[Exception] | None = None, **options: Any) -> Output:
        vendor.respond = meadow.respond
        tap = make_tap("walks", **{**WALKS, **options})
        monkeypatch.setattr(type(tap.streams["walks"]), "parse", following)
        tap.transport = Transport(vendor.url, {}, 0.3, tap.rate_limiter)
        return capture_output(tap.sync_all, fails)

    return read_walks


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("slow", [Response({}, 504), Response({}, delay=0.6), Response({}, stall=0.6)], ids=str)
@pytest.mark.slow
def test_windows_that_time_out_are_halved_and_nothing_is_lost(
    read_walks: Callable[..., Output], slow: Response, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    meadow = Meadow(4, slow)
    output = read_walks(meadow, max_concurrency=workers)
    assert sorted(output.ids()["walks"]) == days_of_winter()
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1
    assert "walks: a date window takes too long; reading windows of 4 days" in caplog.text
    assert not any("2026" in record.getMessage() for record in caplog.records if "too long" in record.getMessage())


def test_later_windows_are_split_before_they_are_requested(read_walks: Callable[..., Output]) -> None:
    meadow = Meadow(8, Response({}, 504))
    read_walks(meadow, max_concurrency=1)
    # Two windows are under way at a time.
    assert meadow.widths.count(30) <= 2
    assert len([width for width in meadow.widths if width > 8]) <= 4
    meadow = Meadow(1, Response({}, 504))
    assert sorted(read_walks(meadow, max_concurrency=1, window_days=3).ids()["walks"]) == days_of_winter()
    assert len([width for width in meadow.widths if width > 1]) <= 4


def test_finished_windows_keep_their_names_however_they_were_read(read_walks: Callable[..., Output]) -> None:
    meadow = Meadow(4, Response({}, 504))
    _, *states = read_walks(meadow).messages_of("STATE")
    names = [state["value"]["bookmarks"]["walks"][KEY][1:] for state in states[:-1]]
    assert len(names[0]) == 1
    assert names[-1] == ["2026-01-01/2026-03-31"]
    assert len(names) == 4


def test_day_that_times_out_is_retried_and_fails_in_the_end(
    read_walks: Callable[..., Output], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.MAX_ATTEMPTS", 3)
    meadow = Meadow(0, Response({}, 504))
    fails: list[Exception] = []
    read_walks(meadow, fails=fails, start_date="2026-01-04", end_date="2026-02-02")
    assert meadow.widths == [30, 15, 8, 4, 2, 1, 1, 1]
    assert "walks: /walks gave no usable response in 3 attempts (status 504)" in caplog.text


def test_page_within_a_window_is_not_halved(read_walks: Callable[..., Output]) -> None:
    meadow = Meadow(100, Response({}, 504))
    real, seen = meadow.respond, set()

    def respond(received_request: ReceivedRequest) -> Response:
        if "cursor" in received_request.query and received_request.query_text not in seen:
            seen.add(received_request.query_text)
            return Response({}, 504)
        return real(received_request)

    meadow.respond = respond  # type: ignore[method-assign]
    assert sorted(read_walks(meadow).ids()["walks"]) == days_of_winter()
    assert set(meadow.widths) == {3, 30, 27}  # the first window and the last one are clipped


def test_windows_within_other_slices_are_halved_too(
    read_walks: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = make_tap("walks", **WALKS).streams["walks"]
    monkeypatch.setattr(type(stream), "slices", Product(ParamSets({"with": "dog"}, {"with": "cat"}), stream.slices))
    meadow = Meadow(4, Response({}, 504))
    assert sorted(read_walks(meadow).ids()["walks"]) == sorted(2 * days_of_winter())


def test_list_without_windows_that_times_out_is_only_retried(
    run: Callable[..., Output], vendor: Host, shop: Any
) -> None:
    answers = [Response({}, 504), Response({}, 504)]
    shop.before = lambda received_request: answers.pop() if answers else None
    assert run("kinds").ids()["kinds"] == ["cat", "dog", "fish"]
    assert len(vendor.requests) == 4


def test_stream_may_split_requests_in_its_own_way(
    run: Callable[..., Output], make_tap: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def smaller(stream: Any, request: Any, retry: Any) -> list[Any]:
        return [replace(request, params=(("kind", kind),)) for kind in ("a", "b")] if len(request.params) > 1 else []

    monkeypatch.setattr(type(make_tap().streams["kinds"]), "params", {"kind": "all"})
    monkeypatch.setattr(type(make_tap().streams["kinds"]), "split_request", smaller)
    vendor.respond = lambda received_request: (
        Response({}, 504)
        if received_request.query["kind"] == "all"
        else Response({"data": [{"id": received_request.query["kind"]}]})
    )
    assert run("kinds").ids()["kinds"] == ["a", "b"]
