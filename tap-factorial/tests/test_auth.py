"""Keys, tokens and logins: what is sent, what is kept, and what is said when one is dead."""

from __future__ import annotations

import json
import math
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest import RateLimiter, Request, RunError
from singer_rest.http.token_file import TokenFile
from singer_rest.http.transport import Transport
from singer_rest.testing import ReceivedRequest, Response, host
from tap_factorial.auth import (
    CredentialCheck,
    KeyAuthenticator,
    OAuthAuthenticator,
    TokenAuthenticator,
    check_credentials,
    make_authenticator,
    token_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from singer_rest import Authenticator, Token

VERSION = "2026-10-01"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
CREDENTIALS = f"/api/{VERSION}/resources/api_public/credentials"
DAY = 86_400


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """Settings of an OAuth application; nobody has logged in."""
    return {**CLIENT, "token_file": str(tmp_path / "secrets" / "tap.json")}


def make_transport(url: str) -> Transport:
    return Transport(url, {"Accept": "application/json"}, 5, RateLimiter({}))


def transport_to(sandbox: Sandbox) -> Transport:
    return make_transport(f"{sandbox.url}/factorial")


def list_status(auth: Authenticator, way: Transport, name: str = "teams/teams") -> int:
    """Requests a list as a stream does. Returns the HTTP status."""
    path = f"/api/{VERSION}/resources/{name}"
    return way.send(Request(path, (), path), auth).status


def authenticator_of_run(sandbox: Sandbox, config: dict[str, Any], later: float = 0.0) -> OAuthAuthenticator:
    """Returns the authenticator of a run that starts some seconds from now. The sandbox keeps its clock."""
    check = CredentialCheck(transport_to(sandbox), VERSION, 0.001)
    return OAuthAuthenticator(config, check, now=lambda: time.time() + later)


def count_refreshes(sandbox: Sandbox) -> int:
    return sum(request["path"] == "/factorial/oauth/token" for request in sandbox.requests())


def count_checks(sandbox: Sandbox) -> int:
    return sum(request["path"] == f"/factorial{CREDENTIALS}" for request in sandbox.requests())


def with_refresh_token(sandbox: Sandbox, config: dict[str, Any]) -> dict[str, Any]:
    """Logs in. Returns the settings with the refresh token."""
    return {**config, "refresh_token": sandbox.control("factorial/login")["refresh_token"]}


def test_api_key_is_sent_in_its_own_header_and_checked_once(sandbox: Sandbox) -> None:
    way = transport_to(sandbox)
    auth = make_authenticator({"api_key": "sandbox-api-key"}, way, VERSION, 0.001)
    assert [list_status(auth, way), list_status(auth, way, "employees/employees")] == [200, 200]
    assert count_checks(sandbox) == 1
    with host(lambda received_request: Response({})) as vendor:
        list_status(
            make_authenticator({"api_key": "k3y"}, make_transport(vendor.url), VERSION, 0.001),
            make_transport(vendor.url),
        )
        assert [received_request.headers["x-api-key"] for received_request in vendor.requests] == ["k3y", "k3y"]
        assert not any("Authorization" in received_request.headers for received_request in vendor.requests)


def test_wrong_api_key_is_reported_once_for_all_streams(sandbox: Sandbox) -> None:
    way = transport_to(sandbox)
    auth = make_authenticator({"api_key": "wr0ng-key"}, way, VERSION, 0.001)
    for name in ("teams/teams", "employees/employees", "posts/groups"):
        with pytest.raises(RunError, match="Factorial rejects the API key") as error:
            list_status(auth, way, name)
        assert "wr0ng" not in str(error.value)
    assert len(sandbox.requests()) == 2  # a single answer would prove nothing


@pytest.mark.parametrize("company", [True, False])
def test_given_token_works_until_it_expires_and_is_then_reported(sandbox: Sandbox, company: bool) -> None:  # noqa: FBT001
    way = transport_to(sandbox)
    given = {"access_token": sandbox.control("factorial/login", company=company)["access_token"]}
    auth = make_authenticator(given, way, VERSION, 0.001)
    assert list_status(auth, way) == 200
    if company:
        sandbox.control("factorial/clock", seconds=400 * DAY)
        assert list_status(auth, way) == 200
        sandbox.control("factorial/revoke-tokens")
    else:
        sandbox.control("factorial/clock", seconds=7201)
    for again in (auth, make_authenticator(given, way, VERSION, 0.001)):
        with pytest.raises(RunError, match=r"expired or was revoked.*tap-factorial login") as error:
            list_status(again, way)
        assert given["access_token"] not in str(error.value)


def test_status_401_for_unlicensed_modules_does_not_mean_an_invalid_key(sandbox: Sandbox) -> None:
    way = transport_to(sandbox)
    names = [f"finance/{name}" for name in ("accounts", "contacts", "categories", "cost_centers", "budget_options")]
    sandbox.control("revoke", vendor="factorial", permission="finance", status=401)
    auth = make_authenticator({"api_key": "sandbox-api-key"}, way, VERSION, 0.001)
    assert {list_status(auth, way, name) for name in names} == {401}
    assert list_status(auth, way) == 200
    assert count_checks(sandbox) == 2  # the first, and the one that followed the first 401


def test_token_that_expires_among_unlicensed_modules_is_found_in_a_minute(sandbox: Sandbox) -> None:
    way = transport_to(sandbox)
    sandbox.control("revoke", vendor="factorial", permission="finance", status=401)
    given = {"access_token": sandbox.control("factorial/login")["access_token"]}
    auth = make_authenticator(given, way, VERSION, 0.001)
    clock = [1000.0]
    auth._clock = lambda: clock[0]
    assert list_status(auth, way, "finance/accounts") == 401
    sandbox.control("factorial/revoke-tokens")
    clock[0] += 60
    with pytest.raises(RunError, match="expired or was revoked"):
        list_status(auth, way)


def test_credential_is_checked_again_after_a_minute() -> None:
    with host(lambda received_request: Response({})) as vendor:
        clock = [1000.0]
        auth = KeyAuthenticator("k3y", CredentialCheck(make_transport(vendor.url), VERSION, 0.001))
        auth._clock = lambda: clock[0]
        for _ in range(3):
            auth.token()
        assert len(vendor.requests) == 1
        clock[0] += 60
        auth.token()
        assert len(vendor.requests) == 2


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500, 503])
def test_inconclusive_responses_do_not_reject_a_credential(status: int) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        return Response({"errors": None}, status if received_request.path == CREDENTIALS else 200)

    with host(respond) as vendor:
        way = make_transport(vendor.url)
        assert list_status(TokenAuthenticator("t0ken", CredentialCheck(way, VERSION, 0.001)), way) == 200
        assert vendor.requests[-1].headers["Authorization"] == "Bearer t0ken"


