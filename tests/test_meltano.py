"""End-to-end tests of `meltano run tap-personio target-duckdb` against the sandbox.

The tests depend on each other in this order: a first run, a run without changes in which a stream fails, a run with
changes, and a full refresh. A run takes seconds, so each one serves several claims.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tap_personio.testing import KEYS, differing_fields, index_by_key, key_of

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

OF_ABSENCES = ("absence_periods", "absence_period_breakdowns", "time_offs", "absence_periods_v1")

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Results that later tests need."""
    return {}


def requests_of(project: Project, path: str) -> list[dict[str, Any]]:
    return [request["query"] for request in project.sandbox.requests() if request["path"].endswith(path)]


def differing_ids(before: Tables, after: Tables) -> dict[str, set[str]]:
    """Returns the ids of the rows that differ, without webhook streams: their rows change with every run."""
    changed = {}
    for stream, rows in after.items():
        serialized = [
            {json.dumps(row, sort_keys=True, default=str) for row in table} for table in (before[stream], rows)
        ]
        ids = {json.loads(row).get("id", row) for row in serialized[0] ^ serialized[1]}
        if ids and stream not in {"webhook_events", "webhook_activity"}:
            changed[stream] = ids
    return changed


def test_a_first_run_loads_every_row_and_value(project: Project, results: dict[str, Any]) -> None:
    result = project.run()
    assert result.returncode == 0, result.stdout
    expected = project.expected()
    tables = project.tables()
    assert {stream: len(rows) for stream, rows in tables.items()} == expected
    for stream, rows in tables.items():
        sent = index_by_key(stream, project.sandbox.records("personio", stream))
        for row in rows:
            assert differing_fields(stream, sent[key_of(stream, row)], row) == set(), stream
    results["first"] = tables
    assert "sandbox-secret" not in result.stdout


def fail_absences(project: Project, status: int) -> None:
    """Makes all requests for absences fail."""
    project.sandbox.control("fault", path="/personio/v2/absence-periods", kind="status", status=status, times=None)


def stored_bookmarks(project: Project) -> dict[str, Any]:
    """Returns the bookmarks in the state that Meltano keeps."""
    output = project.meltano("state", "get", "sandbox:tap-personio-to-target-duckdb").stdout.splitlines()[-1]
    found: dict[str, Any] = json.loads(output)["singer_state"]["bookmarks"]
    return found


def test_a_second_run_is_incremental_and_changes_nothing_and_a_failed_stream_keeps_its_bookmark(
    project: Project, results: dict[str, Any]
) -> None:
    before = stored_bookmarks(project)
    fail_absences(project, 422)
    project.sandbox.clear_requests()
    result = project.run()
    assert result.returncode == 1
    assert f"2 of {len(KEYS)} streams failed: absence_periods, absence_period_breakdowns." in result.stdout
    assert "Traceback" not in result.stdout
    employments = requests_of(project, "/employments")
    assert len(employments) >= len(results["first"]["persons"])
    assert all("updated_at.gt" in query for query in employments)
    assert any("updated_at.gt" in query for query in requests_of(project, "/v2/persons"))
    absences = requests_of(project, "/v2/absence-periods")
    assert absences
    assert all("updated_at.gte" in query for query in absences)
    months = {query.get("start_date") for query in requests_of(project, "/v2/compensations")}
    assert len(months - {None}) == 4
    assert differing_ids(results["first"], project.tables()) == {}
    after = stored_bookmarks(project)
    assert after["absence_periods"] == before["absence_periods"]
    assert after["persons"]["replication_key_value"] >= before["persons"]["replication_key_value"]


def test_the_next_run_loads_a_change_and_a_hire_and_nothing_else(project: Project, results: dict[str, Any]) -> None:
    control = project.sandbox.control
    control("fault", method="DELETE")
    person = results["first"]["persons"][0]["id"]
    employment = results["first"]["employments"][0]["id"]
    results["absence"] = results["first"]["absence_periods"][0]
    control("edit", kind="person", id=person, field="last_name", value='O\'Brien "Ünï" 𝒳')
    control("edit", kind="employment", id=employment, field="title", value="Astronaut")
    hired = {change["id"] for change in control("hire")["changed"]}
    remaining = project.expected()
    control("delete", kind="absence_period", id=results["absence"]["id"])
    result = project.run()
    assert result.returncode == 0, result.stdout
    after = project.tables()
    changed = differing_ids(results["first"], after)
    assert person in changed["persons"]
    assert changed["persons"] - {person} <= hired
    assert changed["employments"] - {employment} <= hired
    assert [row["last_name"] for row in after["persons"] if row["id"] == person] == ['O\'Brien "Ünï" 𝒳']
    # An incremental run does not find deletions.
    assert results["absence"]["id"] in {row["id"] for row in after["absence_periods"]}
    assert {stream: len(rows) for stream, rows in after.items()} == {
        **project.expected(),
        **{stream: remaining[stream] for stream in OF_ABSENCES},
    }
    results["changed"] = after


def test_a_failed_full_refresh_is_repeated_by_the_next_run_and_marks_only_the_deleted_row(
    project: Project, results: dict[str, Any]
) -> None:
    fail_absences(project, 418)
    failed = project.run("--full-refresh")
    assert failed.returncode == 1
    assert "absence_periods" in failed.stdout
    refreshed = {stream: len(rows) for stream, rows in project.tables().items()}
    wrong = {stream for stream, count in project.expected().items() if refreshed[stream] != count}
    assert wrong == {"absence_periods", "absence_period_breakdowns"}
    project.sandbox.control("fault", method="DELETE")
    project.sandbox.clear_requests()
    result = project.run()
    assert result.returncode == 0, result.stdout
    employments = requests_of(project, "/employments")
    assert employments
    assert all("updated_at.gt" in query for query in employments)
    after = project.tables()
    changed = differing_ids(results["changed"], after)
    absence = results["absence"]["id"]
    assert changed["absence_periods"] == {absence}
    # Related rows of the absence change with it, and the vacation balance of its person.
    assert {str(employee) for employee in changed.pop("employees", ())} <= {results["absence"]["person"]["id"]}
    full_table_streams = {"absence_balances", "report_rows", "custom_report_rows"}
    assert changed.keys() <= {*OF_ABSENCES, *full_table_streams}
    assert {stream: len(rows) for stream, rows in after.items()} == project.expected()
    assert [row["id"] for row in project.rows("absence_periods", deleted=True)] == [absence]


def test_tables_have_typed_columns_and_the_state_is_stored(project: Project) -> None:
    with duckdb.connect(project.database, read_only=True) as connection:
        types = dict(
            connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'employments'"
            ).fetchall()
        )
        states = connection.execute("SELECT count(*) FROM test.tap_personio._singer_state").fetchall()
    assert types["updated_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["employment_start_date"] == "DATE"
    assert types["weekly_working_hours"] == "DOUBLE"
    assert types["position"] == "JSON"
    assert states == [(1,)]
