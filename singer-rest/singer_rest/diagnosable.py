"""The attributes that a stream declares for the reports of `--doctor` and `--plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from singer_rest.fetching import FetchingStream
from singer_rest.http.paginators import Paginator, get_request_param, with_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.http.request import Request


class DiagnosableStream(FetchingStream):
    """A stream of which a few records can be requested."""

    pagination: ClassVar[Paginator]
    page_size: ClassVar[int | None]
    page_size_param: ClassVar[str]

    sample_size: ClassVar[int] = 1
    """Number of records that `--doctor` requests."""
    hidden_columns_advice: ClassVar[str] = ""
    """Advice on how to make columns readable that the credential cannot read."""
    counted_by: ClassVar[Sequence[str]] = ()
    """Streams that together report the total of the same records, if this one reports none."""

    @property
    def hidden_columns(self) -> Literal["absent", "null"] | None:
        """Whether columns that the credential cannot read are absent or null. None: no permission hides columns."""
        return None

    def column_label(self, name: str) -> str:
        """Returns the label of a column in the vendor's user interface."""
        return name

    def sample_request(self, request: Request, size: int) -> Request:
        """Returns the first request of a list, for at most so many records if the endpoint takes a page size."""
        param = self.page_size_param if self.page_size else self.pagination.size_param
        given = get_request_param(request, param, self.pagination.location) if param else None
        if param is None or given is None:
            return request
        return with_params(request, {param: min(size, int(given))}, self.pagination.location)

    def count_request(self, request: Request) -> Request:
        """Returns a request that shows how many records a list has: by default its first page as a run requests it."""
        return request

    def pages_for(self, total: int, page_size: int) -> int:
        """Returns how many pages a list of so many items has."""
        return max(1, -(-total // page_size))
