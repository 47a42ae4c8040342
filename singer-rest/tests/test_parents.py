"""Children of deleted or forbidden parents, and inconclusive responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import ChangedSince, DateWindows, ParentBatches, PerParent, Product
from singer_rest.testing import Output, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

OPTIONS: dict[str, Any] = {"start_date": None, "end_date": None}


def set_owners(shop: Any, *ids: str) -> None:
    shop.data["/owners"] = [{"id": number, "updated_at": "2026-01-02T00:00:00Z"} for number in ids]


class Batched:
    """Pets by batches of owners. A batch with a deleted or forbidden owner is refused as a whole."""

    status = 404

    def __init__(self, gone: set[str]) -> None:
        self.gone = gone
        self.requests: list[list[str]] = []

    def __call__(self, request: ReceivedRequest) -> Response | None:
        if request.path != "/pets":
            return None
        ids = [pair.partition("=")[2] for pair in request.query_text.split("&") if pair.startswith("owner_ids")]
        self.requests.append(ids)
        if self.gone.intersection(ids):
            return Response({}, self.status)
        return Response({"data": [{"id": f"p{id_}"} for id_ in ids]})


@pytest.fixture
def request_in_batches(
    make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, shop: Any
) -> Callable[..., Batched]:
    def request_in_batches(*gone: str, size: int = 4) -> Batched:
        pets = type(make_tap().streams["pets"])
        monkeypatch.setattr(pets, "path", "/pets")
        monkeypatch.setattr(pets, "slices", ParentBatches("owners", "owner_ids[]", size=size))
        shop.before = Batched(set(gone))
        return shop.before  # type: ignore[no-any-return]

    return request_in_batches


@pytest.mark.parametrize("workers", [1, 8])
def test_batch_with_a_deleted_parent_is_requested_in_halves(
    run: Callable[..., Output], shop: Any, request_in_batches: Callable[..., Batched], workers: int, caplog: Any
) -> None:
    set_owners(shop, "1", "2", "3", "4", "5")
    response = request_in_batches("2")
    output = run("pets", max_concurrency=workers, **OPTIONS)
    assert sorted(output.ids()["pets"]) == ["p1", "p3", "p4", "p5"]
    assert sorted(response.requests) == [["1"], ["1", "2"], ["1", "2", "3", "4"], ["2"], ["2"], ["3", "4"], ["5"]]
    assert (
        "pets: 1 of the owners were not found, even on a second request, although the vendor still lists them"
        in caplog.text
    )
    assert output.messages_of("ACTIVATE_VERSION", "pets") == []


@pytest.mark.parametrize("size", [1, 4])
def test_later_page_of_a_batch_that_is_not_found_deletes_nothing(
    run: Callable[..., Output], shop: Any, request_in_batches: Callable[..., Batched], vendor: Host, size: int
) -> None:
    set_owners(shop, "1", "2", "3", "4", "5")
    respond = request_in_batches(size=size)

    def paged(request: ReceivedRequest) -> Response | None:
        if request.path == "/pets" and "cursor" in request.query:  # the link names no owner
            return Response({}, 404)
        found = respond(request)
        return Response({**found.body, "next": "2"}) if found and respond.requests[-1][0] == "1" else found

    shop.before = paged
    output = run("pets", fails=[], **OPTIONS)
    assert {*output.ids()["pets"]} == {"p1", "p2", "p3", "p4", "p5"}
    assert output.messages_of("ACTIVATE_VERSION", "pets") == []
    assert "/pets" not in [query.get("owner_ids[]") for query in vendor.queries("/pets")]


def test_keys_of_a_batch_that_ends_with_a_deleted_parent_are_forgotten(
    run: Callable[..., Output],
    shop: Any,
    request_in_batches: Callable[..., Batched],
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
) -> None:
    monkeypatch.setattr("singer_rest.singer.records.MAX_TRACKED_KEYS", 8)
    set_owners(shop, *(str(number) for number in range(20)))
    respond = request_in_batches("3", "7", "11", "15")

    def twice(request: ReceivedRequest) -> Response | None:
        found = respond(request)
        if found and found.status == 200 and request.path == "/pets" and "p16" in str(found.body):
            found.body["data"] += found.body["data"]
        return found

    shop.before = twice
    run("pets", max_concurrency=1, **OPTIONS)
    assert "pets: 4 records repeat the key of an earlier one" in caplog.text


def test_list_that_finds_no_batch_lacks_permission(
    run: Callable[..., Output], shop: Any, request_in_batches: Callable[..., Batched], caplog: Any
) -> None:
    set_owners(shop, "1", "2", "3", "4", "5")
    request_in_batches("1", "2", "3", "4", "5")
    output = run("kinds", "pets", **OPTIONS)
    assert "none of the 5 owners was found" in caplog.text
    assert output.messages_of("SCHEMA", "pets") == []


@pytest.mark.slow
def test_list_that_finds_none_of_many_parents_is_not_requested_for_all(
    run: Callable[..., Output], shop: Any, request_in_batches: Callable[..., Batched], caplog: Any
) -> None:
    ids = [str(number) for number in range(1000)]
    set_owners(shop, *ids)
    response = request_in_batches(*ids, size=50)
    run("kinds", "pets", max_concurrency=1, **OPTIONS)
    assert "none of the 100 owners that were tried was found" in caplog.text
    assert len(response.requests) < 1000


def test_deleted_parent_is_counted_once_however_it_was_requested(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, vendor: Host, caplog: Any
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "path", "/pets")
    windows = DateWindows("from", "to", days=10)
    monkeypatch.setattr(pets, "slices", Product(ParentBatches("owners", "owner_ids[]", size=1), windows))
    real = vendor.respond

    def respond(request: ReceivedRequest) -> Response:
        if request.path != "/pets":
            return real(request)
        return Response({}, 404) if request.query["owner_ids[]"] == "2" else Response({"data": [{"id": "a"}]})

    vendor.respond = respond
    run("pets", start_date="2026-01-01", end_date="2026-01-31")
    assert "pets: 1 of the owners" in caplog.text


@pytest.mark.parametrize("workers", [1, 8])
def test_forbidden_parent_does_not_stop_others_and_no_row_is_deleted(
    run: Callable[..., Output], shop: Any, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/owners/2/pets"] = Response({}, 403)
    output = run("owners", "pets", max_concurrency=workers, **OPTIONS)
    assert sorted(output.ids()["pets"]) == ["1a", "1b", "3a", "3b"]
    assert {message["stream"] for message in output.messages_of("ACTIVATE_VERSION")} == {"owners"}
    remark = "the credential cannot read 1 of the owners, so no row is marked as deleted"
    assert f"pets: {remark} in this run." in caplog.text
    assert output.state["bookmarks"]["pets"]["version"] == output.messages_of("RECORD", "pets")[0]["version"]

    shop.refusals.clear()
    again = run("owners", "pets", state=output.state, **OPTIONS)
    assert len(again.messages_of("ACTIVATE_VERSION", "pets")) == 1


@pytest.mark.parametrize("mode", ["skip", "fail"])
def test_permission_is_missing_if_every_parent_is_forbidden(
    run: Callable[..., Output], shop: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals = {f"/owners/{owner}/pets": Response({}, 403 if owner > 1 else 404) for owner in (1, 2, 3)}
    fails: list[Exception] = []
    output = run("owners", "pets", on_missing_access=mode, fails=fails, **OPTIONS)
    assert output.messages_of("SCHEMA", "pets") == []
    assert (
        "pets: the credential cannot read this stream; it needs pets:read (the vendor refused access to all of the 3"
        in caplog.text
    )
    assert bool(fails) == (mode == "fail")


@pytest.mark.parametrize(
    ("status", "why"), [(401, "status 401 from /pets"), (403, "the vendor refused access to all of the 3 owners")]
)
def test_several_forbidden_parents_or_no_credential_mean_a_missing_permission(
    run: Callable[..., Output],
    shop: Any,
    request_in_batches: Callable[..., Batched],
    *,
    status: int,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    request_in_batches(size=1 if status == 401 else 3)
    shop.before = lambda request: Response({}, status) if request.path == "/pets" else None
    run("owners", "pets", **OPTIONS)
    assert f"pets: the credential cannot read this stream; it needs pets:read ({why}" in caplog.text


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(
    ("status", "word"), [(403, "the credential cannot read 1 of the owners"), (400, "1 of the owners were skipped")]
)
def test_one_forbidden_parent_of_a_batch_does_not_affect_the_others(
    run: Callable[..., Output],
    shop: Any,
    request_in_batches: Callable[..., Batched],
    *,
    status: int,
    word: str,
    workers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_owners(shop, *(str(number) for number in range(100)))
    response = request_in_batches("42", size=50)
    response.status = status
    output = run("pets", max_concurrency=workers, **OPTIONS)
    assert set(output.ids()["pets"]) == {f"p{number}" for number in range(100)} - {"p42"}
    assert len(response.requests) == 2 + 2 * 6 + 1  # halves, and once more at the end
    assert f"pets: {word}" in caplog.text
    assert output.messages_of("ACTIVATE_VERSION", "pets") == []


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("status", [400, 422])
def test_rejected_parent_is_skipped_and_the_next_run_starts_from_the_same_bookmark(
    run: Callable[..., Output],
    shop: Any,
    vendor: Host,
    make_tap: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    workers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(type(make_tap().streams["pets"]), "replication_key", "updated_at")
    for owner in "123":
        shop.data[f"/owners/{owner}/pets"] = [{"id": owner, "updated_at": "2026-02-01T00:00:00Z"}]
    first = run("owners", "pets", **OPTIONS)
    before = dict(first.state["bookmarks"]["pets"])
    shop.data["/owners/1/pets"][0]["updated_at"] = "2026-02-03T00:00:00Z"
    shop.refusals["/owners/2/pets"] = Response({"error": "Ms Secret"}, status)
    vendor.requests.clear()
    second = run("owners", "pets", max_concurrency=workers, state=first.state, **OPTIONS)
    assert sorted(second.ids()["pets"]) == ["1", "3"]
    assert vendor.paths()["/owners/2/pets"] == 2
    assert second.state["bookmarks"]["pets"] == before
    assert "pets: 1 of the owners were skipped because the vendor rejected the requests for them twice" in caplog.text
    assert "and the next run starts from the same bookmark" in caplog.text
    assert "Secret" not in caplog.text

    shop.refusals.clear()
    third = run("owners", "pets", state=second.state, **OPTIONS)
    assert third.state["bookmarks"]["pets"]["replication_key_value"] == "2026-02-03T00:00:00Z"


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.slow
def test_stream_fails_soon_if_every_parent_is_rejected(
    run: Callable[..., Output],
    vendor: Host,
    shop: Any,
    *,
    status: int,
    workers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_owners(shop, *(str(number) for number in range(200)))
    shop.before = lambda request: Response({}, status) if request.path.endswith("/pets") else None
    fails: list[Exception] = []
    output = run("owners", "pets", max_concurrency=workers, fails=fails, **OPTIONS)
    assert "1 of 2 streams failed: pets" in str(fails[0])
    assert f"pets: /owners/{{owner_id}}/pets refused the request with status {status}." in caplog.text
    assert "All of the 15 owners that were tried were rejected like this or are forbidden" in caplog.text
    assert sum(request.path.endswith("/pets") for request in vendor.requests) == 15
    assert output.messages_of("ACTIVATE_VERSION", "pets") == []


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("refused", [1, 40])
@pytest.mark.slow
def test_forbidden_first_parents_do_not_stop_later_parents(
    run: Callable[..., Output], shop: Any, status: int, refused: int, workers: int
) -> None:
    ids = [str(number) for number in range(60)]
    set_owners(shop, *ids)
    shop.data |= {f"/owners/{owner}/pets": [{"id": f"p{owner}"}] for owner in ids}
    shop.refusals = {f"/owners/{owner}/pets": Response({}, status) for owner in ids[:refused]}
    output = run("owners", "pets", max_concurrency=workers, **OPTIONS)
    assert set(output.ids()["pets"]) == {f"p{owner}" for owner in ids[refused:]}
    assert len(output.records("pets")) == 60 - refused


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(("refused", "size"), [(20, 20), (30, 20), (30, 7)])
@pytest.mark.slow
def test_forbidden_first_batches_do_not_stop_later_batches(
    run: Callable[..., Output],
    shop: Any,
    request_in_batches: Callable[..., Batched],
    *,
    status: int,
    refused: int,
    size: int,
    workers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ids = [str(number) for number in range(60)]
    set_owners(shop, *ids)
    request_in_batches(*ids[:refused], size=size).status = status
    output = run("owners", "pets", max_concurrency=workers, **OPTIONS)
    assert sorted(output.ids()["pets"]) == sorted(f"p{owner}" for owner in ids[refused:])
    assert output.messages_of("ACTIVATE_VERSION", "pets") == []
    assert f"{refused} of the owners" in caplog.text


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(("parents", "size"), [(400, 50), (60, 50), (400, 7)])
@pytest.mark.slow
def test_stream_is_skipped_if_only_batches_were_requested_and_forbidden(
    run: Callable[..., Output],
    shop: Any,
    request_in_batches: Callable[..., Batched],
    *,
    parents: int,
    size: int,
    workers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ids = [str(number) for number in range(parents)]
    set_owners(shop, *ids)
    response = request_in_batches(*ids, size=size)
    response.status = 403
    run("owners", "pets", max_concurrency=workers, **OPTIONS)
    said = "pets: the credential cannot read this stream; it needs pets:read (the vendor refused access to all of"
    assert said in caplog.text
    assert len(response.requests) < 2 * size + 15


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.slow
def test_first_parents_that_are_not_found_do_not_stop_later_parents(
    run: Callable[..., Output], shop: Any, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [str(number) for number in range(1000, 1140)]
    set_owners(shop, *ids)
    shop.data |= {f"/owners/{owner}/pets": [{"id": f"p{owner}"}] for owner in ids[120:]}
    output = run("owners", "pets", max_concurrency=workers, **OPTIONS)
    assert set(output.ids()["pets"]) == {f"p{owner}" for owner in ids[120:]}
    assert "pets: 120 of the owners were not found, even on a second request" in caplog.text


def test_changes_of_a_temporarily_forbidden_parent_are_read_later(
    run: Callable[..., Output], shop: Any, make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "replication_key", "updated_at")
    monkeypatch.setattr(pets, "changed_since", ChangedSince("changed_after", strict=True))

    def changed(day: int) -> None:
        for owner in "123":
            shop.data[f"/owners/{owner}/pets"] = [{"id": owner, "updated_at": f"2026-02-0{day}T00:00:00Z"}]

    def next_run(state: dict[str, Any] | None = None) -> tuple[list[str], dict[str, Any], str]:
        caplog.clear()
        output = run("pets", state=state, start_date=None)
        return (
            sorted(output.ids().get("pets", [])),
            output.state,
            output.state["bookmarks"]["pets"].get("replication_key_value"),
        )

    changed(1)
    _, state, bookmark = next_run()
    changed(2)
    shop.refusals["/owners/2/pets"] = Response({}, 403)
    ids, held, bookmark = next_run(state)
    assert (ids, bookmark) == (["1", "3"], "2026-02-01T00:00:00Z"), "it may pass"
    assert "cannot read 1 of the owners, and the next run starts from the same bookmark" in caplog.text
    changed(3)
    ids, forbidden, bookmark = next_run(held)
    assert (ids, bookmark) == (["1", "3"], "2026-02-03T00:00:00Z"), "it has not passed"
    assert "same bookmark" not in caplog.text
    shop.refusals.clear()
    assert next_run(held)[0] == ["1", "2", "3"]
    changed(2)
    ids, granted, _ = next_run(forbidden)
    assert ids == []
    assert (
        "pets: the credential can read more owners than in the last run, so the next run reads everything"
        in caplog.text
    )
    ids, state, _ = next_run(granted)
    assert ids == ["1", "2", "3"]
    assert "reads everything" not in caplog.text
    assert next_run(state)[0] == ["1", "2", "3"], "within the look-back"


def test_children_of_parents_changed_since_a_later_start_date_are_partial(
    run: Callable[..., Output], shop: Any, make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "slices", PerParent("owners", "owner_id", changed="updated_at"))
    monkeypatch.setattr(pets, "replication_key", "updated_at")
    first = run("pets", start_date="2026-01-02")
    assert sorted(first.ids()["pets"]) == ["2a", "2b", "3a", "3b"]
    assert len(first.messages_of("ACTIVATE_VERSION", "pets")) == 1
    state = first.state
    state["bookmarks"]["pets"]["replication_key_value"] = None  # so that everything is read again
    for start_date, is_whole in (("2026-01-02", True), ("2026-01-03", False), ("2026-01-01", True)):
        output = run("pets", state=state, start_date=start_date)
        assert len(output.messages_of("ACTIVATE_VERSION", "pets")) == is_whole


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.slow
def test_stream_is_skipped_if_many_parents_and_no_others_are_forbidden(
    run: Callable[..., Output], vendor: Host, shop: Any, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    set_owners(shop, *(str(number) for number in range(200)))
    shop.before = lambda request: Response({}, 403) if request.path.endswith("/pets") else None
    run("owners", "pets", max_concurrency=workers, **OPTIONS)
    assert (
        "pets: the credential cannot read this stream; it needs pets:read (the vendor refused access to all of the 15"
        in caplog.text
    )
    assert sum(request.path.endswith("/pets") for request in vendor.requests) == 15


def test_inconclusive_response_is_an_empty_list_but_no_row_is_deleted(
    run: Callable[..., Output], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = lambda request: Response({"data": [None]}) if request.query.get("from") == "2026-02-01" else None
    output = run("sales", start_date="2026-01-01", end_date="2026-03-31")
    assert sorted(record["month"] for record in output.records("sales")) == ["2026-01-01", "2026-03-01"]
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "sales: 1 lists have fewer records than the vendor reports" in caplog.text


def test_inconclusive_slice_is_read_again_after_an_interruption(
    run: Callable[..., Output], vendor: Host, shop: Any
) -> None:
    def before(request: ReceivedRequest) -> Response | None:
        return {"2026-01-01": Response({"data": [None]}), "2026-03-01": Response({}, 409)}.get(
            request.query.get("from", "")
        )

    options: dict[str, Any] = {"start_date": "2026-01-01", "end_date": "2026-03-31", "max_concurrency": 1}
    shop.before = before
    first = run("sales", fails=[], **options)
    shop.before = lambda request: None
    vendor.requests.clear()
    second = run("sales", state=first.state, **options)
    assert [query["from"] for query in vendor.queries("/sales")] == ["2026-01-01", "2026-03-01"]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
