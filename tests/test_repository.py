"""Workflows and templates are valid, and pages and workflows only name existing make targets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomllib
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob(".github/*.md")]
SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.dependabot": ".github/dependabot.yml",
}


def load_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def steps_of(path: Path) -> Iterator[dict[str, Any]]:
    for job in load_yaml(path)["jobs"].values():
        yield from job["steps"]


def find_job(workflow: str, name: str) -> Any:
    return load_yaml(ROOT / ".github" / "workflows" / f"{workflow}.yml")["jobs"][name]


def make_targets(text: str) -> set[str]:
    """Returns the targets of `make` commands in a text."""
    calls = re.findall(r"\bmake((?: [a-z-]+)+)", text)
    return {target for call in calls for target in call.split()}


def oldest_python(folder: str) -> str:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
def test_github_files_match_their_schemas(schema: str) -> None:
    files = sorted(ROOT.glob(SCHEMAS[schema]))
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_make_targets_that_exist(path: Path) -> None:
    commands = [step["run"] for step in steps_of(path) if "run" in step]
    assert commands
    for command in commands:
        assert make_targets(command), (
            f"{path.name}: run a Makefile target, so that it can also be run locally: {command}"
        )
        assert make_targets(command) <= TARGETS, f"{path.name}: not in the Makefile: {make_targets(command) - TARGETS}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_pin_actions_and_permissions(path: Path) -> None:
    assert load_yaml(path)["permissions"] == {"contents": "read"}, (
        f"{path.name}: grant more permissions in the job that needs them"
    )
    for step in steps_of(path):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), (
                f"{path.name}: pin {step['uses']} to a major version"
            )


def test_workflows_run_the_same_targets_as_the_ci_script() -> None:
    required = make_targets((ROOT / ".ci" / "run").read_text())
    run = {
        target
        for step in steps_of(ROOT / ".github" / "workflows" / "ci.yml")
        for target in make_targets(step.get("run", ""))
    }
    assert required <= run


def test_workflows_include_the_oldest_pythons() -> None:
    assert find_job("ci", "test")["strategy"]["matrix"]["python-version"][0] == oldest_python(".")
    for folder in ("singer-rest", "tap-personio", "tap-factorial", "tap-cornerstone"):
        assert find_job("ci", "test-oldest")["steps"][1]["with"]["python-version"].split()[0] == oldest_python(folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_make_targets_that_exist(page: Path) -> None:
    commands = re.findall(r"(?:^    |`)(make [a-z][^`\n#]*)", page.read_text(), re.MULTILINE)
    for command in commands:
        assert make_targets(command) <= TARGETS, f"{page.name}: not in the Makefile: {make_targets(command) - TARGETS}"


def test_pre_commit_uses_locked_tools() -> None:
    for repository in load_yaml(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            assert hook["entry"].startswith(".venv/bin/")
