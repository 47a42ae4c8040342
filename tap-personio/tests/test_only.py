"""Single records read again with `only`, against the sandbox."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from tap_personio.streams import STREAMS
from tap_personio.tap import TapPersonio
from tap_personio.testing import differing_fields, index_by_key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hr_sandbox.testing import Sandbox

BY_ID = [stream.name for stream in STREAMS if stream.by_id]
SOME = ("persons", "employments", "absence_periods")


def personio_url(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/personio"


def ids_of(sandbox: Sandbox, stream: str, count: int = 2) -> list[str]:
    return [str(row["id"]) for row in index_by_key(stream, sandbox.records("personio", stream)).values()][:count]


def requested_paths(sandbox: Sandbox) -> list[str]:
    return [request["path"] for request in sandbox.requests() if "auth" not in request["path"]]


def log_of_the_tap(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tap-personio"))


@pytest.mark.deep
def test_records_of_every_stream_that_can_be_read_by_id(run: Callable[..., Any], sandbox: Sandbox) -> None:
    given = {stream: ids_of(sandbox, stream) for stream in BY_ID}
    only = " ".join(f"{stream}={','.join(ids)}" for stream, ids in given.items() if stream != "employments")
    output = run(personio_url(sandbox), *BY_ID, only=only)
    searched = run(personio_url(sandbox), *BY_ID, only=f"employments={','.join(given['employments'])}")
    assert {"persons", "absence_periods", "attendance_periods", "employees"} < set(BY_ID)
    for stream, ids in given.items():
        found = searched if stream == "employments" else output
        assert sorted(str(record["id"]) for record in found.records(stream)) == sorted(ids), stream
        rows = index_by_key(stream, sandbox.records("personio", stream))
        for record in found.records(stream):
            assert differing_fields(stream, rows[key_of(stream, record)], record) == set(), stream


def test_employments_are_found_through_their_persons(run: Callable[..., Any], sandbox: Sandbox, tmp_path: Path) -> None:
    rows = sandbox.records("personio", "employments")
    (first, second), report = (str(rows[0]["id"]), str(rows[-1]["id"])), tmp_path / "report.json"
    sandbox.clear_requests()
    output = run(
        personio_url(sandbox),
        *SOME,
        only=f"employments={first},unknown",
        confirm_deleted=f"employments={second},gone",
        only_report=str(report),
    )
    assert output.counts() == {"employments": 3}  # the mark is one of them
    marked = [record for record in output.records("employments") if record.get("_sdc_deleted_at")]
    assert [record["id"] for record in marked] == ["gone"]
    owners = {record["person_id"] for record in output.records("employments") if record not in marked}
    assert sorted({*requested_paths(sandbox)}) == sorted(
        ["/personio/v2/persons", *(f"/personio/v2/persons/{number}/employments" for number in owners)]
    )
    (outcomes,) = json.loads(report.read_text()).values()
    assert (sorted(outcomes["found"]), outcomes["deleted"]) == (sorted([first, second]), ["gone"])
    assert (outcomes["missing"], outcomes["unconfirmed"]) == (["unknown"], [])


def test_employments_of_given_persons_are_read_with_them(
    run: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = sandbox.records("personio", "employments")
    person, report = str(rows[0]["person"]["id"]), tmp_path / "report.json"
    own = {str(row["id"]) for row in rows if str(row["person"]["id"]) == person}
    other = next(str(row["id"]) for row in rows if str(row["person"]["id"]) != person)
    first = min(own)
    only, deleted = f"persons={person} employments={first},{other}", "employments=gone"
    output = run(personio_url(sandbox), *SOME, only=only, confirm_deleted=deleted, only_report=str(report))
    assert output.counts() == {"persons": 1, "employments": len(own)}
    assert {record["id"] for record in output.records("employments")} == own
    assert json.loads(report.read_text())["employments"] == {
        "found": [first],
        "deleted": [],
        "missing": [other],
        "unconfirmed": ["gone"],
    }


def test_deleted_employments_are_not_marked_while_persons_list_none(run: Callable[..., Any], sandbox: Sandbox) -> None:
    sandbox.control("allow-list", vendor="personio", attribute="persons.employments", allowed=False)
    output = run(personio_url(sandbox), *SOME, confirm_deleted="employments=gone")
    assert output.records("employments") == []


def test_changes_of_a_stream_are_read_without_ids(run: Callable[..., Any], sandbox: Sandbox) -> None:
    state = run(personio_url(sandbox), *SOME).state
    (given,) = ids_of(sandbox, "persons", 1)
    before = str(state["bookmarks"]["persons"])
    sandbox.control("edit", kind="person", id=given, field="last_name", value="Changed")
    sandbox.clear_requests()
    output = run(personio_url(sandbox), *SOME, state=state, only="persons open_positions?")
    changed = [record["id"] for record in output.records("persons")]
    assert given in changed
    assert len(changed) < len(sandbox.records("personio", "persons"))
    assert output.counts().keys() == {"persons"}
    assert [request["query"].keys() for request in sandbox.requests() if "persons" in request["path"]] == [
        {"limit", "updated_at.gt"}
    ]
    assert str(output.state["bookmarks"]["persons"]) > before
    assert output.state["bookmarks"]["absence_periods"] == state["bookmarks"]["absence_periods"]


def test_optional_streams_are_passed_over(run: Callable[..., Any], sandbox: Sandbox) -> None:
    (given,) = ids_of(sandbox, "persons", 1)
    output = run(
        personio_url(sandbox),
        "persons",
        only=f"persons?={given} attendance_periods?=1 unknown?=2 unknown?",
        confirm_deleted="absence_periods?=3",
    )
    assert output.counts() == {"persons": 1}
    assert run(personio_url(sandbox), "persons", only="attendance_periods?=1").messages == []


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
    log = log_of_the_tap(caplog)
    assert "persons: 1 of 2 ids given with `only` were not found" in log
    assert "recruiting_candidates: 2 of 3 ids given with `only` were not found" in log
    assert "987654321" not in log
    assert "gone-" not in log


@pytest.mark.parametrize("profile", ["everything", "pseudonymous"])
def test_a_deletion_is_marked_with_the_key_of_its_row(
    *, run: Callable[..., Any], sandbox: Sandbox, tmp_path: Path, profile: str
) -> None:
    config = {"privacy": profile, "privacy_key": "k" * 32}
    streams = ("absence_periods", "attendance_periods", "recruiting_candidates")
    rows = {stream: ids_of(sandbox, stream, 3) for stream in streams}
    first = run(personio_url(sandbox), *streams, **config)
    keys = {
        stream: {record["id"] for record in run(personio_url(sandbox), *streams, only=only, **config).records(stream)}
        for stream, (_, gone, _) in rows.items()
        if (only := f"{stream}={gone}")
    }
    for stream in ("absence_periods", "attendance_periods"):
        sandbox.control("delete", kind=stream.removesuffix("s"), id=rows[stream][1])
    report = tmp_path / "report.json"
    said = " ".join(f"{stream}={there},{gone}" for stream, (there, gone, _) in rows.items())
    output = run(
        personio_url(sandbox), *streams, state=first.state, confirm_deleted=said, only_report=str(report), **config
    )
    outcomes = json.loads(report.read_text())
    for stream, (there, gone, _) in rows.items():
        marks = [record for record in output.records(stream) if "_sdc_deleted_at" in record]
        deleted = [gone] if stream != "recruiting_candidates" else []
        assert outcomes[stream]["deleted"] == deleted, stream
        assert outcomes[stream]["found"] == [one for one in (there, gone) if one not in deleted]
        assert [set(mark) for mark in marks] == [{"id", "_sdc_deleted_at"}] * len(deleted)
        assert {mark["id"] for mark in marks} == (keys[stream] if deleted else set())
        versions = {message["version"] for message in output.messages_of("RECORD", stream)}
        assert versions == {first.state["bookmarks"][stream]["version"]}


def test_the_mark_of_a_person_has_their_pseudonym(run: Callable[..., Any], sandbox: Sandbox) -> None:
    config = {"privacy": "pseudonymous", "privacy_key": "k" * 32}
    (there,) = ids_of(sandbox, "persons", 1)
    output = run(personio_url(sandbox), "persons", only=f"persons={there}", confirm_deleted="persons=987654", **config)
    tap = TapPersonio(config={"client_id": "c", "client_secret": "s", **config})
    row, mark = output.records("persons")
    assert [row["id"], mark["id"]] == tap.make_pseudonyms([f"person:{there}", "person:987654"])
    assert mark.keys() == {"id", "_sdc_deleted_at"}


def test_nothing_is_marked_without_access(
    run: Callable[..., Any], sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (there,) = ids_of(sandbox, "persons", 1)
    (candidate,) = ids_of(sandbox, "recruiting_candidates", 1)
    sandbox.control("revoke", vendor="personio", endpoint="/v2/recruiting/candidates/{id}", status=404)
    sandbox.control("revoke", vendor="personio", endpoint="/v2/recruiting/candidates", status=404)
    report = tmp_path / "report.json"
    output = run(
        personio_url(sandbox),
        "persons",
        "recruiting_candidates",
        only=f"persons={there}",
        confirm_deleted=f"recruiting_candidates={candidate}",
        only_report=str(report),
    )
    assert output.counts() == {"persons": 1}
    assert json.loads(report.read_text())["recruiting_candidates"]["unconfirmed"] == [candidate]
    log = log_of_the_tap(caplog)
    assert "the credential may lack the permission" in log
    assert candidate not in log


def test_a_404_that_passes_does_no_harm(run: Callable[..., Any], sandbox: Sandbox) -> None:
    (person,), (candidate,) = (ids_of(sandbox, stream, 1) for stream in ("persons", "recruiting_candidates"))
    for path in ("persons", "persons/{person_id}/employments", "recruiting/candidates/{id}"):
        sandbox.control("fault", path=f"/personio/v2/{path}", kind="status", status=404, times=1)
    streams = ("persons", "employments", "recruiting_candidates")
    given = {"only": f"persons={person}", "confirm_deleted": f"recruiting_candidates={candidate}"}
    output = run(personio_url(sandbox), *streams, **given)
    assert output.ids()["persons"] == [person]
    assert {record["person_id"] for record in output.records("employments")} == {person}
    assert output.ids()["recruiting_candidates"] == [candidate]
    assert not any("_sdc_deleted_at" in record for record in output.records("recruiting_candidates"))


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ("absence_balances=1", "absence_balances cannot be read by id. Give the ids of employees"),
        ("compensations=1", "compensations cannot be read by id. Run without `only`"),
        ("jobs=1", "jobs is not selected"),
        ("open_positions=1", "open_positions is not available with these settings"),
        ("people=1", "people is no stream of tap-personio"),
        ("persons=", "Set `only` to streams and ids such as persons=1,2"),
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
