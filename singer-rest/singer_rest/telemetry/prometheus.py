"""The metrics file: the numbers of the last run, for node_exporter's textfile collector."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from singer_rest.telemetry.numbers import STREAM_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from singer_rest.telemetry.numbers import RunResult, StreamNumbers

LAST_SUCCESS = "singer_run_last_success_timestamp_seconds"
READABLE_BY_ALL = 0o644
"""The exporter runs as another user."""


def write_metrics_file(path: Path, tap: str, result: RunResult) -> None:
    """Writes the numbers of a run, as a whole or not at all.

    Args:
        path: The file. Its name without the ending becomes the label `run`, which tells several runs of a tap apart.
        tap: Name of the tap.
        result: The result of the run.

    Raises:
        OSError: If it cannot be written.
    """
    now = time.time()
    last_success = now if result.succeeded else _last_success(path)
    text = "".join(_lines({"run": path.stem, "tap": tap}, result, now, last_success))
    partial = path.with_name(f".{path.name}.{os.getpid()}")  # the exporter reads *.prom
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(READABLE_BY_ALL)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _last_success(path: Path) -> float | None:
    """Returns when the last successful run ended, from the file that is about to be replaced."""
    try:
        match = re.search(rf"^{LAST_SUCCESS}{{.*}} ([\d.]+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return float(match[1]) if match else None
    except (OSError, ValueError):
        return None


def _lines(labels: Mapping[str, str], result: RunResult, now: float, last_success: float | None) -> Iterator[str]:
    numbers, streams = result.numbers, result.streams
    outcomes = Counter(stream.outcome for stream in streams)
    waits = [({"limit": limit}, seconds) for limit, seconds in numbers.waits.items()]
    metrics: list[tuple[str, str, Sequence[tuple[Mapping[str, str], float]]]] = [
        ("singer_run_success", "Whether the last run read all streams that it may read.", [({}, result.succeeded)]),
        ("singer_run_end_timestamp_seconds", "When the last run ended.", [({}, now)]),
        (LAST_SUCCESS, "When the last successful run ended.", [({}, last_success)] if last_success else []),
        ("singer_run_duration_seconds", "Duration of the last run.", [({}, result.seconds)]),
        ("singer_run_requests", "Requests, including retries and token requests.", [({}, numbers.requests)]),
        ("singer_run_retries", "Requests that were sent again.", [({}, sum(numbers.retries.values()))]),
        ("singer_run_received_bytes", "Size of the response bodies, as sent.", [({}, numbers.received_bytes)]),
        ("singer_run_wait_seconds", "Time for which rate limits held requests up.", [({}, result.waited)]),
        ("singer_limit_wait_seconds", "Time for which a rate limit held requests up.", waits),
        ("singer_run_streams", "Streams by outcome.", [({"outcome": one}, outcomes[one]) for one in STREAM_OUTCOMES]),
        (
            "singer_stream_success",
            "Whether the stream was read.",
            [(_of(one), one.outcome == "read") for one in streams],
        ),
        ("singer_stream_rows", "Records of the stream.", [(_of(one), one.rows) for one in streams]),
        ("singer_stream_requests", "Requests for pages of the stream.", [(_of(one), one.requests) for one in streams]),
        ("singer_stream_duration_seconds", "Duration of the stream.", [(_of(one), one.seconds) for one in streams]),
    ]
    for name, text, samples in metrics:
        if samples:
            yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
        for more, value in samples:
            pairs = ",".join(f'{key}="{_escape(label)}"' for key, label in {**labels, **more}.items())
            yield f"{name}{{{pairs}}} {round(float(value), 3):.15g}\n"


def _of(stream: StreamNumbers) -> dict[str, str]:
    return {"stream": stream.name}


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
