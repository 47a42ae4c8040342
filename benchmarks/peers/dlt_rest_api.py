"""A pipeline as dlt's users write it: the `rest_api` source, nothing tuned but the format of the files.

python dlt_rest_api.py JOB
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

JOB = json.loads(Path(sys.argv[1]).read_text())
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}  # before the import

import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

FIRST, LAST = JOB["first_day"], JOB["last_day"]
ENDPOINTS: dict[str, dict[str, Any]] = {
    "attendances": {
        "path": "/v1/company/attendances",
        "params": {"start_date": FIRST, "end_date": LAST},
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 200, "total_path": "metadata.total_elements"},
    },
    "attendance_periods": {
        "path": "/v2/attendance-periods",
        "params": {"limit": 100},
        "data_selector": "_data",
        "paginator": {"type": "json_link", "next_url_path": "_meta.links.next.href"},
    },
    "attendance_shifts": {
        "path": "/api/2026-10-01/resources/attendance/shifts",
        "params": {"start_on": FIRST, "end_on": LAST},
        "data_selector": "data",
        "paginator": "single_page",
    },
    "transcript_core": {
        "path": "/services/api/x/dataexporter/api/objects/transcript_core",
        "data_selector": "value",
        "paginator": {"type": "json_link", "next_url_path": "'@odata.nextLink'"},
    },
}


def main() -> None:
    """Runs the pipeline."""
    is_merge = JOB["load_method"] == "upsert"
    source = rest_api_source(
        {
            "client": {
                "base_url": JOB["url"],
                "auth": {"type": "bearer", "token": "benchmark"},
                "headers": {"Prefer": "odata.maxpagesize=10000"},
            },
            "resource_defaults": {
                "primary_key": JOB["key"],
                "write_disposition": {"disposition": "merge", "strategy": "upsert"} if is_merge else "append",
            },
            "resources": [{"name": JOB["dataset"], "endpoint": ENDPOINTS[JOB["dataset"]]}],
        }
    )
    pipeline = dlt.pipeline(
        "rest_api",
        pipelines_dir=JOB["folder"],
        destination=dlt.destinations.duckdb(JOB["database"]),
        dataset_name="hr",
    )
    pipeline.run(source, loader_file_format=JOB.get("file_format"))


if __name__ == "__main__":
    main()
