"""Checks that a recorded response has nothing of the original. Shares no code with what replaces the values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

LEAST = 4
"""The minimum length of a text or number that is looked for."""
ADDED = re.compile(r"https://recorded\.invalid|https://host\.invalid/|@example\.invalid")
"""Pseudonymous hosts, which every recording contains."""
TOKEN = re.compile(r"[^\W\d_]{4,}")
LETTER = re.compile(r"[^\W\d_]")
PART = re.compile(r"[\w=+~-]+")
OPAQUE = re.compile(r"(?=.*\d)(.{16,}|[0-9a-f]{6,})")
"""UUIDs, hashes and cursors, which no person has chosen: only the whole is looked for."""
DIGITS = re.compile(r"\d{4,}", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d)?)?|\d\d:\d\d(:\d\d)?[.,]\d+", re.ASCII
)
KEY = re.compile(r"[a-z][A-Za-z]*(_[A-Za-z]+)*|@[A-Za-z]+(\.[A-Za-z]+)*", re.ASCII)
"""Names of fields that may be kept although no shipped file has them."""
COUNTS = frozenset(
    [
        "limit",
        "offset",
        "page",
        "page_number",
        "pages",
        "per_page",
        "count",
        "total",
        "total_count",
        "total_elements",
        "total_pages",
        "current_page",
        "page_size",
        "pagesize",
        "pagenumber",
        "status",
        "code",
        "totalrecords",
        "totalcount",
        "totalpages",
        "@odata.count",
        "$top",
        "$skip",
        "page[number]",
        "page[size]",
        "page[limit]",
    ]
)
"""Numbers of paging, in lower case, which are kept."""
FLAGS = frozenset({"true", "false"})
AROUND = frozenset({"meta", "_meta", "metadata", "pagination", "paging", "page", "links", "_links"})
METADATA = frozenset(
    [
        "alias",
        "annotation",
        "annotations",
        "basetype",
        "binary",
        "boolean",
        "byte",
        "collection",
        "container",
        "csdl",
        "date",
        "datetime",
        "datetimeoffset",
        "decimal",
        "double",
        "edmx",
        "entitycontainer",
        "entityset",
        "entitytype",
        "enumtype",
        "false",
        "guid",
        "int16",
        "int32",
        "int64",
        "nullable",
        "property",
        "propertyref",
        "schema",
        "single",
        "string",
        "term",
        "true",
        "type",
        "underlyingtype",
    ]
)
"""Words of OData's metadata."""
ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
LINK = re.compile(r"https://recorded\.invalid\S*|[^\s:]*[/?][^\s:]*")
PARAM = re.compile(r"[?&][!$@A-Za-z_.\[\]-]{1,40}=")
"""Names of parameters in links, which are kept."""
CONTENT = re.compile(r">([^<>]+)<")


@dataclass(frozen=True)
class Raw:
    """An original request and response.

    Args:
        path: The request's path.
        endpoint: The template of the path.
        query: The query parameters.
        members: The members of the request's JSON body.
        body: The response's body.
    """

    path: str
    endpoint: str
    query: Sequence[tuple[str, str]]
    members: Sequence[tuple[str, str]]
    body: bytes


def find_leak(
    raw: Raw, written: bytes, names: Collection[str], documented: Mapping[str, Collection[str]]
) -> str | None:
    """Looks for texts, numbers, dates and names of the original in what is to be written.

    Args:
        raw: The original.
        written: The file's content.
        names: Names that may be shown.
        documented: Values that may be shown, by field.

    Returns:
        What is left, such as "a number". None: nothing.
    """
    known = frozenset(name.casefold() for name in names)
    file = json.loads(written, parse_float=str, parse_int=str)
    values, keys = _values_of(raw, known, documented)
    kept, shown_keys = _shown_values(file, known, documented)
    shown = ADDED.sub(" ", "\n".join(kept))
    parts = {part for value in values for part in PART.findall(value.casefold()) if not OPAQUE.fullmatch(part)}
    words = {word for part in parts for word in TOKEN.findall(part)}
    words -= known | METADATA
    plain = {value.casefold() for value in values if len(value) >= LEAST and LETTER.search(value)} - METADATA
    dates = {day for value in values for day in DAY.findall(value)}
    numbers = {digits for value in values for digits in DIGITS.findall(MOMENT.sub(" ", value))}
    shown_words = TOKEN.findall(shown.casefold())
    if any(key in keys and not KEY.fullmatch(key) for key in shown_keys):
        return "a name"
    if any(key.casefold() in plain for key in shown_keys):
        return "a text as a name"
    everything = " ".join((shown, *shown_keys))
    if any(day in dates for day in DAY.findall(everything)):
        return "a date"
    if any(digits in numbers for digits in DIGITS.findall(MOMENT.sub(" ", everything))):
        return "a number"
    if not words.isdisjoint(shown_words):
        return "a word"
    return "a text" if _contains_any(shown.casefold(), plain) else None


