"""Slices by the records of another stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import times
from singer_rest.slices.base import Slice, Slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.slices.base import ParentIds, Window


class PerParent(Slices):
    """One slice per record of another stream.

    Args:
        parent: Name of the parent stream.
        column: The placeholder of the path (or, with `param`, the query parameter's column) that takes the parent's id.
        param: The query parameter that takes the parent's id, where it does not stand in the path.
        changed: The column that gets the parent's replication key. The children can only have changed with their
            parent then: it is their own replication key, and only parents that changed since are walked.
        where: Which parents have children at all.
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
        self.changed = changed
        self.where = where

    def parent_fields(self, parent: Record) -> Record:
        """What says whether it has children at all."""
        return parent if self.where else {}

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yield a slice per parent, as their ids become known; what ended their listing ends this too."""
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
            elif self._is_wanted(known[1], window.since):
                yield self._slice(*known)

    def _is_wanted(self, kept: Mapping[str, Any], since: datetime | None) -> bool:
        if self.where and not self.where(kept):
            return False
        changed_at = kept.get(self.changed) if self.changed else None
        try:
            return not (since and changed_at) or times.parse(changed_at) >= since
        except (ValueError, AttributeError):
            return True  # a moment that cannot be read may be any

    def _slice(self, parent_id: str, kept: Mapping[str, Any]) -> Slice:
        return Slice(
            params={self.param: parent_id} if self.param else {},
            path={} if self.param else {self.column: quote(parent_id, safe="")},
            columns={self.column: parent_id, **({self.changed: kept.get(self.changed)} if self.changed else {})},
        )


class ParentBatches(Slices):
    """One slice per so many records of another stream, in one repeated parameter: ``ids[]=1&ids[]=2``.

    Args:
        parent: Name of the parent stream.
        param: The query parameter that takes the ids.
        size: How many ids at a time.
        key: The parents' field that is asked with, each of its values once, where it is not their id.
        column: Column that each record gets: the id that was asked with, where that is one at a time.
    """

    def __init__(
        self, parent: str, param: str, *, size: int, key: str | None = None, column: str | None = None
    ) -> None:
        if column and size != 1:
            raise ValueError("a column tells of one id at a time")
        self.parent = parent
        self.param = self.ids_param = param
        self.size = size
        self.key = key
        self.column = column

    def parent_fields(self, parent: Record) -> Record:
        """What is asked with."""
        return {self.key: parent.get(self.key)} if self.key else {}

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield a slice as soon as its ids are known, and one of what is left at the end of the parents' listing."""
        batch: list[str] = []
        asked: set[str] = set()
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
                continue
            parent_id, kept = known
            value = kept.get(self.key) if self.key else parent_id
            if value is None or str(value) in asked:
                continue
            asked.add(str(value))
            batch.append(str(value))
            if len(batch) == self.size:
                yield self._slice(batch)
                batch = []
        if batch:
            yield self._slice(batch)

    def _slice(self, batch: list[str]) -> Slice:
        return Slice(params={self.param: tuple(batch)}, columns={self.column: batch[0]} if self.column else {})


def iterate_parents(name: str | None, parents: ParentIds | None) -> Iterator[tuple[str, Mapping[str, Any]] | None]:
    """Yield the parents as they become known, None while there are none; what ended their listing ends this too."""
    if parents is None:
        raise LookupError(f"nobody lists {name}")
    walked = 0
    while walked < len(parents.parents) or not parents.complete:
        if walked == len(parents.parents):
            yield None
            continue
        yield parents.parents[walked]
        walked += 1
    if parents.error:
        raise parents.error
