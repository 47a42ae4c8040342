"""`tap-factorial login`: the code through the browser or pasted, and what the tap makes of the tokens."""

from __future__ import annotations

import json
import re
import socket
import stat
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import click
import pytest
import requests
from hr_sandbox.testing import Sandbox, running
from singer_rest import RateLimiter, Request, RunError
from singer_rest.http.token_file import TokenChain, TokenFile
from singer_rest.http.transport import Transport
from singer_rest.testing import ReceivedRequest, Response, host
from tap_factorial.__main__ import main
from tap_factorial.auth import make_authenticator
from tap_factorial.loopback import can_serve, listen_for_redirect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION = "2026-10-01"
SECRET = "sandbox-secret"


class Login:
    """Runs the command as its executable does, with a browser that the test plays."""

    def __init__(
        self,
        url: str,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.caplog = caplog
        self.opened: list[str] = []
        self.pages: list[requests.Response] = []
        self.typed: list[str] = []
        self.config = {
            "api_url": url,
            "client_id": "sandbox-client",
            "client_secret": SECRET,
            "token_file": str(folder / "secrets" / "tap.json"),
        }
        self.browser: Callable[[str], Any] = self.agree
        self.typist: Callable[[str], str] = lambda url: ""
        self.redirect_uri = f"http://127.0.0.1:{free_port()}/callback"
        self.output = ""

    def agree(self, url: str) -> None:
        """Opens the login page and follows its redirects."""
        self.pages.append(requests.get(url, timeout=10))

    def __call__(self, *args: str) -> int:
        """Logs in. Returns the exit code."""
        threads = []

        def open_page(url: str) -> bool:
            self.opened.append(url)
            threads.append(threading.Thread(target=self.browser, args=(url,)))
            threads[-1].start()
            return True

        def prompt(text: str) -> str:
            self.typed.append(self.typist(self.shown_text()))
            return self.typed[-1]

        self.folder.mkdir(exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self.config))
        given = ["login", "--config", str(self.folder / "config.json"), *args]
        if not {"--paste", "--redirect-uri"} & set(args):
            given += ["--redirect-uri", self.redirect_uri]
        self.monkeypatch.setattr(sys, "argv", ["tap-factorial", *given])
        self.monkeypatch.setattr("webbrowser.open", open_page)
        self.monkeypatch.setattr(click, "prompt", prompt)
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        finally:
            for thread in threads:
                thread.join()
            self.shown_text()
        raise AssertionError("The command did not end.")

    def shown_text(self) -> str:
        """Returns everything that was printed or logged so far."""
        printed = self.capsys.readouterr()
        self.output += printed.out + printed.err
        return self.output + self.caplog.text

    @property
    def file(self) -> TokenFile:
        return TokenFile(self.folder / "secrets" / "tap.json")

    @property
    def saved_chain(self) -> TokenChain:
        chain = self.file.read()
        assert chain is not None
        return chain

    def requests(self) -> dict[str, str]:
        """Returns the query parameters of the login address."""
        return query_of(self.opened[-1])

    def status(self, config: dict[str, Any] | None = None) -> int:
        """Returns the HTTP status of a list request with this login."""
        way = Transport(self.config["api_url"], {}, 5, RateLimiter({}))
        path = f"/api/{VERSION}/resources/teams/teams"
        auth = make_authenticator({**self.config, **(config or {})}, way, VERSION, 0.001)
        return way.send(Request(path, (), path), auth).status


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def printed_url(shown: str) -> str:
    found = re.search(r"https?://\S+/oauth/authorize\?\S+", shown)
    assert found
    return found[0]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "TOKEN_FILE", "API_URL", "REFRESH_TOKEN", "API_KEY", "ACCESS_TOKEN"):
        monkeypatch.delenv(f"TAP_FACTORIAL_{name}", raising=False)
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)


