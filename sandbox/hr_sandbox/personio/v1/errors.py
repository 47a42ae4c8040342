"""Error responses of v1, and those of custom reports, which differ. The messages are not the API's own."""

from __future__ import annotations

from hr_sandbox import clock
from hr_sandbox.http.messages import Response, json_response

_MESSAGES = {
    400: "The request is not valid",
    401: "Authorization is not provided",
    403: "Provided authorization is not valid",
    404: "Es ist ein Problem aufgetreten",
    405: "The method is not allowed",
    422: "The request cannot be processed",
    429: "Too many requests",
}
_AUTHORIZATION_STATUSES = frozenset({401, 403, 405, 429})  # raised before a service handles the request


class StatusError(Exception):
    """Ends the handling of a request. Its route determines the format of the response."""

    def __init__(self, status: int, message: str | None = None, code: int | None = None) -> None:
        """Fail with this status.

        Args:
            status: the status of the response.
            message: a message other than the status' default.
            code: a code other than the status.
        """
        super().__init__(status, message, code)
        self.status = status
        self.message = message
        self.code = code


def invalid_parameter(name: str) -> StatusError:
    """A parameter is unknown or has an invalid value. The code is not the status."""
    return StatusError(400, f"The parameter {name} is not valid", 0)


def error_response(status: int, message: str | None = None, code: int | None = None) -> Response:
    """Return an error response. The default code is the status."""
    text = message or _text(status)
    return json_response(
        {"success": False, "error": {"code": status if code is None else code, "message": text}}, status
    )


def report_error(status: int, message: str | None = None, code: int | None = None) -> Response:
    """Return an error of custom reports: a list with one problem. Authorization errors have the usual body."""
    if status in _AUTHORIZATION_STATUSES:
        return error_response(status, message, code)
    details = message or _text(status)
    problem = {"title": _text(status), "details": details, "type": "reports", "_meta": []}
    body = [{"status": status, "trace_id": "", "timestamp": clock.rfc3339(clock.now()), "errors": [problem]}]
    return json_response(body, status)


def _text(status: int) -> str:
    return _MESSAGES.get(status, "Something went wrong")
