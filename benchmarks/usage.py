"""Runs commands and measures what they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of `ru_maxrss`."""


@dataclass(frozen=True)
class Usage:
    """The time and memory that a run used, including the start of its processes.

    Args:
        seconds: Duration.
        cpu: CPU seconds of all processes.
        peak_memory_mb: Peak memory in MB, added up over the processes of a pipe.
        started: When it started, seconds since the epoch.
        codes: The exit codes, negative for signals.
    """

    seconds: float
    cpu: float
    peak_memory_mb: float
    started: float
    codes: tuple[int, ...]

    @property
    def succeeded(self) -> bool:
        """Whether all processes exited with 0."""
        return not any(self.codes)


def run_and_measure(
    commands: Sequence[Sequence[str]],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    source: Path | None = None,
    timeout: float = 1800,
) -> Usage:
    """Runs a pipe of commands.

    A small process of its own starts them, since the peak memory of a process begins with that of its parent.

    Args:
        commands: The commands; each reads what the one before it writes.
        log: The file for what they write to the standard error.
        environment: Variables beside those of this process.
        source: A file that the first command reads.
        timeout: Seconds after which all are killed.
    """
    job = {"commands": commands, "log": str(log), "source": str(source or os.devnull), "timeout": timeout}
    process = subprocess.run(
        [sys.executable, "-I", "-S", __file__],
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        text=True,
        check=True,
    )
    values = json.loads(process.stdout)
    return Usage(**values | {"codes": tuple(values["codes"])})


def run_pipe(commands: Sequence[Sequence[str]], log: str, source: str, timeout: float) -> Usage:
    """Runs a pipe of commands from this process, which has to be small."""
    processes: list[subprocess.Popen[bytes]] = []
    started, began = time.time(), time.monotonic()
    with open(log, "wb") as errors, open(source, "rb") as first:  # noqa: PTH123 - without more imports
        for number, command in enumerate(commands):
            before = processes[-1].stdout if processes else first
            is_last = number == len(commands) - 1
            process = subprocess.Popen(
                command,
                stdin=before,
                stdout=subprocess.DEVNULL if is_last else subprocess.PIPE,
                stderr=errors,
            )
            if processes and before:
                before.close()  # so that a command notices that its reader ended
            processes.append(process)
        killer = threading.Timer(timeout, _kill_processes, [processes])
        killer.daemon = True
        killer.start()
        usages, codes = [], []
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            codes.append(process.returncode)
            usages.append(usage)
        killer.cancel()
    return Usage(
        time.monotonic() - began,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        sum(usage.ru_maxrss for usage in usages) * UNIT / 1e6,
        started,
        tuple(codes),
    )


def _kill_processes(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with suppress(OSError):
            if process.returncode is None:
                process.kill()


if __name__ == "__main__":
    print(json.dumps(vars(run_pipe(**json.load(sys.stdin)))))
