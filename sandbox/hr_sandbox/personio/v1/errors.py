"""Error bodies of v1: another shape than that of v2. The messages are worded here."""

from __future__ import annotations

from hr_sandbox.messages import Answer, as_json
from hr_sandbox.personio.errors import ApiError

_MESSAGES = {
    400: "The request is not valid",
    401: "Authorization is not provided",
    403: "Provided authorization is not valid",
    404: "Es ist ein Problem aufgetreten",
    405: "The method is not allowed",
    429: "Too many requests",
}


def failure(status: int, message: str | None = None, code: int | None = None) -> Answer:
    """An error body; its code is the status unless it says else."""
    text = message or _MESSAGES.get(status, "Something went wrong")
    return as_json({"success": False, "error": {"code": status if code is None else code, "message": text}}, status)


def refused(name: str) -> ApiError:
    """A parameter is not known, or has a value that it cannot have. The code is not the status."""
    return ApiError(failure(400, f"The parameter {name} is not valid", 0))
