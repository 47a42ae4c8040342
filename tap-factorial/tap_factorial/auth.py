"""Factorial's credentials: a company's API key, an access token, or an OAuth login with rotating tokens."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import (
    YEAR,
    Authenticator,
    RefreshingAuthenticator,
    Request,
    RetryableError,
    RunError,
    Token,
    TokenChain,
    TokenFile,
    TokenGrant,
    describe_missing_setting,
    parse_lifetime,
    send_with_retries,
)
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singer_rest import Reply, Transport

NAME = "tap-factorial"
API_URL = "https://api.factorialhr.com"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
TOKEN_FILE = ".secrets/tap-factorial.json"  # noqa: S105 - a path

GROUPS = (("api_key",), ("access_token",), ("client_id", "client_secret", "refresh_token"))
"""Settings that form a credential. One group is required."""

DAY = 86_400
WEEK = 7 * DAY
"""Lifetime of a refresh token in seconds."""

CHECKED = 60.0
"""Seconds for which an accepted credential counts as valid: a 401 within them means a missing permission."""

LOGIN = "`tap-factorial login` (with Meltano: `meltano invoke tap-factorial:login`)"
REJECTED_KEY = "Factorial rejects the API key. Check `api_key`, or create a new key in Factorial."
REJECTED_TOKEN = (
    "Factorial rejects the access token: it expired or was revoked. Set another `access_token`; a company token, as "
    f"{LOGIN} stores one, never expires."
)
REJECTED_LOGIN = (
    "Factorial rejects the token of the login: it was revoked, or the application's scopes were changed. Log in again "
    f"with {LOGIN}."
)
REJECTED_CLIENT = (
    "Factorial does not know the application. Check `client_id` and `client_secret`, and that the application belongs "
    "to the host in `api_url`."
)
NO_LOGIN = f"There is no valid token. Log in with {LOGIN}."

_BARE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class CredentialCheck:
    """Requests the one list that any credential may read, to tell an invalid credential from a missing permission.

    Args:
        transport: The HTTP client.
        version: The API version.
        first_delay: Seconds before the first retry.
    """

    transport: Transport
    version: str
    first_delay: float

    def is_rejected(self, headers: Mapping[str, str]) -> bool:
        """Whether Factorial rejects the credential. Any response other than 401 means that it is valid.

        Raises:
            RunError: If there is no response.
        """
        path = f"/api/{self.version}/resources/api_public/credentials"
        request = Request(path, (), path)

        def request_check() -> Reply:
            reply = self.transport.send_once(request, headers)
            if reply.status == HTTPStatus.UNAUTHORIZED:
                # A single rejection does not end a run: it may be transient.
                time.sleep(self.first_delay)
                reply = self.transport.send_once(request, headers)
            return reply

        try:
            reply = send_with_retries(
                request_check, self.first_delay, self.transport.max_wait, "the check of the credential"
            )
        except RetryableError as retry:
            if self.transport.rate_limiter.answered:  # the host is up, and the lists may work
                return False
            raise RunError(
                f"The vendor's host does not respond ({retry.reason}). Check `api_url` and the network, or run again "
                "later."
            ) from None
        return reply.status == HTTPStatus.UNAUTHORIZED


class GivenAuthenticator(Authenticator):
    """Sends a credential of the settings, which cannot be renewed.

    Without the check, an invalid one would look like 169 lists that it cannot read.
    """

    refused: ClassVar[str]
    """The message for an invalid credential."""

    def __init__(self, credential: str, check: CredentialCheck) -> None:
        super().__init__()
        self._credential = credential
        self._check = check

    @override
    def request_token(self) -> Token:
        token = Token(self._credential, CHECKED)
        if self._check.is_rejected(self.headers(token)):
            raise RunError(self.refused)
        return token


class KeyAuthenticator(GivenAuthenticator):
    """Sends the company's API key."""

    refused = REJECTED_KEY

    @override
    def headers(self, token: Token) -> dict[str, str]:
        return {"x-api-key": token.value}  # rejected as a bearer token


class TokenAuthenticator(GivenAuthenticator):
    """Sends an access token."""

    refused = REJECTED_TOKEN


