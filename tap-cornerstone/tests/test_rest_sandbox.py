"""Whole runs over the REST families of the sandbox: rows, values, second runs, reports, scopes, tokens, limits."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import running
from singer_rest import RunError
from singer_rest.testing import Output, differing_fields
from tap_cornerstone.streams import STREAMS
from tap_cornerstone.streams.bulk import BulkImportReports
from tap_cornerstone.streams.people import Employees
from tap_cornerstone.tap import TapCornerstone
from tap_cornerstone.testing import expected_rows, key_of

if TYPE_CHECKING:
    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

KEYS = {stream.name: tuple(stream.primary_keys) for stream in STREAMS}
ALL: dict[str, Any] = {"objects": [], "views": [], "optional_streams": ["*"]}
PART: dict[str, Any] = {"objects": [], "views": []}
REST = "/cornerstone/services/api/"
REPORT = f"{REST}x/bulk-api/v1/imports/"


def requests_for(sandbox: Sandbox, path: str) -> list[dict[str, Any]]:
    return [request for request in sandbox.requests() if request["path"].startswith(f"{REST}{path}")]


def expected(sandbox: Sandbox, stream: str) -> list[dict[str, Any]]:
    """Returns the sandbox's rows as the records that the tap should emit."""
    return expected_rows(stream, sandbox.records("cornerstone", stream))


def assert_same_rows(output: Output, sandbox: Sandbox, *streams: str) -> int:
    """Asserts that every row and value of some streams arrived. Returns the number of rows."""
    for stream in streams:
        key = KEYS[stream]
        records = output.records(stream)
        if stream == "bulk_import_reports":
            records = [record for record in records if record["kind"] == "report"]
        found = {key_of(key, record): record for record in records}
        sent = expected(sandbox, stream)
        assert len(found) == len(records) == len(sent), stream
        for row in sent:
            record = found[key_of(key, row)]
            assert {name: (row[name], record.get(name)) for name in differing_fields(row, record)} == {}, stream
    return sum(len(output.records(stream)) for stream in streams)


def test_every_row_and_value_of_every_list_arrives(run: Any, sandbox: Sandbox, url: str) -> None:
    output = run(url, **ALL)
    assert assert_same_rows(output, sandbox, *KEYS) > 1000
    assert {message["stream"] for message in output.messages_of("SCHEMA")} == set(KEYS)
    assert {request["status"] for request in sandbox.requests()} == {200}


def test_streams_with_many_requests_are_available_if_they_are_named(run: Any, sandbox: Sandbox, url: str) -> None:
    output = run(url, **PART)
    optional = {stream.name for stream in STREAMS if stream.optional}
    assert {message["stream"] for message in output.messages_of("SCHEMA")} == set(KEYS) - optional
    assert "bulk_import_reports" in optional
    assert not requests_for(sandbox, "x/bulk-api/v1/imports/")


def test_second_run_rereads_lists_but_only_changed_transcripts(run: Any, sandbox: Sandbox, url: str) -> None:
    streams = ("employees", "transcripts", "bulk_jobs")
    first = run(url, *streams, **PART)
    days = {request["query"]["ModificationStartDate"] for request in requests_for(sandbox, "LOTranscript/")}
    assert len(days) == 31
    sandbox.clear_requests()
    second = run(url, *streams, state=first.state, **PART)
    searches = [request["query"] for request in requests_for(sandbox, "LOTranscript/")]
    assert 1 <= len({query["ModificationStartDate"] for query in searches}) <= 2
    yesterday = sorted(days)[-2]  # just after midnight the look-back reaches into it
    assert min(query["ModificationStartDate"] for query in searches) > yesterday
    assert second.counts()["employees"] == first.counts()["employees"]
    versions = [output.messages_of("ACTIVATE_VERSION", "employees")[0]["version"] for output in (first, second)]
    assert versions[0] < versions[1]
    assert not second.messages_of("ACTIVATE_VERSION", "transcripts")
    assert not second.messages_of("ACTIVATE_VERSION", "bulk_jobs")


