"""The tables of resources and fields, and the program that generates them."""

from __future__ import annotations

import json
from typing import Any

from hr_sandbox.factorial.describe import describe, write
from hr_sandbox.factorial.fake_values import REFERENCES, SIZES
from hr_sandbox.factorial.filters import BOUNDS, EMPTY, FIELD_NAMES, HIDDEN_ROWS, ONE_OF, TRUE_ONLY
from hr_sandbox.factorial.rows import BUILDERS
from hr_sandbox.factorial.tables import LIVE, load_newest, load_resources

PATH = "/api/{}/resources/rooms/desks"


def document(version: str, fields: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    row = {"type": "object", "properties": fields}
    answer = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/desk"}}},
    }
    content = {"application/json": {"schema": answer}}
    operation = {"parameters": list(parameters), "responses": {"200": {"content": content}}}
    path = PATH.format(version)
    return {
        "info": {"version": version},
        "components": {"schemas": {"desk": row}},
        "paths": {path: {"get": operation, "post": {}}, f"{path}/{{id}}": {"get": {}}},
    }


def test_the_number_of_resources_of_each_version() -> None:
    counts = [sum(version in row.span for row in load_resources().values()) for version in LIVE]
    assert counts == [147, 148, 148, 169]
    assert sum(row.single for row in load_newest().values()) == 147
    assert sum(len(row.fields) for row in load_newest().values()) > 2000


def test_the_tables_refer_to_existing_resources() -> None:
    known = load_resources()
    for name in (*SIZES, *BUILDERS, *BOUNDS, *ONE_OF, *EMPTY, *HIDDEN_ROWS):
        assert name in known
    for name, rows in BOUNDS.items():
        for parameter, (_, field) in rows.items():
            assert parameter in known[name].parameters
            assert all(part.startswith("_") or part in known[name].fields for part in field.split("/"))
    for place in (*TRUE_ONLY, *(place for place in FIELD_NAMES if "/" in place)):
        name, _, parameter = place.rpartition("/")
        assert parameter in known[name].parameters
    for name, rows in (*HIDDEN_ROWS.items(), *EMPTY.items()):
        assert all(row[0] in known[name].parameters for row in rows)
    fields = {field for row in known.values() for field in row.fields}
    assert set(REFERENCES) <= fields


def test_tables_are_generated_from_descriptions(tmp_path: Any) -> None:
    text, whole = {"type": "string"}, {"type": "integer"}
    first = document("2026-04-01", {"id": whole, "desk_ids": {"type": "array", "items": whole}, "old": text})
    kind = {"name": "kind", "schema": {"type": "string", "enum": ["tall", "low"]}}
    last = document(
        "2026-07-01",
        {"id": text, "desk_ids": {"type": "array", "items": text}, "made_on": text, "tall": {"type": "boolean"}},
        kind,
    )
    hint = {
        "resource": "rooms/desks",
        "required_params": [{"name": "kind", "really_required": "yes"}, {"name": "x", "really_required": "no"}],
        "oauth_scope_documented": "rooms",
        "fields_detail": {"tall": {"type_unreliable": True, "enum": ["a"], "description": "not kept"}},
    }
    write(describe([first, last], [hint]), tmp_path)
    table = json.loads((tmp_path / "rooms.json").read_text())["rooms/desks"]
    assert table == {
        "single": True,
        "scope": "rooms",
        "needs": ["kind"],
        "parameters": {"kind": {"type": "choice", "of": ["tall", "low"], "since": "2026-07-01"}},
        "fields": {
            "id": {"type": "id"},
            "desk_ids": {"type": "ids"},
            "made_on": {"type": "text", "form": "day", "since": "2026-07-01"},
            "tall": {"type": "boolean", "unreliable": True, "of": ["a"], "since": "2026-07-01"},
            "old": {"type": "text", "until": "2026-07-01"},
        },
    }
