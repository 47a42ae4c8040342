"""A whole tap with a local host: order, isolation, access, state, versions, selection."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import ParentBatches, RateLimit, RunError, TapError
from singer_rest.singer.batch_files import BatchFiles
from singer_rest.singer.messages import MessageWriter, encode
from singer_rest.testing import Output, Response, capture_output, capture_stdout, sync_streams
from singer_sdk.helpers._batch import BatchConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest import Page
    from singer_rest.testing import Host, ReceivedRequest

ALL = {
    "owners": ["1", "2", "3"],
    "kinds": ["cat", "dog", "fish"],
    "pets": ["1a", "1b", "2a", "2b", "3a", "3b"],
    "sales": ["rent", "rent", "rent"],
}


def test_every_stream_is_emitted_once(run: Callable[..., Any]) -> None:
    output = run(start_date="2026-01-01")
    assert in_any_order(output) == ALL
    assert sorted(message["stream"] for message in output.messages_of("SCHEMA")) == ["kinds", "owners", "pets", "sales"]
    assert {"id": "2a", "owner_id": "2"} in output.records("pets")
    months = sorted(record["month"] for record in output.records("sales"))
    assert months == ["2026-01-01", "2026-02-01", "2026-03-01"]


def in_any_order(output: Output) -> dict[str, list[str]]:
    """Returns the records' ids by stream, sorted."""
    return {stream: sorted(ids) for stream, ids in output.ids().items()}


def test_messages_of_a_stream_are_in_the_order_that_loaders_need(run: Callable[..., Any]) -> None:
    output = run("kinds")
    kinds = [message["type"] for message in output.messages]
    assert kinds == ["SCHEMA", "RECORD", "RECORD", "RECORD", "ACTIVATE_VERSION", "STATE"]
    versions = {message["version"] for message in output.messages_of("RECORD") + output.messages_of("ACTIVATE_VERSION")}
    assert versions == {output.state["bookmarks"]["kinds"]["version"]}


@pytest.mark.parametrize("workers", [2, 8])
def test_output_is_the_same_at_every_concurrency(run: Callable[..., Any], workers: int) -> None:
    def plain(output: Any) -> list[Any]:
        return sorted(
            json.dumps([message["type"], message.get("stream"), message.get("record")]) for message in output.messages
        )

    one, many = run(max_concurrency=1), run(max_concurrency=workers)
    assert plain(one) == plain(many)
    assert one.state["bookmarks"].keys() == many.state["bookmarks"].keys()