def test_transcripts_resume_with_the_missing_days(run: Any, sandbox: Sandbox, url: str) -> None:
    path = f"{REST}LOTranscript/TranscriptSearch"
    sandbox.control("fault", path=path, kind="status", status=400, times=None, after=40)
    first = run(url, "transcripts", fails=[], max_concurrency=1, **PART)
    done = len(requests_for(sandbox, "LOTranscript/"))
    sandbox.control("fault", method="DELETE")
    sandbox.clear_requests()
    second = run(url, "transcripts", state=first.state, **PART)
    assert len(requests_for(sandbox, "LOTranscript/")) < done
    keys = {key_of(KEYS["transcripts"], row) for output in (first, second) for row in output.records("transcripts")}
    assert keys == {key_of(KEYS["transcripts"], row) for row in expected(sandbox, "transcripts")}
    assert second.state["bookmarks"]["transcripts"]["finished_slices"] is None


REPORTS = ("bulk_import_reports",)
LATE = ("bulk_imports", *REPORTS)
"""A list that is read itself is the one that is walked, from the start on."""


@pytest.fixture
def recent_settings(sandbox: Sandbox) -> dict[str, Any]:
    """The settings for reports of two days."""
    return {**ALL, "start_date": sandbox.records("cornerstone", "bulk_jobs")[4]["created_date"][:10]}


def downloaded_reports(sandbox: Sandbox) -> list[str]:
    return [request["path"].removeprefix(REPORT) for request in sandbox.requests() if REPORT in request["path"]]


def test_each_report_is_read_once(run: Any, sandbox: Sandbox, url: str) -> None:
    first = run(url, *REPORTS, **ALL)
    assert assert_same_rows(first, sandbox, *REPORTS) > 1000
    assert len(set(downloaded_reports(sandbox))) == len(downloaded_reports(sandbox))
    kinds = {(row["kind"], row["cells"]["Status"]) for row in first.records(*REPORTS)}
    assert {pair for pair in kinds if pair[0] != "report"} == {
        ("warnings", "Success with warnings"),
        ("errors", "Error"),
    }
    sandbox.clear_requests()
    second = run(url, *REPORTS, state=first.state, **ALL)
    assert second.counts() == {}
    assert downloaded_reports(sandbox) == []
    assert requests_for(sandbox, "x/bulk-api/v1/jobs")  # a new import would have been seen
    assert not second.messages_of("ACTIVATE_VERSION")


