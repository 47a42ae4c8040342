"""Rows of different privacy profiles are not mixed in a table."""

from __future__ import annotations

from typing import Any

import pytest

OTHER = "another privacy profile or key"


def _schema(privacy: str | None, *names: str) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": ["null", "string"], "x-protection": "technical"} for name in names}
    schema = {"properties": {"id": {"type": "integer"}, **properties}}
    if privacy:
        schema["x-privacy"] = privacy  # type: ignore[assignment]
    return {"type": "SCHEMA", "stream": "s", "schema": schema, "key_properties": ["id"]}


@pytest.mark.parametrize("load_method", ["upsert", "append-only", "overwrite"])
@pytest.mark.parametrize(("first", "second"), [(None, "minimal-1"), ("minimal-1", None), ("minimal-1", "minimal-2")])
def test_load_with_another_profile_is_rejected(
    duck: Any, record: Any, first: str | None, second: str | None, load_method: str
) -> None:
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1}
    rows = [record("s", {"id": 1, "name": "Ada"}, version=1), activate]
    duck.load(_schema(first, "name"), *rows, load_method=load_method)
    duck.load(_schema(first, "name"), *rows, load_method=load_method)
    before = duck.query("FROM s")
    with pytest.raises(Exception, match=OTHER):
        duck.load(_schema(second), record("s", {"id": 1}, version=2), load_method=load_method)
    assert duck.query("FROM s") == before


def test_file_of_a_version_without_profiles_is_taken_over(duck: Any, record: Any) -> None:
    duck.load(_schema(None, "name"), record("s", {"id": 1, "name": "Ada"}))
    duck.query("ALTER TABLE _tables DROP COLUMN privacy")
    duck.load(_schema(None, "name"), record("s", {"id": 2, "name": "Bo"}))
    assert duck.query("SELECT count(*) FROM s") == [(2,)]
    assert duck.query("SELECT privacy FROM _tables") == [(None,)]
    assert duck.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '\\_tables%' ESCAPE '\\'") == [
        ("_tables",)
    ]
    with pytest.raises(Exception, match=OTHER):
        duck.load(_schema("minimal-1"), record("s", {"id": 3}))
