"""Generates the Meltano Hub definitions and the settings in `meltano.yml` from the plugins' `--about` output.

    python hub/write.py

The definitions have the folder structure of the Hub's repository and are copied there with a release.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import tomllib
from ruamel.yaml import YAML

HUB = Path(__file__).parent
ROOT = HUB.parent
BIN = Path(sys.executable).parent

VARIANT = "hrtaps"
COMMON = {
    "maintenance_status": "active",
    "next_steps": "",
    "quality": "silver",
    "settings_preamble": "",
    "usage": "",
    "variant": VARIANT,
}
REPORTS = {
    "doctor": {
        "args": "--config=ENV --doctor",
        "description": "Check the connection and what the credential may read",
    },
    "plan": {"args": "--config=ENV --plan", "description": "Estimate the requests and minutes of a run"},
}


def reports(name: str) -> dict[str, dict[str, str]]:
    """The commands of a tap that write reports."""
    file = f"$MELTANO_PROJECT_ROOT/output/{name}-dossier"
    return REPORTS | {
        "dossier": {
            "args": f"--config=ENV --dossier={file}.html --dossier={file}.yaml",
            "description": "Write what would be loaded, and what happens to it first",
        }
    }


def repository() -> str:
    """The repository's URL from the project's metadata, its only source."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"])


# Metadata that is not in the plugins' `--about` output.
PLUGINS: dict[str, dict[str, Any]] = {
    "tap-personio": {
        "kind": "extractors",
        "pip_url": "tap-personio",
        "label": "Personio",
        "description": "HR and payroll platform for small and mid-sized companies",
        "domain_url": "https://developer.personio.de/",
        "keywords": ["api", "hr", "meltano_sdk"],
        "logo_url": "/assets/logos/extractors/personio.png",
        "commands": reports("tap-personio"),
        "settings_group_validation": [["client_id", "client_secret"]],
    },
    "tap-factorial": {
        "kind": "extractors",
        "pip_url": "tap-factorial",
        "label": "Factorial",
        "description": "HR, time, finance and payroll platform for small and mid-sized companies",
        "domain_url": "https://apidoc.factorialhr.com/",
        "keywords": ["api", "hr", "meltano_sdk"],
        "logo_url": "/assets/logos/extractors/factorial.png",
        "settings_group_validation": [["api_key"], ["access_token"], ["client_id", "client_secret"]],
        "commands": reports("tap-factorial")
        | {
            "login": {"args": "login", "description": "Log in with an OAuth application and store the tokens"},
        },
    },
    "tap-cornerstone": {
        "kind": "extractors",
        "pip_url": "tap-cornerstone",
        "label": "Cornerstone OnDemand",
        "description": "Learning, talent and recruiting suite for large companies",
        "domain_url": "https://csod.dev/",
        "keywords": ["api", "hr", "meltano_sdk"],
        "logo_url": "/assets/logos/extractors/cornerstone.png",
        "commands": reports("tap-cornerstone"),
        "settings_group_validation": [
            ["corpname", "client_id", "client_secret"],
            ["corpname", "access_token"],
            ["api_url", "client_id", "client_secret"],
            ["api_url", "access_token"],
        ],
    },
    "tap-hr-webhooks": {
        "kind": "extractors",
        "pip_url": "hr-webhooks",
        "label": "HR webhooks",
        "description": "Events of Personio, Factorial and Cornerstone that hr-webhooks has received",
        "domain_url": repository(),
        "keywords": ["events", "hr", "meltano_sdk", "webhooks"],
        "logo_url": "/assets/logos/extractors/hr-webhooks.png",
        "settings_group_validation": [["journal"]],
    },
    "target-duckdb": {
        "kind": "loaders",
        "pip_url": "hrtaps-target-duckdb",
        "label": "DuckDB",
        "description": "In-process analytical database",
        "domain_url": "https://duckdb.org/",
        "keywords": ["database", "meltano_sdk"],
        "logo_url": "/assets/logos/loaders/duckdb.png",
        "dialect": "duckdb",
        "target_schema": "$TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA",
        "settings_group_validation": [["path"], ["filepath"]],
        "commands": {
            "forget": {
                "args": "forget --config=ENV",
                "description": "Remove a person from the DuckDB file, also from its free blocks",
            },
            "retain": {
                "args": "retain --config=ENV",
                "description": "Remove what the setting retention no longer allows to keep",
            },
        },
    },
}
PROJECT = ROOT / "meltano.yml"
ORDER = ("name", "kind", "value", "label", "description", "sensitive", "options")
KINDS = ("integer", "boolean", "array", "object")


@cache
def about(name: str) -> dict[str, Any]:
    """A plugin's `--about` output."""
    command = [str(BIN / name), "--about", "--format=json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def definition(name: str) -> dict[str, Any]:
    """A plugin's definition in the Hub's format."""
    extra = {key: value for key, value in PLUGINS[name].items() if key != "kind"}
    return (
        COMMON
        | extra
        | {
            "capabilities": sorted(about(name)["capabilities"]),
            "name": name,
            "namespace": name.replace("-", "_"),
            "repo": repository(),
            "settings": [setting(key, schema) for key, schema in sorted(about(name)["settings"]["properties"].items())],
            "supported_python_versions": about(name)["supported_python_versions"],
        }
    )


def setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A setting's definition in the Hub's format."""
    types = schema.get("type", [])
    kinds = [kind for kind in KINDS if kind in types and "string" not in types]
    kind = "date_iso8601" if schema.get("format") == "date-time" else kinds[0] if kinds else "string"
    found: dict[str, Any] = {"description": schema["description"], "label": schema["title"], "name": name}
    if schema.get("enum"):
        kind = "options"
        found["options"] = [{"label": str(value), "value": value} for value in schema["enum"] if value is not None]
    found["kind"] = kind
    if schema.get("secret"):
        found["sensitive"] = True
    if schema.get("default") not in (None, "", [], {}):
        found["value"] = schema["default"]
    return found


def project() -> str:
    """`meltano.yml` with the plugins' settings."""
    text = PROJECT.read_text()
    for name, plugin in PLUGINS.items():
        settings = [
            _project_setting(setting(key, schema), plugin["kind"])
            for key, schema in about(name)["settings"]["properties"].items()
        ]
        block = "".join(f"    {line}\n" for line in _yaml(settings).splitlines())
        listed = re.compile(rf"(  - name: {name}\n    namespace:(?:.*\n)*?    settings:\n)(?:    [- ] .*\n)*")
        text = listed.sub(lambda found, block=block: found[1] + block, text, count=1)  # type: ignore[misc]
    return text


def _project_setting(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """A setting in the format of `meltano.yml`."""
    # Lists are long. The loader's settings have aliases, which a default passed by Meltano would override.
    without_value = kind == "loaders" or isinstance(found.get("value"), list)
    keys = [key for key in ORDER if key in found and not (key == "value" and without_value)]
    return {key: found[key] for key in keys if (key, found[key]) != ("kind", "string")}


def files() -> dict[Path, str]:
    """The generated files and their text."""
    definitions = {
        HUB / "_data" / "meltano" / plugin["kind"] / name / f"{VARIANT}.yml": _yaml(_sort_keys(definition(name)))
        for name, plugin in PLUGINS.items()
    }
    return definitions | {PROJECT: project()}


def _yaml(value: Any) -> str:  # noqa: ANN401 - JSON
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=2, offset=0)
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue()


def _sort_keys(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Sorts keys alphabetically, as the Hub's linter requires."""
    if isinstance(value, dict):
        return {key: _sort_keys(value[key]) for key in sorted(value)}
    return [_sort_keys(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))