def test_interrupted_run_loses_no_report_and_reads_none_twice(
    run: Any, sandbox: Sandbox, url: str, recent_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    every = run(url, *LATE, **recent_settings).records(*REPORTS)
    sandbox.control("cornerstone/reset-downloads")
    sandbox.clear_requests()
    remember, remembered = BulkImportReports.remember, 0

    def ending(self: BulkImportReports, page: Any, state: Any) -> bool:
        nonlocal remembered
        remembered += 1
        if remembered > 3:
            raise RunError("the plug is pulled")
        return remember(self, page, state)

    with monkeypatch.context() as context:
        context.setattr(BulkImportReports, "remember", ending)
        first = run(url, *LATE, fails=[], **recent_settings)
    assert len(first.messages_of("STATE")) == 1 + 3  # one of the imports, one per report that was handed on
    second = run(url, *LATE, state=first.state, **recent_settings)
    records = [*first.records(*REPORTS), *second.records(*REPORTS)]
    assert {key_of(KEYS[REPORTS[0]], record) for record in records} == {
        key_of(KEYS[REPORTS[0]], record) for record in every
    }
    assert (
        len(downloaded_reports(sandbox)) - len(set(downloaded_reports(sandbox))) <= 2
    )  # what was handed on, or under way, at the end


@pytest.mark.parametrize("status", [400, 403])
def test_forbidden_report_does_not_stop_the_others(
    run: Any, sandbox: Sandbox, url: str, recent_settings: dict[str, Any], status: int
) -> None:
    every = run(url, *LATE, **recent_settings).records(*REPORTS)
    sandbox.control("cornerstone/reset-downloads")
    victim = sandbox.records("cornerstone", "bulk_imports")[0]["id"]
    sandbox.control("fault", path=f"{REPORT}{victim}/report", kind="status", status=status, times=None)
    first = run(url, *LATE, fails=[], **recent_settings)
    sandbox.control("fault", method="DELETE")
    sandbox.clear_requests()
    second = run(url, *LATE, state=first.state, **recent_settings)
    assert downloaded_reports(sandbox) == [f"{victim}/report"]
    assert len(first.records(*REPORTS)) + len(second.records(*REPORTS)) == len(every)


def test_failing_report_is_requested_twice_a_run_and_at_most_five_times(
    run: Any, sandbox: Sandbox, url: str, recent_settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    victim = sandbox.records("cornerstone", "bulk_imports")[1]["id"]
    sandbox.control("fault", path=f"{REPORT}{victim}/report", kind="status", status=500, times=None)
    state: dict[str, Any] = {}
    for tries in (2, 4, 5):
        fails: list[Exception] = []
        output = run(url, *LATE, state=state, fails=fails, **recent_settings)
        assert "1 of 2 streams failed" in str(fails[0])
        assert downloaded_reports(sandbox).count(f"{victim}/report") == tries
        state = output.state
    assert "skipped from now on" not in caplog.text
    assert run(url, *LATE, state=state, **recent_settings).records(*REPORTS) == []
    assert "1 of the reports could not be read completely in the 5 downloads that are possible" in caplog.text
    assert downloaded_reports(sandbox).count(f"{victim}/report") == 5
    others = [path for path in downloaded_reports(sandbox) if path != f"{victim}/report"]
    assert len(set(others)) == len(others)


def test_maintenance_costs_no_download(run: Any, sandbox: Sandbox, url: str, recent_settings: dict[str, Any]) -> None:
    victim = sandbox.records("cornerstone", "bulk_imports")[1]["id"]
    sandbox.control("fault", path=f"{REPORT}{victim}/report", kind="status", status=503, times=None)
    state: dict[str, Any] = {}
    for _ in range(2):
        state = run(url, *LATE, state=state, fails=[], **recent_settings).state
    assert downloaded_reports(sandbox).count(f"{victim}/report") == 4
    sandbox.control("fault", method="DELETE")
    output = run(url, *LATE, state=state, **recent_settings)
    assert {(record["import_id"], record["kind"]) for record in output.records(*REPORTS)} == {(victim, "report")}


def test_reports_downloaded_too_often_log_a_warning(
    run: Any, sandbox: Sandbox, url: str, recent_settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        run(url, *LATE, **recent_settings)
    caplog.clear()
    output = run(url, *LATE, **recent_settings)
    assert output.records(*REPORTS) == []
    assert "of the reports were downloaded too often elsewhere" in caplog.text
    sandbox.clear_requests()
    run(url, *LATE, state=output.state, **recent_settings)
    assert downloaded_reports(sandbox) == []


def test_connection_test_downloads_no_report(sandbox: Sandbox, url: str) -> None:
    credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    tap = TapCornerstone(config={"api_url": url, **credentials, **ALL})
    assert tap.run_connection_test()
    assert requests_for(sandbox, "x/bulk-api/v1/jobs")
    assert downloaded_reports(sandbox) == []


SCOPES = {
    "employee:read": ("employees",),
    "group:read": ("employee_groups",),
    "ou:read": ("organizational_units",),
    "outype:read": ("ou_types",),
    "transcript:read": ("transcripts",),
    "training:read": ("catalog",),
    "skill:read": ("skills", "skill_categories"),
    "jobrequisition:read": ("job_requisitions",),
    "jobapplicant:read": ("job_applicants",),
}


def test_missing_scopes_skip_their_streams_by_name(
    run: Any, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for scope in SCOPES:
        if scope != "employee:read":
            sandbox.control("revoke", vendor="cornerstone", permission=scope)
    output = run(url, **ALL)
    skipped = [name for scope, names in SCOPES.items() if scope != "employee:read" for name in names]
    for scope, names in SCOPES.items():
        for name in names if scope != "employee:read" else ():
            assert f"{name}: the credential cannot read this stream; it needs the scope {scope} (" in caplog.text
    assert not {message["stream"] for message in output.messages_of("SCHEMA")} & set(skipped)
    assert assert_same_rows(output, sandbox, "employees", "employee_custom_fields", "bulk_imports")


def test_scopes_of_bulk_streams_are_named(
    run: Any, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("revoke", vendor="cornerstone", permission="bulkapi:read")
    run(url, "bulk_jobs", "bulk_imports", "bulk_import_reports", "ou_types", **ALL)
    assert (
        "bulk_jobs: the credential cannot read this stream; it needs the scope of the Bulk API (status 401"
        in caplog.text
    )
    assert "bulk_import_reports: its parent stream bulk_imports" in caplog.text


def test_expired_page_tokens_restart_the_list(
    run: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with running(employees=220, requests_per_minute=600_000) as sandbox:
        pages = 0
        parse = Employees.parse

        def late(self: Employees, body: Any, request: Any) -> Any:
            nonlocal pages
            pages += 1
            if pages == 2:
                sandbox.control("cornerstone/clock", seconds=301)
            return parse(self, body, request)

        monkeypatch.setattr(Employees, "parse", late)
        output = run(f"{sandbox.url}/cornerstone", "employees", **PART)
        assert "the page token has expired; reading the list from its beginning" in caplog.text
        sent = expected(sandbox, "employees")
        assert len(output.records("employees")) == len(sent) + 2 * 50
        assert {record["id"] for record in output.records("employees")} == {row["id"] for row in sent}
        assert len(requests_for(sandbox, "x/users/v2/employees")) == len(sent) // 50 + 1 + 2 + 1


@pytest.mark.parametrize("mode", ["bare", "camel"])
def test_employees_are_read_in_every_format(run: Any, sandbox: Sandbox, url: str, mode: str) -> None:
    sandbox.control("mode", vendor="cornerstone", path="employees", mode=mode)
    assert assert_same_rows(run(url, "employees", **PART), sandbox, "employees")


def test_transcripts_are_read_with_either_spelling_of_the_training_id(run: Any, sandbox: Sandbox, url: str) -> None:
    def records() -> list[str]:
        found = run(url, "transcripts", **PART).records("transcripts")
        return sorted(json.dumps(record, sort_keys=True) for record in found)

    usual = records()
    sandbox.control("mode", vendor="cornerstone", path="transcripts", mode="LoId")
    assert records() == usual


FORMS = ["error", "html", "cut", "only-error", "page", "json-500", "xml-500", "html-500", "timeout"]


@pytest.mark.parametrize("form", FORMS)
def test_truncated_pages_are_requested_again(run: Any, sandbox: Sandbox, url: str, form: str) -> None:
    streams = ("employees", "job_requisitions", "transcripts")
    for stream in streams:
        sandbox.control("cornerstone/failure", stream=stream, form=form, times=2)
    assert assert_same_rows(run(url, *streams, **PART), sandbox, *streams)


def test_throttled_run_waits_and_loses_nothing(run: Any, sandbox: Sandbox, url: str) -> None:
    streams = ("employees", "organizational_units", "job_applicants")
    for path in ("x/users/v2/employees", "x/organizations/v1/ous", "Recruiting/JobApplicant"):
        sandbox.control("fault", path=f"{REST}{path}", kind="retry-after", status=429, times=2, seconds=1)
    assert assert_same_rows(run(url, *streams, **PART), sandbox, *streams)
    assert [request["status"] for request in sandbox.requests()].count(429) == 6


@pytest.mark.usefixtures("documented_limits")
def test_documented_limits_are_kept(run: Any) -> None:
    with running(employees=20) as limited:
        streams = ("employees", "employee_groups", "organizational_units", "skills", "job_applicants")
        assert assert_same_rows(run(f"{limited.url}/cornerstone", *streams, **ALL), limited, *streams)
        assert {request["status"] for request in limited.requests()} == {200}


def test_records_and_credentials_reach_neither_log_nor_state(
    run: Any, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.control("revoke", vendor="cornerstone", permission="group:read")
    output = run(url, "employees", "employee_groups", "job_applicants", "bulk_import_reports", **ALL)
    people = output.records("employees")
    secrets = {str(person[name]) for person in people for name in ("lastName", "primaryEmail")} - {"None", ""}
    secrets |= {record["Email"] for record in output.records("job_applicants")} - {None}
    texts = caplog.text + json.dumps(output.state)
    assert "sandbox-secret" not in texts
    assert not [secret for secret in secrets if secret in texts]
