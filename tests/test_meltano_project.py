"""Meltano's own features: object settings, precedence of settings, concurrent runs, the Hub definitions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ONE_STREAM = {"TAP_PERSONIO__SELECT": '["org_units.*"]'}
FEW_STREAMS = {"TAP_PERSONIO__SELECT": '["persons.*", "employments.*", "org_units.*"]'}


@pytest.fixture
def meltano_yml(project: Project) -> Iterator[Path]:
    """The project's file, which is restored after the test."""
    path = project.folder / "meltano.yml"
    text = path.read_text()
    yield path
    path.write_text(text)


def test_object_settings_can_be_set_and_reach_the_tap(project: Project, meltano_yml: Path) -> None:
    maps = {"org_units": {"name": "'hidden'"}}
    result = project.meltano("config", "set", "tap-personio", "stream_maps", json.dumps(maps))
    assert result.returncode == 0, result.stdout
    assert project.run(**ONE_STREAM).returncode == 0
    assert {row["name"] for row in project.rows("org_units")} == {"hidden"}


@pytest.mark.parametrize(
    "plugin", ["tap-personio", "tap-factorial", "tap-cornerstone", "tap-hr-webhooks", "target-duckdb"]
)
def test_object_settings_of_the_sdk_have_their_kind(plugin: str) -> None:
    plugins = YAML(typ="safe").load(ROOT / "meltano.yml")["plugins"]
    (found,) = [item for kind in plugins.values() for item in kind if item["name"] == plugin]
    kinds = {setting["name"]: setting.get("kind") for setting in found["settings"]}
    assert {kinds[name] for name in ("stream_maps", "stream_map_config")} == {"object"}
    assert kinds.get("batch_config", "object") == "object"


def test_meltano_sends_no_telemetry_and_does_not_ask_the_index_for_its_version() -> None:
    code = (
        "from meltano.core.project import Project; from meltano.core.version_check import VersionCheckService;"
        "project = Project.find(); print(project.settings.get('send_anonymous_usage_stats'),"
        " VersionCheckService(project).should_check_version())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MELTANO_")}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "False False"


def test_env_file_beats_meltano_yml_and_the_shell_beats_both(project: Project, meltano_yml: Path) -> None:
    yaml = YAML()
    text = yaml.load(meltano_yml)
    (tap,) = (item for item in text["plugins"]["extractors"] if item["name"] == "tap-personio")
    tap["config"] = dict.fromkeys(("start_date", "end_date", "user_agent"), "meltano.yml")
    yaml.dump(text, meltano_yml)
    env_file = project.folder / ".env"
    env_file.write_text("TAP_PERSONIO_END_DATE=.env\nTAP_PERSONIO_USER_AGENT=.env\n")
    try:
        result = project.meltano("config", "print", "tap-personio", "--format=json", TAP_PERSONIO_USER_AGENT="shell")
    finally:
        env_file.unlink()
    found = json.loads(result.stdout[result.stdout.index("\n{") :])
    assert (found["start_date"], found["end_date"], found["user_agent"]) == ("meltano.yml", ".env", "shell")


def test_concurrent_run_of_the_same_tap_is_refused_and_harms_nothing(project: Project) -> None:
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: project.run("--full-refresh", **FEW_STREAMS), range(2)))
    # Meltano lets both run if they start within milliseconds; the loader then waits for the other's lock.
    assert 0 in [run.returncode for run in runs], [run.stdout[-2000:] for run in runs]
    assert all("already running" in run.stdout for run in runs if run.returncode)
    expected = project.expected()
    for stream in ("persons", "employments", "org_units"):
        assert len(project.rows(stream)) == expected[stream]


def test_hub_definitions_can_be_added_to_another_project(project: Project, tmp_path: Path) -> None:
    environment = project.environment()
    del environment["MELTANO_PROJECT_ROOT"]

    def meltano(*args: str, folder: Path) -> None:
        result = project.commands.run(*args, folder=folder, environment=environment)
        assert result.returncode == 0, result.stdout

    meltano("init", "mine", folder=tmp_path)
    mine = tmp_path / "mine"
    hub = ROOT / "hub" / "_data" / "meltano"
    for kind, name in (("extractors", "tap-personio"), ("loaders", "target-duckdb")):
        meltano("add", name, "--no-install", "--from-ref", str(hub / kind / name / "hrtaps.yml"), folder=mine)
    yaml = YAML()
    text = yaml.load(mine / "meltano.yml")
    for kind in ("extractors", "loaders"):
        (plugin,) = text["plugins"][kind]
        assert plugin["variant"] == "hrtaps"
        del plugin["pip_url"]  # the installed packages instead of those of a package index
        plugin["executable"] = str(BIN / plugin["name"])
    yaml.dump(text, mine / "meltano.yml")
    environment |= {"TAP_PERSONIO_CLIENT_ID": "sandbox-client", "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret"}
    environment |= ONE_STREAM | {"TARGET_DUCKDB_PATH": str(mine / "mine.duckdb")}
    meltano("run", "tap-personio", "target-duckdb", folder=mine)
    assert (mine / "mine.duckdb").exists()
