"""Meltano's commands and settings with tap-personio: a selection, the extractor's commands, invalid input.

The first test loads one stream; those with invalid input show that its table stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

STATE_ID = "sandbox:tap-personio-to-target-duckdb"
ONE_STREAM = {"TAP_PERSONIO__SELECT": '["org_units.*"]'}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Results that later tests need."""
    return {}


def stored_state(project: Project) -> str:
    """Returns the state of the tap in Meltano."""
    return project.meltano("state", "get", STATE_ID).stdout.splitlines()[-1]


def test_only_the_selected_stream_is_read(project: Project, results: dict[str, Any]) -> None:
    result = project.run(**ONE_STREAM)
    assert result.returncode == 0, result.stdout
    paths = [request["path"] for request in project.sandbox.requests()]
    assert not any(path.endswith("/v2/persons") for path in paths)
    assert any(path.endswith("/v2/org-units") for path in paths)
    results["rows"] = project.rows("org_units")
    assert len(results["rows"]) == project.expected()["org_units"]


def test_the_extractor_commands_work(project: Project) -> None:
    about = project.meltano("invoke", "tap-personio:about")
    assert "client_secret" in about.stdout
    discover = project.meltano("invoke", "tap-personio:discover")
    assert '"tap_stream_id":"persons"' in discover.stdout.replace(" ", "")
    test = project.meltano("invoke", "tap-personio:test")
    assert (about.returncode, discover.returncode, test.returncode) == (0, 0, 0), test.stdout


def test_the_reports_are_commands(project: Project) -> None:
    doctor = project.meltano("invoke", "tap-personio:doctor", "--format", "json", **ONE_STREAM)
    assert doctor.returncode == 0, doctor.stdout
    assert '"is_usable": true' in doctor.stdout
    plan = project.meltano("invoke", "tap-personio:plan", **ONE_STREAM)
    assert plan.returncode == 0, plan.stdout
    assert "Full run" in plan.stdout
    assert "org_units" in plan.stdout


def test_dossier_is_a_command_and_knows_the_selection(project: Project) -> None:
    everything = project.meltano("invoke", "tap-personio:dossier", "--offline")
    assert everything.returncode == 0, everything.stdout
    page = (project.folder / "output" / "tap-personio-dossier.html").read_text()
    assert '<section id="table-persons">' in page
    contract = yaml.safe_load((project.folder / "output" / "tap-personio-dossier.yaml").read_text())
    assert len(contract["schema"]) > 30
    # Without the name of a command, Meltano passes the selection.
    selected = project.meltano("invoke", "tap-personio", "--dossier", "output/agreed.yaml", **ONE_STREAM)
    assert selected.returncode == 0, selected.stdout
    contract = yaml.safe_load((project.folder / "output" / "agreed.yaml").read_text())
    assert [table["name"] for table in contract["schema"]] == ["org_units"]


def test_run_that_would_load_more_than_agreed_fails(project: Project, results: dict[str, Any]) -> None:
    agreed = {"TAP_PERSONIO_PRIVACY_AGREEMENT": "output/agreed.yaml"}
    result = project.run(**agreed, TAP_PERSONIO__SELECT='["org_units.*", "workplaces.id"]')
    assert result.returncode == 1
    assert "This run would load more than the dossier in `privacy_agreement` says: workplaces.id" in result.stdout
    assert project.run(**agreed, **ONE_STREAM).returncode == 0
    assert project.rows("org_units") == results["rows"]


def test_single_records_are_read_again(project: Project, results: dict[str, Any]) -> None:
    state = stored_state(project)
    (row, *_) = project.sandbox.records("personio", "workplaces")
    result = project.run(
        TAP_PERSONIO__SELECT='["org_units.*", "workplaces.*", "!workplaces.name"]',
        TAP_PERSONIO_ONLY=f"workplaces={row['id']}",
    )
    assert result.returncode == 0, result.stdout
    (loaded,) = project.rows("workplaces")
    assert loaded["id"] == row["id"]
    assert row["name"]
    assert "name" not in loaded
    assert project.rows("org_units") == results["rows"]
    assert stored_state(project) == state
    assert "bookmarks" in state


# Other invalid settings are covered by the tap's own tests; each one takes a run here.
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({**ONE_STREAM, "TAP_PERSONIO_CLIENT_SECRET": "wr0ng"}, "Check `client_id` and `client_secret`."),
        ({"TAP_PERSONIO__SELECT": '["!*.*"]'}, "No stream is selected"),
        (
            {**ONE_STREAM, "TARGET_DUCKDB_PATH": "/proc/nowhere/x.duckdb", "MELTANO_CLI_LOG_LEVEL": "warning"},
            "check the setting `path`",
        ),
    ],
)
def test_invalid_input_is_reported_and_changes_nothing(
    project: Project, results: dict[str, Any], environment: dict[str, str], message: str
) -> None:
    result = project.run(**environment)
    assert result.returncode == 1
    assert any("[error" in line and message in line for line in result.stdout.splitlines()), result.stdout
    assert "Traceback" not in result.stdout
    assert "wr0ng" not in result.stdout
    assert project.rows("org_units") == results["rows"]
