"""Runs taps and the loader as child processes.

Trials with signals start the real commands. All others fork from a process that has imported everything
(`multiprocessing`'s fork server), since imports would take longer than the run, and use shorter retry delays.
"""

from __future__ import annotations

import faulthandler
import functools
import gc
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
PRELOADED = ["faults.__main__", *(module for module, _ in COMMANDS.values())]
"""Modules that the fork server imports: the commands, and the main module, which each child process imports again."""

LIMIT = 120.0
"""Timeout in seconds, after which a run counts as hanging."""

RETRY_DELAY = 0.02
"""First retry delay in seconds."""

RETRY_DELAYS = {"FIRST_DELAY": RETRY_DELAY, "THROTTLED_DELAY": RETRY_DELAY}


@dataclass(frozen=True)
class ProcessResult:
    """The result of a process.

    Args:
        code: Exit code. None: it hung and was killed.
        log: Its standard error.
        seconds: Duration.
    """

    code: int | None
    log: str
    seconds: float

    @property
    def hung(self) -> bool:
        """Whether it had to be killed."""
        return self.code is None


def clean_environment(folder: Path) -> dict[str, str]:
    """Returns environment variables without the user's settings. Caches and temporary files are in a trial's folder."""
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
) -> ProcessResult:
    """Runs a command to completion in a forked process that has already imported it.

    Args:
        command: Such as `tap-personio`.
        arguments: Command-line arguments.
        folder: Folder for caches and temporary files.
        stdin: Input file.
        stdout: Output file.
        limit: Timeout in seconds, after which it is killed.
        variables: Additional environment variables.
    """
    log = stdout.with_name(f"{stdout.name}.log")
    environment = {**clean_environment(folder), **(variables or {})}
    started = time.monotonic()
    process = _fork_server().Process(
        target=_run_plugin,
        args=(command, list(arguments), (str(stdin or os.devnull), str(stdout), str(log)), environment),
    )
    process.start()
    process.join(limit)
    hung = process.is_alive()
    if hung:
        os.kill(process.pid, signal.SIGUSR1)  # dumps its stack traces to its log
        process.join(1)
        process.kill()
        process.join()
    code = None if hung else process.exitcode
    process.close()
    return ProcessResult(code, log.read_text(errors="replace") if log.exists() else "", time.monotonic() - started)


def write_json(path: Path, content: object) -> Path:
    """Writes a JSON file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path


@functools.cache
def _fork_server() -> Any:  # noqa: ANN401 - the context's own class is private
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _run_plugin(command: str, arguments: list[str], files: tuple[str, str, str], variables: dict[str, str]) -> None:
    """Runs the plugin's command in the child process."""
    gc.freeze()  # a collection would copy the memory shared with the fork server
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
        _shorten_delays(plugin)
    sys.argv = [command, *arguments]
    try:
        plugin.cli(args=arguments, prog_name=command)
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()


def _shorten_delays(tap: Any) -> None:  # noqa: ANN401 - any tap's class
    """Shortens retry delays and disables the vendor's documented rate limits."""
    tap.first_delay = RETRY_DELAY
    tap.rates = {}
    for name in ("singer_rest.http.retries", "singer_rest.fetch.retries"):
        with suppress(ImportError):
            module = importlib.import_module(name)
            for constant, seconds in RETRY_DELAYS.items():
                if hasattr(module, constant):
                    setattr(module, constant, seconds)
