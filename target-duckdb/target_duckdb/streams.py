"""Streams of the input: columns, spooled rows, and versions to activate in the next batch."""

from __future__ import annotations

import copy
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from target_duckdb import types
from target_duckdb.columns import Column, find_descriptions, schema_columns
from target_duckdb.errors import LineError, RecordError
from target_duckdb.fast_decode import NOT_FAST_DECODABLE, LinesDecoder
from target_duckdb.flatten import Flattener, Flattening
from target_duckdb.layout import Layout
from target_duckdb.names import match_keys
from target_duckdb.records import ColumnTooNarrowError, RecordDecoder
from target_duckdb.references import Reference, find_references, merge_references
from target_duckdb.segments import ActivateVersion, Part, Segment
from target_duckdb.spool import SpoolDirectory, SpoolFile

if TYPE_CHECKING:
    from target_duckdb.messages import Message
    from target_duckdb.stream_maps import Route

logger = logging.getLogger("target-duckdb")

_MAX_LAYOUTS = 100
_WIDE_COLUMNS = 500


@dataclass
class Stream:
    """One stream of the input.

    Attributes:
        name: The stream's name.
        directory: The folder in which its rows are spooled.
        metadata: Whether to fill the metadata columns.
        keys: Names of its key properties.
        columns: The columns of its schema, widened where values needed it.
        declared_types: The types declared by its schema, by property.
        privacy: The privacy profile of its rows, and the key of their pseudonyms.
        descriptions: Its schema's description of each property, and of the stream under the name None.
        references: What its schemas say of its values.
        steps: The steps of the next batch, in order.
        sends_versions: Whether its messages have versions.
        sends_deletions: Whether its records have deletion marks (`_sdc_deleted_at`).
        has_new_schema: Whether the schema changed since the last batch.
        warned: Warnings already logged, by kind and subject.
        flatten: The settings by which objects are flattened.
        native: Whether nested values become STRUCT and LIST columns.
        loaded_count: The number of its records that were loaded.
        rejected_count: The number of its records that were rejected.
        route: The route of its current schema.
        source_streams: The names of the input streams that are loaded into it.
        separate_versions: Whether rows of different versions go to different segments.
        staging_table: The table that holds rows of a version that is not activated yet.
        deferred_version: The version to activate at the end of the input, because it was sent before its rows.
    """

    name: str
    directory: SpoolDirectory
    metadata: bool
    keys: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    declared_types: dict[str, str] = field(default_factory=dict)
    privacy: str | None = None
    descriptions: dict[str | None, str | None] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
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
    deferred_version: int | None = None

    def __post_init__(self) -> None:
        self._has_unversioned = False
        self._oldest_version: int | None = None  # of the rows in this run
        self._activated_version: int | None = None  # newest in this run
        self._schema: Any = None
        self._schema_json = ""
        self._layouts: dict[str, Layout] = {}
        self._flattener: Flattener | None = None
        self._segment: Segment | None = None
        self._part: Part | None = None

    def set_schema(self, schema: dict[str, Any], keys: tuple[str, ...]) -> None:
        """Applies the schema of a SCHEMA message.

        Raises:
            LineError: The key changed, or is not among the properties.
        """
        if self._schema is not None:
            keys = match_keys(self.name, self.keys, keys)
            if schema == self._schema:
                return
            self._layouts[self._schema_json] = self._layout
        self.privacy = schema.get("x-privacy") or None
        text = json.dumps(schema)
        known = self._layouts.get(text)
        if known is not None:
            self._schema, self._schema_json, self.keys, self.has_new_schema = schema, text, keys, True
            self.declared_types, self.descriptions = known.declared_types, known.descriptions
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
        self._schema, self._schema_json, self._flattener = original, text, flattener
        self.keys, self.has_new_schema = keys, True
        self.declared_types = {column.name: column.type for column in columns}
        self.descriptions = find_descriptions(schema)
        self.references = merge_references(self.references, find_references(schema))
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
                    "Stream '%s': the x-sql-datatype of column '%s' is not a DuckDB type or may lose data: it is"
                    " ignored, and the type follows from the rest of the schema.",
                    self.name,
                    name,
                )

    def _set_columns(self, columns: tuple[Column, ...], ignored: set[str]) -> None:
        decoder = RecordDecoder(columns, self.keys, ignored)
        self._use_layout(Layout(columns, self.declared_types, self.descriptions, decoder, ignored, self._flattener))

    def _use_layout(self, layout: Layout) -> None:
        self._layout = layout
        self._flattener = layout.flattener
        self.columns = layout.columns
        self._part = None

    def add_lines(self, lines: bytes, count: int, batch: Message | None = None) -> bool:
        """Adds several RECORD lines of this stream at once. Returns False if they must be added one by one.

        Args:
            lines: The lines.
            count: How many.
            batch: The BATCH message if the lines are records of its files.
        """
        if self.flatten.max_level:
            return False
        layout = self._layout
        try:
            if layout.lines_decoder is None:
                layout.lines_decoder = LinesDecoder(self.name, layout.decoder)
            decoded = layout.lines_decoder.decode(lines, count, batch)
        except NOT_FAST_DECODABLE:
            return False
        versions = set(decoded.versions)
        if self.separate_versions and len(versions) > 1:
            return False  # each version has its own segment
        for version in versions:
            self._track_version(version)
        self.loaded_count += count
        segment, part = self._find_segment_and_part(decoded.versions[0])
        segment.rows += count
        received = time.time_ns() // 1000
        segment.file.add_columns(
            part.fields,
            [
                received if self.keys else [received] * count,  # a key has as many values as there are rows
                decoded.versions if len(versions) > 1 else decoded.versions[0],
                decoded.extracted if len(set(decoded.extracted)) > 1 else decoded.extracted[0],
                None,
                part.number,
                *decoded.columns,
            ],
        )
        return True

    def add_record(self, message: Message) -> None:
        """Adds one record.

        Args:
            message: A RECORD message, or one made of a record in a BATCH file.

        Raises:
            RecordError: The record cannot be loaded.
            LineError: The line is not JSON.
        """
        record = message.record
        if not record:
            raise RecordError("its record is missing.")
        version = message.version
        if self._flattener is not None:
            record = self._flattener.flatten_record(record)
            if shadowed := {name for name in self._flattener.shadowed if ("shadowed", name) not in self.warned}:
                self._warn_of_unlisted(shadowed)
                self.warned |= {("shadowed", name) for name in shadowed}
        present: set[str] | None = None
        try:
            values = self._layout.decoder.decode(record)
            is_exact = values[-1] is None
        except (msgspec.DecodeError, UnicodeDecodeError):
            is_exact = False
        if not is_exact:
            values, present = self._decode_exactly(record)
        self._track_version(version)
        segment, part = self._find_segment_and_part(version)
        positions: list[int] | None = None
        if present is not None:
            self.sends_deletions = segment.has_deletion_marks = True
            positions = [
                position
                for position, column in zip(part.positions, self.columns, strict=True)
                if column.name in present
            ]
        segment.rows += 1
        now = time.time_ns() // 1000
        row = (now, version, message.time_extracted, positions, part.number, *values)
        # A nested value is spooled twice, parsed and as text.
        segment.file.add_row(part.fields, row, len(record) * 3 if self.native else len(record))
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
            # A version is the start of a full read, so such a row may be more recent than the activated version.
            logger.warning(
                "Stream '%s': records have an older version than the one already activated: they are loaded.",
                self.name,
            )
        if self._oldest_version is None or version < self._oldest_version:
            self._oldest_version = version

    def _find_segment_and_part(self, version: int | None) -> tuple[Segment, Part]:
        """Returns the segment and the part for rows with the current columns and a version."""
        if self._segment is not None and self.separate_versions and self._segment.version != version:
            self._segment = self._part = None
        if self._segment is None or self._part is None:
            flattened_objects = frozenset(self._flattener.flattened_objects) if self._flattener else frozenset()
            part = self._segment.find_part(self.columns, flattened_objects) if self._segment else None
            if self._segment is None or part is None:
                self._segment = Segment(self._new_file(), version, separator=self.flatten.separator)
                self.steps.append(self._segment)
                part = self._segment.find_part(self.columns, flattened_objects)
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
                columns[error.index] = columns[error.index].widen(error.type)
                self._set_columns(tuple(columns), self._layout.ignored)
                continue
            kept_objects = sorted(unknown & self._flattener.flattened_objects) if self._flattener else []
            if not kept_objects:
                break
            logger.warning(
                "Stream '%s': properties missing from the schema, and non-object values, are stored as JSON in: %s.",
                self.name,
                ", ".join(kept_objects),
            )
            self._set_columns((*self.columns, *(Column(name, "JSON") for name in kept_objects)), self._layout.ignored)
        new = unknown - self._layout.ignored
        if new:
            self._warn_of_unlisted(new)
            self._layout.ignored.update(new)
            self._layout.decoder = RecordDecoder(self.columns, self.keys, self._layout.ignored)
            self._layout.lines_decoder = None
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

    def add_version(self, version: int) -> None:
        """Adds the version of an ACTIVATE_VERSION message.

        Some taps send it before the rows: those of the Meltano SDK once per stream, and again for each parent of a
        child stream. Then it is held, because the tap may fail before it has sent them all.
        """
        # An overwritten table needs it to know that its rows without a version remain.
        follows_rows = self._oldest_version is not None and self._oldest_version <= version
        if self.separate_versions or (follows_rows and self.deferred_version is None):
            self._add_activation(ActivateVersion(version, follows_rows))
            return
        self.deferred_version = max(version, self.deferred_version or version)
        if not follows_rows:  # an earlier run may have sent all of its rows
            self._add_activation(ActivateVersion(version, after_rows=False, needs_rows=True))

    def activate_deferred_version(self) -> None:
        """Activates the held version at the end of the input."""
        if self.deferred_version is not None:
            self._add_activation(ActivateVersion(self.deferred_version, after_rows=False))
            self.deferred_version = None

    def _add_activation(self, step: ActivateVersion) -> None:
        if self._has_unversioned:
            logger.warning(
                "Stream '%s': ACTIVATE_VERSION was ignored because some records of this run have no version.",
                self.name,
            )
            return
        if len(self.source_streams) > 1:
            if ("version", "sources") not in self.warned:
                self.warned.add(("version", "sources"))
                logger.warning(
                    "Stream '%s': ACTIVATE_VERSION was ignored because stream maps load several streams into it.",
                    self.name,
                )
            return
        # An overwritten table tolerates a few, because a record that is rejected in every run would block it forever.
        if self.rejected_count > (self.loaded_count if self.separate_versions else 0):
            logger.warning(
                "Stream '%s': ACTIVATE_VERSION was ignored because %d records were rejected (%d loaded); rows that look"
                " deleted may be among them. No older rows are deleted in this run.",
                self.name,
                self.rejected_count,
                self.loaded_count,
            )
            return
        self.sends_versions = True
        if not step.needs_rows:
            self._activated_version = max(step.version, self._activated_version or step.version)
        self._segment = self._part = None
        self.steps.append(step)

    @property
    def has_mixed_schemas(self) -> bool:
        """Whether one segment of the batch holds rows of several schemas."""
        return self._segment is not None and len(self._segment.parts) > 1

    @property
    def segments(self) -> list[Segment]:
        """The steps that load rows."""
        return [step for step in self.steps if isinstance(step, Segment)]

    @property
    def flattened_objects(self) -> set[str]:
        """Names of the objects that are flattened in the next batch."""
        found = {name for segment in self.segments for part in segment.parts for name in part.flattened_objects}
        return found | self._flattener.flattened_objects if self._flattener else found

    def flush(self) -> None:
        """Writes all rows to their files."""
        for segment in self.segments:
            segment.file.flush()

    def take_steps(self) -> Stream:
        """Returns a copy that has the steps. They are loaded while this stream collects the steps of the next batch."""
        taken = copy.copy(self)
        self.steps, self.has_new_schema = [], False
        self._segment = self._part = None
        return taken

    def remove_files(self) -> None:
        """Removes the files of what was committed."""
        for segment in self.segments:
            segment.file.remove()
