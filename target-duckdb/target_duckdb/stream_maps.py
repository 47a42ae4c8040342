"""Stream maps, by the SDK's own mapper: what becomes of a stream and of its records before they are loaded.

A stream without a map goes its way untouched, and quickly.
"""

from __future__ import annotations

import ast
import copy
import difflib
import fnmatch
import json
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import PluginMapper, RemoveRecordTransform, SameRecordTransform, StreamMap
from singer_sdk.singerlib.json import deserialize_json

from target_duckdb.errors import LineError, RecordError
from target_duckdb.messages import NESTED_TOO_DEEP, raw_fields, repair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger("target-duckdb")
logging.getLogger("singer_sdk.mapper").setLevel(logging.WARNING)  # it tells the user's expressions

SETTINGS = ("stream_maps", "stream_map_config", "faker_config")
_ELSE, _SOURCE, _NULL = "__else__", "__source__", "__NULL__"

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


@dataclass(frozen=True, eq=False)
class Route:
    """Where the records of a stream go.

    Attributes:
        source: The stream's name in the input.
        name: The name under which it is loaded.
        schema: The schema of what is loaded.
        keys: Its key properties.
        map: What changes its records; None where nothing does.
    """

    source: str
    name: str
    schema: dict[str, Any]
    keys: tuple[str, ...]
    map: StreamMap | None = None

    def record(self, record: msgspec.Raw) -> msgspec.Raw | None:
        """The record that is loaded; None where a filter takes it out.

        Raises:
            RecordError: The record cannot be read; it must not be kept, since nothing in it was hidden.
            LineError: An expression fails.
        """
        if self.map is None:
            return record
        if not record:
            raise RecordError("its record is missing.")
        raw = raw_fields(record)
        try:
            values = deserialize_json(repair(bytes(record)))
        except RecursionError:
            raise RecordError(NESTED_TOO_DEEP) from None
        except UnicodeDecodeError:
            raise RecordError("its record is not UTF-8 text.") from None
        except ValueError:  # a number of thousands of digits
            raise RecordError("its record holds a number that no stream map can read.") from None
        try:
            mapped = self.map.transform(copy.copy(values))
        except Exception as error:  # noqa: BLE001 - an expression may raise anything
            raise LineError(_failure_message(self.source, error)) from None
        if mapped is None:
            return None
        # What no expression touched keeps its text.
        same = {id(value): raw[name] for name, value in values.items() if name in raw}
        return msgspec.Raw(
            _encode({name: same.get(id(value)) or _encode_value(value) for name, value in mapped.items()})
        )


class Router:
    """Says where the records of each stream go.

    Args:
        config: The settings.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        # The mapper changes what it is given.
        settings = {name: copy.deepcopy(config[name]) for name in SETTINGS if config.get(name)}
        self._maps: dict[str, Any] = config.get("stream_maps") or {}
        self._mapper = PluginMapper(settings, logging.getLogger("singer_sdk.mapper")) if self._maps else None
        self._known: dict[tuple[str, str, tuple[str, ...]], tuple[Route, ...]] = {}
        self._warned: set[tuple[str, str]] = set()

    def routes(self, stream: str, schema: dict[str, Any], keys: tuple[str, ...]) -> tuple[Route, ...]:
        """Where the records of a schema go: none where the stream is left out, several where it is duplicated.

        Raises:
            LineError: A map does not fit the stream.
        """
        mapper = self._mapper
        if mapper is None:
            return (Route(stream, stream, schema, keys),)
        key = (stream, json.dumps(schema), keys)
        if key not in self._known:
            try:
                mapper.register_raw_stream_schema(stream, schema, list(keys))
            except StreamMapConfigError as error:  # it names streams and properties
                raise LineError(f"the setting stream_maps does not fit stream '{stream}': {error}") from None
            except (MapExpressionError, NotImplementedError):
                raise LineError(f"the setting stream_maps cannot be used for stream '{stream}'.") from None
            self._known[key] = tuple(
                Route(
                    stream,
                    item.stream_alias,
                    item.transformed_schema,
                    tuple(item.transformed_key_properties or ()),
                    None if isinstance(item, SameRecordTransform) else item,
                )
                for item in mapper.stream_maps[stream]
                if not isinstance(item, RemoveRecordTransform)
            )
            self._warn_of_properties(stream, schema)
        return self._known[key]

    def _warn_of_properties(self, stream: str, schema: dict[str, Any]) -> None:
        """Names what a map takes out of a stream that has no such property: it may be misspelt, and its like remain."""
        properties = [*(schema.get("properties") or {})]
        for name, map_ in self._maps.items():
            if not isinstance(map_, dict) or not fnmatch.fnmatch(stream, map_.get(_SOURCE, name)):
                continue
            for key, value in map_.items():
                removed = value in {None, _NULL} if value is None or isinstance(value, str) else False
                if removed and not key.startswith("__") and key not in properties:
                    self._warn(f"takes the property '{key}' out of stream '{stream}', which has none", key, properties)

    def warn_of_streams(self, streams: Iterable[str]) -> None:
        """Names maps for streams that are none of these, and much like one of them: their names may be misspelt."""
        streams = [*streams]
        for name, map_ in self._maps.items():
            source = map_.get(_SOURCE, name) if isinstance(map_, dict) else name
            if source != _ELSE and not fnmatch.filter(streams, source) and difflib.get_close_matches(source, streams):
                self._warn(f"names the stream '{source}', which did not come", source, streams)

    def _warn(self, what: str, name: str, candidates: list[str]) -> None:
        if (what, name) not in self._warned:
            self._warned.add((what, name))
            logger.warning("The setting stream_maps %s.%s", what, suggestion(name, candidates))


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """A question after the most similar name, with a blank before it; empty where none is similar."""
    found = difflib.get_close_matches(name, candidates, n=1)
    return f" Did you mean '{found[0]}'?" if found else ""


def invalid_expressions(stream_maps: Mapping[str, Any]) -> list[str]:
    """Sentences for expressions that no parser takes; they name the place."""
    return [
        f"The setting stream_maps.{stream}.{name} is not an expression that can be read."
        for stream, map_ in stream_maps.items()
        if isinstance(map_, dict)
        for name, text in map_.items()
        if (name == "__filter__" or not name.startswith("__")) and isinstance(text, str) and not _is_expression(text)
    ]


def _is_expression(text: str) -> bool:
    try:
        return isinstance(ast.parse(text).body[0], ast.Expr)
    except (SyntaxError, IndexError, ValueError):
        return False


def _encode_value(value: Any) -> msgspec.Raw:  # noqa: ANN401 - an expression gives anything
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers
        return msgspec.Raw(_encode(str(value).replace("inf", "Infinity").replace("nan", "NaN")))
    return msgspec.Raw(_encode(value))


def _failure_message(stream: str, error: Exception) -> str:
    """Says which expression fails, and never on what."""
    name, trace = None, error.__traceback__
    while trace is not None:
        name = (
            trace.tb_frame.f_locals.get("prop_key", name) if trace.tb_frame.f_code.co_name == "transform_fn" else name
        )
        trace = trace.tb_next
    cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ else error
    place = f"of property '{name}'" if name else "that filters records"
    return (
        f"the stream map {place} of stream '{stream}' fails for it ({type(cause).__name__}): write the expression so"
        " that it takes what comes, nulls too."
    )
