"""The command line interface: options, exit codes, and signal handling."""

from __future__ import annotations

import os
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import _ConfigInput

from target_duckdb.errors import TargetError
from target_duckdb.plugin import ConfiguredTarget
from target_duckdb.runs import FAILED, STOPPED

if TYPE_CHECKING:
    from types import FrameType

_DRAIN_SECONDS = 60.0
_SIGNAL_EXIT = 128


class StoppedError(SystemExit):
    """A signal ends the run.

    Attributes:
        number: The signal number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(_SIGNAL_EXIT + number)
        self.number = number


class Command(ConfiguredTarget):
    """The target as a command."""

    #: The number of the signal that ends the run, 0 if none was received.
    stopped = 0
    _signals_deferred = False
    _ended = False

    def close(self) -> None:
        """Removes temporary files."""

    def end_run(self, status: str, error: str) -> None:
        """Records why the run ends before its input did."""

    def defer_signals(self) -> None:
        """Defers signals, so that a batch is either handed over to its thread or not.

        Raises:
            StoppedError: A signal was received before, during a call that swallowed its exception.
        """
        self.check_signals()
        self._signals_deferred = True

    def release_signals(self) -> None:
        """Stops deferring signals.

        Raises:
            StoppedError: A signal was received meanwhile.
        """
        self._signals_deferred = False
        self.check_signals()

    def check_signals(self) -> None:
        """Ends the run if a signal was received and a library swallowed its exception.

        Raises:
            StoppedError: A signal was received.
        """
        if self.stopped and not self._ended:
            raise StoppedError(self.stopped)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signature of a signal handler
        """Ends the run, keeping what is committed. Ignores further signals."""
        if self.stopped or self._ended:
            return
        self.stopped = signum
        if not self._signals_deferred:
            raise StoppedError(signum)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Returns the command with the option `--committed-state`."""
        command = super().get_singer_command()
        help_ = "Print the state committed with the rows in the database, and exit."
        command.params.append(click.Option(["--committed-state"], is_flag=True, help=help_))
        return command

    @classmethod
    def invoke(  # type: ignore[override] # the SDK's own signature, which its base does not share
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
        committed_state: bool = False,
    ) -> None:
        """Runs the target.

        Args:
            about: Whether to print a description of the target and exit.
            about_format: `json` or `markdown`, for `about`.
            config: The configuration from the command line.
            file_input: The stream of messages, standard input by default.
            committed_state: Whether to print the state committed with the rows in the database and exit.
        """
        if about:
            cls.print_about(about_format)
            return
        config = config or _ConfigInput()
        target: Command | None = None
        try:
            if committed_state:
                plugin = ConfiguredTarget(config=config.config, parse_env_config=config.parse_env)
                write_line(plugin.database.read_committed_state(plugin.schema, plugin.state_id))
                return
            target = cls(config=config.config, parse_env_config=config.parse_env)
            target.listen(file_input)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a traceback could contain data
            cls._end_process(target, error)
        finally:
            if target is not None:
                target._ended = True  # ignore signals from here on
                target.close()

    @classmethod
    def _end_process(cls, target: Command | None, error: Exception | SystemExit) -> NoReturn:
        """Logs why the run ends and exits."""
        number = error.number if isinstance(error, StoppedError) else target.stopped if target is not None else 0
        if number:
            cls.logger.warning("Stopped by signal %d: rows that were not committed are not kept.", number)
            if target is not None:
                target.end_run(STOPPED, f"Stopped by signal {number}.")
            sys.exit(_SIGNAL_EXIT + number)
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python fails to flush at exit
        if isinstance(error, SystemExit):
            raise error
        message = error_message(error)
        cls.logger.error(message)
        if target is not None:
            target.end_run(FAILED, message)
        if "MELTANO_EXTRACTOR_NAME" in os.environ:
            _drain_input()
        sys.exit(1)


def write_line(text: str) -> None:
    """Writes a line to standard output as UTF-8, regardless of the locale."""
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.buffer.flush()


def _drain_input() -> None:
    """Reads and discards the rest of the input for a limited time.

    If a loader exits while the tap still writes, Meltano 4.4 hides the error message behind a traceback of its own.
    """

    def drop() -> None:
        while os.read(sys.stdin.fileno(), 1 << 16):
            pass

    reader = threading.Thread(target=drop, daemon=True)
    reader.start()
    reader.join(_DRAIN_SECONDS)


def error_message(error: Exception) -> str:
    """Describes an error without record data or secrets."""
    if isinstance(error, ConfigValidationError):
        return " ".join(error.errors)
    if isinstance(error, TargetError):
        return str(error)
    if isinstance(error, BrokenPipeError):
        return "Standard output was closed before the state could be written to it."
    trace: Any = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119
    return (
        f"Unexpected error ({type(error).__name__} at {where}); its message is not shown because it may contain data."
    )
