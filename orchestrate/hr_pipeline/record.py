"""The record of a run, from the tap's metrics file: numbers and names of streams, no values."""

from __future__ import annotations

import re
from typing import Any

_LINE = re.compile(r"^singer_(?P<metric>\w+)\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_RUN = {
    "run_duration_seconds": "seconds",
    "run_requests": "requests",
    "run_retries": "retries",
    "run_wait_seconds": "waited_seconds",
}
_STREAM = {"stream_rows": "rows", "stream_requests": "requests", "stream_duration_seconds": "seconds"}


def read_record(text: str) -> dict[str, Any]:
    """Returns the record.

    Args:
        text: The metrics file, in Prometheus' text format; empty if the run could not start.

    Returns:
        Numbers of the run (`seconds`, `requests`, `retries`, `waited_seconds`, and streams by outcome such as `read`
        and `skipped`), and under `streams` those of each stream (`rows`, `requests`, `seconds`).
    """
    record: dict[str, Any] = {"rows": 0, "streams": {}}
    for line in _LINE.finditer(text):
        metric, labels = line["metric"], dict(_LABEL.findall(line["labels"]))
        value = float(line["value"])
        number = int(value) if value.is_integer() else value
        if metric in _RUN:
            record[_RUN[metric]] = number
        elif metric == "run_streams":
            record[labels["outcome"]] = number
        elif metric in _STREAM:
            record["streams"].setdefault(labels["stream"], {})[_STREAM[metric]] = number
    record["rows"] = sum(one.get("rows", 0) for one in record["streams"].values())
    return record
