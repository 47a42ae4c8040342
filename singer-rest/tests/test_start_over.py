"""The fallback to a full read if a vendor ignores or rejects the incremental filter, or does not respond to it."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import ChangedSince, ParamValues, PerParent, times
from singer_rest.state.checkpoint import KEY
from singer_rest.testing import Output, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

STARTED = datetime(2026, 2, 10, tzinfo=timezone.utc)
VERSION = int(STARTED.timestamp() * 1000)
BOOKMARK = {"replication_key": "updated_at", "replication_key_value": "2026-01-03T00:00:00Z", "version": 7}
OPTIONS: dict[str, Any] = {"start_date": None, "end_date": None, "started": STARTED}
IGNORED = "the vendor ignored the incremental filter; falling back to a full read"


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch, make_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(type(make_tap().streams["owners"]).__mro__[1], "verify_filter", True)
    monkeypatch.setattr("singer_rest.fetch.scheduler.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("singer_rest.fetch.tasks.MAX_PAGES_WHOLE", 1)
    caplog.set_level(logging.INFO)


@pytest.fixture
def filter_ignored(vendor: Host, shop: Any) -> None:
    """Makes the vendor ignore the filter."""
    real = shop.respond

    def respond(request: ReceivedRequest) -> Response:
        request.query.pop("changed_after", None)
        response: Response = real(request)
        return response

    vendor.respond = respond


def make_state(**places: Any) -> dict[str, Any]:
    return {"bookmarks": {name: dict(place) for name, place in places.items()}}


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def message_versions(output: Output, kind: str = "RECORD", stream: str = "owners") -> list[tuple[Any, int]]:
    return [(message.get("record", {}).get("id"), message["version"]) for message in output.messages_of(kind, stream)]


@pytest.mark.usefixtures("filter_ignored")
@pytest.mark.parametrize("workers", [1, 8])
def test_ignored_filter_causes_a_full_read(
    run: Callable[..., Output], vendor: Host, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    output = run("owners", state=make_state(owners=BOOKMARK), max_concurrency=workers, **OPTIONS)
    assert message_versions(output) == [("1", VERSION), ("2", VERSION), ("3", VERSION)]
    assert [message["type"] for message in output.messages[-2:]] == ["ACTIVATE_VERSION", "STATE"]
    assert message_versions(output, "ACTIVATE_VERSION") == [(None, VERSION)]
    assert output.state["bookmarks"]["owners"] == {
        "replication_key": "updated_at",
        "replication_key_value": "2026-01-03T00:00:00Z",
        "version": VERSION,
        "window_start": None,
        "window_end": None,
    }
    assert len(warnings_in(caplog)) == 1
    assert warnings_in(caplog)[0].startswith(f"owners: {IGNORED}.")
    assert f"owners: 3 rows in {len(vendor.requests)} requests" in caplog.text


@pytest.mark.usefixtures("filter_ignored")
def test_next_run_filters_and_verifies_again(
    run: Callable[..., Output], vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    first = run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    caplog.clear()
    vendor.requests.clear()
    second = run("owners", state=first.state, **OPTIONS)
    assert "changed_after=2026-01-02" in vendor.requests[0].query_text
    assert message_versions(second, "ACTIVATE_VERSION") == [(None, VERSION + 1)]
    assert len(warnings_in(caplog)) == 1


@pytest.mark.usefixtures("filter_ignored")
def test_records_emitted_before_the_fallback_are_repeated(run: Callable[..., Output], shop: Any) -> None:
    for row, day in zip(shop.data["/owners"], ("03", "04", "01"), strict=True):
        row["updated_at"] = f"2026-01-{day}T00:00:00Z"
    output = run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    assert message_versions(output) == [("1", 7), ("2", 7), ("1", VERSION), ("2", VERSION), ("3", VERSION)]
    assert output.state["bookmarks"]["owners"]["replication_key_value"] == "2026-01-04T00:00:00Z"


def test_honoured_filter_is_kept(run: Callable[..., Output], caplog: pytest.LogCaptureFixture) -> None:
    assert message_versions(run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)) == [("3", 7)]
    assert warnings_in(caplog) == []


@pytest.mark.usefixtures("filter_ignored")
def test_first_read_with_a_start_date_is_not_verified(
    run: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    output = run("owners", **{**OPTIONS, "start_date": "2026-01-03"})
    assert message_versions(output) == [("1", VERSION), ("2", VERSION), ("3", VERSION)]
    assert warnings_in(caplog) == []


@pytest.mark.usefixtures("filter_ignored")
def test_only_streams_that_declare_it_are_verified(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(make_tap().streams["owners"]), "verify_filter", False)
    assert message_versions(run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)) == [
        ("1", 7),
        ("2", 7),
        ("3", 7),
    ]


def test_filter_timestamp_is_the_earliest_that_its_text_can_mean() -> None:
    since = datetime(2026, 1, 3, 12, 30, 15, 700, tzinfo=timezone.utc)
    second = datetime(2026, 1, 3, 12, 30, 15, tzinfo=timezone.utc)
    assert ChangedSince("a").earliest_timestamp(since) == second
    assert ChangedSince("a", strict=True).earliest_timestamp(since) == second.replace(second=14)
    assert ChangedSince("a", format_timestamp=times.format_date).earliest_timestamp(since) == datetime(
        2026, 1, 2, 10, tzinfo=timezone.utc
    )
    assert ChangedSince("a", format_timestamp=times.format_zoneless).earliest_timestamp(since) == datetime(
        2026, 1, 2, 22, 30, 15, tzinfo=timezone.utc
    )
    assert ChangedSince("a", format_timestamp=lambda moment: "lately").earliest_timestamp(since) == since


def time_out_filter(request: ReceivedRequest) -> Response | None:
    return Response({}, 504) if "changed_after" in request.query else None


def test_filter_that_times_out_causes_a_full_read(
    run: Callable[..., Output], shop: Any, vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = time_out_filter
    output = run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    assert message_versions(output) == [("1", VERSION), ("2", VERSION), ("3", VERSION)]
    assert message_versions(output, "ACTIVATE_VERSION") == [(None, VERSION)]
    assert len(warnings_in(caplog)) == 1
    assert "owners: the vendor did not respond in time to the incremental filter; falling back" in caplog.text
    assert "owners: 3 rows in 4 requests" in caplog.text


def test_slow_filter_is_requested_twice_and_its_first_slice_alone(
    run: Callable[..., Output],
    make_tap: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    shop: Any,
    vendor: Host,
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.MAX_ATTEMPTS", 8)
    monkeypatch.setattr(type(make_tap().streams["owners"]), "slices", ParamValues("kind", "a", "b", "c"))
    shop.before = time_out_filter
    run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    has_fallback = [query["kind"] for query in vendor.queries("/owners") if "changed_after" in query]
    assert has_fallback == ["a", "a"]


def test_later_slices_are_requested_together_after_the_first_response(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, vendor: Host
) -> None:
    monkeypatch.setattr(type(make_tap().streams["owners"]), "slices", ParamValues("kind", *"abcdefgh"))
    under_way: list[str] = []

    def respond(request: ReceivedRequest) -> Response:
        under_way.append(request.query["kind"])
        return Response({"data": []}, delay=0.1)

    vendor.respond = respond
    run("owners", state=make_state(owners=BOOKMARK), max_concurrency=4, **OPTIONS)
    assert sorted(under_way) == list("abcdefgh")
    assert vendor.most_at_once == 4
    assert vendor.requests[1].at - vendor.requests[0].at > 0.09


def test_full_read_uses_no_filter_after_a_time_out(run: Callable[..., Output], vendor: Host) -> None:
    vendor.respond = lambda request: time_out_filter(request) or Response({"data": [{"id": "1"}]})
    place = {"replication_key_value": "2026-01-03T00:00:00Z", "version": 7}
    output = run("treats", state=make_state(treats=place), optional_streams=["treats"], **OPTIONS)
    assert message_versions(output, "ACTIVATE_VERSION", "treats") == [(None, VERSION)]
    assert output.state["bookmarks"]["treats"]["replication_key_value"] == "2026-02-10T00:00:00Z"


BROKEN = {
    "status 500": Response({"message": "no"}, 500),
    "status 502": Response(b"<html>Bad Gateway</html>", 502),
    "status 503": Response(b"", 503),
    "a page": Response(b"<!doctype html><title>Sign in</title>", 200, {"Content-Type": "text/html"}),
    "half a body": Response(b'{"data": [{"id": "1"}, {"i', 200),
    "a broken connection": Response(b'{"data": [', 200, cut=True),
}


@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("stream", ["owners", "treats"])
def test_unusable_response_to_a_filter_causes_a_full_read(
    run: Callable[..., Output],
    shop: Any,
    vendor: Host,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stream: str,
    response: Response,
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.MAX_ATTEMPTS", 4)
    everything = shop.respond if stream == "owners" else lambda request: Response({"data": [{"id": "1"}]})
    vendor.respond = lambda request: response if "changed_after" in request.query else everything(request)
    place = {"replication_key_value": "2026-01-03T00:00:00Z", "version": 7}
    output = run(stream, state={"bookmarks": {stream: place}}, optional_streams=["treats"], **OPTIONS)
    assert message_versions(output, "ACTIVATE_VERSION", stream) == [(None, VERSION)]
    assert set(output.ids()[stream]) == ({"1", "2", "3"} if stream == "owners" else {"1"})
    (warning,) = warnings_in(caplog)
    assert warning.startswith(f"{stream}: the vendor gave no usable response to the incremental filter; falling back")
    filtered = sum("changed_after" in request.query for request in vendor.requests)
    assert filtered == (4 if response.cut else 3)


def test_transient_failure_of_a_filter_is_retried(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.MAX_ATTEMPTS", 8)
    failures = [Response({}, 500), Response(b"<html>", 200)]
    shop.before = lambda request: failures.pop() if failures and "changed_after" in request.query else None
    assert message_versions(run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)) == [("3", 7)]
    assert warnings_in(caplog) == []


def test_failure_of_a_later_page_does_not_concern_the_filter(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/owners"] = [{"id": id_, "updated_at": "2026-01-05T00:00:00Z"} for id_ in "1234"]
    shop.before = lambda request: Response({}, 500) if "cursor" in request.query else None
    fails: list[Exception] = []
    output = run("owners", state=make_state(owners=BOOKMARK), fails=fails, **OPTIONS)
    assert "1 of 1 streams failed: owners" in str(fails[0])
    assert [message["value"] for message in output.messages_of("STATE")] == [
        make_state(owners=BOOKMARK)
    ]  # as it begins
    assert "falling back" not in caplog.text


def test_host_that_always_fails_fails_the_stream_and_leaves_its_bookmark(run: Callable[..., Output], shop: Any) -> None:
    shop.before = lambda request: Response({}, 500) if request.path == "/owners" else None
    fails: list[Exception] = []
    output = run("owners", "kinds", state=make_state(owners=BOOKMARK), fails=fails, **OPTIONS)
    assert "1 of 2 streams failed: owners" in str(fails[0])
    assert output.state["bookmarks"]["owners"] == BOOKMARK


def test_full_read_that_times_out_fails(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = lambda request: Response({}, 504) if request.path == "/owners" else None
    for before in ({}, make_state(owners=BOOKMARK)):
        output = run("owners", "kinds", state=before, fails=[], **OPTIONS)
        bookmark = before.get("bookmarks", {}).get("owners", {})
        assert output.state["bookmarks"]["owners"] == (bookmark or {"full_read_due": True})
        assert "owners: /owners gave no usable response in 2 attempts (status 504)" in caplog.text
        assert "2026-01" not in caplog.text.replace("changes since 2026-01", "")


@pytest.mark.usefixtures("filter_ignored")
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_children_read_the_changed_parents_and_miss_none(
    run: Callable[..., Output],
    make_tap: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    vendor: Host,
    workers: int,
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "replication_key", "updated_at")
    monkeypatch.setattr(pets, "slices", PerParent("owners", "owner_id", changed="updated_at"))
    for day, walked in (("02", ["2a", "2b", "3a", "3b"]), ("03", ["3a", "3b"])):
        vendor.requests.clear()
        owners = {**BOOKMARK, "replication_key_value": "2026-01-02T00:00:00Z"}
        child = {**BOOKMARK, "replication_key_value": f"2026-01-{day}T00:00:00Z"}
        before = make_state(owners=owners, pets=child)
        output = run("owners", "pets", state=before, max_concurrency=workers, **OPTIONS)
        assert {stream: sorted(ids) for stream, ids in output.ids().items()} == {
            "owners": ["1", "2", "3"],
            "pets": walked,
        }
        assert message_versions(output, "ACTIVATE_VERSION") == [(None, VERSION)]
        assert vendor.paths()["/owners"] >= 3  # what changed, then two pages; no listing for the children
        assert not vendor.paths().get("/owners/1/pets")


def test_children_do_not_fail_if_the_filter_of_their_parent_times_out(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, shop: Any
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "replication_key", "updated_at")
    monkeypatch.setattr(pets, "slices", PerParent("owners", "owner_id", changed="updated_at"))
    shop.before = time_out_filter
    output = run("owners", "pets", state=make_state(owners=BOOKMARK, pets=BOOKMARK), **OPTIONS)
    assert output.ids() == {"owners": ["1", "2", "3"], "pets": ["3a", "3b"]}


def filter_ignored_visits(broken: str | None = None) -> Callable[[ReceivedRequest], Response]:
    """Responds with one visit per month, for the whole list, this year or a month. Fails from the month `broken` on."""

    def respond(request: ReceivedRequest) -> Response:
        after, before = request.query.get("after", ""), request.query.get("before", "9")
        if broken and after[:7] >= broken:
            return Response({}, 422)
        rows = [f"2026-0{month}-05T00:00:00Z" for month in (1, 2)]
        in_one_piece = not {"before", "changed_after"} & request.query.keys() and after <= "2026-01-01T00:00:00"
        data = [{"id": row, "updated_at": row} for row in rows if after <= row < before]
        return Response({"data": data, "next": "more" if in_one_piece else None})

    return respond


VISITS = {**BOOKMARK, "replication_key_value": "2026-02-05T00:00:00Z"}


def test_fallback_uses_the_slices_of_a_full_read(run: Callable[..., Output], vendor: Host) -> None:
    vendor.respond = filter_ignored_visits()
    output = run("visits", state=make_state(visits=VISITS), optional_streams=["visits"], max_concurrency=1, **OPTIONS)
    assert [(query.get("changed_after"), query.get("after")) for query in vendor.queries("/visits")] == [
        ("2026-02-04T23:55:00Z", None),
        (None, None),  # unsliced, with a second page
        (None, None),  # all before January
        *((None, f"2026-0{month}-01T00:00:00") for month in (1, 1, 2, 3)),  # this year, with a second page, by month
    ]
    assert sorted(output.ids()["visits"]) == ["2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z"]
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_interrupted_fallback_resumes_in_the_next_run(run: Callable[..., Output], vendor: Host) -> None:
    vendor.respond = filter_ignored_visits("2026-02")
    first = run("visits", state=make_state(visits=VISITS), optional_streams=["visits"], fails=[], **OPTIONS)
    place = first.state["bookmarks"]["visits"]
    assert sorted(place[KEY][1:]) == ["../2026-01-01", "2026-01-01/2026-02-01"]
    assert place == {**VISITS, KEY: place[KEY]}
    vendor.respond = filter_ignored_visits()
    options = {**OPTIONS, "started": STARTED.replace(day=11)}
    second = run("visits", state=first.state, optional_streams=["visits"], **options)
    assert message_versions(second, "RECORD", "visits") == [("2026-02-05T00:00:00Z", VERSION)]
    assert message_versions(second, "ACTIVATE_VERSION", "visits") == [(None, VERSION)]
    assert second.state["bookmarks"]["visits"][KEY] is None


@pytest.mark.usefixtures("filter_ignored")
def test_failed_fallback_leaves_bookmark_and_version(run: Callable[..., Output], shop: Any) -> None:
    shop.before = lambda request: Response({}, 422) if "cursor" in request.query and request.path == "/owners" else None
    output = run("owners", "kinds", state=make_state(owners=BOOKMARK), fails=[], **OPTIONS)
    assert output.state["bookmarks"]["owners"] == BOOKMARK


@pytest.mark.usefixtures("filter_ignored")
def test_fallback_ends_with_its_own_counts(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/owners"] = [{"id": "4"}, {"id": "5"}, {"id": "1", "updated_at": "2026-01-01T00:00:00Z"}]
    output = run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    assert output.ids()["owners"] == ["4", "5", "4", "5", "1"]
    assert "owners: 2 of 3 records have no updated_at" in caplog.text
    assert "repeat the key" not in caplog.text
    assert output.state["bookmarks"]["owners"]["replication_key_value"] is None


@pytest.mark.parametrize("status", [400, 422])
def test_rejected_filter_causes_a_full_read(
    run: Callable[..., Output], shop: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = lambda request: Response({}, status) if "changed_after" in request.query else None
    output = run("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    assert message_versions(output) == [("1", VERSION), ("2", VERSION), ("3", VERSION)]
    (warning,) = warnings_in(caplog)
    assert warning.startswith("owners: the vendor rejected the incremental filter; falling back to a full read")


def test_rejection_without_the_filter_or_with_another_status_fails(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for refusal in (
        lambda request: Response({}, 409) if "changed_after" in request.query else None,
        lambda request: Response({}, 422) if request.path == "/owners" else None,
    ):
        shop.before = refusal
        fails: list[Exception] = []
        output = run("owners", state=make_state(owners=BOOKMARK), fails=fails, **OPTIONS)
        assert "1 of 1 streams failed: owners" in str(fails[0])
        assert [message["value"] for message in output.messages_of("STATE")] == [
            make_state(owners=BOOKMARK)
        ]  # as it begins
    assert "owners: /owners refused the request with status 422" in caplog.text


def test_rejection_of_a_later_page_does_not_concern_the_filter(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/owners"] = [{"id": id_, "updated_at": "2026-01-05T00:00:00Z"} for id_ in "1234"]
    shop.before = lambda request: Response({}, 422) if "cursor" in request.query else None
    run("owners", state=make_state(owners=BOOKMARK), fails=[], **OPTIONS)
    assert "falling back" not in caplog.text


@pytest.mark.usefixtures("filter_ignored")
def test_connection_test_does_not_fall_back(
    make_tap: Callable[..., Any], vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    tap = make_tap("owners", state=make_state(owners=BOOKMARK), **OPTIONS)
    assert next(iter(tap.streams["owners"].get_records(None)))["id"] == "1"
    assert len(vendor.requests) <= 2
    assert IGNORED not in caplog.text


def test_bookmark_of_another_replication_key_is_not_used_and_named(
    run: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    bookmark = {"replication_key": "created_at", "replication_key_value": "2026-01-02T00:00:00Z"}
    output = run("owners", state=make_state(owners=bookmark))
    assert output.ids()["owners"] == ["1", "2", "3"]
    (warning,) = warnings_in(caplog)
    assert warning == (
        "owners: the bookmark in the state was written for replication key `created_at`, but the key is now "
        "`updated_at`, so everything was read again."
    )