def test_slow_stream_does_not_hold_back_the_others(
    run: Callable[..., Any], shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    others_are_written = threading.Event()
    last = f'"id":"{ALL["kinds"][-1]}"'.encode()
    write_lines = MessageWriter.write_lines

    def write_and_tell(writer: MessageWriter, lines: bytes) -> None:
        write_lines(writer, lines)
        if b'"stream":"kinds"' in lines and last in lines:
            others_are_written.set()

    def waits(request: ReceivedRequest) -> Response | None:
        if request.path == "/owners":
            others_are_written.wait(10)
        return None

    monkeypatch.setattr(MessageWriter, "write_lines", write_and_tell)
    shop.before = waits
    output = run("owners", "kinds", max_concurrency=1 + 1)
    assert others_are_written.is_set()
    assert in_any_order(output) == {stream: ALL[stream] for stream in ("kinds", "owners")}
    assert [message["stream"] for message in output.messages_of("SCHEMA")] == ["kinds", "owners"]


def test_stream_that_always_has_a_page_does_not_hold_back_the_others(
    make_tap: Callable[..., Any], shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_come = threading.Event()

    def respond(request: ReceivedRequest) -> Response | None:
        if request.path != "/kinds":
            may_come.wait(10)
            return None
        number = int(request.query.get("cursor", "0"))
        following = {} if number else {"all": [str(later) for later in range(1, 100)]}
        return Response({"data": [{"id": str(number)}], **following})

    def have_arrived() -> bool:
        with tap._fetcher._scheduler._lock:
            pages = {fetch.name: len(fetch._pages) for fetch in tap._fetcher._scheduler._fetches}
        return pages["kinds"] == 98 and pages["owners"] > 0

    def prepared_records(stream: Any, page: Page) -> list[Any]:
        end = time.monotonic() + 10
        if page.records[0]["id"] == "1":
            may_come.set()
        while page.records[0]["id"] == "1" and not have_arrived() and time.monotonic() < end:
            time.sleep(0.01)
        return real(stream, page)  # type: ignore[no-any-return]

    shop.before = respond
    tap = make_tap("kinds", "owners")
    real = type(tap.streams["kinds"]).prepared_records
    monkeypatch.setattr(type(tap.streams["kinds"]), "prepared_records", prepared_records)
    order = [message["stream"] for message in capture_output(tap.sync_all).messages_of("RECORD")]
    assert order.count("kinds") == 100
    assert order.index("owners") < 10


def test_requests_are_concurrent_up_to_the_limit(run: Callable[..., Any], vendor: Host, shop: Any) -> None:
    real = shop.respond
    vendor.respond = lambda request: Response(**{**vars(real(request)), "delay": 0.3})
    run("sales", max_concurrency=3)
    assert vendor.most_at_once == 3


def test_long_streams_log_progress(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("singer_rest.singer.progress.PROGRESS_SECONDS", 0.0)
    run("kinds")
    assert "0 of 1 streams done, 2 rows in" in caplog.text
    assert "1 streams: 1 read; " in caplog.messages[-1]


@pytest.mark.slow
def test_children_have_one_schema_and_one_state_entry(run: Callable[..., Any], shop: Any) -> None:
    shop.data["/owners"] = [{"id": str(number), "updated_at": "2026-01-02T00:00:00Z"} for number in range(500)]
    shop.data |= {f"/owners/{number}/pets": [{"id": f"p{number}"}] for number in range(500)}
    output = run("owners", "pets")
    assert len(output.records("pets")) == 500
    assert len(output.messages_of("SCHEMA")) == 2
    assert len(output.messages_of("STATE")) == 3  # as it begins, and after each
    assert len(json.dumps(output.state)) < 1000


@pytest.mark.parametrize("workers", [1, 8])
def test_children_can_be_requested_in_batches(
    make_tap: Callable[..., Any], vendor: Host, shop: Any, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    shop.data["/pets"] = [{"id": "1a"}]
    tap = make_tap("owners", "pets", start_date=None, max_concurrency=workers)
    pets = tap.streams["pets"]
    monkeypatch.setattr(type(pets), "path", "/pets")
    monkeypatch.setattr(type(pets), "slices", ParentBatches("owners", "owner_ids[]", size=2))
    output = capture_output(tap.sync_all)
    query_texts = sorted(request.query_text for request in vendor.requests if request.path == "/pets")
    assert query_texts == ["limit=2&owner_ids%5B%5D=1&owner_ids%5B%5D=2", "limit=2&owner_ids%5B%5D=3"]
    assert output.ids()["pets"] == ["1a", "1a"]


def test_unselected_parent_is_read_for_its_ids_only(run: Callable[..., Any], vendor: Host) -> None:
    assert in_any_order(run("pets", start_date=None)) == {"pets": ALL["pets"]}
    assert vendor.paths()["/owners"] == 2


def test_selected_parent_is_read_once(run: Callable[..., Any], vendor: Host) -> None:
    run("owners", "pets", start_date=None)
    assert vendor.paths()["/owners"] == 2


def test_incremental_parent_is_read_once_more_for_all_its_children(run: Callable[..., Any], vendor: Host) -> None:
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-03T00:00:00Z"}}
    }
    output = run("owners", "pets", state=state)
    assert in_any_order(output) == {"owners": ["3"], "pets": ALL["pets"]}
    assert [query.get("changed_after") for query in vendor.queries("/owners")].count(None) == 2  # a page, its next one


def test_strict_filter_subtracts_a_second_beside_the_lookback(run: Callable[..., Any], vendor: Host) -> None:
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-02T00:00:00Z"}}
    }
    run("owners", state=state)
    assert vendor.queries("/owners")[0]["changed_after"] == "2026-01-01T23:54:59Z"


def test_second_run_reads_changes_and_keeps_the_version(run: Callable[..., Any], vendor: Host) -> None:
    first = run()
    vendor.requests.clear()
    second = run(state=first.state)
    assert second.ids()["owners"] == ["3"]
    assert second.messages_of("ACTIVATE_VERSION", "owners") == []
    versions = {message["version"] for message in second.messages_of("RECORD", "owners")}
    assert versions == {first.state["bookmarks"]["owners"]["version"]}
    assert second.state["bookmarks"]["owners"] == first.state["bookmarks"]["owners"]


def test_failure_ends_only_its_stream_and_leaves_its_bookmark(run: Callable[..., Any], shop: Any) -> None:
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-01T00:00:00Z"}}
    }
    shop.before = lambda request: (
        Response({"data": "?"}, 418) if request.path == "/owners" and "cursor" in request.query else None
    )
    fails: list[Exception] = []
    output = run("owners", "kinds", state=state, fails=fails)
    assert output.ids()["owners"] == ["1", "2"]
    assert output.ids()["kinds"] == ALL["kinds"]
    assert output.state["bookmarks"]["owners"] == state["bookmarks"]["owners"]
    assert output.messages_of("ACTIVATE_VERSION", "owners") == []
    assert isinstance(fails[0], TapError)
    assert "1 of 2 streams failed: owners" in str(fails[0])


def test_children_fail_with_their_parent(run: Callable[..., Any], shop: Any) -> None:
    shop.refusals["/owners"] = Response({}, 418)
    fails: list[Exception] = []
    output = run("owners", "pets", "kinds", fails=fails)
    assert in_any_order(output) == {"kinds": ALL["kinds"]}
    assert "2 of 3 streams failed: owners, pets" in str(fails[0])


def test_parent_that_fails_while_emitting_fails_its_children_too(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr("singer_rest.state.replication.Replication.observe", broken)
    fails: list[Exception] = []
    output = run("owners", "pets", fails=fails, start_date=None)
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "2 of 2 streams failed: owners, pets" in str(fails[0])


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_children_of_a_failed_parent_are_the_same_at_every_concurrency(
    run: Callable[..., Any], shop: Any, workers: int
) -> None:
    shop.before = lambda request: Response({}, 418) if request.path == "/owners" and "cursor" in request.query else None
    output = run("owners", "pets", max_concurrency=workers, fails=[], start_date=None)
    assert in_any_order(output) == {"owners": ["1", "2"], "pets": ["1a", "1b", "2a", "2b"]}
    assert output.state == {"bookmarks": {"owners": {"full_read_due": True}, "pets": {}}}


def test_unwritable_stdout_ends_the_run_and_moves_no_bookmark(
    make_tap: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = make_tap()
    monkeypatch.setattr("sys.stdout", open("/dev/full", "w"))  # noqa: PTH123, SIM115
    with pytest.raises(RunError, match=r"The output cannot be written \(no space left on device\)"):
        tap.sync_all()
    assert all(not state.get("version") for state in tap.state["bookmarks"].values())
    with contextlib.suppress(OSError):
        sys.stdout.close()


def test_missing_access_after_empty_pages_is_a_failure_too(run: Callable[..., Any], shop: Any) -> None:
    shop.data |= {f"/owners/{owner}/pets": [] for owner in (1, 2)}
    shop.refusals["/owners/3/pets"] = Response({}, 401)
    fails: list[Exception] = []
    run("owners", "pets", fails=fails)
    assert "1 of 2 streams failed: pets" in str(fails[0])


def test_children_of_a_forbidden_parent_name_themselves(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/owners"] = Response({}, 403)
    run("pets", "kinds")
    assert (
        "pets: its parent stream owners could not be read: owners: the credential cannot read this stream; it needs "
        "owners:read" in caplog.text
    )


def test_rate_limits_are_learned_from_refusals_too(
    run: Callable[..., Any], shop: Any, make_tap: Callable[..., Any]
) -> None:
    throttled = Response({}, 429, {"Retry-After": "0", "x-ratelimit-replenish-rate": "7"})
    seen: list[str] = []
    shop.before = lambda request: None if seen or seen.append(request.path) else throttled  # type: ignore[func-returns-value]
    tap = make_tap("kinds")
    tap.rates = {"": RateLimit(1000)}
    tap.sync_all()
    assert tap.rate_limiter._endpoints["/kinds"].per_second == 7


def test_missing_access_skips_the_stream_with_one_warning_that_names_the_permission(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/sales"] = Response({"error": "for Jane Doe only"}, 403)
    output = run()
    assert in_any_order(output) == {stream: ids for stream, ids in ALL.items() if stream != "sales"}
    assert output.messages_of("SCHEMA", "sales") == []
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "sales:read" in warnings[0]
    assert "Jane" not in caplog.text


def test_missing_access_fails_if_the_user_chooses_it(run: Callable[..., Any], shop: Any) -> None:
    shop.refusals["/sales"] = Response({}, 403)
    fails: list[Exception] = []
    run(on_missing_access="fail", fails=fails)
    assert "1 of 4 streams failed: sales" in str(fails[0])


def test_missing_access_after_records_is_a_failure(run: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 403) if request.path == "/kinds" and "cursor" in request.query else None
    fails: list[Exception] = []
    output = run("kinds", "owners", fails=fails)
    assert output.ids()["kinds"] == ["cat", "dog"]
    assert output.messages_of("ACTIVATE_VERSION", "kinds") == []
    assert "kinds" in str(fails[0])


def test_missing_access_to_everything_fails(run: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 403)
    fails: list[Exception] = []
    run(fails=fails)
    assert "Nothing could be read" in str(fails[0])


def test_401_solved_by_a_new_token_is_no_missing_permission(run: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 401) if request.headers["Authorization"] == "Bearer token-1" else None
    assert in_any_order(run()) == ALL


def test_parent_deleted_in_the_meantime_has_no_children(run: Callable[..., Any], shop: Any) -> None:
    del shop.data["/owners/2/pets"]
    assert in_any_order(run("pets")) == {"pets": ["1a", "1b", "3a", "3b"]}


@pytest.mark.parametrize(
    "broken",
    [
        Response({}, 500),
        Response({}, 429),
        Response({}, 429, {"Retry-After": "0"}),
        Response({}, 503, {"Retry-After": "Sun, 22 Nov 2020 04:00:00 GMT"}),
        Response(b'{"data": [{"id": "half'),
        Response(b"<html>down for maintenance</html>"),
        Response({"data": []}, cut=True),
    ],
    ids=["500", "429", "429 with seconds", "503 with a date", "half a body", "html", "cut"],
)
def test_transient_errors_are_retried(run: Callable[..., Any], shop: Any, broken: Response) -> None:
    seen: set[str] = set()

    def first_time(request: ReceivedRequest) -> Response | None:
        known = str((request.path, request.query)) in seen
        seen.add(str((request.path, request.query)))
        return None if known else broken

    shop.before = first_time
    assert in_any_order(run()) == ALL


@pytest.mark.parametrize("status", [301, 400, 404, 409, 422, 501])
def test_other_errors_name_stream_path_and_remedy_but_no_body_and_no_query(
    run: Callable[..., Any], shop: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/kinds"] = Response({"error": "Jane Doe"}, status, {"Location": "/login"})
    run("kinds", fails=[])
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "kinds" in errors[0]
    assert "/kinds" in errors[0]
    assert str(status) in errors[0]
    assert "Check" in errors[0]
    assert "Jane" not in caplog.text
    assert "token-" not in caplog.text
    assert "limit=" not in caplog.text


def test_empty_selection_is_an_error(make_tap: Callable[..., Any]) -> None:
    with pytest.raises(RunError, match="No stream is selected"):
        make_tap("no such stream").sync_all()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"bookmarks": {"employees_employees": {"replication_key_value": "2026"}}}, "belong to another tap"),
        ({"bookmarks": ["owners"]}, "not a Singer state"),
        ({"bookmarks": {"owners": "2026"}}, "not a Singer state"),
        ({"type": "STATE", "value": {"bookmarks": {}}}, "not a Singer state"),
    ],
)
def test_state_of_another_tap_is_an_error(make_tap: Callable[..., Any], state: Any, sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        make_tap(state=state)


def test_state_with_a_stream_that_became_optional_is_accepted(make_tap: Callable[..., Any]) -> None:
    make_tap(state={"bookmarks": {"quarantines": {"version": 1}}})


def test_available_streams_may_depend_on_a_setting(
    make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = make_tap()
    types = tap.stream_types
    monkeypatch.setattr(
        type(tap),
        "stream_types",
        property(lambda tap: [kind for kind in types if kind.name == "kinds" or tap.config.get("user")]),
    )
    assert make_tap().streams.keys() == {"kinds"}
    assert "owners" in make_tap(user="u").streams
    with pytest.raises(RunError, match="belong to another tap"):
        make_tap(state={"bookmarks": {"owners": {"version": 1}}})


def test_optional_stream_is_available_if_a_pattern_matches(make_tap: Callable[..., Any]) -> None:
    assert "quarantines" not in make_tap().streams
    assert "quarantines" in make_tap(optional_streams=["quar*"]).streams
    assert "quarantines" in make_tap(optional_streams=["*"]).streams


def test_full_read_that_returns_nothing_warns_and_deletes_nothing(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = run("kinds")
    shop.data["/kinds"] = []
    output = run("kinds", state=first.state)
    assert [message["type"] for message in output.messages] == ["SCHEMA", "STATE"]
    assert "no records were returned" in caplog.text


def test_list_that_was_always_empty_causes_no_warning(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/kinds"] = []
    first = run("kinds")
    second = run("kinds", state=first.state)
    assert [message["type"] for message in second.messages] == ["SCHEMA", "STATE"]
    assert "version" not in second.state["bookmarks"]["kinds"]
    assert "no records were returned" not in caplog.text


def test_records_without_the_replication_key_cause_a_full_read_each_run(
    run: Callable[..., Any], shop: Any, vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/owners"] = [{"id": "1"}, {"id": "2"}]
    first = run("owners", start_date=None)
    remark = "2 of 2 records have no updated_at, so the next run is a full read again."
    assert f"owners: {remark}" in [record.getMessage() for record in caplog.records]
    vendor.requests.clear()
    second = run("owners", state=first.state, start_date=None)
    assert in_any_order(second) == {"owners": ["1", "2"]}
    assert "changed_after" not in vendor.queries("/owners")[0]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


def test_unlisted_fields_are_emitted_and_named_once(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/kinds"] = [{"id": "cat", "legs": 4, "sound": {"en": "meow"}}, {"id": "dog", "legs": 4}]
    assert run("kinds").records("kinds")[0]["_extra"] == {"legs": 4, "sound": {"en": "meow"}}
    assert caplog.text.count("legs, sound") == 1


def test_repeated_records_are_counted(run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    shop.data["/kinds"] = [{"id": "cat"}, {"id": "dog"}, {"id": "cat"}]
    assert in_any_order(run("kinds")) == {"kinds": ["cat", "cat", "dog"]}
    assert "1 records repeat the key" in caplog.text


def test_full_table_forced_in_the_catalog_is_read_completely(make_tap: Callable[..., Any], vendor: Host) -> None:
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-03T00:00:00Z"}}
    }
    tap = make_tap("owners", state=state)
    tap.streams["owners"].forced_replication_method = "FULL_TABLE"
    tap.sync_all()
    assert "changed_after" not in vendor.queries("/owners")[0]


def test_older_catalog_loses_no_field(make_tap: Callable[..., Any], shop: Any, vendor: Host, capfdbinary: Any) -> None:
    shop.data["/kinds"] = [{"id": "cat", "price": 5}]
    catalog = make_tap().catalog_dict
    for stream in catalog["streams"]:
        del stream["schema"]["properties"]["price"], stream["schema"]["description"]
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "kinds"
    tap = type(make_tap())(config={"api_url": vendor.url, "key": "k"}, catalog=catalog)
    tap.sync_all()
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [line["record"] for line in lines if line["type"] == "RECORD"] == [{"id": "cat", "_extra": {"price": 5}}]
    assert lines[0]["schema"]["description"] == "One row per kind."


@pytest.mark.parametrize(
    ("selected", "extra", "sentence"),
    [
        (None, {"legs": 4, "price": "much"}, "are kept in `_extra`"),
        (False, None, "are dropped because the catalog does not select `_extra`"),
    ],
)
def test_catalog_without_extra_gets_it_and_deselecting_it_is_logged(
    make_tap: Callable[..., Any],
    shop: Any,
    capfdbinary: Any,
    caplog: pytest.LogCaptureFixture,
    *,
    selected: bool | None,
    extra: Any,
    sentence: str,
) -> None:
    shop.data["/kinds"] = [{"id": "cat", "price": "much", "legs": 4}]
    catalog = make_tap().catalog_dict
    for stream in catalog["streams"]:
        del stream["schema"]["properties"]["_extra"]
        kept = [entry for entry in stream["metadata"] if entry["breadcrumb"] != ["properties", "_extra"]]
        if selected is not None:
            kept.append({"breadcrumb": ["properties", "_extra"], "metadata": {"selected": selected}})
        next(entry for entry in kept if not entry["breadcrumb"])["metadata"]["selected"] = stream["stream"] == "kinds"
        stream["metadata"] = kept
    tap = type(make_tap())(config=dict(make_tap().config), catalog=catalog)
    tap.sync_all()
    messages = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    (record,) = [message["record"] for message in messages if message["type"] == "RECORD"]
    assert record.pop("_extra", None) == extra
    assert record == {"id": "cat", "price": None}
    assert ("_extra" in messages[0]["schema"]["properties"]) == (extra is not None)
    assert f"fields that the schema does not list {sentence}: legs" in caplog.text
    assert f"values that do not fit their column's type {sentence}, and the columns are null: price" in caplog.text


@pytest.mark.parametrize("selected", [True, False])
def test_selected_but_unavailable_streams_are_named(
    make_tap: Callable[..., Any], vendor: Host, capfdbinary: Any, caplog: pytest.LogCaptureFixture, *, selected: bool
) -> None:
    catalog = {"streams": [stream for stream in make_tap().catalog_dict["streams"] if stream["stream"] == "kinds"]}
    gone = json.loads(json.dumps(catalog["streams"][0]).replace('"kinds"', '"dragons"'))
    gone["metadata"] = [{"breadcrumb": [], "metadata": {"selected": selected}}]
    type(make_tap())(
        config={"api_url": vendor.url, "key": "k"}, catalog={"streams": [*catalog["streams"], gone]}
    ).sync_all()
    assert b'"kinds"' in capfdbinary.readouterr().out
    assert ("not available any more, or not with these settings: dragons." in caplog.text) is selected


def test_catalog_without_keys_still_has_parents(make_tap: Callable[..., Any], vendor: Host, capfdbinary: Any) -> None:
    tap = make_tap("owners", "pets")
    tap.streams["owners"].primary_keys = ()
    tap.sync_all()
    assert b'"stream":"pets","record":{"id":"3b"' in capfdbinary.readouterr().out


def test_stream_maps_apply(run: Callable[..., Any]) -> None:
    output = run("kinds", stream_maps={"kinds": {"id": "id", "double": "id + id", "__else__": None}})
    assert output.records("kinds")[0] == {"id": "cat", "double": "catcat"}
    assert {message["version"] for message in output.messages_of("RECORD")} == {
        output.messages_of("ACTIVATE_VERSION")[0]["version"]
    }


def test_maps_are_created_for_the_streams_that_are_read(make_tap: Callable[..., Any]) -> None:
    tap = make_tap()
    sync_streams(tap, "kinds")
    assert list(tap.mapper.stream_maps) == ["kinds"]


def test_filter_of_a_stream_map_does_not_stop_the_bookmark(run: Callable[..., Any]) -> None:
    output = run("owners", stream_maps={"owners": {"__filter__": "id == '1'"}})
    assert in_any_order(output) == {"owners": ["1"]}
    assert output.state["bookmarks"]["owners"]["replication_key_value"] == "2026-01-03T00:00:00Z"


def test_deselected_properties_are_dropped_and_the_rest_is_unchanged(
    make_tap: Callable[..., Any], shop: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    shop.data["/owners"] = [{"id": "1", "note": "s", "name": "n", "updated_at": "2026-01-01T00:00:00Z"}]
    tap = make_tap("owners")
    tap.streams["owners"].metadata["properties", "note"].selected = False
    tap.streams["owners"]._mask = None
    tap.sync_all()
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    records = [line["record"] for line in lines if line["type"] == "RECORD"]
    assert records == [{"id": "1", "name": "n", "updated_at": "2026-01-01T00:00:00Z"}]
    assert lines[-1]["value"]["bookmarks"]["owners"]["replication_key_value"] == "2026-01-01T00:00:00Z"


def test_both_ways_of_writing_give_the_same_bytes(
    run: Callable[..., Any], shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"id": 2, "name": "\ud800", "price": "1e3", "updated_at": "never", "_extra": 1, "token": "t"}
    shop.data["/kinds"] = [{"id": "ü", "price": 1.1, "legs": [1, {"a": None}]}, odd]
    fast = run("kinds")
    monkeypatch.setattr("singer_rest.singer.sync.SyncedStream._writes_whole_pages", False)
    slow = run("kinds")
    for output in (fast, slow):
        for message in output.messages:
            message.pop("time_extracted", None)
            message.pop("version", None)
    assert fast.messages_of("RECORD") == slow.messages_of("RECORD")
    assert len(fast.raw.splitlines()[1]) == len(slow.raw.splitlines()[1])


@pytest.mark.parametrize("compression", [None, "none", "gzip"])
def test_batches_hold_every_record_in_the_declared_encoding(
    run: Callable[..., Any], tmp_path: Path, compression: str | None
) -> None:
    encoding = {"format": "jsonl"} | ({"compression": compression} if compression else {})
    storage = {"root": tmp_path.as_uri(), "prefix": "p-"}
    output = run("kinds", batch_config={"encoding": encoding, "storage": storage, "batch_size": 2})
    count = -(-len(ALL["kinds"]) // 2)
    assert [message["type"] for message in output.messages] == ["SCHEMA", *["BATCH"] * count, "STATE"]
    lines = b""
    for message in output.messages_of("BATCH"):
        assert message["encoding"] == encoding
        file = Path(message["manifest"][0].removeprefix("file://"))
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        data = file.read_bytes()
        lines += gzip.decompress(data) if compression == "gzip" else data
    assert lines.splitlines() == [encode(message["record"]) for message in run("kinds").messages_of("RECORD")]


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ({"format": "parquet"}, "The setting batch_config needs pyarrow for parquet"),
        ({"format": "csv"}, "The encoding in the setting batch_config is not supported"),
        ({"format": "jsonl", "compression": "zstd"}, "The encoding in the setting batch_config is not supported"),
    ],
)
def test_unsupported_encoding_of_batches_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: Any, reason: str
) -> None:
    monkeypatch.setattr("singer_rest.singer.batch_files.find_spec", lambda _: None)
    config = BatchConfig(encoding=encoding, storage={"root": tmp_path.as_uri()})  # type: ignore[arg-type]
    with pytest.raises(RunError, match=reason):
        BatchFiles("name", config, print)


def test_run_ends_if_a_batch_file_cannot_be_written(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("singer_sdk.helpers._batch.StorageTarget.open", fail)
    config = {"encoding": {"format": "jsonl"}, "storage": {"root": tmp_path.as_uri()}}
    failures: list[Exception] = []
    output = run("kinds", "owners", batch_config=config, fails=failures)
    assert "no space left on device" in str(failures[0])
    assert output.messages_of("BATCH") == []
    assert [message["value"]["bookmarks"]["kinds"] for message in output.messages_of("STATE")] == [
        {}
    ]  # of the start of the run


def test_connection_test_reads_a_record_of_each_stream(make_tap: Callable[..., Any], vendor: Host) -> None:
    assert make_tap().run_connection_test()
    assert vendor.paths()["/owners"] <= 4


def test_connection_test_without_any_permission_fails(make_tap: Callable[..., Any], shop: Any) -> None:
    shop.before = lambda request: Response({}, 403)
    with pytest.raises(TapError, match="Nothing could be read"):
        make_tap().run_connection_test()


def test_expensive_stream_is_not_read_by_the_connection_test(
    make_tap: Callable[..., Any], vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = make_tap()
    monkeypatch.setattr(type(tap.streams["pets"]), "used_in_connection_test", False)
    with capture_stdout():
        assert tap.run_connection_test()
    assert set(vendor.paths()) == {"/owners", "/kinds", "/sales"}


def test_stream_can_remember_emitted_pages(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def remember(stream: Any, page: Any, state: dict[str, Any]) -> bool:
        state["seen"] = [*state.get("seen", []), *(record["id"] for record in page.records)]
        return "fish" not in state["seen"]

    monkeypatch.setattr(type(make_tap().streams["kinds"]), "remember", remember)
    output = run("kinds")
    states = [message["value"]["bookmarks"]["kinds"]["seen"] for message in output.messages_of("STATE")]
    assert states == [["cat", "dog"], ["cat", "dog", "fish"]]  # the second one of the stream's end
