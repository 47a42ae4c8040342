"""Slices by the ids of single records, for `--only`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from singer_rest.slices.base import Slice, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_rest.aliases import Params
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


@dataclass(frozen=True)
class IdsParam(ById):
    """A parameter of the list that takes ids.

    Args:
        name: The parameter.
        separator: The text between two ids. None: the parameter is repeated.
        size: The maximum number of ids per request.
    """

    name: str
    separator: str | None = None
    size: int = IDS_PER_REQUEST

    def make_slice(self, ids: Sequence[str]) -> Slice:
        """Returns the slice with the records of some ids."""
        params: Params = {self.name: tuple(ids) if self.separator is None else self.separator.join(ids)}
        return Slice(params=params)


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


class RecordIds(Slices):
    """The records of given ids, in as few slices as possible.

    Args:
        ids: The ids.
        by_id: Requests them by their ids.

    Raises:
        ValueError: If an id cannot be one of the stream.
    """

    path_params = ("id",)

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
        return [self._by_id.make_slice(ids[start : start + size]) for start in range(0, len(ids), size)]

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slices."""
        yield from self._slices
