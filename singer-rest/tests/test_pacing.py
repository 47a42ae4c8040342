"""Rate limits: documented ones, learned ones, pauses, and the user's own."""

from __future__ import annotations

import logging
import time

import pytest
from singer_rest.http.rate_limits import (
    MAX_DELAY,
    MAX_WAIT,
    RateLimit,
    RateLimiter,
    full_jitter,
    reset_after,
    retry_after,
)

ABSURD = (
    *("soon", "", " ", "nan", "inf", "-inf", "1e300", "-1e300", "1e999", "9" * 5000, "-5", "40000000", "1e15", "0x10"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Sat, 01 Jan 0001 00:00:00 +2359"),
    *("Mon, 99 Foo 2026 99:99:99 GMT", "Sun, 22 Nov 20266 05:00:10 GMT", "Sun, 22 Nov 2026 05:00:10 +99999999"),
    *("Sun, 22 Nov 2030 05:00:10 GMT", "1, 2", "\u00e9", "\x00", ",", "Mon", "Mon,", ":", "1 2 3 4 5 6"),
)
"""Header values that ask for an implausible wait."""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_burst_is_sent_at_once_and_the_next_request_waits(clock: Clock) -> None:
    rate_limiter = RateLimiter({"/a": RateLimit(10)}, clock=clock)
    assert [rate_limiter.acquire("/a") for _ in range(10)] == [0.0] * 10
    assert rate_limiter.acquire("/a") == pytest.approx(0.1)
    clock.now += 0.1
    assert rate_limiter.acquire("/a") == 0.0
    assert rate_limiter.acquire("/a") > 0


def test_endpoints_have_their_own_limits(clock: Clock) -> None:
    rate_limiter = RateLimiter({"/a": RateLimit(1), "": RateLimit(2)}, clock=clock)
    assert rate_limiter.acquire("/a") == 0.0
    assert rate_limiter.acquire("/a") > 0
    assert [rate_limiter.acquire("/b") for _ in range(2)] == [0.0, 0.0]
    assert rate_limiter.acquire("/b") > 0
    assert rate_limiter.acquire("/c") == 0.0


def test_endpoint_without_a_limit_is_not_delayed(clock: Clock) -> None:
    rate_limiter = RateLimiter({}, clock=clock)
    assert {rate_limiter.acquire("/a") for _ in range(1000)} == {0.0}


def test_users_limit_counts_all_endpoints(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(100)}, RateLimit(60, 60, burst=1), clock=clock)
    assert rate_limiter.acquire("/a") == 0.0
    assert rate_limiter.acquire("/b") == pytest.approx(1.0)
    clock.now += 1.0
    assert rate_limiter.acquire("/b") == 0.0


def test_shared_limit_counts_all_endpoints_that_match_its_pattern(clock: Clock) -> None:
    rate_limiter = RateLimiter(
        {"/v1/*": RateLimit(3, 60, burst=3, shared=True), "/v1/b": RateLimit(1), "": RateLimit(100)}, clock=clock
    )
    assert [rate_limiter.acquire(path) for path in ("/v1/a", "/v1/b", "/v2/a")] == [0.0] * 3
    assert rate_limiter.acquire("/v1/b") == pytest.approx(1.0)
    assert rate_limiter.acquire("/v1/a/b") == 0.0
    assert rate_limiter.acquire("/v1/a") == pytest.approx(20.0)
    assert rate_limiter.acquire("/v2/a") == 0.0


def test_delayed_acquire_takes_no_token(clock: Clock) -> None:
    rate_limiter = RateLimiter({"/slow": RateLimit(1), "/fast": RateLimit(100)}, RateLimit(2, 1, burst=2), clock=clock)
    assert rate_limiter.acquire("/slow") == 0.0
    assert [rate_limiter.acquire("/slow") > 0 for _ in range(50)] == [True] * 50
    assert rate_limiter.acquire("/fast") == 0.0


def test_headers_set_rate_burst_and_remaining_requests(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(1)}, clock=clock)
    rate_limiter.acquire("/a")
    headers = {"x-ratelimit-replenish-rate": "30", "x-ratelimit-burst-capacity": "100", "x-ratelimit-remaining": "99"}
    rate_limiter.update("/a", headers)
    assert [rate_limiter.acquire("/a") for _ in range(99)] == [0.0] * 99
    assert rate_limiter.acquire("/a") == pytest.approx(1 / 30)
    rate_limiter.update("/a", headers)  # an earlier time: nothing is granted twice
    assert rate_limiter.acquire("/a") == pytest.approx(1 / 30)


