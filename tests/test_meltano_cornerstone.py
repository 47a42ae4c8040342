"""End-to-end tests of `meltano run tap-cornerstone target-duckdb` against the sandbox.

The tests depend on each other in this order: a first run, a run with changes and deletions, the state, a full refresh.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from singer_rest.testing import differing_fields
from tap_cornerstone.testing import key_of

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

KEYS = {
    "users_core": ("user_id",),
    "users_cf_core": ("user_id",),
    "ou_core": ("ou_id",),
    "user_ou_core": ("user_id", "ou_id"),
    "training_core": ("object_id",),
    "transcript_core": ("transc_user_id", "transc_object_id", "reg_num"),
}


@pytest.fixture(scope="module")
def vendor() -> str:
    return "cornerstone"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Results that later tests need."""
    return {}


def count_rows(project: Project) -> dict[str, int]:
    """Returns the number of live rows by table."""
    with duckdb.connect(project.database, read_only=True) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'tap_cornerstone' AND NOT starts_with(table_name, '_')"
        ).fetchall()
    found = {name: project.rows(name) for (name,) in names}
    # The sandbox counts the lines of complete reports, without the separate copies of warnings and errors.
    reports = found["bulk_import_reports"]
    found["bulk_import_reports"] = [row for row in reports if row["kind"] == "report"]
    return {name: len(rows) for name, rows in found.items()}


def test_a_first_run_loads_every_row_and_value(project: Project, results: dict[str, Any]) -> None:
    result = project.run()
    assert result.returncode == 0, result.stdout
    found, counts = count_rows(project), project.sandbox.counts("cornerstone")
    assert found.keys() >= KEYS.keys()
    assert found == {name: counts[name] for name in found}
    for stream, key in KEYS.items():
        rows = {key_of(key, row): row for row in project.rows(stream)}
        for body in project.sandbox.records("cornerstone", stream):
            assert differing_fields(body, rows[key_of(key, body)]) == set(), stream
    results["first"] = found
    assert "sandbox-secret" not in result.stdout
    assert "Traceback" not in result.stdout


def test_a_second_run_loads_changes_and_deletions(project: Project, results: dict[str, Any]) -> None:
    control = project.sandbox.control
    user, unit = (project.rows(stream)[0] for stream in ("users_core", "user_ou_core"))
    control("cornerstone/edit", stream="users_core", id=str(user["user_id"]), field="user_name_last", value="O'Ünï")
    control("cornerstone/delete", stream="user_ou_core", id=f"{unit['user_id']},{unit['ou_id']}")
    project.sandbox.clear_requests()
    result = project.run()
    assert result.returncode == 0, result.stdout
    queries = {one["path"].rpartition("/")[2]: one["query"] for one in project.sandbox.requests()}
    assert "$filter" in queries["users_core"]
    assert "deltatoken" in queries["user_ou_core"]
    assert "$metadata" not in queries
    names = {row["user_id"]: row["user_name_last"] for row in project.rows("users_core")}
    assert names[user["user_id"]] == "O'Ünï"
    (deleted,) = project.rows("user_ou_core", deleted=True)
    assert (deleted["user_id"], deleted["ou_id"]) == (unit["user_id"], unit["ou_id"])
    assert count_rows(project)["user_ou_core"] == results["first"]["user_ou_core"] - 1


def test_the_state_contains_delta_links_and_bookmarks(project: Project) -> None:
    output = project.meltano("state", "get", "sandbox:tap-cornerstone-to-target-duckdb").stdout.splitlines()[-1]
    bookmarks = json.loads(output)["singer_state"]["bookmarks"]
    assert "/services/api/x/dataexporter/api/objects/user_ou_core?" in bookmarks["user_ou_core"]["delta_link"]
    assert bookmarks["users_core"]["replication_key_value"]


def test_a_custom_field_becomes_a_column(project: Project) -> None:
    field = project.sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    settings = {"TAP_CORNERSTONE_METADATA_CACHE_HOURS": "0", "TAP_CORNERSTONE__SELECT": '["users_cf_core.*"]'}
    result = project.run("--full-refresh", **settings)
    assert result.returncode == 0, result.stdout
    with duckdb.connect(project.database, read_only=True) as connection:
        columns = connection.sql("FROM test.tap_cornerstone.users_cf_core").columns
    assert str(field["id"]) in "".join(columns), field


def test_tables_have_typed_columns(project: Project) -> None:
    with duckdb.connect(project.database, read_only=True) as connection:
        relation = connection.sql("FROM test.tap_cornerstone.transcript_core")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert types["_last_touched_dt_utc"] == "TIMESTAMP WITH TIME ZONE"
    assert types["transc_user_id"] == "BIGINT"
    assert types["is_latest_reg_num"] == "BOOLEAN"
