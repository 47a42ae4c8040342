"""Decompression and limits of bodies."""

from __future__ import annotations

import asyncio
import gzip
import random
from typing import TYPE_CHECKING, Any

import pytest
from hr_webhooks.server.bodies import (
    Budget,
    DisconnectedError,
    NoRoomError,
    TooLargeError,
    TooSlowError,
    inflate,
    is_heartbeat,
    read_body,
)

if TYPE_CHECKING:
    from hr_webhooks.server.exchange import Receive

CONTENT = bytes(random.Random(7).choices(b'{"a": 12}', k=300_000))
LIMIT = 1_000_000


def receiving(*messages: dict[str, Any]) -> Receive:
    remaining = iter(messages)

    async def receive() -> dict[str, Any]:
        try:
            return next(remaining)
        except StopIteration:
            await asyncio.sleep(60)
            raise

    return receive


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_gzip_that_is_cut_anywhere_is_not_taken_for_whole() -> None:
    packed = gzip.compress(CONTENT)
    assert inflate(packed, LIMIT) == CONTENT
    for length in [2, 3, 9, 10, 11, *range(1000, len(packed), 9973), *range(len(packed) - 9, len(packed))]:
        assert inflate(packed[:length], LIMIT) is None, length


def test_gzip_with_a_changed_byte_never_gives_other_content() -> None:
    packed = gzip.compress(CONTENT)
    for offset in [*range(2, 20), *range(1000, len(packed), 9973), *range(len(packed) - 8, len(packed))]:
        changed = bytearray(packed)
        changed[offset] ^= 0x55
        assert inflate(bytes(changed), LIMIT) in {None, CONTENT}, offset


def test_a_second_member_that_is_cut_makes_the_body_undecipherable() -> None:
    packed = gzip.compress(CONTENT)
    assert inflate(packed * 2, LIMIT) == CONTENT * 2
    assert inflate(packed + packed[:-1], LIMIT) is None


@pytest.mark.parametrize("limit", [0, 1, 299_999])
def test_decompression_stops_at_the_limit(limit: int) -> None:
    assert inflate(gzip.compress(CONTENT), 300_000) == CONTENT
    with pytest.raises(TooLargeError):
        inflate(gzip.compress(CONTENT), limit)


def test_a_body_in_parts_is_joined() -> None:
    assert asyncio.run(read_body(receiving(part(b"a"), part(b""), part(b"b", more=False)), 2, 60)) == b"ab"


def test_limits_of_a_body() -> None:
    with pytest.raises(TooLargeError):
        asyncio.run(read_body(receiving(part(b"a"), part(b"bc")), 2, 60))
    with pytest.raises(TooSlowError):
        asyncio.run(read_body(receiving(part(b"a")), 2, 0.01))
    with pytest.raises(DisconnectedError):
        asyncio.run(read_body(receiving(part(b"a"), {"type": "http.disconnect"}), 2, 60))


def test_the_memory_for_bodies_is_limited() -> None:
    budget = Budget(10)
    budget.reserve(6)
    with pytest.raises(NoRoomError):
        budget.reserve(5)
    budget.release(6)
    budget.reserve(10)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"records": []}', True),
        (b'{"subscriptionId": "1", "records": [ ], "attemptNumber": 1}', True),
        (b'{"records": [{}]}', False),
        (b'{"records": null}', False),
        (b'{"records": {}}', False),
        (b"{}", False),
        (b"[]", False),
        (b"records", False),
        (b"\xff", False),
        (b'{"records": []' + b" " * 5000 + b"}", False),
    ],
)
def test_only_a_batch_without_records_is_a_heartbeat(content: bytes, *, expected: bool) -> None:
    assert is_heartbeat(content) is expected
