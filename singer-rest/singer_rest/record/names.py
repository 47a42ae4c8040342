"""The names and values of responses that are the vendor's own, so that a recording may show them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable

COMMON = frozenset(
    [
        "_data",
        "_meta",
        "attributes",
        "code",
        "count",
        "cursor",
        "data",
        "detail",
        "end_cursor",
        "error",
        "error_code",
        "errors",
        "first",
        "has_more",
        "has_next_page",
        "has_previous_page",
        "href",
        "id",
        "items",
        "label",
        "last",
        "limit",
        "links",
        "message",
        "meta",
        "metadata",
        "next",
        "nextpagetoken",
        "offset",
        "options",
        "page",
        "pages",
        "pagination",
        "prev",
        "previous",
        "reason",
        "result",
        "results",
        "self",
        "size",
        "start_cursor",
        "status",
        "success",
        "timestamp",
        "title",
        "total",
        "total_elements",
        "total_pages",
        "current_page",
        "totalRecords",
        "type",
        "universal_id",
        "value",
        "values",
    ]
)
"""Names that the envelopes of most APIs use."""
PAGING = frozenset(
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
"""Numbers of paging and of statuses, in lower case. Without them a recording could not be read page by page."""
FIELD = re.compile(r"[a-z][A-Za-z]*(_[A-Za-z]+)*")
"""The form of a vendor's field name: no digits, spaces or accents."""
MAX_LENGTH = 40
CUSTOM = re.compile(r"custom|dynamic|attribute|field|form|answer|label|extra|tag|map|dict", re.IGNORECASE)
"""Names of objects whose keys a company may define."""
LISTED = re.compile(r",\s*(?:or|and)?\s*|\s+(?:or|and)\s+")
REMARK = re.compile(r"\([^)]*\)")
CODE = re.compile(r"[A-Za-z][A-Za-z]*(_[A-Za-z]+)*")


@dataclass(frozen=True)
class KnownNames:
    """The names and documented values of the vendor's API, from the tap's packaged files.

    Args:
        names: Names of fields, views, objects and segments of paths.
        values: The documented values by field.
    """

    names: frozenset[str]
    values: Mapping[str, frozenset[str]]

    def is_documented(self, field: str, value: str) -> bool:
        """Whether the field's description lists a value."""
        return value in self.values.get(field, ())


def read_known_names(package: str, stream_types: Iterable[Any], envelope: Iterable[str] = ()) -> KnownNames:
    """Reads the names that a tap defines, and documented values, from its packaged JSON files and stream declarations.

    Args:
        package: The tap's package or module.
        stream_types: The tap's declared streams.
        envelope: Further names of the vendor's API.
    """
    names, values = {*COMMON, *PAGING, *envelope}, dict[str, set[str]]()
    for name, content in _read_documents(package):
        names.add(name)
        _collect_names(content, names, values)
    for stream in stream_types:
        if isinstance(schema := getattr(stream, "schema", None), dict):
            _collect_names(schema, names, values)
        names.update(part for part in stream.path.split("/") if part and "{" not in part)
    return KnownNames(frozenset(names), {name: frozenset(found) for name, found in values.items()})


def is_likely_vendor_field(key: str, siblings: Iterable[str], parents: tuple[str, ...], known: frozenset[str]) -> bool:
    """Whether an unknown field is probably one of the vendor's, added since the tap was released.

    It probably is among many known fields. Where keys are data, as in a map of names, most keys are unknown.
    """
    others = {other for other in siblings if other != key}
    unknown = [other for other in others if other not in known]
    return (
        FIELD.fullmatch(key) is not None
        and len(key) <= MAX_LENGTH
        and not any(CUSTOM.search(name) for name in (key, *parents))
        and len(others) - len(unknown) >= max(4, 3 * (len(unknown) + 1))
    )


def _read_documents(package: str) -> Iterator[tuple[str, Any]]:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return  # a tap in a single file, whose folder may hold anything
    folders: list[Traversable] = [files(package)]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.is_dir():
                folders.append(entry)
            elif entry.name.endswith(".json"):
                yield Path(entry.name).stem, json.loads(entry.read_bytes())


def _collect_names(content: Any, names: set[str], values: dict[str, set[str]]) -> None:  # noqa: ANN401 - JSON
    if isinstance(content, list):
        for part in content:
            _collect_names(part, names, values)
    elif isinstance(content, dict):
        names.update(content)
        if isinstance(content.get("name"), str):
            names.add(content["name"])
        for name, part in content.items():
            if isinstance(part, dict) and isinstance(part.get("description"), str):
                values.setdefault(name, set()).update(_parse_listed_values(part["description"]))
            _collect_names(part, names, values)


def _parse_listed_values(description: str) -> Iterator[str]:
    """Yields the values that a description lists, as in "Status of the person: ACTIVE, INACTIVE or UNSPECIFIED."."""
    _, _, rest = REMARK.sub("", description).partition(": ")
    listed = LISTED.split(re.split(r"[;.]", rest)[0])
    if len(listed) > 1:
        yield from (value for part in listed if CODE.fullmatch(value := part.strip(" `")) and len(value) <= MAX_LENGTH)
