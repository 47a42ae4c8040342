"""The table of lists, and the schemas beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tap_factorial
import tomlkit
from singer_rest import is_secret
from tap_factorial.table import Row, load_table, parse_table, stream_name

if TYPE_CHECKING:
    from tap_factorial.openapi.document import Json

PACKAGE = Path(tap_factorial.__file__).parent
ROWS = {f"{module}/{name}": row for module, rows in load_table().lists.items() for name, row in rows.items()}
KINDS = {"string", "integer", "number", "boolean", "array", "object", "null"}


def read_schema(path: str) -> Json:
    found: Json = json.loads((PACKAGE / "schemas" / f"{stream_name(path)}.json").read_text())
    return found


def nested_schemas(schema: Json) -> list[Json]:
    """Returns a schema and all schemas nested in it."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if schema.get("items") else [])]
    return [schema, *(part for one in inner for part in nested_schemas(one))]


@pytest.mark.parametrize(
    ("version", "lists"),
    [
        ("2024-10-01", 147),
        ("2025-04-01", 147),
        ("2026-01-01", 147),
        ("2026-04-01", 148),
        ("2026-07-01", 148),
        ("2026-10-01", 169),
    ],
)
def test_each_version_has_its_lists(version: str, lists: int) -> None:
    assert len(load_table().rows_of_version(version)) == lists, (
        "if a list was added, correct the number above, or its `since`"
    )


def test_each_list_has_a_schema_and_each_schema_a_list() -> None:
    assert {path.stem for path in (PACKAGE / "schemas").glob("*.json")} == {stream_name(path) for path in ROWS}


@pytest.mark.parametrize("path", ROWS)
def test_schema_contains_the_columns_of_its_line_and_rejects_no_value(path: str) -> None:
    row, properties = ROWS[path], read_schema(path)["properties"]
    assert set(row.key) <= set(properties)
    assert set(row.added_columns) <= set(properties)
    assert not [
        name for part in nested_schemas(read_schema(path)) for name in part.get("properties", {}) if is_secret(name)
    ]
    assert "updated_at" in properties or row.bookmark or not (row.changed_since or row.changed_on)
    for name, definition in properties.items():
        assert ("null" in definition.get("type", ["null"])) != (name in row.key), name
        for part in nested_schemas(definition):
            assert not {"enum", "pattern", "oneOf", "anyOf", "allOf"} & part.keys()
            assert set(part.get("type", ())) <= KINDS
            assert isinstance(part.get("type", []), list)
        if name == "id" or name.endswith("_id"):
            assert "string" in definition["type"], name
            assert "format" not in definition


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.parent])
def test_parent_is_a_list_of_the_same_versions_and_has_a_key(path: str) -> None:
    row = ROWS[path]
    parent = ROWS[row.parent or ""]
    assert row.by
    assert parent.since <= row.since
    assert parent.until >= row.until
    assert len(parent.key) == 1
    assert row.parent_key is None or row.parent_key in read_schema(row.parent or "")["properties"]


def test_line_with_an_unknown_word_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown field `windo`"):
        parse_table('versions = []\nscopes = {}\n[lists.a]\nb = { windo = ["x", "y"] }')


def test_param_sets_combine_their_parameters_or_list_their_requests() -> None:
    assert Row(sweep={"a": ["1", "2"], "b": [True]}).requests == [{"a": "1", "b": True}, {"a": "2", "b": True}]
    assert Row(sweep=[{"a": "1"}, {"b": False}]).requests == [{"a": "1"}, {"b": False}]
    assert Row().requests == []


def test_corrected_field_belongs_to_a_list_and_is_in_its_schema() -> None:
    corrections = tomlkit.parse((PACKAGE / "corrections.toml").read_text()).unwrap()["corrections"]
    corrected = {field: entry["schema"] for entry in corrections for field in entry["fields"]}
    assert len(corrected) > 50
    for field, wanted in corrected.items():
        path, name = field.split(".")
        found = read_schema(path)["properties"].get(name, {})
        beside = {"deprecated", "description"}
        assert {word: said for word, said in found.items() if word not in beside} == wanted, field
