"""Errors, in the several shapes that the vendor's modules give them."""

from __future__ import annotations

from hr_sandbox.luck import luck
from hr_sandbox.messages import Answer, as_json

BAD, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 400, 401, 403, 404, 422
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
GATEWAY = frozenset({502, 503, 504})
JSON, HTML, EMPTY, NULL = "json", "html", "empty", "null"
FORMS = (JSON, HTML, EMPTY, NULL)


class RefusalError(Exception):
    """A request that is answered with an error."""

    def __init__(self, answer: Answer) -> None:
        """Answer so."""
        super().__init__(answer.status)
        self.answer = answer


def page(status: int) -> Answer:
    """What a gateway says, as HTML."""
    title = f"{status} {TITLES.get(status, 'Error')}"
    body = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, body.encode(), {"content-type": "text/html; charset=utf-8"})


def unauthorized() -> Answer:
    """No key, or one that is not good any more."""
    return as_json({"errors": None}, UNAUTHORIZED)


def failure(status: int) -> Answer:
    """A failure of the vendor's own."""
    if status == UNAUTHORIZED:
        return unauthorized()
    return page(status) if status in GATEWAY else as_json({"message": TITLES.get(status, "Error")}, status)


def forbidden(module: str, form: str | None, status: int | None) -> Answer:
    """What a module that is not booked, or a missing scope, answers: each module in its own way."""
    form = form or FORMS[luck("forbidden", module) % 3]
    if form == NULL or status == UNAUTHORIZED:
        return as_json({"errors": None}, status or UNAUTHORIZED)
    status = status or FORBIDDEN
    if form == HTML:
        return page(status)
    return Answer(status) if form == EMPTY else as_json({"errors": [TITLES.get(status, "Forbidden")]}, status)


def bad(module: str, name: str, sentence: str) -> RefusalError:
    """A parameter that cannot be, in the module's shape."""
    shapes = (
        (BAD, {"errors": [f"{name}: {sentence}"]}),
        (UNPROCESSABLE, {"errors": {name: [sentence]}}),
        (BAD, {"message": f"{name}: {sentence}"}),
        (BAD, {"detail": f"{name}: {sentence}"}),
    )
    status, body = shapes[luck("errors", module) % len(shapes)]
    return RefusalError(as_json(body, status))


def bad_cursor(name: str) -> RefusalError:
    """A cursor that is none, a page size that cannot be: the same everywhere."""
    return RefusalError(as_json({"errors": [f"{name} is invalid"]}, BAD))


def not_there() -> RefusalError:
    """There is no such record."""
    return RefusalError(as_json({"errors": ["Record not found"]}, NOT_FOUND))
