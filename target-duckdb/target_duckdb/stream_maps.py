"""Stream maps: change streams and records with the SDK's mapper before they are loaded.

Streams without a map are not affected and stay fast.
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
from target_duckdb.messages import NESTED_TOO_DEEP, raw_fields, repair_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger("target-duckdb")
logging.getLogger("singer_sdk.mapper").setLevel(logging.WARNING)  # it logs the user's expressions

SETTINGS = ("stream_maps", "stream_map_config", "faker_config")
_ELSE, _SOURCE, _NULL = "__else__", "__source__", "__NULL__"

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


@dataclass(frozen=True, eq=False)
class Route:
    """The name, schema and key under which the records of a stream are loaded.

    Attributes:
        source: The stream's name in the input.
        name: The name that it is loaded under.
        schema: The schema after mapping.
        keys: The key properties after mapping.
        map: Changes the records. None if there is no map.
    """

    source: str
    name: str
    schema: dict[str, Any]
    keys: tuple[str, ...]
    map: StreamMap | None = None

    def map_record(self, record: msgspec.Raw) -> msgspec.Raw | None:
        """Returns the mapped record, None if a filter removes it.

        Raises:
            RecordError: The record cannot be decoded. It must not be kept, because the map was not applied.
            LineError: An expression fails.
        """
        if self.map is None:
            return record
        if not record:
            raise RecordError("its record is missing.")
        raw = raw_fields(record)
        try:
            values = deserialize_json(repair_json(bytes(record)))
        except RecursionError:
            raise RecordError(NESTED_TOO_DEEP) from None
        except UnicodeDecodeError:
            raise RecordError("its record is not UTF-8 text.") from None
        except ValueError:  # a number of thousands of digits
            raise RecordError("its record has a number that is too long for stream maps.") from None
        try:
            mapped = self.map.transform(copy.copy(values))
        except Exception as error:  # noqa: BLE001 - an expression may raise anything
            raise LineError(_failure_message(self.source, error)) from None
        if mapped is None:
            return None
        # Values that no expression changed keep their JSON text.
        same = {id(value): raw[name] for name, value in values.items() if name in raw}
        return msgspec.Raw(
            _encode({name: same.get(id(value)) or _encode_value(value) for name, value in mapped.items()})
        )


class Router:
    """Determines the routes of each stream.

    Args:
        config: The settings.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        # The mapper modifies its settings.
        settings = {name: copy.deepcopy(config[name]) for name in SETTINGS if config.get(name)}
        self._maps: dict[str, Any] = config.get("stream_maps") or {}
        self._mapper = PluginMapper(settings, logging.getLogger("singer_sdk.mapper")) if self._maps else None
        self._known: dict[tuple[str, str, tuple[str, ...]], tuple[Route, ...]] = {}
        self._warned: set[tuple[str, str]] = set()

    def find_routes(self, stream: str, schema: dict[str, Any], keys: tuple[str, ...]) -> tuple[Route, ...]:
        """Returns the routes for a schema: none if the stream is removed, several if it is duplicated.

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
            except StreamMapConfigError as error:  # its text names only streams and properties
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
        """Warns if a map removes a property that does not exist: if misspelled, the real one would be loaded."""
        properties = [*(schema.get("properties") or {})]
        for name, map_ in self._maps.items():
            if not isinstance(map_, dict) or not fnmatch.fnmatch(stream, map_.get(_SOURCE, name)):
                continue
            for key, value in map_.items():
                removed = value in {None, _NULL} if value is None or isinstance(value, str) else False
                if removed and not key.startswith("__") and key not in properties:
                    self._warn_of_name(
                        f"removes property '{key}' of stream '{stream}', which does not exist", key, properties
                    )

    def warn_of_streams(self, streams: Iterable[str]) -> None:
        """Warns of each map for a stream that does not exist, if one of the existing streams has a similar name."""
        streams = [*streams]
        for name, map_ in self._maps.items():
            source = map_.get(_SOURCE, name) if isinstance(map_, dict) else name
            if source != _ELSE and not fnmatch.filter(streams, source) and difflib.get_close_matches(source, streams):
                self._warn_of_name(f"is for stream '{source}', which is not in the input", source, streams)

    def _warn_of_name(self, what: str, name: str, candidates: list[str]) -> None:
        if (what, name) not in self._warned:
            self._warned.add((what, name))
            logger.warning("The setting stream_maps %s.%s", what, make_suggestion(name, candidates))


def make_suggestion(name: str, candidates: Iterable[str]) -> str:
    """Returns " Did you mean ...?" with the most similar name, empty if none is similar."""
    found = difflib.get_close_matches(name, candidates, n=1)
    return f" Did you mean '{found[0]}'?" if found else ""


def invalid_expressions(stream_maps: Mapping[str, Any]) -> list[str]:
    """Returns an error message for each expression with a syntax error."""
    return [
        f"The setting stream_maps.{stream}.{name} is not a valid expression."
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


def _encode_value(value: Any) -> msgspec.Raw:  # noqa: ANN401 - the result of an expression may be anything
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers
        return msgspec.Raw(_encode(str(value).replace("inf", "Infinity").replace("nan", "NaN")))
    return msgspec.Raw(_encode(value))


def _failure_message(stream: str, error: Exception) -> str:
    """Returns a message that names the expression that fails, without the values."""
    name, trace = None, error.__traceback__
    while trace is not None:
        name = (
            trace.tb_frame.f_locals.get("prop_key", name) if trace.tb_frame.f_code.co_name == "transform_fn" else name
        )
        trace = trace.tb_next
    cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ else error
    place = f"of property '{name}'" if name else "that filters records"
    return (
        f"the stream map {place} of stream '{stream}' fails ({type(cause).__name__}): change the expression so that it"
        " supports all values, including nulls."
    )
