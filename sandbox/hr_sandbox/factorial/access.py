"""The permissions of a client: keys, OAuth, and licensed modules."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from hr_sandbox.clock import Clock
from hr_sandbox.factorial.errors import FORMS, make_forbidden, make_html_error
from hr_sandbox.factorial.tables import load_newest, load_resources
from hr_sandbox.http.access import AccessControl, compare_secrets, read_bearer_token
from hr_sandbox.http.arguments import ControlError, check_choice
from hr_sandbox.http.messages import Response, make_json_response

if TYPE_CHECKING:
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.http.messages import Json, Request

AUTHORIZE_PATH, TOKEN_PATH = "/oauth/authorize", "/oauth/token"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
CODE_SECONDS, WEEK = 600, 7 * 86_400
DEFAULT_SCOPE = "read write"
DESCRIPTIONS = {
    "invalid_request": "The request is missing a parameter, or is otherwise malformed.",
    "invalid_client": "The client is not known, or its secret is wrong.",
    "invalid_grant": "The grant is invalid, expired, revoked, or was issued to another client.",
    "unsupported_grant_type": "The grant type is not supported.",
    "unsupported_response_type": "The response type is not supported.",
    "invalid_scope": "The scope is not known.",
}
UNAUTHORIZED = frozenset({"invalid_client"})


@dataclass(slots=True)
class Login:
    """All tokens of one login.

    Attributes:
        scopes: what they may read; None for everything.
        company: whether they act for the company and never expire.
        refresh: the valid refresh token and when it was issued.
        used: refresh tokens that were used.
        tokens: access tokens with the times at which they expire; None for never.
    """

    scopes: frozenset[str] | None
    company: bool
    refresh: tuple[str, float] | None = None
    used: set[str] = field(default_factory=set)
    tokens: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bearer:
    """An authenticated client: its scopes (None for all), and whether it acts for the company."""

    scopes: frozenset[str] | None
    company: bool


@dataclass(slots=True)
class _Code:
    redirect_uri: str
    login: Login
    ends: float


class Tokens:
    """The tokens of one application."""

    def __init__(
        self,
        client: tuple[str, str],
        api_key: str,
        lifetime: float,
        scopes: frozenset[str],
    ) -> None:
        self._client = client
        self._api_key = api_key
        self._lifetime = lifetime
        self._scopes = scopes
        self.clock = Clock()
        self._codes: dict[str, _Code] = {}
        self._logins: list[Login] = []

    def authenticate(self, request: Request) -> Bearer | None:
        """Returns the client, or None if it has no valid key or token."""
        if (key := request.headers.get("x-api-key")) is not None:
            return Bearer(None, company=True) if compare_secrets((key,), (self._api_key,)) else None
        name = read_bearer_token(request)
        for login in self._logins:
            if name in login.tokens:
                ends = login.tokens[name]
                return Bearer(login.scopes, login.company) if ends is None or ends > self.clock.seconds() else None
        return None

    def authorize(self, request: Request) -> Response:
        """Handles a request to the consent page. Consent is given at once."""
        given = dict(request.query)
        target = given.get("redirect_uri", "")
        if given.get("client_id") != self._client[0] or not _is_redirect_allowed(target):
            return make_html_error(401)
        scopes = frozenset(given.get("scope", "").split()) - set(DEFAULT_SCOPE.split())
        problem = None
        if given.get("response_type") != "code":
            problem = "unsupported_response_type"
        elif not scopes <= self._scopes:
            problem = "invalid_scope"
        if problem:
            return _make_redirect(target, {"error": problem, "error_description": DESCRIPTIONS[problem]}, given)
        code = secrets.token_urlsafe(32)
        login = Login(scopes or None, given.get("resource_owner_type") == "company")
        self._codes[code] = _Code(target, login, self.clock.seconds() + CODE_SECONDS)
        if target == OUT_OF_BAND:
            body = f"<!doctype html><title>Authorization code</title><code>{code}</code>"
            return Response(200, body.encode(), {"content-type": "text/html; charset=utf-8"})
        return _make_redirect(target, {"code": code}, given)

    def issue_token(self, request: Request) -> Response:
        """Handles a token request."""
        given = dict(request.form)
        client = (given.get("client_id", ""), given.get("client_secret", ""))
        if not given.get("grant_type"):
            return _make_refusal("invalid_request")
        if not compare_secrets(client, self._client):
            return _make_refusal("invalid_client")
        if given["grant_type"] == "authorization_code":
            return self._exchange_code(given)
        if given["grant_type"] == "refresh_token":
            return self._refresh_tokens(given)
        return _make_refusal("unsupported_grant_type")

    def _exchange_code(self, given: dict[str, str]) -> Response:
        if not given.get("code") or not given.get("redirect_uri"):
            return _make_refusal("invalid_request")
        code = self._codes.pop(given["code"], None)
        if code is None or code.ends <= self.clock.seconds() or code.redirect_uri != given["redirect_uri"]:
            return _make_refusal("invalid_grant")
        self._logins.append(code.login)
        return self._grant_tokens(code.login)

    def _refresh_tokens(self, given: dict[str, str]) -> Response:
        name = given.get("refresh_token")
        if not name:
            return _make_refusal("invalid_request")
        for login in self._logins:
            if name in login.used:
                # A refresh token that is used twice was stolen: revoke the whole login.
                login.refresh = None
                login.tokens.clear()
                return _make_refusal("invalid_grant")
            if login.refresh and login.refresh[0] == name:
                if login.refresh[1] + WEEK <= self.clock.seconds():
                    return _make_refusal("invalid_grant")
                login.used.add(name)
                return self._grant_tokens(login)
        return _make_refusal("invalid_grant")

    def _grant_tokens(self, login: Login) -> Response:
        name, now = secrets.token_hex(32), self.clock.seconds()
        body: dict[str, object] = {"access_token": name, "token_type": "Bearer"}
        if login.company:
            login.tokens[name] = None
        else:
            login.tokens[name] = now + self._lifetime
            login.refresh = (secrets.token_hex(32), now)
            body |= {"expires_in": int(self._lifetime), "refresh_token": login.refresh[0]}
        body |= {"scope": " ".join(sorted(login.scopes)) if login.scopes else DEFAULT_SCOPE, "created_at": int(now)}
        return make_json_response(body, cache_control="no-store")

    def log_in(self, *, company: bool) -> dict[str, object]:
        """Logs in without a browser. Returns the tokens."""
        login = Login(None, company)
        self._logins.append(login)
        self._grant_tokens(login)
        return {"access_token": next(iter(login.tokens)), "refresh_token": login.refresh and login.refresh[0]}

    def expire(self) -> int:
        """Expires all access tokens, including those of companies. Returns how many there were."""
        count = sum(len(login.tokens) for login in self._logins)
        for login in self._logins:
            login.tokens.clear()
        return count

    def revoke_logins(self) -> int:
        """Revokes all logins. Returns how many there were."""
        count = len(self._logins)
        for login in self._logins:
            login.tokens.clear()
            login.refresh = None
        return count


def _is_redirect_allowed(target: str) -> bool:
    parts = urlsplit(target)
    return target == OUT_OF_BAND or (parts.scheme in {"http", "https"} and bool(parts.netloc) and not parts.fragment)


def _make_redirect(target: str, members: dict[str, str], given: dict[str, str]) -> Response:
    state = {"state": given["state"]} if "state" in given else {}
    sign = "&" if urlsplit(target).query else "?"
    return Response(302, b"", {"location": f"{target}{sign}{urlencode({**members, **state})}"})


def _make_refusal(problem: str) -> Response:
    status = 401 if problem in UNAUTHORIZED else 400
    return make_json_response(
        {"error": problem, "error_description": DESCRIPTIONS[problem]}, status, cache_control="no-store"
    )


PREFIX = "/api/{version}/resources/"


def make_declared_path(resource: str) -> str:
    """Returns the declared path of a resource."""
    return f"{PREFIX}{resource}"


def find_resource(path: str) -> Resource:
    """Returns the resource with this path or name."""
    name = path.removeprefix(PREFIX)
    if name not in load_resources():
        raise ControlError(f"There is no endpoint {path}.")
    return load_resources()[name]


def find_stream(name: str) -> Resource:
    """Returns the resource of a stream."""
    found = next((row for row in load_newest().values() if row.stream == name), None)
    if found is None:
        raise ControlError(f"There is no stream {name}.")
    return found


class Access(AccessControl):
    """The modules that the company has licensed. Permissions are modules, endpoints are resources."""

    statuses = (401, 402, 403, 404, 410, 428)
    default_label = "the default of the module"

    def __init__(self) -> None:
        super().__init__(sorted({row.module for row in load_resources().values()}), load_resources())
        self.forms: dict[str, str] = {}
        self.hidden: dict[str, set[str]] = {}

    def find_refusal(self, resource: Resource, bearer: Bearer) -> Response | None:
        """Returns the response if a module is not licensed or the token lacks the scope, else None."""
        for target in (resource.name, resource.module):
            if target in self.denied:
                return make_forbidden(resource.module, self.forms.get(resource.module), self.denied[target])
        if bearer.scopes is not None and resource.scope is not None and resource.scope not in bearer.scopes:
            return make_forbidden(resource.module, self.forms.get(resource.module), None)
        return None

    def endpoint_name(self, endpoint: str) -> str:
        """Returns the name of a resource that is given by its path or its name."""
        return find_resource(endpoint).name

    def set_form(self, module: str, form: str) -> Json:
        """Sets how a module responds if it is not licensed."""
        check_choice("module", module, self.permissions)
        self.forms[module] = check_choice("form", form, FORMS)
        return {"module": module, "form": form}

    def allow_attribute(self, attribute: str, *, allowed: bool) -> Json:
        """Shows an attribute, or sets it to null."""
        stream, _, name = attribute.partition(".")
        resource = find_stream(stream)
        if name not in resource.fields or name == resource.key:
            raise ControlError(f"There is no attribute {attribute}.")
        hidden = self.hidden.setdefault(resource.name, set())
        (hidden.discard if allowed else hidden.add)(name)
        return {"attribute": attribute, "allowed": allowed}
