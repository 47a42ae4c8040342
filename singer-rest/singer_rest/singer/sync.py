"""The sync loop of a stream: turns its pages into SCHEMA, RECORD, ACTIVATE_VERSION and STATE messages.

A stream's bookmark is written only after a complete read, and ACTIVATE_VERSION follows its last record.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.mapper import SameRecordTransform

from singer_rest.errors import AccessDeniedError, TapError
from singer_rest.fetch.meanings import OF_PARENT
from singer_rest.fetch.page import FittedRecords
from singer_rest.privacy.stream_privacy import RecordColumns
from singer_rest.singer.batch_files import BatchFiles
from singer_rest.singer.command import CommandTap
from singer_rest.singer.messages import message_lines, record_lines
from singer_rest.singer.schemas import CompletedStream
from singer_rest.singer.warnings import field_names, stream_warnings
from singer_rest.state.part_read import PartRead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.singerlib import SchemaMessage

    from singer_rest.aliases import Record
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.fetcher import Fetcher
    from singer_rest.fetch.page import Page
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.transport import Transport
    from singer_rest.privacy.tap_privacy import TapPrivacy
    from singer_rest.singer.messages import MessageWriter
    from singer_rest.singer.records import RecordConformer
    from singer_rest.slices.base import Slices
    from singer_rest.slices.part import Part
    from singer_rest.state.backfill import Backfill
    from singer_rest.state.part_read import Outcome
    from singer_rest.state.replication import Replication

RECORDS_PER_WRITE = 250


class StreamTap(CommandTap):
    """The part of the tap that its streams use."""

    message_writer: MessageWriter
    skipped: list[str]
    """The streams that the credential may not read."""

    @property
    @abstractmethod
    def privacy(self) -> TapPrivacy:
        """The privacy profile."""

    @abstractmethod
    def annotated(self, stream: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Returns a stream's schema with the protection classes of its fields."""

    @property
    @abstractmethod
    def started(self) -> datetime:
        """The time at which the run began, UTC."""

    @property
    @abstractmethod
    def transport(self) -> Transport:
        """Sends requests to the vendor's host."""

    @property
    @abstractmethod
    def authenticator(self) -> Authenticator:
        """The authenticator shared by all streams."""

    @abstractmethod
    def fetcher_of(self, stream: SyncedStream) -> Fetcher:
        """Returns the fetcher for a stream."""

    @abstractmethod
    def release(self, fetcher: Fetcher) -> None:
        """Closes a fetcher that is not shared with other streams."""


