"""A Meltano project in a folder of its own: the plugins of this environment, a sandbox behind them."""

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

from faults.processes import BIN, Ended, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faults.vendors import Vendor

ROOT = Path(__file__).parent.parent
POLL = 0.02


class Project:
    """A project, in a folder that may be copied.

    Args:
        folder: The folder.
        vendor: Whose tap runs.
        url: The sandbox's address, or a proxy's.
        schema: Where the rows go.
    """

    def __init__(self, folder: Path, vendor: Vendor, url: str, schema: str) -> None:
        self.folder = folder
        self.vendor = vendor
        self.url = url
        self.schema = schema
        self.database = folder / "trial.duckdb"

    def write(self) -> None:
        """Write `meltano.yml`: what is installed here runs, so nothing has to be installed."""
        text = re.sub(r"\n +pip_url: .*", "", (ROOT / "meltano.yml").read_text())
        (self.folder / "meltano.yml").write_text(re.sub(r"executable: (\S+)", rf"executable: {BIN}/\1", text))

    def variables(self, **more: str) -> dict[str, str]:
        """Variables of the environment: every setting of tap and loader."""
        prefix = self.vendor.tap.upper().replace("-", "_")
        settings = self.vendor.config(self.url, request_timeout=5, max_wait=3)
        return {
            **environment(self.folder),
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
            **{f"{prefix}_{name.upper()}": _text(value) for name, value in settings.items()},
            "TARGET_DUCKDB_PATH": str(self.database),
            "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": self.schema,
            **more,
        }

    def set_state(self, state: Mapping[str, Any], limit: float) -> None:
        """Let the next run begin with a state."""
        job = f"sandbox:{self.vendor.tap}-to-target-duckdb"
        text = json.dumps({"singer_state": state})
        command = [str(BIN / "meltano"), "--environment=sandbox", "state", "set", "--force", job, text]
        ended = self._ended(command, limit, None, self.variables())
        if ended.code:
            raise RuntimeError(ended.log)

    def states(self) -> list[tuple[Any, ...]]:
        """What Meltano keeps for the next run."""
        with closing(sqlite3.connect(self.folder / ".meltano" / "meltano.db")) as connection:
            return connection.execute(
                "SELECT state_id, partial_state, completed_state FROM state ORDER BY 1"
            ).fetchall()

    def run(
        self,
        *options: str,
        limit: float,
        whom: Callable[[subprocess.Popen[bytes]], None] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Ended:
        """`meltano run tap-... target-duckdb`, and the end of all that it started.

        Args:
            options: Further ones of the command.
            limit: Seconds that it may take.
            whom: Is given the process as soon as it runs.
            more: Further variables.
        """
        command = [str(BIN / "meltano"), "--environment=sandbox", "run", *options, self.vendor.tap, "target-duckdb"]
        return self._ended(command, limit, whom, self.variables(**(more or {})))

    def _ended(
        self,
        command: list[str],
        limit: float,
        whom: Callable[[subprocess.Popen[bytes]], None] | None,
        variables: Mapping[str, str],
    ) -> Ended:
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
            if whom:
                whom(process)
            try:
                code: int | None = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            # What it started may outlive it, and ends when its pipes do.
            while code is not None and members(process.pid) and time.monotonic() < started + limit:
                time.sleep(POLL)
            if members(process.pid):
                code = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ended(code, log.read_text(errors="replace"), time.monotonic() - started)


def members(group: int) -> dict[int, str]:
    """Processes of a group that still run: the names of their commands, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            command = (folder / "cmdline").read_bytes().split(b"\0")[:2]
        except OSError:  # it has just ended
            continue
        if int(of_group) == group and state != "Z":
            found[int(folder.name)] = command[-1].rpartition(b"/")[2].decode()  # Python is the first word
    return found


def _text(value: Any) -> str:  # noqa: ANN401 - any setting's
    return value if isinstance(value, str) else json.dumps(value)
