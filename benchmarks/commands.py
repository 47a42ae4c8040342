"""The environments of the peers, and the commands that run them."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cases import DEFAULT, OURS, PUBLISHED, REST_API, TUNED
from benchmarks.datasets import DATASETS
from benchmarks.rows import DAYS, FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.cases import Case

HOME = Path("output/bench")
BIN = Path(sys.executable).parent
SCRIPTS = Path(__file__).parent / "peers"
ENVIRONMENTS = {OURS: (), TUNED: ("dlt",), REST_API: ("dlt",), DEFAULT: ("dlt",), PUBLISHED: ("sdk", "published")}
"""The environments that each peer needs, named like the files of their requirements."""
WINDOW = {"start_date": FIRST_DAY.isoformat(), "end_date": (FIRST_DAY + timedelta(days=DAYS - 1)).isoformat()}
CREDENTIALS = {"client_id": "benchmark", "client_secret": "benchmark"}
SETTINGS: dict[str, dict[str, Any]] = {
    "attendances": {**CREDENTIALS, "legacy_v1_streams": True},
    "attendance_periods": CREDENTIALS,
    "attendance_shifts": {"api_key": "benchmark", **WINDOW},
    "transcript_core": {**CREDENTIALS, "objects": ["transcript_core"], "views": []},
}


def set_up(peers: Iterable[str]) -> dict[str, str]:
    """Installs the environments of the peers, if they are not installed yet.

    Returns:
        The peers whose packages cannot be installed, with the reason.
    """
    failed: dict[str, str] = {}
    for peer in peers:
        for name in ENVIRONMENTS[peer]:
            home, requirements = HOME / "envs" / name, SCRIPTS / f"{name}.txt"
            installed = home / "installed.txt"
            if installed.exists() and installed.read_text() == requirements.read_text():
                continue
            print(f"Installing {home} ...", flush=True)
            venv.create(home, with_pip=True, clear=True)
            command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            process = subprocess.run(
                [*command, "-r", str(requirements)], stderr=subprocess.PIPE, text=True, check=False
            )
            if process.returncode:
                failed[peer] = process.stderr.strip().splitlines()[-1]
                break
            installed.write_text(requirements.read_text())
    return failed


def find_version(package: str, environment: str | None = None) -> str:
    """Returns the version of a package in an environment of a peer, or in ours."""
    python = HOME / "envs" / environment / "bin" / "python" if environment else Path(sys.executable)
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Commands:
    """The commands of one case.

    Args:
        case: The case.
        url: The server.
        folder: The folder for configurations and databases.
        privacy: The privacy profile of our tap.
    """

    def __init__(self, case: Case, url: str, folder: Path, *, privacy: str = "everything") -> None:
        self.case = case
        self._privacy = {"privacy": privacy, "privacy_key": "the key of a benchmark, which is no secret"}
        self.url = url
        self.folder = folder
        self.dataset = DATASETS[case.dataset]

    def database_path(self, peer: str) -> Path:
        """Returns the file that a peer writes."""
        return self.folder / f"{peer}.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of all commands."""
        return {"XDG_CACHE_HOME": str(self.folder), "DLT_DATA_DIR": str(self.folder)}

    def make_pipe(self, peer: str) -> list[list[str]]:
        """Returns the pipe of commands of a peer, with their files written."""
        if peer == OURS:
            return self._make_own_pipe()
        job = self._write_json(
            f"{peer}-job.json",
            {
                "url": self.url,
                "dataset": self.dataset.name,
                "database": str(self.database_path(peer)),
                "folder": str(self.folder / peer),
                "in_flight": self.case.in_flight,
                "load_method": self.case.load_method,
                "file_format": None if peer == DEFAULT else "parquet",
                "key": self.dataset.key,
                "first_day": WINDOW["start_date"],
                "last_day": WINDOW["end_date"],
                "columns": [(one.path.replace(".", "__"), one.source, one.kind) for one in self.dataset.columns],
            },
        )
        if peer == PUBLISHED:
            config = self._write_json("plain.json", {"job": job})
            loader = self._write_json(
                "published.json",
                {"path": str(self.database_path(peer)), "default_target_schema": "hr", "batch_size_rows": 100_000},
            )
            return [
                [_find_python("sdk"), str(SCRIPTS / "plain_tap.py"), "--config", config],
                [str(HOME / "envs" / "published" / "bin" / "target-duckdb"), "--config", loader],
            ]
        script = "dlt_tuned.py" if peer == TUNED else "dlt_rest_api.py"
        return [[_find_python("dlt"), str(SCRIPTS / script), job]]

    def _make_own_pipe(self) -> list[list[str]]:
        settings = {
            **SETTINGS[self.dataset.name],
            **self._privacy,
            "api_url": self.url,
            "max_concurrency": self.case.in_flight,
        }
        if self.case.batches:
            settings["batch_config"] = {
                "encoding": {"format": "jsonl", "compression": "none"},
                "storage": {"root": (self.folder / "batches").absolute().as_uri(), "prefix": ""},
            }
            (self.folder / "batches").mkdir(exist_ok=True)
        config = self._write_json("tap.json", settings)
        loader = self._write_json(
            "target.json",
            {
                "path": str(self.database_path(OURS)),
                "default_target_schema": "hr",
                "load_method": self.case.load_method,
            },
        )
        # Under a limit the tap runs as it is; otherwise it must not keep to limits that the server does not have.
        is_v1 = self.dataset.name == "attendances" and not self.case.limit
        tap = [sys.executable, "-m", "benchmarks.unlimited"] if is_v1 else [str(BIN / self.dataset.tap)]
        return [
            [*tap, "--config", config, "--catalog", self._write_catalog(config)],
            [str(BIN / "target-duckdb"), "--config", loader],
        ]

    def _write_catalog(self, config: str) -> str:
        """Writes the catalog with only the stream of the case, which is the same for all runs."""
        path = self.folder / "catalog.json"
        if not path.exists():
            process = subprocess.run(
                [BIN / self.dataset.tap, "--config", config, "--discover"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment,
                check=True,
            )
            streams = [one for one in json.loads(process.stdout)["streams"] if one["stream"] == self.dataset.name]
            for entry in streams[0]["metadata"]:
                entry["metadata"]["selected"] = True
            path.write_text(json.dumps({"streams": streams}))
        return str(path)

    def _write_json(self, name: str, content: dict[str, Any]) -> str:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)


def _find_python(environment: str) -> str:
    return str(HOME / "envs" / environment / "bin" / "python")
