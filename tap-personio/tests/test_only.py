"""Single records read again with `only`, against the sandbox."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from tap_personio.streams import STREAMS
from tap_personio.testing import differing_fields, index_by_key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

BY_ID = [stream.name for stream in STREAMS if stream.by_id]
SOME = ("persons", "employments", "absence_periods")


def personio_url(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/personio"


def ids_of(sandbox: Sandbox, stream: str, count: int = 2) -> list[str]:
    return [str(row["id"]) for row in index_by_key(stream, sandbox.records("personio", stream)).values()][:count]


def requested_paths(sandbox: Sandbox) -> list[str]:
    return [request["path"] for request in sandbox.requests() if "auth" not in request["path"]]


@pytest.mark.deep
def test_records_of_every_stream_that_can_be_read_by_id(run: Callable[..., Any], sandbox: Sandbox) -> None:
    given = {stream: ids_of(sandbox, stream) for stream in BY_ID}
    only = " ".join(f"{stream}={','.join(ids)}" for stream, ids in given.items())
    output = run(personio_url(sandbox), *BY_ID, only=only)
    assert {"persons", "absence_periods", "attendance_periods", "employees"} < set(BY_ID)
    for stream, ids in given.items():
        assert sorted(str(record["id"]) for record in output.records(stream)) == sorted(ids), stream
        rows = index_by_key(stream, sandbox.records("personio", stream))
        for record in output.records(stream):
            assert differing_fields(stream, rows[key_of(stream, record)], record) == set(), stream


def test_children_are_those_of_the_given_records(run: Callable[..., Any], sandbox: Sandbox) -> None:
    ids = ids_of(sandbox, "persons", 3)
    output = run(personio_url(sandbox), *SOME, only=f"persons={','.join(ids)}")
    assert {record["person_id"] for record in output.records("employments")} == set(ids)
    assert output.counts().keys() == {"persons", "employments"}
    assert sorted(requested_paths(sandbox)) == sorted(
        ["/personio/v2/persons", *(f"/personio/v2/persons/{number}/employments" for number in ids)]
    )


def test_the_state_stays_and_records_have_its_version(run: Callable[..., Any], sandbox: Sandbox) -> None:
    state = run(personio_url(sandbox), *SOME).state
    before = str(state)
    (given,) = ids_of(sandbox, "persons", 1)
    output = run(personio_url(sandbox), *SOME, state=state, only=f"persons={given}")
    assert str(state) == before
    assert {message["type"] for message in output.messages} == {"SCHEMA", "RECORD"}
    for stream in ("persons", "employments"):  # also those that did not change since the bookmark
        versions = {message["version"] for message in output.messages_of("RECORD", stream)}
        assert versions == {state["bookmarks"][stream]["version"]}


def test_ids_that_are_not_found_are_counted_and_not_logged(
    run: Callable[..., Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    streams = ("persons", "recruiting_candidates")
    persons, candidates = (ids_of(sandbox, stream, 1) for stream in streams)
    output = run(
        personio_url(sandbox),
        *streams,
        only=f"persons={persons[0]},987654321 recruiting_candidates={candidates[0]},gone-1,gone-2",
    )
    assert output.counts() == {"persons": 1, "recruiting_candidates": 1}
    log = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tap-personio"))
    assert "persons: 1 of 2 ids given with `only` were not found" in log
    assert "recruiting_candidates: 2 of 3 ids given with `only` were not found" in log
    assert "987654321" not in log
    assert "gone-" not in log


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        (
            "employments=1",
            "employments cannot be read by id. Give the ids of persons: what belongs to them in employme",
        ),
        ("absence_balances=1", "absence_balances cannot be read by id. Give the ids of employees"),
        ("compensations=1", "compensations cannot be read by id. Run without `only`"),
        ("jobs=1", "jobs is not selected"),
        ("open_positions=1", "open_positions is not available with these settings"),
        ("people=1", "people is no stream of tap-personio"),
        ("persons", "Set `only` to streams and ids such as persons=1,2"),
    ],
)
def test_streams_that_cannot_be_read_by_id_are_reported(
    run: Callable[..., Any], sandbox: Sandbox, only: str, sentence: str
) -> None:
    fails: list[Exception] = []
    selected = (*SOME, "employees", "compensations", "absence_balances")
    try:
        run(personio_url(sandbox), *selected, only=only, fails=fails)
    except RunError as error:  # before the run
        fails.append(error)
    assert sentence in str(fails[0])
    assert not requested_paths(sandbox)
