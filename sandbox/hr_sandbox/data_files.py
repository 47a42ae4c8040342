"""Reads the data files of a package. JSON files may have nulls, TOML files have comments."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import tomllib


def read_data(package: str, name: str) -> Any:  # noqa: ANN401  what the file holds
    """Returns the content of a package's JSON or TOML file, with tuples instead of lists."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return _freeze(tomllib.loads(text) if name.endswith(".toml") else json.loads(text))


def _freeze(value: Any) -> Any:  # noqa: ANN401  any value of such a file
    if isinstance(value, dict):
        return {name: _freeze(inner) for name, inner in value.items()}
    return tuple(map(_freeze, value)) if isinstance(value, list) else value
