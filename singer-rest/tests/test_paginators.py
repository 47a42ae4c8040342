"""Each paginator: what the first page is requested with, and which requests follow a page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import (
    CursorParam,
    NextLink,
    Offset,
    PageContents,
    PageNumber,
    PageToken,
    Paginator,
    Request,
    SinglePage,
    TapError,
    encode_json_body,
    value_at_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

API_URL = "https://api.vendor.example"


def first_request(paginator: Paginator, **params: str) -> Request:
    given = {name: str(value) for name, value in paginator.first_params().items()}
    return Request("/a", tuple({**given, **params}.items()), "/a")


def next_requests(
    paginator: Paginator, request: Request, items: Sequence[Any] = (), total: int | None = None, body: Any = None
) -> list[Request]:
    return paginator.next_requests(request, PageContents(body, items, total, API_URL))


def params_of(requests: list[Request]) -> list[Mapping[str, str]]:
    return [dict(request.params) for request in requests]


def make_rows(count: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(count)]


def test_single_page_has_no_parameters_and_no_next_page() -> None:
    assert SinglePage().first_params() == {}
    assert next_requests(SinglePage(), first_request(SinglePage()), make_rows(3), 9) == []


def test_page_numbers_start_at_one_and_offsets_at_zero() -> None:
    assert PageNumber("page", size=50).first_params() == {"limit": 50, "page": 1}
    assert PageNumber("page", size=50, first=0, size_param=None).first_params() == {"page": 0}
    assert Offset("skip", size=50, size_param="top").first_params() == {"top": 50, "skip": 0}


def test_empty_page_ends_the_list_if_no_total_is_known() -> None:
    pages = PageNumber("page", size=50, size_param=None)
    (second,) = next_requests(pages, first_request(pages), [{"id": "cat"}])
    assert second.params == (("page", "2"),)
    assert next_requests(pages, second, []) == []


def test_total_gives_all_page_numbers_at_once() -> None:
    pages = PageNumber("page", size=50)
    found = next_requests(pages, first_request(pages, only="cats"), make_rows(50), 120)
    assert params_of(found) == [{"limit": "50", "page": page, "only": "cats"} for page in ("2", "3")]
    assert [request.total_known for request in found] == [True, False]
    assert next_requests(pages, found[0], make_rows(50), 120) == []


def test_total_gives_all_offsets_at_once() -> None:
    pages = Offset("offset", size=50)
    assert [one["offset"] for one in params_of(next_requests(pages, first_request(pages), make_rows(50), 120))] == [
        "50",
        "100",
    ]


def test_short_first_page_shows_the_vendors_largest_page_size() -> None:
    pages = Offset("offset", size=50)
    found = next_requests(pages, first_request(pages), make_rows(20), 60)
    assert params_of(found) == [{"limit": "20", "offset": "20"}, {"limit": "20", "offset": "40"}]


def test_page_that_starts_like_the_previous_one_is_a_repeat() -> None:
    pages = PageNumber("page", size=50, size_param=None)
    (second,) = next_requests(pages, first_request(pages), [{"id": "cat"}])
    assert pages.is_repeated(second, [{"id": "cat"}])
    assert not pages.is_repeated(second, [{"id": "dog"}])
    assert not pages.is_repeated(first_request(pages), [{"id": "cat"}])


def test_items_that_are_not_records_do_not_make_a_page_a_repeat() -> None:
    pages = PageNumber("page", size=50, size_param=None)
    (second,) = next_requests(pages, first_request(pages), [5, None, {"id": "cat"}])
    assert pages.is_repeated(second, [None, {"id": "cat"}])
    assert not pages.is_repeated(second, [None, {"id": "dog"}])
    (second,) = next_requests(pages, first_request(pages), [None])
    assert not pages.is_repeated(second, [None])


def test_implausible_total_is_ignored() -> None:
    pages = PageNumber("page", size=2, first=0, size_param=None)
    assert params_of(next_requests(pages, first_request(pages), make_rows(2), 10**15)) == [{"page": "1"}]


def test_pages_of_a_long_list_are_requested_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singer_rest.http.paginators.MAX_PAGES_AHEAD", 20)
    pages, total = PageNumber("page", size=1, first=0, size_param=None), 50
    queue, requested, most = [first_request(pages)], 0, 0
    while queue:
        number = int(dict(queue[0].params)["page"])
        queue += next_requests(pages, queue.pop(0), [{"id": number}] if number < total else [], total)
        requested, most = requested + 1, max(most, len(queue))
        assert number == requested - 1
    assert requested == total + 1
    assert most == 20


def test_cursor_is_added_to_the_parameters_and_replaced_on_later_pages() -> None:
    pages = CursorParam("after_id", "meta.end_cursor")
    (second,) = next_requests(pages, first_request(pages, limit="2"), body={"meta": {"end_cursor": "b"}})
    (third,) = next_requests(pages, second, body={"meta": {"end_cursor": 3}})
    assert params_of([second, third]) == [{"limit": "2", "after_id": "b"}, {"limit": "2", "after_id": "3"}]
    assert [pages.is_announced(one) for one in (first_request(pages), second, third)] == [False, True, True]


@pytest.mark.parametrize("body", [None, [], {}, {"meta": None}, {"meta": {"end_cursor": ""}}])
def test_page_without_a_cursor_is_the_last(body: Any) -> None:
    pages = CursorParam("after_id", "meta.end_cursor")
    assert next_requests(pages, first_request(pages), body=body) == []


@pytest.mark.parametrize("more", [None, False, "false"])
def test_cursor_is_ignored_if_the_page_says_it_is_the_last(more: object) -> None:
    pages = CursorParam("after", "cursor", has_more="more")
    assert next_requests(pages, first_request(pages), body={"cursor": "b", "more": more}) == []


@pytest.mark.parametrize("cursor", [None, "", {"id": 1}])
def test_missing_cursor_raises_an_error_if_another_page_is_announced(cursor: object) -> None:
    pages = CursorParam("after", "cursor", has_more="more")
    with pytest.raises(TapError, match="says that another page follows, but has no token for it"):
        next_requests(pages, first_request(pages), body={"cursor": cursor, "more": True})


def test_list_restarts_after_expired_tokens_a_limited_number_of_times() -> None:
    pages = PageToken("token", "next", max_restarts=2)
    (second,) = next_requests(pages, first_request(pages, limit="2"), body={"next": "b"})
    again = pages.restart_request(second, 410)
    assert again is not None
    assert (dict(again.params), again.restart_count) == ({"limit": "2"}, 1)
    assert pages.restart_request(again, 410) is None, "it has no token"
    assert pages.restart_request(second, 403) is None, "the token has not expired"
    (second,) = next_requests(pages, again, body={"next": "b"})
    again = pages.restart_request(second, 400)
    assert again is not None
    (second,) = next_requests(pages, again, body={"next": "b"})
    assert pages.restart_request(second, 400) is None, "it was begun anew twice"


@pytest.mark.parametrize("link", [f"{API_URL}/elsewhere?page=2", "?page=2", "https://eu.vendor.example/a?page=2"])
@pytest.mark.parametrize("wrap", [str, lambda link: {"href": link}])
def test_only_the_query_of_a_link_is_used(link: str, wrap: Callable[[str], Any]) -> None:
    pages = NextLink("links.next", domains=(".vendor.example",))
    body = {"links": {"next": wrap(link)}}
    (second,) = next_requests(pages, first_request(pages, limit="2"), body=body)
    assert (second.path, second.params) == ("/a", (("page", "2"),))


def test_parameters_missing_from_a_link_are_added() -> None:
    pages = NextLink("next", keep=("limit",))
    assert params_of(next_requests(pages, first_request(pages, limit="2", a="b"), body={"next": "?page=2"})) == [
        {"page": "2", "limit": "2"}
    ]
    assert params_of(next_requests(pages, first_request(pages, limit="2"), body={"next": "?limit=1"})) == [
        {"limit": "1"}
    ]


@pytest.mark.parametrize("is_first", [True, False])
def test_linked_page_is_announced(*, is_first: bool) -> None:
    pages = NextLink("next")
    assert pages.is_announced(replace(first_request(pages), is_first=is_first)) is not is_first


def test_only_the_named_parameter_of_a_link_is_used() -> None:
    pages = NextLink("next", keep=("limit",), only="cursor")
    assert params_of(next_requests(pages, first_request(pages, limit="2"), body={"next": "?cursor=b&limit=2"})) == [
        {"cursor": "b"}
    ]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("https://vendor.example.evil.example/a?page=2", "leads to another host"),
        ("https://[::1/a", "cannot be read"),
        (["?page=2"], "cannot be read"),
    ],
)
def test_foreign_or_invalid_link_raises_an_error(link: object, message: str) -> None:
    pages = NextLink("next", domains=(".vendor.example",))
    with pytest.raises(TapError, match=message):
        next_requests(pages, first_request(pages), body={"next": link})


def in_body(request: Request) -> Any:
    return json.loads(request.body or b"{}")


def test_page_numbers_in_the_body_stay_numbers() -> None:
    pages = Offset("page.offset", size=2, size_param="page.limit", location="json")
    start = Request("/a", (), "/a", body=encode_json_body({"q": "x", "page": {"limit": 2, "offset": 0}}))
    assert [in_body(one) for one in next_requests(pages, start, make_rows(2), 5)] == [
        {"q": "x", "page": {"limit": 2, "offset": offset}} for offset in (2, 4)
    ]


def test_page_token_can_be_sent_as_a_property_of_the_body() -> None:
    pages = PageToken("variables.after", "next", location="json")
    start = Request("/a", (("v", "1"),), "/a", body=encode_json_body({"query": "x"}))
    (second,) = next_requests(pages, start, body={"next": "b"})
    assert (in_body(second), second.params) == ({"query": "x", "variables": {"after": "b"}}, (("v", "1"),))
    assert pages.is_announced(second)
    again = pages.restart_request(second, 404)
    assert again is not None
    assert in_body(again) == {"query": "x", "variables": {}}


def test_requests_with_equal_bodies_are_equal() -> None:
    one, other = (Request("/a", (), "/a", body=encode_json_body(body)) for body in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert hash(one) == hash(other)
    assert one == other


@pytest.mark.parametrize(
    ("path", "found"), [("", {"a": {"b": 1}, "c.d": 2}), ("a.b", 1), ("c.d", 2), ("a.b.c", None), ("x", None)]
)
def test_path_can_address_a_nested_property_of_the_body(path: str, found: object) -> None:
    assert value_at_path({"a": {"b": 1}, "c.d": 2}, path) == found
