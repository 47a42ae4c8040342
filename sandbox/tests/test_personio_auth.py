"""Tokens: the form, the errors, and expiry."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TOKEN = "/v2/auth/token"


def test_a_token_request_returns_a_bearer_token(api: Any) -> None:
    status, body, headers = api.post(TOKEN, GOOD)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert body["access_token"].startswith("papi-")
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 86_400
    assert "personio:persons:read" in body["scope"].split()


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_field_is_named(api: Any, name: str) -> None:
    status, body, headers = api.post(TOKEN, {key: text for key, text in GOOD.items() if key != name})
    assert (status, body["error"]) == (400, "invalid_request")
    assert body["meta"] == {"missing_parameters": [name]}
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"scope": "personio:all:read"}, "invalid_scope"),
        ({"scope": "personio:persons:read personio:payroll:read"}, "invalid_scope"),
        ({"audience": "x"}, "invalid_request"),
    ],
)
def test_invalid_token_requests_are_rejected(api: Any, change: dict[str, str], error: str) -> None:
    status, body, _ = api.post(TOKEN, {**GOOD, **change})
    assert (status, body["error"]) == (400, error)


def test_only_forms_are_accepted(api: Any) -> None:
    status, body, _ = api.post(TOKEN, GOOD, **{"content-type": "application/json"})
    assert (status, body["error"]) == (400, "invalid_request")
    assert api.get(TOKEN)[0] == 405


def test_a_scope_limits_the_token(make_api: Any) -> None:
    api = make_api()
    _, body, _ = api.post(TOKEN, {**GOOD, "scope": "personio:persons:read"})
    headers = {"authorization": f"Bearer {body['access_token']}"}
    assert api.get("/v2/persons", **headers)[0] == 200
    assert api.get("/v2/absence-types", **headers)[0] == 404


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer papi-invented", "Basic eDp5", "bearer papi"])
def test_requests_without_a_valid_token_are_rejected(api: Any, header: str) -> None:
    status, body, headers = api.get("/v2/persons", authorization=header)
    assert status == 401
    assert body["errors"][0]["title"] == "Unauthorized Request"
    assert headers["content-type"] == "application/problem+json"


def test_a_revoked_token_is_rejected(make_api: Any) -> None:
    api = make_api()
    token = api.headers["authorization"].removeprefix("Bearer ")
    assert api.post("/v2/auth/revoke", {"token": token})[:2] == (200, None)
    assert api.get("/v2/persons")[0] == 401
    assert api.post("/v2/auth/revoke", {"token": token})[0] == 401
    assert api.post("/v2/auth/revoke", {})[0] == 400


def test_a_token_expires(make_api: Any) -> None:
    api = make_api(token_ttl=100)
    now = [0.0]
    api.vendor.tokens._clock = lambda: now[0]
    _, body, _ = api.post(TOKEN, GOOD)
    headers = {"authorization": f"Bearer {body['access_token']}"}
    assert body["expires_in"] == 100
    assert api.get("/v2/persons", **headers)[0] == 200
    now[0] = 100
    assert api.get("/v2/persons", **headers)[0] == 401


def test_only_150_tokens_a_minute_are_issued(make_api: Any) -> None:
    api = make_api(requests_per_minute=None)
    statuses = [api.post(TOKEN, GOOD)[0] for _ in range(151)]
    assert statuses.index(429) == 149  # one was issued before
