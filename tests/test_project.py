"""The Meltano project matches the plugins' settings and capabilities."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio
from target_duckdb.target import TargetDuckDB

ROOT = Path(__file__).parent.parent
PROJECT = YAML(typ="safe").load(ROOT / "meltano.yml")
PLUGINS = {plugin["name"]: plugin for kind in PROJECT["plugins"].values() for plugin in kind}


def test_the_project_matches_meltanos_schema() -> None:
    schema = json.loads((importlib.resources.files("meltano") / "schemas" / "meltano.schema.json").read_text())
    jsonschema.validate(PROJECT, schema)


@pytest.mark.parametrize("plugin", [TapPersonio, TapFactorial, TapCornerstone, TargetDuckDB])
def test_settings_match_the_plugin(plugin: Any) -> None:
    plugin.append_builtin_config(plugin.config_jsonschema)
    properties = plugin.config_jsonschema["properties"]
    declared = {setting["name"]: setting for setting in PLUGINS[plugin.name]["settings"]}
    assert set(declared) == set(properties)
    for name, setting in declared.items():
        assert setting.get("sensitive", False) == properties[name].get("secret", False), name
        kinds = {"integer": "integer", "boolean": "boolean", "array": "array", "object": "object"}
        # Meltano would refuse the text of a setting that takes text or a list.
        types = [
            kinds[kind]
            for kind in properties[name]["type"]
            if kind in kinds and "string" not in properties[name]["type"]
        ]
        assert types == [] or setting["kind"] == types[0], name


@pytest.mark.parametrize("plugin", [TapPersonio, TapFactorial, TapCornerstone, TargetDuckDB])
def test_capabilities_match_the_plugin(plugin: Any) -> None:
    unknown = {"target-schema"}  # to Meltano's schema of the project
    assert PLUGINS[plugin.name]["capabilities"] == sorted({item.value for item in plugin.capabilities} - unknown)


@pytest.mark.parametrize("name", ["tap-personio", "tap-factorial", "tap-cornerstone", "target-duckdb"])
def test_plugins_need_neither_the_hub_nor_a_lock_file(name: str) -> None:
    assert PLUGINS[name]["namespace"] == name.replace("-", "_")
    assert PLUGINS[name]["pip_url"].startswith("-e ./")


@pytest.mark.parametrize("vendor", ["personio", "factorial", "cornerstone"])
def test_each_vendor_has_a_job_with_the_models(vendor: str) -> None:
    jobs = {job["name"]: job["tasks"] for job in PROJECT["jobs"]}
    assert jobs[f"{vendor}-with-models"] == [f"tap-{vendor} target-duckdb dbt-duckdb:build"]
