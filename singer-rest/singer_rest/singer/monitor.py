"""Tells monitoring what became of a run and its streams, by OpenTelemetry and the metrics file, if they are on."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from singer_rest.telemetry.numbers import RunNumbers, RunResult, StreamNumbers
from singer_rest.telemetry.prometheus import write_metrics_file
from singer_rest.telemetry.tracing import start_tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_rest.http.activity import Activity
    from singer_rest.telemetry.numbers import StreamOutcome

logger = logging.getLogger(__name__)


class MonitoredStream(Protocol):
    """The part of a stream that monitoring needs."""

    name: str
    rows_written: int

    @property
    def request_count(self) -> int:
        """Number of requests for pages of the stream."""


class RunMonitor:
    """Collects the numbers of a run and passes them on.

    Args:
        tap: Name of the tap.
        version: Its version.
        streams: The streams that the run reads.
        activity: Counts the requests.
        metrics_file: The file to write at the end. None: there is none.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        tap: str,
        version: str,
        streams: Sequence[MonitoredStream],
        activity: Activity,
        *,
        metrics_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tap = tap
        self._streams = streams
        self._activity = activity
        self._metrics_file = metrics_file
        self._clock = clock
        self._started_at = clock()
        self._stream_started_at: dict[str, float] = {}
        self._ended: dict[str, StreamNumbers] = {}
        self._tracing = start_tracing(tap, version, self.numbers)

    def numbers(self) -> RunNumbers:
        """Returns the numbers so far. Thread-safe."""
        activity = self._activity
        return RunNumbers(
            rows={stream.name: stream.rows_written for stream in self._streams},
            requests=activity.requests,
            retries=activity.retries_by_stream(),
            waits=activity.waits(),
            received_bytes=activity.received_bytes,
        )

    def start_stream(self, stream: MonitoredStream) -> None:
        """Records that a stream is being read."""
        self._stream_started_at[stream.name] = self._clock()
        if self._tracing:
            self._tracing.start_stream(stream.name)

    def end_stream(self, stream: MonitoredStream, outcome: StreamOutcome) -> None:
        """Records what became of a stream."""
        self._ended[stream.name] = ended = self._numbers_of(stream, outcome)
        if self._tracing:
            self._tracing.end_stream(ended)

    def _numbers_of(self, stream: MonitoredStream, outcome: StreamOutcome) -> StreamNumbers:
        now = self._clock()
        seconds = now - self._stream_started_at.get(stream.name, now)
        return StreamNumbers(stream.name, outcome, stream.rows_written, stream.request_count, seconds)

    def end(self, *, succeeded: bool) -> None:
        """Passes the result of the run on. Failures are warnings."""
        if not (self._tracing or self._metrics_file):
            return
        result = RunResult(
            succeeded,
            self.numbers(),
            [self._ended.get(stream.name) or self._numbers_of(stream, "unfinished") for stream in self._streams],
            self._activity.waited,
            self._clock() - self._started_at,
        )
        if self._metrics_file:
            try:
                write_metrics_file(Path(self._metrics_file).expanduser(), self._tap, result)
            except OSError as error:
                logger.warning(
                    "The file in `metrics_file` cannot be written (%s). Check the path and permissions of its folder.",
                    (error.strerror or type(error).__name__).lower(),
                )
        if self._tracing:
            self._tracing.end(result)
