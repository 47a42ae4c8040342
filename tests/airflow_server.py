"""Airflow in a temporary folder: its three processes, and a client of its API."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.helpers import free_port
from tests.postgres_server import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.prefix) / "airflow" / "bin"
PROCESSES = {"api-server": (), "dag-processor": (), "scheduler": ("--skip-serve-logs",)}


def wait_until(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """Waits until a condition holds. Returns its result."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)
    return result


def parents() -> dict[int, int]:
    """Returns the parent of each process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return found


def read_list(process: int, name: str) -> list[str]:
    """Returns the command line or the environment of a process."""
    with suppress(OSError):
        return Path(f"/proc/{process}/{name}").read_text().split("\0")
    return []


@dataclass
class Airflow:
    """A running Airflow.

    Attributes:
        folder: Its folder.
        environment: Its environment variables.
        port: The port of the API.
        processes: Its processes, by name.
        killed: The process groups of those that were killed, whose children may live.
    """

    folder: Path
    environment: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    token: str = ""

    def command(self, *command: str, input: str | None = None) -> str:  # noqa: A002  as that of subprocess
        """Runs a command of Airflow's environment. Returns what it writes."""
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            env=self.environment,
            cwd=ROOT / "orchestrate",
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def start(self, name: str) -> None:
        """Starts one of the processes."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [BIN / "airflow", name, *PROCESSES[name]],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str, *, group: bool = False) -> None:
        """Kills one of the processes, alone or with all that it has started."""
        process = self.processes.pop(name)
        self.killed.append(process.pid)
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    def tasks(self, program: str, setting: str) -> dict[int, int]:
        """Returns the processes of a program that have a setting, with those of the tasks that started them."""
        parent_of = parents()
        return {
            process: parent
            for process, parent in parent_of.items()
            if any(one.endswith(f"/{program}") for one in read_list(process, "cmdline")[:2])
            and setting in read_list(process, "environ")
            and {"--discover", "--test=schema"}.isdisjoint(read_list(process, "cmdline"))
        }

    def request(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Sends a request to the API. Returns the JSON of its response."""
        if not self.token:
            with urlopen(f"http://127.0.0.1:{self.port}/auth/token") as response:
                self.token = json.load(response)["access_token"]
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/api/v2/{path}"
        with urlopen(Request(url, data, headers, method=method)) as response:
            return json.load(response)

    def is_there(self, dag: str) -> bool:
        """Returns whether the API knows a DAG."""
        try:
            return bool(self.request(f"dags/{dag}"))
        except OSError:
            return False

    def trigger(self, dag: str, **conf: Any) -> str:
        """Starts a run of a DAG. Returns its id."""
        self.unpause(dag)
        return str(self.request(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def unpause(self, dag: str) -> None:
        """Lets a DAG run."""
        wait_until(lambda: self.is_there(dag))
        self.request(f"dags/{dag}", {"is_paused": False}, "PATCH")

    def first_run(self, dag: str) -> str:
        """Lets a DAG run that is scheduled once. Returns the id of its run."""
        self.unpause(dag)
        return str(wait_until(lambda: self.request(f"dags/{dag}/dagRuns")["dag_runs"])[0]["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """Returns the state of a run."""
        return str(self.request(f"dags/{dag}/dagRuns/{quote(run)}")["state"])

    def wait(self, dag: str, run: str, seconds: float = 560) -> str:
        """Waits for the end of a run. Returns its state."""
        wait_until(lambda: self.state(dag, run) in {"success", "failed"}, seconds)
        return self.state(dag, run)

    def instances(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Returns the task instances of a run."""
        return list(self.request(f"dags/{dag}/dagRuns/{quote(run)}/taskInstances")["task_instances"])

    def result(self, dag: str, run: str, task: str, map_index: int = -1) -> Any:
        """Returns the result of a task."""
        path = f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/return_value?map_index={map_index}"
        return self.request(f"{path}&deserialize=true")["value"]

    def logs(self) -> str:
        """Returns all logs."""
        files = [*self.folder.glob("*.log"), *(self.folder / "logs").rglob("*.log")]
        return "\n".join(path.read_text(errors="replace") for path in files)


@contextmanager
def running_airflow(folder: Path, database: int, **environment: str) -> Iterator[Airflow]:
    """Runs Airflow with PostgreSQL.

    Args:
        folder: Its folder.
        database: The port of PostgreSQL.
        **environment: Further environment variables.
    """
    if not (BIN / "airflow").exists():
        pytest.skip("Airflow is not installed: run `make test-airflow`")
    port = free_port()
    settings = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # on a busy machine
        "CORE__DAGS_FOLDER": str(ROOT / "orchestrate"),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://hr:not-checked@127.0.0.1:{database}/airflow",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    }
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    airflow = Airflow(
        folder,
        inherited
        | {"AIRFLOW_HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | environment,
        port,
    )
    query(database, "CREATE DATABASE airflow")
    airflow.command("airflow", "db", "migrate")
    # The workers of a killed scheduler keep its session open, whose locks would stop the next one.
    query(database, "ALTER DATABASE airflow SET idle_in_transaction_session_timeout = '60s'")
    pools = airflow.command("python", "-m", "hr_pipeline.pools")
    (folder / "pools.json").write_text(pools)
    airflow.command("airflow", "pools", "import", str(folder / "pools.json"))
    try:
        for name in PROCESSES:
            airflow.start(name)
        yield airflow
    finally:
        for group in airflow.killed:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in airflow.processes.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in airflow.processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
