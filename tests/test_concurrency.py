"""Compares runs of every stream of each tap with one and with 32 concurrent requests."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest.tap import RestTap
from singer_rest.testing import Output, sync_streams
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
ALL = {"optional_streams": ["*"]}
TOKEN = re.compile(r"token=[^&\"]*")
"""Part of links in the state that differs in every response."""


def add_fault(sandbox: Sandbox, path: str, status: int, **more: Any) -> None:
    """Makes a path always respond with a status."""
    sandbox.control("fault", path=path, kind="status", status=status, times=None, **more)


def break_personio(sandbox: Sandbox) -> None:
    """Parents that return 404 or 500, a duplicate record, a missing permission."""
    persons = [row["id"] for row in sandbox.records("personio", "persons")]
    for person, status in zip(persons, (404, 500), strict=False):
        add_fault(sandbox, f"/personio/v2/persons/{person}/employments", status)
    sandbox.control("duplicate", vendor="personio", stream="persons", id=persons[-1])
    sandbox.control("revoke", vendor="personio", permission="personio:compensations:read")


def break_factorial(sandbox: Sandbox) -> None:
    """Lists shorter than their total, rows without a key, a module that is not licensed, a failing endpoint."""
    lists = {"teams/teams": "short", "contracts/contract_versions": "short", "ats/candidates": "keyless"}
    for path, mode in lists.items():
        sandbox.control("mode", vendor="factorial", path=path, mode=mode)
    sandbox.control("revoke", vendor="factorial", permission="posts", status=402)
    add_fault(sandbox, "/factorial/api/2026-10-01/resources/locations/locations", 500)


def break_cornerstone(sandbox: Sandbox) -> None:
    """Lists shorter than their total, failed items, forbidden employees, truncated pages."""
    root = "/cornerstone/services/api/x"
    employees = [row["id"] for row in sandbox.records("cornerstone", "employees")]
    for employee, status in zip(employees, (404, 403, 401, 400, 500), strict=False):
        add_fault(sandbox, f"{root}/users/v2/employees/{employee}/groups", status)
    imports = [row["id"] for row in sandbox.records("cornerstone", "bulk_imports") if row["total_records"] > 1]
    for import_id, status in zip(imports, (404, 410, 500), strict=False):
        add_fault(sandbox, f"{root}/bulk-api/v1/imports/{import_id}/report", status)
    forms = {
        "skills": "short",
        "organizational_units": "short",
        "transcripts": "failed-item",
        "training_details": "failed-item",
        "bulk_jobs": "short",
        "bulk_import_reports": "stray-byte",
        "employee_skills": "no-content",
        "ou_core": "error",
    }
    for stream, form in forms.items():
        sandbox.control("cornerstone/failure", stream=stream, form=form, times=None)
    for stream in ("transcript_core", "users_core"):
        sandbox.control("cornerstone/short-pages", stream=stream, rows=40)
        sandbox.control("cornerstone/failure", stream=stream, form="cut", times=None, above=2000)
    sandbox.control("revoke", vendor="cornerstone", permission="obj_training_core:read")


def days_ago(days: int) -> str:
    """Returns a past date."""
    return f"{datetime.now(timezone.utc) - timedelta(days=days):%Y-%m-%d}"


TAPS: dict[str, tuple[type[RestTap], dict[str, Any], Callable[[Sandbox], None]]] = {
    "personio": (TapPersonio, {**CLIENT, "legacy_v1_streams": True, "start_date": days_ago(70)}, break_personio),
    "factorial": (TapFactorial, {"api_key": "sandbox-api-key", "start_date": days_ago(70)}, break_factorial),
    "cornerstone": (TapCornerstone, {**CLIENT, "start_date": days_ago(3)}, break_cornerstone),
}


def results_of(output: Output, log: list[logging.LogRecord]) -> dict[str, Any]:
    """Returns the results of a run, regardless of the order of records and warnings."""
    records = Counter((message["stream"], json.dumps(message["record"])) for message in output.messages_of("RECORD"))
    return {
        "records": records,
        "versions": sorted(json.dumps(message) for message in output.messages_of("ACTIVATE_VERSION")),
        "state": TOKEN.sub("token", json.dumps(output.state, sort_keys=True)),
        "warnings": Counter(entry.getMessage() for entry in log if entry.levelno >= logging.WARNING),
    }


@pytest.mark.parametrize("vendor", TAPS)
def test_results_do_not_depend_on_concurrency(
    vendor: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    tap_class, config, break_sandbox = TAPS[vendor]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(RestTap, "started", datetime.now(timezone.utc))
    monkeypatch.setattr(RestTap, "first_delay", 0.0001)
    found = []
    with running(employees=10, requests_per_minute=6_000_000) as sandbox:
        break_sandbox(sandbox)
        for requests in (1, 32):
            caplog.clear()
            fails: list[Exception] = []
            tap = tap_class(config={"api_url": f"{sandbox.url}/{vendor}", "max_concurrency": requests, **config, **ALL})
            output = sync_streams(tap, fails=fails)
            found.append({**results_of(output, caplog.records), "fails": [str(error) for error in fails]})
            sandbox.control("cornerstone/reset-downloads")
    one, many = found
    assert one["records"]
    assert one["versions"]
    assert one["fails"]
    assert one == many
