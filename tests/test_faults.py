"""A small selection of `make faults`: every part, with few streams and few trials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from faults import days, killer, markers, mutator, pairs, proxy, report, testbench, verdict
from faults.faulty_responses import FAULTY_RESPONSES
from faults.results import Options, Outcome, ResultLog, read_results
from faults.vendors import VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif("FAULTS" not in os.environ, reason="takes minutes; run it with make test-faults")

STREAMS = {
    "personio": "persons employments absence_types absence_periods absence_period_breakdowns org_units projects "
    "attendance_periods compensations employees webhooks webhook_events",
    "factorial": "employees_employees teams_teams teams_memberships finance_accounts attendance_shifts "
    "contracts_contracts contracts_contract_activity_periods api_public_webhook_subscriptions timeoff_leaves",
    "cornerstone": "users_core user_ou_core ou_core transcript_core employees employee_groups transcripts bulk_jobs "
    "bulk_imports bulk_import_reports job_requisitions vw_rpt_user_cf",
}
"""A small selection with parents and children, windows, filters, change tracking and secrets."""


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten employees, few streams, few changes."""
    monkeypatch.setattr(testbench, "EMPLOYEES", 10)
    monkeypatch.setattr(testbench, "CHANGES", 25)
    monkeypatch.setattr(testbench, "STREAMS", {stream for streams in STREAMS.values() for stream in streams.split()})
    monkeypatch.setattr(proxy, "OTHERS", 3)


@pytest.fixture
def assert_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Runs some trials and asserts that none failed."""

    def assert_passes(run: Any, vendor: str, share: float, seed: int = 7) -> None:
        results = ResultLog(seed)
        run(Options(seed, (vendor,), tmp_path, share=share), results)
        assert results.outcomes
        assert [outcome.detail for outcome in results.failures] == [], capfd.readouterr().out

    return assert_passes


@pytest.mark.parametrize("vendor", VENDORS)
def test_faulty_responses(vendor: str, assert_passes: Callable[..., None]) -> None:
    assert_passes(proxy.run, vendor, 10 / len(FAULTY_RESPONSES))


@pytest.mark.parametrize("vendor", VENDORS)
def test_stopped_runs(vendor: str, assert_passes: Callable[..., None]) -> None:
    assert_passes(killer.run, vendor, 2 / killer.TRIALS[vendor])


@pytest.mark.parametrize("vendor", VENDORS)
def test_mutated_values(vendor: str, assert_passes: Callable[..., None]) -> None:
    assert_passes(mutator.run, vendor, 1 / len(mutator.ROUNDS[vendor]))


def test_simulated_days(assert_passes: Callable[..., None]) -> None:
    assert_passes(days.run, "cornerstone", 3 / days.DAYS)


def test_concurrent_runs(assert_passes: Callable[..., None]) -> None:
    assert_passes(pairs.run, "factorial", 1 / len(pairs.TRIALS["factorial"]))


def test_planted_markers(assert_passes: Callable[..., None]) -> None:
    assert_passes(markers.run, "personio", 1 / len(markers.SCENARIOS))


def test_missing_deleted_extra_and_changed_rows_are_found(tmp_path: Path) -> None:
    def database(name: str, rows: str) -> Path:
        with duckdb.connect(tmp_path / name) as connection:
            connection.execute(f"CREATE SCHEMA {verdict.SCHEMA}")
            connection.execute(
                f"CREATE TABLE {verdict.SCHEMA}.s AS FROM (VALUES {rows}) t(id, name, {verdict.DELETED})"
            )
        return tmp_path / name

    reference = database(
        "reference.duckdb", "('1', 'a', NULL), ('2', 'b', NULL), ('3', 'c', NULL), ('4', 'd', '2026-01-01')"
    )
    same = database("same.duckdb", "('3', 'c', NULL), ('2', 'b', NULL), ('1', 'a', NULL)")
    other = database("other.duckdb", "('1', 'a', '2026-01-01'), ('3', 'x', NULL), ('4', 'd', NULL)")
    assert verdict.compare(reference, same, {"s": ("id",)}) == {}
    (difference,) = verdict.compare(reference, other, {"s": ("id",)}).values()
    assert difference.parts() == ([("2",)], [("1",)], [("4",)], [("3",)])


def test_the_report_counts_outcomes(tmp_path: Path) -> None:
    results = ResultLog(7, tmp_path / "results.jsonl")
    results.add(Outcome("proxy", "personio", 1, "status", Verdict.EXACT, "402"))
    results.add(Outcome("mutator", "factorial", 0, "a field", Verdict.IN_EXTRA, "30 values", count=30))
    results.add(Outcome("proxy", "personio", 2, "status", Verdict.SILENTLY_WRONG, "410", "persons: 3 missing"))
    assert [outcome.description for outcome in results.failures] == ["410"]
    page = report.render(list(read_results([tmp_path / "results.jsonl"])), report.RunInfo("2026-11-28", 7, 50))
    assert "32 fault-injection cases on 2026-11-28, in 50 minutes. **1 failed.**" in page
    assert "| Faulty responses | 2 | 1 | 0 | 1 | 0 | 0 | 0 |" in page
    assert "| Mutated values | 30 | 0 | 30 | 0 | 0 | 0 | 0 |" in page
