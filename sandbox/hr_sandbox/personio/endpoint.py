"""Declarations of endpoints, and how their parameters and pages are handled."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from hr_sandbox.company.model.company import Record, key_of
from hr_sandbox.http.limits import Rate
from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.errors import make_invalid_parameter, make_invalid_value, make_problem
from hr_sandbox.personio.modes import NORMAL
from hr_sandbox.personio.pages import CursorError, Links, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.company import Table
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.filters import Filter
    from hr_sandbox.personio.pages import Cursors

MAX_CACHED_RESULTS = 32
MAX_DIGITS = 9

ALL = 1_000_000_000  # the page size of endpoints that do not page
DEFAULT_RATE = Rate(50, 100)
PLAIN_LINKS = Links()

R = TypeVar("R", bound=Record)
Values = dict[str, Any]  # path parameters and parsed filters
Rows = list[Any]  # records of the company; only the endpoint's own functions know their type


@dataclass(frozen=True, slots=True)
class RenderContext:
    """Everything that rendering a record depends on, apart from the record itself."""

    company: Company
    root: str
    values: Mapping[str, Any] = field(default_factory=dict)
    permissions: frozenset[str] | None = None  # None for all
    mode: str = NORMAL


def find_or_fail(table: Table[R], key: str) -> R:
    """Returns the record with this id. Raises ApiError (404) if there is none."""
    row = table.find(key)
    if row is None:
        raise ApiError(make_problem(404))
    return row


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The declaration of one path.

    Attributes:
        path: with its parameters in braces.
        stream: the stream whose records it returns.
        render: turns a record into its body, or into a row of cells.
        forbidden_status: the status if the permission is missing.
        filters: its query parameters except `limit` and `cursor`.
    """

    path: str
    stream: str
    render: Callable[[Any, RenderContext], Any]
    permission: str
    _: KW_ONLY
    forbidden_status: int = 404
    rate: Rate = DEFAULT_RATE
    filters: tuple[Filter, ...] = ()

    def parse_filters(self, raw: Mapping[str, str]) -> Values:
        """Parses the filters. Rejects unknown, empty, malformed and missing ones."""
        known = {row.name: row for row in self.filters}
        values: Values = {}
        for name, text in raw.items():
            if name not in known:
                raise make_invalid_parameter(name)
            try:
                values[name] = known[name].parse(text)
            except ValueError as error:
                raise make_invalid_value(name, known[name].status, known[name].title) from error
        for row in self.filters:
            if row.required and row.name not in values:
                raise make_invalid_value(row.name)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEndpoint(Endpoint):
    """An endpoint that returns one record by its id.

    Attributes:
        find: returns the record, or None.
    """

    find: Callable[[Company, Values], Any]

    def make_body(self, context: RenderContext, raw: Mapping[str, str], path_values: Values) -> Json:
        """Returns the body of the record. Raises ApiError (404) if there is none."""
        values = {**self.parse_filters(raw), **path_values}
        row = self.find(context.company, values)
        if row is None:
            raise ApiError(make_problem(404))
        body: Json = self.render(row, RenderContext(context.company, context.root, values, context.permissions))
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEndpoint(Endpoint):
    """An endpoint that returns records in pages.

    Attributes:
        table: the company's table with its records, if these can also be read by `<path>/{id}`.
        rows: returns all records in order, before the filters apply; by default those of the table. May reject
            combinations of values.
        default_limit: the page size if the request has no `limit`.
        max_limit: the largest page size.
        limit_status: the status for an invalid page size.
        accepts_any_limit: whether zero and negative limits mean all rows.
        exclusive_cursor: whether other parameters beside a cursor are rejected.
        paged: whether it supports `limit` and `cursor`.
        links: how its links look.
        extra_body: returns further members of the body; its `_meta` is merged.
        slices: returns the parameter values of all requests that read the endpoint in full, for a window of dates.
        extra_fields: returns the values that only the path or query contains, for the controls.
        find: returns a record by the values of `<path>/{id}`, or None; by default by its id in the table. Without a
            table there is no such path.
        item_filters: the query parameters of `<path>/{id}`.
        item_render: renders the record of `<path>/{id}`, if it differs from those of the list.
    """

    table: str = ""
    rows: Callable[[Company, Values], Sequence[Any]] | None = None
    default_limit: int = 100
    max_limit: int = 100
    limit_status: int = 400
    accepts_any_limit: bool = False
    exclusive_cursor: bool = False
    paged: bool = True
    links: Links = PLAIN_LINKS
    extra_body: Callable[[RenderContext], Json] | None = None
    slices: Callable[[Company, date, date], Iterable[Values]] = lambda *_: ({},)
    extra_fields: Callable[[Values, Any], Json] = lambda *_: {}
    find: Callable[[Company, Values], Any] | None = None
    item_filters: tuple[Filter, ...] = ()
    item_render: Callable[[Any, RenderContext], Any] | None = None

    def with_item(self) -> tuple[Endpoint, ...]:
        """Returns this endpoint and, if it has one, the endpoint of its single records."""
        if not (self.find or self.table):
            return (self,)
        item = ItemEndpoint(
            f"{self.path}/{{id}}",
            self.stream,
            self.item_render or self.render,
            self.permission,
            forbidden_status=self.forbidden_status,
            rate=self.rate,
            filters=self.item_filters,
            find=self.find or (lambda company, values: getattr(company, self.table).find(values["id"])),
        )
        return self, item

    def find_position(self, path: str, raw: dict[str, str], cursors: Cursors) -> Position:
        """Returns the position of the requested page. A cursor includes the filters and the limit."""
        if not self.paged and not raw.keys().isdisjoint(("limit", "cursor")):
            raise make_invalid_parameter("limit")
        asked = raw.pop("limit", None)
        limit = self.default_limit if asked is None else self._parse_limit(asked)
        cursor = raw.pop("cursor", None)
        if cursor is None:
            return Position(path, raw, limit, 0, "")
        if self.exclusive_cursor and (raw or asked is not None):
            raise make_invalid_parameter("cursor")
        try:
            position = cursors.decode(cursor, path)
        except CursorError as error:
            raise make_invalid_value("cursor") from error
        for name, text in raw.items():
            if position.query.get(name) != text:
                raise make_invalid_parameter(name)
        if asked is not None and limit != position.limit:
            raise make_invalid_value("limit", self.limit_status)
        return position

    def _parse_limit(self, text: str) -> int:
        negative = self.accepts_any_limit and text.startswith("-")
        digits = text[negative:]
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
            raise make_invalid_value("limit", self.limit_status)
        if self.accepts_any_limit and int(text) <= 0:
            return ALL
        if not 1 <= int(text) <= self.max_limit:
            raise make_invalid_value("limit", self.limit_status)
        return int(text)

    def select_rows(self, company: Company, values: Values) -> Rows:
        """Returns all rows that match the filters, in order."""
        tests = [(row.accepts, values[row.name]) for row in self.filters if row.accepts and row.name in values]
        rows = self.rows(company, values) if self.rows else getattr(company, self.table)
        return [row for row in rows if all(accepts(row, wanted) for accepts, wanted in tests)]

    def read_all(self, company: Company, first: date, last: date) -> Iterator[tuple[Values, Rows]]:
        """Yields all rows, slice by slice."""
        for values in self.slices(company, first, last):
            yield values, self.select_rows(company, dict(values))


