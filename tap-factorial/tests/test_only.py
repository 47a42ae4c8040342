"""Single records read again with `only`, against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from singer_rest.testing import differing_fields
from tap_factorial.table import load_table
from tap_factorial.testing import STREAMS, index_by_key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

BY_ID = [name for name, stream in STREAMS.items() if stream.by_id]


@pytest.mark.deep
def test_records_of_every_stream_that_can_be_read_by_id(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    rows = {stream: index_by_key(stream, sandbox.records("factorial", stream)) for stream in BY_ID}
    given = {stream: [row["id"] for row in bodies.values()][:2] for stream, bodies in rows.items() if bodies}
    assert {"employees_employees", "timeoff_leaves", "attendance_shifts", "trainings_trainings"} < given.keys()
    only = " ".join(f"{stream}={','.join(map(str, ids))}" for stream, ids in given.items())
    sandbox.clear_requests()
    output = run(url, *BY_ID, only=only)
    for stream, ids in given.items():
        assert {str(record["id"]) for record in output.records(stream)} == {*map(str, ids)}, stream
        for record in output.records(stream):
            assert differing_fields(rows[stream][key_of(stream, record)], record) == set(), stream
    # Documents are requested in each of three views.
    assert len([one for one in sandbox.requests() if "ids[]" in one["query"]]) == len(given) + 2


def test_the_table_names_lists_that_can_be_read_without_other_parameters() -> None:
    lists = load_table().lists
    for module, names in load_table().by_id.items():
        for name in names:
            row = lists[module][name]
            assert row.key == ("id",), (module, name)
            assert not any((row.parent, row.setting)), (module, name)


def test_documents_are_requested_in_each_view(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    name = "documents_documents"
    bodies = run(url, name).records(name)
    views = {(body["by_pending_assignment"], body["by_trash_bin"]): body for body in bodies}
    sandbox.clear_requests()
    ids = [str(body["id"]) for body in views.values()]
    output = run(url, name, only=f"{name}={','.join(ids)}", confirm_deleted=f"{name}=987654321")
    *found, mark = output.records(name)
    assert {str(body["id"]): body for body in found} == {str(body["id"]): body for body in views.values()}
    assert (str(mark["id"]), len(mark)) == ("987654321", 2)
    assert len([one for one in sandbox.requests() if "ids[]" in one["query"]]) == 3 * 3


def test_ids_that_are_not_known_are_marked_if_the_stream_can_be_read(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    there, gone = str(sandbox.records("factorial", "timeoff_leaves")[0]["id"]), "987654321"
    streams = ("timeoff_leaves", "attendance_shifts")
    confirm = f"timeoff_leaves={there},{gone} attendance_shifts={gone}"
    output = run(url, *streams, confirm_deleted=confirm)
    assert [str(row["id"]) for row in output.records("timeoff_leaves")] == [there, gone]
    for stream in streams:
        mark = output.records(stream)[-1]
        assert (str(mark["id"]), mark.keys()) == (gone, {"id", "_sdc_deleted_at"})
    # The list of shifts has no pages, so only a window of it proves that it can be read.
    (probe,) = [one for one in sandbox.requests() if "shifts" in one["path"] and "ids[]" not in one["query"]]
    assert {"start_on", "end_on"} <= probe["query"].keys()


def test_children_are_those_of_the_given_records(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    parent, child = "trainings_sessions", "trainings_session_access_memberships"
    rows = sandbox.records("factorial", child)
    given = str(rows[0]["session_id"])
    output = run(url, parent, child, only=f"{parent}={given}")
    assert [str(record["id"]) for record in output.records(parent)] == [given]
    assert len(output.records(child)) == sum(str(row["session_id"]) == given for row in rows)
    with pytest.raises(RunError, match=f"{child} cannot be read by id. Give the ids of {parent}"):
        run(url, parent, child, only=f"{child}=1")
