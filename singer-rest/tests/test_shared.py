"""What all streams and workers of a run share: one rate limiter, one authenticator, and a hidden token."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RateLimit, RateLimiter
from singer_rest.testing import Response, capture_stdout

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest


class Counting(RateLimiter):
    """Admits everything and counts it."""

    def __init__(self) -> None:
        super().__init__({})
        self.taken: Counter[str] = Counter()

    def acquire(self, endpoint: str) -> float:
        self.taken[endpoint] += 1
        return 0.0


def test_all_streams_and_workers_share_one_rate_limiter(make_tap: Callable[..., Any], vendor: Host) -> None:
    tap = make_tap()
    tap.rate_limiter = rate_limiter = Counting()
    with capture_stdout():
        tap.sync_all()
    assert rate_limiter.taken == {"/owners": 4, "/owners/{owner_id}/pets": 3, "/kinds": 2, "/sales": 3}
    assert rate_limiter.taken.total() == len(vendor.requests)


def test_rate_limiter_starts_with_documented_limits_and_the_users(make_tap: Callable[..., Any]) -> None:
    tap = make_tap(requests_per_minute=30)
    tap.rates = {"/kinds": RateLimit(7)}
    assert tap.rate_limiter._endpoint_bucket("/kinds", 0).per_second == 7
    assert tap.rate_limiter._overall.per_second == 0.5


@pytest.mark.parametrize("workers", [1, 8])
def test_all_streams_and_workers_share_one_authenticator(
    make_tap: Callable[..., Any], vendor: Host, workers: int
) -> None:
    tap = make_tap(max_concurrency=workers)
    with capture_stdout():
        tap.sync_all()
    assert tap.authenticator.given == 1
    assert {request.headers["Authorization"] for request in vendor.requests} == {"Bearer token-1"}


def test_missing_permissions_renew_the_token_once_per_run(
    make_tap: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = lambda request: None if request.path == "/owners" else Response({}, 401)
    tap = make_tap(max_concurrency=1)
    with capture_stdout():
        tap.sync_all()
    assert tap.authenticator.given == 2
    assert sorted(tap.skipped) == ["kinds", "pets", "sales"]


def test_token_is_in_no_state_output_log_catalog_or_exception(
    make_tap: Callable[..., Any], vendor: Host, shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def before(request: ReceivedRequest) -> Response | None:
        if request.headers["Authorization"] == "Bearer token-1":
            return Response({}, 401)
        return {"/kinds": Response({}, 422), "/sales": Response({}, 403)}.get(request.path)

    caplog.set_level(logging.DEBUG)
    shop.before = before
    tap = make_tap()
    with capture_stdout() as raw, pytest.raises(Exception, match="1 of 4 streams failed: kinds") as raised:
        tap.sync_all()
    assert tap.authenticator.given == 2
    assert b'"type":"STATE"' in raw.getvalue()
    shown = [raw.getvalue().decode(), caplog.text, json.dumps(tap.catalog_dict), repr(raised.value)]
    assert not any("token-" in text for text in shown)
