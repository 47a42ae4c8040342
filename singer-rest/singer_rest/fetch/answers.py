"""What a vendor's answer means."""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus


class Meaning(Enum):
    """What an answer says; beside these, a stream's `classify` may give a request to ask with instead."""

    RECORDS = auto()
    """A page of records."""
    NO_RECORDS = auto()
    """There are none."""
    NO_PERMISSION = auto()
    """The credential may not read the endpoint."""
    NOT_BOOKED = auto()
    """The company has not booked the module, or the vendor has switched the endpoint off."""
    PARENT_GONE = auto()
    """The one parent whose children were asked for is not found."""
    PARENT_FORBIDDEN = auto()
    """The credential may not read the one parent whose children were asked for."""
    PARENT_REFUSED = auto()
    """The vendor takes what is asked of the one parent for a request that cannot be right."""
    UNREADABLE = auto()
    """The vendor cannot give this one slice to anybody; it can give others."""
    RETRY = auto()
    """It may be another answer the next time."""
    ERROR = auto()
    """Something else went wrong."""


OF_PARENT = frozenset({Meaning.PARENT_GONE, Meaning.PARENT_FORBIDDEN, Meaning.PARENT_REFUSED})
NO_ACCESS = frozenset({Meaning.NO_PERMISSION, Meaning.NOT_BOOKED})

CANNOT_ANSWER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
NOT_BOOKED = frozenset(
    {
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.GONE,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    }
)
OF_ONE_PARENT: dict[int, Meaning] = {
    **dict.fromkeys(CANNOT_ANSWER, Meaning.PARENT_REFUSED),
    **dict.fromkeys(NOT_BOOKED, Meaning.PARENT_FORBIDDEN),
    HTTPStatus.GONE: Meaning.PARENT_GONE,
}
"""What a status means where the children of one parent were asked for."""

PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
"""What a host, or one in between, answers to a request that came at a bad moment."""


def usual(status: int, *, of_parent: bool) -> Meaning:
    """What a status means with most vendors.

    Args:
        status: The HTTP status.
        of_parent: Whether the children of one parent were asked for: then it may differ from one to the next.
    """
    if status == HTTPStatus.OK:
        return Meaning.RECORDS
    if status == HTTPStatus.NO_CONTENT:
        return Meaning.NO_RECORDS
    if of_parent and status in OF_ONE_PARENT:
        return OF_ONE_PARENT[status]
    if status in NOT_BOOKED:
        return Meaning.NOT_BOOKED
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Meaning.NO_PERMISSION
    return Meaning.RETRY if status in PASSING else Meaning.ERROR


def usual_advice(status: int) -> str:
    """What the user can do about a request that was refused."""
    if status in CANNOT_ANSWER:
        return "Check `start_date` and `end_date`; if they are right, report it with this tap's version."
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "Check `api_url`: it leads elsewhere."
    return "Check `api_url`; if it is right, report it with this tap's version."


def no_access(meaning: Meaning, permission: str | None, status: int, endpoint: str) -> str:
    """What it means that a stream may not be read.

    Args:
        meaning: What the answer says.
        permission: The permission that the credential needs; None: the endpoint is public.
        status: The HTTP status.
        endpoint: What was asked.
    """
    answered = f"(status {status} from {endpoint})."
    if meaning is Meaning.NOT_BOOKED:
        needed = f" It needs {permission}." if permission else ""
        return f"the company has not booked it, or the vendor has switched it off {answered}{needed}"
    return f"{forbidden(permission)} {answered}"


def forbidden(permission: str | None) -> str:
    """What it means that an endpoint is refused, with the permission that it needs; None: it is public."""
    if permission is None:
        return "the vendor refuses it, though it needs no permission"
    return f"the credential may not read it; it needs {permission}"
