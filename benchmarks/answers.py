"""The responses of each vendor: to token requests, with metadata, and with the pages of a data set."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.datasets import Dataset
    from benchmarks.rows import Rows

TOKENS = {
    "/v1/auth": b'{"success":true,"data":{"token":"benchmark","expires_in":86400}}',
    "/v2/auth/token": b'{"access_token":"benchmark","expires_in":86400,"token_type":"Bearer"}',
    "/services/api/oauth2/token": b'{"access_token":"benchmark","expires_in":86400,"token_type":"Bearer"}',
}
PAGE_SIZE = re.compile(rb"maxpagesize=(\d+)")
UNLIMITED = 1_000_000


class Api(ABC):
    """The endpoints of a data set.

    Args:
        dataset: The data set.
        rows: Its records.
    """

    path: ClassVar[str]
    changed: ClassVar[tuple[str, ...]] = ()
    """The parameters of a request for changed records. Nothing has changed, so the page is empty."""

    def __init__(self, dataset: Dataset, rows: Rows) -> None:
        self.dataset = dataset
        self.rows = rows

    def respond(self, target: str, head: bytes) -> tuple[int, Sequence[bytes | memoryview]]:
        """Returns the status and the parts of the body.

        Args:
            target: The path and query that were requested.
            head: The request line and headers.
        """
        url = urlsplit(target)
        if token := TOKENS.get(url.path):
            return 200, (token,)
        if url.path != self.path:
            return self.respond_to_other_path(url.path)
        params = {name: values[-1] for name, values in parse_qs(url.query).items()}
        return 200, self.make_page(params, head)

    def respond_to_other_path(self, path: str) -> tuple[int, Sequence[bytes | memoryview]]:  # noqa: ARG002
        """Returns the response to any other path."""
        return 404, (b"{}",)

    @abstractmethod
    def make_page(self, params: Mapping[str, str], head: bytes) -> Sequence[bytes | memoryview]:
        """Returns a page."""

    def make_limit_headers(self, per_second: float, remaining: int) -> bytes:
        """Returns the headers that state a rate limit: those of Personio's gateway."""
        return (
            f"x-ratelimit-replenish-rate: {per_second:.0f}\r\nx-ratelimit-burst-capacity: {per_second:.0f}\r\n"
            f"x-ratelimit-requested-tokens: 1\r\nx-ratelimit-remaining: {remaining}\r\n"
        ).encode()

    def _find_window(self, params: Mapping[str, str], first: str, last: str, *, days: bool) -> tuple[int, int]:
        """Returns the range of records in a window. Days include the last one; timestamps are at midnight."""
        if any(name in params for name in self.changed):
            return 0, 0
        low, high = params.get(first), params.get(last)
        end = (
            self.rows.count
            if not high
            else self.rows.find_first_on_day(high)
            if not days
            else self.rows.find_first_after_day(high)
        )
        return (self.rows.find_first_on_day(low) if low else 0), end


class Attendances(Api):
    """Personio v1: pages by offset, with the total."""

    path = "/v1/company/attendances"
    changed = ("updated_from",)

    def make_page(self, params: Mapping[str, str], head: bytes) -> Sequence[bytes | memoryview]:  # noqa: ARG002
        """Returns a page of up to 200 records."""
        low, high = self._find_window(params, "start_date", "end_date", days=True)
        offset, size = int(params.get("offset", 0)), min(int(params.get("limit", 200)), 200)
        total = max(high - low, 0)
        head_part = (
            f'{{"success":true,"metadata":{{"total_elements":{total},"current_page":{offset // size},"total_pages":'
            f'{-(-total // size)}}},"offset":"{offset}","limit":"{size}","data":['
        )
        return head_part.encode(), self.rows.read_range(low + offset, min(low + offset + size, high)), b"]}"


