"""Markers in every field of the vendor's records, for searching what a privacy profile lets through.

A marker is derived from the endpoint, the record and the field, so that each run plants the same ones. Where a marker
stands in the output of a run that loads everything tells its stream and path, and so its protection class.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from singer_rest.privacy.classification import Classification, shipped_classes
from singer_rest.singer.coercion import types_of

from faults.json_edits import find_row_lists
from faults.responders import make_static_response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from singer_rest import RestStream

    from faults.wire import Request, Response, Step

    Schema = Mapping[str, Any]

MARKER = re.compile(rb"zqx\d{12}|731\d{12}|1[0-6]\d\d-\d\d-\d\d")
"""Texts and names, numbers, and days of long ago."""
CLOCKS = {"conduct.clock.start": "06:47", "conduct.clock.end": "15:47"}
"""The times of day of intervals of work, by class."""
CLOCK = re.compile(rb"1[0-6]\d\d-\d\d-\d\d[T ](06|15):47")
CLOCK_MARKER = "a time of work"
FIRST_DAY = date(1000, 1, 1)
MIDDLE_DAYS = 25
"""Markers are days in the middle of a month: the first and the last may remain of a day that is made coarse."""
DATE = re.compile(r"\d{4}-\d\d-\d\d")
LABELLED = {"label", "value"}
"""The fields of an attribute of Personio's v1 API."""


