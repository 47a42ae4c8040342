"""Slices by the ids of single records, for `--only`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from singer_rest.slices.base import Slice, Slices
from singer_rest.slices.parents import iterate_parents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from singer_rest.aliases import Params, Record
    from singer_rest.slices.base import ParentIds, Window

IDS_PER_REQUEST = 50


class ById(ABC):
    """Requests the records of a stream by their ids."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The maximum number of ids per request."""

    @abstractmethod
    def make_slice(self, ids: Sequence[str]) -> Slice:
        """Returns the slice that reads the records with some ids.

        Raises:
            ValueError: If an id cannot be one of the stream.
        """

    def make_slices(self, ids: Sequence[str]) -> list[Slice]:
        """Returns the slices that together read the records with some ids.

        Raises:
            ValueError: If an id cannot be one of the stream.
        """
        return [self.make_slice(ids)]


@dataclass(frozen=True)
class IdsParam(ById):
    """A parameter of the list that takes ids.

    Args:
        name: The parameter.
        separator: The text between two ids. None: the parameter is repeated.
        size: The maximum number of ids per request.
        views: The slices of a list that returns one view at a time. The ids are requested in each.
    """

    name: str
    separator: str | None = None
    size: int = IDS_PER_REQUEST
    views: tuple[Slice, ...] = ()

    def make_slice(self, ids: Sequence[str]) -> Slice:
        """Returns the slice with the records of some ids."""
        params: Params = {self.name: tuple(ids) if self.separator is None else self.separator.join(ids)}
        return Slice(params=params)

    def make_slices(self, ids: Sequence[str]) -> list[Slice]:
        """Returns a slice per view."""
        found = self.make_slice(ids)
        views = [replace(view, params={**view.params, **found.params}) for view in self.views]
        return views or [found]


@dataclass(frozen=True)
class RecordPath(ById):
    """An endpoint that returns one record.

    Args:
        path: The path, with the placeholder ``{id}``.
    """

    path: str
    size = 1

    def make_slice(self, ids: Sequence[str]) -> Slice:
        """Returns the slice with the record of one id."""
        return Slice(path={"id": quote(ids[0], safe="")})


@dataclass(frozen=True)
class ListedInParent(ById):
    """A filter for ids below a parent's path, for children whose ids are listed in the records of their parents.

    Finding the parent takes a read of all parents, but not of the children of all parents.

    Args:
        parent: The parent stream.
        field: The field of the parents: a list of objects with an `id`.
        param: The parameter of the children's list that takes their ids, separated by commas.
        column: The placeholder of the path, and the column, that takes the parent's id.
    """

    parent: str
    field: str
    param: str
    column: str
    size = IDS_PER_REQUEST

    def make_slice(self, ids: Sequence[str], parent_id: str | None = None) -> Slice:
        """Returns the slice with some of the children of a parent, or with all of them.

        Raises:
            ValueError: If the parent is not given.
        """
        if parent_id is None:
            raise ValueError("the parent is not known")
        path = {self.column: quote(parent_id, safe="")}
        return Slice({self.param: ",".join(ids)} if ids else {}, path, {self.column: parent_id})

    def listed_ids(self, parent: Record) -> list[str]:
        """Returns the ids of a parent's children."""
        items = parent.get(self.field)
        items = items if isinstance(items, list) else []
        return [str(item["id"]) for item in items if isinstance(item, dict) and item.get("id") is not None]


class RecordIds(Slices):
    """The records of given ids, in as few slices as possible.

    Args:
        ids: The ids.
        by_id: Requests them by their ids.

    Raises:
        ValueError: If an id cannot be one of the stream.
    """

    path_params: Collection[str] = ("id",)
    lists_ids = False
    """Whether the ids of all records were listed, so that records without a listed id are known not to exist."""
    searches_all = True
    """Whether all records are searched for the ids."""

    def __init__(self, ids: Sequence[str], by_id: ById) -> None:
        self.ids = list(ids)
        self._by_id = by_id
        self._slices = self.make_slices(self.ids)

    def make_slices(self, ids: Sequence[str]) -> list[Slice]:
        """Returns the slices with some of the records.

        Raises:
            ValueError: If an id cannot be one of the stream.
        """
        size = self._by_id.size
        parts = (ids[start : start + size] for start in range(0, len(ids), size))
        return [found for part in parts for found in self._by_id.make_slices(part)]

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slices."""
        yield from self._slices


class ListedRecordIds(RecordIds):
    """The records of given ids, below those of all parents that list one of them.

    Args:
        ids: The ids.
        by_id: Finds them in the records of their parents, and requests them.
        searches_all: Whether all parents are searched. Otherwise all children of given parents are read.
    """

    def __init__(self, ids: Sequence[str], by_id: ListedInParent, *, searches_all: bool) -> None:
        self._children = by_id
        self.searches_all = searches_all
        self._found: dict[str, Slice] = {}
        self._wanted = frozenset(ids)
        super().__init__(ids, by_id)
        self.parent = by_id.parent
        self.path_params = (by_id.column,)

    def make_slices(self, ids: Sequence[str]) -> list[Slice]:
        """Returns the slices with some of the records, as far as their parents are known."""
        found: list[Slice] = []
        for one in ids:
            part = self._found.get(one)
            if part and part not in found:
                found.append(part)
        return found

    def parent_fields(self, parent: Record) -> Record:
        """Returns the ids of a parent's children, if one of them is given."""
        listed = self._children.listed_ids(parent)
        self.lists_ids = self.lists_ids or (self.searches_all and bool(listed))
        return {self._children.field: sorted(self._wanted.intersection(listed))}

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields a slice per parent that has given records, or is given itself, as the parents become known."""
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
                continue
            parent_id, fields = known
            ids = fields[self._children.field]
            if ids or not self.searches_all:
                part = self._children.make_slice(ids if self.searches_all else (), parent_id)
                self._found |= dict.fromkeys(ids, part)
                yield part
