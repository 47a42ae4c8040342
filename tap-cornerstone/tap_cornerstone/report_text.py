"""The text of a report: which encoding it has, and its lines of cells."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest import Reply

LONGEST_CELL = 2**31 - 1
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2})")
"""What stands in a report as text, and looks as if it were a byte that cannot be decoded."""


@dataclass(frozen=True)
class Report:
    r"""A report as it was downloaded.

    Args:
        lines: Its lines of cells, the header first.
        has_odd_bytes: Whether it holds bytes that cannot be decoded, which stand in the cells as ``\\xe4``.
        is_open: Whether its last line has no end, so that more may have been to come.
    """

    lines: list[list[str]]
    has_odd_bytes: bool
    is_open: bool


def read(reply: Reply) -> Report:
    """Read a report.

    Raises:
        ValueError: If it is a page or an error instead, or ends within a cell.
    """
    if reply.body.lstrip()[:1] == b"<" or _is_json(reply):
        raise ValueError("a page instead of a report")
    text, has_odd_bytes = decoded(reply.body, reply.headers.get("Content-Type") or "")
    lines = _lines(text)
    return Report(lines, has_odd_bytes, bool(lines) and not text.endswith(("\n", "\r")))


def _is_json(reply: Reply) -> bool:
    """Whether an object came, such as one that tells of an error."""
    try:
        return reply.body.lstrip()[:1] == b"{" and isinstance(reply.json(), dict)
    except ValueError:
        return False


def decoded(body: bytes, content_type: str) -> tuple[str, bool]:
    r"""A report's text, and whether it holds bytes that could not be decoded.

    What its first bytes say of the encoding holds, then UTF-8, then what the header says: some servers name one by
    habit. Where none of these fits, bytes that are not UTF-8 become ``\\xe4``, and a backslash that stands before such
    letters as text becomes ``\\x5c``: so nothing is lost or guessed, and the bytes can be had back.
    """
    found = CHARSET.search(content_type)
    named = found[1].lower() if found else ""
    marked = next((encoding for mark, encoding in BOMS if body.startswith(mark)), "")
    is_wide = named.startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    for encoding in (marked, *([named] if is_wide else []), "utf-8", named):
        try:
            return body.decode(encoding), False
        except (LookupError, ValueError):  # no encoding, or not this one
            continue
    if marked in {"utf-16", "utf-32"}:
        return body.decode(marked, "backslashreplace"), True
    return ESCAPE.sub(rb"\\x5c\1", body).decode("utf-8-sig", "backslashreplace"), True


def _lines(text: str) -> list[list[str]]:
    csv.field_size_limit(LONGEST_CELL)
    try:
        return _parsed(text, strict=True)
    except csv.Error as error:
        if "end of data" in str(error):
            raise ValueError("it broke off within quotes") from None
    try:
        return _parsed(text, strict=False)  # quotes within a cell may stand there as they are
    except csv.Error:
        raise ValueError("it is no list of cells") from None


def _parsed(text: str, *, strict: bool) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline=""), strict=strict) if row]