def test_ratelimit_headers_set_remaining_requests_and_reset(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(10)}, clock=clock)
    rate_limiter.update("/a", {"RateLimit-Remaining": "2", "RateLimit-Reset": "30"})
    assert [rate_limiter.acquire("/a") > 0 for _ in range(3)] == [False, False, True]
    rate_limiter.update("/a", {"RateLimit-Remaining": "0", "RateLimit-Reset": "30"})
    assert rate_limiter.acquire("/a") == pytest.approx(30)
    rate_limiter.update("/a", {"RateLimit-Remaining": "0", "RateLimit-Reset": "soon"})
    clock.now += 30
    assert rate_limiter.acquire("/a") == 0.0


@pytest.mark.parametrize("per_minute", [1, 5, 75, 400])
def test_no_minute_holds_more_than_the_hourly_limit_allows_it(clock: Clock, per_minute: int) -> None:
    rate_limiter = RateLimiter({"": RateLimit(per_minute, 60)}, clock=clock)
    assert rate_limiter.acquire("/a") == 0.0
    rate_limiter.update("/a", {"x-csod-throttling-rate-limit-urilevel": str(per_minute * 60)})
    sent, first = 1, clock.now
    while clock.now <= first + 60:
        if wait := rate_limiter.acquire("/a"):
            clock.now += wait
        else:
            sent += 1
    assert sent <= per_minute


def test_request_may_cost_several_of_the_gateways_tokens(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(100)}, clock=clock)
    rate_limiter.acquire("/a")
    headers = {"x-ratelimit-replenish-rate": "30", "x-ratelimit-requested-tokens": "60", "x-ratelimit-remaining": "0"}
    rate_limiter.update("/a", headers)
    assert rate_limiter.acquire("/a") == pytest.approx(2.0)


def test_remaining_requests_are_trusted_if_another_client_uses_the_credential(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(10)}, clock=clock)
    rate_limiter.acquire("/a")
    rate_limiter.update("/a", {"x-ratelimit-remaining": "0"})
    assert rate_limiter.acquire("/a") == pytest.approx(0.1)


def test_endpoints_without_own_limit_teach_the_shared_one(clock: Clock) -> None:
    rate_limiter = RateLimiter({"*": RateLimit(10, shared=True), "/own": RateLimit(100)}, clock=clock)
    rate_limiter.update("/a", {"RateLimit-Remaining": "2", "RateLimit-Reset": "30"})
    assert [rate_limiter.acquire(path) > 0 for path in ("/a", "/b", "/c")] == [False, False, True]
    rate_limiter.update("/b", {"RateLimit-Remaining": "0", "RateLimit-Reset": "30"})
    assert [rate_limiter.acquire(path) for path in ("/a", "/c", "/own")] == [pytest.approx(30)] * 3
    clock.now += 30
    assert rate_limiter.acquire("/own") == 0.0
    rate_limiter.update("/own", {"x-ratelimit-replenish-rate": "1", "x-ratelimit-remaining": "0"})
    assert rate_limiter.acquire("/own") == pytest.approx(1)
    assert rate_limiter.acquire("/a") == 0.0


def test_pause_stops_endpoints_that_share_a_limit_and_have_none_of_their_own(clock: Clock) -> None:
    rate_limiter = RateLimiter({"/v1/*": RateLimit(10, shared=True), "/v1/own": RateLimit(100)}, clock=clock)
    rate_limiter.pause("/v1/own", 3)
    assert rate_limiter.acquire("/v1/own") == pytest.approx(3)
    assert rate_limiter.acquire("/v1/a") == 0.0
    rate_limiter.pause("/v1/a", 7)
    assert [rate_limiter.acquire(path) for path in ("/v1/a", "/v1/b", "/v1/own", "/v2")] == [
        *[pytest.approx(7)] * 3,
        0.0,
    ]
    clock.now += 7
    assert rate_limiter.acquire("/v1/b") == 0.0


def test_pause_stops_all_requests_to_that_endpoint(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(100)}, clock=clock)
    rate_limiter.pause("/a", 7)
    rate_limiter.pause("/a", 3)
    assert rate_limiter.acquire("/a") == pytest.approx(7)
    assert rate_limiter.acquire("/b") == 0.0
    clock.now += 7
    assert rate_limiter.acquire("/a") == 0.0


