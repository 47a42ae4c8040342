"""Authentication: one token for all, renewed before expiry, and after a 401 only if that can help."""

from __future__ import annotations

import logging
import threading
from decimal import Decimal
from typing import Any

import pytest
from singer_rest import Authenticator, RunError, Token
from singer_rest.errors import RetryableError
from singer_rest.http.token_requests import (
    DEFAULT_LIFETIME,
    parse_lifetime,
    request_token_with_retries,
    send_with_retries,
)


class Counting(Authenticator):
    """Issues token-1, token-2, ..."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        self.now = 1000.0
        self.lifetime = lifetime
        self.token_requests = 0
        super().__init__(clock=lambda: self.now)

    def request_token(self) -> Token:
        self.token_requests += 1
        return Token(f"token-{self.token_requests}", self.lifetime)


def test_token_is_used_until_a_minute_before_expiry() -> None:
    auth = Counting(lifetime=3600)
    assert auth.token().value == "token-1"
    auth.now += 3600 - 61
    assert auth.token().value == "token-1"
    auth.now += 2
    assert auth.token().value == "token-2"


def test_token_shorter_than_the_margin_is_used() -> None:
    auth = Counting(lifetime=5)
    auth.token()
    auth.now += 4
    assert auth.token().value == "token-1"
    auth.now += 1
    assert auth.token().value == "token-2"


def test_many_threads_cause_one_token_request() -> None:
    auth = Counting()
    threads = [threading.Thread(target=auth.token) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert auth.token_requests == 1


def test_401_of_an_endpoint_that_responded_before_renews_each_time() -> None:
    auth = Counting()
    auth.record_accepted("/a")
    for expected in ("token-2", "token-3", "token-4"):
        renewed = auth.renew_token("/a", auth.token())
        assert renewed is not None
        assert renewed.value == expected


def test_endpoint_that_rejects_some_requests_renews_once_a_minute() -> None:
    auth = Counting()
    auth.record_accepted("/a")
    assert auth.renew_token("/a", auth.token())
    auth.record_fresh_token_rejected("/a")
    assert auth.renew_token("/a", auth.token()) is None
    auth.record_accepted("/b")
    assert auth.renew_token("/b", auth.token())
    auth.now += 61
    assert auth.renew_token("/a", auth.token())
    assert auth.token_requests == 4


def test_401_before_any_other_response_renews() -> None:
    auth = Counting()
    renewed = auth.renew_token("/a", auth.token())
    assert renewed is not None
    assert renewed.value == "token-2"


def test_hundred_endpoints_without_permission_renew_once() -> None:
    auth = Counting()
    auth.token()
    auth.record_accepted("/readable")
    for number in range(100):
        renewed = auth.renew_token(f"/{number}", auth.token())
        if renewed:
            auth.record_fresh_token_rejected(f"/{number}")
    assert auth.token_requests == 2


def test_expired_token_is_renewed_for_an_endpoint_that_never_responded() -> None:
    auth = Counting(lifetime=100)
    first = auth.token()
    auth.renew_token("/a", first)
    auth.record_fresh_token_rejected("/a")
    old = auth.token()
    assert auth.renew_token("/b", old) is None
    auth.now += 100
    renewed = auth.renew_token("/b", old)
    assert renewed is not None
    assert renewed.value == "token-3"


def test_late_worker_gets_the_token_renewed_by_another() -> None:
    auth = Counting()
    old = auth.token()
    auth.renew_token("/a", old)
    again = auth.renew_token("/b", old)
    assert again is not None
    assert again.value == "token-2"
    assert auth.token_requests == 2


def test_rejected_credentials_are_not_tried_again_by_other_workers() -> None:
    class Refused(Counting):
        def request_token(self) -> Token:
            self.token_requests += 1
            raise RunError("refused")

    auth = Refused()
    for _ in range(3):
        with pytest.raises(RunError, match="refused"):
            auth.token()
    assert auth.token_requests == 1


def test_token_is_hidden_in_its_repr() -> None:
    assert "secret" not in repr(Token("secret", 1.0))
    assert "secret" not in str(Token("secret", 1.0))


@pytest.mark.parametrize(
    "said",
    [
        *(None, "", "soon", "NaN", float("nan"), float("inf"), "-inf", -5, "-5", 0),
        *(1e300, "1e300", 10**400, "9" * 999, [], {}),
    ],
    ids=lambda said: f"{type(said).__name__} {str(said)[:9]}",
)
def test_implausible_lifetime_becomes_the_default(said: Any) -> None:
    assert parse_lifetime(said) == DEFAULT_LIFETIME


@pytest.mark.parametrize(("said", "seconds"), [(86_400, 86_400.0), ("7200", 7200.0), (Decimal("0.5"), 0.5)])
def test_lifetime_is_parsed_from_number_or_text(said: Any, seconds: float) -> None:
    assert parse_lifetime(said) == seconds


def test_token_request_fails_after_max_wait(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    waits = [RetryableError("too many requests", after=seconds, throttled=True) for seconds in (30, 5, 901)]

    def send() -> None:
        raise waits.pop(0)

    with pytest.raises(
        RunError, match=r"did not issue a token \(it is rate-limited for 15 minutes, longer than `max_wait` allows"
    ):
        request_token_with_retries(send, 0.5)
    assert slept == [30, 5]
    told = [record.getMessage() for record in caplog.records]
    assert told == ["the token request: too many requests; retrying in 30 s"]


def test_rate_limit_costs_a_token_request_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    throttled = RetryableError("too many requests", after=1, throttled=True)
    answers: list[Any] = [*[throttled] * 30, *[RetryableError("it broke")] * 4, "token"]

    def send() -> str:
        response = answers.pop(0)
        if isinstance(response, RetryableError):
            raise response
        return str(response)

    assert send_with_retries(send, 0.001) == "token"
