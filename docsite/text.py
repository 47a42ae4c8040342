"""Descriptions of streams, and tables, for the pages."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_rest import RestStream, RestTap

UNITS = {1: "a second", 60: "a minute", 61: "a minute"}
"""Units of rate limits, by their seconds."""


def split_docstring(stream: RestStream) -> tuple[str, str]:
    """Returns the first sentence of a stream's docstring, which says what a row is, and the rest of the docstring."""
    first, _, rest = inspect.cleandoc(type(stream).__doc__ or "").partition("\n\n")
    return first.removeprefix("One row per ").rstrip("."), " ".join(rest.split())


def describe_incremental(stream: RestStream) -> str:
    """Describes what later runs of a stream read."""
    if changed := stream.slices.changed:
        return f"rows of `{stream.slices.parent}` that changed (`{changed}`)"
    if stream.replication_key:
        return f"`{stream.replication_key}`"
    return "start of the last run" if stream.bookmark_is_run_start else "full table"


def describe_requests(stream: RestStream) -> str:
    """Describes how many requests a full read of a stream takes."""
    size = getattr(stream.pagination, "size", stream.page_size)
    number = f"rows / {size}" if size else "1"
    if stream.slices.parent:
        number = f"1{' or more' if size else ''} per row of `{stream.slices.parent}`"
    tap = cast("RestTap", stream._tap)  # noqa: SLF001 - streams have no public attribute for their tap
    rate = tap.rates.get(stream.path)
    return f"{number}, {rate.requests:g} {UNITS[int(rate.seconds)]}" if rate else number


def describe_permission(stream: RestStream) -> str:
    """Returns the permission that a stream needs, with its name in a code span."""
    needed = (stream.permission or "none: public").removeprefix("the ")
    return re.sub(r"[\w-]+(:[\w-]+)+", r"`\g<0>`", needed)


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def escape_cell(text: str) -> str:
    """Escapes text for a table cell."""
    return text.replace("|", "\\|")
