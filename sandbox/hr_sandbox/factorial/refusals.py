"""Errors, in the several shapes that the vendor's modules give them."""

from __future__ import annotations

from hr_sandbox.luck import luck
from hr_sandbox.messages import Answer, as_json

BAD, UNAUTHORIZED, PAYMENT_REQUIRED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 400, 401, 402, 403, 404, 422
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone",
    428: "Precondition Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
# Of the ten codes that errors have, those that a list answers with.
CODES = {
    400: "malformed_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    404: "missing_resource",
    410: "missing_resource",
    422: "validation_failed",
    428: "invalid_state",
}
GATEWAY = frozenset({502, 503, 504})
JSON, HTML, EMPTY, NULL, PAYMENT = "json", "html", "empty", "null", "payment"
FORMS = (JSON, HTML, EMPTY, NULL, PAYMENT)


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


def coded(status: int, message: str | None = None, name: str | None = None) -> Answer:
    """An error as the newest description has it: with a code, a sentence, and the parameter that it is about."""
    code, message = CODES.get(status, "unknown_error"), message or TITLES.get(status, "Error")
    return as_json({"errors": [{"code": code, "message": message, "field": name}]}, status)


def failure(status: int) -> Answer:
    """A failure of the vendor's own."""
    if status == UNAUTHORIZED:
        return unauthorized()
    return page(status) if status in GATEWAY else coded(status)


def forbidden(module: str, form: str | None, status: int | None) -> Answer:
    """What a module that is not booked, or a missing scope, answers: each module in its own way."""
    form = form or FORMS[luck("forbidden", module) % 3]
    if form == NULL or status == UNAUTHORIZED:
        return as_json({"errors": None}, status or UNAUTHORIZED)
    status = status or (PAYMENT_REQUIRED if form == PAYMENT else FORBIDDEN)
    if form == HTML:
        return page(status)
    return Answer(status) if form == EMPTY else coded(status)


def bad(module: str, name: str, sentence: str) -> RefusalError:
    """A parameter that cannot be, in the module's shape."""
    shapes = (
        coded(BAD, sentence, name),
        as_json({"errors": {name: [sentence]}}, UNPROCESSABLE),
        as_json({"message": f"{name}: {sentence}"}, BAD),
        as_json({"detail": f"{name}: {sentence}"}, BAD),
    )
    return RefusalError(shapes[luck("errors", module) % len(shapes)])


def bad_cursor(name: str) -> RefusalError:
    """A cursor that is none, a page size that cannot be: the same everywhere."""
    return RefusalError(coded(BAD, "is invalid", name))


def not_there() -> RefusalError:
    """There is no such record."""
    return RefusalError(coded(NOT_FOUND, "Record not found"))
