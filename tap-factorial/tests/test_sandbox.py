"""Whole runs against the sandbox: counts, values, increments, permissions, faults."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hr_sandbox.testing import running
from singer_rest.testing import differing_fields
from tap_factorial.table import load_table
from tap_factorial.testing import KEYS, index_by_key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

EVERYTHING = {"optional_streams": ["*"], "integration_uuid": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"}
LISTS = "/factorial/api/2026-10-01/resources/"


def requests_for(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [request["query"] for request in sandbox.requests() if request["path"].endswith(f"/resources/{name}")]


def assert_same_rows(output: Any, sandbox: Sandbox) -> None:
    """Asserts that every row and value of every stream arrived."""
    counts = sandbox.counts("factorial")
    assert output.counts() == {stream: count for stream, count in counts.items() if count}
    for stream, count in counts.items():
        records = {key_of(stream, record): record for record in output.records(stream)}
        sent = index_by_key(stream, sandbox.records("factorial", stream))
        assert records.keys() == sent.keys(), stream
        assert len(records) == count or not KEYS[stream]
        for key, row in sent.items():
            wrong = differing_fields(row, records[key])
            assert {name: (row[name], records[key].get(name)) for name in wrong} == {}, stream


def test_every_row_and_value_of_every_list_arrives(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    output = run(url, **EVERYTHING)
    odd = sandbox.counts("factorial").keys() ^ KEYS.keys()
    assert not odd, f"add to the sandbox or the tap: {sorted(odd)}"
    assert_same_rows(output, sandbox)
    assert all("challenge" not in record for record in output.records("api_public_webhook_subscriptions"))


@pytest.mark.parametrize("version", ["2025-04-01", "2026-01-01", "2026-04-01", "2026-07-01"])
def test_older_versions_have_their_lists_and_the_same_ids(
    run: Callable[..., Any], sandbox: Sandbox, url: str, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    streams = ("employees_employees", "teams_teams", "timeoff_leaves", "contracts_materialized_templates")
    output = run(url, *streams, "integrations_syncable_items", api_version=version)
    expected = {stream: count for stream, count in sandbox.counts("factorial").items() if stream in streams}
    if version < "2026-07-01":
        del expected["contracts_materialized_templates"]
    assert {stream: count for stream, count in output.counts().items() if stream in streams} == expected
    teams = sandbox.records("factorial", "teams_teams")
    records = {record["id"]: record for record in output.records("teams_teams")}
    assert records.keys() == {team["id"] for team in teams}
    for team in teams:
        assert records[team["id"]]["employee_ids"] == team["employee_ids"]
        assert records[team["id"]]["company_id"] == team["company_id"]
    assert ("has retired API version 2025-04-01" in caplog.text) == (version == "2025-04-01")
    paths = {request["path"].split("/")[3] for request in sandbox.requests()}
    assert paths == {version}


def days_ago(days: int) -> str:
    return str(pendulum.now("UTC").subtract(days=days).to_date_string())


def test_shifts_are_never_requested_without_a_window(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    year = pendulum.now("UTC").year
    first = run(url, "attendance_shifts", date_window_days=31)
    windows = requests_for(sandbox, "attendance/shifts")
    assert min(query["start_on"] for query in windows) == f"{year - 5}-01-01"
    for query in windows:
        days = pendulum.parse(query["end_on"]).diff(pendulum.parse(query["start_on"])).in_days() + 1
        assert days <= 31
    assert first.counts() == {"attendance_shifts": sandbox.counts("factorial")["attendance_shifts"]}
    sandbox.clear_requests()
    run(url, "attendance_shifts", state=first.state)
    assert all(set(query) == {"limit", "updated_at"} for query in requests_for(sandbox, "attendance/shifts"))


def test_shifts_resume_from_the_day_before_the_last_run(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    first = run(url, "attendance_shifts", start_date=days_ago(50), end_date=days_ago(-8), date_window_days=31)
    bookmark = first.state["bookmarks"]["attendance_shifts"]["replication_key_value"]
    assert bookmark > max(record["updated_at"] for record in first.records("attendance_shifts"))
    sandbox.clear_requests()
    run(url, "attendance_shifts", state=first.state)
    today = pendulum.parse(bookmark).date()
    days = {query["updated_at"] for query in requests_for(sandbox, "attendance/shifts")}
    assert days == {today.isoformat(), today.subtract(days=1).isoformat()}


@pytest.mark.parametrize("or_later", [False, True])
def test_changed_shifts_are_loaded_whatever_their_filter_means(
    run: Callable[..., Any], sandbox: Sandbox, url: str, *, or_later: bool
) -> None:
    first = run(url, "attendance_shifts")
    shift = first.records("attendance_shifts")[7]
    if or_later:
        sandbox.control("mode", vendor="factorial", path="attendance/shifts", mode="updated-since")
    sandbox.control("factorial/edit", stream="attendance_shifts", id=shift["id"], field="minutes", value=77)
    second = run(url, "attendance_shifts", state=first.state)
    assert {record["minutes"] for record in second.records("attendance_shifts") if record["id"] == shift["id"]} == {77}
    assert second.messages_of("ACTIVATE_VERSION") == []


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "truncated"}])
def test_shift_filter_without_a_usable_response_causes_reads_by_window(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    span = {"start_date": days_ago(20), "end_date": days_ago(0)}
    first = run(url, "attendance_shifts", **span)
    path = f"{LISTS}attendance/shifts"
    sandbox.control("fault", path=path, query={"updated_at": "*"}, times=None, **fault)
    sandbox.clear_requests()
    second = run(url, "attendance_shifts", state=first.state, **span)
    assert second.counts() == first.counts()
    assert second.messages_of("ACTIVATE_VERSION") == []  # rows of other dates may have been loaded as changes
    assert (
        "attendance_shifts: the vendor gave no usable response to the incremental filter; falling back" in caplog.text
    )
    filtered = sum("updated_at" in query for query in requests_for(sandbox, "attendance/shifts"))
    assert filtered == (8 if fault["kind"] == "truncated" else 3)


def test_shift_window_without_a_response_stops_no_other_and_is_read_later(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    span = {"start_date": days_ago(30), "end_date": days_ago(1)}
    ids = {record["id"] for record in run(url, "attendance_shifts", **span).records("attendance_shifts")}
    days = sorted({query["start_on"] for query in requests_for(sandbox, "attendance/shifts") if "start_on" in query})
    broken = f"{LISTS}attendance/shifts"
    sandbox.control("fault", path=broken, query={"start_on": days[1]}, times=None, kind="status", status=500)
    fails: list[Exception] = []
    first = run(url, "attendance_shifts", "teams_teams", fails=fails, **span)
    assert "1 of 2 streams failed: attendance_shifts" in str(fails[0])
    assert f"gave no usable response in 8 attempts (status 500) for {days[1]}/" in caplog.text
    lacking = ids - {record["id"] for record in first.records("attendance_shifts")}
    assert 0 < len(lacking) < len(ids) / 2
    assert first.messages_of("ACTIVATE_VERSION", "attendance_shifts") == []
    sandbox.control("fault", method="DELETE")
    sandbox.clear_requests()
    second = run(url, "attendance_shifts", state=first.state, **span)
    assert lacking <= {record["id"] for record in second.records("attendance_shifts")}
    assert [query["start_on"] for query in requests_for(sandbox, "attendance/shifts")] == [days[1]]
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


EDITS = {
    "employees_employees": "first_name",
    "contracts_contract_versions": "job_title",
    "finance_accounts": "name",
    "project_management_projects": "name",
    "teams_teams": "name",
}


def test_changes_are_loaded_by_the_next_run(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    first = run(url, *EDITS)
    for stream, field in EDITS.items():
        record = first.records(stream)[3]
        sandbox.control("factorial/edit", stream=stream, id=record["id"], field=field, value="Ünï 𝒳")
    sandbox.clear_requests()
    second = run(url, *EDITS, state=first.state)
    for stream, field in EDITS.items():
        assert "Ünï 𝒳" in {record[field] for record in second.records(stream)}, stream
    counts = second.counts()
    assert counts.pop("teams_teams") == first.counts()["teams_teams"]  # no filter: read whole
    assert all(count < first.counts()[stream] for stream, count in counts.items())
    assert {message["stream"] for message in second.messages_of("ACTIVATE_VERSION")} == {"teams_teams"}
    assert [set(query) for query in requests_for(sandbox, "project_management/projects")] == [
        {"limit", "include_costs", "include_inputed_minutes", "updated_after"}
    ]


def test_deleted_rows_are_missing_from_the_new_version(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    first = run(url, "teams_teams", "documents_documents")
    team, documents = first.records("teams_teams")[0]["id"], first.records("documents_documents")
    document = next(row["id"] for row in documents if not (row["by_trash_bin"] or row["by_pending_assignment"]))
    sandbox.control("factorial/delete", stream="teams_teams", id=team)
    sandbox.control("factorial/delete", stream="documents_documents", id=document)
    second = run(url, "teams_teams", "documents_documents", state=first.state)
    assert team not in {record["id"] for record in second.records("teams_teams")}
    versions = [output.messages_of("ACTIVATE_VERSION", "teams_teams")[0]["version"] for output in (first, second)]
    assert versions[0] < versions[1]
    gone = [record for record in second.records("documents_documents") if record["id"] == document]
    assert [record["deleted_at"] is not None for record in gone] == [True]


@pytest.mark.parametrize("form", ["json", "html", "empty", "null", "payment"])
def test_unlicensed_modules_are_skipped_by_name(
    run: Callable[..., Any], sandbox: Sandbox, url: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("factorial/refusal", module="posts", form=form)
    sandbox.control("revoke", vendor="factorial", permission="posts")
    output = run(url, "posts_posts", "posts_comments", "posts_groups", "teams_teams")
    assert set(output.counts()) == {"teams_teams"}
    assert {message["stream"] for message in output.messages_of("SCHEMA")} == {"teams_teams"}
    for stream in ("posts_posts", "posts_comments", "posts_groups"):
        said = (
            "company's plan does not include this stream" if form == "payment" else "credential cannot read this stream"
        )
        assert f"{stream}: the {said}" in caplog.text or f"{stream}: its parent stream posts_posts" in caplog.text
    fails: list[Exception] = []
    run(url, "posts_posts", fails=fails)
    assert "Nothing could be read" in str(fails[0])


@pytest.mark.parametrize("stream", ["teams_teams", "ats_candidates", "attendance_shifts"])
def test_rows_that_a_list_announces_but_withholds_are_not_deleted(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, stream: str
) -> None:
    path = stream.replace("_", "/", 1)
    span = {"start_date": days_ago(12), "end_date": days_ago(0)} if stream == "attendance_shifts" else {}
    ids = {record["id"] for record in run(url, stream, **span).records(stream)}
    for mode, all_came in (("short", False), ("short-once", True)):
        caplog.clear()
        sandbox.control("mode", vendor="factorial", path=path, mode=mode)
        output = run(url, stream, **span)
        assert ({record["id"] for record in output.records(stream)} == ids) == all_came
        assert bool(output.messages_of("ACTIVATE_VERSION")) == all_came
        assert ("fewer records than the vendor reports" in caplog.text) != all_came


def test_list_without_rows_sent_as_null_errors_marks_no_row_as_deleted(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    first = run(url, "teams_teams")
    sandbox.control("mode", vendor="factorial", path="teams/teams", mode="null-errors")
    second = run(url, "teams_teams", state=first.state)
    assert second.messages_of("ACTIVATE_VERSION") == []
    sandbox.control("mode", vendor="factorial", path="teams/teams", mode="normal")
    third = run(url, "teams_teams", state=second.state)
    assert third.counts() == first.counts()
    assert len(third.messages_of("ACTIVATE_VERSION")) == 1


def test_hundred_unlicensed_modules_do_not_renew_the_credential_each_time(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    for module in load_table().lists:
        if module not in {"api_public", "teams"}:
            sandbox.control("factorial/refusal", module=module, form="null")
            sandbox.control("revoke", vendor="factorial", permission=module)
    output = run(url)
    assert {"teams_teams", "api_public_credentials"} <= set(output.counts())
    assert len(requests_for(sandbox, "api_public/credentials")) < 20


def test_throttled_run_waits_and_loses_nothing(run: Callable[..., Any]) -> None:
    with running(employees=20, requests_per_minute=300) as sandbox:
        output = run(f"{sandbox.url}/factorial", *EDITS)
        counts = sandbox.counts("factorial")
        assert output.counts() == {stream: counts[stream] for stream in EDITS}


def test_interrupted_first_read_resumes_with_the_missing_windows(
    run: Callable[..., Any], sandbox: Sandbox, url: str
) -> None:
    path = "/factorial/api/2026-10-01/resources/attendance/shifts"
    sandbox.control("fault", path=path, kind="status", status=400, times=None, after=290)
    fails: list[Exception] = []
    first = run(url, "attendance_shifts", fails=fails, max_concurrency=1)
    assert "attendance_shifts" in str(fails[0])
    done = len(requests_for(sandbox, "attendance/shifts"))
    sandbox.control("fault", method="DELETE")
    sandbox.clear_requests()
    second = run(url, "attendance_shifts", state=first.state)
    assert len(requests_for(sandbox, "attendance/shifts")) < 100 < done
    ids = [record["id"] for output in (first, second) for record in output.records("attendance_shifts")]
    assert len(set(ids)) == sandbox.counts("factorial")["attendance_shifts"]
    versions = {message["version"] for output in (first, second) for message in output.messages_of("RECORD")}
    assert [message["version"] for message in second.messages_of("ACTIVATE_VERSION")] == list(versions)


def test_records_and_credentials_reach_neither_log_nor_state(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.control("factorial/refusal", module="posts", form="json")
    sandbox.control("revoke", vendor="factorial", permission="posts")
    output = run(url, "employees_employees", "posts_posts", "finance_accounts")
    people = output.records("employees_employees")
    secrets = {person[name] for person in people for name in ("last_name", "email", "bank_number")} - {None, ""}
    texts = caplog.text + json.dumps(output.state)
    assert "sandbox-api-key" not in texts
    assert not [secret for secret in secrets if secret in texts]


def test_shift_windows_that_stall_are_halved(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sandbox.control("factorial/shifts", widest_days=2, stall_seconds=30)
    start = days_ago(50)
    settings = {"request_timeout": 2, "start_date": start, "end_date": days_ago(-8), "date_window_days": 7}
    output = run(url, "attendance_shifts", **settings)
    shifts = sandbox.records("factorial", "attendance_shifts")
    assert {record["id"] for record in output.records("attendance_shifts")} == {
        shift["id"] for shift in shifts if shift["date"] >= start
    }
    assert "reading windows of 2 days from now on" in caplog.text


FILTERS = {
    "finance_accounts": ("finance/accounts", "updated_from"),
    "attendance_shifts": ("attendance/shifts", "updated_at"),
}


@pytest.mark.parametrize("stream", FILTERS)
def test_ignored_filter_causes_a_full_read(
    run: Callable[..., Any], sandbox: Sandbox, url: str, stream: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(url, stream, date_window_days=31)
    endpoint, parameter = FILTERS[stream]
    sandbox.control("factorial/ignore", endpoint=endpoint, parameter=parameter)
    # Without the filter, all shifts would be requested at once, and the gateway gives up.
    sandbox.control("fault", path=f"{LISTS}attendance/shifts", query={"updated_at": "*"}, times=None, status=504)
    gone = first.records(stream)[0]["id"]
    sandbox.control("factorial/delete", stream=stream, id=gone)
    caplog.clear()
    second = run(url, stream, state=first.state, date_window_days=31)
    version = second.state["bookmarks"][stream]["version"]
    # Shifts of other dates may have been loaded as changes, so no full read but a full refresh finds deleted ones.
    activated = [] if stream == "attendance_shifts" else [version]
    assert [message["version"] for message in second.messages_of("ACTIVATE_VERSION")] == activated
    records = [message["record"] for message in second.messages_of("RECORD") if message["version"] == version]
    assert len({record["id"] for record in records}) == sandbox.counts("factorial")[stream]
    assert gone not in {record["id"] for record in records}
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (1 if activated else 2)
    assert "falling back to a full read" in warnings[0]
    bookmark = second.state["bookmarks"][stream]
    assert bookmark["replication_key_value"] >= first.state["bookmarks"][stream]["replication_key_value"]
