"""Error responses. Modules have different formats."""

from __future__ import annotations

from http.client import responses

from hr_sandbox.http.messages import ApiError, Response, make_json_response
from hr_sandbox.stable_random import stable_number

BAD_REQUEST, UNAUTHORIZED, PAYMENT_REQUIRED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 400, 401, 402, 403, 404, 422
# Of the ten error codes, those that list endpoints use.
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


def make_html_error(status: int) -> Response:
    """Returns the HTML error page of a gateway."""
    title = f"{status} {responses.get(status, 'Error')}"
    body = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(status, body.encode(), {"content-type": "text/html; charset=utf-8"})


def make_unauthorized() -> Response:
    """Returns the error for a missing or invalid key or token."""
    return make_json_response({"errors": None}, UNAUTHORIZED)


def make_error_with_code(status: int, message: str | None = None, name: str | None = None) -> Response:
    """Returns an error in the documented format: a code, a message, and the parameter."""
    code, message = CODES.get(status, "unknown_error"), message or responses.get(status, "Error")
    return make_json_response({"errors": [{"code": code, "message": message, "field": name}]}, status)


def make_error(status: int) -> Response:
    """Returns a failure of the service."""
    if status == UNAUTHORIZED:
        return make_unauthorized()
    return make_html_error(status) if status in GATEWAY else make_error_with_code(status)


def make_forbidden(module: str, form: str | None, status: int | None) -> Response:
    """Returns the response of a module that is not licensed, or of a missing scope. Each module has its own format."""
    form = form or FORMS[stable_number("forbidden", module) % 3]
    if form == NULL or status == UNAUTHORIZED:
        return make_json_response({"errors": None}, status or UNAUTHORIZED)
    status = status or (PAYMENT_REQUIRED if form == PAYMENT else FORBIDDEN)
    if form == HTML:
        return make_html_error(status)
    return Response(status) if form == EMPTY else make_error_with_code(status)


def make_invalid_parameter(module: str, name: str, sentence: str) -> ApiError:
    """Returns the error for an invalid parameter. Each module has its own format."""
    shapes = (
        make_error_with_code(BAD_REQUEST, sentence, name),
        make_json_response({"errors": {name: [sentence]}}, UNPROCESSABLE),
        make_json_response({"message": f"{name}: {sentence}"}, BAD_REQUEST),
        make_json_response({"detail": f"{name}: {sentence}"}, BAD_REQUEST),
    )
    return ApiError(shapes[stable_number("errors", module) % len(shapes)])


def make_invalid_cursor(name: str) -> ApiError:
    """Returns the error for an invalid cursor or page size."""
    return ApiError(make_error_with_code(BAD_REQUEST, "is invalid", name))


def make_not_found() -> ApiError:
    """Returns the error for a record that does not exist."""
    return ApiError(make_error_with_code(NOT_FOUND, "Record not found"))
