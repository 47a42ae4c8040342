"""Requests to v1: other credentials, other errors, other pages than those of v2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hr_sandbox.limits import Buckets, Rate, TokenLimit
from hr_sandbox.messages import Answer, as_json
from hr_sandbox.personio.v1 import hours, papers, people, time_offs, working_time
from hr_sandbox.personio.v1.errors import RefusalError, failure, refused
from hr_sandbox.personio.v1.parameters import read
from hr_sandbox.personio.v1.rights import RIGHTS
from hr_sandbox.personio.v1.route import NORMAL, Call
from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    import re

    from hr_sandbox.company import Company
    from hr_sandbox.messages import Request
    from hr_sandbox.personio.access import Access
    from hr_sandbox.personio.auth import Tokens
    from hr_sandbox.personio.v1.route import Route
    from hr_sandbox.vendor import Json

AUTH_PATH = "/v1/auth"
EVERYTHING = Rate(2000, 120_000, 60)  # 2000 a minute, at once if need be
TOKENS_PER_MINUTE = 150
NO_EXPIRY = "no-expiry"  # a token that does not say how long it is good
ROUTES = (*people.ROUTES, *working_time.ROUTES, *time_offs.ROUTES, *hours.ROUTES, *papers.ROUTES)


class V1:
    """Answers requests to v1."""

    def __init__(self, company: Company, tokens: Tokens, access: Access, limit: Rate | None) -> None:
        """Serve the company to who has one of the tokens.

        Args:
            company: what is served.
            tokens: those of v2 are good here too.
            access: the rights of the credential.
            limit: one rate instead of the vendor's own.
        """
        self._company = company
        self._tokens = tokens
        self._access = access
        self._limit = limit
        self._buckets = Buckets()
        self._token_limit = TokenLimit(TOKENS_PER_MINUTE)
        self.manners: dict[str, str] = {}  # path -> how it answers, where that is not the normal way

    @staticmethod
    def template(path: str) -> str | None:
        """The declared path that a request's path belongs to, or None."""
        found = _route(path)
        return found[0].path if found else None

    @staticmethod
    def error(status: int, path: str) -> Answer:
        """A failure of the vendor's own, in the shape that the path has."""
        found = _route(path)
        return found[0].fail(status, None, None) if found else failure(status)

    def set_manner(self, path: str, manner: str) -> Json:
        """Choose in which of its ways a path answers."""
        ways = {row.path: (NORMAL, *row.manners) for row in ROUTES if row.manners} | {AUTH_PATH: (NORMAL, NO_EXPIRY)}
        if path not in ways:
            raise ControlError(f"There are no manners of {path}; there are some of {', '.join(ways)}.")
        if manner not in ways[path]:
            raise ControlError(f"There is no manner {manner} of {path}; there are {', '.join(ways[path])}.")
        self.manners[path] = manner
        return {"path": path, "manner": manner}

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        found = _route(request.path)
        fail = found[0].fail if found else failure
        try:
            if not self._buckets.take("all", self._limit or EVERYTHING)[0]:
                raise RefusalError(429)  # noqa: TRY301  answered below like the others
            if request.path == AUTH_PATH:
                return self._authenticate(request)
            if found is None:
                raise RefusalError(404)  # noqa: TRY301  same
            return self._gate(request, *found)
        except RefusalError as error:
            return fail(error.status, error.message, error.code)

    def _authenticate(self, request: Request) -> Answer:
        if request.method != "POST":
            raise RefusalError(405)
        if not self._limit and not self._token_limit.take():
            raise RefusalError(429)
        if request.query:  # credentials in the address are in every log
            raise RefusalError(403)
        fields = dict(request.form) or _json(request)
        client = (fields.get("client_id"), fields.get("client_secret"))
        if not all(isinstance(part, str) and part for part in client) or set(fields) - {"client_id", "client_secret"}:
            raise refused("client_id")
        token = self._tokens.sign_in(str(client[0]), str(client[1]), RIGHTS)
        if token is None:
            raise RefusalError(403, "Wrong credentials", 0)
        granted = " ".join(right for right in RIGHTS if right not in self._access.denied)
        data = {"token": token, "expires_in": int(self._tokens.lifetime), "scope": granted}
        if self.manners.get(AUTH_PATH) == NO_EXPIRY:
            del data["expires_in"]
        return as_json({"success": True, "data": data})

    def _gate(self, request: Request, route: Route, match: re.Match[str]) -> Answer:
        if request.method != "GET":
            raise RefusalError(405)
        if route.rate and not self._limit and not self._buckets.take(route.path, route.rate)[0]:
            raise RefusalError(429)
        if self._tokens.check(request) is None:
            raise RefusalError(401)
        if (denied := self._access.denial(route.path, route.right, 403)) is not None:
            raise RefusalError(denied)
        query = read(route.parameters, request.query)
        manner = self.manners.get(route.path, NORMAL)
        body = route.answer(Call(self._company, request.root, dict(match.groupdict()), query, manner))
        return body if isinstance(body, Answer) else as_json(self._allowed(route, body))

    def _allowed(self, route: Route, body: Json) -> Json:
        """Employees without the attributes that are not allow-listed."""
        rows: Any = body["data"]
        if route.stream:
            for row in rows if isinstance(rows, list) else [rows]:
                self._access.show(route.stream, row["attributes"])
        return body


def _route(path: str) -> tuple[Route, re.Match[str]] | None:
    return next(((row, match) for row in ROUTES if (match := row.match(path))), None)


def _json(request: Request) -> Json:
    try:
        fields = json.loads(request.body or b"{}")
    except ValueError as error:
        raise refused("client_id") from error
    if not isinstance(fields, dict):
        raise refused("client_id")
    return fields
