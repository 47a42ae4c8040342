"""Runs the pipeline, one run at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hr_webhooks.errors import WebhookError
from hr_webhooks.follow.plan import Report
from hr_webhooks.private_files import PRIVATE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hr_webhooks.follow.plan import RunSettings

LOGGER = logging.getLogger(__name__)
POLL_SECONDS = 0.2
NOT_FOUND_EXIT = 127


@dataclass
class Stop:
    """Whether the process is to end. A run under way may finish; a second request ends it, too."""

    event: threading.Event = field(default_factory=threading.Event)
    is_urgent: bool = False

    def __bool__(self) -> bool:
        """Whether the process is to end."""
        return self.event.is_set()

    def request(self) -> None:
        """Asks the process to end."""
        self.is_urgent = self.event.is_set()
        self.event.set()

    def wait(self, seconds: float) -> None:
        """Waits, but not longer than until the process is to end."""
        self.event.wait(max(seconds, 0))


class Command:
    """A command line, in which `{vendor}` and `{tenant}` stand for their names. It is run without a shell.

    Args:
        text: The command line.

    Raises:
        WebhookError: If it cannot be split into words.
    """

    def __init__(self, text: str) -> None:
        try:
            self.words = shlex.split(text)
        except ValueError:
            raise WebhookError("A quotation mark is missing in the command.") from None
        if not self.words:
            raise WebhookError("The command is empty. Name one, such as `meltano run tap-personio target-duckdb`.")

    def names(self, placeholder: str) -> bool:
        """Whether a placeholder, such as `vendor`, stands in it."""
        return any(f"{{{placeholder}}}" in word for word in self.words)

    def make_words(self, names: Mapping[str, str]) -> list[str]:
        """Returns the words, with names for the placeholders."""
        return [fill(word, names) for word in self.words]


def fill(text: str, names: Mapping[str, str]) -> str:
    """Replaces placeholders such as `{vendor}`. Other braces stay."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


class Runner:
    """Runs commands, one at a time also where several processes follow a journal.

    Args:
        folder: The folder for the lock and for reports.
        stop: Whether the process is to end.
        name: The name of the lock. Runs of others with the same one are not under way at the same time.
    """

    def __init__(self, folder: Path, stop: Stop, name: str = "run") -> None:
        self._folder = folder
        self._name = name
        self._stop = stop

    def run_tap(self, words: Sequence[str], prefix: str, settings: RunSettings) -> Report | None:
        """Runs a pipeline, with settings of its tap in the environment.

        Args:
            words: The command.
            prefix: The beginning of the names of the tap's variables, such as `TAP_PERSONIO`.
            settings: The settings.

        Returns:
            What the tap reports on the given ids. None: the run failed, or was not begun.
        """
        names = {name: f"{prefix}_{name.upper()}" for name in ("only", "confirm_deleted", "only_report")}
        # Left over from the user's environment, they would make a normal run read single records.
        variables = {name: value for name, value in os.environ.items() if name not in names.values()}
        given = {names[name]: value for name, value in settings._asdict().items() if value}
        with self._lock() as lock:
            if lock is None:
                return None
            # What is there is of a follower that was killed: no other run with this lock is under way.
            for left in self._folder.glob(f".{self._name}-*"):
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=f".{self._name}-") as folder:
                report = Path(folder) / "report.json"
                if given:
                    given[names["only_report"]] = str(report)
                if not self._run(lock, words, {**variables, **given}):
                    return None
                with suppress(OSError, msgspec.MsgspecError):  # another tap writes none
                    return msgspec.json.decode(report.read_bytes(), type=Report)
        return {}

    def run(self, words: Sequence[str]) -> bool:
        """Runs a command and waits for its end. Its output is that of this process.

        Returns:
            Whether it succeeded.
        """
        with self._lock() as lock:
            return lock is not None and self._run(lock, words)

    def _run(self, lock: int, words: Sequence[str], variables: Mapping[str, str] | None = None) -> bool:
        started = time.monotonic()
        try:
            # A session of its own: Ctrl-C is for this process, which lets the run finish. The run keeps the lock,
            # even if this process is killed.
            process = subprocess.Popen(  # noqa: S603 - the user's command
                list(words), env=variables, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[lock]
            )
        except OSError as error:
            LOGGER.error("%s cannot be started: %s.", words[0], error.strerror)  # noqa: TRY400 - a sentence
            return False
        code = self._wait(process)
        seconds = time.monotonic() - started
        if code:
            LOGGER.warning("The run failed after %.1f s (exit code %d).", seconds, code)
        else:
            LOGGER.info("The run has succeeded after %.1f s.", seconds)
        return code == 0

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        is_ended = False
        while True:
            try:
                return process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if self._stop.is_urgent and not is_ended:
                    is_ended = True
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGTERM)

    @contextmanager
    def _lock(self) -> Iterator[int | None]:
        """Waits until no other run with this lock is under way.

        Yields:
            The descriptor of the lock. None: the process is to end.
        """
        descriptor = os.open(self._folder / f"{self._name}.lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            while not (is_locked := try_lock(descriptor)) and not self._stop:
                self._stop.wait(POLL_SECONDS)
            yield descriptor if is_locked and not self._stop else None
        finally:
            os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Locks a file if no other process has locked it. Closing the descriptor releases the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
