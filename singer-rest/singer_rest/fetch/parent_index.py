"""The parents whose children are read, as their list hands them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.source import Source


class ParentIndex:
    """The records of a parent stream that its children walk, in its order and each once, as they become known.

    Args:
        parent: The parent stream.
        children: The streams that walk it.
    """

    def __init__(self, parent: Source, children: list[Source]) -> None:
        self.parent = parent
        self.children = children
        self.parents: list[tuple[str, Mapping[str, Any]]] = []
        self.complete = False
        self.error: Exception | None = None
        self.without_id = 0
        """Records that no children can be asked for with."""
        self.coverage: Coverage | None = None
        """What the listing covers, where it is none of the parent's own read."""
        self._known: set[str] = set()

    @property
    def since(self) -> datetime | None:
        """From when on changed parents are wanted; None: all of them."""
        wanted = [child.replication.since if child.slices.changed else None for child in self.children]
        return None if None in wanted else min(since for since in wanted if since)

    def add(self, records: Iterable[Record]) -> None:
        """Take in parents; one that is there already is not walked again."""
        for record in records:
            parent_id = self.parent.parent_id(record)
            self.without_id += parent_id is None
            if parent_id is not None and parent_id not in self._known:
                self._known.add(parent_id)
                self.parents.append((parent_id, self._kept(record)))

    def _kept(self, record: Record) -> Mapping[str, Any]:
        """What the children need to know of a parent; most need nothing, and there may be many parents."""
        kept: dict[str, Any] = {}
        for child in self.children:
            kept |= child.slices.parent_fields(record)
            if child.slices.changed:
                kept[child.slices.changed] = self.parent.changed_at(record)
        return kept

    def end(self, error: Exception | None = None) -> None:
        """Take in that no more parents come, and why, if it is not the end of the list."""
        self.error = error
        self.complete = True
