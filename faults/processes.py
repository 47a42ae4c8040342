"""Taps and the loader as processes of their own: started, watched, ended.

A trial that is about signals starts the real commands. All others take a process that has imported everything already
(`multiprocessing`'s fork server), for the imports would take longer than the run; waits before a repeat are shorter.
"""

from __future__ import annotations

import faulthandler
import functools
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN = Path(sys.executable).parent
COMMANDS = {
    "tap-personio": ("tap_personio.tap", "TapPersonio"),
    "tap-factorial": ("tap_factorial.tap", "TapFactorial"),
    "tap-cornerstone": ("tap_cornerstone.tap", "TapCornerstone"),
    "target-duckdb": ("target_duckdb.target", "TargetDuckDB"),
}
LIMIT = 120.0
"""Seconds that a run may take before it counts as one that hangs."""

HASTY = 0.02
"""Seconds before the first repeat of a request, where a trial is not about waiting."""

SHORT_WAITS = {"FIRST_DELAY": HASTY, "THROTTLED_DELAY": HASTY}


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Args:
        code: Its exit code; None: it hung and was killed.
        log: What it wrote to standard error.
        seconds: How long it took.
    """

    code: int | None
    log: str
    seconds: float

    @property
    def hung(self) -> bool:
        """Whether it had to be killed."""
        return self.code is None


def environment(folder: Path) -> dict[str, str]:
    """Variables for a process: nobody's settings, caches and temporary files in the trial's own folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_", "TARGET_", "MELTANO_", "PYTEST_"))
    }
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder / "tmp"), "NO_COLOR": "1"}


def run(
    command: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    stdin: Path | None = None,
    stdout: Path,
    limit: float = LIMIT,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end in a process that has imported it already.

    Args:
        command: Such as `tap-personio`.
        arguments: Those of its command line.
        folder: Where its caches and temporary files go.
        stdin: The file that it reads.
        stdout: The file that takes what it writes.
        limit: Seconds after which it is killed.
        variables: Further variables of its environment.
    """
    log = stdout.with_name(f"{stdout.name}.log")
    given = {**environment(folder), **(variables or {})}
    started = time.monotonic()
    process = _forks().Process(
        target=_become, args=(command, list(arguments), (str(stdin or os.devnull), str(stdout), str(log)), given)
    )
    process.start()
    process.join(limit)
    hung = process.is_alive()
    if hung:
        os.kill(process.pid, signal.SIGUSR1)  # where it stands goes to its log
        process.join(1)
        process.kill()
        process.join()
    code = None if hung else process.exitcode
    process.close()
    return Ended(code, log.read_text(errors="replace") if log.exists() else "", time.monotonic() - started)


def write_json(path: Path, content: object) -> Path:
    """Write a file for a command line, for nobody else's eyes."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path


@functools.cache
def _forks() -> Any:  # noqa: ANN401 - the context's own class is private
    context = multiprocessing.get_context("forkserver")
    # The command line too: each process looks at it anew, and would import what it imports.
    context.set_forkserver_preload(["faults.__main__", *(module for module, _ in COMMANDS.values())])
    return context


def _become(command: str, arguments: list[str], files: tuple[str, str, str], variables: dict[str, str]) -> None:
    """Be the command; runs in the new process."""
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    for number, path in enumerate(files):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    module, name = COMMANDS[command]
    plugin = getattr(importlib.import_module(module), name)
    if command.startswith("tap-"):
        _hurry(plugin)
    sys.argv = [command, *arguments]
    try:
        plugin.cli(args=arguments, prog_name=command)
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()


def _hurry(tap: Any) -> None:  # noqa: ANN401 - any tap's class
    """Shorten the waits before repeats, and leave the vendor's documented limits to the sandbox."""
    tap.first_delay = HASTY
    tap.rates = {}
    for name in ("singer_rest.http.retries", "singer_rest.http.retries", "singer_rest.fetch.retries"):
        with suppress(ImportError):
            module = importlib.import_module(name)
            for constant, seconds in SHORT_WAITS.items():
                if hasattr(module, constant):
                    setattr(module, constant, seconds)
