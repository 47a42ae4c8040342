"""End-to-end tests of `meltano run tap-personio target-duckdb` against the sandbox.

The tests depend on each other in this order: a first run, a run without changes, a run with changes, a full refresh.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tap_personio.testing import KEYS, by_key, differs, key_of

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """Results of a test that later ones need."""
    return {}


def requests_of(project: Project, path: str) -> list[dict[str, Any]]:
    return [request["query"] for request in project.sandbox.requests() if request["path"].endswith(path)]


def differing(before: Tables, after: Tables) -> dict[str, set[str]]:
    """Ids of the rows that differ, without webhook streams, whose rows change with every run."""
    changed = {}
    for stream, rows in after.items():
        serialized = [
            {json.dumps(row, sort_keys=True, default=str) for row in table} for table in (before[stream], rows)
        ]
        ids = {json.loads(row).get("id", row) for row in serialized[0] ^ serialized[1]}
        if ids and stream not in {"webhook_events", "webhook_activity"}:
            changed[stream] = ids
    return changed


def test_a_first_run_loads_every_row_and_value(project: Project, story: dict[str, Any]) -> None:
    result = project.run()
    assert result.returncode == 0, result.stdout
    expected = project.expected()
    tables = project.tables()
    assert {stream: len(rows) for stream, rows in tables.items()} == expected
    for stream, rows in tables.items():
        sent = by_key(stream, project.sandbox.records("personio", stream))
        for row in rows:
            assert differs(stream, sent[key_of(stream, row)], row) == set(), stream
    story["first"] = tables
    assert "sandbox-secret" not in result.stdout


def test_a_second_run_is_incremental_and_changes_nothing(project: Project, story: dict[str, Any]) -> None:
    project.sandbox.clear_requests()
    result = project.run()
    assert result.returncode == 0, result.stdout
    employments = requests_of(project, "/employments")
    assert len(employments) >= len(story["first"]["persons"])
    assert all("updated_at.gt" in query for query in employments)
    assert any("updated_at.gt" in query for query in requests_of(project, "/v2/persons"))
    assert all(
        "updated_at.gte" in query for query in requests_of(project, "/v2/absence-periods") if "cursor" not in query
    )
    months = {query.get("start_date") for query in requests_of(project, "/v2/compensations")}
    assert len(months - {None}) == 4
    assert differing(story["first"], project.tables()) == {}


def test_the_next_run_loads_a_change_and_a_hire_and_nothing_else(project: Project, story: dict[str, Any]) -> None:
    control = project.sandbox.control
    person = story["first"]["persons"][0]["id"]
    employment = story["first"]["employments"][0]["id"]
    control("edit", kind="person", id=person, field="last_name", value='O\'Brien "Ünï" 𝒳')
    control("edit", kind="employment", id=employment, field="title", value="Astronaut")
    hired = {change["id"] for change in control("hire")["changed"]}
    result = project.run()
    assert result.returncode == 0, result.stdout
    after = project.tables()
    changed = differing(story["first"], after)
    assert person in changed["persons"]
    assert changed["persons"] - {person} <= hired
    assert changed["employments"] - {employment} <= hired
    assert [row["last_name"] for row in after["persons"] if row["id"] == person] == ['O\'Brien "Ünï" 𝒳']
    assert {stream: len(rows) for stream, rows in after.items()} == project.expected()
    story["changed"] = after


def test_a_full_refresh_marks_only_the_deleted_row(project: Project, story: dict[str, Any]) -> None:
    period = story["changed"]["absence_periods"][0]
    absence = period["id"]
    project.sandbox.control("delete", kind="absence_period", id=absence)
    assert project.run().returncode == 0
    full_table_streams = {"absence_balances", "report_rows", "custom_report_rows"}
    assert differing(story["changed"], project.tables()).keys() <= full_table_streams
    result = project.run("--full-refresh")
    assert result.returncode == 0, result.stdout
    after = project.tables()
    changed = differing(story["changed"], after)
    assert changed["absence_periods"] == {absence}
    # Related rows of the absence change with it, and the vacation balance of its person.
    assert {str(employee) for employee in changed.pop("employees", ())} <= {period["person"]["id"]}
    assert changed.keys() <= {
        "absence_periods",
        "absence_period_breakdowns",
        "time_offs",
        "absence_periods_v1",
        *full_table_streams,
    }
    assert absence not in {row["id"] for row in after["absence_periods"]}
    assert {stream: len(rows) for stream, rows in after.items()} == project.expected()
    assert [row["id"] for row in project.rows("absence_periods", deleted=True)] == [absence]


def test_a_run_after_a_full_refresh_is_incremental_and_a_failed_stream_keeps_its_bookmark(
    project: Project,
) -> None:
    state = json.loads(project.meltano("state", "get", "sandbox:tap-personio-to-target-duckdb").stdout.splitlines()[-1])
    path = "/personio/v2/absence-periods"
    project.sandbox.control("fault", path=path, kind="status", status=422, times=None)
    project.sandbox.clear_requests()
    try:
        result = project.run()
    finally:
        project.sandbox.control("fault", method="DELETE")
    assert result.returncode == 1
    failed = f"2 of {len(KEYS)} streams failed: absence_periods, absence_period_breakdowns."
    assert failed in result.stdout
    assert "Traceback" not in result.stdout
    employments = requests_of(project, "/employments")
    assert employments
    assert all("updated_at.gt" in query for query in employments)
    later = json.loads(project.meltano("state", "get", "sandbox:tap-personio-to-target-duckdb").stdout.splitlines()[-1])
    bookmarks = [one["singer_state"]["bookmarks"] for one in (state, later)]
    assert bookmarks[0]["absence_periods"] == bookmarks[1]["absence_periods"]


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


def test_the_extractor_commands_work(project: Project) -> None:
    about = project.meltano("invoke", "tap-personio:about")
    assert "client_secret" in about.stdout
    discover = project.meltano("invoke", "tap-personio:discover")
    assert '"tap_stream_id":"persons"' in discover.stdout.replace(" ", "")
    test = project.meltano("invoke", "tap-personio:test")
    assert (about.returncode, discover.returncode, test.returncode) == (0, 0, 0), test.stdout


def test_selecting_streams(project: Project) -> None:
    project.sandbox.clear_requests()
    result = project.run(TAP_PERSONIO__SELECT='["org_units.*"]')
    assert result.returncode == 0, result.stdout
    assert requests_of(project, "/v2/persons") == []
    assert requests_of(project, "/v2/org-units")


@pytest.fixture(scope="module")
def unchanged(project: Project) -> Tables:
    """The tables before the runs with invalid input."""
    return project.tables()


# Other invalid settings are covered by the tap's own tests; each one takes a whole run here.
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TAP_PERSONIO_CLIENT_SECRET": "wr0ng"}, "Check `client_id` and `client_secret`."),
        ({"TAP_PERSONIO__SELECT": '["!*.*"]'}, "No stream is selected"),
        ({"TARGET_DUCKDB_PATH": "/proc/nowhere/x.duckdb"}, "check the setting `path`"),
    ],
)
def test_invalid_input_is_reported_and_changes_nothing(
    project: Project, unchanged: Tables, environment: dict[str, str], message: str
) -> None:
    result = project.run(**environment)
    assert result.returncode == 1
    assert message in result.stdout
    assert "Traceback" not in result.stdout
    assert "wr0ng" not in result.stdout
    assert project.tables() == unchanged


def test_a_failed_full_refresh_is_repeated_by_the_next_run(project: Project) -> None:
    absence = project.rows("absence_periods")[0]["id"]
    project.sandbox.control("delete", kind="absence_period", id=absence)
    project.sandbox.control("fault", path="/personio/v2/absence-periods", status=418, times=None)
    failed = project.run("--full-refresh")
    assert failed.returncode == 1
    assert "absence_periods" in failed.stdout
    project.sandbox.control("fault", method="DELETE")
    result = project.run()
    assert result.returncode == 0, result.stdout
    assert absence in {row["id"] for row in project.rows("absence_periods", deleted=True)}
    assert {stream: len(rows) for stream, rows in project.tables().items()} == project.expected()
