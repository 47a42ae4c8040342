"""What can go wrong, as sentences for the person who runs the tap.

No message here holds a response body, a token, a setting's value or a query value: they are personal data or secrets.
"""

from __future__ import annotations

import traceback

from singer_sdk.exceptions import ConfigurationError, MappingError


class TapError(Exception):
    """A failure that the person who runs the tap can read; it ends one stream."""


class UnansweredError(TapError):
    """A request that gave no answer that is of use, however often it was sent."""


class TimedOutError(UnansweredError):
    """A request that gave no answer in time, however often it was sent."""


class FilterRefused(TapError):  # noqa: N818 - there may be another way to ask
    """A request for what changed that the vendor says it cannot answer."""


class RunError(TapError):
    """A failure that ends the whole run: refused credentials, an unreachable host, settings that cannot work."""


class NoAccess(TapError):  # noqa: N818 - it is an answer, not a fault
    """The credential may not read this stream. The message names the permission that it lacks."""


class RetryableError(Exception):
    """The request did not work this time and may be sent again.

    Args:
        reason: What happened, in a few words without any value.
        after: Seconds that the vendor asked to wait, if it did.
        throttled: Whether the vendor said that requests come too fast.
        slow: Whether the answer took too long, so that a request for less may be answered.
        broken: Whether an answer came, and is of no use.
    """

    def __init__(
        self,
        reason: str,
        *,
        after: float | None = None,
        throttled: bool = False,
        slow: bool = False,
        broken: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.throttled = throttled
        self.slow = slow
        self.broken = broken
        self.took = 0.0
        """Seconds until it was known."""


def explain(error: BaseException) -> str:
    """A sentence for a failure. Of an error that nobody foresaw it tells kind and place: its text may hold a record."""
    if isinstance(error, TapError):
        return str(error)
    if isinstance(error, MappingError):
        return "The stream maps cannot be applied. Check `stream_maps` and `stream_map_config`."
    if isinstance(error, ConfigurationError):
        return f"The settings cannot work ({type(error).__name__}). Look them up with --about."
    if isinstance(error, OSError) and error.filename is None:
        return output_sentence(error)
    if isinstance(error, RecursionError):
        return "A value is nested too deep to be read. Report it to the vendor, and leave its stream out until then."
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('site-packages')[2]}:{frames[-1].lineno}" if frames else ""
    return f"An unforeseen {type(error).__name__}{place} ended this. Please report it with this line."


def output_sentence(error: OSError) -> str:
    """A sentence for an output that takes no more: a closed pipe, a full disk."""
    reason = (error.strerror or type(error).__name__).lower()
    return f"The output cannot be written ({reason}). Check the loader behind the pipe, or the disk, and run again."
