"""`tap-factorial login`: a user grants access in a browser, and the tokens are saved for all later runs."""

from __future__ import annotations

import json
import logging
import os
import secrets
import webbrowser
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import click
from singer_rest import (
    FIRST_DELAY,
    Command,
    RateLimiter,
    RunError,
    TokenFile,
    Transport,
    check_addresses,
    describe_missing_setting,
    read_secret,
    request_token_with_retries,
    save_login,
)

from tap_factorial.auth import API_URL, NAME, TOKEN_PATH, check_bare, read_grant, token_issuer, token_path
from tap_factorial.loopback import can_serve, has_state, listen_for_redirect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_rest import TokenChain, TokenGrant

AUTHORIZE_PATH = "/oauth/authorize"
REDIRECT_URI = "http://127.0.0.1:8914/callback"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
SECRETS = ("client_secret", "refresh_token", "api_key", "access_token")
SETTINGS = ("client_id", *SECRETS, *(f"{name}_file" for name in SECRETS), "token_file", "api_url")
REQUEST_SECONDS = 60.0

COMPANY = (
    "This requests a company token. An administrator has to agree. It never expires, reads all that the scopes allow, "
    "does not depend on a person who may leave, and can be revoked in Factorial at any time."
)
USER = (
    "This requests a user token. It reads what the person who agrees may see, and expires after an hour or two; each "
    "run renews it. After a week without a run, somebody has to log in again."
)
DENIED = {
    "access_denied": (
        "The login was denied in Factorial. A company token needs the consent of an administrator; a user token "
        "(--user) does not."
    ),
    "invalid_scope": (
        "Factorial does not grant these scopes. Check --scope, and the scopes of the application in Factorial."
    ),
}
ENDED = (
    "Factorial ended the login without a code. Check the application in Factorial: its redirect URIs, its scopes, and "
    "whether it is enabled."
)
REJECTED_CODE = (
    "Factorial rejects the code: it was used already, is older than ten minutes, or belongs to another redirect "
    "URI or application. Log in again."
)
ELSEWHERE = "The code belongs to another login. Run the login again, and use the newest window."


@click.command(cls=Command, logger=logging.getLogger(NAME))
@click.option("--config", "configs", multiple=True, metavar="FILE", help="Config file, as for the tap; or ENV.")
@click.option("--user", is_flag=True, help="Ask for a token of the person who agrees, instead of the company's.")
@click.option("--scope", "scopes", multiple=True, help="A scope to ask for, or several with spaces; all by default.")
@click.option(
    "--redirect-uri", help=f"A redirect URI that is registered with the application.  [default: {REDIRECT_URI}]"
)
@click.option("--paste", is_flag=True, help="Paste the code instead of receiving it from the browser.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
@click.option(
    "--timeout", type=click.IntRange(1), default=300, show_default=True, help="Seconds to wait for the browser."
)
def login(
    configs: tuple[str, ...],
    scopes: tuple[str, ...],
    redirect_uri: str | None,
    timeout: int,
    *,
    user: bool,
    paste: bool,
    no_browser: bool,
) -> None:
    """Log in to Factorial with an OAuth application, and keep the tokens in the token file.

    A company token is the default and the better choice: it never ends, so that no schedule can miss it, it acts for
    the company and not for a person who may leave, and it reads all that the scopes allow. An administrator has to
    agree. A user token reads what that user may see, and a week without a run ends it.

    client_id, client_secret, token_file and api_url come from the config, or from the environment
    (TAP_FACTORIAL_CLIENT_ID and so on), as with Meltano: meltano invoke tap-factorial:login
    """
    config = read_settings(configs)
    transport = Transport(
        config["api_url"].rstrip("/"),
        {"Accept": "application/json", "User-Agent": f"{NAME}/{version(NAME)}"},
        REQUEST_SECONDS,
        RateLimiter({}),
    )
    target = redirect_uri or (OUT_OF_BAND if paste else REDIRECT_URI)
    _check_target(target)
    state = secrets.token_urlsafe(32)
    url = (
        transport.api_url
        + AUTHORIZE_PATH
        + "?"
        + _authorize_query(config["client_id"], target, state, scopes, user=user)
    )

    click.echo(f"{USER if user else COMPANY}\n")
    if paste or not can_serve(target):
        code = _ask_for_code(url, target, state, asked_for=paste, browser=not no_browser)
    else:
        with listen_for_redirect(target, state) as wait:
            _show_address(url, browser=not no_browser)
            code = _code_of(wait(timeout))

    def exchange() -> TokenGrant:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": target,
            "client_id": config["client_id"],
            "client_secret": config["client_secret"],
        }
        return read_grant(transport.post(TOKEN_PATH, data=form), REJECTED_CODE)

    path = token_path(config)
    file, issuer = TokenFile(path), token_issuer(transport, config)
    chain = request_token_with_retries(
        lambda: save_login(file, exchange, config.get("refresh_token"), issuer), FIRST_DELAY
    )
    click.echo(_describe_login(chain, path, config))


