"""The sync loop: the pages of a run's streams become SCHEMA, RECORD, ACTIVATE_VERSION and STATE messages.

Streams are fetched concurrently, and a failure ends only its own stream. A stream's bookmark is written once the stream
was read whole, and ACTIVATE_VERSION follows its last record.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.mapper import SameRecordTransform

from singer_rest.errors import NoAccess, RunError, TapError, explain
from singer_rest.fetch.answers import OF_PARENT
from singer_rest.singer.command import CommandTap
from singer_rest.singer.messages import MessageWriter, record_lines
from singer_rest.singer.progress import Progress
from singer_rest.singer.schemas import CompletedStream
from singer_rest.singer.warnings import field_names, stream_warnings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.fetcher import Fetcher
    from singer_rest.fetch.page import Page
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.transport import Transport
    from singer_rest.singer.records import RecordConformer
    from singer_rest.slices.base import Slices
    from singer_rest.state.backfill import Backfill
    from singer_rest.state.replication import Replication

WRITTEN_AT_ONCE = 1000


class SyncedStream(CompletedStream):
    """A stream that is synced from the pages of a run."""

    keyless_advice: ClassVar[str] = ""
    """What the user can do where records carry no replication key."""

    _tap: SyncingTap
    _pages = 0
    _rows_written = 0
    _requests = 0

    @property
    @abstractmethod
    def coverage(self) -> Coverage:
        """What this read covers."""

    @property
    def has_requested(self) -> bool:
        """Whether there was anything to ask for: children of no parent are not."""
        return self._pages > 0

    @property
    @abstractmethod
    def slices(self) -> Slices:
        """How the stream is cut."""

    @property
    @abstractmethod
    def replication(self) -> Replication:
        """Where the stream starts and ends."""

    @property
    @abstractmethod
    def backfill(self) -> Backfill:
        """The slices of a whole read that are finished."""

    @property
    @abstractmethod
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""

    @property
    @abstractmethod
    def covered_interval(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment that this run reads; None: without end."""

    @abstractmethod
    def position_after(self, page: Page) -> str | None:
        """Where a list that is read in one piece goes on after a page, if a later run may begin there."""

    def remember(self, page: Page, state: dict[str, Any]) -> bool:  # noqa: ARG002
        """Note in the stream's state what later runs have to know of a page that was handed on.

        Returns:
            Whether it is worth a STATE message.
        """
        return False

    def finish_state(self, state: dict[str, Any]) -> None:
        """Note in the stream's state what else the next run has to know; the stream was read whole."""

    @abstractmethod
    def prepared_records(self, page: Page) -> Iterable[Record]:
        """The page's records as they are emitted."""

    def read_and_write(self) -> None:
        """Read the stream and write its messages: SCHEMA, RECORDs, ACTIVATE_VERSION, STATE.

        Raises:
            TapError: If it could not be read whole. Its state is as it was.
        """
        since, _ = self.covered_interval
        self.logger.info(
            "%s: reading %s%s%s",
            self.name,
            "everything" if self.replication.whole else "what changed",
            f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else "",
            ", but not what a run that was interrupted has read" if self.backfill.finished else "",
        )
        started_at = time.monotonic()
        try:
            if batch_config := self.get_batch_config(self.config):
                self._write_schema_message()
                self._sync_batches(batch_config)
            else:
                for _ in self.sync_records():
                    pass
            self._tap.state_writer.write_state(self.tap_state)
        except NoAccess as error:
            if self._pages or self.config.get("on_missing_access") == "fail":
                raise TapError(str(error)) from None
            self.logger.warning("%s Skipped; the run goes on.", error)
            self._tap.skipped.append(self.name)
            return
        self.logger.info(
            "%s: %d rows in %d requests, %.1f s",
            self.name,
            self._rows_written,
            self._requests,
            time.monotonic() - started_at,
        )

    def sync_records(self, *, write_messages: bool = True) -> Generator[Record]:
        """Yield the records; those of whole pages that are written at once are not yielded.

        Args:
            write_messages: Whether to write the messages, too.
        """
        fetcher = self._tap.fetcher_of(self)
        schema_due = write_messages
        progress = Progress(self.name)
        try:
            for page in fetcher.pages(self.name):
                if page.is_placeholder or page.needs_slicing:
                    continue
                if page.meaning in OF_PARENT:
                    self.coverage.raise_if_no_parent_read()
                    continue
                if schema_due:  # a stream that may not be read gets no table
                    self._write_schema_message()
                    schema_due = False
                self._pages += 1
                yield from self._emit(page, write_messages=write_messages)
                if self._keeps_place(page):
                    self._tap.state_writer.write_state(self.tap_state)
                requests = fetcher.requests(self.name)
                if line := progress.line(self._rows_written, requests, lambda: fetcher.fraction_done(self.name)):
                    self.logger.info("%s", line)
            self.coverage.raise_if_nothing_read()
            if schema_due:
                self._write_schema_message()
            self._finish(write_messages=write_messages)
        finally:
            self._requests = fetcher.requests(self.name)
            self._tap.release(fetcher)

    def _keeps_place(self, page: Page) -> bool:
        """Note in the state what is finished with a page; whether it is worth a STATE message."""
        remembered = self.remember(page, self.stream_state)
        if page.ends_slice:
            return (self.coverage.is_read(page.slice) and self.backfill.mark_finished(page.slice)) or remembered
        place = self.position_after(page)
        return (place is not None and self.backfill.save_position(place)) or remembered

    def _emit(self, page: Page, *, write_messages: bool) -> Iterator[Record]:
        repeated = self.conformer.repeated
        records = list(self.prepared_records(page))
        self.coverage.add_repeated(page, self.conformer.repeated - repeated)
        self.replication.observe(records)
        if write_messages and self._writes_whole_pages:
            # A part at a time: pages may be large, and their lines need not be there all at once.
            for begin in range(0, len(records), WRITTEN_AT_ONCE):
                some = records[begin : begin + WRITTEN_AT_ONCE]
                self._tap.message_writer.write_lines(
                    record_lines(self.name, some, self.replication.version, page.received)
                )
            self._rows_written += len(records)
            return
        for record in records:
            self._check_max_record_limit(self._rows_written)
            self._rows_written += 1
            if write_messages:
                self._stream_version = self.replication.version
                for message in self._generate_record_messages(record):
                    message.time_extracted = page.received
                    self._tap.write_message(message)
            yield record

    @cached_property
    def _writes_whole_pages(self) -> bool:
        """Whether records leave as they are, so that a page can be written at once."""
        return (
            self.ABORT_AT_RECORD_COUNT is None
            and all(self.mask.values())
            and all(type(item) is SameRecordTransform and not item.flattening_enabled for item in self.stream_maps)
        )

    def _finish(self, *, write_messages: bool) -> None:
        replication = self.replication
        holds_rows = self.coverage.may_hold_rows or self.conformer.keyless > 0
        if write_messages and not holds_rows and replication.activates(*self.covered_interval):
            self._write_activate_version_message(replication.version or 0)
        replication.finish(*self.covered_interval, versions=write_messages, incomplete=self.coverage.maybe_incomplete)
        self.finish_state(self.stream_state)
        for remark in stream_warnings(self):
            self.logger.warning("%s: %s", self.name, remark)
        if dropped := field_names(self.conformer.secrets):
            self.logger.info("%s: fields that are secrets by their names do not leave: %s", self.name, dropped)


