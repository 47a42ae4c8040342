"""`--doctor` and `--plan` against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import compare_with_plan, requests_by_stream
from tap_personio.tap import TapPersonio

from .conftest import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

WITHHELD = {
    "personio:attendances:read": ["attendance_periods", "project_members", "projects"],
    "personio:compensations:read": ["compensation_types", "compensations"],
    "documents:read": ["document_categories", "documents"],
}


def make_tap(sandbox: Sandbox, **config: Any) -> TapPersonio:
    return TapPersonio(config={"api_url": f"{sandbox.url}/personio", **CREDENTIALS, **config}, setup_mapper=False)


def test_doctor_reads_every_stream_with_one_request(sandbox: Sandbox) -> None:
    report = make_tap(sandbox, optional_streams=["*"], legacy_v1_streams=True).make_report("doctor", {})
    verdicts = {finding["stream"]: finding["verdict"] for finding in report.content["streams"]}
    assert set(verdicts.values()) == {"readable"}, verdicts
    assert report.content["advice"] == []
    requests = [request["path"] for request in sandbox.requests() if "/auth" not in request["path"]]
    assert len(requests) == len(verdicts) + 1  # the attributes are also read by discovery


def test_discovery_reads_custom_attributes_with_the_credentials(sandbox: Sandbox) -> None:
    employees = make_tap(sandbox).streams["employees"]
    assert "dynamic_10001" in employees.schema["properties"]


def test_doctor_names_three_withheld_permissions_and_hidden_attributes(sandbox: Sandbox) -> None:
    for permission in WITHHELD:
        sandbox.control("revoke", vendor="personio", permission=permission)
    sandbox.control("revoke", vendor="personio", endpoint="/v2/legal-entities", status=412)
    for attribute in ("persons.updated_at", "employees.fix_salary", "employees.dynamic_10001"):
        sandbox.control("allow-list", vendor="personio", attribute=attribute, allowed=False)
    report = make_tap(sandbox).make_report("doctor", {})
    assert report.succeeded
    permissions, modules, columns = report.content["advice"]
    assert permissions["for"] == WITHHELD
    assert "Settings, Integrations, API credentials" in permissions["advice"]
    assert modules["for"] == {"personio:legal-entities:read": ["legal_entities"]}
    assert set(columns["for"]) == {"employees", "persons"}
    assert columns["for"]["persons"] == ["updated_at"]
    salary, custom = columns["for"]["employees"]
    assert salary == "fix_salary"
    assert custom == "dynamic_10001 (Feld)"  # as Personio's own page names it
    for permission in WITHHELD:
        assert f"needs {permission}" in report.text
    assert "without updated_at, each run reads everything" in report.text


def test_doctor_with_wrong_credentials_checks_no_stream(sandbox: Sandbox) -> None:
    report = make_tap(sandbox, client_secret="wr0ng").make_report("doctor", {})
    assert not report.succeeded
    assert report.content["connection"]["host"]["status"] == "ok"
    assert report.content["connection"]["credentials"]["status"] == "failed"
    assert "Personio rejects the credentials" in report.text
    assert report.content["streams"] == []
    assert len(sandbox.requests()) == 1


def test_run_sends_as_many_requests_as_planned(run: Callable[..., Any], sandbox: Sandbox) -> None:
    state: dict[str, Any] = {}
    for name in ("full", "incremental"):
        report = make_tap(sandbox).make_report("plan", state).content
        sandbox.clear_requests()
        state = run(f"{sandbox.url}/personio", state=state or None).state
        sent = requests_by_stream(make_tap(sandbox), sandbox.requests(), "/personio")
        below, planned, expected = compare_with_plan(report[name]["streams"], sent)
        assert below == set()
        assert abs(planned - expected) <= expected / 10