class ResultCache:
    """Keeps the filtered rows of recent requests, so that the next page need not filter again."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[object, ...], Rows] = OrderedDict()

    def find_rows(
        self, endpoint: ListEndpoint, company: Company, position: Position, values: Values, duplicates: set[str]
    ) -> Rows:
        """Returns the rows that match a request, including duplicates."""
        logged = len(company.events) + len(company.deliveries)  # grow without a change of the company
        key = (position.path, tuple(sorted(position.query.items())), position.limit, company.version, logged)
        rows = self._rows.pop(key, None)
        if rows is None:
            rows = repeat_rows(endpoint.select_rows(company, values), position.limit, duplicates)
        if len(rows) > position.limit:
            self._rows[key] = rows
            while len(self._rows) > MAX_CACHED_RESULTS:
                self._rows.popitem(last=False)
        return rows


def repeat_rows(rows: Rows, limit: int, keys: set[str]) -> Rows:
    """Repeats some rows at the beginning of the next page, or at the end of the last one."""
    for key in sorted(keys):
        index = next((index for index, row in enumerate(rows) if key_of(row) == key), None)
        if index is not None:
            place = min((index // limit + 1) * limit, len(rows))
            rows = [*rows[:place], rows[index], *rows[place:]]
    return rows


def find_page_start(rows: Rows, position: Position) -> int:
    """Returns the offset of a page in rows that may have changed since the cursor was made."""
    offset = min(position.offset, len(rows))
    if not position.after or (offset and key_of(rows[offset - 1]) == position.after):
        return offset
    found = next((index for index, row in enumerate(rows) if key_of(row) == position.after), None)
    return max(offset - 1, 0) if found is None else found + 1