class SyncedStream(CompletedStream):
    """A stream that is synced from the pages of a run."""

    keyless_advice: ClassVar[str] = ""
    """Advice to the user if records have no replication key."""

    _tap: StreamTap
    _pages = 0
    rereads = False
    """Whether only given records are read again, which leaves the state as it is."""
    part: Part | None = None
    """The part of a back-fill that is read. None: everything, or changes."""
    rows_written = 0
    """Number of records emitted."""
    withheld_values = 0
    """Number of values that were not emitted because the privacy profile does not know their columns."""
    withheld_rows = 0
    """Number of rows that were not emitted because the privacy profile drops rows of their class."""
    request_count = 0
    """Number of requests for its pages, once it was read."""

    @property
    @abstractmethod
    def coverage(self) -> Coverage:
        """The slices that this read could not read, or has to request again."""

    @property
    def has_requested(self) -> bool:
        """Whether anything was requested. A child stream without parents requests nothing."""
        return self._pages > 0

    @property
    @abstractmethod
    def slices(self) -> Slices:
        """The slices into which the stream is divided."""

    @property
    @abstractmethod
    def replication(self) -> Replication:
        """The bookmark, the time window and the table version of this read."""

    @property
    @abstractmethod
    def backfill(self) -> Backfill:
        """The finished slices of a full read."""

    @property
    @abstractmethod
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""

    @property
    @abstractmethod
    def covered_interval(self) -> tuple[datetime | None, datetime | None]:
        """The first and last timestamp that this run reads. None: unbounded."""

    @property
    @abstractmethod
    def lacks_settings_window(self) -> bool:
        """Whether the table lacks a part of the window in the settings, which this run does not read."""

    @abstractmethod
    def position_after(self, page: Page) -> str | None:
        """Returns where an unsliced list continues after a page, if a later run may resume there."""

    def remember(self, page: Page, state: dict[str, Any]) -> bool:  # noqa: ARG002
        """Records in the stream's state what later runs have to know of an emitted page.

        With BATCH files, which are written later, the state is not kept. `finish_state` has to record it too.

        Returns:
            Whether to write a STATE message.
        """
        return False

    def emit_marks(self, *, write_messages: bool) -> Iterator[Iterator[Record]]:  # noqa: ARG002
        """Emits deletion marks after the records. Yields their records, which have to be iterated over.

        Args:
            write_messages: Whether to write their messages, too.
        """
        return iter(())

    def finish_state(self, state: dict[str, Any]) -> None:
        """Records in the stream's state what else the next run has to know after a complete read."""

    @abstractmethod
    def prepared_records(self, page: Page) -> list[Record]:
        """Returns the page's records as they are emitted."""

    def steps(self, fetcher: Fetcher) -> Generator[bool | None]:
        """Reads the stream and writes its messages: SCHEMA, RECORDs, ACTIVATE_VERSION, STATE.

        Yields after each page, and None while it waits for one.

        Args:
            fetcher: The fetcher of the stream.

        Raises:
            TapError: If the read was not complete. The state is unchanged.
        """
        since, _ = self.covered_interval
        self.logger.info(
            "%s: reading %s%s%s",
            self.name,
            "given records" if self.rereads else self._extent,
            f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since and not self.rereads else "",
            ", continuing an interrupted run" if self.backfill.finished else "",
        )
        started_at = time.monotonic()
        try:
            if batch_config := self.get_batch_config(self.config):
                yield from self._write_batches(fetcher, batch_config)
            else:
                for records in self._read_pages(fetcher, write_messages=True):
                    yield records if records is None else any(False for _ in records)
            if not self.rereads:
                self._tap.state_writer.write_state(self.tap_state)
        except AccessDeniedError as error:
            if self._pages or self.config.get("on_missing_access") == "fail":
                raise TapError(str(error)) from None
            self.logger.warning("%s Skipping it; the run continues.", error)
            self._tap.skipped.append(self.name)
            self._end_part("skipped")
            if self.part:
                self._tap.state_writer.write_state(self.tap_state)
            return
        self.logger.info(
            "%s: %d rows in %d requests, %.1f s",
            self.name,
            self.rows_written,
            self.request_count,
            time.monotonic() - started_at,
        )

    def sync_records(self, *, write_messages: bool = True) -> Generator[Record]:
        """Yields the records, except those of pages that are written as a whole.

        Args:
            write_messages: Whether to write the messages, too.
        """
        fetcher = self._tap.fetcher_of(self)
        for records in fetcher.read_blocking(self._read_pages(fetcher, write_messages=write_messages)):
            yield from records

    def _write_batches(self, fetcher: Fetcher, config: BatchConfig) -> Generator[bool | None]:
        """Writes the records to files, and a BATCH message for each."""
        name = f"{self.tap_name}--{self.name}"
        files = BatchFiles(name, config, lambda manifest: self._write_batch_message(config.encoding, manifest))
        for records in self._read_pages(fetcher, write_messages=False, files=files):
            if records is not None:
                files.add([*records])
            yield None if records is None else True

    def _read_pages(
        self, fetcher: Fetcher, *, write_messages: bool, files: BatchFiles | None = None
    ) -> Generator[Iterator[Record] | None]:
        """Yields the records of each page, which have to be iterated over, and None while it waits for one.

        Args:
            fetcher: The fetcher of the stream.
            write_messages: Whether to write the messages of all records, too.
            files: The BATCH files, which are completed before the state is that of a complete read. Pages that are
                already encoded are added to them.
        """
        schema_due = write_messages or files is not None
        try:
            for page in fetcher.pages(self.name):
                if page is None:
                    yield None
                    continue
                if page.is_placeholder:
                    continue
                if page.meaning in OF_PARENT:
                    self.coverage.raise_if_no_parent_read()
                    if page.ends_slice:  # its first parents may have had records
                        self.conformer.end_slice(page.memory)
                    continue
                if schema_due:  # no table for a stream that may not be read
                    self._write_schema_message()
                    schema_due = False
                self._pages += 1
                yield self._emit(page, files, write_messages=write_messages)
                if self.rereads:
                    continue
                if self._save_progress(page, self.stream_state if write_messages else {}) and write_messages:
                    self._tap.state_writer.write_state(self.tap_state)
            self.coverage.raise_if_nothing_read()
            if self.part and not (fetcher.request_count(self.name) or self.replication.total_rows):
                self._end_part("nothing")
            else:
                yield from self.emit_marks(write_messages=write_messages)
                self._finish(files, write_messages=write_messages, schema_due=schema_due)
        finally:
            self.request_count = fetcher.request_count(self.name)
            self._tap.release(fetcher)

    def _save_progress(self, page: Page, state: dict[str, Any]) -> bool:
        """Records a finished page in the state. Returns whether to write a STATE message."""
        remembered = self.remember(page, state)
        if not self.coverage.is_read(page.slice):
            return remembered
        if page.ends_slice:
            return self.backfill.mark_finished(page.slice) or remembered
        position = self.position_after(page)
        return (position is not None and self.backfill.save_position(position)) or remembered

    def _emit(self, page: Page, files: BatchFiles | None, *, write_messages: bool) -> Iterator[Record]:
        if (write_messages or files) and isinstance(page.records, FittedRecords):
            self._emit_fitted(page, page.records, files)
            return
        repeated, keyless = self.conformer.repeated, self.conformer.keyless
        records = self.prepared_records(page)
        self.coverage.add_repeated(page, self.conformer.repeated - repeated)
        self.replication.observe(records, self.conformer.keyless - keyless)
        if self.privacy:
            columns = RecordColumns(records)
            self.withheld_values += self.privacy.apply(columns)
            self.withheld_rows += len(records) - len(columns.records)
            records = columns.records
        if write_messages and self._writes_whole_pages:
            # In parts, so that the lines of a large page are not in memory all at once.
            for start in range(0, len(records), RECORDS_PER_WRITE):
                part = records[start : start + RECORDS_PER_WRITE]
                self._tap.message_writer.write_lines(
                    record_lines(self.name, part, self.replication.version, page.received)
                )
            self.rows_written += len(records)
            return
        for record in records:
            self._check_max_record_limit(self.rows_written)
            self.rows_written += 1
            if write_messages:
                self._stream_version = self.replication.version
                for message in self._generate_record_messages(record):
                    message.time_extracted = page.received
                    self._tap.write_message(message)
            yield record

    def _emit_fitted(self, page: Page, records: FittedRecords, files: BatchFiles | None) -> None:
        conformer, replication = self.conformer, self.replication
        repeated, keyless = conformer.repeated, conformer.keyless
        conformer.start_page(page.memory)
        conformer.check_keys(records.keys)
        if page.ends_slice:
            conformer.end_slice(page.memory)
        self.coverage.add_repeated(page, conformer.repeated - repeated)
        replication.observe_page(len(records), records.latest, conformer.keyless - keyless)
        written = len(records) - records.withheld
        self.withheld_rows += records.withheld
        if files:
            files.add_lines(records.lines, written)
        else:
            lines = message_lines(self.name, records.lines, replication.version, page.received)
            self._tap.message_writer.write_lines(lines)
        self.rows_written += written

    def _generate_schema_messages(self) -> Generator[SchemaMessage]:
        for message in super()._generate_schema_messages():
            message.schema = self._tap.annotated(self.name, message.schema)
            columns = message.schema["properties"]
            message.bookmark_properties = [name for name in message.bookmark_properties or () if name in columns]
            yield message

    @cached_property
    def _writes_whole_pages(self) -> bool:
        """Whether records are emitted unchanged, so that a page can be written at once."""
        return (
            self.ABORT_AT_RECORD_COUNT is None
            and all(self.mask.values())
            and all(type(item) is SameRecordTransform and not item.flattening_enabled for item in self.stream_maps)
        )

    def _finish(self, files: BatchFiles | None, *, write_messages: bool, schema_due: bool) -> None:
        if schema_due:
            self._write_schema_message()
        if files:
            files.flush()
        if not self.rereads:
            self._finish_replication(write_messages=write_messages)
        for warning in stream_warnings(self):
            self.logger.warning("%s: %s", self.name, warning)
        dropped = field_names(self.conformer.secrets)
        if dropped and not self.privacy:
            self.logger.info("%s: dropped fields whose names say that they hold secrets: %s", self.name, dropped)

    def _finish_replication(self, *, write_messages: bool) -> None:
        replication = self.replication
        holds_rows = self.coverage.may_hold_rows or self.replication.unidentified_rows > 0
        if write_messages and not holds_rows and replication.can_activate_version(*self.covered_interval):
            self._write_activate_version_message(replication.version or 0)
        forbidden = self.coverage.forbidden
        incomplete = self.coverage.maybe_incomplete or replication.is_newly_forbidden(forbidden)
        replication.finish(*self.covered_interval, versions=write_messages, incomplete=incomplete)
        replication.finish_forbidden(forbidden, all_requested=not self.slices.changed)
        self.finish_state(self.stream_state)
        self._end_part("incomplete" if incomplete else "read")

    @property
    def _extent(self) -> str:
        return f"part {self.part}" if self.part else "everything" if self.replication.whole else "changes"

    def _end_part(self, outcome: Outcome) -> None:
        """Records in the state how the read of a part of a back-fill ended, for the merge of the parts' states."""
        if self.part and (read := PartRead.find(self.stream_state)):
            read.end(self.stream_state, outcome, self.backfill.make_checkpoint(), self.coverage.forbidden)
