"""What a stream requests and reads if it overrides no method."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_rest import (
    ApiKey,
    ChangedSince,
    Meaning,
    Offset,
    PageToken,
    ParamValues,
    Reply,
    Request,
    RestStream,
    RestTap,
    Slice,
    TapError,
    common_settings,
)
from singer_rest.testing import Output, ReceivedRequest, Response, capture_output, host, shorten_waits
from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Callable

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
ID = th.PropertiesList(th.Property("id", th.StringType, required=True)).to_dict()


class Plants(RestStream):
    """One row per plant."""

    name = "plants"
    path = "/plants"
    permission = "plants:read"
    primary_keys = ("id",)
    changed_since = ChangedSince("since")
    slices = ParamValues("kind", "tree")
    page_size = 2
    params: ClassVar[dict[str, str]] = {"all": "true"}
    schema = ID


class Garden(RestTap):
    name = "tap-garden"
    stream_types = (Plants,)
    credentials = ()
    config_jsonschema = th.PropertiesList(*common_settings("https://garden.example")).to_dict()

    @cached_property
    def authenticator(self) -> ApiKey:
        return ApiKey("k")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, Garden)


@pytest.fixture
def make_stream(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plants]:
    """Makes the stream with other attributes."""

    def make_stream(**attributes: Any) -> Plants:
        for name, value in attributes.items():
            monkeypatch.setattr(Plants, name, value)
        return Plants(Garden(config={}))

    return make_stream


@pytest.fixture
def read_plants(make_stream: Callable[..., Plants]) -> Callable[..., Output]:
    """Runs the tap against a vendor with the given responses. Returns its output."""

    def read_plants(
        respond: Callable[[ReceivedRequest], Response], fails: list[Exception] | None = None, **attributes: Any
    ) -> Output:
        make_stream(**attributes)
        with host(respond) as vendor:
            tap = Garden(config={"api_url": vendor.url})
            return capture_output(tap.sync_all, fails)

    return read_plants


def make_reply(status: int) -> Reply:
    return Reply(status, {}, b"", datetime.now(timezone.utc))


def test_first_request_has_page_size_params_slice_and_filter(make_stream: Callable[..., Plants]) -> None:
    request = make_stream().page_request(Slice(params={"kind": "tree"}), SINCE)
    assert request.params == (("limit", "2"), ("all", "true"), ("kind", "tree"), ("since", "2026-01-02T03:04:05Z"))
    assert (request.path, request.method, request.body) == ("/plants", "GET", None)


def test_page_size_param_can_be_renamed_or_omitted(make_stream: Callable[..., Plants]) -> None:
    assert make_stream(page_size_param="top").page_request(Slice(), None).params[0] == ("top", "2")
    assert make_stream(page_size=None).page_request(Slice(), None).params == (("all", "true"),)


def test_search_sends_page_params_in_the_body(make_stream: Callable[..., Plants]) -> None:
    pages = Offset("page.offset", size=5, size_param="page.limit", location="json")
    plants = make_stream(pagination=pages, page_size=None, method="POST", body={"q": "x"})
    request = plants.page_request(Slice(), None)
    assert (request.method, request.body) == ("POST", b'{"page":{"limit":5,"offset":0},"q":"x"}')
    assert request.params == (("all", "true"),)
    assert plants.body == {"q": "x"}, "the declaration stays as it is"


def test_placeholder_that_no_slice_fills_raises_an_error(make_stream: Callable[..., Plants]) -> None:
    with pytest.raises(TapError, match=r"plants: `slices` fill no placeholder \{garden_id\} of `path`"):
        make_stream(path="/gardens/{garden_id}/plants").page_request(Slice(), None)


def test_records_and_total_are_found_at_their_paths(make_stream: Callable[..., Plants]) -> None:
    plants = make_stream(records_path="result.items", total_path="result.count")
    body = {"result": {"items": [{"id": "1"}, None, "2"], "count": 9}}
    parsed = plants.parse(body, Request("/plants", (), "/plants"))
    assert parsed.records == [{"id": "1"}]
    assert (parsed.total, parsed.item_count, parsed.failed_items) == (9, 3, 2)


def test_response_body_can_be_the_list_itself(make_stream: Callable[..., Plants]) -> None:
    parsed = make_stream(records_path="").parse([{"id": "1"}], Request("/plants", (), "/plants"))
    assert (parsed.records, parsed.total) == ([{"id": "1"}], None)


@pytest.mark.parametrize("body", [None, [], "text", {}, {"data": None}, {"data": {"id": "1"}}])
def test_body_without_a_list_of_records_raises_an_error(make_stream: Callable[..., Plants], body: object) -> None:
    with pytest.raises(TapError, match="plants: the response of /plants contains no list of records"):
        make_stream().parse(body, Request("/plants", (), "/plants"))


def test_page_without_records_does_not_stop_later_pages(
    read_plants: Callable[..., Output], caplog: pytest.LogCaptureFixture
) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        start = int(received_request.query["offset"])
        return Response({"data": [{"id": str(start)} if start != 1 else "broken"] if start < 3 else []})

    output = read_plants(respond, pagination=Offset("offset", size=1))
    assert {row["id"] for row in output.records("plants")} == {"0", "2"}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "plants: 1 items are missing" in caplog.text


def test_repeated_page_ends_the_list(read_plants: Callable[..., Output]) -> None:
    output = read_plants(lambda _: Response({"data": [{"id": "1"}]}), pagination=Offset("offset", size=1))
    assert len(output.records("plants")) == 1


def test_all_pages_of_a_known_total_are_read(read_plants: Callable[..., Output]) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        start = int(received_request.query["offset"])
        return Response({"data": [{"id": str(number)} for number in range(start, min(start + 2, 5))], "count": 5})

    output = read_plants(respond, pagination=Offset("offset", size=2), total_path="count")
    assert [row["id"] for row in output.records("plants")] == ["0", "1", "2", "3", "4"]


def test_expired_page_token_restarts_the_list(read_plants: Callable[..., Output], caplog: Any) -> None:
    caplog.set_level("INFO")
    asked_with: list[str | None] = []

    def respond(received_request: ReceivedRequest) -> Response:
        token = received_request.query.get("token")
        asked_with.append(token)
        if token is None:
            return Response({"data": [{"id": "1"}], "next": "b"})
        return Response({}, 410) if len(asked_with) == 2 else Response({"data": [{"id": "2"}]})

    output = read_plants(respond, pagination=PageToken("token", "next"))
    assert asked_with == [None, "b", None, "b"]
    assert {row["id"] for row in output.records("plants")} == {"1", "2"}
    assert "plants: the page token has expired; reading the list from its beginning." in caplog.text


def test_no_content_for_an_announced_page_is_requested_again(make_stream: Callable[..., Plants]) -> None:
    plants = make_stream(pagination=PageToken("token", "next"))
    assert plants.classify(make_reply(204), Request("/plants", (), "/plants")) is Meaning.NO_RECORDS
    assert plants.classify(make_reply(204), Request("/plants", (("token", "b"),), "/plants")) is Meaning.RETRY


def test_pagination_error_names_the_stream(read_plants: Callable[..., Output], caplog: Any) -> None:
    fails: list[Exception] = []
    read_plants(
        lambda _: Response({"data": [{"id": "1"}], "next": {}, "more": True}),
        fails,
        pagination=PageToken("t", "next", "more"),
    )
    assert fails
    assert "plants: a page says that another page follows, but has no token for it." in caplog.text