@dataclass
class FieldPlanter:
    """Plants a marker in each field of each record, and fields that no schema has.

    Args:
        streams: The tap's streams, which load everything.
        endpoints: The endpoint of each.
        unchanged: Fields by stream that keep their values, because the tap takes parts of requests from them.
        parents: Streams with child streams, whose rows keep their keys.
        fails: Whether some requests fail, with markers in the responses.
        drops_keys: Whether some rows lack their key.
    """

    streams: Mapping[str, RestStream]
    endpoints: Mapping[str, str]
    unchanged: Mapping[str, Iterable[str]] = field(default_factory=dict)
    parents: Collection[str] = ()
    fails: bool = False
    drops_keys: bool = False
    planted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_endpoint: defaultdict[str, list[str]] = defaultdict(list)
        for name, endpoint in self.endpoints.items():
            self._by_endpoint[endpoint].append(name)
        tap = next(iter(self.streams.values()))._tap  # noqa: SLF001
        self.classification: Classification = tap.privacy.classification
        self._kept = {name: self._find_kept(stream) for name, stream in self.streams.items()}

    def _find_kept(self, stream: RestStream) -> set[str]:
        """Returns the columns whose values decide what a tap or profile does with a row."""
        name = stream.name
        protections = shipped_classes(type(stream._tap).__module__.partition(".")[0]).get(name, {})  # noqa: SLF001
        conditions = {found.condition[0] for found in protections.values() if found.condition}
        rules = {f"{rule.path}[].{rule.column}".removeprefix("[].") for rule in self.classification.row_rules(name)}
        own = {*stream.primary_keys, stream.replication_key or ""}
        return {*own, *conditions, *rules, *self.unchanged.get(name, ())}

    def __call__(self, request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
        """Returns the vendor's response with markers."""
        response = forward()
        names = self._by_endpoint.get(request.endpoint)
        if not names or response.status != 200:  # noqa: PLR2004
            return [response.to_bytes()]
        try:
            document = json.loads(response.body)
        except ValueError:
            return [response.to_bytes()]
        if self.fails and _hash(f"{request.target}/{request.number}") % 10 == 0:
            body = json.dumps({"errors": [{"detail": self._text(request.endpoint)}], "error": self._text("error")})
            return make_static_response(500 if request.number % 2 else 422, body.encode())(request, forward)
        stream = self.streams[names[0]]
        for rows in find_row_lists(document):
            for place, row in enumerate(rows):
                self._plant_row(row, stream, f"{request.endpoint}/{row.get('id', place)}")
                if self.drops_keys and stream.name not in self.parents and place % 5 == 4:  # noqa: PLR2004
                    for key in stream.primary_keys:
                        row.pop(key, None)
        return [replace(response, body=json.dumps(document).encode()).to_bytes()]

    def _plant_row(self, row: dict[str, Any], stream: RestStream, key: str) -> None:
        wrapper = stream.row_shape.attributes or ""
        inner = row[wrapper] if isinstance(row.get(wrapper), dict) else row
        self._plant_object(inner, stream.effective_schema, stream, "", f"{key}|")

    def _plant_object(self, item: dict[str, Any], schema: Schema, stream: RestStream, path: str, key: str) -> None:
        properties = schema.get("properties") or {}
        below = self.classification.names_below(stream.name, path) if path else []
        prefix = f"{path}." if path else ""
        for name in [*item, *(name for name in (*properties, *below) if name not in item and name != "_extra")]:
            found = self._plant(item.get(name), properties.get(name, {}), stream, f"{prefix}{name}", f"{key}/{name}")
            if found is not None:
                item[name] = found
        item[self._text(f"{stream.name}/{path}?name")] = self._text(f"{key}?value")

    def _plant(self, value: Any, schema: Schema, stream: RestStream, path: str, key: str) -> Any:  # noqa: ANN401
        if path in self._kept[stream.name]:
            return value
        is_column = "." in path or path in stream.effective_schema["properties"]
        if isinstance(value, list) and not is_column:  # the rows may be within a record
            for place, row in enumerate(value):
                if isinstance(row, dict):
                    self._plant_row(row, stream, f"{key}/{place}")
            return value
        wrapper = stream.row_shape.attributes
        kinds = types_of(schema)
        if isinstance(value, dict) and value.keys() >= LABELLED and wrapper:
            value["value"] = self._plant(value["value"], schema, stream, path, key)
        elif isinstance(value, list) or (value is None and "array" in kinds):
            return self._plant_list(value or [], schema, stream, path, key)
        elif value is None and not wrapper and ("object" in kinds or self._paths_below(stream, path)):
            value = {}
            self._plant_object(value, schema, stream, path, key)
        elif isinstance(value, dict):
            inner = value[wrapper] if wrapper and isinstance(value.get(wrapper), dict) else value
            self._plant_object(inner, schema, stream, path, key)
        else:
            return self._plant_scalar(value, schema, stream, path, key)
        return value

    def _paths_below(self, stream: RestStream, path: str) -> list[str]:
        return self.classification.names_below(stream.name, path)

    def _plant_list(self, value: list[Any], schema: Schema, stream: RestStream, path: str, key: str) -> Any:  # noqa: ANN401
        items = schema.get("items")
        items = items if isinstance(items, dict) else {}
        holds_objects = bool(items.get("properties") or self.classification.names_below(stream.name, f"{path}[]"))
        part = f"{path}[]" if holds_objects or any(isinstance(item, dict) for item in value) else path
        example: list[Any] = [{} if holds_objects else None]
        return [self._plant(item, items, stream, part, f"{key}/{place}") for place, item in enumerate(value or example)]

    def _plant_scalar(self, value: Any, schema: Schema, stream: RestStream, path: str, key: str) -> Any:  # noqa: ANN401
        kinds = types_of(schema)
        if self.classification.of(stream.name, path.removesuffix("[]")).name == "technical":
            return value
        text = value if isinstance(value, str) else ""
        if schema.get("format") in {"date", "date-time"} or DATE.match(text):
            has_time = schema.get("format") == "date-time" or len(text) > len("2026-11-22")
            if not has_time:
                return self._day(key)
            zone = "" if "x-sql-datatype" in schema or (text and not re.search(r"Z|[+-]\d\d:?\d\d$", text)) else "Z"
            clock = CLOCKS.get(self.classification.of(stream.name, path).name)
            # The start and the end of an interval are on the same day.
            return f"{self._day(key.partition('|')[0] if clock else key)}T{clock or '07:43'}:21{zone}"
        if "string" in kinds or (not kinds and isinstance(value, str)):
            is_time = re.fullmatch(r"\d\d:\d\d(:\d\d)?", text)
            return value if is_time else self._text(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if {"integer", "number"} & {*kinds} or (not kinds and is_number):
            return self._number(key)
        return value

    def _text(self, key: str) -> str:
        return self._remember(f"zqx{_hash(key):012d}")

    def _number(self, key: str) -> int:
        return int(self._remember(f"731{_hash(key):012d}"))

    def _day(self, key: str) -> str:
        number = _hash(key)
        month = FIRST_DAY.replace(year=1000 + number // 12 % 700, month=1 + number % 12)
        return self._remember((month + timedelta(days=1 + number // 8400 % MIDDLE_DAYS)).isoformat())

    def _remember(self, marker: str) -> str:
        self.planted.add(marker)
        return marker


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) % 10**12


def find_markers(content: bytes) -> set[str]:
    """Returns the markers in bytes. A time of work is one, too."""
    return {found.decode() for found in MARKER.findall(content)} | {CLOCK_MARKER for _ in CLOCK.findall(content)}


def locate_markers(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a record
    """Yields each marker in a record with its path. The path of a name is that of its value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            yield from ((marker, at) for marker in find_markers(name.encode()))
            yield from locate_markers(inner, at)
    elif isinstance(value, list):
        for item in value:
            yield from locate_markers(item, f"{path}[]" if isinstance(item, dict | list) else path)
    elif value is not None:
        yield from ((marker, path) for marker in find_markers(str(value).encode()))
