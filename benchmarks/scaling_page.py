"""Writes `docs/scaling.md` from the measurements of `benchmarks.scaling`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPANIES = 40
SMALLEST, LARGEST = 1_000, 100_000
NO_LIMIT = "no limit"
NAMES = {"personio": "Personio", "factorial": "Factorial", "cornerstone": "Cornerstone"}
HEAD = """# Scaling

What a run takes at 1,000, 10,000 and 100,000 people, and for a group of {companies} companies. Written by `make
scaling`, on {cores} cores.

The sandbox serves companies of these sizes without rate limits; the tap and the loader run with their defaults: all
streams that are on by default, into a new DuckDB file, then once more without changes. Requests, rows, CPU seconds
(tap and loader), peak memory (added up over both) and file sizes are measured. **At the limits** is computed: the
requests of the slowest endpoint at the rate that the vendor documents, or at the one that the tap starts with where
there is none; a run cannot be faster, however many cores it has. People include those who have left. **≈** marks
figures that continue the line through the two largest measured sizes. A company of yours has other numbers of rows
per person: `meltano invoke tap-personio:plan` counts its requests before the first run.
"""
BOTTLENECKS = {
    "personio": """**Requests per person are the bottleneck.** Some lists have to be requested for each person, and an
endpoint allows about ten requests a second: {slow}. At {people} people that takes {time}; the
endpoints run side by side, so that only the slowest counts. All other lists are done sooner.

- A nightly run repeats the requests per person, since these lists have no filter for changes. Deselect what you do
  not need (`select: ['*.*', '!documents.*']`), or read it weekly in a job of its own.
