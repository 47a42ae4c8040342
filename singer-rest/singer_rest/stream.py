"""The base class of all streams. Most streams only declare attributes."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from singer_sdk import Stream
from typing_extensions import override

from singer_rest.declarations import check_stream
from singer_rest.errors import TapError
from singer_rest.fetch.coverage import Coverage
from singer_rest.fetch.meanings import Meaning
from singer_rest.fetch.page import ParsedBody, StructRows
from singer_rest.fetch.window_splitter import chain_requests
from singer_rest.http.paginators import PageContents, Paginator, SinglePage
from singer_rest.http.request import Request, encode_json_body, merge_params, value_at_path, with_property
from singer_rest.replicated import ReplicatedStream
from singer_rest.singer.coercion import Coercion
from singer_rest.singer.page_reader import PageReader
from singer_rest.singer.page_rows import RowShape
from singer_rest.singer.records import RecordConformer
from singer_rest.singer.schemas import EXTRA
from singer_rest.slices.base import SingleSlice, Slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_rest.aliases import Params, Record
    from singer_rest.changes import ChangedSince
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Reply
    from singer_rest.privacy.stream_privacy import StreamPrivacy
    from singer_rest.slices.base import Slice
    from singer_rest.slices.ids import ById

RECORD_METHODS = ("decode", "parse", "unwrap_record", "process_records", "post_process", "prepared_records")


class RestStream(ReplicatedStream):
    """An endpoint of a REST API that returns a list of records.

    A stream declares the attributes below, in this order. A base class per vendor declares what all of its endpoints
    have in common (`pagination`, `records_path`), and overrides `classify` if the vendor's statuses have unusual
    meanings. `page_request` and `parse` are overridden only for unusual endpoints.
    """

    name: str
    path: str
    """The path below `api_url`. Slices fill its placeholders, such as ``{employee_id}``."""
    permission: ClassVar[str | None]
    """The permission that the credential needs, in the vendor's words. None for a public endpoint."""
    primary_keys: Sequence[str]
    replication_key: str | None = None
    changed_since: ClassVar[ChangedSince | None] = None
    bookmark_is_run_start: ClassVar[bool] = False
    """Whether the bookmark is the start of the run: for incremental filters without a timestamp in the records."""
    verify_filter: ClassVar[bool] = False
    """Whether to fall back to a full read if the vendor ignores `changed_since`, rejects it or times out."""
    lookback: ClassVar[pendulum.Duration] = pendulum.duration(minutes=5)
    """The time before the bookmark at which a run starts, because clocks differ and reading many pages takes time."""
    pagination: ClassVar[Paginator] = SinglePage()
    """The paginator, which requests the pages of the list."""
    page_size: ClassVar[int | None] = None
    """Records to request per page. None for the vendor's default, or if `pagination` sends the size."""
    page_size_param: ClassVar[str] = "limit"
    params: ClassVar[Params] = {}
    method: ClassVar[str] = "GET"
    """The HTTP method. Failed requests are retried, so use POST only for searches."""
    body: ClassVar[Mapping[str, Any]] = {}
    """The JSON body. `pagination` may add properties to it; slices and `changed_since` add to the query."""
    records_path: ClassVar[str] = "data"
    """The path of the list of records in the body, such as ``result.items``. Empty if the body itself is the list."""
    row_shape: ClassVar[RowShape] = RowShape()
    """The differences between a vendor's records and their rows. A base class that overrides any of `RECORD_METHODS`
    declares it, if that is all that they change. The pages of a stream that overrides them too are read record by
    record.
    """
    total_path: ClassVar[str | None] = None
    """The path of the total number of records in the body. None: the body has none."""
    versioned: ClassVar[bool] = True
    """Whether rows that are missing in a full read were deleted. False if the API drops old records."""
    prefetches: ClassVar[bool] = True
    """Whether pages are requested ahead. False if page links expire soon, or requests must not run concurrently."""
    log_parent_ids: ClassVar[bool] = False
    """Whether warnings name the parents whose children could not be read. False if the parents are people."""
    unreadable_advice: ClassVar[str] = ""
    """Advice to the user about slices that the vendor cannot return."""
    all_unreadable: ClassVar[str] = ""
    """Why the stream fails if the vendor can return no slice at all. Empty if it does not fail."""
    used_in_connection_test: ClassVar[bool] = True
    """Whether the connection test reads the stream. False if even one request is expensive."""
    by_id: ClassVar[ById | None] = None
    """Requests records by their ids, for `--only`. None: the vendor cannot return single records."""
    optional: ClassVar[bool] = False
    """Whether the stream is in the catalog only if `optional_streams` names it."""
    setting: ClassVar[str | None] = None
    """The setting that the stream needs to be in the catalog."""
    discovery_permission: ClassVar[str | None] = None
    """The permission to read which columns the company or its portal defines. None: it defines none."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Checks the stream's declaration.

        Raises:
            TypeError: If an attribute is missing, or no slice fills a placeholder of the path.
        """
        super().__init_subclass__(**kwargs)
        check_stream(cls, RestStream)

    @property
    def slices(self) -> Slices:
        """The slices into which the stream is divided. A class attribute, or a property if it depends on a setting."""
        return SingleSlice()

    @cached_property
    def coverage(self) -> Coverage:
        """The slices that this read could not read, or has to request again."""
        return self.new_coverage()

    def new_coverage(self) -> Coverage:
        """Returns the empty coverage of another read of the stream."""
        return Coverage(
            self.name,
            self.slices,
            self.permission,
            has_key=self.has_key,
            log_parent_ids=self.log_parent_ids,
            unreadable_advice=self.unreadable_advice,
            all_unreadable=self.all_unreadable,
        )

    @property
    def writes_batches(self) -> bool:
        """Whether the records go to BATCH files."""
        return self.get_batch_config(self.config) is not None

    @cached_property
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""
        names = {"look_alikes": self.look_alikes, "free_names": self.free_names}
        return RecordConformer(self.effective_schema, self.primary_keys, **names, mask=self.mask)

    @override
    def privacy_of(self, schema: Mapping[str, Any]) -> StreamPrivacy | None:
        privacy = self._tap.privacy
        if not privacy.is_active:
            return None
        return privacy.compiler.compile(self.name, schema, self.primary_keys, self.replication_key)

    def page_request(self, part: Slice, since: datetime | None) -> Request:
        """Returns the request for the first page of a slice. `since` is None for a full read.

        Raises:
            TapError: If the path has a placeholder that the slice does not fill.
        """
        size = {self.page_size_param: self.page_size} if self.page_size else {}
        paging: Mapping[str, str | int] = {**size, **self.pagination.first_params()}
        body, in_query = dict(self.body), paging
        if self.pagination.location == "json":
            in_query = {}
            for name, value in paging.items():
                body = with_property(body, name, value)
        changed = self.changed_since.filter_params(since) if since and self.changed_since else {}
        params = merge_params({name: str(value) for name, value in in_query.items()}, self.params, part.params, changed)
        try:
            path = self.path.format(**part.path)
        except KeyError as error:
            raise TapError(f"{self.name}: `slices` fill no placeholder {{{error.args[0]}}} of `path`.") from None
        return Request(path, params, self.path, method=self.method, body=encode_json_body(body) if body else None)

    def find_items(self, body: Any) -> Any:  # noqa: ANN401
        """Returns the list of items in a decoded body. Anything but a list is an error."""
        return value_at_path(body, self.records_path)

    def find_total(self, body: Any) -> int | None:  # noqa: ANN401
        """Returns the total number of items in the list. None if the body does not contain it."""
        found = value_at_path(body, self.total_path) if self.total_path else None
        return found if type(found) is int else None

    def parse(self, body: Any, request: Request) -> ParsedBody:  # noqa: ANN401
        """Parses a decoded body. Items that are not objects are counted as records that the vendor could not return.

        Raises:
            TapError: If the body is not of the documented shape.
        """
        items = self.find_items(body)
        if not isinstance(items, list):
            raise TapError(f"{self.name}: the response of {self.path} contains no list of records. Check `api_url`.")
        if self.pagination.is_repeated(request, items):
            return ParsedBody([])
        records = items.records if isinstance(items, StructRows) else self._records_in(items)
        total = self.find_total(body)
        return ParsedBody(
            records,
            self.next_requests(request, body, items, total),
            total=total,
            item_count=len(items),
            failed_items=len(items) - len(records),
        )

    def _records_in(self, items: list[Any]) -> Sequence[Record]:
        records = [item for item in items if isinstance(item, dict)]
        if type(self).unwrap_record is RestStream.unwrap_record:
            return records
        return [self.unwrap_record(record) for record in records]

    def unwrap_record(self, record: Record) -> Record:
        """Returns a record without the vendor's wrapping. By default it has none."""
        return record

    @override
    def read_whole_page(self, reply: Reply, request: Request) -> Any:
        if self._page_reader is None:
            return None
        return self._page_reader.read(reply.body, lambda: self.parse(self.decode(reply), request).records)

    @cached_property
    def _page_reader(self) -> PageReader | None:
        """Reads whole pages. None: the stream changes records itself, or not all of what it reads is written."""
        declaring = next(base for base in type(self).__mro__ if "row_shape" in vars(base))
        changes = any(getattr(type(self), name) is not getattr(declaring, name) for name in RECORD_METHODS)
        batches = self.get_batch_config(self.config)
        is_parquet = batches is not None and batches.encoding.format == "parquet"
        if changes or is_parquet or not self._writes_whole_pages:
            return None
        names = Coercion(self.look_alikes)
        return PageReader(
            {name: part for name, part in self.effective_schema["properties"].items() if name != EXTRA},
            self.primary_keys,
            self._key,
            records_path=self.records_path,
            shape=self.row_shape,
            is_public=lambda column, name: column in self.free_names or names.is_public(name),
            privacy=self.privacy,
        )

    def next_requests(
        self,
        request: Request,
        body: Any,  # noqa: ANN401
        items: Sequence[Any],
        total: int | None = None,
    ) -> list[Request]:
        """Returns the requests for the pages that follow a page, according to `pagination`.

        Args:
            request: The request for the page.
            body: Its decoded body.
            items: The items in it.
            total: The total number of items in the list. None if unknown.

        Raises:
            TapError: If the page does not say where the next one is, or links to another host.
        """
        try:
            return self.pagination.next_requests(request, PageContents(body, items, total, self.transport.api_url))
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        """Returns the meaning of a response, or the request to send instead. Only this method looks at the status."""
        if reply.status == HTTPStatus.NO_CONTENT and self.pagination.is_announced(request):
            return Meaning.RETRY
        return self.restart_request(reply, request) or super().classify(reply, request)

    def restart_request(self, reply: Reply, request: Request) -> Request | None:
        """Returns the request that restarts the list, if the response means that the page token has expired."""
        again = self.pagination.restart_request(request, reply.status)
        if again:
            self.logger.info("%s: the page token has expired; reading the list from its beginning.", self.name)
        return again

    def first_request(self, part: Slice, since: datetime | None) -> Request:
        """Returns the first request of a slice, split into smaller windows if earlier ones timed out."""
        return chain_requests(self._window_splitter.split_known(self.page_request(part, since)))

    def parent_id(self, record: Record) -> str | None:
        """Returns the id by which a record is the parent of others. None if it has no id, and so no children."""
        parent_id = record.get(type(self).primary_keys[0])  # not the keys that a catalog may override
        is_id = isinstance(parent_id, (str, int)) and not isinstance(parent_id, bool)
        return (str(parent_id) or None) if is_id else None

    def changed_at(self, record: Record) -> str | None:
        """Returns when a record last changed, for children that change only together with it."""
        return record.get(self.replication_key or "")

    def position_after(self, page: Page) -> str | None:  # noqa: ARG002
        """Returns where a later run may continue a list without slices after a page, or None if it may not."""
        return None

    def prepared_records(self, page: Page) -> list[Record]:
        """Returns the page's records as they are emitted: with the slice's columns, fitted to the schema.

        Pages of other slices may come in between. `page.memory` keeps what matters of the slice's earlier pages.
        """
        self.conformer.start_page(page.memory)
        if page.slice.columns:
            for record in page.records:
                record.update(page.slice.columns)
        records = self.conformer.conform_page(self.process_records([*page.records]))
        if page.ends_slice:
            self.conformer.end_slice(page.memory)
        return records

    def process_records(self, records: list[Record]) -> list[Record]:
        """Changes or leaves out records of a page. By default `post_process` is applied to each record."""
        if type(self).post_process is Stream.post_process:
            return records
        processed = (self.post_process(record) for record in records)
        return [record for record in processed if record is not None]
