"""The base classes of Factorial's streams: parameters, pagination, records and statuses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pendulum
from singer_rest import (
    CursorParam,
    Meaning,
    ParsedBody,
    Reply,
    Request,
    RestStream,
    RestTap,
    RetryableError,
    Slice,
    Slices,
    TapError,
    parse_count,
)
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_factorial import schemas
from tap_factorial.openapi.columns import is_id
from tap_factorial.slices import slices_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_rest import Page, Record

    from tap_factorial.table import Row

PAGE_SIZE = 100
CONTAINERS = frozenset({dict, list})
ID_HOLDERS = CONTAINERS | {int}
EARLIEST = pendulum.datetime(2000, 1, 1)
"""The value of a required incremental filter in a full read."""


class FactorialTap(RestTap):
    """The part of the tap that its streams use."""

    @abstractmethod
    def warn_if_other_version(self, path: str, records: Sequence[Record]) -> None:
        """Warns once if the records look like records of another API version than the requested one."""


class FactorialStream(RestStream):
    """An endpoint of Factorial's API. `lists.toml` describes what is particular to each."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))
    pagination = CursorParam("after_id", "meta.end_cursor", has_more="meta.has_next_page")
    page_size = PAGE_SIZE
    verify_filter = True
    sample_size = 20
    hidden_columns_advice = (
        "Factorial sends null for what the permission group of the token's user does not include. If Factorial shows "
        "values there, extend that group, or use a company's token."
    )

    _tap: FactorialTap

    row: ClassVar[Row]

    @override
    @cached_property
    def slices(self) -> Slices:
        return slices_of(self.row, self.config.get("date_window_days"))

    @property
    @override
    def hidden_columns(self) -> Literal["null"] | None:
        return None if self.config.get("api_key") else "null"  # a key reads everything

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        if self.row.always and not since:
            since = EARLIEST
        if not self.row.changed_since:
            since = None  # the slices filter by the days of changes
        return super().page_request(replace(part, params={**self._params_of_this_run(), **part.params}), since)

    @override
    def changed_at(self, record: Record) -> str | None:
        return record.get("updated_at")  # even if the bookmark is the start of the run, to verify the filter

    def _params_of_this_run(self) -> Mapping[str, str]:
        """Returns the parameters whose values are the date of the run or a setting."""
        today = self._tap.started.date().isoformat()
        settings = {param: str(self.config[name]) for param, name in self.row.setting.items()}
        return {**dict.fromkeys(self.row.today, today), **settings}

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        # Unlike the default, this accepts empty lists without `data`, and rows that are not objects.
        if isinstance(body, dict) and body.get("data") is None and body.get("errors", ()) is None:
            if self.pagination.is_announced(request):  # cannot be the end of a list that has more pages
                raise RetryableError("a page without its rows", broken=True)
            return ParsedBody([], maybe_incomplete=True)  # how some modules return an empty list
        rows = body.get("data") if isinstance(body, dict) else None
        meta = (body.get("meta") or {}) if isinstance(body, dict) else None
        records = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not (isinstance(meta, dict) and isinstance(rows, list)):
            raise TapError(f"{self.name}: the response of {self.path} contains no list of records. Check `api_url`.")
        total = parse_count(meta.get("total"))
        # If the total counts something else, a page has at most as many items as its size.
        items = len(rows) if self.row.total == "rows" else PAGE_SIZE
        parsed = ParsedBody(records, total=total, item_count=items, failed_items=len(rows) - len(records))
        following = self.next_requests(request, body, rows)
        has_more = meta.get("has_next_page")
        is_all = has_more in {False, "false"} or self.row.one_answer or (total == items == len(rows))
        size = min(parse_count(meta.get("limit")) or PAGE_SIZE, PAGE_SIZE)
        if not following and not is_all and rows and len(rows) >= size:
            raise TapError(f"{self.name}: a full page does not say whether another follows. Run again later.")
        return replace(parsed, next_requests=following)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # The body may be JSON, a page of the gateway, or empty. An endpoint that the version lacks answers 404.
        of_parent = self.slices.parent is not None
        if reply.status == HTTPStatus.PAYMENT_REQUIRED:  # applies to the module, even if a parent was requested
            return Meaning.NOT_LICENSED
        if reply.status == HTTPStatus.NOT_FOUND:
            return Meaning.PARENT_GONE if of_parent else Meaning.NO_PERMISSION
        if reply.status in {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT} and of_parent:
            return Meaning.PARENT_FORBIDDEN
        return super().classify(reply, request)

    @override
    def prepared_records(self, page: Page) -> list[Record]:
        self._tap.warn_if_other_version(self.path.partition("/resources/")[2], page.records)
        return super().prepared_records(page)

    @cached_property
    def _typed(self) -> set[str]:
        """The columns in which a number need not be converted here: it is no id, or the schema makes it text."""
        properties = self.effective_schema["properties"]
        return {name for name, part in properties.items() if not is_id(name) or "string" in part.get("type", ())}

    @override
    def process_records(self, records: list[Record]) -> list[Record]:
        kept = {name: self.config[self.row.setting[name]] for name in self.row.kept_settings}
        for row in records:
            row.update(kept)
            if row.keys() <= self._typed and CONTAINERS.isdisjoint(map(type, row.values())):
                continue
            for name, value in row.items():
                if value.__class__ in ID_HOLDERS:
                    row[name] = _with_text_ids(name, value)
        return records


def _with_text_ids(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever the API sent
    """Converts the ids in a value to text, by the names of fields, since older versions send numbers.

    The schema already does this for the fields that it lists; this is for all others.
    """
    if value.__class__ is int:
        return str(value) if is_id(name) else value
    left = [(name, value)]  # not recursive: values may be nested at any depth
    while left:
        name, part = left.pop()
        fields = part if part.__class__ is dict else [name] * len(part)
        places = [*part] if part.__class__ is dict else range(len(part))
        for field, place in zip(fields, places, strict=True):
            inner = part[place]
            if inner.__class__ is int and is_id(field):
                part[place] = str(inner)
            elif inner.__class__ in CONTAINERS:
                left.append((field, inner))
    return value