- To follow changes during the day, read only the records that changed: `only`, or
  [webhooks](https://github.com/hrtaps/hrtaps/blob/main/webhooks/README.md).
- More processes or machines do not help: the limit is the vendor's. [Parts](how-to/parts.md) are
  for interruptions and for machines with little memory.""",
    "factorial": """**No limit is documented for reads**, so the response time decides: with 8 requests in flight and
100 ms per response, {requests} requests take {hours} hours. The first bottleneck is one request per
contract or employee: {most}. The second is the computer, because most lists have no filter for
changes and are read again in each run.

- Raise `max_concurrency` (up to 64). The tap slows down when Factorial answers 429.
- Deselect what you do not use: 164 lists are read by default, and two need most of the requests.
- `attendance_shifts` is not paged: lower `date_window_days` if a window is not answered in time.
- [Parts](how-to/parts.md) share the requests among processes and machines.""",
    "cornerstone": """**The bottleneck is the list of employees**, {slowest}: pages of 50 and 400 requests a minute,
{time} at {people} people. Everything else is paged by hundreds or thousands of rows, and each
endpoint has a limit of its own.

- The longest list is the transcript, a row per person and training. `transcripts` reads the last 30 days unless
  `start_date` says more; for years of it, use the object `transcript_core` or the view `vw_rpt_transcript`, with up
  to 1,000 rows a page.
- A wide view is answered in smaller pages or not at all: the tap halves the page and goes on. Select fewer columns.
- Cornerstone also limits a day to 576,000 requests per endpoint, more than any run here sends.""",
}
GROUP = """## A group of {companies} companies

Most limits are the credential's, and each company has one: {companies} companies of {people:,} people can take
as long as one. What they share is the computer. With all three vendors, they send {requests:,} requests in a
first run, and need {minutes:.0f} minutes of CPU ({each:.0f} s per company) and {gigabytes:.1f} GB of files;
each run under way needs up to half a GB of memory. So run as many at a time as the memory allows; the cores are
idle most of the time.

- Personio's old API (v1), from which `absence_balances` come, allows 2,000 requests a minute from one address,
  whatever the credential. That is a request per person: {companies} companies of {people:,} people need 20 minutes.
- One DuckDB file per company: a file has one writer. [Airflow](how-to/airflow.md) runs a task per company and
  vendor, with a pool per credential, and lands in PostgreSQL, which has many writers.
"""


def write_page(results: Sequence[dict[str, Any]], page: Path) -> None:
    """Writes the page."""
    lines = [HEAD.format(companies=COMPANIES, cores=os.cpu_count())]
    sums = {"cpu": 0.0, "file_mb": 0.0, "requests": 0}
    for vendor, name in NAMES.items():
        runs = sorted((result for result in results if result["vendor"] == vendor), key=lambda run: run["people"])
        if runs[-1]["people"] < LARGEST:
            runs.append(_extrapolate(runs[-2], runs[-1], LARGEST))
        lines += [f"## {name}\n", *_make_table(runs), "", _describe_bottleneck(vendor, runs[-1]), ""]
        smallest = next(run for run in runs if run["people"] == SMALLEST)
        sums = {key: value + smallest[key] for key, value in sums.items()}
    figures = {
        "requests": COMPANIES * sums["requests"],
        "minutes": COMPANIES * sums["cpu"] / 60,
        "each": sums["cpu"],
        "gigabytes": COMPANIES * sums["file_mb"] / 1000,
    }
    lines.append(GROUP.format(companies=COMPANIES, people=SMALLEST, **figures))
    page.write_text("\n".join(lines).rstrip() + "\n")


def _extrapolate(smaller: dict[str, Any], larger: dict[str, Any], people: int) -> dict[str, Any]:
    """Returns a result whose numbers continue the line through those of two results."""
    share = (people - larger["people"]) / (larger["people"] - smaller["people"])

    def extend(low: Any, high: Any) -> float:  # noqa: ANN401 - numbers
        return float(high + (high - low) * share)

    def extend_run(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
        numbers = {key: extend(low[key], value) for key, value in high.items() if isinstance(value, int | float)}
        known = {endpoint: (requests, seconds) for endpoint, requests, seconds in low["limits"]}
        limits = [
            (endpoint, extend(known[endpoint][0], requests), extend(known[endpoint][1], seconds))
            for endpoint, requests, seconds in high["limits"]
            if endpoint in known
        ]
        return {**high, **numbers, "limits": sorted(limits, key=lambda limit: -limit[2])}

    known = dict(smaller["most_requests"])
    most = [(name, extend(known[name], requests)) for name, requests in larger["most_requests"] if name in known]
    again = extend_run(smaller["again"], larger["again"])
    return {**extend_run(smaller, larger), "people": people, "again": again, "most_requests": most, "estimated": True}


def _make_table(runs: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        "| people | rows | requests | at the limits | CPU | memory | file | next run: requests | at the limits |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        again, about = run["again"], "≈ " if run.get("estimated") else ""
        cells = [
            f"{run['rows']:,.0f}",
            f"{run['requests']:,.0f}",
            _at_limits(run),
            _duration(run["cpu"]),
            f"{run['memory_mb']:,.0f} MB",
            f"{run['file_mb']:,.0f} MB",
            f"{again['requests']:,.0f}",
            _at_limits(again),
        ]
        marked = [cell if cell == NO_LIMIT else f"{about}{cell}" for cell in cells]
        rows.append(" | ".join([f"| {run['people']:,}", *marked]) + " |")
    return rows


def _at_limits(run: dict[str, Any]) -> str:
    return _duration(run["limits"][0][2]) if run["limits"] else NO_LIMIT


def _duration(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


def _describe_bottleneck(vendor: str, run: dict[str, Any]) -> str:
    slowest = [f"`{endpoint}`" for endpoint, _, _ in run["limits"][:3]]
    most = ", ".join(f"`{stream}` ({requests:,.0f})" for stream, requests in run["most_requests"][:3])
    return BOTTLENECKS[vendor].format(
        people=f"{run['people']:,}",
        slowest=slowest[0] if slowest else "",
        slow=", ".join(slowest[:2]),
        time=_at_limits(run),
        most=most,
        requests=f"{run['requests']:,.0f}",
        hours=f"{run['requests'] * 0.1 / 8 / 3600:.1f}",
    )
