"""Pagination of v1: by record or by page number, with metadata that may be missing."""

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
    """Return the metadata of a page."""
    return {"total_elements": total, "current_page": current, "total_pages": ceil(total / limit)}


def from_record(rows: Sequence[Any], call: Call) -> tuple[Sequence[Any], Json]:
    """Return a page whose offset is a record, and its metadata. Pages are counted from 0."""
    limit, offset = call.query["limit"], call.query["offset"]
    return rows[offset : offset + limit], metadata(len(rows), offset // limit, limit)


def by_page(rows: Sequence[Any], call: Call, *, first_only: bool = False) -> tuple[Sequence[Any], Json]:
    """Return a page whose offset is a page number, and the frame around its rows. 0 and 1 are both the first page.

    Args:
        rows: all rows.
        call: the request, with offset, limit and mode.
        first_only: whether later pages have no metadata in the normal mode.
    """
    limit, page = call.query["limit"], max(call.query["offset"], 1)
    meta = metadata(len(rows), page, limit)
    if call.mode == TEXT:
        meta = {name: str(value) for name, value in meta.items()}
    elif call.mode == ZERO:
        meta |= {"current_page": 1, "total_pages": 0}
    silent = call.mode == NONE or (call.mode == NORMAL and first_only and page > 1)
    frame = {"success": True, **({} if silent else {"metadata": meta}), **echo(call)}
    return rows[(page - 1) * limit : page * limit], frame


def echo(call: Call) -> Json:
    """Return the requested offset and limit, as texts."""
    return {name: str(call.query[name]) for name in ("offset", "limit")}