@pytest.fixture
def make_login(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Callable[[str], Login]:
    caplog.set_level(0)
    return lambda url: Login(url, tmp_path / "home", monkeypatch, capsys, caplog)


@pytest.fixture
def login(sandbox: Sandbox, make_login: Callable[[str], Login]) -> Login:
    return make_login(f"{sandbox.url}/factorial")


@contextmanager
def login_host(respond: Callable[[dict[str, str]], dict[str, str]], tokens: Response | None = None) -> Iterator[str]:
    """Starts a host whose login page redirects the browser with the parameters that the function returns."""

    def page(received_request: ReceivedRequest) -> Response:
        if received_request.path == "/oauth/token":
            return tokens or Response({"access_token": "given-access", "token_type": "Bearer"})
        back = (
            requests.Request("GET", received_request.query["redirect_uri"], params=respond(received_request.query))
            .prepare()
            .url
        )
        return Response(b"", 302, {"Location": str(back)})

    with host(page) as running:
        yield running.url


def test_company_login_is_saved_and_never_expires(sandbox: Sandbox, login: Login) -> None:
    assert login() == 0
    assert login.requests()["resource_owner_type"] == "company"
    assert set(login.requests()) == {"client_id", "redirect_uri", "response_type", "state", "resource_owner_type"}
    assert (login.pages[0].status_code, login.pages[0].text[:28]) == (200, "You can close this window an")
    assert (login.saved_chain.refresh_token, login.saved_chain.expires_at) == ("", None)
    assert stat.S_IMODE(login.file.path.stat().st_mode) == 0o600
    assert "A token that never expires is stored in" in login.output
    assert str(login.file.path) in login.output
    assert "administrator has to agree" in login.output
    sandbox.control("factorial/clock", seconds=400 * 86_400)
    assert login.status() == 200


def test_revoked_company_login_is_reported_with_how_to_log_in_again(sandbox: Sandbox, login: Login) -> None:
    login()
    assert login.status() == 200
    sandbox.control("factorial/revoke-tokens")
    before = len(sandbox.requests())
    with pytest.raises(RunError, match=r"it was revoked, or .* Log in again with `tap-factorial login` \(with Meltano"):
        login.status()
    path = f"/factorial/api/{VERSION}/resources/api_public/credentials"
    # One refusal may pass: it is believed once it comes again.
    assert [request["path"] for request in sandbox.requests()[before:]] == [path] * 2


def test_unlicensed_module_does_not_end_a_company_login(sandbox: Sandbox, login: Login) -> None:
    login()
    sandbox.control("revoke", vendor="factorial", permission="teams", status=401)
    assert login.status() == 401


def test_user_login_is_saved_and_renewed(sandbox: Sandbox, login: Login) -> None:
    assert login("--user") == 0
    assert "resource_owner_type" not in login.requests()
    first = login.saved_chain
    assert first.refresh_token
    assert first.expires_at
    assert re.search(r"A token that expires at \d{4}-\d\d-\d\d \d\d:\d\d UTC, and a refresh token", login.output)
    assert login.status() == 200
    sandbox.control("expire-tokens")
    assert login.status() == 200
    assert login.saved_chain.refresh_token != first.refresh_token


def test_login_replaces_the_configured_token_and_a_newer_token_the_login(sandbox: Sandbox, login: Login) -> None:
    old = {"refresh_token": sandbox.control("factorial/login")["refresh_token"]}
    assert login.status(old) == 200
    sandbox.control("factorial/revoke-tokens")
    assert login() == 0  # without the setting, as from another folder
    assert login.status(old) == 200
    assert login.saved_chain.expires_at is None
    new = {"refresh_token": sandbox.control("factorial/login")["refresh_token"]}
    assert login.status(new) == 200
    assert login.saved_chain.refresh_token


def test_login_replaces_a_configured_token_that_never_worked(login: Login) -> None:
    login.config["refresh_token"] = "dead-and-gone"
    assert login() == 0
    assert login.status() == 200
    assert login.saved_chain.expires_at is None


@pytest.mark.parametrize("args", [(), ("--user",), ("--paste",)])
def test_tokens_codes_and_secrets_are_not_shown(sandbox: Sandbox, login: Login, args: tuple[str, ...]) -> None:
    login.typist = lambda shown: shown_code(printed_url(shown))
    login.config["refresh_token"] = "c0nfigured"
    assert login(*args) == 0
    hidden = [SECRET, "c0nfigured", login.saved_chain.access_token, login.saved_chain.refresh_token, *login.typed]
    hidden += [query_of(page.url).get("code", "") for page in login.pages]
    assert not [text for text in hidden if text and text in login.shown_text()]


def shown_code(url: str) -> str:
    """Returns the code that the page for pasting shows."""
    found = re.search(r"<code>(.+)</code>", requests.get(url, timeout=10).text)
    assert found
    return found[1]


def test_pasted_code_is_exchanged(login: Login) -> None:
    login.typist = lambda shown: f"  {shown_code(printed_url(shown))} "
    assert login("--paste", "--no-browser") == 0
    assert login.opened == []
    assert query_of(printed_url(login.output))["redirect_uri"] == "urn:ietf:wg:oauth:2.0:oob"
    assert login.status() == 200


def redirect_address(url: str) -> str:
    """Returns the OAuth redirect address of a login page. No server listens there."""
    return requests.get(url, allow_redirects=False, timeout=10).headers["Location"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--redirect-uri", "https://host.example/back"), True),
        (("--redirect-uri", "http://127.0.0.1:8914/callback", "--paste"), False),
    ],
)
def test_pasted_address_is_exchanged(login: Login, args: tuple[str, ...], said: bool) -> None:  # noqa: FBT001
    login.browser = lambda url: None
    login.typist = lambda shown: redirect_address(printed_url(shown))
    assert login(*args) == 0
    assert ("does not lead to this machine" in login.output) is said
    assert login.status() == 200


