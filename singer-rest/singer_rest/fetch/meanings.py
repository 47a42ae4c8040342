"""Maps a vendor's responses to their meaning."""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus

from singer_rest.errors import FilterRejectedError, TimedOutError, UnansweredError


class Meaning(Enum):
    """The meaning of a response. A stream's `classify` can also return a replacement request."""

    RECORDS = auto()
    """A page of records."""
    NO_RECORDS = auto()
    """There are no records."""
    NO_PERMISSION = auto()
    """The credential cannot read the endpoint."""
    NOT_LICENSED = auto()
    """The company's plan does not include the module, or the vendor has switched off the endpoint."""
    PARENT_GONE = auto()
    """The parent whose children were requested was not found."""
    PARENT_FORBIDDEN = auto()
    """The credential cannot read the parent whose children were requested."""
    PARENT_REFUSED = auto()
    """The vendor rejects the request for the parent as invalid."""
    UNREADABLE = auto()
    """The vendor cannot return this slice to anybody, but can return others."""
    RETRY = auto()
    """The request may succeed if it is sent again."""
    ERROR = auto()
    """Any other error."""


OF_PARENT = frozenset({Meaning.PARENT_GONE, Meaning.PARENT_FORBIDDEN, Meaning.PARENT_REFUSED})
REFUSALS = frozenset({Meaning.PARENT_FORBIDDEN, Meaning.PARENT_REFUSED})
NO_ACCESS = frozenset({Meaning.NO_PERMISSION, Meaning.NOT_LICENSED})

BAD_REQUESTS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
NOT_LICENSED = frozenset(
    {
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.GONE,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    }
)
SINGLE_PARENT: dict[int, Meaning] = {
    **dict.fromkeys(BAD_REQUESTS, Meaning.PARENT_REFUSED),
    **dict.fromkeys(NOT_LICENSED, Meaning.PARENT_FORBIDDEN),
    HTTPStatus.GONE: Meaning.PARENT_GONE,
}
"""Meanings of the statuses of responses to requests for the children of one parent."""

TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
"""Transient statuses: the request may succeed a little later."""


def default_meaning(status: int, *, of_parent: bool) -> Meaning:
    """Returns the meaning of a status in the APIs of most vendors.

    Args:
        status: The HTTP status.
        of_parent: Whether the children of one parent were requested, so that others may have another status.
    """
    if status == HTTPStatus.OK:
        return Meaning.RECORDS
    if status == HTTPStatus.NO_CONTENT:
        return Meaning.NO_RECORDS
    if of_parent and status in SINGLE_PARENT:
        return SINGLE_PARENT[status]
    if status in NOT_LICENSED:
        return Meaning.NOT_LICENSED
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Meaning.NO_PERMISSION
    return Meaning.RETRY if status in TRANSIENT else Meaning.ERROR


def default_advice(status: int) -> str:
    """Returns advice to the user about a failed request."""
    if status in BAD_REQUESTS:
        return "Check `start_date` and `end_date`; if they are right, report it with this tap's version."
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "Check `api_url`: the host redirects to another address."
    return "Check `api_url`; if it is right, report it with this tap's version."


def no_access_reason(meaning: Meaning, permission: str | None, status: int, endpoint: str) -> str:
    """Returns a sentence that says why a stream may not be read.

    Args:
        meaning: The meaning of the response.
        permission: The permission that the credential needs. None: the endpoint is public.
        status: The HTTP status.
        endpoint: The requested endpoint.
    """
    source = f"(status {status} from {endpoint})."
    if meaning is Meaning.NOT_LICENSED:
        permission_note = f" It needs {permission}." if permission else ""
        return (
            f"the company's plan does not include this stream, or the vendor has switched it off {source}"
            f"{permission_note}"
        )
    return f"{forbidden_reason(permission)} {source}"


def forbidden_reason(permission: str | None) -> str:
    """Returns a sentence: an endpoint is forbidden, and which permission it needs. None: it is public."""
    if permission is None:
        return "the vendor refuses access although this stream needs no permission"
    return f"the credential cannot read this stream; it needs {permission}"


def filter_failure(error: UnansweredError | FilterRejectedError) -> str:
    """Returns the vendor's reaction to the incremental filter, as the verb of a sentence."""
    if isinstance(error, FilterRejectedError):
        return "rejected"
    return "did not respond in time to" if isinstance(error, TimedOutError) else "gave no usable response to"
