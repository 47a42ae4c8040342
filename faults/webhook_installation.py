"""A sandbox that sends webhooks, the receiver, and a follower that loads what they are about, as processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hr_sandbox.testing import Sandbox
from hr_webhooks.journal import Journal
from hr_webhooks.private_files import write_private
from hr_webhooks.testing import Running, wait_until, write_config
from typing_extensions import Self

from faults.processes import BIN, clean_environment, write_json
from faults.vendors import VENDORS
from faults.verdict import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

STREAMS = {
    "personio": ("persons", "employments", "absence_periods", "attendance_periods"),
    "factorial": ("employees_employees", "timeoff_leaves", "attendance_shifts"),
    "cornerstone": ("employees", "transcripts"),
}
"""The streams that the events of the trial are about."""

TYPES = [
    *(f"employees/employee/{event}" for event in ("create_with_contract", "update", "terminate")),
    *(f"timeoff/leave/{event}" for event in ("create", "update", "delete", "approve", "reject")),
    *(f"attendance/shift/{event}" for event in ("create", "update", "delete", "clock_in", "clock_out")),
]
EVENTS = ["TrainingCompleted", "TrainingAssigned", "EmployeeCreated"]
PIPELINE = """
set -o pipefail
cd {folder}
{bin}/target-duckdb --config $1-target.json --committed-state > $1-state.json
test -s $1-state.json || echo '{{}}' > $1-state.json
{bin}/$2 --config $1.json --config=ENV --catalog $1-catalog.json --state $1-state.json |
  {bin}/target-duckdb --config $1-target.json > /dev/null
"""
EVENTS_NAME, EVENTS_TAP = "events", "tap-hr-webhooks"
EVENTS_VENDOR = "cornerstone"
"""The vendor whose follower also loads the events."""

FOLLOWER_OPTIONS = ("--parallel", "--quiet-for", "1", "--changes-every", "3")
READERS = {
    "follower": " -m hr_webhooks follow ",
    "shell": "/pipeline.sh ",
    "loader": "/target-duckdb ",
    "tap": "/tap-",
}
"""The reader's processes, and what their command lines contain; the first match counts."""


