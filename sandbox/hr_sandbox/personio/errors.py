"""Error responses of v2. Titles and type links are the API's own; the details are not."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.http.messages import ApiError, Response, json_response
from hr_sandbox.personio.modes import GONE, NO_ELEMENT, NOT_FOUND

if TYPE_CHECKING:
    from hr_sandbox.http.messages import Json

REFERENCE = "https://developer.personio.de/reference/errors"
PROBLEM = "application/problem+json"

# status -> (title, detail, code)
_TEXTS = {
    400: ("Bad request", "A request parameter is not valid.", "bad_request"),
    401: ("Unauthorized Request", "The request is not authorized.", "unauthorized"),
    402: ("Payment required", "The company has not booked this.", "payment_required"),
    403: ("Forbidden", "The credential has no access to this resource.", "forbidden"),
    404: ("Resource not found", "No resource has this id.", "resource_not_found"),
    405: ("Method not allowed", "The endpoint does not know this method.", "method_not_allowed"),
    410: ("Gone", "The endpoint was switched off.", "gone"),
    412: ("Precondition failed", "A precondition of the request does not hold.", "precondition_failed"),
    422: ("Unprocessable entity", "A request parameter cannot be processed.", "unprocessable_entity"),
    428: ("Precondition required", "A precondition of the request is missing.", "precondition_required"),
    429: ("Too many requests", "The rate limit is used up.", "too_many_requests"),
    500: ("Internal Server Error", "The request could not be processed.", "internal_server_error"),
    502: ("Bad Gateway", "The request could not be processed.", "bad_gateway"),
    503: ("Service Unavailable", "The server cannot respond for now.", "service_unavailable"),
    504: ("Gateway Timeout", "The request could not be processed in time.", "gateway_timeout"),
}

FILTER_ENCODING = "A filter is not encoded as it must be."


def problem(status: int, detail: str | None = None, title: str | None = None, **headers: str) -> Response:
    """Return an error response with the status' default title and detail, unless others are given."""
    usual_title, usual_detail, code = _TEXTS.get(status, ("Error", "The request failed.", "error"))
    body = {
        "personio_trace_id": str(uuid.uuid4()),
        "timestamp": clock.now().isoformat(),
        "errors": [
            {
                "title": title or usual_title,
                "detail": detail or usual_detail,
                "type": f"{REFERENCE}#common.{code}",
            }
        ],
    }
    return json_response(body, status, PROBLEM, **headers)


def invalid_value(name: str, status: int = 400, title: str | None = None) -> ApiError:
    """A parameter has an invalid value."""
    return ApiError(problem(status, f"The value of the parameter {name} is not valid.", title))


def invalid_parameter(name: str) -> ApiError:
    """A parameter or operator is unknown, empty or repeated."""
    return ApiError(problem(400, f"{FILTER_ENCODING[:-1]}: {name}."))


def endpoint_not_found(path: str) -> Response:
    """The path does not exist, or is hidden from this credential."""
    return problem(404, f"The endpoint with {path} was not found", "Not found")


def unreadable_report(mode: str, key: str) -> Response:
    """Return the error of a report that is listed but cannot be read."""
    if mode == NO_ELEMENT:
        return json_response({"error": {"message": "Array contains no element matching the predicate."}}, 400)
    if mode == NOT_FOUND:
        return problem(400, f"Report with {key} not found.", "Bad Request")
    return problem(404 if mode == GONE else 403)


def permission_error(status: int, path: str) -> Response:
    """Return the error for a missing permission."""
    if status == 404:  # noqa: PLR2004  the vendor hides endpoints without permission
        return endpoint_not_found(path)
    if status == 400:  # noqa: PLR2004
        return problem(400, "The token does not allow this request.", "Unauthorized token")
    return problem(status)


def oauth_error(code: str, description: str, reason: str, meta: Json | None = None, status: int = 400) -> Response:
    """Return an error of the token endpoints."""
    body = {
        "timestamp": clock.rfc3339(clock.now()),
        "trace_id": str(uuid.uuid4()),
        "error": code,
        "error_description": description,
        "error_uri": f"{REFERENCE}#credentials.oauth2.{code}.{reason}",
        "meta": meta or {},
    }
    return json_response(body, status, PROBLEM)
