"""Circular lists fail, whatever their links are; long ones do not."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.fetch import loop_guard
from singer_rest.testing import Output, ReceivedRequest, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host

KEYS = pytest.mark.parametrize("keys", [("id",), ()])


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_guard, "MAX_EMPTY_PAGES", 20)


@pytest.fixture
def read_kinds(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, vendor: Host
) -> Callable[..., tuple[Output, list[Exception]]]:
    """Reads a list with given pages."""

    def read_kinds(respond: Callable[[ReceivedRequest], Response], *keys: str) -> tuple[Output, list[Exception]]:
        monkeypatch.setattr(type(make_tap().streams["kinds"]), "primary_keys", keys)
        vendor.respond = respond
        fails: list[Exception] = []
        return run("kinds", fails=fails), fails

    return read_kinds


@KEYS
@pytest.mark.parametrize("length", [1, 2, 3])
def test_circular_links_fail_the_stream_by_name(
    read_kinds: Any, vendor: Host, length: int, keys: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        number = int(request.query.get("cursor", 0))
        return Response({"data": [{"id": str(number)}], "next": str(number % length + 1)})

    output, fails = read_kinds(respond, *keys)
    assert "1 of 1 streams failed: kinds" in str(fails[0])
    assert "kinds: the link to the next page leads back to a page already read" in caplog.text
    assert len(vendor.requests) == length + 1
    assert output.messages_of("ACTIVATE_VERSION") == []


@KEYS
@pytest.mark.parametrize("length", [1, 2, 5])
def test_circular_pages_behind_new_links_fail_the_stream(
    read_kinds: Any, vendor: Host, length: int, keys: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    numbers = count(1)

    def respond(request: ReceivedRequest) -> Response:
        number = next(numbers)
        return Response({"data": [{"id": str(number % length)}], "next": f"cursor-{number}"})

    output, fails = read_kinds(respond, *keys)
    assert "1 of 1 streams failed: kinds" in str(fails[0])
    assert "kinds: the vendor sends the same pages over and over" in caplog.text
    assert len(vendor.requests) < 50
    assert output.messages_of("ACTIVATE_VERSION") == []


def test_endless_empty_pages_fail_the_stream(read_kinds: Any, vendor: Host, caplog: pytest.LogCaptureFixture) -> None:
    numbers = count(1)
    _, fails = read_kinds(lambda _: Response({"data": [], "next": f"cursor-{next(numbers)}"}), "id")
    assert fails
    assert "kinds: the vendor sends the same pages over and over" in caplog.text
    assert len(vendor.requests) < 50


def test_empty_pages_among_others_are_not_a_loop(read_kinds: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        number = int(request.query.get("cursor", 0))
        rows = [] if number % 3 else [{"id": str(number)}]
        return Response({"data": rows, "next": str(number + 1) if number < 99 else None})

    output, fails = read_kinds(respond, "id")
    assert fails == []
    assert len(output.records("kinds")) == 34


@pytest.mark.parametrize("has_key", [True, False])
def test_pages_differ_by_a_record_anywhere_in_a_small_page_without_keys(*, has_key: bool) -> None:
    pages = [[{"a": 1}, {"a": middle}, {"a": 3}] for middle in (2, 9)]
    first, second = (loop_guard.fingerprint_records(page, has_key=has_key) for page in pages)
    assert (first == second) is has_key  # with a key, the first and the last record tell pages apart


def test_large_pages_without_keys_differ_by_their_sampled_records() -> None:
    rows = [{"a": number} for number in range(10 * loop_guard.MAX_SAMPLE)]
    shifted = [*rows[1:], rows[0]]
    assert loop_guard.fingerprint_records(rows, has_key=False) == loop_guard.fingerprint_records([*rows], has_key=False)
    assert loop_guard.fingerprint_records(rows, has_key=False) != loop_guard.fingerprint_records(shifted, has_key=False)
    assert loop_guard.fingerprint_records([], has_key=False) is None