class Installation:
    """All processes and files of a trial. A context manager.

    Args:
        folder: Working folder.
        employees: Size of the sandbox's company.
        seed: Its seed.
    """

    def __init__(self, folder: Path, *, employees: int, seed: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._environment = clean_environment(folder)
        self._options = ["--employees", str(employees), "--seed", str(seed), "--requests-per-minute", "600000"]
        self._stack = ExitStack()
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._listen = f"127.0.0.1:{server.getsockname()[1]}"
        self.receiver: Running | None = None
        self.followers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with self._stack:
            self.sandbox = self._start_sandbox()
            self._write_files()
            self._stack.callback(self._stop)
            self.start_receiver()
            self._subscribe()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.folder / "journal")

    def database(self, name: str) -> Path:
        """Returns the DuckDB file of a vendor, or that of the events."""
        return self.folder / f"{name}.duckdb"

    # Processes

    def _start_sandbox(self) -> Sandbox:
        command = [str(BIN / "hr-sandbox"), "serve", "--port", "0", "--http-webhooks", *self._options]
        with (self.folder / "sandbox.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self._stack.callback(_end, process)
        assert process.stdout  # noqa: S101 - for mypy
        words = process.stdout.readline().split()
        return Sandbox(next(word for word in words if word.startswith("http://")))

    def start_receiver(self) -> None:
        """Starts the receiver, or starts it again."""
        self.receiver = Running(self.config, "--listen", self._listen, "--quiet", environment=self._environment)

    def start_followers(self) -> None:
        """Starts a follower for each vendor, or starts those again that are not running."""
        script = self.folder / "pipeline.sh"
        for vendor in VENDORS:
            running = self.followers.get(vendor)
            if running and running.poll() is None:
                continue
            command = [sys.executable, "-m", "hr_webhooks", "follow", "--config", str(self.config), "--vendor", vendor]
            command += ["--run", f"bash {script} {vendor} tap-{vendor}", *FOLLOWER_OPTIONS]
            if vendor == EVENTS_VENDOR:
                command += ["--then", f"bash {script} {EVENTS_NAME} {EVENTS_TAP}"]
            with (self.folder / f"follow-{vendor}.log").open("ab") as log:
                self.followers[vendor] = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def kill_receiver(self) -> None:
        """Kills the receiver and starts it again."""
        if self.receiver:
            self.receiver.kill()
        self.start_receiver()

    def find_readers(self) -> dict[int, str]:
        """Returns the followers and what they, or killed ones, have started: processes with their kinds."""
        found = {}
        marker = str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    if marker in (entry / "environ").read_bytes():
                        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                        if kind := next((kind for kind, text in READERS.items() if text in command), None):
                            found[int(entry.name)] = kind
        return found

    def kill_readers(self, *kinds: str) -> list[str]:
        """Kills the reader's processes of some kinds, and starts the followers again.

        Returns:
            The kinds of those that were killed.
        """
        killed = []
        for number, kind in self.find_readers().items():
            if kind in kinds:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
                    killed.append(kind)
        if "follower" in killed:
            for process in self.followers.values():
                process.wait()
            self.start_followers()
        return killed

    def stop_followers(self) -> set[int]:
        """Lets the followers finish their runs. Returns their exit codes."""
        for process in self.followers.values():
            process.terminate()
        return {process.wait(120) for process in self.followers.values()}

    def _stop(self) -> None:
        for process in self.followers.values():
            process.kill()
            process.wait()
        for number in self.find_readers():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        if self.receiver:
            self.receiver.stop()

    # Files

    def _write_files(self) -> None:
        vendors: dict[str, Any] = {vendor: {"secret_files": [vendor]} for vendor in VENDORS}
        vendors["factorial"]["types"] = TYPES
        self.config = write_config(self.folder, tenants={"acme": vendors}, public_url=f"http://{self._listen}")
        for vendor in VENDORS:
            write_private(self.folder / vendor, f"{secrets.token_urlsafe(32)}\n")
        for vendor, streams in STREAMS.items():
            settings = VENDORS[vendor].make_config(self.sandbox.url)
            write_json(self.folder / f"{vendor}.json", settings)
            self._write_catalog(vendor, f"tap-{vendor}", streams)
            self._environment |= {
                f"TAP_{vendor.upper()}_{name.upper()}": str(settings[name])
                for name in ("api_url", "client_id", "client_secret", "api_key")
                if name in settings
            }
        write_json(self.folder / f"{EVENTS_NAME}.json", {"journal": str(self.folder / "journal")})
        self._write_catalog(EVENTS_NAME, EVENTS_TAP, [f"{vendor}_events" for vendor in VENDORS])
        for name in (EVENTS_NAME, *VENDORS):
            settings = {"path": str(self.database(name)), "default_target_schema": SCHEMA}
            write_json(self.folder / f"{name}-target.json", settings)
        (self.folder / "pipeline.sh").write_text(PIPELINE.format(folder=self.folder, bin=BIN))

    def _write_catalog(self, name: str, tap: str, streams: Sequence[str]) -> None:
        config = self.folder / f"{name}.json"
        text = subprocess.check_output([BIN / tap, "--config", config, "--discover"], env=self._environment, stderr=-3)
        catalog = json.loads(text)
        catalog["streams"] = [one for one in catalog["streams"] if one["tap_stream_id"] in streams]
        write_json(self.folder / f"{name}-catalog.json", catalog)

    def keys(self, name: str) -> dict[str, tuple[str, ...]]:
        """Returns the primary keys of a vendor's streams."""
        catalog = json.loads((self.folder / f"{name}-catalog.json").read_text())
        return {one["tap_stream_id"]: tuple(one["key_properties"]) for one in catalog["streams"]}

    def run_webhooks(self, *arguments: str) -> str:
        """Runs a sub-command of `hr-webhooks`. Returns what it printed."""
        name, *others = arguments
        command = [str(BIN / "hr-webhooks"), name, "--config", str(self.config), *others]
        return subprocess.check_output(command, env=self._environment, text=True)

    def load_everything(self, vendor: str, database: Path) -> None:
        """Runs the vendor's tap without a state, into another DuckDB file."""
        settings = {"path": str(database), "default_target_schema": SCHEMA}
        target = write_json(self.folder / "reference-target.json", settings)
        script = f"""
            set -o pipefail
            cd {self.folder}
            {BIN}/tap-{vendor} --config {vendor}.json --catalog {vendor}-catalog.json 2> reference-{vendor}.log |
              {BIN}/target-duckdb --config {target} > /dev/null 2>> reference-{vendor}.log
        """
        subprocess.run(["bash", "-c", script], check=True, env=self._environment)  # noqa: S607 - as a user would

    def _subscribe(self) -> None:
        for vendor in ("personio", "factorial"):
            self.run_webhooks("subscribe", "--vendor", vendor)
        lines = [line.split("\t") for line in self.run_webhooks("addresses").splitlines()]
        url = next(line[3] for line in lines if line[1] == "cornerstone")
        key = (self.folder / "cornerstone").read_text().strip()
        endpoint = self.sandbox.control("cornerstone/endpoint", url=url, x_api_key=key)
        self.sandbox.control("cornerstone/webhook", endpoint=endpoint["id"], events=EVENTS)

    def wait_until_delivered(self, seconds: float) -> float:
        """Waits until the vendors have nothing more to send.

        Returns:
            How many seconds ago the last event was acknowledged.

        Raises:
            TimeoutError: They still have something to send.
        """

        def is_done() -> bool:
            counts = self.sandbox.control("push-counts")
            burst = counts["burst"]
            return not counts["pending"] and burst["done"] == burst["of"]

        wait_until(is_done, seconds)
        return float(self.sandbox.control("push-counts")["idle_seconds"])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(30)
    if process.stdout:
        process.stdout.close()
