"""Slices by query parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.slices.base import ParentIds, Slice, Slices, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from singer_rest.aliases import Params, Record


class ParamSets(Slices):
    """One slice per given set of query parameters: for lists that answer one value, or one view, at a time.

    Args:
        params: The parameters of each slice.
        columns: Values that each record gets, by column, for each slice; True: the parameters themselves.
    """

    def __init__(self, *params: Params, columns: bool | Sequence[Mapping[str, Any]] = False) -> None:
        if isinstance(columns, bool):
            columns = params if columns else [{}] * len(params)
        self._slices = [Slice(params=part, columns=values) for part, values in zip(params, columns, strict=True)]

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the slices."""
        yield from self._slices


class ParamValues(ParamSets):
    """One slice per value of a parameter that the vendor requires, such as ``type=team``.

    Args:
        param: The query parameter.
        values: Its values.
        column: Column that each record gets: the value.
    """

    def __init__(self, param: str, *values: str, column: str | None = None) -> None:
        columns = [{column: value} for value in values] if column else False
        super().__init__(*({param: value} for value in values), columns=columns)


class Product(Slices):
    """Each slice of one way to cut a stream, cut once more in another: each batch of parents by date windows.

    None of these slices has a name, so a read that is interrupted begins anew: a part is only over when all that it
    was cut into is, and there may be too many of them for the state.

    Args:
        outer: The first way.
        inner: The second way; of a column or parameter that both give, its value holds.
    """

    def __init__(self, outer: Slices, inner: Slices) -> None:
        if outer.parent and inner.parent:
            raise ValueError("only one way may walk a parent")
        self.outer = outer
        self.inner = inner
        self.parent = outer.parent or inner.parent
        self.changed = outer.changed or inner.changed
        self.key = outer.key or inner.key
        self.ids_param = outer.ids_param or inner.ids_param
        self.days_params = outer.days_params or inner.days_params

    def parent_fields(self, parent: Record) -> Record:
        """What either way depends on."""
        return {**self.outer.parent_fields(parent), **self.inner.parent_fields(parent)}

    def start(self, window: Window) -> datetime | None:
        """First moment that the slices of a window reach back to."""
        return self.outer.start(window) or self.inner.start(window)

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yield the slices: those of the first one, then those of the next."""
        for outer in self.outer.plan(window, parents):
            if outer is None:
                yield None
                continue
            for inner in self.inner.plan(window, parents):
                yield inner and Slice(
                    params={**outer.params, **inner.params},
                    path={**outer.path, **inner.path},
                    columns={**outer.columns, **inner.columns},
                )
