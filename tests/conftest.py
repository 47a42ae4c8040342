"""A Meltano project and a sandbox for each end-to-end test module."""

from __future__ import annotations

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
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ")


class Project:
    """A Meltano project in its own folder, configured for a sandbox.

    Args:
        folder: The project's folder.
        sandbox: The sandbox.
        vendor: The vendor whose tap `run` runs.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, vendor: str) -> None:
        self.folder = folder
        self.sandbox = sandbox
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
        return subprocess.run(
            [BIN / "meltano", "--environment=sandbox", *args],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )

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
        with duckdb.connect(self.database, read_only=True) as connection:
            for stream in streams:
                relation = connection.sql(f'SELECT * FROM test.tap_{self.vendor}."{stream}" ORDER BY ALL')
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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vendor: str) -> Iterator[Project]:
    """A project with installed plugins, and a sandbox with 12 employees."""
    with running(employees=12, requests_per_minute=600_000) as sandbox:
        yield Project(tmp_path_factory.mktemp("project"), sandbox, vendor)
