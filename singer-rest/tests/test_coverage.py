"""Coverage: missing data is requested again, and only parents that the vendor no longer lists count as deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import DateWindows, ParamValues, ParentBatches, Product
from singer_rest.testing import Output, ReceivedRequest, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host

NOT_FOUND = Response({"error": "not found"}, 404)
WORKERS = pytest.mark.parametrize("workers", [1, 32])


def activated_streams(output: Output) -> set[str]:
    return {message["stream"] for message in output.messages_of("ACTIVATE_VERSION")}


def count_requests(vendor: Host, path: str) -> int:
    return vendor.paths().get(path, 0)


class Failing:
    """Replaces the response to the first requests for a path."""

    def __init__(self, path: str, response: Response, times: int = 1) -> None:
        self.path, self.refusal, self.left = path, response, times

    def __call__(self, request: ReceivedRequest) -> Response | None:
        if request.path != self.path or not self.left:
            return None
        self.left -= 1
        return self.refusal


@WORKERS
def test_parent_not_found_once_is_requested_again_at_the_end(
    run: Callable[..., Output], shop: Any, vendor: Host, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = Failing("/owners/2/pets", NOT_FOUND)
    output = run("owners", "pets", max_concurrency=workers, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b", "3a", "3b"]
    assert activated_streams(output) == {"owners", "pets"}
    assert [request.path for request in vendor.requests][-1] == "/owners/2/pets"
    assert "of the owners" not in caplog.text


@WORKERS
def test_listed_parent_is_not_deleted_however_often_it_is_not_found(
    run: Callable[..., Output], shop: Any, vendor: Host, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/owners/2/pets"] = NOT_FOUND
    output = run("owners", "pets", max_concurrency=workers, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "3a", "3b"]
    assert activated_streams(output) == {"owners"}
    assert count_requests(vendor, "/owners/2/pets") == 2
    assert (
        "pets: 1 of the owners were not found, even on a second request, although the vendor still lists them"
        in caplog.text
    )


@WORKERS
def test_parent_no_longer_listed_is_deleted(
    run: Callable[..., Output], shop: Any, vendor: Host, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    def leaves(request: ReceivedRequest) -> Response | None:
        if request.path != "/owners/3/pets":
            return None
        if count_requests(vendor, request.path) == 2:  # requested again, once all owners were listed
            shop.data["/owners"] = [row for row in shop.data["/owners"] if row["id"] != "3"]  # of the last page
        return NOT_FOUND

    shop.before = leaves
    output = run("owners", "pets", max_concurrency=workers, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b"]
    assert activated_streams(output) == {"owners", "pets"}
    assert "pets: 1 of the owners were deleted while the stream was read." in caplog.text


@pytest.mark.parametrize(
    "list_of_parents", [Response({"data": []}), Response({"data": [None]}), Response({}, 403), NOT_FOUND]
)
def test_unreadable_list_of_parents_proves_nothing(
    run: Callable[..., Output], shop: Any, list_of_parents: Response, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response | None:
        if request.path == "/owners/2/pets":
            shop.refusals["/owners"] = list_of_parents
            return NOT_FOUND
        return None

    shop.before = respond
    output = run("pets", max_concurrency=1, start_date=None)
    assert activated_streams(output) == set()
    assert "not found, even on a second request" in caplog.text


def test_parent_of_a_batch_is_requested_again_alone(
    run: Callable[..., Output], shop: Any, make_tap: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "path", "/pets")
    monkeypatch.setattr(
        pets, "slices", Product(ParentBatches("owners", "ids", size=1), DateWindows("from", "to", days=40))
    )
    asked_for: list[tuple[str, str]] = []

    def respond(request: ReceivedRequest) -> Response | None:
        if request.path != "/pets":
            return None
        what = (request.query["ids"], request.query["from"])
        asked_for.append(what)
        return (
            NOT_FOUND if what[0] == "2" and asked_for.count(what) == 1 else Response({"data": [{"id": "-".join(what)}]})
        )

    shop.before = respond
    output = run("owners", "pets", start_date="2026-01-01", end_date="2026-02-28")
    assert len(set(output.ids()["pets"])) == len(set(asked_for)) == 3 * 2
    assert activated_streams(output) == {"owners", "pets"}


def test_bookmark_of_children_stays_if_a_parent_may_lack_some(
    run: Callable[..., Output],
    shop: Any,
    make_tap: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(type(make_tap().streams["pets"]), "replication_key", "updated_at")
    for owner in "123":
        shop.data[f"/owners/{owner}/pets"] = [{"id": owner, "updated_at": "2026-02-01T00:00:00Z"}]
    first = run("owners", "pets", start_date=None)
    before = dict(first.state["bookmarks"]["pets"])
    assert before["replication_key_value"] == "2026-02-01T00:00:00Z"
    shop.data["/owners/1/pets"][0]["updated_at"] = "2026-02-03T00:00:00Z"
    shop.refusals["/owners/2/pets"] = NOT_FOUND
    second = run("owners", "pets", start_date=None, state=first.state)
    assert second.state["bookmarks"]["pets"] == before
    assert "and the next run starts from the same bookmark" in caplog.text
    shop.refusals.clear()
    third = run("owners", "pets", start_date=None, state=second.state)
    assert third.state["bookmarks"]["pets"]["replication_key_value"] == "2026-02-03T00:00:00Z"


def list_response(*rows: str, total: int | None) -> Response:
    return Response({"data": [{"id": row} for row in rows], "total": total})


@WORKERS
def test_list_with_fewer_records_than_reported_is_requested_again(
    run: Callable[..., Output], shop: Any, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = Failing("/kinds", list_response("cat", total=3))
    output = run("kinds", max_concurrency=workers)
    assert set(output.ids()["kinds"]) == {"cat", "dog", "fish"}
    assert activated_streams(output) == {"kinds"}
    assert "repeat the key" not in caplog.text


@WORKERS
def test_list_incomplete_after_a_second_request_is_loaded_with_a_warning(
    run: Callable[..., Output], shop: Any, vendor: Host, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/kinds"] = list_response("cat", total=3)
    output = run("kinds", max_concurrency=workers)
    assert count_requests(vendor, "/kinds") == 2
    assert activated_streams(output) == set()
    assert "kinds: 1 lists have fewer records than the vendor reports" in caplog.text
    assert "so no row is marked as deleted in this run" in caplog.text


@pytest.mark.parametrize("total", [0, 1, 2, None])
def test_total_that_is_too_small_or_missing_has_no_effect(
    run: Callable[..., Output], shop: Any, vendor: Host, total: int | None
) -> None:
    shop.refusals["/kinds"] = list_response("cat", "dog", total=total)
    assert activated_streams(run("kinds")) == {"kinds"}
    assert count_requests(vendor, "/kinds") == 1


def test_next_run_reads_in_full_what_a_first_read_may_lack(run: Callable[..., Output], shop: Any) -> None:
    rows = shop.data["/owners"]
    shop.refusals["/owners"] = Response({"data": rows[:1], "total": 3})
    first = run("owners", start_date=None)
    assert "replication_key_value" not in first.state["bookmarks"]["owners"]
    shop.refusals.clear()
    second = run("owners", start_date=None, state=first.state)
    assert second.ids()["owners"] == ["1", "2", "3"]
    assert activated_streams(second) == {"owners"}


def test_only_the_short_slice_is_requested_again(
    run: Callable[..., Output], make_tap: Any, monkeypatch: pytest.MonkeyPatch, vendor: Host
) -> None:
    monkeypatch.setattr(type(make_tap().streams["kinds"]), "slices", ParamValues("kind", *"abcd"))
    vendor.respond = lambda request: list_response(
        request.query["kind"], total=2 if request.query["kind"] == "b" else 1
    )
    run("kinds")
    assert sorted(query["kind"] for query in vendor.queries("/kinds")) == ["a", "b", "b", "c", "d"]


def test_rows_without_a_key_are_not_requested_twice(
    run: Callable[..., Output], make_tap: Any, monkeypatch: pytest.MonkeyPatch, shop: Any, vendor: Host
) -> None:
    monkeypatch.setattr(type(make_tap().streams["kinds"]), "primary_keys", ())
    shop.refusals["/kinds"] = list_response("cat", total=3)
    output = run("kinds")
    assert count_requests(vendor, "/kinds") == 1
    assert len(output.records("kinds")) == 1
    assert activated_streams(output) == set()


@pytest.mark.parametrize("streams", [("pets",), ("owners", "pets")])
@pytest.mark.parametrize("owner", [{"id": None}, {}])
def test_children_of_a_parent_without_an_id_may_exist(
    run: Callable[..., Output],
    shop: Any,
    streams: tuple[str, ...],
    owner: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop.data["/owners"].append(owner)
    output = run(*streams, start_date=None)
    assert len(output.records("pets")) == 6
    assert activated_streams(output) == set()
    assert "pets: some of the owners may be missing from the vendor's list" in caplog.text


@pytest.mark.parametrize("streams", [("pets",), ("owners", "pets")])
def test_children_of_missing_parents_may_exist(
    run: Callable[..., Output], shop: Any, streams: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/owners"] = Response({"data": shop.data["/owners"][:2], "total": 3})
    output = run(*streams, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b"]
    assert activated_streams(output) == set()
    assert "pets: some of the owners may be missing from the vendor's list" in caplog.text


@pytest.mark.parametrize("streams", [("pets",), ("owners", "pets")])
def test_children_may_exist_if_another_parent_is_listed_twice_in_place_of_theirs(
    run: Callable[..., Output], shop: Any, streams: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    def shifted(request: ReceivedRequest) -> Response | None:
        first, second, _ = shop.data["/owners"]
        return Response({"data": [first, second, second], "total": 3}) if request.path == "/owners" else None

    shop.before = shifted
    output = run(*streams, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b"]
    assert "pets" not in activated_streams(output)
    assert "pets: some of the owners may be missing from the vendor's list" in caplog.text


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_unlicensed_or_disabled_endpoint_is_skipped_by_name(
    run: Callable[..., Output], shop: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/kinds"] = Response({}, status)
    output = run("kinds", "owners", start_date=None)
    assert output.ids() == {"owners": ["1", "2", "3"]}
    assert (
        f"kinds: the company's plan does not include this stream, or the vendor has switched it off (status {status}"
        in caplog.text
    )
    assert "Skipping it; the run continues." in caplog.text


@pytest.mark.parametrize("status", [402, 412, 428])
def test_parent_with_unlicensed_children_does_not_stop_the_others(
    run: Callable[..., Output], shop: Any, status: int
) -> None:
    shop.refusals["/owners/2/pets"] = Response({}, status)
    output = run("owners", "pets", start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "3a", "3b"]
    assert activated_streams(output) == {"owners"}


def test_empty_response_means_no_records(run: Callable[..., Output], shop: Any) -> None:
    shop.refusals["/kinds"] = shop.refusals["/owners/2/pets"] = Response(b"", 204)
    output = run("kinds", "owners", "pets", start_date=None)
    assert output.ids()["owners"] == ["1", "2", "3"]
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "3a", "3b"]
    assert activated_streams(output) == {"owners", "pets"}


@WORKERS
def test_empty_response_among_others_is_requested_again(
    run: Callable[..., Output], shop: Any, vendor: Host, workers: int
) -> None:
    def empty_once(request: ReceivedRequest) -> Response | None:
        return (
            Response(b"", 204)
            if request.path == "/owners/2/pets" and count_requests(vendor, request.path) == 1
            else None
        )

    shop.before = empty_once
    output = run("owners", "pets", max_concurrency=workers, start_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b", "3a", "3b"]
    assert activated_streams(output) == {"owners", "pets"}


def test_list_of_all_parents_is_requested_again_without_the_parents_filter(
    run: Callable[..., Output], shop: Any, vendor: Host
) -> None:
    def empty_once(request: ReceivedRequest) -> Response | None:
        if request.path != "/owners" or "changed_after" in request.query:
            return None
        listings = [query for query in vendor.queries("/owners") if "changed_after" not in query]
        return Response(b"", 204) if len(listings) == 1 else None

    shop.before = empty_once
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-01-03T00:00:00Z", "version": 1}
    output = run("owners", "pets", state={"bookmarks": {"owners": bookmark}}, start_date=None, end_date=None)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "2a", "2b", "3a", "3b"]
    assert activated_streams(output) == {"pets"}


@pytest.mark.parametrize(("empty_answers", "ids"), [(1, ["1", "2"]), (2, [])])
def test_second_empty_response_in_place_of_a_complete_list_is_accepted(
    run: Callable[..., Output], shop: Any, vendor: Host, empty_answers: int, ids: list[str]
) -> None:
    def empty(request: ReceivedRequest) -> Response | None:
        return Response(b"", 204) if count_requests(vendor, request.path) <= empty_answers else None

    shop.before = empty
    shop.data["/visits"] = [{"id": number, "updated_at": "2026-01-05T00:00:00Z"} for number in ("1", "2")]
    output = run("visits", optional_streams=["visits"], start_date=None, end_date=None)
    assert output.ids().get("visits", []) == ids
    assert count_requests(vendor, "/visits") == 2


@pytest.mark.parametrize(("empty_answers", "ids"), [(1, {"cat", "dog", "fish"}), (2, {"cat", "dog"})])
def test_second_empty_response_in_place_of_a_later_page_ends_the_list(
    run: Callable[..., Output], shop: Any, empty_answers: int, ids: set[str]
) -> None:
    empty = Failing("/kinds", Response(b"", 204), empty_answers)
    shop.before = lambda request: empty(request) if "cursor" in request.query else None
    output = run("kinds")
    assert set(output.ids()["kinds"]) == ids
    assert activated_streams(output) == {"kinds"}


def test_frequent_empty_responses_are_not_requested_again(
    run: Callable[..., Output], shop: Any, vendor: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("singer_rest.fetch.coverage.MAX_NO_CONTENT", 0)
    shop.refusals["/owners/2/pets"] = shop.refusals["/owners/3/pets"] = Response(b"", 204)
    assert run("owners", "pets", start_date=None).ids()["pets"] == ["1a", "1b"]
    assert count_requests(vendor, "/owners/2/pets") == 1


WINDOWS = {"after", "before"}


def windowed_list(rows: list[str]) -> Callable[[ReceivedRequest], Response | None]:
    """Returns a list in windows. All rows lie before January; any other window is empty."""
    return lambda request: (
        list_response(*rows, total=len(rows))
        if request.query.get("before", "")[:7] == "2026-01" and "after" not in request.query
        else (list_response(total=0) if request.query.keys() & WINDOWS else None)
    )


@pytest.mark.parametrize(("count", "whole"), [(0, 1), (2, 1), (3, 2), (8, 4), (9, None)])
def test_only_a_long_list_is_sliced_and_each_record_is_emitted_once(
    run: Callable[..., Output], shop: Any, vendor: Host, count: int, whole: int | None
) -> None:
    rows = [str(number) for number in range(count)]
    shop.data["/visits"] = [{"id": row, "updated_at": "2026-01-05T00:00:00Z"} for row in rows]
    shop.before = windowed_list(rows)
    output = run("visits", optional_streams=["visits"], start_date=None, end_date=None)
    assert output.ids().get("visits", []) == rows
    windows = [bool(query.keys() & WINDOWS) for query in vendor.queries("/visits")]
    assert windows == [False] * whole if whole else windows == [False] * 4 + [True] * 2


@pytest.mark.parametrize("page", [0, 1])
def test_list_that_times_out_is_read_in_parts(run: Callable[..., Output], shop: Any, vendor: Host, page: int) -> None:
    rows = [str(number) for number in range(8)]
    shop.data["/visits"] = [{"id": row, "updated_at": "2026-01-05T00:00:00Z"} for row in rows]
    in_parts = windowed_list(rows)

    def respond(request: ReceivedRequest) -> Response | None:
        is_late = not request.query.keys() & WINDOWS and int(request.query.get("cursor", 0)) == 2 * page
        return Response({}, 504) if is_late else in_parts(request)

    shop.before = respond
    output = run("visits", optional_streams=["visits"], start_date=None, end_date=None)
    assert output.ids()["visits"] == rows
    assert activated_streams(output) == {"visits"}
    assert sum(not query.keys() & WINDOWS for query in vendor.queries("/visits")) == page + 2


@pytest.mark.parametrize(("total", "whole"), [(100, True), (101, False)])
def test_list_with_a_known_total_is_sliced_after_its_first_page_or_not_at_all(
    run: Callable[..., Output], shop: Any, vendor: Host, total: int, *, whole: bool
) -> None:
    rows = [str(number) for number in range(total)]

    def counted(request: ReceivedRequest) -> Response | None:
        start = int(request.query.get("cursor", 0))
        page = [{"id": row} for row in rows[start : start + 2]]
        following = [str(number) for number in range(2, total, 2)] if not start else []
        return windowed_list(rows)(request) or Response({"data": page, "all": following, "total": total})

    shop.before = counted
    output = run("visits", optional_streams=["visits"], start_date=None, end_date=None)
    assert sorted(output.ids()["visits"]) == sorted(rows)
    assert len(vendor.queries("/visits")) == (total / 2 if whole else 1 + 2)
