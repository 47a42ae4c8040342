"""Rate limits, with a fake clock."""

from __future__ import annotations

import pytest
from hr_sandbox.http.limits import Buckets, Rate, TokenRequestLimit


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bucket_empties_and_refills() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    rate = Rate(2, 3)
    assert [buckets.take_tokens("a", rate) for _ in range(4)] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    clock.seconds += 0.5
    assert buckets.take_tokens("a", rate) == (True, 0)
    clock.seconds += 1000
    assert buckets.take_tokens("a", rate) == (True, 2)


def test_buckets_are_independent() -> None:
    buckets = Buckets(Clock())
    assert buckets.take_tokens("a", Rate(1, 1))[0]
    assert buckets.take_tokens("b", Rate(1, 1))[0]
    assert not buckets.take_tokens("a", Rate(1, 1))[0]


@pytest.mark.parametrize(("requests", "rate"), [(600, Rate(10, 10)), (90, Rate(90, 90, 60)), (30, Rate(30, 60, 60))])
def test_a_rate_per_minute_is_converted_to_a_bucket(requests: int, rate: Rate) -> None:
    assert Rate.per_minute(requests) == rate


@pytest.mark.parametrize("requests", [1, 30, 90, 600])
def test_a_minute_allows_the_whole_limit(requests: int) -> None:
    clock = Clock()
    buckets = Buckets(clock)
    rate = Rate.per_minute(requests)
    taken = 0
    for _ in range(6000):
        taken += buckets.take_tokens("a", rate)[0]
        clock.seconds += 0.01
    assert requests <= taken <= requests + rate.burst // rate.cost + 1


def test_the_exceeded_token_limit_is_slow_for_a_minute() -> None:
    clock = Clock()
    limit = TokenRequestLimit(3, clock)
    assert [limit.allow_request() for _ in range(4)] == [True, True, True, False]
    clock.seconds += 1
    assert [limit.allow_request(), limit.allow_request()] == [True, False]
    clock.seconds += 61
    assert [limit.allow_request() for _ in range(3)] == [True, True, True]