@pytest.mark.parametrize(
    "address", ["https://host.example/back?code=c&state=other", "https://host.example/back?code=c"]
)
def test_pasted_address_of_another_login_is_rejected(login: Login, address: str) -> None:
    login.typist = lambda shown: address
    assert login("--redirect-uri", "https://host.example/back", "--no-browser") == 1
    assert "belongs to another login" in login.shown_text()
    assert login.file.read() is None


def test_redirect_page_for_pasting_can_have_an_address(login: Login) -> None:
    login.typist = lambda shown: f"https://host.example/oauth/authorize/native?code={shown_code(printed_url(shown))}"
    assert login("--paste", "--no-browser") == 0
    assert login.status() == 200


def test_wrong_pasted_code_keeps_the_existing_login(login: Login) -> None:
    assert login() == 0
    before = login.saved_chain
    login.typist = lambda shown: "wr0ng-code"
    assert login("--paste", "--no-browser") == 1
    assert "Factorial rejects the code" in login.shown_text()
    assert login.saved_chain == before


def test_scopes_are_requested_once_each_or_together(login: Login) -> None:
    assert login("--scope", "employees contracts", "--scope", "time_off") == 0
    assert login.requests()["scope"] == "employees contracts time_off"
    assert "scope=employees%20contracts%20time_off" in login.opened[0]
    assert login.status() == 200


def test_unknown_scope_is_reported(login: Login) -> None:
    assert login("--scope", "everything") == 1
    assert "Check --scope" in login.shown_text()
    assert login.pages[0].text.startswith("You can close this window")


@pytest.mark.parametrize(
    ("error", "said"),
    [("access_denied", "The login was denied in Factorial."), ("s3cret", "ended the login without a code")],
)
def test_denied_login_is_reported(make_login: Callable[[str], Login], error: str, said: str) -> None:
    back = {"error": error, "error_description": "s3cret"}
    with login_host(lambda received_request: {**back, "state": received_request["state"]}) as url:
        login = make_login(url)
        assert login() == 1
    assert said in login.shown_text()
    assert "s3cret" not in login.shown_text()
    assert login.file.read() is None


def test_only_a_redirect_with_the_right_state_is_accepted(login: Login) -> None:
    def browse(url: str) -> None:
        target = login.redirect_uri
        for stray in (
            target.replace("/callback", "/favicon.ico"),
            target,
            f"{target}?state={query_of(url)['state']}",
            f"{target}?code=stolen",
            f"{target}?code=stolen&state=guessed",
            f"{target}?error=access_denied&state=guess%C3%A9d",
            f"{target.replace('/callback', '/other')}?code=stolen&state={query_of(url)['state']}",
        ):
            assert requests.get(stray, timeout=10).status_code == 404
        login.agree(url)

    login.browser = browse
    assert login() == 0
    assert len(login.pages) == 1
    assert login.status() == 200


def test_only_the_first_code_is_accepted() -> None:
    uri = f"http://127.0.0.1:{free_port()}/callback"
    with listen_for_redirect(uri, "st4te") as wait:
        statuses = [requests.get(uri, params={"code": code, "state": "st4te"}, timeout=10).status_code for code in "ab"]
        assert statuses == [200, 404]
        assert wait(5)["code"] == "a"


def test_idle_browser_connection_does_not_block_the_login() -> None:
    port = free_port()
    with (
        listen_for_redirect(f"http://localhost:{port}/", "st4te") as wait,
        socket.create_connection(("127.0.0.1", port)),
    ):
        requests.get(f"http://127.0.0.1:{port}", params={"code": "a", "state": "st4te"}, timeout=10)
        assert wait(5)["code"] == "a"


