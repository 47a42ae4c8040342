"""Writes `docs/performance.md` and its charts from the results so far."""

from __future__ import annotations

import json
import os
import textwrap
from operator import itemgetter
from typing import TYPE_CHECKING

from benchmarks import bends, start
from benchmarks.cases import DEFAULT, OURS, PEERS, PUBLISHED, REST_API, TUNED, Case, Plan, abbreviate
from benchmarks.chart import Chart
from benchmarks.commands import HOME, find_version
from benchmarks.datasets import DATASETS
from benchmarks.summary import Summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Any

HEAD = """Written by `make bench`, which repeats all measurements. This is a run on {cores} cores with Python {python}
and DuckDB {duckdb}. Seconds differ from machine to machine; compare the ratios.

A server on the loopback interface returns response bodies that were built beforehand, in the formats of the
vendors' APIs. The tables show its share of one core: where it is small, the server does not limit the result. The
peers run in turn, each in an environment of its own, and every run includes the start of its processes.
Seconds, CPU seconds (of all processes) and peak memory (added up over the processes of a pipe) are medians; a
ratio is the peer's figure divided by ours. After each run the rows in the file are compared with those of the server,
value by value."""
ABOUT = {
    OURS: """this project's, with their defaults unless a table says otherwise. Personio's documented limit for v1 is
        lifted, since the server does not have it and the peers do not respect it.""",
    TUNED: """the fastest pipeline that we could write with dlt 1.31.0 and DuckDB 2.0.1: pages fetched ahead with
        `dlt.defer` or parallel resources, urllib3, orjson, Arrow tables, uncompressed Parquet files. It is told
        what a tap has to find out: the months that hold rows, and the columns with their types.""",
    REST_API: """the declarative source as dlt's users write it, with Parquet files.""",
    DEFAULT: """the same with the file format that dlt chooses for DuckDB.""",
    PUBLISHED: """the Singer SDK's template with only what the stream needs, and the published loader with
        DuckDB 1.0.0, since it loses rows with later ones.""",
}


