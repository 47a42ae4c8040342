"""The tables of resources and fields, and the program that generates them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from hr_sandbox.company import build_company
from hr_sandbox.factorial.describe import describe_resources, write_tables
from hr_sandbox.factorial.fake_values import REFERENCES, SIZES
from hr_sandbox.factorial.filters import (
    BOUNDS,
    EMPTY,
    FIELD_NAMES,
    HIDDEN_ROWS,
    ONE_OF,
    TRUE_ONLY,
    list_candidates,
    make_date_predicates,
    make_parameter_predicates,
)
from hr_sandbox.factorial.query import Query
from hr_sandbox.factorial.rows import BUILDERS
from hr_sandbox.factorial.store import Store
from hr_sandbox.factorial.tables import LIVE, NEWEST, load_newest, load_resources, to_api_id

PATH = "/api/{}/resources/rooms/desks"


def make_document(version: str, fields: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
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


def test_each_version_has_its_number_of_resources() -> None:
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
    first = make_document("2026-04-01", {"id": whole, "desk_ids": {"type": "array", "items": whole}, "old": text})
    kind = {"name": "kind", "schema": {"type": "string", "enum": ["tall", "low"]}}
    last = make_document(
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
    write_tables(describe_resources([first, last], [hint]), tmp_path)
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


def test_index_finds_what_reading_all_rows_finds_also_after_an_edit() -> None:
    store = Store(build_company(20, 7, date(2026, 3, 2)))
    resource = load_newest()["attendance/shifts"]
    row = store.list_rows(resource.name)[-1]
    day, person = row["date"], str(to_api_id(row["employee_id"]))
    window = (("start_on", f"{day - timedelta(9)}"), ("end_on", f"{day}"))
    for pairs in (window, (("employee_ids[]", person),), (*window, ("employee_ids[]", person))):
        query = Query(resource, NEWEST, pairs)
        tests = [*make_parameter_predicates(query), *make_date_predicates(query)]

        def select(rows: Any, tests: Any = tests) -> list[Any]:
            return [row for row in rows if all(test(row) for test in tests)]

        before = list_candidates(store, resource.name, tests)
        assert 0 < len(before) < len(store.list_rows(resource.name))
        assert select(before) == select(store.list_rows(resource.name))
        store.edit_row(resource, row["id"], {"date": day - timedelta(1)})
        after = select(list_candidates(store, resource.name, tests))
        assert after == select(store.list_rows(resource.name))
        assert [shift["date"] for shift in after if shift["id"] == row["id"]] == [day - timedelta(1)]
        store.edit_row(resource, row["id"], {"date": day})