@pytest.mark.slow
def test_login_times_out_if_nobody_agrees(login: Login) -> None:
    login.browser = lambda url: None
    assert login("--timeout", "1") == 1
    assert "Nobody agreed in time" in login.shown_text()


def test_busy_port_is_reported(login: Login) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert login("--redirect-uri", f"http://127.0.0.1:{taken.getsockname()[1]}/callback") == 1
    assert "redirect URI is in use" in login.shown_text()
    assert login.opened == []


@pytest.mark.parametrize("uri", ["nonsense", "ftp://host.example/", "http://127.0.0.1:port/", "http://127.0.0.1/#x"])
def test_invalid_address_is_reported(login: Login, uri: str) -> None:
    assert login("--redirect-uri", uri) == 1
    assert "Set --redirect-uri to an address such as" in login.shown_text()


@pytest.mark.parametrize(
    ("uri", "served"),
    [
        ("http://127.0.0.1:8914/callback", True),
        ("http://localhost/", True),
        ("http://[::1]:8914/", True),
        ("https://127.0.0.1:8914/callback", False),
        ("http://127.0.0.1.host.example/", False),
        ("http://localhost@host.example/", False),
        ("urn:ietf:wg:oauth:2.0:oob", False),
    ],
)
def test_addresses_of_this_machine_are_recognized(uri: str, served: bool) -> None:  # noqa: FBT001
    assert can_serve(uri) is served


def test_wrong_application_secret_is_reported(login: Login) -> None:
    login.config["client_secret"] = "0ther"
    assert login() == 1
    assert "Check `client_id` and `client_secret`" in login.shown_text()
    assert "0ther" not in login.shown_text()


def test_response_without_a_token_is_reported_without_its_content(make_login: Callable[[str], Login]) -> None:
    back = {"code": "c0de"}
    with login_host(
        lambda received_request: {**back, "state": received_request["state"]}, Response(b"<html>s3cret", 404)
    ) as url:
        login = make_login(url)
        assert login() == 1
    assert "status 404 and no usable token" in login.shown_text()
    assert not {"c0de", "s3cret"} & set(re.findall(r"\w+", login.shown_text()))


def test_authorization_is_requested_at_the_configured_host_only(login: Login) -> None:
    login.config["api_url"] += "/"
    assert login("--redirect-uri", login.redirect_uri) == 0
    assert login.opened[0].startswith(login.config["api_url"] + "oauth/authorize?client_id=sandbox-client&")


def test_settings_are_read_from_the_environment_as_meltano_sets_them(
    sandbox: Sandbox, login: Login, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in login.config.items():
        if name != "token_file":
            monkeypatch.setenv(f"TAP_FACTORIAL_{name.upper()}", value)
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path / "project"))
    login.config = {"client_id": "other", "api_url": None}  # type: ignore[dict-item]
    assert login("--config", "ENV") == 0
    assert stat.S_IMODE((tmp_path / "project" / ".secrets" / "tap-factorial.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_id": None}, "Set `client_id` (in the config, or as TAP_FACTORIAL_CLIENT_ID in the environment)."),
        ({"client_secret": ""}, "Set `client_secret`"),
        ({"client_secret": 7}, "Set `client_secret` to a value of type string."),
        ({"client_secret": "s\n"}, "Set `client_secret` to the credential alone"),
        ({"api_url": "nowhere s3cret"}, "Set `api_url` to an address"),
    ],
)
def test_invalid_settings_are_reported(login: Login, change: dict[str, Any], said: str) -> None:
    login.config.update(change)
    assert login() == 1
    assert said in login.shown_text()
    assert "s3cret" not in login.shown_text()
    assert login.opened == []


def test_unreadable_config_is_reported(login: Login) -> None:
    assert login("--config", "/nowhere/s3cret.json") == 1
    assert "cannot be read as JSON" in login.shown_text()
    assert "s3cret" not in login.shown_text()


def test_other_credential_in_the_settings_is_reported(login: Login) -> None:
    login.config["api_key"] = "k3y"
    assert login() == 0
    assert "Remove `api_key` from the settings" in login.output
    assert "k3y" not in login.shown_text()


def test_unwritable_token_file_is_reported(login: Login) -> None:
    login.config["token_file"] = str(login.folder / "config.json" / "tap.json")
    assert login() == 1
    assert "Set `token_file`" in login.shown_text()


def test_help_says_why_a_company_token_is_better(login: Login) -> None:
    assert login("--help") == 0
    assert "A company token is the default and the better choice" in login.output