class Report:
    """The page and its charts.

    Args:
        plan: The cases that were to be measured.
        results: The measurements.
        begin: The results of `benchmarks.start`.
        page: The file; the charts go to the folder of its name.
    """

    def __init__(self, plan: Plan, results: Sequence[dict[str, Any]], begin: dict[str, Any], page: Path) -> None:
        self._plan = plan
        self._summaries = Summaries(results)
        self._begin = begin
        self._page = page
        self._charts = page.with_suffix("")

    def write_page(self) -> None:
        """Writes the page and the charts."""
        self._charts.mkdir(parents=True, exist_ok=True)
        plan, summaries = self._plan, self._summaries
        sections = [
            _make_head(),
            "## Into DuckDB\n\n" + self._make_table(plan.table),
            self._explain_bounds(),
            "## The three vendors\n\n" + _describe_datasets() + "\n\n" + self._make_table(plan.vendors),
            self._make_curve(plan.rows, "rows", "Rows", "rows") + bends.explain_rows(plan.rows, summaries),
            self._make_curve(plan.in_flight, "in_flight", "Requests in flight", "requests in flight")
            + bends.explain_in_flight(plan.in_flight, summaries),
            self._make_curve(plan.latency, "latency_ms", "Latency", "milliseconds a request")
            + bends.explain_latency(plan.latency, summaries),
            "## Under a rate limit\n\n" + bends.explain_limits(plan.limits, summaries),
            start.make_section(self._begin),
            "## Differences found\n\n" + self._list_differences(),
        ]
        self._page.write_text("\n\n".join(section.strip() for section in sections if section.strip()) + "\n")

    def _explain_bounds(self) -> str:
        first_request = self._begin.get("first_request") or {"": 0.0}
        cores = _read_peers()["machine"].get("cores", os.cpu_count())
        text = bends.explain_bounds(self._plan.table, self._summaries, cores, next(iter(first_request.values())))
        return f"## What bounds these runs\n\n{text}" if text else ""

    def _make_table(self, cases: Iterable[Case]) -> str:
        lines = [
            "| | peer | s | ratio | CPU s | ratio | peak MB | requests | server's core | rows |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
        ]
        for case in cases:
            found = self._summaries.find_by_peer(case)
            ours = found.get(OURS)
            title = case.title
            for peer, summary in found.items():
                if not summary.runs:
                    lines.append(f"| {title} | {PEERS[peer]} | failed: {summary.error} | | | | | | | |")
                else:
                    ratios = [
                        f"{summary.median(name) / ours.median(name):.1f}" if ours and ours.runs and peer != OURS else ""
                        for name in ("seconds", "cpu")
                    ]
                    share = summary.server_median("cpu") / summary.median("seconds")
                    same = "the same" if all(run["same"] for run in summary.runs) else "**differ**"
                    lines.append(
                        f"| {title} | {PEERS[peer]} | {summary.median('seconds'):.1f} | {ratios[0]} | "
                        f"{summary.median('cpu'):.1f} | {ratios[1]} | {summary.median('peak_memory_mb'):.0f} | "
                        f"{summary.server_median('requests'):,.0f} | {share:.0%} | {same} |"
                    )
                title = ""
        return "\n".join(lines)

    def _make_curve(self, cases: Sequence[Case], name: str, title: str, label: str) -> str:
        """Writes a chart over an attribute of the cases, and returns its part of the page with the figures."""
        lines: dict[str, list[tuple[float, float]]] = {}
        rows = [f"| {label} | " + " | ".join(f"{PEERS[peer]}, s | CPU s | MB" for peer in (OURS, TUNED)) + " |"]
        rows.append("|--:|" + "--:|" * 6)
        for case in cases:
            found, x = self._summaries.find_by_peer(case), case.key[name]
            cells = []
            for peer in (OURS, TUNED):
                summary = found.get(peer)
                if summary and summary.runs:
                    lines.setdefault(PEERS[peer], []).append((x, summary.median("seconds")))
                    cells += [
                        f"{summary.median('seconds'):.1f}",
                        f"{summary.median('cpu'):.1f}",
                        f"{summary.median('peak_memory_mb'):.0f}",
                    ]
                else:
                    cells += ["", "", ""]
            value = abbreviate(x) if name == "rows" else f"{x:g}"
            rows.append(f"| {value} | " + " | ".join(cells) + " |")
        if not lines:
            return ""
        fixed = cases[0]
        subtitle = {
            "rows": f"{fixed.latency_ms:g} ms",
            "in_flight": f"{abbreviate(fixed.rows)} rows, {fixed.latency_ms:g} ms",
        }
        about = subtitle.get(name, f"{abbreviate(fixed.rows)} rows, {fixed.in_flight} in flight")
        chart = Chart(
            f"{title} ({fixed.dataset}, {about})",
            label,
            "seconds",
            lines,
            log_x=name != "latency_ms",
            log_y=name == "rows",
        )
        (self._charts / f"{name}.svg").write_text(chart.render_svg())
        return f"## {title}\n\n![{chart.title}]({self._charts.name}/{name}.svg)\n\n" + "\n".join(rows) + "\n\n"

    def _list_differences(self) -> str:
        """Lists the peers that did not load exactly the server's rows."""
        lines = []
        for case in self._plan.cases:
            for peer, summary in self._summaries.find_by_peer(case).items():
                for run in summary.runs[:1]:
                    compared = run["comparison"]
                    if run["same"] and not compared["missing"]:
                        continue
                    words = [f"{compared['rows'][0]:,} of {compared['rows'][1]:,} rows"]
                    if any(compared["only"]):
                        words.append(f"{compared['only'][1]:,} rows of the server missing or changed")
                    if compared["missing"]:
                        words.append(f"no column {', '.join(compared['missing'])}")
                    lines.append(f"- {case.title}: {PEERS[peer]}: {'; '.join(words)}.")
        return "\n".join(lines) or "None: all peers that ran loaded the same rows with the same values."


def _read_peers() -> dict[str, Any]:
    """Returns the machine, and the peers that could not be installed, of the latest run."""
    path = HOME / "peers.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"machine": {}, "unavailable": {}}
    return found


def _make_head() -> str:
    machine, unavailable = itemgetter("machine", "unavailable")(_read_peers())
    text = HEAD.format(
        cores=machine.get("cores", "?"), python=machine.get("python", "?"), duckdb=find_version("duckdb")
    )
    missing = [f"{PEERS[peer]} could not be installed: {reason}" for peer, reason in unavailable.items()]
    blocks = [bends.wrap_paragraph(block) for block in text.split("\n\n")] + missing
    return "# Performance\n\n" + "\n\n".join(blocks) + "\n\n" + _describe_peers()


def _describe_peers() -> str:
    """Describes the peers."""
    return "The peers:\n\n" + "\n".join(
        textwrap.fill(f"- **{PEERS[peer]}**: {' '.join(text.split())}", bends.WIDTH, subsequent_indent="  ")
        for peer, text in ABOUT.items()
    )


def _describe_datasets() -> str:
    return "\n".join(f"- `{name}`: {dataset.describes}." for name, dataset in DATASETS.items())