def test_tokens_gathered_before_a_pause_are_lost(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(10, burst=100)}, clock=clock)
    rate_limiter.pause("/a", 5)
    clock.now += 5
    assert rate_limiter.acquire("/a") == 0.0
    assert rate_limiter.acquire("/a") == pytest.approx(0.1)


def test_non_numeric_headers_are_ignored(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(1)}, clock=clock)
    rate_limiter.update("/a", {"x-ratelimit-replenish-rate": "many", "x-ratelimit-remaining": ""})
    assert rate_limiter.acquire("/a") == 0.0


LIMIT_HEADERS = (
    *("x-ratelimit-replenish-rate", "x-ratelimit-burst-capacity", "x-ratelimit-remaining"),
    *("x-ratelimit-requested-tokens", "x-csod-throttling-rate-limit-urilevel", "x-csod-requests-remaining-urilevel"),
    *("RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Limit", "Retry-After"),
)


@pytest.mark.parametrize("value", [*ABSURD, "1e-300", "-0", "1e9", "0.0001"])
def test_no_header_value_raises_or_delays_a_request_for_long(clock: Clock, value: str) -> None:
    for changed in LIMIT_HEADERS:
        for others in ("0", "1", "50", value):
            rate_limiter = RateLimiter({"": RateLimit(1)}, clock=clock)
            rate_limiter.update("/a", {name: value if name == changed else others for name in LIMIT_HEADERS})
            rate_limiter.update("/a", {name: value if name == changed else "1" for name in LIMIT_HEADERS})
            waits = [rate_limiter.acquire("/a") for _ in range(100)]
            assert all(0 <= wait <= MAX_WAIT for wait in waits)


def test_reset_beyond_max_wait_is_not_a_pause(clock: Clock) -> None:
    rate_limiter = RateLimiter({"": RateLimit(10)}, clock=clock, max_wait=60)
    rate_limiter.update("/a", {"RateLimit-Remaining": "0", "RateLimit-Reset": "61"})
    assert rate_limiter.pause_left("/a") == 0
    assert rate_limiter.acquire("/a") == 0.0
    rate_limiter.update("/a", {"RateLimit-Remaining": "0", "RateLimit-Reset": "60"})
    assert rate_limiter.pause_left("/a") == 60
    assert rate_limiter.pause_left("/b") == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("Sun, 22 Nov 2026 05:00:10 GMT", 10.0),
        ("Sun, 22 Nov 2026 04:00:00 GMT", 0.0),
        ("1795323607", 7.0),
        ("1795323590", 0.0),
        ("86400", 86_400.0),
        *[(value, None) for value in ABSURD],
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    now = 1795323600.0  # 2026-11-22 05:00:00 UTC
    assert retry_after({"Retry-After": value}, lambda: now) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("86400", 86_400.0),
        ("1795323630", 30.0),
        ("1795323630000", 30.0),
        ("1795323000", 0.0),
        *[(value, None) for value in ABSURD],
    ],
)
def test_limit_resets_after_seconds_or_at_a_timestamp(value: str, seconds: float | None) -> None:
    assert reset_after({"RateLimit-Reset": value}, lambda: 1795323600.0) == seconds


def test_reset_at_a_timestamp_delays_nothing_for_longer(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rate_limiter = RateLimiter({"*": RateLimit(100, shared=True)}, clock=clock)
    for endpoint in ("/a", "/b"):
        rate_limiter.update(endpoint, {"RateLimit-Remaining": "0", "RateLimit-Reset": str(time.time() + 30)})
    assert rate_limiter.acquire("/a") == pytest.approx(30, abs=1)
    assert [record.getMessage() for record in caplog.records] == [
        "/a: the vendor's rate limit is used up; continuing in 30 s"
    ]
    clock.now += 31
    assert rate_limiter.acquire("/a") == 0.0
    rate_limiter.update("/a", {"RateLimit-Remaining": "0", "RateLimit-Reset": "9"})
    assert len(caplog.records) == 1


def test_no_header_means_no_wait() -> None:
    assert retry_after({}) is None


def test_without_retry_after_the_delay_is_exponential_with_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: (least, most))
    assert [full_jitter(0.5, tries) for tries in (1, 2, 3, 4)] == [(0, 1.0), (0, 2.0), (0, 4.0), (0, 8.0)]
    assert full_jitter(0.5, 1000) == (0, MAX_DELAY)
