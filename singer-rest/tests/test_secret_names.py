"""Fields that are secrets by their names, fields with similar names, and how both are handled."""

from __future__ import annotations

from typing import Any

import pytest
from singer_rest.singer.records import RecordConformer
from singer_rest.singer.schemas import complete_schema
from singer_rest.singer.secret_names import is_secret

SECRETS = """
    token accessToken access_token API-Token tokens webhook_token nextoken client_secret clientsecret SECRET secret_key
    password passwordHash password_reset_url user_passwords pwd challenge webhook_challenge api_key apiKey X-Api-Key
    private_key signing-key authorization Authorization credentials custom_headers customHeaders jwt otp session_cookie
    Custom-Headers CUSTOM_HEADERS customheaders custom_header customHeadersMap custom_http_headers auth_header
    http_headers authorizationHeader basic_auth auth_value credential hmac hmac_key signature_key Webhook-Challenge
"""
LOOK_ALIKES = """
    token_type token_expires_at access_token_id nextPageToken page_token password_changed_at password_policy
    has_password must_change_password is_secret secretary challenges challenge_description key field_key
    primary_key external_id external_authorization_id work_authorization authorized_by headers
    header_field_values_by_key signature_status esignature compass business session_id sessionId pin name
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_secret_is_recognized_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", LOOK_ALIKES.split())
def test_similar_names_are_kept(name: str) -> None:
    assert not is_secret(name)


SCHEMA: dict[str, Any] = {
    "properties": {
        "id": {"type": "string"},
        "token": {"type": ["string", "null"]},
        "list": {
            "type": ["array", "null"],
            "items": {"properties": {"password": {}, "name": {"type": ["string", "null"]}}},
        },
        "any": {},
        "cells": {"type": ["object", "null"]},
        "challenge": {"type": ["string", "null"]},
    }
}


def make_conformer() -> RecordConformer:
    return RecordConformer(
        complete_schema(SCHEMA, ["challenge"], ["cells"]), ("id",), look_alikes=["challenge"], free_names=["cells"]
    )


def test_no_secret_is_emitted_at_any_depth_listed_or_not() -> None:
    fitter = make_conformer()
    record = fitter.conform(
        {
            "id": "1",
            "token": "s",
            "list": [{"password": "s", "name": "n", "more": {"api_key": "s"}}],
            "any": [[{"secret": "s", "open": 1}]],
            "new": {"deep": [{"auth": {"client_secret": ["s"]}}]},
            "custom_headers": {"X": "s"},
        }
    )
    assert record == {
        "id": "1",
        "list": [{"name": "n", "more": {}}],
        "any": [[{"open": 1}]],
        "_extra": {"new": {"deep": [{"auth": {}}]}},
    }
    assert fitter.secrets == {"token", "password", "api_key", "secret", "client_secret", "custom_headers"}
    assert fitter.unlisted == {"new"}


def test_no_secret_is_emitted_in_misfits() -> None:
    record = make_conformer().conform({"id": "1", "list": {"token": "s", "x": 1}, "challenge": {"password": "s"}})
    assert record == {"id": "1", "list": None, "challenge": None, "_extra": {"list": {"x": 1}, "challenge": {}}}


def test_look_alikes_and_free_names_are_kept() -> None:
    record = {"id": "1", "challenge": "to grow", "cells": {"Token": "t", "inner": {"password": "p"}}}
    assert make_conformer().conform(dict(record)) == record


def test_schema_lists_no_secret_and_ends_with_extra() -> None:
    properties = complete_schema(SCHEMA, ["challenge"], ["cells"])["properties"]
    assert list(properties) == ["id", "list", "any", "cells", "challenge", "_extra"]
    assert list(properties["list"]["items"]["properties"]) == ["name"]
    assert "token" in SCHEMA["properties"]
