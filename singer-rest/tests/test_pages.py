"""How a query is put together."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest import Reply, query

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


def test_numbers_that_nobody_can_count_with_are_texts() -> None:
    digits, exponent = b"1" * 6000, b"1e99999999999999999999999"
    body = b'{"digits": %b, "exponent": %b, "number": 1.50}' % (digits, exponent)
    found = Reply(200, {}, body, datetime.now(timezone.utc)).json()
    assert found == {"digits": digits.decode(), "exponent": exponent.decode(), "number": Decimal("1.50")}
