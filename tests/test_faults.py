"""A small selection of `make faults`: every part, with few streams and few trials."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from singer_rest.errors import describe_error

from faults import (
    days,
    killer,
    markers,
    meltano_killer,
    mutator,
    pairs,
    pipeline_run,
    processes,
    proxy,
    report,
    testbench,
    verdict,
    webhooks,
)
from faults.faulty_responses import FAULTY_RESPONSES
from faults.results import Options, Outcome, ResultLog, read_results
from faults.vendors import VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from faults.testbench import TestBench
    from faults.vendors import Vendor

pytestmark = pytest.mark.slow

SEED = 7
STREAMS = {
    "personio": "persons employments absence_types absence_periods absence_period_breakdowns org_units "
    "employees webhooks webhook_events",
    "factorial": "employees_employees teams_teams teams_memberships finance_accounts attendance_shifts "
    "contracts_contract_activity_periods api_public_webhook_subscriptions timeoff_leaves",
    "cornerstone": "users_core user_ou_core ou_core transcript_core employees employee_groups transcripts "
    "job_requisitions vw_rpt_user_cf",
}
"""A small selection with parents and children, windows, filters, change tracking and secrets."""


class SharedBenches:
    """One test bench per vendor, so that its reference databases are built once."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._benches: dict[str, TestBench] = {}

    def __call__(self, vendor: Vendor, _folder: Path, seed: int) -> AbstractContextManager[TestBench]:
        if vendor.name not in self._benches:
            bench = testbench.TestBench(vendor, self._folder / vendor.name, seed)
            self._benches[vendor.name] = self._stack.enter_context(bench)
        return nullcontext(self._benches[vendor.name])


ONE_NOW_ALL_DEEP = [
    vendor if vendor == "personio" else pytest.param(vendor, marks=pytest.mark.deep) for vendor in VENDORS
]
"""One vendor in `make test`, the others in `make test-deep`."""


@pytest.fixture(scope="module", autouse=True)
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ten employees, few streams, few changes, shared test benches."""
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as stack:
        monkeypatch.setattr(testbench, "EMPLOYEES", 10)
        monkeypatch.setattr(testbench, "CHANGES", 15)
        monkeypatch.setattr(
            testbench, "STREAMS", {stream for streams in STREAMS.values() for stream in streams.split()}
        )
        monkeypatch.setattr(processes, "PRELOADED", [*processes.PRELOADED, "pytest"])
        monkeypatch.setattr(proxy, "OTHERS", 2)
        monkeypatch.setattr(days, "CHANGES", 10)
        shared = SharedBenches(stack, tmp_path_factory.mktemp("benches"))
        for part in (killer, mutator, pairs, proxy):
            monkeypatch.setattr(part, "TestBench", shared)
        yield


@pytest.fixture
def assert_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Runs some trials and asserts that none failed."""

    def assert_passes(run: Any, vendor: str, share: float = 1, trial: int | None = None) -> None:
        results = ResultLog(SEED)
        run(Options(SEED, (vendor,), tmp_path, trial, share), results)
        assert results.outcomes
        assert [outcome.detail for outcome in results.failures] == [], capfd.readouterr().out

    return assert_passes


@pytest.mark.parametrize("vendor", ONE_NOW_ALL_DEEP)
def test_runs_pass_with_faulty_responses(vendor: str, assert_passes: Callable[..., None]) -> None:
    assert_passes(proxy.run, vendor, 1 / len(FAULTY_RESPONSES))


def test_runs_pass_after_they_were_stopped(assert_passes: Callable[..., None]) -> None:
    assert_passes(killer.run, "factorial", 1 / killer.TRIALS["factorial"])


@pytest.mark.parametrize("vendor", ONE_NOW_ALL_DEEP)
def test_runs_pass_with_mutated_values(vendor: str, assert_passes: Callable[..., None]) -> None:
    assert_passes(mutator.run, vendor, 1 / len(mutator.ROUNDS[vendor]))


def test_runs_pass_on_simulated_days(assert_passes: Callable[..., None]) -> None:
    assert_passes(days.run, "cornerstone", 2 / days.DAYS)


