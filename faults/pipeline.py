"""A tap piped into a loader, as a shell or Meltano does, with ways to stop either of them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from faults.processes import BIN, ProcessResult, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHUNK = 1 << 14
POLL = 0.0005


class Pipeline:
    """`tap | target-duckdb`, with a pump between them that records the output.

    Args:
        folder: Folder for outputs and logs.
        tap: Command line of the tap.
        loader: Command line of the loader.
        on_bytes: Called with the number of bytes that the tap has written so far.
        variables: Additional environment variables.
    """

    def __init__(
        self,
        folder: Path,
        tap: Sequence[str],
        loader: Sequence[str],
        on_bytes: Callable[[int], None] = lambda _written: None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._variables = {**clean_environment(folder), **(variables or {})}
        self.on_bytes = on_bytes
        self._started = time.monotonic()
        self._logs = {name: (folder / f"{name}.log").open("wb") for name in ("tap", "loader")}
        self.processes = {
            "tap": self._start_process("tap", tap, stdin=subprocess.DEVNULL),
            "loader": self._start_process("loader", loader, stdin=subprocess.PIPE),
        }
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._pump_output, self._copy_states)]
        for thread in self._threads:
            thread.start()

    def _start_process(self, name: str, command: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [BIN / command[0], *command[1:]],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=self._logs[name],
            env=self._variables,
            bufsize=0,
        )

    def _pump_output(self) -> None:
        out, into = _require_pipe(self.processes["tap"].stdout), _require_pipe(self.processes["loader"].stdin)
        with (self.folder / "tap.out").open("wb") as copy, suppress(OSError, ValueError):
            written = 0
            while part := out.read(CHUNK):
                copy.write(part)
                written += len(part)
                self.on_bytes(written)
                view = memoryview(part)
                while view:
                    view = view[into.write(view) :]
        # Pass on a broken pipe from the loader to the tap, and the end of the tap's output to the loader.
        for end in (out, into):
            with suppress(OSError):
                end.close()

    def _copy_states(self) -> None:
        out = _require_pipe(self.processes["loader"].stdout)
        with (self.folder / "states.out").open("wb", buffering=0) as copy, suppress(OSError, ValueError):
            while part := out.read(CHUNK):
                copy.write(part)

    def break_pipe(self, name: str) -> None:
        """Breaks the pipe that a process writes to."""
        with suppress(OSError, ValueError), Path(os.devnull).open("rb") as nothing:
            # Replaces the descriptor only, because a blocked read holds the file object.
            os.dup2(nothing.fileno(), _require_pipe(self.processes[name].stdout).fileno())

    def send_signal(self, name: str, number: signal.Signals) -> bool:
        """Sends a signal. Returns whether the process was still running."""
        process = self.processes[name]
        while process.poll() is None:
            # Before it has set its handlers, a signal would only test Python's own start-up.
            if number == signal.SIGKILL or _handles_signals(process.pid):
                process.send_signal(number)
                return True
            time.sleep(POLL)
        return False

    def wait(self, limit: float) -> dict[str, ProcessResult]:
        """Waits for both processes and kills those that exceed the timeout in seconds."""
        end = time.monotonic() + limit
        codes: dict[str, int | None] = {}
        for name, process in self.processes.items():
            try:
                codes[name] = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                codes[name] = None
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(limit)
        seconds = time.monotonic() - self._started
        for file in (_require_pipe(self.processes["loader"].stdout), *self._logs.values()):
            file.close()
        return {
            name: ProcessResult(code, (self.folder / f"{name}.log").read_text(errors="replace"), seconds)
            for name, code in codes.items()
        }


def _handles_signals(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # another platform, or it has just exited
        return True
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGTERM - 1) & 1)


def _require_pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise AssertionError
    return end


def watch_commits(database: Path, done: threading.Event, on_commit: Callable[[], None]) -> threading.Thread:
    """Calls a function each time that a transaction is being written.

    Args:
        database: The loader's database.
        done: Stops watching.
        on_commit: Called while the loader writes.
    """
    log = database.with_name(f"{database.name}.wal")

    def watch() -> None:
        size = 0
        while not done.wait(POLL):
            try:
                now = log.stat().st_size
            except OSError:
                now = 0
            if now > size:
                on_commit()
            size = now

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
