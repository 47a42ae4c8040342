"""Tokens, as described by the responses to token requests."""

from __future__ import annotations

from typing import Any

import pytest
from singer_rest import RateLimiter, RunError, Token
from singer_rest.http.token_requests import DEFAULT_LIFETIME
from singer_rest.http.transport import Transport
from singer_rest.testing import Response, host
from tap_cornerstone.auth import make_authenticator


def request_token(body: dict[str, Any]) -> Token:
    config = {"client_id": "id", "client_secret": "secret", "scope": "all"}
    with host(lambda request: Response(body)) as vendor:
        return make_authenticator(config, Transport(vendor.url, {}, 5, RateLimiter({})), 0.001).token()


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"expires_in": 7200}, 7200),
        ({"expires_in": "7200"}, 7200),
        ({}, DEFAULT_LIFETIME),
        *[({"expires_in": odd}, DEFAULT_LIFETIME) for odd in (None, "", "soon", -1, 0, 1e300, float("nan"), [], {})],
    ],
    ids=str,
)
def test_token_is_used_whatever_its_stated_lifetime(fields: dict[str, Any], seconds: float) -> None:
    found = request_token({"access_token": "edge:1", **fields})
    assert (found.value, found.lifetime) == ("edge:1", seconds)


@pytest.mark.parametrize("odd", ["two\nlines", "k\u0142ucz", " "])
def test_token_that_is_invalid_in_a_header_is_reported(odd: str) -> None:
    with pytest.raises(RunError, match="The access token cannot be sent in a header"):
        request_token({"access_token": odd})
