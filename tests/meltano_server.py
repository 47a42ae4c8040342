"""Runs Meltano commands in forks of a process that has imported Meltano, which takes longer than most commands.

Reads a command per line, and writes its exit code once it has ended. A client is `Meltano` in `conftest.py`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from meltano.cli import main

MAX_SECONDS = 300


def run_command(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Runs a command in this process, as if it had been started in the folder."""
    signal.alarm(MAX_SECONDS)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    os.dup2(1, 2)
    sys.argv = ["meltano", *arguments]
    main()


def serve_commands() -> None:
    """Runs the commands in the standard input."""
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            run_command(**command)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


serve_commands()