def test_runs_pass_at_the_same_time(assert_passes: Callable[..., None]) -> None:
    assert_passes(pairs.run, "factorial", 1 / len(pairs.TRIALS["factorial"]))


@pytest.mark.deep
def test_no_event_is_lost_or_repeated(assert_passes: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOAD", webhooks.Load(employees=20, bursts=2, changes=300, every=6, kills=6))
    monkeypatch.setattr(webhooks, "MAX_SECONDS", webhooks.GIVE_UP_SECONDS)  # times are measured elsewhere
    monkeypatch.setattr(webhooks, "MAX_ANSWER_SECONDS", webhooks.GIVE_UP_SECONDS)
    assert_passes(webhooks.run, webhooks.VENDOR, trial=0)


@pytest.mark.deep
def test_attacks_on_the_receiver_have_no_effect(assert_passes: Callable[..., None]) -> None:
    assert_passes(webhooks.run, webhooks.VENDOR, trial=1)


def test_planted_markers_do_not_leak(assert_passes: Callable[..., None]) -> None:
    (trial,) = (
        number for number, scenario in enumerate(markers.SCENARIOS) if scenario.name.startswith("error responses")
    )
    assert_passes(markers.run, "personio", trial=trial)


def test_leaks_are_found_where_others_can_read(tmp_path: Path) -> None:
    planter = markers.MarkerPlanter("", with_errors=False)
    for name, mode in (("open", 0o755), ("closed", 0o700)):
        (tmp_path / name / "run").mkdir(parents=True)
        for file, file_mode in (("readable", 0o644), ("private", 0o600)):
            path = tmp_path / name / "run" / file
            path.write_text(f"{markers.PERSON_PREFIX}1")
            path.chmod(file_mode)
        (tmp_path / name).chmod(mode)
    search = markers.LeakSearch(planter)
    search.search_files(tmp_path)
    assert search.leaks == [f"readable (readable by others) contains '{markers.PERSON_PREFIX}1'"]


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
    assert verdict.compare_with_reference(reference, same, {"s": ("id",)}) == {}
    (difference,) = verdict.compare_with_reference(reference, other, {"s": ("id",)}).values()
    assert difference.list_keys_by_type() == ([("2",)], [("1",)], [("4",)], [("3",)])


def test_the_report_counts_outcomes(tmp_path: Path) -> None:
    results = ResultLog(7, tmp_path / "results.jsonl")
    results.add_outcome(Outcome("proxy", "personio", 1, "status", Verdict.EXACT, "402"))
    results.add_outcome(Outcome("mutator", "factorial", 0, "a field", Verdict.IN_EXTRA, "30 values", count=30))
    results.add_outcome(Outcome("proxy", "personio", 2, "status", Verdict.SILENTLY_WRONG, "410", "persons: 3 missing"))
    assert [outcome.description for outcome in results.failures] == ["410"]
    page = report.render_report(list(read_results([tmp_path / "results.jsonl"])), report.RunInfo("2026-11-28", 7, 50))
    section = report.render_webhooks(
        [Outcome("webhooks", "all", 0, "load", Verdict.EXACT, "9 requests")], report.RunInfo("2026-11-28", 7, 5)
    )
    assert report._insert(report._insert(page, "## Webhooks\n\nformer\n\n"), section).count("## Webhooks\n") == 1
    assert "- 9 requests\n" in section
    assert "| load | 1 | 1 | 0 | 0 | 0 | 0 |" in section
    assert "32 fault-injection cases on 2026-11-28, in 50 minutes. **1 failed.**" in page
    assert "| Faulty responses | 2 | 1 | 0 | 1 | 0 | 0 | 0 |" in page
    assert "| Mutated values | 30 | 0 | 30 | 0 | 0 | 0 | 0 |" in page


@pytest.mark.parametrize("texts", [pipeline_run.UNEXPECTED_TEXTS, meltano_killer.UNEXPECTED_TEXTS])
def test_unexpected_errors_are_recognised_by_their_text(texts: tuple[str, ...]) -> None:
    assert any(text in describe_error(KeyError("x")) for text in texts)
