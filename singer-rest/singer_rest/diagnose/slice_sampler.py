"""Requests more slices of a stream if its newest slice has several pages or no record, since others may differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest.diagnose.estimate import NO_TOTAL, Estimate, count_pages, least_accurate
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

    def estimate_requests(self, read: ReadPlan, newest: Probe) -> Estimate | None:
        """Estimates the requests for all slices. Returns None if the newest slice is enough to estimate them.

        Args:
            read: The plan by which the stream is read.
            newest: The probe of its newest slice.
        """
        slices = read.stream.slices
        if slices.parent is not None or newest.page is None or (newest.is_all and newest.page.records):
            return None
        parts = [part for part in slices.plan(read.window, None) if part]
        if len(parts) == 1 or newest.page.slice not in parts:
            return None
        if any(part.name for part in parts):
            return self._estimate_windows(read.stream, parts, parts.index(newest.page.slice) + 1, newest)
        if newest.is_all or len(parts) > MAX_PARTS or slices.days_params:
            return None
        found = [newest, *self._probe_slices(read.stream, [part for part in parts if part != newest.page.slice])]
        pages = [count_pages(one) for one in found]
        rows = [one.total for one in found]
        known_rows = sum(row for row in rows if row is not None) if None not in rows else None
        return _make_estimate(sum(number for number, _ in pages), [accuracy for _, accuracy in pages], known_rows)

    def _estimate_windows(self, stream: RestStream, parts: Sequence[Slice], count: int, newest: Probe) -> Estimate:
        """Estimates the requests for windows. The first ones may be empty because nobody used the product yet.

        Some later windows may be empty, too, for example weekends, or today in the morning.

        Args:
            stream: The stream.
            parts: All windows.
            count: The number of windows up to the newest one that was probed.
            newest: The probe of that window.
        """
        step = max(count / MAX_WINDOWS, 1.0)
        spread = [int((number + 0.5) * step) for number in range(min(count, MAX_WINDOWS))]
        others = [place for place in spread if place < count - 1]
        found = dict(zip(others, self._probe_slices(stream, [parts[place] for place in others]), strict=True))
        found[count - 1] = newest
        high = next((place for place in found if _has_rows(found[place])), count - 1)
        low = max((place + 1 for place in found if place < high), default=0)
        while low < high:
            middle = (low + high) // 2
            (one,) = self._probe_slices(stream, [parts[middle]])
            low, high = (low, middle) if _has_rows(one) else (middle + 1, high)
        pages = [count_pages(one) for place, one in found.items() if place >= low]
        mean = sum(number for number, _ in pages) / len(pages)
        used = count - low
        return _make_estimate(round(used * mean) + len(parts) - used, ["about", *(accuracy for _, accuracy in pages)])

    def _probe_slices(self, stream: RestStream, parts: Sequence[Slice]) -> list[Probe]:
        found = probe_slices(self._tap, stream, parts, self._request_for)
        self.sent += found
        return found


def _has_rows(found: Probe) -> bool:
    return bool(found.page and found.page.records)


def _make_estimate(requests: int, accuracies: Sequence[Accuracy], rows: int | None = None) -> Estimate:
    accuracy = least_accurate(*accuracies)
    return Estimate(requests, accuracy, rows, NO_TOTAL if accuracy == "at_least" else "")
