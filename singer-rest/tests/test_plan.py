"""`--plan`: the requests of a run, its rows and minutes, from one request per list or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Offset, ParamValues, RateLimit, RateLimiter
from singer_rest.diagnose.duration import Load, total_duration
from singer_rest.diagnose.plan import estimate_runs
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

STATE = {"bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-02T12:00:00Z"}}}


@pytest.fixture
def plan_run(make_tap: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Returns the estimate of a full run, or of an incremental one with a state, as number and accuracy by stream."""

    def plan_run(*streams: str, state: dict[str, Any] | None = None, offline: bool = False, **config: Any) -> Any:
        report = estimate_runs(make_tap(*streams, **config), state or {}, offline=offline)
        run = report["incremental"] if state else report["full"]
        lines = {
            one["stream"] + (f" ({one['purpose']})" if one["purpose"] else ""): (one["requests"], one["accuracy"])
            for one in run["streams"]
        }
        return {**run, "report": report, "lines": lines}

    return plan_run


def test_list_with_one_page_is_counted_exactly(plan_run: Callable[..., Any], shop: Any, vendor: Host) -> None:
    shop.data["/kinds"] = [{"id": "cat"}, {"id": "dog"}]
    found = plan_run("kinds")
    assert found["lines"] == {"kinds": (1, "exact")}
    assert found["streams"][0]["rows"] == 2
    assert len(vendor.requests) == found["report"]["requests_sent"] == 1


def test_long_list_without_a_total_has_a_lower_bound(plan_run: Callable[..., Any]) -> None:
    found = plan_run("kinds")
    assert found["lines"] == {"kinds": (2, "at_least")}
    assert found["streams"][0]["rows"] is None
    assert found["streams"][0]["note"] == "the vendor reports no total"


def test_total_gives_the_number_of_pages(plan_run: Callable[..., Any], shop: Any) -> None:
    shop.refusals["/kinds"] = Response({"data": [{"id": "1"}, {"id": "2"}], "next": "2", "total": 7})
    found = plan_run("kinds")
    assert found["lines"] == {"kinds": (4, "exact")}
    assert found["streams"][0]["rows"] == 7


@pytest.mark.parametrize("rows", [3, 4, 5, 8])
def test_list_with_offsets_is_planned_to_end_as_in_a_run(
    plan_run: Callable[..., Any], run: Callable[..., Any], shop: Any, set_kinds_attribute: Any, rows: int
) -> None:
    received: list[ReceivedRequest] = []

    def respond(question: ReceivedRequest) -> Response | None:
        if question.path != "/kinds":
            return None
        received.append(question)
        start = int(question.query["offset"])
        return Response({"data": [{"id": str(row)} for row in range(rows)][start : start + 2], "meta": {"total": rows}})

    shop.before = respond
    set_kinds_attribute("pagination", Offset("offset", size=2))
    set_kinds_attribute("total_path", "meta.total")
    found = plan_run("kinds")
    received.clear()
    run("kinds")
    assert found["lines"] == {"kinds": (len(received), "exact")}


