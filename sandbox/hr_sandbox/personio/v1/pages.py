"""Pages of v1: some lists count records, others pages; what they say about it is not always there."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.modes import NORMAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.v1.route import Call

NONE, TEXT, ZERO = "no-metadata", "text-metadata", "zero-pages"
MODES = (NONE, TEXT, ZERO)


def metadata(total: int, current: int, limit: int) -> Json:
    """How much there is in all."""
    return {"total_elements": total, "current_page": current, "total_pages": ceil(total / limit)}


def from_record(rows: Sequence[Any], call: Call) -> tuple[Sequence[Any], Json]:
    """A page whose offset is a record, and what is said about it: pages are counted from 0."""
    limit, offset = call.query["limit"], call.query["offset"]
    return rows[offset : offset + limit], metadata(len(rows), offset // limit, limit)


def by_page(rows: Sequence[Any], call: Call, *, first_only: bool = False) -> tuple[Sequence[Any], Json]:
    """A page whose offset is its number, and the frame around its rows: 0 and 1 are both the first page.

    Args:
        rows: all of them.
        call: the offset and the limit, and in which mode to answer.
        first_only: whether later pages lack the metadata even in the normal mode.
    """
    limit, page = call.query["limit"], max(call.query["offset"], 1)
    said = metadata(len(rows), page, limit)
    if call.mode == TEXT:
        said = {name: str(value) for name, value in said.items()}
    elif call.mode == ZERO:
        said |= {"current_page": 1, "total_pages": 0}
    silent = call.mode == NONE or (call.mode == NORMAL and first_only and page > 1)
    frame = {"success": True, **({} if silent else {"metadata": said}), **echo(call)}
    return rows[(page - 1) * limit : page * limit], frame


def echo(call: Call) -> Json:
    """The offset and the limit that were asked for: as text, though they are numbers."""
    return {name: str(call.query[name]) for name in ("offset", "limit")}