def read_settings(configs: Iterable[str]) -> dict[str, Any]:
    """Returns the settings that a login needs. The environment takes precedence, as for the tap.

    Args:
        configs: Config files. ENV is accepted and has no effect.

    Raises:
        RunError: If a file cannot be read or a setting is missing.
    """
    config: dict[str, Any] = {"api_url": API_URL}
    for path in configs:
        if path != "ENV":
            config |= _read_config(path)
    for name in SETTINGS:
        if value := os.environ.get(f"{NAME}_{name}".upper().replace("-", "_")):
            config[name] = value
    if wrong := [name for name in SETTINGS if config.get(name) and not isinstance(config[name], str)]:
        raise RunError(f"Set `{wrong[0]}` to a value of type string.")
    config |= {name: secret for name in SECRETS if (secret := read_secret(config, name))}
    if missing := [name for name in ("client_id", "client_secret") if not config.get(name)]:
        raise RunError(describe_missing_setting(missing, NAME))
    if errors := check_bare(config, ("client_id", "client_secret")) + check_addresses(config, "api_url"):
        raise RunError(errors[0])
    return config


def _read_config(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise RunError("The file given with --config cannot be read as JSON. Check its path and content.")
    return {name: value for name, value in found.items() if value is not None}


def _check_target(target: str) -> None:
    try:
        parts = urlsplit(target)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.fragment and parts.port != 0
    except ValueError:  # the port is not a number
        usable = False
    if not usable and target != OUT_OF_BAND:
        raise RunError("Set --redirect-uri to an address such as http://127.0.0.1:8914/callback.")


def _authorize_query(client_id: str, target: str, state: str, scopes: Iterable[str], *, user: bool) -> str:
    query = {"client_id": client_id, "redirect_uri": target, "response_type": "code", "state": state}
    if scope := " ".join(" ".join(scopes).split()):
        query["scope"] = scope
    if not user:
        query["resource_owner_type"] = "company"
    return urlencode(query, quote_via=quote)


def _show_address(url: str, *, browser: bool) -> None:
    click.echo(f"Agree in the browser, at this address:\n\n  {url}\n")
    if browser:
        with suppress(webbrowser.Error):  # there is no browser; the address was printed
            webbrowser.open(url)


def _ask_for_code(url: str, target: str, state: str, *, asked_for: bool, browser: bool) -> str:
    if not asked_for and target != OUT_OF_BAND:
        click.echo("The redirect URI does not lead to this machine, so the code has to be pasted.")
    _show_address(url, browser=browser)
    text = click.prompt("The code, or the whole address that the browser shows at the end").strip()
    if "://" not in text:
        return str(text)
    given = dict(parse_qsl(urlsplit(text).query))
    # The page that shows a code to paste has a URL, too, which may lack the state.
    if not has_state(given, state) and (target != OUT_OF_BAND or "state" in given):
        raise RunError(ELSEWHERE)
    return _code_of(given)


def _code_of(given: Mapping[str, str]) -> str:
    if code := given.get("code"):
        return code
    raise RunError(DENIED.get(given.get("error", ""), ENDED))


def _describe_login(chain: TokenChain, path: Path, config: Mapping[str, Any]) -> str:
    if chain.expires_at is None:
        kind = "A token that never expires"
    else:
        end = datetime.fromtimestamp(chain.expires_at, timezone.utc)
        kind = f"A token that expires at {end:%Y-%m-%d %H:%M} UTC"
        kind += ", and a refresh token for later runs, valid for a week," if chain.refresh_token else ""
    lines = [f"Logged in. {kind} is stored in {path.absolute()}. Keep the file secret: it grants access."]
    lines += [
        f"Remove `{name}` from the settings: the tap takes one credential."
        for name in ("api_key", "access_token")
        if config.get(name)
    ]
    return "\n".join([*lines, f"Next: {NAME} --config ... --test, or with Meltano: meltano invoke {NAME} --test"])
