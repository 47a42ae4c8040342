"""Error bodies of v1: another shape than that of v2, and one more for custom reports. The messages are worded here."""

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
_AT_THE_GATE = frozenset({401, 403, 405, 429})  # answered before any service is asked


class StatusError(Exception):
    """A request that is not answered; its route knows in which shape to say so."""

    def __init__(self, status: int, message: str | None = None, code: int | None = None) -> None:
        """Refuse with this status.

        Args:
            status: of the answer.
            message: where it is not the status' own.
            code: in the body, where it is not the status.
        """
        super().__init__(status, message, code)
        self.status = status
        self.message = message
        self.code = code


def invalid_parameter(name: str) -> StatusError:
    """A parameter is not known, or has a value that it cannot have. The code is not the status."""
    return StatusError(400, f"The parameter {name} is not valid", 0)


def error_response(status: int, message: str | None = None, code: int | None = None) -> Response:
    """An error body; its code is the status unless it says else."""
    text = message or _text(status)
    return json_response(
        {"success": False, "error": {"code": status if code is None else code, "message": text}}, status
    )


def report_error(status: int, message: str | None = None, code: int | None = None) -> Response:
    """What custom reports answer: a list with one problem. Who is not let through to them gets the usual body."""
    if status in _AT_THE_GATE:
        return error_response(status, message, code)
    details = message or _text(status)
    problem = {"title": _text(status), "details": details, "type": "reports", "_meta": []}
    body = [{"status": status, "trace_id": "", "timestamp": clock.rfc3339(clock.now()), "errors": [problem]}]
    return json_response(body, status)


def _text(status: int) -> str:
    return _MESSAGES.get(status, "Something went wrong")
