"""Reads single records again, and marks those that were deleted: the streams of `--only` and `--confirm-deleted`."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib.catalog import Metadata
from typing_extensions import override

from singer_rest import times
from singer_rest.errors import RateLimitError, RunError, TapError
from singer_rest.fetch.meanings import Meaning
from singer_rest.fetch.page import Page
from singer_rest.fetch.requested import ACCESS_PROBE, RequestedCoverage
from singer_rest.http.paginators import SinglePage
from singer_rest.privacy.classification import DELETED_AT
from singer_rest.privacy.stream_privacy import RecordColumns
from singer_rest.private_file import write_private_file
from singer_rest.settings import parse_requested_ids
from singer_rest.slices.ids import ListedInParent, ListedRecordIds, RecordIds, RecordPath
from singer_rest.stream import RestStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from singer_sdk.singerlib import MetadataMapping

    from singer_rest.aliases import Record
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.http.request import Reply, Request
    from singer_rest.slices.base import Slice

RECENT = timedelta(days=31)
"""Of a list that is read by windows, records of the window that begins this long ago prove that it can be read."""
NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
MARK_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the vendor was found to have deleted the record, in UTC; null if it has not.",
}


def is_mark(record: Record, keys: Sequence[str]) -> bool:
    """Whether a record has a deletion mark and all of its key. Without the mark it would be a record without values."""
    return bool(record.get(DELETED_AT)) and all(record.get(key) is not None for key in keys)


class RequestedStream(RestStream):
    """A stream of which given records are read again."""

    slices: RecordIds
    to_confirm: ClassVar[Collection[str]] = ()
    """The ids that were reported as deleted."""
    listing_type: ClassVar[type[RestStream]]
    """The class that reads all records."""

    @override
    def new_coverage(self) -> Coverage:
        return RequestedCoverage(
            self.name,
            self.slices,
            self.permission,
            record_id=self.parent_id,
            to_confirm=self.to_confirm,
            can_probe=self._listing.slices.parent is None,
            has_key=self.has_key,
        )

    @override
    def complete_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        if self.to_confirm and DELETED_AT not in properties:
            schema = {**schema, "properties": {**properties, DELETED_AT: MARK_SCHEMA}}
        return super().complete_schema(schema)

    @property
    @override
    def metadata(self) -> MetadataMapping:
        found = super().metadata
        if self.to_confirm:  # cannot be deselected: a mark without it would be a record without values
            found["properties", DELETED_AT].inclusion = Metadata.InclusionType.AUTOMATIC
        return found

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        return Meaning.NO_RECORDS if reply.status in NOT_FOUND else super().classify(reply, request)

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        if part is not ACCESS_PROBE:
            return super().page_request(part, since)
        listing = self._listing
        recent = listing.window(listing.started - RECENT)
        first = next(part for part in listing.slices.plan(recent, None) if part)
        return listing.sample_request(listing.page_request(first, None), 1)

    @cached_property
    def _listing(self) -> RestStream:
        found = self.listing_type(self._tap)
        found.rereads = True  # neither a bookmark nor a link of an earlier run applies
        return found

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        if part is not ACCESS_PROBE:
            return super().fetch(request, part)
        try:
            page = super().fetch(request, part)
        except (RunError, RateLimitError):
            raise
        except TapError:  # then nothing is proved
            return Page([], [], part, 0, datetime.now(timezone.utc), Meaning.NO_RECORDS)
        return page if page.is_placeholder else replace(page, records=[], next_requests=[])

    @override
    def emit_marks(self, *, write_messages: bool) -> Iterator[Iterator[Record]]:
        yield self._emit_marks(write_messages=write_messages)

    def _emit_marks(self, *, write_messages: bool) -> Iterator[Record]:
        coverage, keys = self.coverage, [*self.primary_keys]
        if not isinstance(coverage, RequestedCoverage) or keys != [*type(self).primary_keys]:
            return  # a catalog has set keys that are not known
        self.conformer.start_page({})
        self._stream_version = self.replication.version
        for record_id in coverage.gone:
            mark = {keys[0]: record_id, DELETED_AT: times.format_utc(self.started)}
            columns = RecordColumns(self.conformer.conform_page([mark]))
            if self.privacy:
                self.privacy.apply(columns)
            if not columns.records or not is_mark(columns.records[0], keys):
                continue
            if write_messages and not self._write_mark_messages(columns.records):
                continue
            coverage.add_mark(record_id)
            yield from columns.records

    def _write_mark_messages(self, records: Sequence[Record]) -> bool:
        """Writes the messages of a mark. Returns False if stream maps cannot be applied to it or drop it."""
        try:
            messages = [message for record in records for message in self._generate_record_messages({**record})]
        except Exception:  # noqa: BLE001 - the expressions of stream maps, which may read other columns
            return False
        if not all(message.record.get(DELETED_AT) for message in messages):
            return False
        for message in messages:
            self._tap.write_message(message)
        return bool(messages)


class SingleRecordStream(RequestedStream):
    """A stream whose records are requested one by one, each as the response body or the object at `records_path`."""

    @override
    def find_items(self, body: Any) -> Any:
        found = super().find_items(body)
        if isinstance(found, list):
            return found
        record = found if isinstance(found, dict) else body
        return [record] if isinstance(record, dict) else None

    @override
    def read_whole_page(self, reply: Reply, request: Request) -> Any:
        return None


class RequestedRecords:
    """The records to read again.

    Args:
        only: The setting `only`. None: no such records.
        confirm_deleted: The setting `confirm_deleted`: records that were reported as deleted. None: no such records.
        tap: Name of the tap.
    """

    def __init__(self, only: str | None, confirm_deleted: str | None, tap: str) -> None:
        to_confirm = parse_requested_ids(confirm_deleted or "", "confirm_deleted")
        to_read = parse_requested_ids(only or "", "only")
        self._to_confirm: Mapping[str, Sequence[str]] = {stream: found.ids for stream, found in to_confirm.items()}
        self._setting_of = {**dict.fromkeys(to_confirm, "confirm_deleted"), **dict.fromkeys(to_read, "only")}
        given = [*to_confirm.items(), *to_read.items()]
        all_ids: dict[str, dict[str, None]] = {}
        for stream, found in given:
            all_ids.setdefault(stream, {}).update(dict.fromkeys(found.ids))
        self._ids: Mapping[str, Sequence[str]] = {stream: [*ids] for stream, ids in all_ids.items() if ids}
        self._changes = self._setting_of.keys() - self._ids.keys()
        self._optional = self._setting_of.keys() - {stream for stream, found in given if not found.is_optional}
        self._tap = tap

    def __bool__(self) -> bool:
        """Whether only given records or streams are read."""
        return bool(self._setting_of)

    def includes(self, stream: RestStream) -> bool:
        """Whether a stream is read."""
        return stream.rereads or stream.name in self._changes

    def select_class(self, stream_type: type[RestStream]) -> type[RestStream]:
        """Returns the class that reads a stream: a subclass for the given ids if the stream can be read by id.

        Raises:
            RunError: If an id cannot be one of the stream.
        """
        name, by_id = stream_type.name, stream_type.by_id
        if name not in self._ids or by_id is None:
            return stream_type
        try:
            slices = (
                ListedRecordIds(self._ids[name], by_id, searches_all=by_id.parent not in self._ids)
                if isinstance(by_id, ListedInParent)
                else RecordIds(self._ids[name], by_id)
            )
        except ValueError as error:
            raise RunError(f"`{self._setting_of[name]}`: {name} has no record with such an id: {error}") from None
        attributes: dict[str, Any] = {
            "__doc__": stream_type.__doc__,
            "slices": slices,
            "to_confirm": self._to_confirm.get(name, ()),
            "listing_type": stream_type,
        }
        if not isinstance(by_id, RecordPath):
            return type(stream_type.__name__, (RequestedStream, stream_type), attributes)
        attributes |= {"path": by_id.path, "params": {}, "pagination": SinglePage(), "page_size": None}
        return type(stream_type.__name__, (SingleRecordStream, stream_type), attributes)

    def mark_streams(self, streams: Sequence[RestStream]) -> None:
        """Marks the streams that are read: the named streams, and the streams that iterate over their records."""
        parents = {stream.name: stream.slices.parent for stream in streams} if self._ids else {}
        for stream in streams:
            name: str | None = stream.name
            while name and name not in self._ids:
                name = parents.get(name)
            stream.rereads = bool(self._ids and name)

    def check_streams(
        self, streams: Mapping[str, RestStream], selected: Collection[str], may_have: Callable[[str], bool]
    ) -> None:
        """Checks that each named stream can be read so. Optional ones that are not selected are passed over.

        Args:
            streams: The available streams.
            selected: The names of the selected streams.
            may_have: Whether the tap can have a stream of a name.

        Raises:
            RunError: If a named stream cannot be read by id, is not available, or is not selected.
        """
        for name, setting in self._setting_of.items():
            if name in self._optional and (name not in streams or name not in selected):
                continue
            if name not in streams:
                reason = "is not available with these settings" if may_have(name) else f"is no stream of {self._tap}"
                raise RunError(f"`{setting}`: {name} {reason}.")
            if name in self._ids and streams[name].by_id is None:
                raise RunError(
                    f"`{setting}`: {name} cannot be read by id.{_suggest_parent_ids(streams, name, setting)}"
                )
            if name not in selected:
                raise RunError(
                    f"`{setting}`: {name} is not selected. Select it in the catalog (with Meltano: `select:` of the "
                    "extractor)."
                )


def write_report(path: Path, streams: Sequence[RestStream]) -> None:
    """Writes what became of the given ids, as JSON that only the owner can read: outcome and ids by stream.

    Args:
        path: The file, which is replaced.
        streams: The streams that were read.

    Raises:
        RunError: If it cannot be written.
    """
    found = {one.name: one.coverage.outcomes for one in streams if isinstance(one.coverage, RequestedCoverage)}
    try:
        write_private_file(path, json.dumps(found))
    except OSError:
        raise RunError("The file in `only_report` cannot be written. Check that its folder exists.") from None


def _suggest_parent_ids(streams: Mapping[str, RestStream], name: str, setting: str) -> str:
    """Returns a sentence that suggests to give the ids of a parent, or to read without the setting."""
    parent = streams[name].slices.parent
    while parent and parent in streams:
        if streams[parent].by_id:
            return f" Give the ids of {parent}: what belongs to them in {name} is read, too."
        parent = streams[parent].slices.parent
    return f" Run without `{setting}` to read it."
