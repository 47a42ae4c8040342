"""How a query is put together."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest import Numbered, Reply, Request, query

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host


def test_a_parameter_with_several_values_is_sent_once_for_each_in_order() -> None:
    assert query({"limit": "2", "ids[]": ["2", "1"]}) == (("limit", "2"), ("ids[]", "2"), ("ids[]", "1"))


def test_of_a_parameter_that_is_given_twice_the_last_word_holds_in_its_first_place() -> None:
    assert query({"ids[]": ["1", "2"], "a": "b"}, {"ids[]": "3"}) == (("ids[]", "3"), ("a", "b"))


def test_a_parameter_without_values_is_left_out() -> None:
    assert query({"ids[]": []}, {}) == ()


def test_a_stream_repeats_its_parameter(
    make_tap: Callable[..., Any], vendor: Host, monkeypatch: Any, capfdbinary: Any
) -> None:
    tap = make_tap("kinds")
    monkeypatch.setattr(type(tap.streams["kinds"]), "params", {"only[]": ("cat", "dog")})
    tap.sync_all()
    assert vendor.asked[0].query_text == "limit=2&only%5B%5D=cat&only%5B%5D=dog"


def test_pages_by_number_may_have_no_parameter_for_their_size() -> None:
    pages = Numbered("page", 50, first=1, limit="")
    first = Request("/kinds", (("page", "1"),), "/kinds")
    (second,) = pages.following(first, [{"id": "cat"}], None)
    assert second.params == (("page", "2"),)
    assert pages.following(second, [], None) == []
    assert pages.is_again(second, [{"id": "cat"}])
    assert [page.params for page in pages.following(first, [{}] * 50, 120)] == [(("page", "2"),), (("page", "3"),)]


def test_a_total_that_cannot_be_meant_is_none() -> None:
    pages = Numbered("page", 2, limit="")
    following = pages.following(Request("/a", (("page", "0"),), "/a"), [{"id": 1}, {"id": 2}], 10**15)
    assert [request.params for request in following] == [(("page", "1"),)]


def test_of_a_long_list_so_many_pages_are_known_at_a_time_and_all_in_the_end(monkeypatch: Any) -> None:
    monkeypatch.setattr("singer_rest.http.paginators.MAX_PAGES_AHEAD", 20)
    pages, total = Numbered("page", 1, limit=""), 50
    queue, asked, most = [Request("/a", (("page", "0"),), "/a")], 0, 0
    while queue:
        number = int(dict(queue[0].params)["page"])
        queue += pages.following(queue.pop(0), [{"id": number}] if number < total else [], total)
        asked, most = asked + 1, max(most, len(queue))
        assert number == asked - 1
    assert asked == total + 1
    assert most == 20


def test_numbers_that_nobody_can_count_with_are_texts() -> None:
    digits, exponent = b"1" * 6000, b"1e99999999999999999999999"
    body = b'{"digits": %b, "exponent": %b, "number": 1.50}' % (digits, exponent)
    found = Reply(200, {}, body, datetime.now(timezone.utc)).json()
    assert found == {"digits": digits.decode(), "exponent": exponent.decode(), "number": Decimal("1.50")}
