"""The fastest pipeline that we could write with dlt, by hand.

    python dlt_tuned.py JOB

Pages are fetched ahead by `dlt.defer` or parallel resources, with urllib3 in place of requests, decoded by orjson, and
yielded as Arrow tables of the columns that are loaded, which dlt writes to uncompressed Parquet files. JOB is a file:
`benchmarks/commands.py` writes it.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

JOB = json.loads(Path(sys.argv[1]).read_text())
# Before the import: it reads them.
os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": str(JOB["in_flight"]),
    "EXTRACT__MAX_PARALLEL_ITEMS": str(JOB["in_flight"] * 2),
    "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}

import dlt  # noqa: E402
import orjson  # noqa: E402
import pyarrow as pa  # noqa: E402
import urllib3  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = JOB["url"]
KINDS = {
    "text": pa.string(),
    "local": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}
POOL = urllib3.PoolManager(
    maxsize=JOB["in_flight"],
    retries=urllib3.Retry(8, status_forcelist=[429], backoff_factor=0.5, allowed_methods=None),
)
HEADERS = {"Authorization": "Bearer benchmark", "Prefer": "odata.maxpagesize=10000", "Accept": "application/json"}


def get(path: str, **params: str | int) -> Any:  # noqa: ANN401 - a decoded body
    """Requests a page."""
    fields = {name: str(value) for name, value in params.items()}
    reply = POOL.request("GET", f"{URL}{path}", fields=fields or None, headers=HEADERS)
    if reply.status != 200:  # noqa: PLR2004
        raise RuntimeError(f"{path}: status {reply.status}")
    return orjson.loads(reply.data)


def table(records: list[dict[str, Any]]) -> pa.Table:
    """Builds a table of the columns that are loaded."""
    names, arrays = [], []
    for name, source, kind in JOB["columns"]:
        values: list[Any] = records
        for part in source.split("."):
            values = [value and value.get(part) for value in values]
        is_text = kind in {"date", "timestamp"}
        array = pa.array(values, pa.string() if is_text else KINDS[kind])
        names.append(name)
        arrays.append(array.cast(KINDS[kind]) if is_text else array)
    return pa.Table.from_arrays(arrays, names=names)


def months() -> Iterator[tuple[str, str]]:
    """Yields the months of the year of the data."""
    first = date.fromisoformat(JOB["first_day"])
    for _ in range(12):
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        yield first.isoformat(), following.isoformat()
        first = following


def attendances() -> list[Any]:
    """Fetches all pages. The first page states the total, so the other pages are fetched in parallel."""
    path = "/v1/company/attendances"
    window = {"start_date": JOB["first_day"], "end_date": JOB["last_day"], "limit": 200}

    @dlt.defer
    def page(offset: int) -> Any:  # noqa: ANN401
        return table([*get(path, offset=offset, **window)["data"]])

    def pages() -> Iterator[Any]:
        first = get(path, offset=0, **window)
        yield table(first["data"])
        for offset in range(200, first["metadata"]["total_elements"], 200):
            yield page(offset)

    return [pages]


def attendance_periods() -> list[Any]:
    """Reads the months in parallel. Within a month, each page states the cursor of the next one."""
    path = "/v2/attendance-periods"

    def month(first: str, last: str) -> Any:  # noqa: ANN401
        def pages() -> Iterator[Any]:
            target: str | None = path
            params: dict[str, str | int] = {"start.date_time.gte": first, "start.date_time.lte": last, "limit": 100}
            while target:
                body = get(target, **params)
                if body["_data"]:
                    yield table(body["_data"])
                target, params = body["_meta"]["links"].get("next", {}).get("href"), {}

        return pages

    return [month(*window) for window in months()]


def attendance_shifts() -> list[Any]:
    """Sends one request per week, in parallel."""
    path = "/api/2026-10-01/resources/attendance/shifts"

    @dlt.defer
    def week(first: date, last: date) -> Any:  # noqa: ANN401
        records = get(path, start_on=first.isoformat(), end_on=last.isoformat())["data"]
        return table(records)

    def weeks() -> Iterator[Any]:
        first, end = date.fromisoformat(JOB["first_day"]), date.fromisoformat(JOB["last_day"])
        while first <= end:
            last = min(first + timedelta(days=6), end)
            yield week(first, last)
            first = last + timedelta(days=1)

    return [weeks]


def transcript_core() -> list[Any]:
    """Reads one page after the other, because each page links to the next."""
    root = "/services/api/x/dataexporter/api/objects/"

    def pages() -> Iterator[Any]:
        link = "transcript_core"
        while link:
            body = get(f"{root}{link}")
            yield table(body["value"])
            link = body.get("@odata.nextLink")

    return [pages]


def main() -> None:
    """Runs the pipeline."""
    name, is_merge = JOB["dataset"], JOB["load_method"] == "upsert"
    disposition = {"disposition": "merge", "strategy": "upsert"} if is_merge else "append"
    generators = {
        "attendances": attendances,
        "attendance_periods": attendance_periods,
        "attendance_shifts": attendance_shifts,
        "transcript_core": transcript_core,
    }[name]()
    resources = [
        dlt.resource(
            generator,
            name=f"{name}_{number}",
            table_name=name,
            primary_key=JOB["key"],
            write_disposition=disposition,
            parallelized=len(generators) > 1,
        )
        for number, generator in enumerate(generators)
    ]
    pipeline = dlt.pipeline(
        "tuned",
        pipelines_dir=JOB["folder"],
        destination=dlt.destinations.duckdb(JOB["database"]),
        dataset_name="hr",
        progress=None,
    )
    pipeline.run(resources, loader_file_format="parquet")


if __name__ == "__main__":
    main()
