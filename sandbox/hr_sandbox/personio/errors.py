"""Error responses of v2. Titles and type links are the API's own; the details are not."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.data_files import read_data
from hr_sandbox.http.messages import ApiError, Response, make_json_response
from hr_sandbox.personio.modes import GONE, NO_ELEMENT, NOT_FOUND

if TYPE_CHECKING:
    from hr_sandbox.http.messages import Json

REFERENCE = "https://developer.personio.de/reference/errors"
PROBLEM = "application/problem+json"

# status -> (title, detail, code)
_TEXTS: dict[str, tuple[str, str, str]] = read_data(__package__, "errors.json")

FILTER_ENCODING = "A filter is not encoded as it must be."


def make_problem(status: int, detail: str | None = None, title: str | None = None, **headers: str) -> Response:
    """Returns an error response with the status' default title and detail, unless others are given."""
    usual_title, usual_detail, code = _TEXTS.get(str(status), ("Error", "The request failed.", "error"))
    body = {
        "personio_trace_id": str(uuid.uuid4()),
        "timestamp": clock.read_clock().isoformat(),
        "errors": [
            {
                "title": title or usual_title,
                "detail": detail or usual_detail,
                "type": f"{REFERENCE}#common.{code}",
            }
        ],
    }
    return make_json_response(body, status, PROBLEM, **headers)


def make_invalid_value(name: str, status: int = 400, title: str | None = None) -> ApiError:
    """Returns the error for a parameter with an invalid value."""
    return ApiError(make_problem(status, f"The value of the parameter {name} is not valid.", title))


def make_invalid_parameter(name: str) -> ApiError:
    """Returns the error for a parameter or operator that is unknown, empty or repeated."""
    return ApiError(make_problem(400, f"{FILTER_ENCODING[:-1]}: {name}."))


def make_endpoint_not_found(path: str) -> Response:
    """Returns the error for a path that does not exist, or is hidden from this credential."""
    return make_problem(404, f"The endpoint with {path} was not found", "Not found")


def make_unreadable_report(mode: str, key: str) -> Response:
    """Returns the error of a report that is listed but cannot be read."""
    if mode == NO_ELEMENT:
        return make_json_response({"error": {"message": "Array contains no element matching the predicate."}}, 400)
    if mode == NOT_FOUND:
        return make_problem(400, f"Report with {key} not found.", "Bad Request")
    return make_problem(404 if mode == GONE else 403)


def make_permission_error(status: int, path: str) -> Response:
    """Returns the error for a missing permission."""
    if status == 404:  # noqa: PLR2004  the vendor hides endpoints without permission
        return make_endpoint_not_found(path)
    if status == 400:  # noqa: PLR2004
        return make_problem(400, "The token does not allow this request.", "Unauthorized token")
    return make_problem(status)


def make_oauth_error(code: str, description: str, reason: str, meta: Json | None = None, status: int = 400) -> Response:
    """Returns an error of the token endpoints."""
    body = {
        "timestamp": clock.format_rfc3339(clock.read_clock()),
        "trace_id": str(uuid.uuid4()),
        "error": code,
        "error_description": description,
        "error_uri": f"{REFERENCE}#credentials.oauth2.{code}.{reason}",
        "meta": meta or {},
    }
    return make_json_response(body, status, PROBLEM)