class OAuthAuthenticator(RefreshingAuthenticator):
    """Uses rotating refresh tokens, or sends the company token of a login.

    Args:
        config: The tap's settings.
        check: Checks whether a company token is valid.
        now: Returns the seconds since the epoch.
    """

    def __init__(self, config: Mapping[str, Any], check: CredentialCheck, now: Callable[[], float] = time.time) -> None:
        file = TokenFile(token_path(config))
        super().__init__(
            file,
            config.get("refresh_token"),
            token_issuer(check.transport, config),
            now,
            first_delay=check.first_delay,
            max_wait=check.transport.max_wait,
        )
        self._client = {"client_id": config["client_id"], "client_secret": config["client_secret"]}
        self._check = check

    @override
    def exchange_refresh_token(self, chain: TokenChain) -> TokenGrant:
        form = {"grant_type": "refresh_token", "refresh_token": chain.refresh_token, **self._client}
        # If the response was lost, only a retry can help: Factorial may not have received the request.
        return read_grant(self._check.transport.post(TOKEN_PATH, data=form), self._rejection_reason(chain))

    def _rejection_reason(self, chain: TokenChain) -> str:
        age = self._now() - chain.obtained_at
        if not chain.access_token:  # just configured: its age is unknown
            return (
                "Factorial rejects the refresh token: it was used elsewhere or revoked, or is older than a week. "
                f"Remove `refresh_token` from the settings and log in with {LOGIN}, or set a new one."
            )
        if age > WEEK:
            return (
                f"Factorial rejects the refresh token: it is valid for a week, and this one is {age // DAY:.0f} days "
                f"old. Log in again with {LOGIN}; a company token never expires."
            )
        return (
            "Factorial rejects the refresh token: it was used elsewhere or revoked, or a run was killed as it renewed "
            f"it. Log in again with {LOGIN}, and give each tap that runs elsewhere a login of its own."
        )

    @override
    def confirm_access_token(self, token: Token) -> Token:
        if self._check.is_rejected(self.headers(token)):
            raise RunError(REJECTED_LOGIN)
        return Token(token.value, min(token.lifetime, CHECKED))

    @override
    def login_error(self) -> RunError:
        return RunError(NO_LOGIN)


def make_authenticator(
    config: Mapping[str, Any], transport: Transport, version: str, first_delay: float
) -> KeyAuthenticator | TokenAuthenticator | OAuthAuthenticator:
    """Returns the authenticator for the credential in the settings.

    Args:
        config: The tap's settings, validated by `check_credentials`.
        transport: The HTTP client.
        version: The API version.
        first_delay: Seconds before the first retry of its own requests.
    """
    check = CredentialCheck(transport, version, first_delay)
    if key := config.get("api_key"):
        return KeyAuthenticator(key, check)
    if token := config.get("access_token"):
        return TokenAuthenticator(token, check)
    return OAuthAuthenticator(config, check)


def check_credentials(config: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for each invalid credential."""
    given = [[name for name in group if config.get(name)] for group in GROUPS]
    given = [names for names in given if names]
    if not given:
        others = "`access_token`, or `client_id` and `client_secret` of an OAuth application, and log in with"
        return [f"{describe_missing_setting(['api_key'], NAME)} Or set {others} {LOGIN}."]
    if len(given) > 1:
        names = " and ".join(f"`{group[0]}`" for group in given)
        return [f"The settings hold {names}: keep one of them, as the tap takes one credential."]
    return check_bare(config, given[0]) or ([] if given[0][0] not in GROUPS[-1] else _check_application(config))


def _check_application(config: Mapping[str, Any]) -> list[str]:
    if missing := [name for name in ("client_id", "client_secret") if not config.get(name)]:
        return [describe_missing_setting(missing, NAME)]
    if not config.get("refresh_token") and not token_path(config).exists():
        return [f"Log in once with {LOGIN}, or set `refresh_token`: nobody has logged in yet."]
    return []


def check_bare(config: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Returns a sentence for each credential that holds more than the credential itself."""
    wrong = [name for name in names if not _BARE.fullmatch(config[name])]
    return [f"Set `{name}` to the credential alone, without spaces and line breaks." for name in wrong]


def token_path(config: Mapping[str, Any]) -> Path:
    """Returns the path of the token file: in the Meltano project, if there is one."""
    folder = Path(os.environ.get("MELTANO_PROJECT_ROOT") or ".")
    return folder / Path(config.get("token_file") or TOKEN_FILE).expanduser()


def token_issuer(transport: Transport, config: Mapping[str, Any]) -> str:
    """Returns the host and the application that a login belongs to."""
    return f"{transport.api_url} {config['client_id']}"


def read_grant(reply: Reply, refused: str) -> TokenGrant:
    """Returns the tokens in a response of the token endpoint.

    Args:
        reply: The response.
        refused: The message if the endpoint rejects the refresh token or the code.

    Raises:
        RunError: If there are none.
    """
    try:
        body = reply.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    value = body.get("access_token")
    if reply.status < HTTPStatus.BAD_REQUEST and isinstance(value, str) and _BARE.fullmatch(value):
        following = body.get("refresh_token")
        # `created_at` is by Factorial's clock; counting from now ignores only the time in transit.
        lives = _parse_lifetime(body.get("expires_in"))
        return TokenGrant(value, lives, following if following and isinstance(following, str) else None)
    problem = str(body.get("error"))
    if problem in {"invalid_client", "unauthorized_client"}:
        raise RunError(REJECTED_CLIENT)
    if problem == "invalid_grant":
        raise RunError(refused)
    raise RunError(f"The token request returned status {reply.status} and no usable token. Check `api_url`.")


def _parse_lifetime(seconds: Any) -> float | None:  # noqa: ANN401 - a number, a text, or nothing
    """Returns the lifetime of a token in seconds. None: the response states none, or not a plausible one."""
    if seconds is None:
        return None
    try:
        is_implausible = not float(seconds) <= YEAR  # also true if it is not a number
    except OverflowError:
        is_implausible = True
    except (ValueError, TypeError):
        is_implausible = False
    return None if is_implausible else parse_lifetime(seconds)
