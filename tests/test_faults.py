"""A small part of `make faults`: each of its parts, with few streams and few trials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from faults import bench as benches
from faults import days, killer, markers, mutator, pairs, proxy, report, trials, verdict
from faults.kinds import KINDS
from faults.trials import Book, Options, Outcome
from faults.vendors import VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif("FAULTS" not in os.environ, reason="minutes of trials: make test-faults runs them")

STREAMS = {
    "personio": "persons employments absence_types absence_periods absence_period_breakdowns org_units projects "
    "attendance_periods compensations employees webhooks webhook_events",
    "factorial": "employees_employees teams_teams teams_memberships finance_accounts attendance_shifts "
    "contracts_contracts contracts_contract_activity_periods api_public_webhook_subscriptions timeoff_leaves",
    "cornerstone": "users_core user_ou_core ou_core transcript_core employees employee_groups transcripts bulk_jobs "
    "bulk_imports bulk_import_reports job_requisitions vw_rpt_user_cf",
}
"""Lists with parents and children, windows, filters, changes that are tracked, secrets; few enough to be quick."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Companies of ten, some streams, short parts."""
    monkeypatch.setattr(benches, "EMPLOYEES", 10)
    monkeypatch.setattr(benches, "CHANGES", 25)
    monkeypatch.setattr(benches, "ONLY", {stream for streams in STREAMS.values() for stream in streams.split()})
    monkeypatch.setattr(proxy, "OTHERS", 3)


@pytest.fixture
def held(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Make some trials, and see that each held."""

    def held(run: Any, vendor: str, share: float, seed: int = 7) -> None:
        book = Book(seed)
        run(Options(seed, (vendor,), tmp_path, share=share), book)
        assert book.outcomes
        assert [outcome.detail for outcome in book.failures] == [], capfd.readouterr().out

    return held


@pytest.mark.parametrize("vendor", VENDORS)
def test_bad_answers(vendor: str, held: Callable[..., None]) -> None:
    held(proxy.run, vendor, 10 / len(KINDS))


@pytest.mark.parametrize("vendor", VENDORS)
def test_runs_that_are_stopped(vendor: str, held: Callable[..., None]) -> None:
    held(killer.run, vendor, 2 / killer.TRIALS[vendor])


@pytest.mark.parametrize("vendor", VENDORS)
def test_odd_values(vendor: str, held: Callable[..., None]) -> None:
    held(mutator.run, vendor, 1 / len(mutator.ROUNDS[vendor]))


def test_days_of_a_company(held: Callable[..., None]) -> None:
    held(days.run, "cornerstone", 3 / days.DAYS)


def test_two_at_once(held: Callable[..., None]) -> None:
    held(pairs.run, "factorial", 1 / len(pairs.TRIALS["factorial"]))


def test_planted_words(held: Callable[..., None]) -> None:
    held(markers.run, "personio", 1 / len(markers.KINDS))


def test_a_row_that_is_lost_marked_or_changed_is_seen(tmp_path: Path) -> None:
    def file(name: str, rows: str) -> Path:
        with duckdb.connect(tmp_path / name) as connection:
            connection.execute(f"CREATE SCHEMA {verdict.SCHEMA}")
            connection.execute(
                f"CREATE TABLE {verdict.SCHEMA}.s AS FROM (VALUES {rows}) t(id, name, {verdict.DELETED})"
            )
        return tmp_path / name

    right = file("right.duckdb", "('1', 'a', NULL), ('2', 'b', NULL), ('3', 'c', NULL), ('4', 'd', '2026-01-01')")
    same = file("same.duckdb", "('3', 'c', NULL), ('2', 'b', NULL), ('1', 'a', NULL)")
    other = file("other.duckdb", "('1', 'a', '2026-01-01'), ('3', 'x', NULL), ('4', 'd', NULL)")
    assert verdict.compared(right, same, {"s": ("id",)}) == {}
    (difference,) = verdict.compared(right, other, {"s": ("id",)}).values()
    assert difference.parts() == ([("2",)], [("1",)], [("4",)], [("3",)])


def test_the_page_counts_what_came_of_the_trials(tmp_path: Path) -> None:
    book = Book(7, tmp_path / "results.jsonl")
    book.add(Outcome("proxy", "personio", 1, "status", Verdict.EXACT, "402"))
    book.add(Outcome("mutator", "factorial", 0, "a field", Verdict.IN_EXTRA, "30 values", count=30))
    book.add(Outcome("proxy", "personio", 2, "status", Verdict.SILENT, "410", "persons: 3 missing"))
    assert [outcome.what for outcome in book.failures] == ["410"]
    page = report.page(list(trials.read([tmp_path / "results.jsonl"])), report.Made("2026-11-28", 7, 50))
    assert "32 trials on 2026-11-28, in 50 minutes. **1 broke a promise.**" in page
    assert "| Bad answers | 2 | 1 | 0 | 1 | 0 | 0 | 0 |" in page
    assert "| Odd values | 30 | 0 | 30 | 0 | 0 | 0 | 0 |" in page
