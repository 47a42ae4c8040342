"""The whole way: `meltano run tap-factorial target-duckdb` from the sandbox into a DuckDB file, all 169 lists.

One story in the order of the tests: a first run, a run without changes, changes, a full refresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tap_factorial.testing import KEYS, by_key, differs, key_of

if TYPE_CHECKING:
    from conftest import Project

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def vendor() -> str:
    return "factorial"


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """What one test saw and a later one needs."""
    return {}


def changed(before: Tables, after: Tables) -> set[str]:
    """Streams whose rows are not the same."""
    return {stream for stream, rows in after.items() if rows != before[stream]}


def queries(project: Project, name: str) -> list[dict[str, Any]]:
    return [one["query"] for one in project.sandbox.requests() if one["path"].endswith(f"/resources/{name}")]


def test_a_first_run_loads_every_row_and_value_of_every_list(project: Project, story: dict[str, Any]) -> None:
    result = project.run()
    assert result.returncode == 0, result.stdout
    expected = project.expected()
    assert set(expected) == set(KEYS)
    tables = project.tables()
    assert {stream: len(rows) for stream, rows in tables.items()} == expected
    for stream, rows in tables.items():
        sent = by_key(stream, project.sandbox.records("factorial", stream))
        for row in rows:
            assert differs(sent[key_of(stream, row)], row) == set(), stream
    story["first"] = tables
    assert "sandbox-api-key" not in result.stdout
    assert "Traceback" not in result.stdout
