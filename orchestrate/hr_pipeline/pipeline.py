"""Runs a tap and a loader, joined by a pipe. If this process is killed, both end with it."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

ENDS_WITH_THIS_PROCESS = ("setpriv", "--pdeathsig", "KILL", "--")


class ProgramError(RuntimeError):
    """A program has failed. The message says which, and the log why."""


@dataclass(frozen=True)
class Command:
    """A command and its environment, which may hold secrets."""

    arguments: Sequence[str]
    environment: Mapping[str, str]

    def start(self, **options: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts the command."""
        command = [*ENDS_WITH_THIS_PROCESS, *self.arguments]
        return subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return] # noqa: S603  programs of the plan

    def read(self) -> str:
        """Returns what the command writes to stdout.

        Raises:
            ProgramError: If it fails.
        """
        process = self.start(stdout=subprocess.PIPE)
        log = _Log(process)
        assert process.stdout  # noqa: S101  for mypy
        output = process.stdout.read().decode()
        if process.wait():
            log.join()
            raise ProgramError(
                f"{self.arguments[0]} ended with exit code {process.returncode}. The log has its messages."
            )
        return output


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit codes, and the number of the tap's warnings."""

    tap: int
    loader: int
    warnings: int


class Pipeline:
    """A tap and a loader.

    Args:
        tap: The tap.
        loader: The loader.
    """

    def __init__(self, tap: Command, loader: Command) -> None:
        self._tap_command, self._loader_command = tap, loader
        self._tap: subprocess.Popen[bytes] | None = None

    def run(self, save: Callable[[str], None]) -> Outcome:
        """Runs both until they end.

        Args:
            save: Is called with each state that the loader writes, after it has committed what leads to it.
        """
        self._tap = tap = self._tap_command.start(stdout=subprocess.PIPE)
        assert tap.stdout  # noqa: S101  for mypy
        loader = None
        try:
            loader = self._loader_command.start(stdin=tap.stdout, stdout=subprocess.PIPE)
            tap.stdout.close()  # so that the tap notices the end of the loader
            logs = [_Log(tap), _Log(loader)]
            assert loader.stdout  # noqa: S101  for mypy
            for line in loader.stdout:
                save(line.decode())
            loader.wait()
            tap.wait()
            for log in logs:
                log.join()
            return Outcome(tap.returncode, loader.returncode, logs[0].warnings)
        finally:
            for process in (tap, loader):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()

    def stop(self) -> None:
        """Stops the tap; the loader commits what has arrived."""
        if self._tap:
            with suppress(ProcessLookupError):
                self._tap.terminate()


class _Log(threading.Thread):
    """Hands the messages of a process on to the log of the task, and counts the warnings."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.warnings = 0
        assert process.stderr  # noqa: S101  for mypy
        self._pipe = process.stderr
        self.start()

    def run(self) -> None:
        """Reads the messages until the process ends."""
        for line in self._pipe:
            text = line.decode(errors="replace").rstrip()
            level = logging.INFO
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                message = json.loads(text)
                level = logging.getLevelNamesMapping()[message["level"].upper()]
                text = message["message"]
            self.warnings += level == logging.WARNING
            logger.log(level, "%s", text)