def test_unreachable_host_is_reported() -> None:
    with host(lambda received_request: Response({})) as vendor:
        way = make_transport(vendor.url)
    with pytest.raises(RunError, match="does not respond") as error:
        list_status(KeyAuthenticator("k3y", CredentialCheck(way, VERSION, 0.001)), way)
    assert "k3y" not in str(error.value)


def test_three_runs_share_one_token_chain_with_unchanged_settings(
    sandbox: Sandbox, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    way = transport_to(sandbox)
    config = with_refresh_token(sandbox, config)
    for day in range(3):
        auth = authenticator_of_run(sandbox, config, later=day * DAY)
        assert [list_status(auth, way), list_status(auth, way, "employees/employees")] == [200, 200]
        sandbox.control("factorial/clock", seconds=DAY)
    assert count_refreshes(sandbox) == 3
    file = token_path(config)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_bytes())
    assert config["refresh_token"] not in file.read_text()
    assert not any(kept[name] in caplog.text for name in ("refresh_token", "access_token"))


def test_run_before_the_access_token_expires_uses_no_refresh_token(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    for _ in range(3):
        assert list_status(authenticator_of_run(sandbox, config), transport_to(sandbox)) == 200
    assert count_refreshes(sandbox) == 1


def test_long_run_renews_before_the_token_expires(sandbox: Sandbox, config: dict[str, Any]) -> None:
    way = transport_to(sandbox)
    auth = authenticator_of_run(sandbox, with_refresh_token(sandbox, config))
    clock = [1000.0]
    auth._clock = lambda: clock[0]
    assert list_status(auth, way) == 200
    for _ in range(3):
        clock[0] += 7199  # less than the token's two hours
        auth._now = lambda: time.time() + clock[0] - 1000
        sandbox.control("factorial/clock", seconds=7199)
        assert list_status(auth, way) == 200
    assert {request["status"] for request in sandbox.requests()} == {200}
    assert count_refreshes(sandbox) == 4


def test_tokens_that_expire_during_a_run_are_renewed(sandbox: Sandbox, config: dict[str, Any]) -> None:
    way = transport_to(sandbox)
    auth = authenticator_of_run(sandbox, with_refresh_token(sandbox, config))
    assert list_status(auth, way) == 200
    sandbox.control("expire-tokens")
    assert list_status(auth, way) == 200
    assert count_refreshes(sandbox) == 2


def test_run_after_eight_days_reports_the_age_of_the_token(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    list_status(authenticator_of_run(sandbox, config), transport_to(sandbox))
    sandbox.control("factorial/clock", seconds=8 * DAY)
    with pytest.raises(RunError, match=r"valid for a week, and this one is 8 days old.*tap-factorial:login"):
        authenticator_of_run(sandbox, config, later=8 * DAY).token()


def test_revoked_login_is_reported(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    list_status(authenticator_of_run(sandbox, config), transport_to(sandbox))
    sandbox.control("factorial/revoke-tokens")
    for later in (0, DAY):  # found by a 401, and by the refresh at the start
        with pytest.raises(RunError, match=r"used elsewhere or revoked, or a run .* Log in again with `tap-factorial"):
            list_status(authenticator_of_run(sandbox, config, later), transport_to(sandbox))


def test_pasted_token_that_never_worked_is_reported_as_to_be_replaced(sandbox: Sandbox, config: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="Remove `refresh_token` from the settings and log in") as error:
        authenticator_of_run(sandbox, {**config, "refresh_token": "sp3nt"}).token()
    assert "sp3nt" not in str(error.value)
    assert not token_path(config).exists()


def test_wrong_application_has_its_own_message(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = {**with_refresh_token(sandbox, config), "client_secret": "0ther"}
    with pytest.raises(RunError, match="Check `client_id` and `client_secret`") as error:
        authenticator_of_run(sandbox, config).token()
    assert "0ther" not in str(error.value)


def test_crash_between_refresh_and_first_page_loses_no_token(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    given = authenticator_of_run(sandbox, config).token()  # kept before it is used; and here the run is killed
    chain = TokenFile(token_path(config)).read()
    assert chain is not None
    assert chain.access_token == given.value
    assert list_status(authenticator_of_run(sandbox, config, later=DAY), transport_to(sandbox)) == 200
    assert count_refreshes(sandbox) == 2


def test_newly_pasted_token_takes_precedence_over_the_file(sandbox: Sandbox, config: dict[str, Any]) -> None:
    authenticator_of_run(sandbox, with_refresh_token(sandbox, config)).token()
    sandbox.control("factorial/revoke-tokens")
    new = with_refresh_token(sandbox, config)
    assert list_status(authenticator_of_run(sandbox, new), transport_to(sandbox)) == 200
    assert list_status(authenticator_of_run(sandbox, new, later=DAY), transport_to(sandbox)) == 200


def test_concurrent_workers_with_own_authenticators_use_one_token(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(list_status(authenticator_of_run(sandbox, config), transport_to(sandbox)))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert count_refreshes(sandbox) == 1


PROCESS = """
import json
import sys
import time

from singer_rest import RateLimiter, Request
from singer_rest.http.transport import Transport
from tap_factorial.auth import CredentialCheck, OAuthAuthenticator

url, config = sys.argv[1], json.loads(sys.argv[2])
way = Transport(url, {}, 30, RateLimiter({}))
path = "/api/2026-10-01/resources/teams/teams"
for day in range(3):  # each finds the token of the run before ended, by its own clock
    auth = OAuthAuthenticator(config, CredentialCheck(way, "2026-10-01", 0.001), now=lambda: time.time() + day * 86_400)
    assert way.send(Request(path, (), path), auth).status == 200
"""


@pytest.mark.slow
def test_concurrent_processes_do_not_break_the_token_chain(sandbox: Sandbox, config: dict[str, Any]) -> None:
    config = with_refresh_token(sandbox, config)
    command = [sys.executable, "-c", PROCESS, f"{sandbox.url}/factorial", json.dumps(config)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert count_refreshes(sandbox) >= 3
    assert all(request["status"] == 200 for request in sandbox.requests())


def token_host(body: Any, status: int = 200) -> Any:
    return host(
        lambda received_request: Response(body, status) if received_request.path == "/oauth/token" else Response({})
    )


def exchange_code(body: Any, config: dict[str, Any], status: int = 200) -> Token:
    with token_host(body, status) as vendor:
        check = CredentialCheck(make_transport(vendor.url), VERSION, 0.001)
        token = OAuthAuthenticator({**config, "refresh_token": "past3d"}, check).token()
        assert dict(pair.split("=") for pair in vendor.requests[0].body.decode().split("&")) == {
            "grant_type": "refresh_token",
            "refresh_token": "past3d",
            **CLIENT,
        }
        return token


def test_token_lifetime_is_counted_from_the_local_clock(config: dict[str, Any]) -> None:
    body = {"access_token": "a", "refresh_token": "r", "expires_in": 7200, "created_at": 12}
    assert exchange_code(body, config).lifetime == 7200


@pytest.mark.parametrize("odd", ["soon", 0, -5, [], {}])
def test_invalid_lifetime_does_not_lose_the_refresh_token(config: dict[str, Any], odd: Any) -> None:
    body = {"access_token": "a", "refresh_token": "next", "expires_in": odd}
    assert exchange_code(body, config).lifetime == 3600
    chain = TokenFile(token_path(config)).read()
    assert chain is not None
    assert chain.refresh_token == "next"


@pytest.mark.parametrize("absurd", [1e300, 10**400, "1e999", "nan", 10**12])
def test_absurd_lifetime_is_ignored(config: dict[str, Any], absurd: Any) -> None:
    """Infinity and not a number have no JSON, but texts may hold them."""
    body = {"access_token": "a", "refresh_token": "next", "expires_in": absurd, "created_at": absurd}
    assert exchange_code(body, config).lifetime == math.inf
    chain = TokenFile(token_path(config)).read()
    assert chain is not None
    assert (chain.refresh_token, chain.expires_at) == ("next", None)


def test_token_without_a_lifetime_is_renewed_once_it_is_rejected(config: dict[str, Any]) -> None:
    def respond(received_request: ReceivedRequest) -> Response:
        if received_request.path == "/oauth/token":
            given = dict(pair.split("=") for pair in received_request.body.decode().split("&"))["refresh_token"]
            return Response({"access_token": f"{given}-a", "refresh_token": f"{given}2"})
        return Response({"data": []}, 401 if received_request.headers["Authorization"] == "Bearer r-a" else 200)

    with host(respond) as vendor:
        way = make_transport(vendor.url)
        auth = OAuthAuthenticator({**config, "refresh_token": "r"}, CredentialCheck(way, VERSION, 0.001))
        assert list_status(auth, way) == 200
    chain = TokenFile(token_path(config)).read()
    assert chain is not None
    assert (chain.access_token, chain.refresh_token) == ("r2-a", "r22")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"error": "invalid_grant", "error_description": "s3cret"}, 400, "rejects the refresh token"),
        ({"error": "invalid_grant"}, 401, "rejects the refresh token"),
        ({"error": "invalid_client", "error_description": "s3cret"}, 401, "Check `client_id` and `client_secret`"),
        ({"error": "unauthorized_client"}, 400, "Check `client_id` and `client_secret`"),
        ({"error": ["s3cret"]}, 400, "status 400 and no usable token"),
        (b"<html>s3cret</html>", 403, "status 403 and no usable token"),
        (b"<html>s3cret</html>", 200, "status 200 and no usable token"),
        ([{"access_token": "s3cret"}], 200, "status 200 and no usable token"),
        ({"refresh_token": "s3cret"}, 200, "status 200 and no usable token"),
        ({"access_token": "s3cret\n"}, 200, "status 200 and no usable token"),
        ({"access_token": "s3cret\u00e9"}, 200, "status 200 and no usable token"),
        (b"", 503, "did not issue a token"),
    ],
)
def test_rejected_token_request_is_reported_without_the_body(
    config: dict[str, Any], body: Any, status: int, said: str
) -> None:
    with pytest.raises(RunError, match=said) as error:
        exchange_code(body, config, status)
    assert not any(secret in str(error.value) for secret in ("s3cret", "past3d", "sandbox-secret"))
    assert not token_path(config).exists()


KEY, TOKEN, REFRESH = {"api_key": "k"}, {"access_token": "t"}, {"refresh_token": "r"}


@pytest.mark.parametrize("given", [KEY, TOKEN, {**CLIENT, **REFRESH}])
def test_one_credential_suffices(given: dict[str, str]) -> None:
    assert check_credentials({"token_file": "none", **given}) == []
    chosen = type(make_authenticator(given, make_transport("http://127.0.0.1:1"), VERSION, 0.001))
    assert chosen is {"api_key": KeyAuthenticator, "access_token": TokenAuthenticator}.get(
        next(iter(given)), OAuthAuthenticator
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ["TAP_FACTORIAL_API_KEY", "`access_token`", "`client_id` and `client_secret`", "`tap-factorial login`"]),
        ({"api_key": "", "token_file": "x"}, ["Set `api_key`"]),
        ({**KEY, **TOKEN}, ["`api_key` and `access_token`"]),
        ({**KEY, **CLIENT}, ["`api_key` and `client_id`"]),
        ({**TOKEN, **REFRESH}, ["`access_token` and `refresh_token`"]),
        ({"client_id": "c"}, ["Set `client_secret`"]),
        (REFRESH, ["Set `client_id`", "Set `client_secret`"]),
        (CLIENT, ["Log in once with `tap-factorial login`", "meltano invoke tap-factorial:login", "`refresh_token`"]),
        ({"api_key": "s3cret \n"}, ["Set `api_key` to the credential alone"]),
        ({"access_token": "Bearer s3cret"}, ["Set `access_token` to the credential alone"]),
        ({**CLIENT, "refresh_token": "s3cret\n"}, ["Set `refresh_token` to the credential alone"]),
        ({**CLIENT, **REFRESH, "client_secret": "s3cret\r\n"}, ["Set `client_secret` to the credential alone"]),
    ],
)
def test_invalid_credential_settings_are_reported(
    given: dict[str, str], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)
    [sentence] = check_credentials(given)
    assert all(part in sentence for part in said)
    assert "s3cret" not in sentence


def test_application_settings_suffice_after_a_login(config: dict[str, Any]) -> None:
    assert len(check_credentials(config)) == 1
    token_path(config).parent.mkdir()
    token_path(config).touch()
    assert check_credentials(config) == []


def test_token_file_is_in_the_meltano_project_or_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)
    assert token_path({}).absolute() == tmp_path / ".secrets" / "tap-factorial.json"
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path / "project"))
    assert token_path({}) == tmp_path / "project" / ".secrets" / "tap-factorial.json"
    assert token_path({"token_file": "other.json"}) == tmp_path / "project" / "other.json"
    assert token_path({"token_file": "/elsewhere.json"}).as_posix() == "/elsewhere.json"
