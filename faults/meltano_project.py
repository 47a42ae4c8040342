"""A Meltano project in its own folder, using this environment's plugins and a sandbox."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults.processes import BIN, ProcessResult, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faults.vendors import Vendor

ROOT = Path(__file__).parent.parent
POLL = 0.02


class Project:
    """A Meltano project in a folder that can be copied.

    Args:
        folder: The project's folder.
        vendor: The vendor whose tap runs.
        url: URL of the sandbox or of a proxy.
        schema: Target schema.
    """

    def __init__(self, folder: Path, vendor: Vendor, url: str, schema: str) -> None:
        self.folder = folder
        self.vendor = vendor
        self.url = url
        self.schema = schema
        self.database = folder / "trial.duckdb"

    def write_config(self) -> None:
        """Writes `meltano.yml`, with this environment's executables so that nothing has to be installed.

        Only the owner can enter `.meltano`, as the README advises.
        """
        (self.folder / ".meltano").mkdir(mode=0o700)
        text = re.sub(r"\n +pip_url: .*", "", (ROOT / "meltano.yml").read_text())
        (self.folder / "meltano.yml").write_text(re.sub(r"executable: (\S+)", rf"executable: {BIN}/\1", text))

    def make_variables(self, **more: str) -> dict[str, str]:
        """Returns environment variables with all settings of the tap and the loader."""
        prefix = self.vendor.tap.upper().replace("-", "_")
        settings = self.vendor.make_config(self.url, request_timeout=5, max_wait=3)
        return {
            **clean_environment(self.folder),
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
            **{f"{prefix}_{name.upper()}": _format_setting(value) for name, value in settings.items()},
            "TARGET_DUCKDB_PATH": str(self.database),
            "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": self.schema,
            **more,
        }

    def set_state(self, state: Mapping[str, Any], limit: float) -> None:
        """Sets the state for the next run."""
        job = f"sandbox:{self.vendor.tap}-to-target-duckdb"
        text = json.dumps({"singer_state": state})
        command = [str(BIN / "meltano"), "--environment=sandbox", "state", "set", "--force", job, text]
        result = self._execute(command, limit, None, self.make_variables())
        if result.code:
            raise RuntimeError(result.log)

    def read_states(self) -> list[tuple[Any, ...]]:
        """Returns the states that Meltano has stored."""
        with closing(sqlite3.connect(self.folder / ".meltano" / "meltano.db")) as connection:
            return connection.execute(
                "SELECT state_id, partial_state, completed_state FROM state ORDER BY 1"
            ).fetchall()

    def run(
        self,
        *options: str,
        limit: float,
        on_start: Callable[[subprocess.Popen[bytes]], None] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> ProcessResult:
        """Runs `meltano run tap-... target-duckdb` and waits for all of its child processes.

        Args:
            options: Additional command-line options.
            limit: Timeout in seconds.
            on_start: Called with the process once it has started.
            more: Additional environment variables.
        """
        command = [str(BIN / "meltano"), "--environment=sandbox", "run", *options, self.vendor.tap, "target-duckdb"]
        return self._execute(command, limit, on_start, self.make_variables(**(more or {})))

    def _execute(
        self,
        command: list[str],
        limit: float,
        on_start: Callable[[subprocess.Popen[bytes]], None] | None,
        variables: Mapping[str, str],
    ) -> ProcessResult:
        log = self.folder / "meltano.log"
        started = time.monotonic()
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            if on_start:
                on_start(process)
            try:
                code: int | None = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            # Child processes may outlive it and end when their pipes close.
            while code is not None and list_running_processes(process.pid) and time.monotonic() < started + limit:
                time.sleep(POLL)
            if list_running_processes(process.pid):
                code = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return ProcessResult(code, log.read_text(errors="replace"), time.monotonic() - started)


def list_running_processes(group: int) -> dict[int, str]:
    """Returns the command names of the running processes of a group, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group_id = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            command = (folder / "cmdline").read_bytes().split(b"\0")[:2]
        except OSError:  # it has just exited
            continue
        if int(group_id) == group and state != "Z":
            found[int(folder.name)] = command[-1].rpartition(b"/")[2].decode()  # the first argument is Python
    return found


def _format_setting(value: Any) -> str:  # noqa: ANN401 - any setting
    return value if isinstance(value, str) else json.dumps(value)
