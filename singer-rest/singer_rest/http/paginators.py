"""Paginators, which request the pages of an endpoint.

A paginator is a value of a stream's attribute `pagination`. It knows the parameters of a list's first page, and the
requests for the pages that follow one. It keeps nothing itself: what it has to remember travels on the requests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from singer_rest.errors import TapError
from singer_rest.http.request import decode_json_body, encode_json_body, value_at_path, with_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest.http.request import Request

MAX_TOTAL = 1_000_000_000
"""Records; a larger total is taken for a mistake of the vendor."""
MAX_PAGES_AHEAD = 20_000
"""Pages of one list that are requested at a time; the last of them leads to the next ones."""
EXPIRED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""Statuses with which vendors reject a page token that has expired."""

Location = Literal["query", "json"]
"""Where a parameter is sent: in the query, or as a property of the JSON body."""


@dataclass(frozen=True)
class PageContents:
    """The contents of a page that a paginator needs.

    Args:
        body: The decoded body.
        items: The items of the list in the body, including items that are not records.
        total: How many items the whole list holds; None if the vendor does not say.
        api_url: The tap's `api_url`.
    """

    body: Any
    items: Sequence[Any]
    total: int | None = None
    api_url: str = ""


class Paginator(ABC):
    """A way to request page after page."""

    location: Location = "query"
    size_param: str | None = None
    """The parameter for the number of items on a page, if the paginator sends it."""

    def first_params(self) -> Mapping[str, str | int]:
        """Returns the parameters that request the first page."""
        return {}

    @abstractmethod
    def next_requests(self, request: Request, contents: PageContents) -> list[Request]:
        """Returns the requests for the pages that follow: none after the last page, several if their number is known.

        Args:
            request: The request for the page.
            contents: The contents of the page.

        Raises:
            TapError: If the page does not say where the next one is, or leads to another host.
        """

    def is_repeated(self, request: Request, items: Sequence[Any]) -> bool:  # noqa: ARG002
        """Whether a page repeats the one before it because the vendor ignores the parameter."""
        return False

    def is_announced(self, request: Request) -> bool:  # noqa: ARG002
        """Whether the previous page said that this page exists, so that a response without content cannot be right."""
        return False

    def restart_request(self, request: Request, status: int) -> Request | None:  # noqa: ARG002
        """Returns the request that restarts the list. None if the status does not mean an expired page token."""
        return None


class SinglePage(Paginator):
    """The endpoint returns the whole list in one response."""

    def next_requests(self, request: Request, contents: PageContents) -> list[Request]:  # noqa: ARG002
        """Returns no request, because there is only one page."""
        return []


