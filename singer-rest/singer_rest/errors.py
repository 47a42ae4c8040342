"""Errors, as sentences for the person who runs the tap.

No message holds a response body, a token, or the value of a setting or a query parameter: they are personal data or
secrets.
"""

from __future__ import annotations

import traceback

from singer_sdk.exceptions import ConfigurationError, MappingError


class TapError(Exception):
    """An error that ends one stream, with a message for the person who runs the tap."""


class UnansweredError(TapError):
    """A request got no usable response, even after retries."""


class TimedOutError(UnansweredError):
    """A request got no response in time, even after retries."""


class RateLimitError(TapError):
    """A rate limit delays the stream for longer than `max_wait` allows."""


class FilterRejectedError(TapError):
    """The vendor rejected the incremental filter."""


class RunError(TapError):
    """An error that ends the whole run: rejected credentials, an unreachable host, invalid settings."""


class AccessDeniedError(TapError):
    """The credential cannot read this stream. The message names the missing permission.

    Args:
        message: The message.
        status: The HTTP status that means this. None: there is no single one.
        not_licensed: Whether the company has not licensed the endpoint, or the vendor has switched it off.
    """

    def __init__(self, message: str, *, status: int | None = None, not_licensed: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.not_licensed = not_licensed


class RetryableError(Exception):
    """A request failed and may be sent again.

    Args:
        reason: What happened, in a few words without any value.
        after: Seconds that the vendor asked to wait, if it did.
        throttled: Whether the vendor said that requests come too fast.
        slow: Whether the response took too long, so that a smaller request may succeed.
        broken: Whether the response was unusable.
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
        """Duration of the attempt in seconds."""


def describe_error(error: BaseException) -> str:
    """Describes an error in a sentence. Unexpected ones give only type and location: their text may hold data."""
    if isinstance(error, TapError):
        return str(error)
    if isinstance(error, MappingError):
        return "The stream maps cannot be applied. Check `stream_maps` and `stream_map_config`."
    if isinstance(error, ConfigurationError):
        return f"The settings are invalid ({type(error).__name__}). See all settings with --about."
    if isinstance(error, OSError) and error.filename is None:
        return output_sentence(error)
    if isinstance(error, RecursionError):
        return "A value is nested too deeply to be read. Report it to the vendor, and deselect its stream until then."
    frames = traceback.extract_tb(error.__traceback__)
    location = f" at {frames[-1].filename.rpartition('site-packages')[2]}:{frames[-1].lineno}" if frames else ""
    return f"Unexpected {type(error).__name__}{location}. Please report it with this line."


def output_sentence(error: OSError) -> str:
    """Describes why the output cannot be written: a closed pipe, a full disk."""
    reason = (error.strerror or type(error).__name__).lower()
    return f"The output cannot be written ({reason}). Check the loader behind the pipe, or the disk, and run again."