class SyncingTap(CommandTap):
    """A tap whose streams are synced together."""

    message_writer: MessageWriter

    skipped: list[str]
    _fetcher: Fetcher | None = None

    @property
    @abstractmethod
    def started(self) -> datetime:
        """When the run began, UTC."""

    @property
    @abstractmethod
    def transport(self) -> Transport:
        """Sends requests to the vendor's host."""

    @property
    @abstractmethod
    def authenticator(self) -> Authenticator:
        """The one authenticator of this run."""

    @abstractmethod
    def fetcher_for(self, streams: Sequence[SyncedStream], *, connection_test: bool) -> Fetcher:
        """Begin to fetch for some streams."""

    def read_selected(self) -> None:
        """Read every selected stream; a failure ends its stream alone.

        Raises:
            TapError: At the end, if a stream failed or nothing could be read.
        """
        selected = [stream for stream in self.streams.values() if isinstance(stream, SyncedStream) and stream.selected]
        self._tell_what_is_not_on_offer()
        if not selected:
            raise RunError(
                "No stream is selected. Select some in the catalog (with Meltano: `select:` of the extractor)."
            )
        failed: list[str] = []
        self._fetcher = fetcher = self.fetcher_for(selected, connection_test=False)
        try:
            due = [stream.replication.mark_full_read_due() for stream in selected]
            if any(due):
                self.state_writer.write_state(self.state)
            fetcher.start()
            for stream in sorted(selected, key=lambda stream: fetcher.order.index(stream.name)):
                try:
                    stream.read_and_write()
                except RunError:
                    raise
                except Exception as error:  # noqa: BLE001 - the other streams go on
                    self.logger.error("%s", explain(error))  # noqa: TRY400 - no traceback: it may hold records
                    failed.append(stream.name)
        finally:
            fetcher.close()
            self._fetcher = None
        if failed:
            raise TapError(
                f"{len(failed)} of {len(selected)} streams failed: {', '.join(failed)}. Their bookmarks are as they "
                "were: the next run reads what is missing."
            )
        self.fail_where_all_is_skipped(len(selected))

    def _tell_what_is_not_on_offer(self) -> None:
        entries = self.input_catalog.items() if self.input_catalog else ()
        gone = [name for name, entry in entries if name not in self.streams and entry.metadata.resolve_selection()[()]]
        if gone:
            self.logger.warning(
                "The catalog selects what is not on offer any more, or not with these settings: %s.", ", ".join(gone)
            )

    def fetcher_of(self, stream: SyncedStream) -> Fetcher:
        """The run that fetches for a stream: that of `sync_all`, else one of its own for a trial."""
        if self._fetcher:
            return self._fetcher
        fetcher = self.fetcher_for([stream], connection_test=True)
        fetcher.start()
        return fetcher

    def release(self, fetcher: Fetcher) -> None:
        """End a stream's own run."""
        if fetcher is not self._fetcher:
            fetcher.close()

    def fail_where_all_is_skipped(self, streams: int) -> None:
        """Fail where the credential may read none of so many streams."""
        if len(self.skipped) == streams:
            raise TapError("Nothing could be read: the credential has no permission for any selected stream.")
