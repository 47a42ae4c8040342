"""Descriptions become comments, and what the target records of its tables is in `_tables`."""

from __future__ import annotations

import json
from typing import Any

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}


def _make_schema(description: str | None = "One row per person.", **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"properties": {"id": INTEGER | {"description": "The ID."}, **properties}}
    if description:
        schema["description"] = description  # type: ignore[assignment]
    return {"type": "SCHEMA", "stream": "s", "schema": schema, "key_properties": ["id"]}


def _read_comments(duck: Any, table: str = "s") -> dict[str | None, str]:
    tables = f"SELECT NULL, comment FROM duckdb_tables() WHERE table_name = '{table}'"
    columns = f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{table}'"
    return {name: text for name, text in duck.query(f"{tables} UNION ALL {columns}") if text}


def test_descriptions_become_comments_and_stay_current(duck: Any, record: Any) -> None:
    duck.load(_make_schema(name=STRING | {"description": "It's a name."}), record("s", {"id": 1}))
    assert _read_comments(duck) == {None: "One row per person.", "id": "The ID.", "name": "It's a name."}
    duck.load(
        _make_schema(None, name=STRING | {"description": "Another."}, Name=INTEGER | {"description": "A number."})
    )
    assert _read_comments(duck) == {"id": "The ID.", "name": "Another.", "Name_2": "A number."}
    duck.load(_make_schema("New.", Name=INTEGER))  # a property that is no longer sent keeps its comment
    assert _read_comments(duck) == {None: "New.", "id": "The ID.", "name": "Another."}


def test_comments_of_the_user_are_kept(duck: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT, name VARCHAR); COMMENT ON COLUMN s.name IS 'mine'")
    described = _make_schema(name=STRING | {"description": "A name."}, born=STRING | {"description": "A day."})
    duck.load(described)
    assert _read_comments(duck) == {None: "One row per person.", "id": "The ID.", "name": "mine", "born": "A day."}
    duck.query("COMMENT ON TABLE s IS 'mine'; COMMENT ON COLUMN s.born IS NULL; COMMENT ON COLUMN s.name IS NULL")
    for _ in range(2):
        duck.load(_make_schema("Changed.", name=STRING | {"description": "x"}, born=STRING | {"description": "y"}))
    assert _read_comments(duck) == {None: "mine", "id": "The ID.", "name": "x"}


def test_flattened_and_metadata_columns_have_comments(duck: Any) -> None:
    address = {"type": "object", "properties": {"city": STRING | {"description": "The city."}}}
    duck.load(_make_schema(None, address=address), data_flattening_max_level=1, add_metadata_columns=True)
    found = _read_comments(duck)
    assert found["address__city"] == "The city."
    assert found["_sdc_received_at"] == "When the loader received the record."


def test_overwritten_table_keeps_its_comments(duck: Any, record: Any) -> None:
    for version in (1, 2):
        activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}
        duck.load(_make_schema(), record("s", {"id": 1}, version=version), activate, load_method="overwrite")
        if version == 1:
            duck.query("COMMENT ON COLUMN s._sdc_table_version IS 'mine'")
    assert _read_comments(duck)[None] == "One row per person."
    assert _read_comments(duck)["_sdc_table_version"] == "mine"
    assert duck.query("SELECT table_name, version FROM _tables") == [("s", 2)]


def test_wide_tables_have_a_comment_but_their_columns_have_none(duck: Any) -> None:
    duck.load(_make_schema(**{f"c{number}": STRING | {"description": "x"} for number in range(500)}))
    assert _read_comments(duck) == {None: "One row per person."}


def test_descriptions_of_any_text_become_comments(duck: Any) -> None:
    texts = ["\ud800 é", "a\0b", " \n", 5, {}]
    duck.load(_make_schema(None, **{f"c{number}": STRING | {"description": text} for number, text in enumerate(texts)}))
    assert _read_comments(duck) == {"id": "The ID.", "c0": "\\ud800 é", "c1": "a b"}


def test_own_tables_are_described(duck: Any, record: Any) -> None:
    duck.load(_make_schema(), record("s", {}), {"type": "STATE", "value": {}})
    undescribed = (
        "SELECT table_name, column_name FROM duckdb_columns() WHERE starts_with(table_name, '_') AND comment IS NULL"
        " UNION ALL SELECT table_name, NULL FROM duckdb_tables() WHERE comment IS NULL"
    )
    assert duck.query("SELECT count(*) >= 3 FROM duckdb_tables() WHERE starts_with(table_name, '_')") == [(True,)]
    assert duck.query(undescribed) == []


def test_notes_in_comments_of_earlier_versions_are_taken_over(duck: Any, record: Any) -> None:
    notes = {
        "s_2": {
            "singer_stream": "s",
            "key_properties": ["id"],
            "columns": {"Name": "Name_7"},
            "apart": ["address"],
            "former_types": {"id": ["DECIMAL(38,2)"]},
        },
        "other": {"singer_stream": "o", "key_properties": [], "version": 3},
        "other__next": {"singer_aside": "o", "key_properties": [], "version": 4},
    }
    duck.query("CREATE TABLE s_2 (id VARCHAR, name VARCHAR, Name_7 VARCHAR); CREATE TABLE other (v BIGINT)")
    duck.query("INSERT INTO s_2 VALUES ('1.5', 'a', 'b'); CREATE TABLE other__next (v BIGINT)")
    for table, note in notes.items():
        duck.query(f"COMMENT ON TABLE {table} IS '{json.dumps(note)}'")
    message = _make_schema(name=STRING, Name=STRING)
    message["schema"]["properties"]["id"] = STRING
    for _ in range(2):
        duck.load(message, record("s", {"id": "1.50", "name": "c", "Name": "d"}))
        assert duck.query("FROM s_2") == [("1.5", "c", "d")]
        assert _read_comments(duck, "s_2") == {None: "One row per person."}
        assert _read_comments(duck, "other") == {}
        columns = "table_name, stream, is_staging, key_properties, version, flattened"
        assert duck.query(f"SELECT {columns} FROM _tables ORDER BY table_name") == [
            ("other", "o", False, [], 3, []),
            ("other__next", "o", True, [], 4, []),
            ("s_2", "s", False, ["id"], None, ["address"]),
        ]


def test_renamed_table_is_no_longer_that_of_the_stream(duck: Any, record: Any) -> None:
    duck.load(_make_schema(), record("s", {"id": 1}))
    duck.query("ALTER TABLE s RENAME TO old")
    changed = _make_schema() | {"key_properties": []}
    duck.load(changed, record("s", {"id": 2}))
    assert duck.query("SELECT id FROM old UNION ALL SELECT id FROM s") == [(1,), (2,)]
    assert duck.query("SELECT table_name, key_properties FROM _tables") == [("s", [])]


def test_tables_of_the_user_with_the_name_of_an_own_one(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE _tables (stream VARCHAR)")
    for _ in range(2):
        duck.load(schema("_tables_2", {"v": STRING}, ["v"]), record("_tables_2", {"v": "x"}))
    assert duck.query("FROM _tables") == []
    assert duck.query("FROM _tables_2") == [("x",)]
    assert duck.query("SELECT stream FROM _tables_3") == [("_tables_2",)]
