"""Reads single records again: the streams of `--only`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from singer_rest.errors import RunError
from singer_rest.fetch.meanings import Meaning
from singer_rest.http.paginators import SinglePage
from singer_rest.settings import parse_requested_ids
from singer_rest.slices.ids import RecordIds, RecordPath
from singer_rest.stream import RestStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from singer_rest.http.request import Reply, Request

NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class SingleRecordStream(RestStream):
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

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        return Meaning.NO_RECORDS if reply.status in NOT_FOUND else super().classify(reply, request)


class RequestedRecords:
    """The records to read again.

    Args:
        text: The setting `only`. None: everything is read.
        tap: Name of the tap.
    """

    def __init__(self, text: str | None, tap: str) -> None:
        self._ids: Mapping[str, Sequence[str]] = parse_requested_ids(text) if text else {}
        self._tap = tap

    def __bool__(self) -> bool:
        """Whether only given records are read."""
        return bool(self._ids)

    def select_class(self, stream_type: type[RestStream]) -> type[RestStream]:
        """Returns the class that reads a stream: a subclass for the given ids if the stream can be read by id.

        Raises:
            RunError: If an id cannot be one of the stream.
        """
        name, by_id = stream_type.name, stream_type.by_id
        if name not in self._ids or by_id is None:
            return stream_type
        try:
            attributes: dict[str, Any] = {"slices": RecordIds(self._ids[name], by_id)}
        except ValueError as error:
            raise RunError(f"`only`: {name} has no record with such an id: {error}") from None
        bases: tuple[type[RestStream], ...] = (stream_type,)
        if isinstance(by_id, RecordPath):
            bases = (SingleRecordStream, stream_type)
            attributes |= {"path": by_id.path, "pagination": SinglePage(), "page_size": None}
        return type(stream_type.__name__, bases, {"__doc__": stream_type.__doc__, **attributes})

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
        """Checks that each named stream can be read by id.

        Args:
            streams: The available streams.
            selected: The names of the selected streams.
            may_have: Whether the tap can have a stream of a name.

        Raises:
            RunError: If a named stream cannot be read by id, is not available, or is not selected.
        """
        for name in self._ids:
            if name not in streams:
                reason = "is not available with these settings" if may_have(name) else f"is no stream of {self._tap}"
                raise RunError(f"`only`: {name} {reason}.")
            if streams[name].by_id is None:
                raise RunError(f"`only`: {name} cannot be read by id.{_suggest_parent_ids(streams, name)}")
            if name not in selected:
                raise RunError(
                    f"`only`: {name} is not selected. Select it in the catalog (with Meltano: `select:` of the "
                    "extractor)."
                )


def _suggest_parent_ids(streams: Mapping[str, RestStream], name: str) -> str:
    """Returns a sentence that suggests to give the ids of a parent, or to read without `only`."""
    parent = streams[name].slices.parent
    while parent and parent in streams:
        if streams[parent].by_id:
            return f" Give the ids of {parent}: what belongs to them in {name} is read, too."
        parent = streams[parent].slices.parent
    return " Run without `only` to read it."
