"""When a request is retried, and when it fails."""

from __future__ import annotations

import pytest
from singer_rest.errors import RetryableError
from singer_rest.http.retries import (
    MAX_UNANSWERED_SECONDS,
    Attempts,
    RetriesExhaustedError,
    RetryPolicy,
    format_duration,
)

BROKE = RetryableError("the connection broke")
TOO_MANY = RetryableError("too many requests", throttled=True)
FOREVER = 10**6


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy(clock: Clock) -> RetryPolicy:
    return RetryPolicy(0.5, 900, clock)


def throttled_error(seconds: float) -> RetryableError:
    return RetryableError("too many requests", after=seconds, throttled=True)


def exhaust_retries(
    policy: RetryPolicy, clock: Clock, retry: RetryableError, took: float = 0.0
) -> tuple[float, RetriesExhaustedError]:
    """Fails until no attempt is left. Returns the seconds waited and the error."""
    began, attempts = clock.now, Attempts()
    for _ in range(100_000):
        clock.now += took
        try:
            clock.now += policy.next_delay(attempts, retry, took, FOREVER)
        except RetriesExhaustedError as end:
            return clock.now - began, end
    raise AssertionError("It is never given up.")


@pytest.mark.parametrize("seconds", [901, 86_400, 31_000_000])
def test_wait_beyond_max_wait_is_not_started(policy: RetryPolicy, seconds: float) -> None:
    with pytest.raises(
        RetriesExhaustedError,
        match=rf"is rate-limited for {format_duration(seconds)}, longer than `max_wait` allows \(15 minutes\)",
    ):
        policy.next_delay(Attempts(), throttled_error(seconds), 0.1, 8)


def test_wait_within_max_wait_is_kept_exactly(policy: RetryPolicy) -> None:
    assert policy.next_delay(Attempts(), throttled_error(899.5), 0.1, 8) == 899.5


@pytest.mark.parametrize(
    "retry",
    [
        TOO_MANY,
        throttled_error(0),
        throttled_error(0.01),
        throttled_error(1),
        throttled_error(100),
        throttled_error(600),
    ],
)
def test_persistent_limit_delays_a_request_for_max_wait_at_most(
    policy: RetryPolicy, clock: Clock, retry: RetryableError
) -> None:
    seconds, end = exhaust_retries(policy, clock, retry, took=0.05)
    assert 900 - (retry.after or 0) - 1 <= seconds <= 901
    assert end.limited
    assert "rate-limited for 15 minutes" in str(end) or ", and `max_wait` allows 15 minutes in total" in str(end)
    assert end.advice == "Run again later, or raise `max_wait`"


def test_limit_that_asks_for_no_wait_does_not_cause_a_thousand_requests(policy: RetryPolicy, clock: Clock) -> None:
    attempts = Attempts()
    with pytest.raises(RetriesExhaustedError):
        while True:
            clock.now += policy.next_delay(attempts, throttled_error(0), 0.0, 8) + 0.001
    assert attempts.sent < 100


def test_wait_of_a_limit_is_counted_from_its_start_and_ends_with_it(policy: RetryPolicy, clock: Clock) -> None:
    attempts = Attempts()
    for _ in range(3):
        clock.now += policy.next_delay(attempts, throttled_error(600), 0.1, 8)
        policy.next_delay(attempts, BROKE, 0.1, 8)  # a request succeeded


def test_limit_does_not_use_up_the_attempts(policy: RetryPolicy) -> None:
    attempts = Attempts()
    for _ in range(50):
        policy.next_delay(attempts, throttled_error(1), 0.1, 2)
    policy.next_delay(attempts, BROKE, 0.1, 2)
    with pytest.raises(RetriesExhaustedError, match=r"gave no usable response in 52 attempts \(the connection broke\)"):
        policy.next_delay(attempts, BROKE, 0.1, 2)


def test_host_that_is_down_and_asks_to_wait_has_its_attempts(policy: RetryPolicy) -> None:
    attempts, down = Attempts(), RetryableError("status 503", after=1)
    assert policy.next_delay(attempts, down, 0.1, 2) == 1
    with pytest.raises(RetriesExhaustedError, match="2 attempts"):
        policy.next_delay(attempts, down, 0.1, 2)


@pytest.mark.parametrize("took", [1, 60, 300, 1500, 3600])
def test_request_without_a_response_fails_after_half_an_hour(policy: RetryPolicy, clock: Clock, took: float) -> None:
    seconds, end = exhaust_retries(policy, clock, RetryableError("no response in time", slow=True), took)
    assert seconds < MAX_UNANSWERED_SECONDS + took
    assert "gave no usable response in 30 minutes, the maximum for one request" in str(end)
    assert end.advice == "Run again later"


def test_pause_before_a_request_counts_as_rate_limited(policy: RetryPolicy, clock: Clock) -> None:
    attempts = Attempts()
    policy.record_limit_delay(attempts, 600)
    clock.now += 600
    with pytest.raises(RetriesExhaustedError, match="is rate-limited for another 10 minutes after 10 minutes"):
        policy.record_limit_delay(attempts, 600)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (900, "15 minutes"),
        (86_400, "24 hours"),
        (2e5, "2 days"),
    ],
)
def test_durations_are_formatted_in_words(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words
