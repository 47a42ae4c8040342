"""Meltano loads from a sandbox and builds the models, in a clean copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from hr_sandbox.testing import Sandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.deep]

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
EMPLOYEES = 12
VENDORS = ("personio", "factorial", "cornerstone")


class Project:
    """A copy of the project with the installed plugins, and a sandbox."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        shutil.copy(ROOT / "meltano.yml", folder)
        ignored = shutil.ignore_patterns("target", "logs", "__pycache__")
        shutil.copytree(ROOT / "models", folder / "models", ignore=ignored)
        (folder / ".meltano").mkdir()
        for kind in ("extractors", "loaders"):
            (folder / ".meltano" / kind).symlink_to(ROOT / ".meltano" / kind, target_is_directory=True)
        # The folder of dbt's own files is beside that of the plugin.
        plugin = folder / ".meltano" / "transformers" / "dbt-duckdb"
        plugin.parent.mkdir()
        plugin.symlink_to(ROOT / ".meltano" / "transformers" / "dbt-duckdb", target_is_directory=True)

    def meltano(self, *args: str, environment: str = "sandbox") -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TAP_", "TARGET_", "MELTANO_", "DBT_"))
        }
        urls = {f"TAP_{vendor.upper()}_API_URL": f"{self.sandbox.url}/{vendor}" for vendor in VENDORS}
        return subprocess.run(
            [BIN / "meltano", f"--environment={environment}", *args],
            cwd=self.folder,
            env={
                **kept,
                **urls,
                "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
                "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
                "NO_COLOR": "1",
                "TAP_PERSONIO_CAREERS_URL": f"{self.sandbox.url}/personio-careers",
                "XDG_CACHE_HOME": str(self.folder / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )

    def people(self, file: str) -> dict[str, int]:
        """Returns the number of employees in a file, by source."""
        with duckdb.connect(self.folder / "output" / file, read_only=True) as connection:
            return dict(connection.execute("SELECT source, count(*) FROM hr.employee GROUP BY ALL").fetchall())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with running(employees=EMPLOYEES, requests_per_minute=600_000) as sandbox:
        yield Project(tmp_path_factory.mktemp("project"), sandbox)


def test_nothing_is_built_before_a_load(project: Project) -> None:
    result = project.meltano("invoke", "dbt-duckdb:build")
    assert result.returncode != 0
    assert "sandbox.duckdb does not exist. Load data first" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (project.folder / "output" / "sandbox.duckdb").exists()


def test_one_run_loads_a_vendor_and_builds_the_models(project: Project) -> None:
    result = project.meltano("run", "tap-personio", "target-duckdb", "dbt-duckdb:build")
    assert result.returncode == 0, result.stdout[-5000:]
    assert project.people("sandbox.duckdb") == {"personio": EMPLOYEES}


def test_a_job_loads_all_vendors_and_builds_the_models(project: Project) -> None:
    result = project.meltano("run", "all-with-models")
    assert result.returncode == 0, result.stdout[-5000:]
    assert project.people("sandbox.duckdb") == dict.fromkeys(VENDORS, EMPLOYEES)
    with duckdb.connect(project.folder / "output" / "sandbox.duckdb", read_only=True) as connection:
        # The second build found no change at Personio.
        assert connection.execute(
            "SELECT count(*), count(dbt_valid_to) FROM hr_snapshots.snap_personio__persons"
        ).fetchall() == [(EMPLOYEES, 0)]


def test_production_has_a_file_and_a_profile_of_its_own(project: Project) -> None:
    result = project.meltano("invoke", "dbt-duckdb:build", environment="prod")
    assert "prod.duckdb does not exist" in result.stdout
    shutil.copy(project.folder / "output" / "sandbox.duckdb", project.folder / "output" / "prod.duckdb")
    with duckdb.connect(project.folder / "output" / "prod.duckdb") as connection:
        connection.execute("DROP SCHEMA hr CASCADE")
    result = project.meltano("invoke", "dbt-duckdb:build", environment="prod")
    assert result.returncode == 0, result.stdout[-5000:]
    assert "target='prod'" in result.stdout
    assert project.people("prod.duckdb") == dict.fromkeys(VENDORS, EMPLOYEES)
