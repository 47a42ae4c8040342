"""A tap as the plain SDK's template has it, with what each stream needs and no more.

    python plain_tap.py --config CONFIG

The setting `job` is the file that `benchmarks/commands.py` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import BaseHATEOASPaginator, BaseOffsetPaginator, SinglePagePaginator

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "timestamp": {"type": ["string", "null"], "format": "date-time"},
}


class JobStream(RESTStream[Any]):
    """The stream of the job."""

    def __init__(self, tap: Tap, job: dict[str, Any], endpoint: dict[str, Any]) -> None:
        self.job = job
        self.endpoint = endpoint
        self.path = endpoint["path"]
        # Nested objects stay objects, as the columns' names with two underscores say.
        properties = {name.partition("__")[0]: KINDS[kind] for name, _, kind in job["columns"] if "__" not in name}
        nested = {name.partition("__")[0] for name, _, _ in job["columns"] if "__" in name}
        properties |= {name: {"type": ["object", "null"], "additionalProperties": True} for name in nested}
        super().__init__(tap, name=job["dataset"], schema={"type": "object", "properties": properties})
        self.primary_keys = job["key"]

    @property
    def url_base(self) -> str:
        """Base URL of the benchmark server."""
        return str(self.job["url"])

    @property
    def records_jsonpath(self) -> str:
        """The JSON path of the records in a response."""
        return str(self.endpoint["records"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """Sends a fixed bearer token."""
        return BearerTokenAuthenticator(token="benchmark")  # noqa: S106 - invented

    @property
    def http_headers(self) -> dict[str, str]:
        """The page size that one of the vendors takes from a header."""
        return {"Prefer": "odata.maxpagesize=10000"}

    def get_new_paginator(self) -> Any:  # noqa: ANN401 - of several kinds
        """Returns a paginator for the endpoint."""
        return self.endpoint["paginator"]()

    def get_url_params(self, context: Any, next_page_token: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """Returns the query parameters of the date window and of the next page."""
        params = dict(self.endpoint["params"])
        if isinstance(next_page_token, int):
            return {**params, "offset": next_page_token}
        return {**params, **dict(parse_qsl(next_page_token.query))} if next_page_token else params

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """Unwraps v1's attributes."""
        return {"id": row["id"], **row["attributes"]} if "attributes" in row else row


class Offsets(BaseOffsetPaginator):
    """Pages of 200 by offset."""

    def __init__(self) -> None:
        super().__init__(0, 200)

    def has_more(self, response: requests.Response) -> bool:
        """Whether fewer records than the total have been read."""
        return bool(self.current_value + 200 < response.json()["metadata"]["total_elements"])


class PeriodLinks(BaseHATEOASPaginator):
    """Personio's links."""

    def get_next_url(self, response: requests.Response) -> str | None:
        """Returns the link to the next page."""
        link: str | None = response.json()["_meta"]["links"].get("next", {}).get("href")
        return link


class TranscriptLinks(BaseHATEOASPaginator):
    """Cornerstone's links."""

    def get_next_url(self, response: requests.Response) -> str | None:
        """Returns the link to the next page."""
        link: str | None = response.json().get("@odata.nextLink")
        return urlsplit(link).geturl() if link else None


def endpoints(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the endpoint of each data set."""
    first, last = job["first_day"], job["last_day"]
    return {
        "attendances": {
            "path": "/v1/company/attendances",
            "params": {"start_date": first, "end_date": last, "limit": 200},
            "records": "$.data[*]",
            "paginator": Offsets,
        },
        "attendance_periods": {
            "path": "/v2/attendance-periods",
            "params": {"limit": 100},
            "records": "$._data[*]",
            "paginator": PeriodLinks,
        },
        "attendance_shifts": {
            "path": "/api/2026-10-01/resources/attendance/shifts",
            "params": {"start_on": first, "end_on": last},
            "records": "$.data[*]",
            "paginator": SinglePagePaginator,
        },
        "transcript_core": {
            "path": "/services/api/x/dataexporter/api/objects/transcript_core",
            "params": {},
            "records": "$.value[*]",
            "paginator": TranscriptLinks,
        },
    }


class PlainTap(Tap):
    """The tap without any tuning."""

    name = "plain-tap"
    config_jsonschema = th.PropertiesList(th.Property("job", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> Iterable[JobStream]:  # type: ignore[override]
        """Returns the stream of the job."""
        job = json.loads(Path(self.config["job"]).read_text())
        return [JobStream(self, job, endpoints(job)[job["dataset"]])]


if __name__ == "__main__":
    PlainTap.cli()
