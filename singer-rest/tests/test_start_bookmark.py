"""A list with an incremental filter but without change timestamps: the bookmark is the start of the run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Output, Response, capture_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

FIRST = datetime(2026, 2, 10, 8, tzinfo=timezone.utc)
SECOND = datetime(2026, 2, 12, 8, tzinfo=timezone.utc)
THIRD = datetime(2026, 2, 14, 8, tzinfo=timezone.utc)
OPTIONS: dict[str, Any] = {"optional_streams": ["treats"], "start_date": None, "end_date": None}


class Bowl:
    """Treats and when they changed. The slice that begins with `broken` fails."""

    def __init__(self) -> None:
        self.changed = {"1": "2026-01-05T00:00:00Z", "2": "2026-01-06T00:00:00Z"}
        self.broken: str | None = None

    def respond(self, request: ReceivedRequest) -> Response:
        if self.broken in {request.query.get("after"), request.query.get("changed_after")} and self.broken:
            return Response({}, 422)
        since = request.query.get("changed_after", "")
        first, last = request.query.get("after", ""), request.query.get("before", "9")
        rows = [row for row, changed in self.changed.items() if changed >= since and first <= changed < last]
        is_unbounded = request.path == "/treats" and not {"before", "changed_after"} & request.query.keys()
        in_one_piece = is_unbounded and first <= "2026-01-01T00:00:00"
        return Response({"data": [{"id": row} for row in rows], "next": "more" if in_one_piece else None})


@pytest.fixture
def bowl(vendor: Host, monkeypatch: pytest.MonkeyPatch) -> Bowl:
    monkeypatch.setattr("singer_rest.fetch.tasks.MAX_PAGES_WHOLE", 1)
    bowl = Bowl()
    vendor.respond = bowl.respond
    return bowl


@pytest.fixture
def read_treats(run: Callable[..., Output], bowl: Bowl, vendor: Host) -> Callable[..., Output]:
    """Runs the tap over treats."""

    def read_treats(started: datetime, state: dict[str, Any] | None = None, **options: Any) -> Output:
        vendor.requests.clear()
        return run("treats", state=state, started=started, **OPTIONS, **options)

    return read_treats


@pytest.mark.parametrize(("minutes", "is_ahead"), [(90, True), (0.5, False), (-90, False)])
def test_bookmark_is_by_the_vendors_clock_if_the_own_one_is_ahead(
    run: Callable[..., Output], vendor: Host, *, minutes: float, is_ahead: bool
) -> None:
    now = datetime.now(timezone.utc)
    behind = timedelta(minutes=minutes)
    body = b'{"data": [{"id": "1", "updated_at": "%s"}]}' % now.isoformat().encode()

    def respond(request: ReceivedRequest) -> Response:
        date = format_datetime(now - behind, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n"
        return Response(raw=head.encode() + body)

    vendor.respond = respond
    bookmarks = run("treats", "owners", started=now, **OPTIONS).state["bookmarks"]
    for name in ("treats", "owners"):
        bookmark = datetime.fromisoformat(bookmarks[name]["replication_key_value"].replace("Z", "+00:00"))
        assert abs(bookmark - (now - behind if is_ahead else now)) < timedelta(minutes=1)


def bookmark_of(output: Output) -> dict[str, Any]:
    place: dict[str, Any] = output.state["bookmarks"]["treats"]
    return place


def test_first_run_reads_everything_and_the_next_one_changes_since_its_start(
    read_treats: Callable[..., Output], bowl: Bowl, vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    first = read_treats(FIRST)
    version = int(FIRST.timestamp() * 1000)
    assert first.ids()["treats"] == ["1", "2"]
    assert {message["version"] for message in first.messages_of("RECORD") + first.messages_of("ACTIVATE_VERSION")} == {
        version
    }
    assert "changed_after" not in vendor.queries("/treats")[0]
    assert bookmark_of(first)["replication_key_value"] == "2026-02-10T08:00:00Z"

    bowl.changed["1"] = "2026-02-11T00:00:00Z"
    second = read_treats(SECOND, first.state)
    assert vendor.queries("/treats") == [{"limit": "2", "changed_after": "2026-02-10T07:55:00Z"}]
    assert second.ids()["treats"] == ["1"]
    assert second.messages_of("RECORD")[0]["version"] == version
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert bookmark_of(second) == bookmark_of(first) | {"replication_key_value": "2026-02-12T08:00:00Z"}
    assert "have no" not in caplog.text


def test_run_without_records_leaves_the_bookmark(read_treats: Callable[..., Output], bowl: Bowl) -> None:
    rows, bowl.changed = bowl.changed, {}
    empty = read_treats(FIRST)
    assert "replication_key_value" not in bookmark_of(empty)
    bowl.changed = rows
    first = read_treats(SECOND, empty.state)
    assert first.ids()["treats"] == ["1", "2"]
    assert bookmark_of(read_treats(THIRD, first.state))["replication_key_value"] == "2026-02-12T08:00:00Z"


def test_failed_run_leaves_the_bookmark(read_treats: Callable[..., Output], bowl: Bowl) -> None:
    first = read_treats(FIRST)
    bowl.broken = "2026-02-10T07:55:00Z"
    assert [message["value"] for message in read_treats(SECOND, first.state, fails=[]).messages_of("STATE")] == [
        first.state
    ]
    bowl.broken = None
    bowl.changed["2"] = "2026-02-11T00:00:00Z"
    assert read_treats(THIRD, first.state).ids()["treats"] == ["2"]


def test_resumed_read_ends_with_the_start_of_its_first_run(
    read_treats: Callable[..., Output], bowl: Bowl, vendor: Host
) -> None:
    bowl.broken = "2026-02-01T00:00:00"
    first = read_treats(FIRST, fails=[])
    assert "replication_key_value" not in bookmark_of(first)
    bowl.broken = None
    second = read_treats(SECOND, first.state)
    assert {query["after"] for query in vendor.queries("/treats")} == {"2026-02-01T00:00:00", "2026-03-01T00:00:00"}
    assert bookmark_of(second)["replication_key_value"] == "2026-02-10T08:00:00Z"
    assert second.messages_of("ACTIVATE_VERSION")[0]["version"] == int(FIRST.timestamp() * 1000)


def test_catalog_says_incremental_and_no_message_names_a_key(
    make_tap: Callable[..., Any], read_treats: Callable[..., Output], bowl: Bowl
) -> None:
    (entry,) = [stream for stream in make_tap(**OPTIONS).catalog_dict["streams"] if stream["tap_stream_id"] == "treats"]
    assert entry["replication_method"] == "INCREMENTAL"
    assert "replication_key" not in entry
    assert not read_treats(FIRST).messages_of("SCHEMA")[0].get("bookmark_properties")


@pytest.mark.parametrize("stream", ["treats", "owners"])
@pytest.mark.parametrize("place", ["entry", "metadata"])
def test_full_table_chosen_by_the_user_takes_precedence(
    make_tap: Callable[..., Any], bowl: Bowl, vendor: Host, stream: str, place: str
) -> None:
    catalog = make_tap(**OPTIONS).catalog_dict
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if metadata["breadcrumb"] == []:
                metadata["metadata"]["selected"] = entry["tap_stream_id"] == stream
                if place == "metadata":
                    metadata["metadata"]["forced-replication-method"] = "FULL_TABLE"
        if place == "entry":
            entry["replication_method"] = "FULL_TABLE"
    bookmark = {"replication_key_value": "2026-02-10T08:00:00Z", "version": 1}
    config = {"api_url": vendor.url, "key": "k", "optional_streams": ["treats"]}
    tap = type(make_tap())(config=config, catalog=catalog, state={"bookmarks": {stream: bookmark}})
    output = capture_output(tap.sync_all)
    assert not any("changed_after" in request.query for request in vendor.requests)
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1
    assert output.state["bookmarks"][stream]["replication_key_value"] == "2026-02-10T08:00:00Z"
