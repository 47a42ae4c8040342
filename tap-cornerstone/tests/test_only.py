"""Single records read again with `only`, against the sandbox."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

VIEWS = {"views": ["vw_rpt_user", "vw_rpt_transcript"]}
OPTIONAL = {**VIEWS, "optional_streams": ["employee_groups", "training_details"]}


def requested_paths(sandbox: Sandbox) -> list[str]:
    ended = [request["path"] for request in sandbox.requests()]
    return [path for path in ended if not path.endswith(("metadata", "token"))]


def test_rows_of_a_view_are_selected_by_their_key(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rows = sandbox.records("cornerstone", "vw_rpt_user")[:30]
    state = run(url, "vw_rpt_user", **VIEWS).state
    before = str(state)
    sandbox.clear_requests()
    only = f"vw_rpt_user={','.join(str(row['user_id']) for row in rows)},-87654321"
    output = run(url, "vw_rpt_user", state=state, only=only, **VIEWS)
    found = {record["user_id"]: record for record in output.records("vw_rpt_user")}
    assert found.keys() == {row["user_id"] for row in rows}
    assert str(state) == before
    assert {message["type"] for message in output.messages} == {"SCHEMA", "RECORD"}
    assert {message["version"] for message in output.messages_of("RECORD")} == {
        state["bookmarks"]["vw_rpt_user"]["version"]
    }
    assert len(requested_paths(sandbox)) == -(-(len(rows) + 1) // 25) + 2  # the id that is not found, twice more
    assert all("$filter" in request["query"] for request in sandbox.requests() if "vw_rpt_user" in request["path"])
    log = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tap-"))
    assert f"vw_rpt_user: 1 of {len(rows) + 1} ids given with `only` were not found" in log
    assert "87654321" not in log


def test_an_object_that_tracks_its_changes_is_read_without_its_delta_link(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    state = run(url, "users_core", objects=["users_core"]).state
    (given, *_) = sandbox.records("cornerstone", "users_core")
    sandbox.clear_requests()
    output = run(url, "users_core", objects=["users_core"], state=state, only=f"users_core={given['user_id']}")
    assert [record["user_id"] for record in output.records("users_core")] == [given["user_id"]]
    assert len(requested_paths(sandbox)) == 1


def test_employees_and_what_belongs_to_them(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    groups = sandbox.records("cornerstone", "employee_groups")
    ids = sorted({str(row["_employee_id"]) for row in groups})[:2]
    output = run(url, "employees", "employee_groups", only=f"employees={','.join(ids)}", **OPTIONAL)
    assert {str(record["id"]) for record in output.records("employees")} == {*ids}
    assert {str(record["employee_id"]) for record in output.records("employee_groups")} == {*ids}
    root = "/cornerstone/services/api/x/users/v2/employees"
    assert sorted(requested_paths(sandbox)) == sorted([root, *(f"{root}/{number}/groups" for number in ids)])


def test_trainings_are_requested_one_by_one(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    (given, *_) = (str(row["ObjectId"]) for row in sandbox.records("cornerstone", "training_details"))
    missing = "00000000-0000-4000-8000-000000000000"
    output = run(url, "training_details", only=f"training_details={given},{missing}", **OPTIONAL)
    assert [record["ObjectId"] for record in output.records("training_details")] == [given]
    assert "training_details: 1 of 2 ids given with `only` were not found" in caplog.text


def test_units_are_requested_one_by_one_and_marked_if_deleted(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    rows = {str(row["id"]): row for row in sandbox.records("cornerstone", "organizational_units")}
    given = next(iter(rows))
    confirm = "organizational_units=987654321 employees=987654321 ou_types=987654321 vw_rpt_user=-87654321"
    streams = ("organizational_units", "employees", "ou_types", "vw_rpt_user")
    output = run(url, *streams, only=f"organizational_units={given}", confirm_deleted=confirm, **OPTIONAL)
    assert str(output.records("organizational_units")[0]["id"]) == given
    for stream in streams:
        mark = output.records(stream)[-1]
        assert len(mark) == 2, stream
        assert mark["_sdc_deleted_at"]
    schema = output.messages_of("SCHEMA", "vw_rpt_user")[0]["schema"]["properties"]
    assert "_sdc_deleted_at" in schema


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ("vw_rpt_transcript=1", "vw_rpt_transcript cannot be read by id"),
        ("transcripts=1", "transcripts cannot be read by id. Run without `only`"),
        ("employee_groups=1", "employee_groups cannot be read by id. Give the ids of employees"),
        ("vw_rpt_user=Ada", "vw_rpt_user has no record with such an id: user_id is of type Edm.Int32"),
    ],
)
def test_streams_that_cannot_be_read_by_id_are_reported(
    run: Callable[..., Any], url: str, only: str, sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence):
        run(url, only=only, **OPTIONAL)
