"""A Meltano project and a sandbox for each end-to-end test module."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_sandbox.testing import Sandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SERVER = Path(__file__).with_name("meltano_server.py")
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ")


class Meltano:
    """Runs commands of Meltano, each in a process of its own that does not have to import Meltano."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[str]] = []
        self._idle: list[subprocess.Popen[str]] = []
        self._numbers = itertools.count()

    def run(self, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Runs a command. Its output includes errors. Another thread can run one at the same time."""
        server = self._idle.pop() if self._idle else self._start_server()
        assert server.stdin
        assert server.stdout
        output = self._folder / f"output-{next(self._numbers)}.txt"
        command = {"arguments": arguments, "folder": str(folder), "environment": environment, "output": str(output)}
        server.stdin.write(json.dumps(command) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        self._idle.append(server)
        return subprocess.CompletedProcess(arguments, code, output.read_text())

    def _start_server(self) -> subprocess.Popen[str]:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | {"NO_COLOR": "1"}
        server = subprocess.Popen(
            [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Ends the servers."""
        for server in self._servers:
            server.communicate()


class Project:
    """A Meltano project in its own folder, configured for a sandbox.

    Args:
        folder: The project's folder.
        sandbox: The sandbox.
        vendor: The vendor whose tap `run` runs.
        commands: Runs the commands.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, vendor: str, commands: Meltano) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.commands = commands
        self.vendor = vendor
        self.database = folder / "output" / "test.duckdb"
        # Use this environment's plugins instead of installing them from `pip_url`, as `make demo` does.
        text = re.sub(r"\n +pip_url: .*", "", (ROOT / "meltano.yml").read_text())
        text = re.sub(r"executable: (\S+)", rf"executable: {BIN}/\1", text)
        (folder / "meltano.yml").write_text(text)

    def environment(self, **more: str) -> dict[str, str]:
        # Only a few variables, because Meltano copies all of them each time it looks up a setting.
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            **inherited,
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
            "NO_COLOR": "1",
            "TAP_PERSONIO_API_URL": f"{self.sandbox.url}/personio",
            "TAP_PERSONIO_CAREERS_URL": f"{self.sandbox.url}/personio-careers",
            "TAP_PERSONIO_OPTIONAL_STREAMS": '["*"]',
            "TAP_PERSONIO_LEGACY_V1_STREAMS": "true",
            "TAP_FACTORIAL_API_URL": f"{self.sandbox.url}/factorial",
            "TAP_FACTORIAL_OPTIONAL_STREAMS": '["*"]',
            "TAP_FACTORIAL_INTEGRATION_UUID": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10",
            "TAP_CORNERSTONE_API_URL": f"{self.sandbox.url}/cornerstone",
            "TAP_CORNERSTONE_OPTIONAL_STREAMS": '["*"]',
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TARGET_DUCKDB_PATH": str(self.database),
            **more,
        }

    def meltano(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a Meltano command in the environment `sandbox`."""
        environment = self.environment(**environment)
        return self.commands.run("--environment=sandbox", *args, folder=self.folder, environment=environment)

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `meltano run tap-... target-duckdb`."""
        return self.meltano("run", *options, f"tap-{self.vendor}", "target-duckdb", **environment)

    def rows(self, stream: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Returns a table's live rows, or those marked as deleted, without metadata columns."""
        return self._rows([stream], deleted=deleted)[stream]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the live rows of all tables."""
        return self._rows(self.expected())

    def _rows(self, streams: Iterable[str], *, deleted: bool = False) -> dict[str, list[dict[str, Any]]]:
        found = {}
        schema = f"tap_{self.vendor}".replace("-", "_")
        with duckdb.connect(self.database, read_only=True) as connection:
            for stream in streams:
                relation = connection.sql(f'SELECT * FROM test.{schema}."{stream}" ORDER BY ALL')
                columns = list(zip(relation.columns, map(str, relation.types), strict=True))
                rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
                found[stream] = [
                    {
                        name: json.loads(row[name]) if kind == "JSON" and row[name] is not None else row[name]
                        for name, kind in columns
                        if not name.startswith("_sdc_")
                    }
                    for row in rows
                    if (row.get("_sdc_deleted_at") is not None) == deleted
                ]
        return found

    def expected(self) -> dict[str, int]:
        """Returns the expected number of rows of each stream, with all streams enabled."""
        return self.sandbox.counts(self.vendor)


@pytest.fixture(scope="module")
def vendor() -> str:
    """The vendor whose tap a module tests."""
    return "personio"


@pytest.fixture(scope="session")
def meltano(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meltano]:
    """Runs commands of Meltano."""
    commands = Meltano(tmp_path_factory.mktemp("meltano"))
    yield commands
    commands.close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vendor: str, meltano: Meltano) -> Iterator[Project]:
    """A project with installed plugins, and a sandbox with 12 employees."""
    with running(employees=12, requests_per_minute=600_000) as sandbox:
        yield Project(tmp_path_factory.mktemp("project"), sandbox, vendor, meltano)
