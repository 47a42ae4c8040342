"""Requests more slices of streams whose newest slice has several pages or no record, since others may differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest.diagnose.estimate import NO_TOTAL, Estimate, least_accurate, pages_of
from singer_rest.diagnose.probe import probe_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.diagnose.estimate import Accuracy, ReadPlan
    from singer_rest.diagnose.probe import Probe
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice
    from singer_rest.stream import RestStream

MAX_PARTS = 12
"""Number of slices that are not windows up to which all are requested."""
MAX_WINDOWS = 8
"""Number of windows that are requested, spread evenly up to the newest one."""


class SliceSampler:
    """Estimates the requests for all slices of a stream from some of them.

    Args:
        tap: The tap.
        request_for: Returns the request for a slice.
    """

    def __init__(self, tap: DiagnosableTap, request_for: Callable[[RestStream, Slice], Request]) -> None:
        self._tap = tap
        self._request_for = request_for
        self.sent: list[Probe] = []

    def requests(self, read: ReadPlan, newest: Probe) -> Estimate | None:
        """Estimates the requests for all slices. None: those of the newest one are enough to know it.

        Args:
            read: How the stream is read.
            newest: What was found about its newest slice.
        """
        slices = read.stream.slices
        if slices.parent is not None or newest.page is None or (newest.is_all and newest.page.records):
            return None
        parts = [part for part in slices.plan(read.window, None) if part]
        if len(parts) == 1 or newest.page.slice not in parts:
            return None
        if any(part.name for part in parts):
            return self._of_windows(read.stream, parts, newest)
        if newest.is_all or len(parts) > MAX_PARTS or slices.days_params:
            return None
        found = [newest, *self._probe(read.stream, [part for part in parts if part != newest.page.slice])]
        pages = [pages_of(one) for one in found]
        rows = [one.total for one in found]
        known_rows = sum(row for row in rows if row is not None) if None not in rows else None
        return _estimate(sum(number for number, _ in pages), [accuracy for _, accuracy in pages], known_rows)

    def _of_windows(self, stream: RestStream, parts: Sequence[Slice], newest: Probe) -> Estimate:
        """Estimates the requests for windows, of which the first ones may be empty: nobody used the product yet.

        Some of the later ones may be empty, too, such as weekends, or today in the morning.
        """
        count = parts.index(newest.page.slice) + 1 if newest.page else len(parts)
        step = max(count / MAX_WINDOWS, 1.0)
        spread = [int((number + 0.5) * step) for number in range(min(count, MAX_WINDOWS))]
        others = [place for place in spread if place < count - 1]
        found = dict(zip(others, self._probe(stream, [parts[place] for place in others]), strict=True))
        found[count - 1] = newest
        high = next((place for place in found if _has_rows(found[place])), count - 1)
        low = max((place + 1 for place in found if place < high), default=0)
        while low < high:
            middle = (low + high) // 2
            (one,) = self._probe(stream, [parts[middle]])
            low, high = (low, middle) if _has_rows(one) else (middle + 1, high)
        pages = [pages_of(one) for place, one in found.items() if place >= low]
        mean = sum(number for number, _ in pages) / len(pages)
        used = count - low
        return _estimate(round(used * mean) + len(parts) - used, ["about", *(accuracy for _, accuracy in pages)])

    def _probe(self, stream: RestStream, parts: Sequence[Slice]) -> list[Probe]:
        found = probe_slices(self._tap, stream, parts, self._request_for)
        self.sent += found
        return found


def _has_rows(found: Probe) -> bool:
    return bool(found.page and found.page.records)


def _estimate(requests: int, accuracies: Sequence[Accuracy], rows: int | None = None) -> Estimate:
    accuracy = least_accurate(*accuracies)
    return Estimate(requests, accuracy, rows, NO_TOTAL if accuracy == "at_least" else "")
