"""Fetches one page of a stream: what a worker does with a request."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest.errors import AccessDeniedError, FilterRejectedError, RetryableError, TapError, UnansweredError
from singer_rest.fetch.coverage import parent_ids_of
from singer_rest.fetch.loop_guard import fingerprint_records
from singer_rest.fetch.meanings import (
    BAD_REQUESTS,
    NO_ACCESS,
    OF_PARENT,
    Meaning,
    default_advice,
    default_meaning,
    no_access_reason,
)
from singer_rest.fetch.page import Page, ParsedBody
from singer_rest.fetch.window_splitter import WindowSplitter, chain_requests, halve_parents, requested_parents
from singer_rest.http.request import Reply, Request
from singer_rest.singer.sdk import SdkStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.changes import ChangedSince
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.transport import Transport
    from singer_rest.slices.base import Slice


class FetchingStream(SdkStream):
    """A stream whose pages are fetched by worker threads.

    Methods that run in workers must not store anything on the stream. Requests and pages carry what a slice needs.
    """

    permission: ClassVar[str | None]
    primary_keys: Sequence[str]
    changed_since: ClassVar[ChangedSince | None]
    verify_filter: ClassVar[bool]

    _uses_filter = True

    @property
    def transport(self) -> Transport:
        """The HTTP client for the stream."""
        return self._tap.transport

    @property
    def has_key(self) -> bool:
        """Whether its records have a key, so that no record should be repeated."""
        return bool(self.primary_keys)

    @property
    def authenticator(self) -> Authenticator | None:
        """The authenticator for the stream. None for a public endpoint."""
        return self._tap.authenticator

    def split_request(self, request: Request, retry: RetryableError) -> Sequence[Request]:
        """Returns smaller requests that replace a failed one. If there are none, it is only retried.

        By default, a date window that times out is halved, down to one day.

        Args:
            request: The failed request.
            retry: Why it failed.
        """
        return self._window_splitter.split(request) if retry.slow and request.is_first else ()

    @cached_property
    def _window_splitter(self) -> WindowSplitter:
        return WindowSplitter(self.name, self.slices.days_params)

    def decode(self, reply: Reply) -> Any:  # noqa: ANN401
        """Decodes the body.

        Raises:
            ValueError: If it cannot be decoded.
        """
        return reply.json()

    def read_whole_page(self, reply: Reply, request: Request) -> Any:  # noqa: ANN401, ARG002
        """Returns the decoded body with `StructRows` in place of its records. None: it has to be read the exact way."""
        return None

    @abstractmethod
    def parse(self, body: Any, request: Request) -> ParsedBody:  # noqa: ANN401
        """Parses a decoded body.

        Raises:
            TapError: If the body does not have the documented shape.
        """

    def classify(self, reply: Reply, request: Request) -> Meaning | Request:  # noqa: ARG002
        """Returns the meaning of a response, or the request to send instead. Only this method looks at the status."""
        return default_meaning(reply.status, of_parent=self.slices.parent is not None)

    def advice_for_status(self, status: int) -> str:
        """Returns advice to the user about a rejected request."""
        return default_advice(status)

    def fetch(self, request: Request, part: Slice) -> Page:
        """Fetches one page. Called by a worker.

        Raises:
            RetryableError: If the request may be retried.
            AccessDeniedError: If the credential cannot read the endpoint.
            UnansweredError: If the children of one parent cannot be read; those of others may be.
            TapError: If the vendor rejects the request for another reason.
        """
        began = time.monotonic()
        try:
            return self._fetch_page(request, part)
        except RetryableError as retry:
            retry.took = time.monotonic() - began
            smaller = self.split_request(request, retry)
            if not smaller:
                raise
            return self._make_placeholder(smaller, request, part, datetime.now(timezone.utc))
        except TapError as error:
            if type(error) is TapError and self.slices.parent is not None:
                raise UnansweredError(str(error)) from None
            raise

    def _fetch_page(self, request: Request, part: Slice) -> Page:
        try:
            reply = self.transport.send(request, self.authenticator)
        except AccessDeniedError as error:
            raise AccessDeniedError(f"{self.name}: {error}") from None
        meaning = self.classify(reply, request)
        if isinstance(meaning, Request):
            return self._make_placeholder([meaning], request, part, reply.received)
        if meaning is Meaning.RECORDS:
            return self._page_of_records(reply, request, part)
        if meaning is Meaning.PARENT_REFUSED and self.verify_filter and self._is_filtered_first_request(request):
            meaning = Meaning.ERROR  # it may be the filter that is rejected
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
        raise self._rejection_error(meaning, reply.status, request)

    def _page_of_records(self, reply: Reply, request: Request, part: Slice) -> Page:
        try:
            body = None if part.columns else self.read_whole_page(reply, request)
            body = self.decode(reply) if body is None else body
        except ValueError:
            raise RetryableError(
                "the response body is not valid JSON, or does not match its content type", broken=True
            ) from None
        parsed = self.parse(body, request)
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
            restart_count=request.restart_count,
            fingerprint=fingerprint_records(parsed.records, has_key=self.has_key) if parsed.next_requests else None,
            note=parsed.note,
        )

    def _rejection_error(self, meaning: Meaning, status: int, request: Request) -> TapError:
        is_of_parent = meaning in OF_PARENT - {Meaning.PARENT_REFUSED} and request.is_first
        if meaning in NO_ACCESS or is_of_parent:
            reason = no_access_reason(meaning, self.permission, status, request.endpoint)
            return AccessDeniedError(
                f"{self.name}: {reason}", status=status, not_licensed=meaning is Meaning.NOT_LICENSED
            )
        kind = FilterRejectedError if status in BAD_REQUESTS and self._is_filtered_first_request(request) else TapError
        advice = self.advice_for_status(status)
        return kind(f"{self.name}: {request.endpoint} refused the request with status {status}. {advice}")

    def _is_filtered_first_request(self, request: Request) -> bool:
        """Whether a request is the first of a slice and has the incremental filter."""
        param = self.changed_since.param if self.changed_since else None
        return request.is_first and param in dict(request.params)

    def _make_placeholder(self, others: Sequence[Request], request: Request, part: Slice, received: datetime) -> Page:
        following = chain_requests([*others, *request.remaining])
        if (
            len(others) == 1 and others[0].restart_count == request.restart_count
        ):  # the same page, which need not be the first
            following = replace(following, is_first=request.is_first)
        return Page([], [following], part, 0, received, is_placeholder=True)

    def _page_of_parent(self, meaning: Meaning, reply: Reply, request: Request, part: Slice) -> Page | None:
        """Returns the page if a response is about a parent. None: it is about several that cannot be separated."""
        param = self.slices.ids_param
        named = requested_parents(request, param)
        parents = named or parent_ids_of(part, param)
        if len(parents) > 1:
            # It may apply to only one of them, so the children of the others are requested without it.
            halves = halve_parents(request, param) if request.is_first and named else []
            return self._make_placeholder(halves, request, part, reply.received) if halves else None
        return Page(
            [],
            self._window_splitter.next_requests(request, ()),
            part,
            0,
            reply.received,
            meaning,
            parent=parents[0] if param else None,
            is_first=request.is_first,
            why=str(self._rejection_error(meaning, reply.status, request)) if meaning is Meaning.PARENT_REFUSED else "",
        )
