"""Explains in sentences what bounds the time of a case, and where each curve bends."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.cases import OURS, PEERS, TUNED, Case, abbreviate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.summary import Summaries

FLAT = 0.9
"""A point is past the bend if the next one takes more than this share of its time."""
WIDTH = 128


def wrap_paragraph(text: str) -> str:
    """Wraps a paragraph of the page."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


BOUNDS = """Two things bound a run of ours: the CPU, whose seconds the tap and the loader share between {cores} cores,
and the waiting for responses, of which only so many are under way. Before the first request, {start:.1f} s go into
starting the tap. A run cannot be shorter than the larger bound. What it takes beyond that is the start, and the time in
which a core is idle: the tap is one Python process, which uses little more than one core and has more to do than the
loader, and at the end only the loader has work, when it commits the last batch."""


def explain_bounds(cases: Sequence[Case], summaries: Summaries, cores: int, start: float) -> str:
    """Compares our runs with what bounds them: CPU time and latency.

    Args:
        cases: The cases.
        summaries: The results.
        cores: The machine's cores.
        start: Seconds from the start of a tap to its first request.
    """
    rows = []
    for case, summary in summaries.find_measured(cases):
        seconds, cpu = summary.median("seconds"), summary.median("cpu") / cores
        waiting = summary.server_median("requests") * case.latency_ms / 1_000 / case.in_flight
        larger = "CPU" if cpu > waiting else "latency"
        rows.append(
            f"| {case.title} | {seconds:.1f} | {cpu:.1f} | {waiting:.1f} | {larger} | "
            f"{seconds - max(cpu, waiting):.1f} |"
        )
    head = ["| | s | CPU s / cores | latency, s | larger | beyond, s |", "|---|--:|--:|--:|---|--:|"]
    return "\n".join([wrap_paragraph(BOUNDS.format(cores=cores, start=start)), "", *head, *rows]) if rows else ""


def explain_rows(cases: Sequence[Case], summaries: Summaries) -> str:
    """Explains the curve over rows."""
    found = summaries.find_measured(cases)
    if len(found) < 2:  # noqa: PLR2004 - a line
        return ""
    (few, first), (many, last) = found[0], found[-1]
    slope = (last.median("seconds") - first.median("seconds")) / (many.rows - few.rows)
    if slope <= 0:
        return "The largest run took no longer than the smallest: the start of the processes is all that shows."
    start = max(first.median("seconds") - slope * few.rows, 0)
    return wrap_paragraph(
        f"""Our line is flat at first: the start of the processes and the requests for months without rows take
        {start:.1f} s, whatever the number of rows. It bends at about {
            abbreviate(round(start / slope / 1000) * 1000)
        } rows, where the rows take as long as that; beyond, the time grows in proportion to them, by {slope * 1e6:.1f}
        s a million. Memory goes from {first.median("peak_memory_mb"):.0f} to {last.median("peak_memory_mb"):.0f} MB
        and then stays, since pages in flight and batches are bounded."""
    )


def explain_in_flight(cases: Sequence[Case], summaries: Summaries) -> str:
    """Explains the curve over requests in flight."""
    found = summaries.find_measured(cases)
    if len(found) < 2:  # noqa: PLR2004 - a line
        return ""
    bend, bent = next(
        (one for one, after in pairwise(found) if after[1].median("seconds") > FLAT * one[1].median("seconds")),
        found[-1],
    )
    _, serial = found[0]
    requests = serial.server_median("requests")
    waiting = requests * bend.latency_ms / 1_000
    return wrap_paragraph(
        f"""One request at a time waits {waiting:.0f} s for {requests:,.0f} responses of {
            bend.latency_ms:g} ms; twice as
        many in flight halve that. The line bends at {bend.in_flight}: there the waiting is down to {
            waiting / bend.in_flight:.1f} s, and what remains is CPU time ({bent.median("cpu"):.1f} s, shared by the two
        processes of tap and loader). More requests in flight do not help. The default of `max_concurrency` is
        8."""
    )


def explain_latency(cases: Sequence[Case], summaries: Summaries) -> str:
    """Explains the curve over latencies."""
    found = summaries.find_measured(cases)
    if len(found) < 2:  # noqa: PLR2004 - a line
        return ""
    (_, first), (slow, last) = found[0], found[-1]
    waiting = last.server_median("requests") * slow.latency_ms / 1_000 / slow.in_flight
    return wrap_paragraph(
        f"""With {slow.in_flight} requests in flight, {last.server_median("requests"):,.0f} responses of {
            slow.latency_ms:g} ms can arrive within {
            waiting:.1f} s. As long as that is less than the CPU time of the tap, latency costs
        little, since it works on one page while others are on their way; beyond, the line rises with the
        latency. Here it is {last.median("seconds"):.1f} s, against {first.median("seconds"):.1f} s without
        latency."""
    )


LIMITS = """The server accepts a number of requests per second, and as many at once (a token bucket), states that in
headers as Personio does, and rejects the others with 429. The ideal is (requests - burst) / limit, from the
first request for a page to the last. The tap requests more pages than the pipeline, which is told the months
that hold rows."""


def explain_limits(cases: Sequence[Case], summaries: Summaries) -> str:
    """Compares runs under a rate limit with the ideal: the burst at once, then one request at a time."""
    rows = []
    for case in cases:
        title = case.title
        for peer in (OURS, TUNED):
            for _, summary in summaries.find_measured([case], peer):
                requests, rejected = summary.server_median("pages"), summary.server_median("rejected")
                taken = summary.server_median("last_page") - summary.server_median("first_page")
                ideal = (requests - rejected - case.limit) / case.limit
                rows.append(
                    f"| {title} | {PEERS[peer]} | {requests:,.0f} | {rejected:,.0f} | {taken:.1f} | {ideal:.1f} | "
                    f"{taken / ideal - 1:+.1%} |"
                )
                title = ""
    head = ["| | peer | requests | 429 | s | ideal s | over |", "|---|---|--:|--:|--:|--:|--:|"]
    return "\n".join([wrap_paragraph(LIMITS), "", *head, *rows]) if rows else ""
