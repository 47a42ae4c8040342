"""`--doctor` and `--plan` against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import compare_with_plan, requests_by_stream
from tap_cornerstone.tap import TapCornerstone

from .conftest import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow


def make_tap(url: str, **config: Any) -> TapCornerstone:
    credentials = {} if "access_token" in config else CREDENTIALS
    return TapCornerstone(config={"api_url": url, **credentials, **config}, setup_mapper=False)


def test_doctor_reads_every_stream_with_one_request(sandbox: Sandbox, url: str) -> None:
    report = make_tap(url, optional_streams=["*"]).make_report("doctor", {}).content
    assert set(report["verdicts"]) == {"readable", "not_checked"}
    unchecked = [one["stream"] for one in report["streams"] if one["verdict"] == "not_checked"]
    assert "bulk_import_reports" in unchecked  # each report may be downloaded five times
    paths = [request["path"] for request in sandbox.requests() if request["method"] == "GET"]
    assert len([path for path in paths if "$metadata" not in path]) <= len(report["streams"])
    rows = [request for request in sandbox.requests() if request["path"].endswith("/users_core")]
    assert len(rows) == 1


def test_doctor_names_three_withheld_scopes(sandbox: Sandbox, url: str) -> None:
    for scope in ("employee:read", "obj_users_core:read", "reportingmetadata:view"):
        sandbox.control("revoke", vendor="cornerstone", permission=scope)
    report = make_tap(url).make_report("doctor", {})
    assert report.succeeded
    catalog, permissions = report.content["advice"]
    assert "needs the scope reportingmetadata:view" in catalog["advice"]
    assert permissions["for"] == {
        "the scope employee:read": ["employees", "employment_statuses", "termination_reasons"],
        "the scope obj_users_core:read": ["users_core"],
    }
    assert "Edge, API Management" in permissions["advice"]
    assert "needs the scope obj_users_core:read; status 401" in report.text


@pytest.mark.parametrize("credential", [{"client_secret": "wr0ng"}, {"access_token": "wr0ng"}])
def test_doctor_reports_rejected_credentials(sandbox: Sandbox, url: str, credential: dict[str, str]) -> None:
    report = make_tap(url, **({**CREDENTIALS, **credential} if "client_secret" in credential else credential))
    found = report.make_report("doctor", {})
    assert not found.succeeded
    failed = [name for name, check in found.content["connection"].items() if check["status"] == "failed"]
    assert failed[0] in {"credentials", "catalog"}


def test_run_sends_as_many_requests_as_planned(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    state: dict[str, Any] = {}
    for name in ("full", "incremental"):
        report = make_tap(url).make_report("plan", state).content
        sandbox.clear_requests()
        state = run(url, state=state or None).state
        sent = requests_by_stream(make_tap(url), sandbox.requests(), "/cornerstone")
        below, planned, expected = compare_with_plan(report[name]["streams"], sent)
        assert below == set()
        assert abs(planned - expected) <= expected / 10
