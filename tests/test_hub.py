"""The Meltano Hub definitions are up to date and valid."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow

HUB = Path(__file__).parent.parent / "hub"
_spec = importlib.util.spec_from_file_location("write", HUB / "write.py")
assert _spec is not None
assert _spec.loader is not None
write = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(write)

FILES = sorted(HUB.glob("_data/meltano/*/*/*.yml"))
KINDS = {"string", "integer", "boolean", "array", "object", "date_iso8601", "options"}
KEYS = {
    "capabilities", "commands", "description", "dialect", "domain_url", "keywords", "label", "logo_url",
    "maintenance_status", "name", "namespace", "next_steps", "pip_url", "quality", "repo", "settings",
    "settings_group_validation", "settings_preamble", "supported_python_versions", "target_schema", "usage", "variant",
}  # fmt: skip


def load_yaml(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(path)
    return found


def test_generated_files_are_up_to_date() -> None:
    written = write.files()
    stale = [path.name for path in {*FILES, *written} if not path.exists() or path.read_text() != written.get(path)]
    assert not stale, f"{stale} are stale: run `make hub` and commit the changes"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_definitions_have_the_hubs_format(path: Path) -> None:
    text, found = path.read_text(), load_yaml(path)
    assert path.parent.name == found["name"]
    assert path.stem == found["variant"] == "hrtaps"
    assert set(found) <= KEYS
    assert {"name", "namespace", "variant", "quality"} <= set(found)
    assert found["namespace"] == found["name"].replace("-", "_")
    assert found["quality"] in {"gold", "silver", "bronze", "unknown"}
    assert found["maintenance_status"] in {"active", "beta", "development", "inactive", "unknown"}
    assert found["repo"].startswith("https://")
    assert not re.search(r"^[^'\"]*[{}]", text, re.MULTILINE)  # block style only
    for keys in [list(found), *(list(setting) for setting in found["settings"])]:
        assert keys == sorted(keys)
    names = [setting["name"] for setting in found["settings"]]
    assert names == sorted(set(names))
    for setting in found["settings"]:
        assert setting["kind"] in KINDS
        assert {"name", "label", "description"} <= set(setting)
    for group in found["settings_group_validation"]:
        assert set(group) <= set(names)


def test_secrets_are_sensitive() -> None:
    settings = {setting["name"]: setting for path in FILES for setting in load_yaml(path)["settings"]}
    assert settings["client_secret"]["sensitive"]
    assert settings["token"]["sensitive"]


def test_the_repository_url_is_set_once() -> None:
    root = HUB.parent
    texts = [path for path in root.glob("*/pyproject.toml") if write.repository() in path.read_text()]
    assert texts == []
