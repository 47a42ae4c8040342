"""Statements of the README on settings and on the migration from the published loader."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_duckdb import types
from target_duckdb.settings import SETTINGS

if TYPE_CHECKING:
    import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
PROPERTIES = {
    "id": {"type": "integer"},
    "firstName": {"type": ["null", "string"]},
    "seen": {"type": ["null", "string"], "format": "date-time"},
    "born": {"type": ["null", "string"], "format": "date"},
    "level": {"type": ["null", "integer"], "maximum": 32767},
}
ROW = {"id": 2, "firstName": "", "seen": "2024-01-01T10:00:00+02:00", "born": "2000-02-29", "level": 7}
#: A table as the published loader makes it.
OLD = """
    CREATE TABLE s (born VARCHAR, firstname VARCHAR, id HUGEINT PRIMARY KEY, level SMALLINT, seen TIMESTAMP);
    INSERT INTO s VALUES ('1999-12-31', 'a', 1, 3, '2024-01-01 10:00:00');
"""


def test_table_of_the_published_loader_is_continued(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    duck.query(OLD)
    for _ in range(2):
        duck.load(schema("s", PROPERTIES, ["id"]), record("s", ROW))
    assert duck.types("s") == {
        "born": "VARCHAR", "firstname": "VARCHAR", "id": "HUGEINT", "level": "BIGINT", "seen": "VARCHAR",
    }  # fmt: skip
    assert duck.query("FROM s ORDER BY id") == [
        ("1999-12-31", "a", 1, 3, "2024-01-01 10:00:00"),
        ("2000-02-29", "", 2, 7, "2024-01-01 08:00:00+00"),
    ]
    assert caplog.text.count("to hold all values") == 2


def test_migration_steps_work_before_the_first_load(duck: Any, schema: Any, record: Any) -> None:
    duck.query(OLD)
    steps = {
        "ALTER TABLE t ALTER c TYPE TIMESTAMPTZ USING c AT TIME ZONE 'UTC'": (
            "ALTER TABLE s ALTER seen TYPE TIMESTAMPTZ USING seen AT TIME ZONE 'UTC'"
        ),
        "ALTER TABLE t ALTER c TYPE DATE": "ALTER TABLE s ALTER born TYPE DATE",
        "CREATE TABLE new AS FROM t": "CREATE TABLE new AS FROM s; DROP TABLE s; ALTER TABLE new RENAME TO s",
    }
    assert [step for step in steps if step not in README] == []
    for step in steps.values():
        duck.query(step)
    duck.load(schema("s", PROPERTIES, ["id"]), record("s", ROW))
    assert duck.query("SELECT id, born, seen FROM s ORDER BY id") == [
        (1, date(1999, 12, 31), datetime(2024, 1, 1, 10, tzinfo=UTC)),
        (2, date(2000, 2, 29), datetime(2024, 1, 1, 8, tzinfo=UTC)),
    ]
    assert duck.query("SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'") == [(0,)]


def _read_readme_table(title: str) -> list[list[str]]:
    part = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:3] == "| `"]


def test_readme_settings_table_is_current() -> None:
    properties = SETTINGS.to_dict()["properties"]
    rows = {name: row[1] for row in _read_readme_table("Settings") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(rows) == set(properties)
    for name, documented in rows.items():
        default = properties[name].get("default")
        if default is not None:
            assert documented.strip("`") == (default if isinstance(default, str) else json.dumps(default)), name


def test_readme_migration_settings_exist() -> None:
    properties = set(SETTINGS.to_dict()["properties"])
    for names, there, *_ in _read_readme_table("Coming from target-duckdb 0.8"):
        for name in re.findall(r"`(\w+)`", names):
            if there.startswith("the same"):
                assert name in properties
            elif there.startswith("not used"):
                assert name not in properties


def test_readme_names_the_types_of_its_schema_example() -> None:
    text, documented = re.search(r"```json\n(\{\"type\".*?)```\n\nThese become (.*?)\.\n", README, re.DOTALL).groups()  # type: ignore[union-attr]
    found = [types.column_type(value) for value in json.loads(text)["properties"].values()]
    assert found == re.findall(r"DECIMAL\(\d+,\d+\)|[A-Z_]+", documented)