@pytest.fixture
def set_kinds_attribute(make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Sets an attribute of the stream's class, which then requests and parses like its base class."""
    from singer_rest import RestStream  # noqa: PLC0415

    stream_type = next(stream for stream in make_tap().stream_types if stream.name == "kinds")
    for name in ("page_request", "parse"):
        monkeypatch.setattr(stream_type, name, getattr(RestStream, name))
    return lambda name, value: monkeypatch.setattr(stream_type, name, value)


def test_children_are_counted_by_their_parents(plan_run: Callable[..., Any], shop: Any, vendor: Host) -> None:
    shop.data["/owners"].pop()
    found = plan_run("owners", "pets", start_date=None)
    assert found["lines"] == {"owners": (1, "exact"), "pets": (2, "about")}
    assert len(vendor.requests) == 2


def test_start_date_does_not_exclude_parents(plan_run: Callable[..., Any], shop: Any) -> None:
    shop.data["/owners"][0]["updated_at"] = "2020-01-01T00:00:00Z"
    shop.data["/owners"].pop()
    lines = plan_run("owners", "pets", start_date="2025-01-01")["lines"]
    assert lines == {"owners": (1, "exact"), "pets": (2, "about"), "owners (ids for pets)": (1, "exact")}


def test_number_of_parents_is_known_from_their_total(plan_run: Callable[..., Any], shop: Any) -> None:
    rows = shop.data["/owners"][:2]
    shop.refusals["/owners"] = Response({"data": rows, "next": "2", "total": 50})
    assert plan_run("pets")["lines"] == {"pets": (50, "about"), "owners (ids for pets)": (25, "exact")}


def test_windows_are_counted_without_requests(plan_run: Callable[..., Any], vendor: Host) -> None:
    found = plan_run("sales", "walks", "pets", optional_streams=["walks"], offline=True)
    assert found["lines"] == {
        "pets": (0, "at_least"),
        "sales": (3, "at_least"),
        "walks": (4, "at_least"),
        "owners (ids for pets)": (1, "at_least"),
    }
    assert found["streams"][0]["note"] == "one or more per row of owners, whose number is unknown"
    assert vendor.requests == []


def test_windows_before_the_first_record_have_one_page_each(plan_run: Callable[..., Any], shop: Any) -> None:
    def respond(received_request: ReceivedRequest) -> Response | None:
        if received_request.path != "/sales":
            return None
        rows = [{"id": "1"}, {"id": "2"}] if received_request.query["from"] >= "2025-11-01" else []
        return Response({"data": rows, "next": "2" if rows else None, "total": 6 if rows else 0})

    shop.before = respond
    # Of 27 months the last five have three pages each.
    assert plan_run("sales", start_date="2024-01-01")["lines"] == {"sales": (22 + 5 * 3, "about")}


def test_each_value_of_a_parameter_is_counted(
    plan_run: Callable[..., Any], shop: Any, make_tap: Any, monkeypatch: Any
) -> None:
    stream_type = next(stream for stream in make_tap().stream_types if stream.name == "kinds")
    monkeypatch.setattr(stream_type, "slices", ParamValues("size", "small", "large"))
    pages = {"small": 3, "large": 1}
    shop.before = lambda received: Response(
        {"data": [{"id": "1"}, {"id": "2"}], "next": "2", "total": 2 * pages[received.query["size"]]}
        if received.query["size"] == "small"
        else {"data": [{"id": "3"}]}
    )
    found = plan_run("kinds")
    assert found["lines"] == {"kinds": (4, "exact")}
    assert found["streams"][0]["rows"] == 7


def test_incremental_run_counts_changes_and_reads_ids_separately(plan_run: Callable[..., Any], shop: Any) -> None:
    shop.data["/owners"].pop(0)
    found = plan_run("owners", "pets", state=STATE)
    assert found["lines"] == {"owners": (1, "exact"), "pets": (2, "about"), "owners (ids for pets)": (1, "exact")}
    assert found["streams"][0]["rows"] == 1
    assert found["report"]["full"]["streams"][0]["rows"] == 2


def test_run_sends_the_planned_requests(
    plan_run: Callable[..., Any], run: Callable[..., Any], shop: Any, vendor: Host
) -> None:
    for path in ("/owners", "/kinds"):
        shop.data[path] = shop.data[path][:2]
    streams = ("owners", "pets", "sales", "kinds")
    for state in (None, run(*streams).state):
        expected = plan_run(*streams, state=state)
        vendor.requests.clear()
        run(*streams, state=state)
        assert len(vendor.requests) == expected["requests"]


def test_streams_that_cannot_be_read_cost_one_request(plan_run: Callable[..., Any], shop: Any) -> None:
    shop.refusals["/owners"] = Response({}, 403)
    found = plan_run("owners", "pets", start_date=None)
    assert found["lines"] == {"owners": (1, "about"), "pets": (0, "exact")}
    assert found["streams"][0]["note"] == "it cannot be read; --doctor says why"


@pytest.mark.parametrize(
    ("rates", "minutes", "limited_by"),
    [
        ({"": RateLimit(1, 1)}, 9.98, "/pets"),
        ({"/*": RateLimit(1, 1, shared=True)}, 11.98, "/*"),
        ({"/owners": RateLimit(10, 60, burst=1)}, 11.9, "/owners"),
        ({}, 0.75, "answers"),
    ],
)
def test_minutes_are_those_of_the_slowest_limit(rates: dict[str, RateLimit], minutes: float, limited_by: str) -> None:
    loads = [Load("/owners", 120, 0.5, prefetches=True), Load("/pets", 600, 0.5, prefetches=True)]
    assert total_duration(RateLimiter(rates), loads, 8) == (minutes, limited_by)


def test_requests_sent_one_at_a_time_take_longer() -> None:
    loads = [Load("/owners", 120, 0.5, prefetches=False), Load("/pets", 120, 0.5, prefetches=True)]
    assert total_duration(RateLimiter({}), loads, 8) == (1.0, "answers")
    assert total_duration(RateLimiter({}, RateLimit(60, 60, burst=1)), loads, 8) == (3.98, "")
    assert total_duration(RateLimiter({}), [Load("/owners", 5, None, prefetches=True)], 8) == (None, None)


def test_command_writes_text_or_json(cli: Callable[..., Any], vendor: Host) -> None:
    code, output, _ = cli("--plan", "--format", "json", state=STATE)
    assert code == 0
    assert json.loads(output)["incremental"]["accuracy"] == "at_least"
    code, output, _ = cli("--plan", state=STATE)
    assert code == 0
    assert "Full run" in output
    assert "Incremental run" in output
    assert "owner 1" not in output
    vendor.requests.clear()
    code, output, _ = cli("--plan", "--offline")
    assert code == 0
    assert "estimated from 0 requests" in output
    assert vendor.requests == []


@pytest.mark.parametrize("options", [["--doctor", "--plan"], ["--offline"], ["--plan", "--format", "markdown"]])
def test_incompatible_options_are_rejected(cli: Callable[..., Any], vendor: Host, options: list[str]) -> None:
    code, output, _ = cli(*options)
    assert (code, output) == (2, "")
    assert vendor.requests == []
