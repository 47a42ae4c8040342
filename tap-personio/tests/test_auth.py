"""Tokens of both versions of the API, as described by the responses to token requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import AccessDeniedError, RateLimiter, RunError, TapError
from singer_rest.http.token_requests import DEFAULT_LIFETIME
from singer_rest.http.transport import Transport
from singer_rest.testing import Response, host
from tap_personio.auth import V1Authenticator, V2Authenticator

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest import Authenticator

V1 = (V1Authenticator, lambda fields: {"success": True, "data": {"token": fields.pop("token"), **fields}})
V2 = (V2Authenticator, lambda fields: {"access_token": fields.pop("token"), "token_type": "Bearer", **fields})


def request_token(version: tuple[Any, Callable[[Any], Any]], **fields: Any) -> Any:
    authenticator, body = version
    response = Response(body({"token": "t0ken", **fields}))
    with host(lambda request: response) as vendor:
        asking: Authenticator = authenticator(Transport(vendor.url, {}, 5, RateLimiter({})), "id", "secret", 0.001)
        return asking.token()


@pytest.mark.parametrize("version", [V1, V2], ids=["v1", "v2"])
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
def test_token_is_used_whatever_its_stated_lifetime(version: Any, fields: dict[str, Any], seconds: float) -> None:
    found = request_token(version, **fields)
    assert (found.value, found.lifetime) == ("t0ken", seconds)


@pytest.mark.parametrize(("version", "error"), [(V1, AccessDeniedError), (V2, RunError)], ids=["v1", "v2"])
@pytest.mark.parametrize("odd", ["two\nlines", "k\u0142ucz", " "])
def test_token_that_is_invalid_in_a_header_is_reported(version: Any, error: type[TapError], odd: str) -> None:
    with pytest.raises(error, match="holds a line break or a character beyond ASCII"):
        request_token(version, token=odd)
