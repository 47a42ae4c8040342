"""Tokens, scopes, and limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.messages import Request

OBJECTS, VIEWS = "/services/api/x/dataexporter/api/objects", "/services/api/x/odata/api/views"
TOKEN, EMPLOYEES = "/services/api/oauth2/token", "/services/api/x/users/v2/employees"


def test_a_token_request_returns_a_bearer_token(cornerstone: Any) -> None:
    answer = cornerstone.sign_in()
    body = json.loads(answer.body)
    assert answer.status == 200
    assert body.pop("access_token").startswith("ZWRnZQ:")
    assert body == {"expires_in": 3600, "token_type": "Bearer", "scope": "all"}


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"clientSecret": "wrong"}, "invalid_client"),
        ({"clientId": "wrong"}, "invalid_client"),
        ({"grantType": "password"}, "unsupported_grant_type"),
        ({"scope": "nothing:read"}, "invalid_scope"),
        ({"scope": "all vw_rpt_user:read"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": None}, "invalid_request"),
        ({"clientId": 5}, "invalid_request"),
        ({"client_id": "sandbox-client"}, "invalid_request"),
    ],
)
def test_invalid_token_requests_are_rejected(cornerstone: Any, members: Any, problem: str) -> None:
    answer = cornerstone.sign_in(**members)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, problem)


def test_a_form_is_not_a_token_request(cornerstone: Any) -> None:
    form = b"grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret&scope=all"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert cornerstone.vendor.handle(Request("POST", TOKEN, (), headers, form)).status == 400
    assert cornerstone.vendor.handle(Request("GET", TOKEN)).status == 405


def test_tokens_expire(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["clock"]({"seconds": 3599})
    assert api.get("users_core")[0] == 200
    api.controls["clock"]({"seconds": 2})
    status, body = api.get("users_core")
    assert (status, body["error"]["message"]) == (401, "CSOD Unauthorized Exception")
    assert api.get(EMPLOYEES)[0] == 401
    assert api.get("nothing_core")[0] == 401
    api.headers["authorization"] = f"Bearer {api.token()}"
    assert api.get("users_core")[0] == 200
    assert api.vendor.tokens.expire() == 2
    assert api.get("users_core")[0] == 401


def test_expires_in_can_have_other_forms(make_cornerstone: Any) -> None:
    api = make_cornerstone(token_ttl=60)
    for form, members in (("text", {"expires_in": "60"}), ("absent", {}), ("number", {"expires_in": 60})):
        api.controls["expires-in"]({"form": form})
        body = json.loads(api.sign_in().body)
        assert {name: body[name] for name in body if name == "expires_in"} == members


def test_a_token_reads_only_what_its_scopes_allow(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.headers["authorization"] = f"Bearer {api.token('vw_rpt_user:read obj_users_core:read employee:read')}"
    assert api.get("vw_rpt_user")[0] == 200
    assert api.get("users_core")[0] == 200
    assert api.get(EMPLOYEES)[0] == 200
    for path in ("vw_rpt_user_base", "ou_core", f"{VIEWS}/$metadata", f"{OBJECTS}/$metadata", VIEWS):
        assert api.get(path)[0] == 401, path
    assert api.get(f"{EMPLOYEES}/9602/groups")[0] == 401


def test_scopes_are_revoked_and_granted(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.access.revoke(permission="vw_rpt_user:read", endpoint=None, status=None)
    api.vendor.access.revoke(permission=None, endpoint="vw_rpt_ou", status=403)
    api.vendor.access.revoke(permission=None, endpoint="ou_types", status=404)
    assert (api.get("vw_rpt_user")[0], api.get("vw_rpt_ou")[0]) == (401, 403)
    assert api.get("/services/api/x/organizations/v1/types")[0] == 404
    assert api.get("vw_rpt_user_base")[0] == 200
    assert json.loads(api.sign_in(scope="vw_rpt_user:read").body)["error"] == "invalid_scope"
    assert "vw_rpt_user:read" in api.vendor.describe_permissions()["revoked"]
    assert api.vendor.access.grant(permission="vw_rpt_user:read", endpoint=None)["changed"]
    assert api.get("vw_rpt_user")[0] == 200
    for given in ({"permission": "x"}, {"endpoint": "x"}, {}, {"permission": "vw_rpt_ou:read", "status": 500}):
        with pytest.raises(ControlError):
            api.vendor.access.revoke(**{"permission": None, "endpoint": None, "status": None, **given})


def test_each_view_has_its_own_limit(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["throttling"]({"on": True})
    first = api.request("vw_rpt_transcript_curricula", {"$top": "0"})
    assert first.headers["x-csod-throttling-rate-limit-urilevel"] == str(120 * 60)
    assert first.headers["x-csod-requests-remaining-urilevel"] == str(120 * 60 - 1)
    for _ in range(119):
        assert api.request("vw_rpt_transcript_curricula", {"$top": "0"}).status == 200
    refused = api.request("vw_rpt_transcript_curricula")
    body = json.loads(refused.body)
    assert refused.status == 429
    assert (body["status"], body["error"]["message"]) == ("429", "CSOD Too many requests.")
    assert refused.headers["x-csod-requests-remaining-urilevel"] == "0"
    assert "retry-after" not in refused.headers
    assert api.request("vw_rpt_user").status == 200
    api.controls["clock"]({"seconds": 61})
    after = api.request("vw_rpt_transcript_curricula")
    # Rejected requests count too.
    assert after.headers["x-csod-requests-remaining-urilevel"] == str(120 * 60 - 122)


def test_rest_endpoints_have_their_own_limits_and_accept_custom_ones(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["throttling"]({"on": True, "stream": "users_core", "per_minute": 2})
    assert [api.request("users_core").status for _ in range(3)] == [200, 200, 429]
    api.controls["throttling"]({"stream": "employees", "per_minute": 1})
    assert [api.request(EMPLOYEES).status for _ in range(2)] == [200, 429]
    jobs = "/services/api/x/bulk-api/v1/jobs"
    answers = [api.request(jobs) for _ in range(6)]
    assert [row.status for row in answers] == [200] * 5 + [429]
    assert json.loads(answers[-1].body)["error"]["code"] == "429"
    api.controls["throttling"]({"on": False})
    assert api.request(jobs).status == 200


def test_one_limit_can_apply_to_all_endpoints(make_cornerstone: Any) -> None:
    api = make_cornerstone(requests_per_minute=3)
    api.controls["throttling"]({"on": True})
    assert [api.request(name).status for name in ("users_core", "ou_core", EMPLOYEES, "vw_rpt_ou")] == [
        200,
        200,
        200,
        429,
    ]
    assert api.sign_in().status == 429
