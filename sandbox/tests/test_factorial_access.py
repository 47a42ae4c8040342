"""Keys, tokens, versions, and modules that are not licensed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hr_sandbox.factorial.access import WEEK
from hr_sandbox.http.arguments import ControlError

BACK = "http://127.0.0.1:9999/callback?kept=1"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
LIST = "/api/2026-10-01/resources/employees/employees"


def get_code(api: Any, **more: str) -> str:
    query = {"client_id": "sandbox-client", "redirect_uri": BACK, "response_type": "code", "state": "é 1", **more}
    answer = api.request("/oauth/authorize", query)
    assert answer.status == 302
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (back["kept"], back["state"]) == (["1"], ["é 1"])
    return back["code"][0]


def exchange_code(api: Any, given: str, **more: str) -> tuple[int, Any]:
    form = {**CLIENT, "grant_type": "authorization_code", "code": given, "redirect_uri": BACK, **more}
    status, body = api.form("/oauth/token", **form)
    return status, body


def refresh_token(api: Any, token: str) -> tuple[int, Any]:
    status, body = api.form("/oauth/token", **CLIENT, grant_type="refresh_token", refresh_token=token)
    return status, body


def status_of(api: Any, token: str) -> int:
    status: int = api.request(LIST, authorization=f"Bearer {token}").status
    return status


def test_the_key_goes_in_its_own_header(factorial: Any) -> None:
    assert factorial.request(LIST, x_api_key="sandbox-api-key").status == 200
    for headers in ({"x_api_key": "other"}, {"authorization": "Bearer sandbox-api-key"}, {"cookie": "a=b"}):
        answer = factorial.request(LIST, **headers)
        assert (answer.status, answer.body) == (401, b'{"errors":null}')


def test_a_code_is_exchanged_once_for_a_token_that_expires(make_factorial: Any) -> None:
    api = make_factorial()
    given = get_code(api)
    status, body = exchange_code(api, given)
    assert status == 200
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "created_at"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 7200, "read write")
    assert status_of(api, body["access_token"]) == 200
    assert exchange_code(api, given) == (400, exchange_code(api, given)[1])  # a code can be used once
    row = api.request(
        "/api/2026-10-01/resources/api_public/credentials", authorization=f"Bearer {body['access_token']}"
    )
    assert b'"id":"access-1"' in row.body
    api.controls["clock"]({"seconds": 7199})
    assert status_of(api, body["access_token"]) == 200
    api.controls["clock"]({"seconds": 1})
    assert status_of(api, body["access_token"]) == 401


def test_each_refresh_returns_another_token(make_factorial: Any) -> None:
    api = make_factorial()
    first = exchange_code(api, get_code(api))[1]
    status, second = refresh_token(api, first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    third = refresh_token(api, second["refresh_token"])[1]
    assert status_of(api, third["access_token"]) == 200


def test_a_refresh_token_used_twice_revokes_the_login(make_factorial: Any) -> None:
    api = make_factorial()
    other = exchange_code(api, get_code(api))[1]
    first = exchange_code(api, get_code(api))[1]
    second = refresh_token(api, first["refresh_token"])[1]
    status, body = refresh_token(api, first["refresh_token"])
    assert (status, body["error"]) == (400, "invalid_grant")
    assert status_of(api, second["access_token"]) == status_of(api, first["access_token"]) == 401
    assert refresh_token(api, second["refresh_token"])[0] == 400
    assert status_of(api, other["access_token"]) == 200


def test_a_refresh_token_is_valid_for_a_week(make_factorial: Any) -> None:
    api = make_factorial()
    first = exchange_code(api, get_code(api))[1]
    api.controls["clock"]({"seconds": WEEK - 60})
    second = refresh_token(api, first["refresh_token"])[1]
    api.controls["clock"]({"seconds": WEEK})
    assert refresh_token(api, second["refresh_token"])[1]["error"] == "invalid_grant"


def test_a_company_token_does_not_expire(make_factorial: Any) -> None:
    api = make_factorial()
    body = exchange_code(api, get_code(api, resource_owner_type="company"))[1]
    assert set(body) == {"access_token", "token_type", "scope", "created_at"}
    api.controls["clock"]({"seconds": 400 * 86_400})
    assert status_of(api, body["access_token"]) == 200
    answer = api.request(
        "/api/2026-10-01/resources/api_public/credentials", authorization=f"Bearer {body['access_token']}"
    )
    assert b'"employee_id":null' in answer.body
    api.vendor.tokens.expire()
    assert status_of(api, body["access_token"]) == 401


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({**CLIENT, "grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({**CLIENT, "grant_type": "refresh_token"}, 400, "invalid_request"),
        ({**CLIENT, "grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({**CLIENT, "client_secret": "x", "grant_type": "refresh_token", "refresh_token": "x"}, 401, "invalid_client"),
        ({**CLIENT}, 400, "invalid_request"),
        ({**CLIENT, "grant_type": "authorization_code", "code": "x", "redirect_uri": BACK}, 400, "invalid_grant"),
    ],
)
def test_invalid_token_requests_are_rejected(factorial: Any, form: dict[str, str], status: int, error: str) -> None:
    given, body = factorial.form("/oauth/token", **form)
    assert (given, body["error"]) == (status, error)


def test_the_login_page_checks_the_client_address_and_scope(make_factorial: Any) -> None:
    api = make_factorial()
    query = {"client_id": "sandbox-client", "redirect_uri": BACK, "response_type": "code"}
    assert api.request("/oauth/authorize", {**query, "client_id": "x"}).status == 401
    assert api.request("/oauth/authorize", {**query, "redirect_uri": "javascript:x"}).status == 401
    assert (
        "error=unsupported_response_type"
        in api.request("/oauth/authorize", {**query, "response_type": "token"}).headers["location"]
    )
    assert "error=invalid_scope" in api.request("/oauth/authorize", {**query, "scope": "all"}).headers["location"]
    shown = api.request("/oauth/authorize", {**query, "redirect_uri": "urn:ietf:wg:oauth:2.0:oob"})
    assert (shown.status, b"<code>" in shown.body) == (200, True)
    assert exchange_code(api, get_code(api), redirect_uri="http://127.0.0.1:9999/")[0] == 400
    assert api.request("/oauth/token").status == 405


def test_a_token_reads_only_what_its_scopes_allow(make_factorial: Any) -> None:
    api = make_factorial()
    body = exchange_code(api, get_code(api, scope="employees contracts"))[1]
    assert body["scope"] == "contracts employees"
    assert status_of(api, body["access_token"]) == 200
    key = f"Bearer {body['access_token']}"
    assert api.request("/api/2026-10-01/resources/timeoff/leaves", authorization=key).status == 403
    assert api.request("/api/2026-10-01/resources/contracts/contracts", authorization=key).status == 200


def test_controls_create_and_revoke_logins(make_factorial: Any) -> None:
    api = make_factorial()
    tokens = api.controls["login"]({})
    assert status_of(api, tokens["access_token"]) == 200
    assert api.controls["revoke-tokens"]({}) == {"revoked": 1}
    assert status_of(api, tokens["access_token"]) == 401
    assert refresh_token(api, tokens["refresh_token"])[0] == 400
    assert api.controls["login"]({"company": True})["refresh_token"] is None


@pytest.mark.parametrize(
    ("form", "status", "kind", "body"),
    [
        (
            "json",
            403,
            "application/json",
            b'{"errors":[{"code":"forbidden","message":"Forbidden","field":null}]}',
        ),
        (
            "payment",
            402,
            "application/json",
            b'{"errors":[{"code":"payment_required","message":"Payment Required","field":null}]}',
        ),
        ("html", 403, "text/html; charset=utf-8", None),
        ("empty", 403, None, b""),
        ("null", 401, "application/json", b'{"errors":null}'),
    ],
)
def test_a_module_that_is_not_licensed(make_factorial: Any, form: str, status: int, kind: str, body: bytes) -> None:
    api = make_factorial()
    api.vendor.access.revoke(permission="posts", endpoint=None, status=None)
    api.controls["refusal"]({"module": "posts", "form": form})
    answer = api.request("/api/2026-10-01/resources/posts/groups", **{"x-api-key": "sandbox-api-key"})
    assert (answer.status, answer.headers.get("content-type")) == (status, kind)
    assert body is None or answer.body == body
    assert api.get("employees/employees")[0] == 200
    api.vendor.access.grant(permission="posts", endpoint=None)
    assert api.get("posts/groups")[0] == 200


@pytest.mark.parametrize("status", [402, 404, 410, 428])
def test_a_resource_is_not_licensed_or_does_not_exist(make_factorial: Any, status: int) -> None:
    api = make_factorial()
    api.vendor.access.revoke(permission=None, endpoint="posts/groups", status=status)
    api.controls["refusal"]({"module": "posts", "form": "json"})
    given, body = api.get("posts/groups")
    assert given == status
    (error,) = body["errors"]
    assert set(error) == {"code", "message", "field"}
    assert error["code"] in {"payment_required", "missing_resource", "invalid_state"}


def test_one_resource_can_be_revoked(make_factorial: Any) -> None:
    api = make_factorial()
    for path in ("finance/accounts", "/api/{version}/resources/finance/accounts"):
        api.vendor.access.revoke(permission=None, endpoint=path, status=404)
        assert api.get("finance/accounts")[0] == 404
        assert api.get("finance/tax_types")[0] == 200
        assert api.vendor.describe_permissions()["revoked"] == {"finance/accounts": 404}
    for permission, endpoint in (
        ("nothing", None),
        (None, "finance/nothing"),
        (None, None),
        ("finance", "finance/accounts"),
    ):
        with pytest.raises(ControlError):
            api.vendor.access.revoke(permission=permission, endpoint=endpoint, status=None)


def test_a_hidden_attribute_is_null(make_factorial: Any) -> None:
    api = make_factorial()
    assert any(row["bank_number"] for row in api.get("employees/employees")[1]["data"])
    api.vendor.allow_attribute("employees_employees.bank_number", allowed=False)
    assert {row["bank_number"] for row in api.get("employees/employees")[1]["data"]} == {None}


def test_older_versions_have_other_types_and_retired_ones_are_replaced(factorial: Any) -> None:
    new, bessel, older = (
        factorial.get("employees/employees", {"limit": "1"}, version)[1]["data"][0]
        for version in ("2026-10-01", "2026-07-01", "2026-04-01")
    )
    assert new == bessel
    assert (str(older["id"]), type(older["id"])) == (new["id"], int)
    assert "communications_email" not in older
    for retired in ("2024-10-01", "2025-04-01", "2025-10-01"):
        assert factorial.get("employees/employees", {}, retired) == factorial.get(
            "employees/employees", {}, "2026-01-01"
        )
    for never in ("2027-01-01", "2026-05-01", "v2", "v1"):
        assert factorial.get("employees/employees", {}, never)[0] == 404


@pytest.mark.parametrize(
    ("name", "first", "before"),
    [
        ("contracts/contracts", "2026-10-01", "2026-07-01"),
        ("contracts/materialized_templates", "2026-07-01", "2026-04-01"),
        ("project_management/budget_strategies", "2026-04-01", "2026-01-01"),
    ],
)
def test_resources_that_a_version_lacks_are_not_found(factorial: Any, name: str, first: str, before: str) -> None:
    assert factorial.get(name, {}, first)[0] != 404
    assert factorial.get(name, {}, before)[0] == 404


def test_names_change_with_versions(factorial: Any) -> None:
    old = factorial.get("timeoff/allowance_stats", {"limit": "1"}, "2026-04-01")[1]["data"][0]
    new = factorial.get("timeoff/allowance_stats", {"limit": "1"}, "2026-07-01")[1]["data"][0]
    assert ("carry_overs" in old, "cycle_carry_overs" in old) == (True, False)
    assert ("carry_overs" in new, "cycle_carry_overs" in new) == (False, True)
    account = factorial.get("banking/transactions")[1]["data"][0]["bank_account_id"]
    total = lambda name, version: factorial.get("banking/transactions", {name: account}, version)[1]["meta"]["total"]  # noqa: E731
    everything = total("nothing", "2026-10-01")
    assert total("account_ids[]", "2026-04-01") == total("bank_account_ids[]", "2026-07-01") < everything
    assert total("account_ids[]", "2026-07-01") == total("bank_account_ids[]", "2026-04-01") == everything
    assert factorial.get("integrations/syncable_items", {}, "2026-07-01")[0] == 200
    assert factorial.get("integrations/syncable_items")[0] == 404


def test_unknown_paths_are_not_found(factorial: Any) -> None:
    for path in (
        "/api/2026-10-01/employees/employees",
        "/api/2026-10-01/resources/employees",
        "/api/v2/core/keys",
        "/",
    ):
        answer = factorial.request(path)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert factorial.request(LIST, (), "POST").status == 405