def _contains_any(shown: str, texts: Collection[str]) -> bool:
    """Whether one of the texts occurs anywhere."""
    by_start: dict[str, list[str]] = {}
    for text in texts:
        by_start.setdefault(text[:LEAST], []).append(text)
    return any(
        shown.startswith(text, place)
        for place in range(len(shown) - LEAST + 1)
        for text in by_start.get(shown[place : place + LEAST], ())
    )


def _values_of(raw: Raw, known: frozenset[str], documented: Mapping[str, Collection[str]]) -> tuple[set[str], set[str]]:
    """Returns the values and the unknown names of the original."""
    values, keys = set[str](), set[str]()
    template = set(raw.endpoint.split("/"))
    values |= {unquote_plus(part) for part in raw.path.partition("?")[0].split("/") if part not in template}
    sent = (*raw.query, *raw.members)
    values |= {value for name, value in sent if name.lower() not in COUNTS and value not in FLAGS}
    try:
        body = json.loads(raw.body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return values | _values_of_text(raw.body, known), keys
    for parents, value, is_row in _walk_body(body):
        if isinstance(value, dict):
            keys |= {key for key in value if key.casefold() not in known}
        elif not _is_shown(parents, value, is_row, documented):
            values.add(value)
            values.add(unquote_plus(value))
    return values, keys


def _values_of_text(body: bytes, known: frozenset[str]) -> set[str]:
    text = body.decode("utf-8", "replace")
    found = {unescape(one) for one in CONTENT.findall(text)}
    attributes = [(name, unescape("".join(quoted))) for name, *quoted in ATTRIBUTE.findall(text)]
    known |= {part.casefold() for name, value in attributes if name == "Term" for part in value.split(".")}
    for _, value in attributes:
        parts = {part for part in re.split(r"[./()?]", value) if part.casefold() not in METADATA and part != "Edm"}
        unknown = {part for part in parts if part.casefold() not in known}
        found |= unknown | ({value} if parts and unknown == parts else set())
    return {value.strip() for value in found if not value.startswith("http://docs.oasis-open.org/")}


def _shown_values(
    file: dict[str, Any], known: frozenset[str], documented: Mapping[str, Collection[str]]
) -> tuple[list[str], set[str]]:
    """Returns the values and the names that are written to the file."""
    sent = (*file["query"], *file["members"])
    values = [value for name, value in sent if name.lower() not in COUNTS and value not in FLAGS]
    template = set(file["endpoint"].split("/"))
    values += [part for part in file["path"].split("/") if part not in template]
    values += [part for part in template if "{" not in part and part.casefold() not in known]
    keys = set[str]()
    for parents, value, is_row in _walk_body(file.get("body")):
        if isinstance(value, dict):
            keys |= value.keys()
        elif not _is_shown(parents, value, is_row, documented):
            values.append(_without_known_words(value, known) if LINK.fullmatch(value) else value)
    for parents, value, _ in _walk_body(file.get("xml")):
        if isinstance(value, dict):
            keys |= value.get("attributes", {}).keys()
        elif parents[-1] == "tag":
            keys.add(value)
        else:
            values.append(_without_known_words(value, known))
    return values, {
        key for key in keys if not (key.startswith("{http://docs.oasis-open.org/") or key.casefold() in known)
    }


def _without_known_words(text: str, known: frozenset[str]) -> str:
    """Returns a link or a name of metadata without the words that may be shown."""
    text = PARAM.sub(" ", unquote_plus(ADDED.sub(" ", text.replace("http://docs.oasis-open.org/", ""))))
    parts = re.split(r"[./()?&=# ]", text)
    return " ".join(part for part in parts if part.casefold() not in known and part not in FLAGS)


def _is_shown(
    parents: tuple[str, ...],
    value: str,
    is_row: bool,  # noqa: FBT001 - as _walk yields it
    documented: Mapping[str, Collection[str]],
) -> bool:
    """Whether a value may be shown: a number of paging, or a documented value."""
    field = parents[-1] if parents else ""
    if not is_row and field.lower() in COUNTS and AROUND.issuperset(parents[:-1]) and value.isdecimal():
        return True
    return value in FLAGS or value in documented.get(field, ())


def _walk_body(body: Any) -> Iterator[tuple[tuple[str, ...], Any, bool]]:  # noqa: ANN401 - JSON
    """Yields the objects and texts of a body, each with the names that lead to it and whether it is inside a list."""
    left: list[tuple[tuple[str, ...], Any, bool]] = [((), body, False)]
    while left:
        parents, value, is_row = left.pop()
        if isinstance(value, dict):
            yield parents, value, is_row
            left += [((*parents, name), part, is_row) for name, part in value.items()]
        elif isinstance(value, list):
            left += [(parents, part, True) for part in value]
        elif isinstance(value, str):
            yield parents, value, is_row
