"""Collects the parents whose children are read, while the list of parents is fetched. Orders streams by parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.errors import AccessDeniedError, RunError, TapError, describe_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.fetchable_stream import FetchableStream
    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import Slice


class ParentIndex:
    """The parent records that child streams iterate over: in order, without repeats, available as they arrive.

    Args:
        parent: The parent stream.
        children: The child streams.
    """

    def __init__(self, parent: FetchableStream, children: list[FetchableStream]) -> None:
        self.parent = parent
        self.children = children
        self.parents: list[tuple[str, Mapping[str, Any]]] = []
        self.complete = False
        self.error: Exception | None = None
        self.without_id = 0
        """Number of records without an id, whose children cannot be requested."""
        self.coverage: Coverage | None = None
        """The coverage of a separate read for the ids. None: that of the parent stream itself."""
        self._known_ids: set[str] = set()

    @property
    def since(self) -> datetime | None:
        """The timestamp since which changed parents are needed. None: all parents are needed."""
        lower_bounds = [child.replication.since if child.slices.changed else None for child in self.children]
        return None if None in lower_bounds else min(since for since in lower_bounds if since)

    def add_parents(self, records: Iterable[Record]) -> None:
        """Adds parents. Ignores parents that were added before."""
        for record in records:
            parent_id = self.parent.parent_id(record)
            self.without_id += parent_id is None
            if parent_id is not None and parent_id not in self._known_ids:
                self._known_ids.add(parent_id)
                self.parents.append((parent_id, self._fields_for_children(record)))

    def _fields_for_children(self, record: Record) -> Mapping[str, Any]:
        """Returns the fields of a parent that the children need. Most need none, and there may be many parents."""
        fields: dict[str, Any] = {}
        for child in self.children:
            fields |= child.slices.parent_fields(record)
            if child.slices.changed:
                fields[child.slices.changed] = self.parent.changed_at(record)
        return fields

    def finish(self, error: Exception | None = None) -> None:
        """Marks the index as complete.

        Args:
            error: Why the list of parents ended early, if it did.
        """
        self.error = error
        self.complete = True


def add_page(page: Page, stream: FetchableStream, own_coverage: Coverage | None) -> None:
    """Records a page in the coverage of its read.

    Args:
        page: The page.
        stream: The stream, which counts repeated records itself when it emits them.
        own_coverage: The coverage of a separate read, which emits nothing. None: the stream's own.
    """
    if own_coverage is None:
        stream.coverage.add_page(page)
        return
    own_coverage.add_page(page)
    seen: set[str] = page.memory.setdefault("seen_ids", set())
    keys = [repr(key) for record in page.records if any(key := [record.get(name) for name in stream.primary_keys])]
    known = len(seen)
    seen.update(keys)
    own_coverage.add_repeated(page, len(keys) - (len(seen) - known))


def with_parent_errors(name: str, parent: str, plan: Iterator[Slice | None]) -> Iterator[Slice | None]:
    """Yields a plan; if the parent failed, raises an error that says so for the child."""
    try:
        yield from plan
    except RunError:
        raise
    except AccessDeniedError as error:
        raise AccessDeniedError(f"{name}: its parent stream {parent} could not be read: {error}") from None
    except Exception as error:  # noqa: BLE001 - any error of the parent ends the child
        raise TapError(f"{name}: its parent stream {parent} was not read completely. {describe_error(error)}") from None


def parents_first(streams: Mapping[str, FetchableStream]) -> list[FetchableStream]:
    """Orders streams so that ids are known early: parents, after their own parents, then the rest by name."""
    ordered: dict[str, FetchableStream] = {}

    def place_after_parent(name: str) -> None:
        if name in streams:
            place_after_parent(streams[name].slices.parent or "")
            ordered.setdefault(name, streams[name])

    for name in sorted(stream.slices.parent for stream in streams.values() if stream.slices.parent):
        place_after_parent(name)
    for name in sorted(streams):
        place_after_parent(name)
    return list(ordered.values())