@dataclass(frozen=True)
class PageNumber(Paginator):
    """Pages are requested by their number.

    If the vendor reports how many items there are, all pages are requested at once. A full last page is followed by
    another one, since a total may be too small and a list may grow. Without a total, the list ends with an empty page:
    a vendor may send fewer items than were requested on a page.

    Args:
        param: The parameter for the page's number.
        size: Items on a page.
        first: The number of the first page.
        size_param: The parameter for the size; None if there is none.
        location: Where the parameters are sent.
    """

    param: str
    size: int
    first: int = 1
    size_param: str | None = "limit"
    location: Location = "query"

    counts_items: ClassVar[bool] = False

    def first_params(self) -> Mapping[str, str | int]:
        """Returns the number of the first page, and the size of a page."""
        return {self.param: self.first, **({self.size_param: self.size} if self.size_param else {})}

    def next_requests(self, request: Request, contents: PageContents) -> list[Request]:
        """Returns the requests for the pages that follow: all of them if the total is known, else the next one."""
        items = contents.items
        if request.total_known or not items:
            return []
        total = contents.total if contents.total and contents.total <= MAX_TOTAL else None
        number = int(get_request_param(request, self.param, self.location))
        size = int(get_request_param(request, self.size_param, self.location) or self.size)
        done = number - self.first + (len(items) if self.counts_items else 1)
        if total and number == self.first and len(items) < min(size, total):
            size = len(items)
        pages = -(-(total or 0) // size) - (-(-done // size) if self.counts_items else done)
        pages = min(max(pages, 1 if not total or len(items) >= size else 0), MAX_PAGES_AHEAD)
        step = size if self.counts_items else 1
        sizes = {self.size_param: size} if self.size_param else {}
        last = replace(request, previous_page=_hash_first_record(items), is_first=False, remaining=())
        other = replace(last, total_known=True)
        return [
            with_params(
                other if page + 1 < pages else last,
                {self.param: self.first + done + page * step, **sizes},
                self.location,
            )
            for page in range(pages)
        ]

    def is_repeated(self, request: Request, items: Sequence[Any]) -> bool:
        """Whether a page begins like the one before it."""
        return request.previous_page is not None and request.previous_page == _hash_first_record(items)


@dataclass(frozen=True)
class Offset(PageNumber):
    """Pages are requested by the number of items before them; otherwise like `PageNumber`.

    Args:
        param: The parameter for the offset.
        size: Items on a page.
        first: The offset of the first page.
        size_param: The parameter for the size; None if there is none.
        location: Where the parameters are sent.
    """

    first: int = 0

    counts_items = True


@dataclass(frozen=True)
class CursorParam(Paginator):
    """Each page has the cursor of the next one.

    Args:
        param: The parameter that takes the cursor.
        path: Where the cursor is in the body, such as ``meta.end_cursor``.
        has_more: Where the body says whether another page follows. None: one follows if there is a cursor.
        location: Where the cursor is sent.
    """

    param: str
    path: str
    has_more: str | None = None
    location: Location = "query"

    def next_requests(self, request: Request, contents: PageContents) -> list[Request]:
        """Returns the request for the next page, if the page says that there is one."""
        more = value_at_path(contents.body, self.has_more) if self.has_more else None
        if self.has_more and (not more or more == "false"):
            return []
        cursor = value_at_path(contents.body, self.path)
        if not (cursor or self.has_more):
            return []
        if type(cursor) is not int and not (isinstance(cursor, str) and cursor):
            raise TapError("a page says that another page follows, but has no token for it. Run again later.")
        return [with_params(request, {self.param: cursor}, self.location)]

    def is_announced(self, request: Request) -> bool:
        """Whether the request has a cursor."""
        return get_request_param(request, self.param, self.location) is not None


@dataclass(frozen=True)
class PageToken(CursorParam):
    """Each page has a token for the next one. If it expires, the list is read from the start.

    Args:
        param: The parameter that takes the token.
        path: Where the token is in the body.
        has_more: Where the body says whether another page follows. None: one follows if there is a token.
        location: Where the token is sent.
        expired: Statuses with which the vendor rejects an expired token.
        max_restarts: How often a list may be restarted.
    """

    expired: frozenset[int] = EXPIRED
    max_restarts: int = 5

    def restart_request(self, request: Request, status: int) -> Request | None:
        """Returns the request without its page token, if the token has expired."""
        if status not in self.expired or request.restart_count >= self.max_restarts or not self.is_announced(request):
            return None
        return replace(with_params(request, {self.param: None}, self.location), restart_count=request.restart_count + 1)


@dataclass(frozen=True)
class NextLink(Paginator):
    """Each page has a link to the next one.

    Only the link's query is used, and it is sent to the endpoint of the page: links may be relative, or
    name a path that does not exist. So they cannot lead the token to another host.

    Args:
        path: Where the link is in the body, such as ``links.next``; the link itself, or an object that holds it as its
            `href`.
        domains: Domains of the vendor, such as ``.vendor.example``. A link to a host that is neither in one of them nor
            the host of `api_url` is an error.
        keep: Parameters of the request that are sent with the link where the link lacks them, such as the page size.
        only: A parameter that is sent alone if the link has it, because the vendor accepts nothing beside it.
    """

    path: str
    domains: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    only: str | None = None

    def next_requests(self, request: Request, contents: PageContents) -> list[Request]:
        """Returns the request for the next page, if the page has a link to it."""
        href = value_at_path(contents.body, self.path)
        href = href.get("href") if isinstance(href, dict) else href
        if not href:
            return []
        try:
            link = urlsplit(href)
            host, own_host = link.hostname or "", urlsplit(contents.api_url).hostname
        except (ValueError, TypeError, AttributeError):
            raise TapError("the link to the next page cannot be read. Run again later.") from None
        if host and host != own_host and not f".{host}".endswith(self.domains):
            raise TapError(
                "the link to the next page leads to another host, and the token must not be sent there. "
                "Check `api_url`."
            )
        params = parse_qsl(link.query, keep_blank_values=True)
        names = {name for name, _ in params}
        if self.only in names:
            params = [(name, value) for name, value in params if name == self.only]
        else:
            params += [pair for pair in request.params if pair[0] in self.keep and pair[0] not in names]
        return [replace(request, params=tuple(params))]

    def is_announced(self, request: Request) -> bool:
        """Whether a link led to the page."""
        return not request.is_first


def with_params(request: Request, values: Mapping[str, str | int | None], location: Location) -> Request:
    """Returns a request with some parameters set. A parameter keeps its place. The value None removes a parameter."""
    if location == "json":
        properties = decode_json_body(request.body)
        for name, value in values.items():
            properties = with_property(properties, name, value)
        return replace(request, body=encode_json_body(properties))
    texts = {name: str(value) for name, value in values.items() if value is not None}
    params = [
        (name, texts.pop(name) if name in texts else value)
        for name, value in request.params
        if name not in values or name in texts
    ]
    return replace(request, params=(*params, *texts.items()))


def get_request_param(request: Request, param: str | None, location: Location) -> Any:  # noqa: ANN401 - as the vendor wants it
    """Returns the value of a request's parameter, or None if the request does not have it."""
    if param is None:
        return None
    return (
        value_at_path(decode_json_body(request.body), param) if location == "json" else dict(request.params).get(param)
    )


def _hash_first_record(items: Sequence[Any]) -> int | None:
    """Returns a hash of the first item that is a record, or None. Other items, such as null, are alike on any page."""
    first = next((item for item in items if item and isinstance(item, (dict, Struct))), None)
    return None if first is None else hash(repr(first))
