"""`--doctor` and `--plan` against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import compare_with_plan, requests_by_stream
from tap_factorial.tap import TapFactorial

from .conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow


def make_tap(url: str, **config: Any) -> TapFactorial:
    credential = {} if "access_token" in config else {"api_key": KEY}
    return TapFactorial(config={"api_url": url, **credential, **config}, setup_mapper=False)


def test_doctor_reads_every_stream_with_one_request(sandbox: Sandbox, url: str) -> None:
    report = make_tap(url).make_report("doctor", {}).content
    assert set(report["verdicts"]) <= {"readable", "not_checked"}
    assert {one["stream"] for one in report["streams"] if one["rows"]} >= {"employees_employees", "contracts_contracts"}
    requests = [request["path"] for request in sandbox.requests()]
    assert len(requests) <= len(report["streams"]) + 2  # the credential is checked


def test_doctor_names_three_withheld_modules(sandbox: Sandbox, url: str) -> None:
    for module in ("posts", "timeoff", "employees"):
        sandbox.control("revoke", vendor="factorial", permission=module)
    report = make_tap(url).make_report("doctor", {})
    assert report.succeeded
    (permissions,) = report.content["advice"]
    assert "An API key has every scope" in permissions["advice"]
    modules = {text.rpartition(" ")[2]: streams for text, streams in permissions["for"].items()}
    assert set(modules) == {"posts", "timeoff", "employees"}
    assert modules["posts"] == ["posts_comments", "posts_groups", "posts_posts"]
    assert "compensations_additional_compensations" in modules["employees"]  # its parents are employees
    assert "needs the scope time_off, and a plan that includes the module timeoff" in report.text


def test_doctor_names_columns_that_the_permission_group_hides(sandbox: Sandbox, url: str) -> None:
    token = sandbox.control("factorial/login", company=True)["access_token"]
    for attribute in ("first_name", "birthday_on"):
        sandbox.control("allow-list", vendor="factorial", attribute=f"employees_employees.{attribute}", allowed=False)
    report = make_tap(url, access_token=token).make_report("doctor", {}).content
    (columns,) = report["advice"]
    assert {"first_name", "birthday_on"} <= set(columns["for"]["employees_employees"])
    assert "permission group" in columns["advice"]
    assert make_tap(url).make_report("doctor", {}).content["advice"] == []  # a key reads everything


def test_run_sends_as_many_requests_as_planned(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    state: dict[str, Any] = {}
    for name in ("full", "incremental"):
        report = make_tap(url).make_report("plan", state).content
        sandbox.clear_requests()
        state = run(url, state=state or None).state
        sent = requests_by_stream(make_tap(url), sandbox.requests(), "/factorial")
        below, planned, expected = compare_with_plan(report[name]["streams"], sent)
        assert below == set()
        assert abs(planned - expected) <= expected / 10
