"""Error responses. Each of the vendor's services has its own format."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from hr_sandbox.http.messages import ApiError, Response, make_json_response

if TYPE_CHECKING:
    from hr_sandbox.http.messages import Request

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, NOT_ACCEPTABLE = 400, 401, 403, 404, 405, 406
GONE, TOO_MANY, SERVER_ERROR, NOT_IMPLEMENTED = 410, 429, 500, 501
JSON_TYPE = "application/json; charset=utf-8"
MESSAGES = {
    400: "CSOD Bad Request",
    401: "CSOD Unauthorized Exception",
    403: "Access denied",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    410: "Gone",
    429: "CSOD Too many requests.",
    500: "An error has occurred.",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}
ERROR_PAGE, LOGIN_PAGE = "/phnx/errors/error.aspx", "/phnx/login.aspx"
LOGIN = '<!DOCTYPE html><html><head><title>Login</title></head><body><form action="login.aspx"></form></body></html>'
XML_ERROR = '<?xml version="1.0"?><Error><Message>An error has occurred.</Message></Error>'
HTML_ERROR = "<!DOCTYPE html><html><body>Runtime Error</body></html>"
_NUMBERS = count(1)


def format_time(timestamp: datetime | None = None) -> str:
    """Formats a timestamp as the older services do."""
    return (timestamp or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S+0000")


def next_error_id() -> str:
    """Returns a unique id for an error."""
    return f"00000000-0000-4000-8000-{next(_NUMBERS):012x}"


def make_error(status: int, description: str | None = None) -> Response:
    """Returns an error of the OData services and the older services."""
    error = {
        "errorId": next_error_id(),
        "message": MESSAGES.get(status, "Error"),
        "code": str(status),
        "description": description,
        "details": None,
    }
    return make_json_response({"status": str(status), "timeStamp": format_time(), "error": error}, status, JSON_TYPE)


def make_bad_request(description: str) -> ApiError:
    """Returns the error for an invalid query."""
    return ApiError(make_error(BAD_REQUEST, description))


def make_not_implemented() -> Response:
    """Returns the error for an object that does not track changes."""
    body = {"error": {"code": str(NOT_IMPLEMENTED), "message": "Not Implemented"}}
    return make_json_response(body, NOT_IMPLEMENTED, JSON_TYPE)


def make_validation_error(status: int, problems: dict[str, str]) -> Response:
    """Returns an error of the newer services, with a message per parameter."""
    body = {
        "status": "Failed",
        "pageInfo": None,
        "timestamp": f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}0Z",
        "correlationId": next_error_id(),
        "error": [{"field": name, "message": text} for name, text in problems.items()],
    }
    return make_json_response(body, status, JSON_TYPE)


def make_bulk_error(status: int, message: str) -> Response:
    """Returns an error of the bulk service."""
    return make_json_response({"error": {"code": str(status), "message": message}}, status, JSON_TYPE)


def redirect_to_page(request: Request, page: str) -> Response:
    """Redirects to an HTML page."""
    body = b"<html><head><title>Object moved</title></head></html>"
    return Response(302, body, {"content-type": "text/html", "location": f"{request.root}{page}"})


def make_page(body: str, status: int = 200) -> Response:
    """Returns an HTML page."""
    return Response(status, body.encode(), {"content-type": "text/html; charset=utf-8"})
