"""Decodes reports and parses their lines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest import Reply

MAX_CELL = 2**31 - 1
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2})")
"""Text of a report that looks like the escape of an undecodable byte."""


@dataclass(frozen=True)
class Report:
    r"""A report as downloaded.

    Args:
        lines: Its lines of cells, the header first.
        has_undecodable_bytes: Whether it holds undecodable bytes, which the cells contain as ``\\xe4``.
        is_open: Whether its last line has no line break, so that the report may be truncated.
    """

    lines: list[list[str]]
    has_undecodable_bytes: bool
    is_open: bool


def parse_report(reply: Reply) -> Report:
    """Parses a report.

    Raises:
        ValueError: If it is a web page or an error instead, or ends within a cell.
    """
    if reply.body.lstrip()[:1] == b"<" or _is_json(reply):
        raise ValueError("a web page instead of a report")
    text, has_undecodable_bytes = decode_report(reply.body, reply.headers.get("Content-Type") or "")
    lines = _parse_lines(text)
    return Report(lines, has_undecodable_bytes, bool(lines) and not text.endswith(("\n", "\r")))


def _is_json(reply: Reply) -> bool:
    """Whether the body is a JSON object, which is an error instead of a report."""
    try:
        return reply.body.lstrip()[:1] == b"{" and isinstance(reply.json(), dict)
    except ValueError:
        return False


def decode_report(body: bytes, content_type: str) -> tuple[str, bool]:
    r"""Decodes a report. Returns its text, and whether it holds undecodable bytes.

    A byte order mark takes precedence, then UTF-8, then the header, since some servers always send the same one. If
    none fits, bytes that are not UTF-8 become ``\\xe4``, and a backslash before such characters in the text becomes
    ``\\x5c``: nothing is lost or guessed, and the bytes can be restored.
    """
    match = CHARSET.search(content_type)
    from_header = match[1].lower() if match else ""
    from_bom = next((encoding for mark, encoding in BOMS if body.startswith(mark)), "")
    is_wide = from_header.startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    for encoding in (from_bom, *([from_header] if is_wide else []), "utf-8", from_header):
        try:
            return body.decode(encoding), False
        except (LookupError, ValueError):  # not an encoding, or not this one
            continue
    if from_bom in {"utf-16", "utf-32"}:
        return body.decode(from_bom, "backslashreplace"), True
    return ESCAPE.sub(rb"\\x5c\1", body).decode("utf-8-sig", "backslashreplace"), True


def _parse_lines(text: str) -> list[list[str]]:
    csv.field_size_limit(MAX_CELL)
    try:
        return _parse_csv(text, strict=True)
    except csv.Error as error:
        if "end of data" in str(error):
            raise ValueError("it ends within quotes") from None
    try:
        return _parse_csv(text, strict=False)  # cells may contain quotes
    except csv.Error:
        raise ValueError("it is not a list of cells") from None


def _parse_csv(text: str, *, strict: bool) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline=""), strict=strict) if row]