class Periods(Api):
    """Personio v2: pages by a cursor that holds the next record and the end of the requested window."""

    path = "/v2/attendance-periods"
    changed = ("updated_at.gte",)

    def make_page(self, params: Mapping[str, str], head: bytes) -> Sequence[bytes | memoryview]:  # noqa: ARG002
        """Returns a page of up to 100 records."""
        size = min(int(params.get("limit", 100)), 100)
        if cursor := params.get("cursor"):
            low, high = map(int, cursor.split("-"))
        else:
            low, high = self._find_window(params, "start.date_time.gte", "start.date_time.lte", days=False)
        following = low + size
        link = f',"next":{{"href":"{self.path}?limit={size}&cursor={following}-{high}"}}' if following < high else ""
        tail = f'],"_meta":{{"links":{{"self":{{"href":"{self.path}"}}{link}}}}}}}'
        return b'{"_data":[', self.rows.read_range(low, min(following, high)), tail.encode()


class Shifts(Api):
    """Factorial: one response per window."""

    path = "/api/2026-10-01/resources/attendance/shifts"
    changed = ("updated_at",)

    def make_page(self, params: Mapping[str, str], head: bytes) -> Sequence[bytes | memoryview]:  # noqa: ARG002
        """Returns all records of a window."""
        low, high = self._find_window(params, "start_on", "end_on", days=True)
        tail = (
            '],"meta":{"has_next_page":false,"has_previous_page":false,"start_cursor":null,"end_cursor":null,'
            f'"limit":null,"total":{max(high - low, 0)}}}}}'
        )
        return b'{"data":[', self.rows.read_range(low, high), tail.encode()


class Transcripts(Api):
    """Cornerstone: linked pages, whose size is requested by a header, and the metadata."""

    root = "/services/api/x/dataexporter/api/objects"
    path = f"{root}/transcript_core"
    edm: ClassVar = {
        "integer": "Edm.Int32",
        "boolean": "Edm.Boolean",
        "number": "Edm.Decimal",
        "timestamp": "Edm.DateTimeOffset",
        "text": "Edm.String",
    }

    def respond_to_other_path(self, path: str) -> tuple[int, Sequence[bytes | memoryview]]:
        """Returns the metadata."""
        if path != f"{self.root}/$metadata":
            return super().respond_to_other_path(path)
        key = "".join(f'<PropertyRef Name="{name}"/>' for name in self.dataset.key)
        properties = "".join(
            f'<Property Name="{column.path}" Type="{self.edm[column.kind]}"/>' for column in self.dataset.columns
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" '
            'xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
            '<Schema Namespace="Csod" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
            f'<EntityType Name="transcript_core"><Key>{key}</Key>{properties}</EntityType>'
            '<EntityContainer Name="Container"><EntitySet Name="transcript_core" EntityType="Csod.transcript_core"/>'
            "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
        )
        return 200, (text.encode(),)

    def make_page(self, params: Mapping[str, str], head: bytes) -> Sequence[bytes | memoryview]:
        """Returns a page. The link's token is the number of its first record."""
        asked = PAGE_SIZE.search(head)
        low = int(params.get("$skiptoken", 0))
        following = low + (int(asked[1]) if asked else 1_000)
        is_last = following >= self.rows.count
        link = "" if is_last else f',"@odata.nextLink":"transcript_core?$skiptoken={following}"'
        beginning = b'{"@odata.context":"$metadata#transcript_core","value":['
        return beginning, self.rows.read_range(low, min(following, self.rows.count)), f"]{link}}}".encode()

    def make_limit_headers(self, per_second: float, remaining: int) -> bytes:
        """Returns the headers that state a rate limit, which is one per hour."""
        return (
            f"x-csod-throttling-rate-limit-urilevel: {per_second * 3660:.0f}\r\n"
            f"x-csod-requests-remaining-urilevel: {remaining}\r\n"
        ).encode()


APIS: dict[str, Callable[[Dataset, Rows], Api]] = {
    "attendances": Attendances,
    "attendance_periods": Periods,
    "attendance_shifts": Shifts,
    "transcript_core": Transcripts,
}
