"""A request and what becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from enum import Enum
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


class Outcome(Enum):
    """What became of a request, with the status of the answer."""

    STORED = 200, "stored"
    HEARTBEAT = 200, "heartbeat"
    VERIFICATION = 200, "verification"
    UNKNOWN_ADDRESS = 404, "unknown address"
    WRONG_METHOD = 405, "wrong method"
    WRONG_SECRET = 401, "wrong secret"
    WRONG_SIGNATURE = 401, "wrong signature"
    TOO_LARGE = 413, "too large"
    TOO_SLOW = 503, "too slow"
    BUSY = 503, "busy"
    FAILED = 503, "failed"
    DISCONNECTED = 503, "disconnected"

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.value[0]

    @property
    def text(self) -> str:
        """How the log calls it."""
        return self.value[1]

    @property
    def label(self) -> str:
        """How the metrics call it."""
        return self.name.lower()


class Exchange:
    """A request, and what became known about it.

    Attributes:
        length: The length of the body if the client gave it.
        has_body: Whether there may be a body.
        is_read: Whether the whole body was read.
        reserved: The bytes that were taken from the budget.
        size: The number of bytes that were stored.
        position: The position in the journal.
        error: What failed, without values of the request.
    """

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.headers: Headers = scope["headers"]
        self.receive = receive
        self.send = send
        lengths = values_of(self.headers, "content-length")
        self.length = int(lengths[0]) if lengths and lengths[0].isdigit() else None
        self.has_body = bool(self.length) or bool(values_of(self.headers, "transfer-encoding"))
        self.is_read = False
        self.reserved = 0
        self.size = 0
        self.position: int | None = None
        self.error = ""


def values_of(headers: Headers, name: str) -> list[bytes]:
    """Returns the values of a header, which may occur several times."""
    wanted = name.lower().encode()
    return [value for key, value in headers if key == wanted]
