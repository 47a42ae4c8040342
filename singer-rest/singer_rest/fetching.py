"""How a stream's pages come: what a worker does with one request."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import datetime, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest.errors import FilterRefused, NoAccess, RetryableError, TapError, UnansweredError
from singer_rest.fetch.answers import (
    BAD_REQUESTS,
    NO_ACCESS,
    OF_PARENT,
    Meaning,
    default_advice,
    default_meaning,
    no_access_reason,
)
from singer_rest.fetch.loop_guard import fingerprint
from singer_rest.fetch.page import Page, Parsed
from singer_rest.fetch.window_splitter import WindowSplitter, chain, halve_parents, requested_parents
from singer_rest.http.request import Reply, Request
from singer_rest.singer.sdk import SdkStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.changes import ChangedSince
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.transport import Transport
    from singer_rest.slices.base import Slice


class FetchingStream(SdkStream):
    """A stream whose pages are asked for by workers.

    What runs in workers keeps nothing on the stream: what a slice has to remember travels on its requests and pages.
    """

    permission: ClassVar[str | None]
    primary_keys: Sequence[str]
    changed_since: ClassVar[ChangedSince | None]
    verify_filter: ClassVar[bool]

    _uses_filter = True

    @property
    def transport(self) -> Transport:
        """The tap's way to the vendor."""
        return self._tap.transport

    @property
    def has_key(self) -> bool:
        """Whether its records have a key, so that none should come twice."""
        return bool(self.primary_keys)

    @property
    def authenticator(self) -> Authenticator | None:
        """What gives the token for this list; None: it is public."""
        return self._tap.authenticator

    def split_request(self, request: Request, retry: RetryableError) -> Sequence[Request]:
        """Requests that together ask for what one asked for that did not work; none: it is only sent again.

        By default a window of days that takes too long is asked for in parts of half as many, down to one.

        Args:
            request: What was asked for.
            retry: Why it did not work.
        """
        return self._window_splitter.split(request) if retry.slow and request.is_first else ()

    @cached_property
    def _window_splitter(self) -> WindowSplitter:
        return WindowSplitter(self.name, self.slices.days_params)

    def decode(self, reply: Reply) -> Any:  # noqa: ANN401
        """The decoded body.

        Raises:
            ValueError: If it is not what was promised.
        """
        return reply.json()

    @abstractmethod
    def parse(self, body: Any, request: Request) -> Parsed:  # noqa: ANN401
        """What a decoded body holds.

        Raises:
            TapError: If the body is not of the documented shape.
        """

    def classify(self, reply: Reply, request: Request) -> Meaning | Request:  # noqa: ARG002
        """What an answer means, or what to ask for instead; the one place that looks at an answer's status."""
        return default_meaning(reply.status, of_parent=self.slices.parent is not None)

    def advice(self, status: int) -> str:
        """What the user can do about a request that was refused."""
        return default_advice(status)

    def fetch(self, request: Request, part: Slice) -> Page:
        """Ask for one page and read it; called by a worker.

        Raises:
            Retry: If it may be asked for again.
            NoAccess: If the credential may not read this list.
            Unanswered: If what came of one parent is of no use, which is no word on the others.
            TapError: If the vendor refuses the request for another reason.
        """
        began = time.monotonic()
        try:
            return self._fetched(request, part)
        except RetryableError as retry:
            retry.took = time.monotonic() - began
            smaller = self.split_request(request, retry)
            if not smaller:
                raise
            return self._placeholder(smaller, request, part, datetime.now(timezone.utc))
        except TapError as error:
            if type(error) is TapError and self.slices.parent is not None:
                raise UnansweredError(str(error)) from None
            raise

    def _fetched(self, request: Request, part: Slice) -> Page:
        try:
            reply = self.transport.send(request, self.authenticator)
        except NoAccess as error:
            raise NoAccess(f"{self.name}: {error}") from None
        meaning = self.classify(reply, request)
        if isinstance(meaning, Request):
            return self._placeholder([meaning], request, part, reply.received)
        if meaning is Meaning.RECORDS:
            return self._page_of_records(reply, request, part)
        if meaning is Meaning.PARENT_REFUSED and self.verify_filter and self._is_filtered_first_request(request):
            meaning = Meaning.ERROR  # it may be the filter that is refused
        if meaning in OF_PARENT and (page := self._page_of_parent(meaning, reply, request, part)):
            return page
        if meaning in {Meaning.NO_RECORDS, Meaning.UNREADABLE}:
            following = self._window_splitter.next_requests(request, ())
            is_no_content = reply.status == HTTPStatus.NO_CONTENT
            return Page(
                [],
                following,
                part,
                0,
                reply.received,
                meaning,
                is_first=request.is_first,
                is_no_content=is_no_content,
            )
        if meaning is Meaning.RETRY:
            raise RetryableError(f"status {reply.status}")
        raise self._refusal(meaning, reply.status, request)

    def _page_of_records(self, reply: Reply, request: Request, part: Slice) -> Page:
        try:
            body = self.decode(reply)
        except ValueError:
            raise RetryableError("the body is not what was promised", broken=True) from None
        parsed = self.parse(body, request)
        if part.is_probe and parsed.next_requests:
            return Page([], (), part, len(reply.body), reply.received, needs_slicing=True)
        return Page(
            parsed.records,
            self._window_splitter.next_requests(request, parsed.next_requests),
            part,
            len(reply.body),
            reply.received,
            total=parsed.total,
            item_count=len(parsed.records) if parsed.item_count is None else parsed.item_count,
            failed_items=parsed.failed_items,
            maybe_incomplete=parsed.maybe_incomplete,
            is_first=request.is_first,
            restarts=request.restarts,
            fingerprint=fingerprint(parsed.records, has_key=self.has_key) if parsed.next_requests else None,
            note=parsed.note,
        )

    def _refusal(self, meaning: Meaning, status: int, request: Request) -> TapError:
        is_of_parent = meaning in OF_PARENT - {Meaning.PARENT_REFUSED} and request.is_first
        if meaning in NO_ACCESS or is_of_parent:
            return NoAccess(f"{self.name}: {no_access_reason(meaning, self.permission, status, request.endpoint)}")
        kind = FilterRefused if status in BAD_REQUESTS and self._is_filtered_first_request(request) else TapError
        return kind(f"{self.name}: {request.endpoint} refused the request with status {status}. {self.advice(status)}")

    def _is_filtered_first_request(self, request: Request) -> bool:
        """Whether a request is the first to ask for what changed, and not one that a page told of."""
        param = self.changed_since.param if self.changed_since else None
        return request.is_first and param in dict(request.params)

    def _placeholder(self, others: Sequence[Request], request: Request, part: Slice, received: datetime) -> Page:
        return Page([], [chain([*others, *request.remaining])], part, 0, received, is_placeholder=True)

    def _page_of_parent(self, meaning: Meaning, reply: Reply, request: Request, part: Slice) -> Page | None:
        """The page where an answer is about a parent; None: it is about several, and they cannot be parted."""
        param = self.slices.ids_param
        parents = requested_parents(request, param)
        if len(parents) > 1:
            # It may be so with one of them only, so the others' children must be asked for without it.
            halves = halve_parents(request, param) if request.is_first else []
            return self._placeholder(halves, request, part, reply.received) if halves else None
        return Page(
            [],
            self._window_splitter.next_requests(request, ()),
            part,
            0,
            reply.received,
            meaning,
            parent=parents[0] if param else None,
            is_first=request.is_first,
            why=str(self._refusal(meaning, reply.status, request)) if meaning is Meaning.PARENT_REFUSED else "",
        )
