"""Meltano loads the events of the webhook receiver's journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.journal import Journal, make_entry

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vendor() -> str:
    return "hr-webhooks"


def receive(project: Project, *people: str) -> None:
    """Adds events to the journal that `meltano.yml` names for the sandbox."""
    journal = Journal(project.folder / "output" / "sandbox-webhooks", create=True)
    bodies = [
        {
            "company_id": "1",
            "event_name": "person.created",
            "occurred_at": "2026-03-01T08:00:00Z",
            "payload": {"person": {"id": person}},
        }
        for person in people
    ]
    journal.append([make_entry(json.dumps(body).encode(), tenant="acme", vendor="personio") for body in bodies])


def test_each_event_becomes_one_row(project: Project) -> None:
    people: list[str] = []
    for arrived in (["1", "2"], ["3"]):
        receive(project, *arrived)
        people += arrived
        result = project.run()
        assert result.returncode == 0, result.stdout
        assert [row["person_id"] for row in project.rows("personio_events")] == people
    assert project.rows("factorial_events") == []
    state = project.meltano("state", "get", "sandbox:tap-hr-webhooks-to-target-duckdb").stdout.splitlines()[-1]
    assert json.loads(state)["singer_state"]["bookmarks"]["personio_events"] == {"position": len(people)}
