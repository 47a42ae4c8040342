"""The target: its settings, its command, and when a batch is committed."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.target_base import Target

from target_duckdb.database import Database, size_of
from target_duckdb.errors import LineError, TargetError
from target_duckdb.load import Loader
from target_duckdb.messages import Message, MessageReader, text_of
from target_duckdb.settings import SETTINGS
from target_duckdb.spool import SpoolDirectory
from target_duckdb.streams import Stream

if TYPE_CHECKING:
    from types import FrameType

    import click

_BATCH_BYTES = 256 << 20  # at most
_BATCH_SHARE = 8  # of memory_limit: DuckDB holds a batch several times over
_LARGE_RECORD = 1 << 16  # such rows count twice: DuckDB works on some two thousand at a time, whatever their size
_LARGEST_RUN = 1 << 19  # bytes of lines that are decoded at once
_TURNS_FACTOR = 8  # how much more rows count that may have to be merged column by column
_OVERSHOOT = 1.25  # a record that would make a batch so much larger begins the next one
_BATCH_SECONDS = 60.0
_BATCH_COLUMNS = 3000  # each column of each table in a transaction takes some 25 kB of DuckDB's memory
_READ_ON_SECONDS = 60.0
_SIGNAL_EXIT = 128
_OWN_SCHEMAS = {"information_schema", "pg_catalog"}


class TargetDuckDB(Target):
    """Singer target for DuckDB: every row and value arrives, rows and state in one transaction."""

    name = "target-duckdb"
    package_name = "hrtaps-target-duckdb"
    message_reader_class = MessageReader
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.HARD_DELETE,
        TargetCapabilities.TARGET_SCHEMA,
    ]
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS.to_dict()

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**{**options, "setup_mapper": False})
        except ValueError:  # the SDK's own error prints the value
            raise TargetError(
                "A TARGET_DUCKDB_ variable of the environment does not have its setting's type."
            ) from None
        schema = self.config["default_target_schema"]
        database = Database(
            os.fspath(self.config.get("path") or self.config["filepath"]),
            memory_limit=self.config["memory_limit"],
            lock_timeout=self.config["lock_timeout"],
            token=self.config.get("token"),
        )
        database.check()
        self._reader = cast("MessageReader", self.message_reader)
        self._loader = Loader(
            database, schema, self.config.get("state_id") or schema, hard_delete=self.config["hard_delete"]
        )
        self._spool = SpoolDirectory(self.config.get("temp_dir"))
        self._streams: dict[str, Stream] = {}
        self._reader.take_run = self._take_run
        self._batch_rows: int = self.config["batch_size_rows"]
        self._batch_bytes = min(_BATCH_BYTES, max(1, size_of(self.config["memory_limit"]) // _BATCH_SHARE))
        self._rows = self._bytes = self._columns = 0
        self._touched: dict[str, int] = {}  # how many steps of a stream are counted in _columns
        self._pending_state: str | None = None
        self._last_commit = time.monotonic()

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Adds nothing: the SDK's own settings (stream maps, load methods) have no meaning here."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Names the settings that are wrong, never their values."""
        errors = []
        for error in JSONSchemaValidator(self.config_jsonschema).iter_errors(self._config):
            name = ".".join(str(part) for part in error.path)
            rule = f"{error.validator}: {json.dumps(error.validator_value)}"
            errors.append(f"The setting {name} is not valid ({rule}). {_description(name)}".rstrip())
        path = self._config.get("path") or self._config.get("filepath")
        if not path:
            errors.append("The setting path is missing: name the DuckDB file to load into.")
        elif path == ":memory:":
            errors.append("The setting path must name a file: a database in memory would be gone at the end.")
        if str(self._config.get("default_target_schema")).lower() in _OWN_SCHEMAS:
            errors.append("The setting default_target_schema names a schema that is DuckDB's own: name another.")
        if errors and raise_errors:
            raise ConfigValidationError("The settings are not valid.", errors=errors, schema=self.config_jsonschema)
        return errors

    # Messages. The reader hands on structs where the SDK's own hands on dictionaries.

    def _process_schema_message(self, message: Message) -> None:  # type: ignore[override]
        schema = json.loads(text_of(message.schema)) if message.schema else None
        if not message.stream or not isinstance(schema, dict):
            raise LineError("its SCHEMA message lacks a stream or a schema.")
        keys = tuple(message.key_properties or ())
        if not keys and self.config["primary_key_required"]:
            raise LineError(
                f"stream '{message.stream}' has no key properties; the setting primary_key_required asks for them."
            )
        stream = self._streams.get(message.stream)
        if stream is None:
            stream = Stream(message.stream, self._spool, metadata=self.config["add_metadata_columns"])
        stream.set_schema(schema, keys)
        self._streams[message.stream] = stream
        if stream.fresh:
            self._touch(stream)

    def _process_record_message(self, message: Message) -> None:  # type: ignore[override]
        size = len(message.record)
        if size >= _LARGE_RECORD:
            size *= 2
        stream = self._streams.get(message.stream or "")
        if stream is not None and stream.by_turns:
            size *= _TURNS_FACTOR
        if self._bytes and self._bytes + size > self._batch_bytes * _OVERSHOOT:
            self._commit()
        self._stream(message.stream).add(message)
        self._rows += 1
        self._bytes += size
        if self._rows >= self._batch_rows or self._bytes >= self._batch_bytes:
            self._commit()

    def _take_run(self, name: str, lines: list[bytes]) -> int:
        """Takes the first of some RECORD lines of one stream if nothing in them is odd; says how many."""
        if name not in self._streams:
            return 0
        lines = lines[: self._batch_rows - self._rows]
        size = sum(map(len, lines)) * (_TURNS_FACTOR if self._streams[name].by_turns else 1)
        if self._bytes + size > self._batch_bytes or size > _LARGEST_RUN:
            return 0  # one by one, to end the batch where it is full
        if not self._stream(name).add_run(lines):
            return 0
        self._rows += len(lines)
        self._bytes += size
        if self._rows >= self._batch_rows:
            self._commit()
        return len(lines)

    def _process_state_message(self, message: Message) -> None:  # type: ignore[override]
        if not message.value:
            raise LineError("its STATE message has no value.")
        self._pending_state = text_of(message.value)
        if time.monotonic() - self._last_commit >= _BATCH_SECONDS:
            self._commit()

    def _process_activate_version_message(self, message: Message) -> None:  # type: ignore[override]
        if message.version is None:
            raise LineError("its ACTIVATE_VERSION message has no version.")
        self._stream(message.stream).activate(message.version)

    def _process_batch_message(self, _message: Message) -> None:  # type: ignore[override]
        raise LineError("it is a BATCH message, which this target does not read: turn off batch_config in the tap.")

    def process_endofpipe(self) -> None:
        """Commits what is left."""
        self._commit()

    def _stream(self, name: str | None) -> Stream:
        stream = self._streams.get(name or "")
        if stream is None:
            raise LineError(f"its stream '{name}' has had no SCHEMA message.")
        self._touch(stream)
        return stream

    def _touch(self, stream: Stream) -> None:
        """Notes that the batch holds something of a stream; commits what it holds if it gets too wide."""
        steps = max(1, len(stream.steps))
        if steps <= self._touched.get(stream.name, 0):
            return
        if self._columns + len(stream.columns) > _BATCH_COLUMNS:
            self._commit()
        self._touched[stream.name] = steps
        self._columns += len(stream.columns)

    def _commit(self) -> None:
        """Commits all rows and the state, then says the state."""
        state, streams = self._pending_state, list(self._streams.values())
        if state is None and not any(stream.fresh or stream.steps for stream in streams):
            return
        self._loader.commit(streams, state, self._spool.path / "duckdb")
        if state is not None:
            sys.stdout.buffer.write(f"{state}\n".encode())  # UTF-8, whatever the locale
            sys.stdout.buffer.flush()
        if self._rows:
            self.logger.info("Committed a batch of %d rows.", self._rows)
        for stream in streams:
            stream.clear()
        self._pending_state = None
        self._rows = self._bytes = self._columns = 0
        self._touched.clear()
        self._last_commit = time.monotonic()

    def close(self) -> None:
        """Removes the spool."""
        self._spool.close()

    # The command

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's form
        """Ends the run; what is committed stays."""
        self.logger.info("Stopped by signal %d: what was not committed yet is not kept.", signum)
        sys.exit(_SIGNAL_EXIT + signum)

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Reads the configuration files."""
        try:
            return super().cb_config(ctx, param, value)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            fail(cls, f"The file that --config names cannot be read: {reason}.")
        except (ValueError, TypeError):
            fail(cls, "The file that --config names does not hold a JSON object.")

    @classmethod
    def invoke(  # type: ignore[override] # the SDK's own signature, which its base does not share
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Runs the target.

        Args:
            about: Whether to say what the target is, and end.
            about_format: `json` or `markdown`, for `about`.
            config: The configuration, as the command line gave it.
            file_input: Where to read messages from; standard input by default.
        """
        if about:
            cls.print_about(about_format)
            return
        config = config or _ConfigInput()
        target: TargetDuckDB | None = None
        try:
            target = cls(config=config.config, parse_env_config=config.parse_env)
            target.listen(file_input)
        except ConfigValidationError as error:
            fail(cls, " ".join(error.errors))
        except TargetError as error:
            fail(cls, str(error))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
            fail(cls, "Standard output was closed before the state could be written to it.")
        except Exception as error:  # noqa: BLE001 - a traceback could hold data
            fail(cls, _unexpected(error))
        finally:
            if target is not None:
                target.close()


def fail(cls: type[TargetDuckDB], sentence: str) -> NoReturn:
    """Logs one sentence and ends with exit code 1."""
    cls.logger.error(sentence)
    if "MELTANO_EXTRACTOR_NAME" in os.environ:
        _read_on()
    sys.exit(1)


def _read_on() -> None:
    """Takes what the tap still sends, for a while, and drops it.

    Meltano 4.4 buries the sentence under a traceback of its own where a loader goes while rows are on their way to it.
    """

    def drop() -> None:
        while os.read(sys.stdin.fileno(), 1 << 16):
            pass

    reader = threading.Thread(target=drop, daemon=True)
    reader.start()
    reader.join(_READ_ON_SECONDS)


def _description(setting: str) -> str:
    properties: dict[str, dict[str, str]] = SETTINGS.to_dict()["properties"]
    return properties.get(setting, {}).get("description", "")


def _unexpected(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119
    return f"Unexpected error ({type(error).__name__} at {where}); its message is not shown because it may hold data."
