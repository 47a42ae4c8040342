"""The numbers of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

StreamOutcome: TypeAlias = Literal["read", "skipped", "failed", "unfinished"]
"""What became of a stream. Skipped: the credential may not read it. Unfinished: the run ended before."""
STREAM_OUTCOMES: tuple[StreamOutcome, ...] = ("read", "skipped", "failed", "unfinished")


@dataclass(frozen=True)
class StreamNumbers:
    """The numbers of a stream.

    Args:
        name: Name of the stream.
        outcome: What became of it.
        rows: Number of records emitted.
        requests: Number of requests for its pages.
        seconds: Duration.
    """

    name: str
    outcome: StreamOutcome
    rows: int
    requests: int
    seconds: float


@dataclass(frozen=True)
class RunNumbers:
    """The numbers of a run so far.

    Args:
        rows: Number of records emitted, by stream.
        requests: Number of requests sent, including retries and token requests.
        retries: Number of requests sent again, by stream.
        waits: Seconds in which a request was ready that a rate limit held up, by limit. Limits may overlap.
        received_bytes: Size of the bodies received, as they were sent.
    """

    rows: Mapping[str, int]
    requests: int
    retries: Mapping[str, int]
    waits: Mapping[str, float]
    received_bytes: int


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Args:
        succeeded: Whether every stream was read, or skipped for lack of permission, and one was read.
        numbers: Its numbers.
        streams: Those of its streams.
        waited: Seconds in which a request was ready that any rate limit held up.
        seconds: Duration.
    """

    succeeded: bool
    numbers: RunNumbers
    streams: Sequence[StreamNumbers]
    waited: float
    seconds: float
