"""The target: handles each type of message and commits batches."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import msgspec

from target_duckdb.batch_files import BatchFiles, remove_files
from target_duckdb.command import Command, write_line
from target_duckdb.database import parse_size
from target_duckdb.errors import LineError, RecordError, TargetError
from target_duckdb.load import FRAGMENT_ADVICE, Loader
from target_duckdb.load_methods import AppendOnlyLoad, OverwriteLoad
from target_duckdb.messages import NESTED_TOO_DEEP, Message, json_text
from target_duckdb.plugin import expand_home
from target_duckdb.rejected import RejectedRecords
from target_duckdb.runs import SUCCEEDED, UNFINISHED, Run
from target_duckdb.spool import SpoolDirectory
from target_duckdb.stream_load import StreamLoad
from target_duckdb.stream_maps import Route, Router
from target_duckdb.streams import Stream
from target_duckdb.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from target_duckdb.messages import MessageReader

_BATCH_BYTES = 256 << 20  # at most
_BATCH_SHARE = 8  # fraction of memory_limit: DuckDB holds several copies of a batch
_LARGE_RECORD = 1 << 16  # larger records count twice, because DuckDB processes 2,048 rows at a time whatever their size
_MAX_GROUP_BYTES = 1 << 19  # decoded together
_MIXED_SCHEMAS_FACTOR = 8  # weight of rows that may have to be merged column by column
_MAX_OVERSHOOT = 1.25  # a record that would exceed the batch size by more than this starts a new batch
_BATCH_SECONDS = 60.0
_BATCH_COLUMNS = 3000  # each column of a table in a transaction takes about 25 kB of memory in DuckDB
_METHODS = {"upsert": StreamLoad, "append-only": AppendOnlyLoad, "overwrite": OverwriteLoad}


class TargetDuckDB(Command):
    """Singer target for DuckDB: lossless and typed, with rows and state committed in one transaction."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.database.check_path()
        self.database.before_commit = self.check_signals
        method = self.config["load_method"]
        self._loader = Loader(
            self.database,
            self.schema,
            self.state_id,
            hard_delete=self.config["hard_delete"] and method != "append-only",
            method=_METHODS[method],
            run=Run(self.state_id),
            allows_fragments=self.config["on_fragment"] == "warn",
            tombstone_key_file=expand_home(key_file) if (key_file := self.config.get("tombstone_key_file")) else None,
        )
        self._received: set[str] = set()  # streams of the input that had records
        self._has_begun = False
        temp_dir = self.config.get("temp_dir")
        self._spool = SpoolDirectory(expand_home(temp_dir) if temp_dir else None)
        self._router = Router(self.config)
        self._routes: dict[str, tuple[Route, ...]] = {}  # by the stream's name in the input
        self._streams: dict[str, Stream] = {}  # by the name that they are loaded under
        reader = cast("MessageReader", self.message_reader)
        reader.add_lines, reader.on_error, reader.reject_line = self._add_lines, self._save_state, self._reject_line
        reader.check_signals = self.check_signals
        self._rejected = RejectedRecords(self._spool)
        self._rejects_bad_records = self.config["on_bad_record"] == "set_aside"
        self._batch_rows: int = self.config["batch_size_rows"]
        self._batch_bytes = min(_BATCH_BYTES, max(1, parse_size(self.config["memory_limit"]) // _BATCH_SHARE))
        self._rows = self._bytes = self._columns = 0
        self._counted_steps: dict[str, int] = {}  # steps whose columns are counted in _columns, by stream
        self._batch_files: list[str] = []  # to remove once their records are committed
        self._pending_state: str | None = None
        self._safe_state: str | None = None  # the last state whose rows are all committed
        self._ends_with_state = False  # whether no other message has followed the last state
        self._worker = Worker()  # commits a batch while the next one is read
        self._last_commit = time.monotonic()

    # Message handlers. They take structs instead of the SDK's dictionaries.

    def _record_start(self) -> None:
        """Records in a thread that the run has started, so that a run that is killed leaves a trace."""
        if not self._has_begun:
            self.defer_signals()
            self._has_begun = True
            self._worker.start(lambda: self._loader.record_start(self._temp_directory))
            self.release_signals()

    @property
    def _temp_directory(self) -> Path:
        """The folder in which DuckDB writes data that does not fit into memory."""
        return self._spool.path / "duckdb"

    def _process_schema_message(self, message: Message) -> None:  # type: ignore[override]
        self._ends_with_state = False
        self._record_start()
        schema = json.loads(json_text(message.schema)) if message.schema else None
        if not message.stream or not isinstance(schema, dict):
            raise LineError("its SCHEMA message has no stream or no schema.")
        routes = self._router.find_routes(message.stream, schema, tuple(message.key_properties or ()))
        for route in routes:
            if not route.keys and self.config["primary_key_required"]:
                raise LineError(
                    f"stream '{route.name}' has no key properties, but the setting primary_key_required is on."
                )
            self._find_stream(route)
        self._routes[message.stream] = routes

    def _find_stream(self, route: Route) -> Stream:
        """Returns the stream of a route and applies the route's schema."""
        stream = self._streams.get(route.name)
        if stream is None:
            metadata = self.config["add_metadata_columns"] or self.config.get("add_record_metadata", False)
            stream = Stream(route.name, self._spool, metadata=metadata, flatten=self.flattening)
            stream.native = self.config["nested"] == "native"
            stream.separate_versions = self.config["load_method"] == "overwrite"
        if stream.route is not route:
            stream.set_schema(route.schema, route.keys)
            stream.route = route
            stream.source_streams.add(route.source)
            self._streams[route.name] = stream
            if stream.has_new_schema:
                self._track_columns(stream)
        return stream

    def _process_record_message(self, message: Message) -> None:  # type: ignore[override]
        self._add_record(message)

    def _add_record(self, message: Message) -> None:
        self._ends_with_state = False
        routes = self._find_routes(message.stream)
        self._received.add(str(message.stream))
        for route in routes:
            try:
                record = route.map_record(message.record)
            except RecordError as error:
                self._reject_record(self._find_stream(route), None, error)
                self._count_record(len(message.record))
                continue
            if record is not None:
                self._add_to_route(
                    route, message if route.map is None else msgspec.structs.replace(message, record=record)
                )

    def _add_to_route(self, route: Route, message: Message) -> None:
        size = len(message.record)
        if size >= _LARGE_RECORD:
            size *= 2
        stream = self._find_stream(route)
        if stream.has_mixed_schemas:
            size *= _MIXED_SCHEMAS_FACTOR
        if self._bytes and self._bytes + size > self._batch_bytes * _MAX_OVERSHOOT:
            self._start_commit()
        self._track_columns(stream)
        try:
            stream.add_record(message)
        except (RecordError, RecursionError) as error:
            self._reject_record(stream, bytes(message.record) or None, error)
        self._count_record(size)

    def _reject_record(self, stream: Stream, record: bytes | None, error: RecordError | RecursionError) -> None:
        """Rejects a record that cannot be loaded, or ends the run."""
        if not self._rejects_bad_records:
            raise error
        stream.rejected_count += 1
        self._rejected.add_record(
            stream.name, record, str(error) if isinstance(error, RecordError) else NESTED_TOO_DEEP
        )

    def _reject_line(self, name: str, line: bytes, reason: str) -> bool:
        """Rejects a line with a record that cannot be decoded. Returns False if the run must end."""
        if name not in self._routes or not self._rejects_bad_records:
            return False
        self._received.add(name)
        for route in self._routes[name]:  # a record that a map could not change must not be kept
            self._reject_record(self._find_stream(route), None if route.map else line, RecordError(reason))
            self._count_record(len(line))
        return True

    def _count_record(self, size: int) -> None:
        """Counts a record and commits if the batch is full."""
        self._rows += 1
        self._bytes += size
        if self._rows >= self._batch_rows or self._bytes >= self._batch_bytes:
            self._start_commit()

    def _add_lines(self, name: str, lines: bytes, count: int, batch: Message | None = None) -> int:
        """Adds several RECORD lines of a stream at once, or several records in a file of a BATCH message.

        Returns:
            How many of them were added, from the first; 0 if they must be added one by one.
        """
        routes = self._routes.get(name, ())
        if len(routes) != 1 or routes[0].map:
            return 0
        room = self._batch_rows - self._rows
        if count > room:  # so that the batch ends exactly when it is full
            lines = lines[: -len(lines.split(b"\n", room)[-1]) - 1]
            count = room
        stream = self._find_stream(routes[0])
        size = len(lines) * (_MIXED_SCHEMAS_FACTOR if stream.has_mixed_schemas else 1)
        if self._bytes + size > self._batch_bytes or size > _MAX_GROUP_BYTES:
            return 0
        self._track_columns(stream)
        if not stream.add_lines(lines, count, batch):
            return 0
        self._received.add(name)
        self._rows += count
        self._bytes += size
        self._ends_with_state = False
        if self._rows >= self._batch_rows:
            self._start_commit()
        return count

    def _process_state_message(self, message: Message) -> None:  # type: ignore[override]
        if not message.value:
            raise LineError("its STATE message has no value.")
        state = json_text(message.value)
        if state == "null":
            self.logger.warning("A STATE message is ignored because its value is null.")
            return
        is_first = not self._routes
        if not is_first:
            self._record_start()
        self._loader.run.note_first_state(state, self._received)
        self._pending_state, self._ends_with_state = state, True
        if not self._rows and not any(stream.steps for stream in self._streams.values()):
            self._safe_state = self._pending_state
        # A state before all else says what the tap is about to do, such as a full read, even if the run is killed.
        if time.monotonic() - self._last_commit >= _BATCH_SECONDS or is_first:
            self._start_commit()

    def _process_activate_version_message(self, message: Message) -> None:  # type: ignore[override]
        try:
            version = message.version
        except RecordError:
            version = None
        if version is None:
            raise LineError("its ACTIVATE_VERSION message has no version that is a 64-bit integer.")
        self._ends_with_state = False
        if not self.config["process_activate_version_messages"]:
            return
        for route in self._find_routes(message.stream):
            stream = self._find_stream(route)
            self._track_columns(stream)
            stream.add_version(version)

    def _process_batch_message(self, message: Message) -> None:  # type: ignore[override]
        if not self._find_routes(message.stream):
            return
        files = BatchFiles(self._spool.path, self.config["memory_limit"])
        for block in files.read_blocks(message.encoding, message.manifest):
            self.check_signals()
            rest = block
            while (lines := rest.joined_lines) and (taken := self._add_lines(str(message.stream), *lines, message)):
                rest = rest.skip_records(taken)
            for place, record in rest.list_single_records():
                try:
                    self._add_record(msgspec.structs.replace(message, record=msgspec.Raw(record)))
                except LineError as error:
                    raise LineError(f"{place}: {error}") from None
        if self.config["remove_batch_files"]:
            self._batch_files += message.manifest or ()

    def process_endofpipe(self) -> None:
        """Commits the last batch and logs warnings of rejected records and versions that were not activated."""
        self._activate_deferred_versions()
        try:
            self._start_commit(SUCCEEDED)
            self._worker.wait()
        except (Exception, SystemExit):
            self._save_state()
            raise
        remove_files(self._batch_files)  # without records
        self._rejected.log_warnings()
        self._router.warn_of_streams(self._routes)
        for stream in self._streams.values():
            if stream.staging_table:
                self.logger.warning(
                    "Stream '%s': its table is unchanged, because the new version was not activated."
                    " The new rows are in the staging table '%s'.",
                    stream.name,
                    stream.staging_table,
                )
        self._warn_of_fragments()
        self.logger.info("%s", self._loader.run.summary)

    def _warn_of_fragments(self) -> None:
        if fragments := self._loader.run.fragments:
            self.logger.warning(
                "Tables that lack older rows, because the tap continued from an older state when they were created: %s."
                " %s",
                ", ".join(f"'{table}' (before {since})" for table, since in fragments.items()),
                FRAGMENT_ADVICE,
            )

    def end_run(self, status: str, error: str) -> None:
        """Records that the run failed, if it has begun and the file can be written at once."""
        if self._has_begun:
            self.database.before_commit = lambda: None
            self._loader.record_failure(self._temp_directory, status, error)

    def _activate_deferred_versions(self) -> None:
        """Activates the versions that were sent before their rows, if the tap seems to have finished."""
        held = [stream for stream in self._streams.values() if stream.deferred_version is not None]
        if self._ends_with_state:
            for stream in held:
                self._track_columns(stream)
                stream.activate_deferred_version()
        elif held:
            self.logger.warning(
                "The input did not end with a STATE message, so the tap may have failed. Old rows were not deleted in"
                " the streams that sent ACTIVATE_VERSION before their rows: %s.",
                ", ".join(stream.name for stream in held),
            )

    def _find_routes(self, name: str | None) -> tuple[Route, ...]:
        if not name:
            raise LineError("its message has no stream.")
        routes = self._routes.get(name)
        if routes is None:
            raise LineError(f"its stream '{name}' has no SCHEMA message before it.")
        return routes

    def _track_columns(self, stream: Stream) -> None:
        """Counts the columns of a stream in the batch. Commits first if there would be too many."""
        steps = max(1, len(stream.steps))
        if steps <= self._counted_steps.get(stream.name, 0):
            return
        if self._columns + len(stream.columns) > _BATCH_COLUMNS:
            self._start_commit()
            steps = 1  # the earlier steps are committed
        self._counted_steps[stream.name] = steps
        self._columns += len(stream.columns)

    def _start_commit(self, status: str = UNFINISHED) -> None:
        """Commits all rows and the state in a thread, which then writes the state to standard output.

        Args:
            status: The status of the run afterwards.

        Raises:
            TargetError: The batch before could not be committed.
        """
        self._worker.wait()
        changed = [stream for stream in self._streams.values() if stream.has_new_schema or stream.steps]
        is_last = status != UNFINISHED and self._has_begun
        if self._pending_state is None and not self._rejected and not changed and not is_last:
            return
        self.defer_signals()
        self._has_begun = True
        streams = [stream.take_steps() for stream in changed]
        rejected, state, files = self._rejected.take_uncommitted(), self._pending_state, self._batch_files
        rows = self._rows - len(rejected)
        self._pending_state, self._safe_state, self._batch_files = None, None, []
        self._rows = self._bytes = self._columns = 0
        self._counted_steps.clear()
        self._last_commit = time.monotonic()
        self._worker.start(lambda: self._commit_batch(streams, rejected, state, rows=rows, files=files, status=status))
        self.release_signals()

    def _commit_batch(
        self,
        streams: list[Stream],
        rejected: RejectedRecords,
        state: str | None,
        *,
        rows: int,
        files: list[str],
        status: str,
    ) -> None:
        self._loader.commit(streams, rejected, state, self._temp_directory, status)
        if state is not None:
            write_line(state)
        if rows and status == UNFINISHED:
            self.logger.info("Committed a batch of %d rows.", rows)
        rejected.remove_committed()
        for stream in streams:
            stream.remove_files()
            self._streams[stream.name].staging_table = stream.staging_table
        remove_files(files)

    def _save_state(self) -> None:
        """Commits and writes the state of the committed rows before the run ends with an error.

        Raises:
            TargetError: The batch before could not be committed.
        """
        if self.stopped:
            self._worker.stop(self.database.interrupt)
        try:
            if not self.stopped:
                self._worker.wait()
        finally:
            self._rejected.log_warnings()
        if self._worker.failed or self._safe_state is None:
            return
        self.database.before_commit = lambda: None
        with suppress(TargetError):  # report the error that ended the run, not this one
            self._loader.commit((), RejectedRecords(self._spool), self._safe_state, self._temp_directory)
            write_line(self._safe_state)

    def close(self) -> None:
        """Removes the spool."""
        self._worker.stop(self.database.interrupt)
        self._spool.close()
