"""Slices by query parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.slices.base import ParentIds, Slice, Slices, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from singer_rest.aliases import Params, Record
    from singer_rest.slices.base import Takes


class ParamSets(Slices):
    """One slice per set of query parameters, for lists that return one value or one view at a time.

    Args:
        params: The parameters of each slice.
        columns: For each slice, the column values that are added to its records. True: the parameters themselves.
    """

    def __init__(self, *params: Params, columns: bool | Sequence[Mapping[str, Any]] = False) -> None:
        if isinstance(columns, bool):
            columns = params if columns else [{}] * len(params)
        self._slices = [Slice(params=part, columns=values) for part, values in zip(params, columns, strict=True)]

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slices."""
        yield from self._slices


class ParamValues(ParamSets):
    """One slice per value of a parameter that the vendor requires, for example ``type=team``.

    Args:
        param: The query parameter.
        values: Its values.
        column: The column of each record that holds the value.
    """

    def __init__(self, param: str, *values: str, column: str | None = None) -> None:
        columns = [{column: value} for value in values] if column else False
        super().__init__(*({param: value} for value in values), columns=columns)


class Product(Slices):
    """Combines two ways to divide a stream, for example batches of parents with date windows.

    These slices have no names, so an interrupted read starts over: an outer slice is finished only when all of its
    inner ones are, and there may be too many for the state.

    Args:
        outer: The outer slices.
        inner: The inner slices. Their values win if both set the same column or parameter.
    """

    def __init__(self, outer: Slices, inner: Slices) -> None:
        if outer.parent and inner.parent:
            raise ValueError("only one of the two may have a parent stream")
        self.outer = outer
        self.inner = inner
        self.parent = outer.parent or inner.parent
        self.changed = outer.changed or inner.changed
        self.path_params = (*outer.path_params, *inner.path_params)
        self.key = outer.key or inner.key
        self.ids_param = outer.ids_param or inner.ids_param
        self.days_params = outer.days_params or inner.days_params
        self.changes_of_all_dates = outer.changes_of_all_dates or inner.changes_of_all_dates

    def parent_fields(self, parent: Record) -> Record:
        """Returns the fields that the outer or the inner slices need."""
        return {**self.outer.parent_fields(parent), **self.inner.parent_fields(parent)}

    def first_timestamp(self, window: Window) -> datetime | None:
        """Returns the earliest timestamp that the slices of a window cover."""
        return self.outer.first_timestamp(window) or self.inner.first_timestamp(window)

    def last_timestamp(self, window: Window) -> datetime | None:
        """Returns the latest timestamp that the slices of a window cover."""
        return self.outer.last_timestamp(window) or self.inner.last_timestamp(window)

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the inner slices for each outer slice."""
        yield from _combine(self.outer.plan(window, parents), lambda: self.inner.plan(window, parents))

    def share(self, takes: Takes, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the slices of one part: those of its parents, or else its inner slices, of which there are more."""
        if self.outer.parent:
            yield from _combine(self.outer.share(takes, window, parents), lambda: self.inner.plan(window, parents))
        else:
            yield from _combine(self.outer.plan(window, parents), lambda: self.inner.share(takes, window, parents))


def _combine(
    outer_slices: Iterator[Slice | None], plan_inner: Callable[[], Iterator[Slice | None]]
) -> Iterator[Slice | None]:
    for outer in outer_slices:
        if outer is None:
            yield None
            continue
        for inner in plan_inner():
            yield inner and _combine_slices(outer, inner)


def _combine_slices(outer: Slice, inner: Slice) -> Slice:
    return Slice(
        params={**outer.params, **inner.params},
        path={**outer.path, **inner.path},
        columns={**outer.columns, **inner.columns},
        parts=(
            *(_combine_slices(part, inner) for part in outer.parts),
            *(_combine_slices(outer, part) for part in inner.parts if not outer.parts),
        ),
    )
