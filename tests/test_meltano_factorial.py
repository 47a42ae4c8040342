"""End-to-end tests of `meltano run tap-factorial target-duckdb` with every stream against the sandbox.

The tests depend on each other in this order: a first run, a run with changes, a full refresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from singer_rest.testing import differing_fields
from tap_factorial.testing import KEYS, index_by_key, key_of

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def vendor() -> str:
    return "factorial"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Results that later tests need."""
    return {}


def changed_streams(before: Tables, after: Tables) -> set[str]:
    """Returns the streams with different rows."""
    return {stream for stream, rows in after.items() if rows != before[stream]}


def queries_of(project: Project, name: str) -> list[dict[str, Any]]:
    return [one["query"] for one in project.sandbox.requests() if one["path"].endswith(f"/resources/{name}")]


def test_a_first_run_loads_every_row_and_value_of_every_stream(project: Project, results: dict[str, Any]) -> None:
    result = project.run()
    assert result.returncode == 0, result.stdout
    expected = project.expected()
    assert set(expected) == set(KEYS)
    tables = project.tables()
    assert {stream: len(rows) for stream, rows in tables.items()} == expected
    for stream, rows in tables.items():
        sent = index_by_key(stream, project.sandbox.records("factorial", stream))
        for row in rows:
            assert differing_fields(sent[key_of(stream, row)], row) == set(), stream
    results["first"] = tables
    assert "sandbox-api-key" not in result.stdout
    assert "Traceback" not in result.stdout


def test_a_second_run_loads_changes_and_nothing_else(project: Project, results: dict[str, Any]) -> None:
    control = project.sandbox.control
    account, team = (results["first"][stream][0]["id"] for stream in ("finance_accounts", "teams_teams"))
    shift = results["first"]["attendance_shifts"][0]["id"]
    control("factorial/edit", stream="finance_accounts", id=account, field="name", value='O\'Brien "Ünï" 𝒳')
    control("factorial/edit", stream="attendance_shifts", id=shift, field="observations", value="late")
    control("factorial/delete", stream="posts_comments", id=results["first"]["posts_comments"][0]["id"])
    control("factorial/edit", stream="teams_teams", id=team, field="description", value="")
    project.sandbox.control(
        "factorial/delete", stream="finance_accounts", id=results["first"]["finance_accounts"][1]["id"]
    )
    project.sandbox.clear_requests()
    result = project.run()
    assert result.returncode == 0, result.stdout
    shifts = queries_of(project, "attendance/shifts")  # yesterday and today, and another day after midnight
    assert {frozenset(query) for query in shifts} == {frozenset({"limit", "updated_at"})}
    assert len(shifts) <= 3
    assert "updated_from" in queries_of(project, "finance/accounts")[0]
    after = project.tables()
    assert changed_streams(results["first"], after) == {
        "finance_accounts",
        "attendance_shifts",
        "posts_comments",
        "teams_teams",
    }
    assert [row["name"] for row in after["finance_accounts"] if row["id"] == account] == ['O\'Brien "Ünï" 𝒳']
    assert len(project.rows("posts_comments", deleted=True)) == 1
    # An incremental run does not find deletions.
    assert len(after["finance_accounts"]) == project.expected()["finance_accounts"] + 1


def test_a_full_refresh_finds_a_deletion_of_an_incremental_stream(project: Project, results: dict[str, Any]) -> None:
    account = results["first"]["finance_accounts"][1]["id"]
    # `test_meltano.py` refreshes every stream.
    result = project.run("--full-refresh", TAP_FACTORIAL__SELECT='["finance_accounts.*", "teams_*.*"]')
    assert result.returncode == 0, result.stdout
    assert [row["id"] for row in project.rows("finance_accounts", deleted=True)] == [account]
    assert {stream: len(rows) for stream, rows in project.tables().items()} == project.expected()


def test_tables_have_typed_columns(project: Project) -> None:
    with duckdb.connect(project.database, read_only=True) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'tap_factorial'"
        ).fetchall()
    types = {(table, column): kind for table, column, kind in found}
    assert {kind for (_, column), kind in types.items() if column == "id"} == {"VARCHAR"}
    assert types["employees_employees", "updated_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["employees_employees", "birthday_on"] == "DATE"
    assert types["attendance_shifts", "minutes"] == "BIGINT"
    assert types["shift_management_shifts", "local_start_at"] == "VARCHAR"
    assert types["timeoff_leaves", "duration_attributes"] == "JSON"


def test_a_login_persists_between_runs(project: Project) -> None:
    tokens = project.sandbox.control("factorial/login")
    settings = {
        "TAP_FACTORIAL_API_KEY": "",
        "TAP_FACTORIAL_CLIENT_ID": "sandbox-client",
        "TAP_FACTORIAL_CLIENT_SECRET": "sandbox-secret",
        "TAP_FACTORIAL_REFRESH_TOKEN": tokens["refresh_token"],
        "TAP_FACTORIAL__SELECT": '["teams_*.*"]',
    }
    for command in (("run", "tap-factorial", "target-duckdb"), ("invoke", "tap-factorial:test")):
        result = project.meltano(*command, **settings)
        assert result.returncode == 0, result.stdout
        assert tokens["refresh_token"] not in result.stdout
        project.sandbox.control("factorial/clock", seconds=3 * 3600)
    file = project.folder / ".secrets" / "tap-factorial.json"
    assert file.stat().st_mode & 0o777 == 0o600
    project.sandbox.control("factorial/clock", seconds=8 * 86_400)
    result = project.run(**settings)
    assert result.returncode == 1
    assert "Log in again with `tap-factorial login`" in result.stdout
    assert "Traceback" not in result.stdout
