"""Slices by the records of a parent stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import times
from singer_rest.slices.base import Slice, Slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.slices.base import ParentIds, Takes, Window


class PerParent(Slices):
    """One slice per parent record.

    Args:
        parent: Name of the parent stream.
        column: The placeholder of the path (or, with `param`, the column) that takes the parent's id.
        param: The query parameter that takes the parent's id, if it is not in the path.
        changed: The column that takes the parent's replication key. For children that change only together with their
            parent: it is their replication key, and only changed parents are read.
        where: Selects the parents that have children at all.
    """

    def __init__(
        self,
        parent: str,
        column: str,
        *,
        param: str | None = None,
        changed: str | None = None,
        where: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        self.parent = parent
        self.column = column
        self.param = self.ids_param = param
        self.path_params = () if param else (column,)
        self.changed = changed
        self.where = where

    def parent_fields(self, parent: Record) -> Record:
        """Returns all fields of a parent if `where` needs them."""
        return parent if self.where else {}

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields a slice per parent as the parents become known. Raises the error that ended their list."""
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
            elif self._is_included(known[1], window.since):
                yield self._make_slice(*known)

    def _is_included(self, fields: Mapping[str, Any], since: datetime | None) -> bool:
        if self.where and not self.where(fields):
            return False
        changed_at = fields.get(self.changed) if self.changed else None
        try:
            return not (since and changed_at) or times.parse(changed_at) >= since
        except (ValueError, AttributeError):
            return True  # an unreadable timestamp may be any

    def _make_slice(self, parent_id: str, fields: Mapping[str, Any]) -> Slice:
        return Slice(
            params={self.param: parent_id} if self.param else {},
            path={} if self.param else {self.column: quote(parent_id, safe="")},
            columns={self.column: parent_id, **({self.changed: fields.get(self.changed)} if self.changed else {})},
        )


class ParentBatches(Slices):
    """One slice per batch of parent records, in one repeated parameter: ``ids[]=1&ids[]=2``.

    Args:
        parent: Name of the parent stream.
        param: The query parameter that takes the ids.
        size: Number of ids per batch.
        key: The field of the parents that requests use, each value once, if it is not their id.
        column: The column of each record that takes the requested id. Requires a size of 1.
    """

    def __init__(
        self, parent: str, param: str, *, size: int, key: str | None = None, column: str | None = None
    ) -> None:
        if column and size != 1:
            raise ValueError("a column requires a batch size of 1")
        self.parent = parent
        self.param = self.ids_param = param
        self.size = size
        self.key = key
        self.column = column

    def parent_fields(self, parent: Record) -> Record:
        """Returns the field that requests use in place of the id."""
        return {self.key: parent.get(self.key)} if self.key else {}

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields a slice as soon as a batch is complete, and one for the rest when the parents are complete."""
        return self.share(lambda _: True, window, parents)

    def share(self, takes: Takes, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the batches of the parents that one part takes."""
        batch: list[str] = []
        requested: set[str] = set()
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
                continue
            parent_id, fields = known
            value = fields.get(self.key) if self.key else parent_id
            if value is None or str(value) in requested:
                continue
            requested.add(str(value))
            if takes(str(value)):
                batch.append(str(value))
            if len(batch) == self.size:
                yield self._make_slice(batch)
                batch = []
        if batch:
            yield self._make_slice(batch)

    def _make_slice(self, batch: list[str]) -> Slice:
        return Slice(params={self.param: tuple(batch)}, columns={self.column: batch[0]} if self.column else {})


def iterate_parents(name: str | None, parents: ParentIds | None) -> Iterator[tuple[str, Mapping[str, Any]] | None]:
    """Yields the parents as they become known, None while there are none. Raises the error that ended their list."""
    if parents is None:
        raise LookupError(f"the parent stream {name} is not indexed")
    count = 0
    while count < len(parents.parents) or not parents.complete:
        if count == len(parents.parents):
            yield None
            continue
        yield parents.parents[count]
        count += 1
    if parents.error:
        raise parents.error
