"""What waits for the next batch: per stream, its columns, spooled rows and versions to activate, in order."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from target_duckdb import types
from target_duckdb.columns import Column, schema_columns
from target_duckdb.errors import LineError, RecordError
from target_duckdb.fast_decode import NOT_FAST_DECODABLE, RunDecoder
from target_duckdb.flatten import Flattener, Flattening
from target_duckdb.records import ColumnTooNarrowError, RecordDecoder
from target_duckdb.segments import Part, Segment
from target_duckdb.spool import SpoolDirectory, SpoolFile

if TYPE_CHECKING:
    from target_duckdb.messages import Message
    from target_duckdb.stream_maps import Route

logger = logging.getLogger("target-duckdb")

_MAX_LAYOUTS = 100
_WIDE_COLUMNS = 500  # columns


@dataclass
class Layout:
    """What a schema makes of a stream's records; kept, because some taps send two schemas by turns.

    Attributes:
        columns: What the schema, or a value wider than the schema, asks for.
        declared: The types that the schema asks for, by property.
        decoder: Of its records.
        flat: What takes its records' objects apart, if anything does.
        ignored: Names of fields that records carry and the schema does not list.
        runs: Of runs of its records, once there was one.
    """

    columns: tuple[Column, ...]
    declared_types: dict[str, str]
    decoder: RecordDecoder
    ignored: set[str]
    flattener: Flattener | None = None
    run_decoder: RunDecoder | None = None


@dataclass(frozen=True)
class ActivateVersion:
    """All rows of the stream older than this version are deleted.

    Attributes:
        version: The version.
        after_rows: Whether rows of this version, or of an older one, came before it in this run.
    """

    version: int
    after_rows: bool = True


@dataclass
class Stream:
    """One stream of the input.

    Attributes:
        name: Its name.
        keys: Names of its key properties.
        columns: What its schema, or a value wider than its schema, asks for.
        declared: The types that its schema asks for, by property.
        steps: What the next batch does, in order.
        versioned: Whether it sends versions.
        deletes: Whether it sends marks of deletion.
        warned: What was warned about, each once.
        flatten: How objects are taken apart.
        loaded: How many of its records came that can be loaded.
        rejected: How many came that cannot.
        native: Whether nested values become STRUCT and LIST columns.
        route: Where its records come from at present.
        sources: The names, in the input, of the streams that it is made of.
        by_version: Whether rows of different versions are kept apart.
        aside: The table in which rows wait for their version to be activated.
    """

    name: str
    directory: SpoolDirectory
    metadata: bool
    keys: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    declared_types: dict[str, str] = field(default_factory=dict)
    steps: list[Segment | ActivateVersion] = field(default_factory=list)
    sends_versions: bool = False
    sends_deletions: bool = False
    has_new_schema: bool = True
    warned: set[tuple[str, str]] = field(default_factory=set)
    flatten: Flattening = field(default_factory=Flattening)
    native: bool = False
    loaded_count: int = 0
    rejected_count: int = 0
    route: Route | None = None
    source_streams: set[str] = field(default_factory=set)
    separate_versions: bool = False
    staging_table: str | None = None

    def __post_init__(self) -> None:
        self._has_unversioned = False
        self._oldest_version: int | None = None  # version of this run's rows
        self._activated_version: int | None = None  # newest of this run
        self._schema: Any = None
        self._schema_json = ""
        self._layouts: dict[str, Layout] = {}
        self._flattener: Flattener | None = None
        self._segment: Segment | None = None
        self._part: Part | None = None

    def set_schema(self, schema: dict[str, Any], keys: tuple[str, ...]) -> None:
        """Takes the schema of a SCHEMA message.

        Raises:
            LineError: The key changed, or is not among the properties.
        """
        if self._schema is not None:
            keys = match_keys(self.name, self.keys, keys)
            if schema == self._schema:
                return
            self._layouts[self._schema_json] = self._layout
        text = json.dumps(schema)
        known = self._layouts.get(text)
        if known is not None:
            self._schema, self._schema_json, self.keys, self.has_new_schema = schema, text, keys, True
            self.declared_types = known.declared_types
            self._use_layout(known)
            return
        flattener = Flattener(schema, keys, self.flatten) if self.flatten.max_level else None
        original, schema = schema, flattener.schema if flattener else schema
        columns = schema_columns(schema, native=self.native)
        missing = [key for key in keys if key not in {column.name for column in columns}]
        if missing:
            raise LineError(
                f"stream '{self.name}' has the key property '{missing[0]}', which its schema does not list."
            )
        if not columns:
            logger.warning("Stream '%s' has a schema without properties: its rows hold metadata only.", self.name)
            self.metadata = True
        self._warn_of_types(schema)
        self._schema, self._schema_json, self._flattener, self.keys, self.has_new_schema = (
            original,
            text,
            flattener,
            keys,
            True,
        )
        self.declared_types = {column.name: column.type for column in columns}
        self.sends_deletions = self.sends_deletions or "_sdc_deleted_at" in (schema.get("properties") or {})
        if len(self._layouts) >= _MAX_LAYOUTS:
            self._layouts.clear()
        self._set_columns(columns, set())

    def _warn_of_types(self, schema: dict[str, Any]) -> None:
        properties = schema.get("properties")
        for name, value in properties.items() if isinstance(properties, dict) else ():
            if types.has_unsupported_type(value) and ("type", name) not in self.warned:
                self.warned.add(("type", name))
                logger.warning(
                    "Stream '%s': column '%s' names a type in x-sql-datatype that DuckDB does not know or that may"
                    " lose something: the type that the rest of its schema says is used.",
                    self.name,
                    name,
                )

    def _set_columns(self, columns: tuple[Column, ...], ignored: set[str]) -> None:
        decoder = RecordDecoder(columns, self.keys, ignored)
        self._use_layout(Layout(columns, self.declared_types, decoder, ignored, self._flattener))

    def _use_layout(self, layout: Layout) -> None:
        self._layout = layout
        self._flattener = layout.flattener
        self.columns = layout.columns
        self._part = None

    def add_run(self, lines: list[bytes]) -> bool:
        """Takes the records of RECORD lines of this stream if nothing in them is odd; says whether it did."""
        if self.flatten.max_level:
            return False  # each record must be taken apart first
        layout = self._layout
        try:
            if layout.run_decoder is None:
                layout.run_decoder = RunDecoder(self.name, layout.decoder)
            run = layout.run_decoder.decode(lines)
        except NOT_FAST_DECODABLE:
            return False
        if self.separate_versions and len(set(run.versions)) > 1:
            return False  # rows of several versions go to several segments
        without = run.versions.count(None)
        if without:
            self._has_unversioned = True
        for version in set(run.versions) if without < len(lines) else ():
            self._track_version(version)
        rows = len(lines)
        self.loaded_count += rows
        segment, part = self._segment_and_part(run.versions[0])
        received, nothing = [time.time_ns() // 1000] * rows, [None] * rows
        segment.file.add_columns(
            part.fields, [received, run.versions, run.extracted, nothing, [part.number] * rows, *run.columns]
        )
        return True

    def add(self, message: Message) -> None:
        """Takes one record.

        Args:
            message: A RECORD message.

        Raises:
            RecordError: The record cannot be loaded.
            LineError: The line is not JSON.
        """
        record = message.record
        if not record:
            raise RecordError("its record is missing.")
        version = message.version
        if self._flattener is not None:
            record = self._flattener.record(record)
            if shadowed := {name for name in self._flattener.shadowed if ("shadowed", name) not in self.warned}:
                self._warn_of_unlisted(shadowed)
                self.warned |= {("shadowed", name) for name in shadowed}
        present: set[str] | None = None
        try:
            values = self._layout.decoder.decode(record)
            decode_exactly = values[-1] is not None
        except (msgspec.DecodeError, UnicodeDecodeError):
            decode_exactly = True
        if decode_exactly:
            values, present = self._decode_exactly(record)
        self._track_version(version)
        segment, part = self._segment_and_part(version)
        positions: list[int] | None = None
        if present is not None:
            self.sends_deletions = segment.has_deletion_marks = True
            positions = [
                position
                for position, column in zip(part.positions, self.columns, strict=True)
                if column.name in present
            ]
        now = time.time_ns() // 1000
        row = (now, version, message.time_extracted, positions, part.number, *values)
        # A nested value stands twice in the spool, once as text.
        segment.file.add(part.fields, row, len(record) * 3 if self.native else len(record))
        self.loaded_count += 1

    def _track_version(self, version: int | None) -> None:
        if version is None:
            self._has_unversioned = True
            return
        self.sends_versions = True
        if (
            self._activated_version is not None
            and version < self._activated_version
            and ("version", "older") not in self.warned
        ):
            self.warned.add(("version", "older"))
            # A version says when its read began, not when a row was read: what has just come is there.
            logger.warning(
                "Stream '%s': records of a version older than the activated one came after it: they are loaded.",
                self.name,
            )
        if self._oldest_version is None or version < self._oldest_version:
            self._oldest_version = version

    def _segment_and_part(self, version: int | None) -> tuple[Segment, Part]:
        """Where rows of the columns at hand, and of a version, go."""
        if self._segment is not None and self.separate_versions and self._segment.version != version:
            self._segment = self._part = None
        if self._segment is None or self._part is None:
            flattened_objects = frozenset(self._flattener.flattened_objects) if self._flattener else frozenset()
            part = self._segment.part(self.columns, flattened_objects) if self._segment else None
            if self._segment is None or part is None:
                self._segment = Segment(self._new_file(), version, separator=self.flatten.separator)
                self.steps.append(self._segment)
                part = self._segment.part(self.columns, flattened_objects)
            self._part = part
        return self._segment, cast("Part", self._part)

    def _new_file(self) -> SpoolFile:
        return SpoolFile(self.directory, wide=len(self.columns) > _WIDE_COLUMNS)

    def _decode_exactly(self, record: msgspec.Raw) -> tuple[list[Any], set[str] | None]:
        while True:
            try:
                values, names, unknown = self._layout.decoder.decode_exactly(record)
            except ColumnTooNarrowError as error:
                columns = list(self.columns)
                columns[error.index] = columns[error.index].widened(error.type)
                self._set_columns(tuple(columns), self._layout.ignored)
                continue
            kept_objects = sorted(unknown & self._flattener.flattened_objects) if self._flattener else []
            if not kept_objects:
                break
            logger.warning(
                "Stream '%s': what its schema does not list, or is no object, is kept as JSON in: %s.",
                self.name,
                ", ".join(kept_objects),
            )
            self._set_columns((*self.columns, *(Column(name, "JSON") for name in kept_objects)), self._layout.ignored)
        new = unknown - self._layout.ignored
        if new:
            self._warn_of_unlisted(new)
            self._layout.ignored.update(new)
            self._layout.decoder = RecordDecoder(self.columns, self.keys, self._layout.ignored)
            self._layout.run_decoder = None
        if values[-1] is None:
            return values, None
        flattened_objects = self._flattener.flattened_objects if self._flattener else ()
        return values, names | {
            name
            for name in flattened_objects
            if any(other.startswith(name + self.flatten.separator) for other in names)
        }

    def _warn_of_unlisted(self, names: set[str]) -> None:
        logger.warning(
            "Stream '%s': fields that its schema does not list are not loaded: %s.", self.name, ", ".join(sorted(names))
        )

    def activate(self, version: int) -> None:
        """Takes the version of an ACTIVATE_VERSION message."""
        if self._has_unversioned:
            logger.warning(
                "Stream '%s': ACTIVATE_VERSION is ignored, because records of this run came without a version.",
                self.name,
            )
            return
        if len(self.source_streams) > 1:
            if ("version", "sources") not in self.warned:
                self.warned.add(("version", "sources"))
                logger.warning(
                    "Stream '%s': ACTIVATE_VERSION is ignored, because stream maps load several streams into it.",
                    self.name,
                )
            return
        # A table that is replaced as a whole has room for a few; it would never be replaced where one comes each time.
        if self.rejected_count > (self.loaded_count if self.separate_versions else 0):
            logger.warning(
                "Stream '%s': ACTIVATE_VERSION is ignored, because %d of its records were set aside and %d loaded: what"
                " seems to be gone may be among them. No row of an older version is deleted in this run.",
                self.name,
                self.rejected_count,
                self.loaded_count,
            )
            return
        self.sends_versions = True
        self._activated_version = version if self._activated_version is None else max(version, self._activated_version)
        self._segment = self._part = None
        self.steps.append(
            ActivateVersion(version, self._oldest_version is not None and self._oldest_version <= version)
        )

    @property
    def has_mixed_schemas(self) -> bool:
        """Whether the batch holds rows of several of its schemas together."""
        return self._segment is not None and len(self._segment.parts) > 1

    @property
    def segments(self) -> list[Segment]:
        """The steps that bring rows."""
        return [step for step in self.steps if isinstance(step, Segment)]

    @property
    def flattened_objects(self) -> set[str]:
        """Names of objects whose properties are columns of their own in the next batch."""
        found = {name for segment in self.segments for part in segment.parts for name in part.flattened_objects}
        return found | self._flattener.flattened_objects if self._flattener else found

    def flush(self) -> None:
        """Writes all rows to their files."""
        for segment in self.segments:
            segment.file.flush()

    def clear(self) -> None:
        """Forgets what a batch has committed."""
        for segment in self.segments:
            segment.file.remove()
        self.steps.clear()
        self._segment = self._part = None
        self.has_new_schema = False


def match_keys(stream: str, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The key properties in their old order; one may be written anew in another case.

    Args:
        stream: The stream's name.
        old: The key as it is known.
        new: The key as the tap says it.

    Raises:
        LineError: The key is another one.
    """
    spelled = {name.lower(): name for name in new} | {name: name for name in new}
    names = tuple(spelled.get(name, spelled.get(name.lower(), "")) for name in old)
    if set(names) != set(new) or len(old) != len(new):
        raise LineError(key_change_message(stream, old, new))
    return names


def key_change_message(stream: str, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """The sentence for a key that is not what it was."""
    return (
        f"the key of stream '{stream}' was ({', '.join(old) or 'none'}) and is now ({', '.join(new) or 'none'}):"
        " rename or drop its table and load the stream again in full."
    )
