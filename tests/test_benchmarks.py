"""The benchmark server responds as the taps expect, so that they read all of its records."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from benchmarks import __main__ as arguments
from benchmarks import bends, commands, runner, start, tap_cpu
from benchmarks.cases import OURS, TUNED, Case, make_plan
from benchmarks.chart import Chart, choose_ticks
from benchmarks.compare import compare_rows
from benchmarks.datasets import DATASETS
from benchmarks.report import Report
from benchmarks.summary import Summaries
from benchmarks.usage import run_and_measure

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

ROWS = 731


@pytest.fixture
def benchmark_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "DATA", tmp_path / "data")
    monkeypatch.setattr(commands, "HOME", tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "dataset",
    [name if name == "attendances" else pytest.param(name, marks=pytest.mark.deep) for name in DATASETS],
)
def test_tap_and_loader_load_all_rows_of_the_server(dataset: str, benchmark_home: Path) -> None:
    case = Case(dataset, ROWS)
    folder = benchmark_home / "run"
    folder.mkdir()
    with runner.run_server(case) as url:
        result = runner.run_one(case, OURS, commands.Commands(case, url, folder))
    assert result["error"] is None
    assert result["comparison"] == {
        "rows": [ROWS, ROWS],
        "only": [0, 0],
        "columns": len(DATASETS[dataset].columns),
        "missing": [],
    }


@pytest.mark.slow
@pytest.mark.deep
def test_tap_alone_is_measured(benchmark_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_cpu, "HOME", benchmark_home)
    usage = tap_cpu.run_tap("attendance_shifts", ROWS, privacy="everything", profiler="")
    assert usage.succeeded
    assert usage.cpu > 0


@pytest.mark.parametrize("dataset", DATASETS)
def test_records_are_those_of_the_given_days(dataset: str, tmp_path: Path) -> None:
    rows = DATASETS[dataset].build_rows(tmp_path, ROWS)
    records = json.loads(b"[" + bytes(rows.read_range(0, ROWS)) + b"]")
    assert len(records) == ROWS
    assert records == json.loads(DATASETS[dataset].records_path(tmp_path, ROWS).read_bytes())
    assert rows.find_first_on_day("1970-01-01") == 0
    assert rows.find_first_after_day("2035-01-01") == ROWS
    first, last = rows.find_first_on_day("2026-02-01"), rows.find_first_after_day("2026-02-28")
    assert 0 < last - first < ROWS
    assert rows.find_first_on_day("2026-03-01T00:00:00") == last
    if dataset == "attendances":
        days = [record["attributes"]["date"] for record in records]
        assert all("2026-02-01" <= day <= "2026-02-28" for day in days[first:last])
        assert days[first - 1] < "2026-02-01"
        assert days[last] > "2026-02-28"


def test_records_are_generated_again_if_their_form_has_changed(tmp_path: Path) -> None:
    dataset = DATASETS["attendances"]
    dataset.build_rows(tmp_path, ROWS)
    path = dataset.records_path(tmp_path, ROWS)
    current = path.read_bytes()
    path.write_bytes(b"[\n{}" + current)
    dataset.build_rows(tmp_path, ROWS)
    assert path.read_bytes() == current


def test_a_changed_value_and_a_lost_row_are_found(tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    dataset = DATASETS["attendance_periods"]
    dataset.build_rows(tmp_path, ROWS)
    records, database = str(dataset.records_path(tmp_path, ROWS)), str(tmp_path / "loaded.duckdb")
    with duckdb.connect(database) as connection:
        connection.execute("CREATE SCHEMA hr")
        connection.execute(f"CREATE TABLE hr.attendance_periods AS FROM read_json('{records}')")
    assert compare_rows("attendance_periods", database, records)["only"] == [0, 0]
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE hr.attendance_periods SET comment = 'other' WHERE rowid = 3")
        connection.execute("DELETE FROM hr.attendance_periods WHERE rowid = 5")
        connection.execute("ALTER TABLE hr.attendance_periods DROP COLUMN is_holiday")
    found = compare_rows("attendance_periods", database, records)
    assert found["rows"] == [ROWS - 1, ROWS]
    assert found["only"] == [1, 2]
    assert found["missing"] == ["is_holiday"]


@pytest.mark.slow
def test_usage_counts_all_processes_of_a_pipe(tmp_path: Path) -> None:
    writes = [sys.executable, "-c", "import sys; sys.stdout.write('x' * 1_000_000)"]
    reads = [sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()) != 1_000_000)"]
    assert run_and_measure([writes, reads], tmp_path / "log").codes == (0, 0)
    assert run_and_measure([reads], tmp_path / "log").codes == (1,)
    loops = [sys.executable, "-c", "while True: pass"]
    assert not run_and_measure([loops], tmp_path / "log", timeout=0.2).succeeded


@pytest.mark.slow
def test_a_limit_is_kept_and_counted(benchmark_home: Path) -> None:
    assert benchmark_home
    with runner.run_server(Case("attendances", ROWS, limit=2)) as url:
        target = f"{url}/v1/company/attendances?start_date=1970-01-01&end_date=2035-01-01&limit=200&offset=0"
        with pytest.raises(HTTPError, match="429") as error:
            for _ in range(500):
                with urlopen(target) as reply:  # noqa: S310 - our own server
                    assert len(json.load(reply)["data"]) == 200
        error.value.close()
        counted = runner.fetch_stats(url)
    assert counted["rejected"] == 1
    assert counted["pages"] == counted["requests"] >= 3


def make_result(case: Case, peer: str, seconds: float) -> dict[str, Any]:
    served = {"requests": 75, "pages": 74, "rejected": 0, "cpu": 0.1, "first_page": 0.0, "last_page": 7.0}
    compared = {"rows": [case.rows] * 2, "only": [0, 0], "columns": 1, "missing": []}
    run = {"seconds": seconds, "cpu": 1.0, "peak_memory_mb": 100.0, "server": served, "comparison": compared}
    return {"case": case.key, "peer": peer, **run, "same": True, "error": None}


def test_the_page_is_written_from_what_there_is(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "performance.md"
    chosen = make_plan(10_000, {})
    Report(chosen, [], {}, page).write_page()
    assert "## Into DuckDB" in page.read_text()
    results = [
        make_result(case, peer, seconds)
        for case in chosen.cases
        for peer, seconds in ((OURS, 2.0), (OURS, 4.0), (OURS, 3.0), (TUNED, 6.0))
    ]
    results.append({**make_result(chosen.table[3], "published", 9.0), "error": "it broke"})
    begin = {
        "discovery": {
            start.SDK: {"seconds": 1.0, "cpu": 0.5, "least_cpu": 0.4},
            "tap-x --discover": {"seconds": 1.1, "cpu": 0.6, "least_cpu": 0.5},
        },
        "first_request": {"tap": 1.0, "meltano": 3.5},
        "requests": {"tap-x": {"streams": 3, "incremental": 2, "first": 9, "second": 4, "most": [["/a", 3]]}},
    }
    Report(chosen, results, begin, page).write_page()
    text = page.read_text()
    assert "| 10k attendances, 0 ms, append | tap and target-duckdb | 3.0 |" in text
    assert "|  | dlt, tuned by hand | 6.0 | 2.0 |" in text
    assert "failed: it broke" in text
    assert "| `tap-x --discover` | 1.10 | 1.10 | 0.60 | 1.20 | 0.50 | 1.25 |" in text
    assert "2.5 s are Meltano's own" in text
    assert "Before the first request, 1.0 s" in " ".join(text.split())
    assert "| tap-x | 3 | 2 | 9 | 4 | `/a` 3 |" in text
    assert sorted(path.name for path in (tmp_path / "docs" / "performance").iterdir()) == [
        "in_flight.svg",
        "latency_ms.svg",
        "rows.svg",
    ]


def test_larger_of_cpu_and_latency_bounds_a_run() -> None:
    case = Case("attendances", 1_000, latency_ms=400, in_flight=15)  # 75 requests wait 2 s, 15 at a time
    for cpu, expected in ((2.0, "1.0 | 2.0 | latency | 1.0 |"), (5.0, "2.5 | 2.0 | CPU | 0.5 |")):
        result = {**make_result(case, OURS, 3.0), "cpu": cpu}
        text = bends.explain_bounds([case], Summaries([result]), cores=2, start=0.4)
        assert text.splitlines()[-1] == f"| {case.title} | 3.0 | {expected}"


def test_equal_cases_are_run_once() -> None:
    chosen = make_plan(1_000_000, {})
    keys = [str(case.key) for case in chosen.cases]
    assert len(keys) == len(set(keys))
    assert {str(case.key) for case in (*chosen.rows, *chosen.latency, *chosen.in_flight)} <= set(keys)


def test_groups_of_cases_are_repeated_the_given_number_of_times() -> None:
    number, group = arguments.repeat("2"), arguments.repeat("rows=0")
    assert (number, group) == (("", 2), ("rows", 0))
    for text in ("rowz=1", "rows=", "x"):
        with pytest.raises(ArgumentTypeError, match="in_flight"):
            arguments.repeat(text)
    chosen = make_plan(1_000_000, {"table": 5, "vendors": 2, "rows": 0})
    in_table, also_in_rows = chosen.table[0], chosen.rows[1]
    assert chosen.count_repeats(in_table, OURS) == 5
    assert chosen.count_repeats(also_in_rows, OURS) == 5
    assert chosen.count_repeats(chosen.vendors[2], OURS) == 2
    assert chosen.count_repeats(chosen.vendors[2], "published") == 1
    assert chosen.count_repeats(chosen.rows[0], OURS) == 0
    assert chosen.count_repeats(chosen.limits[0], OURS) == 1


def test_ticks_are_round_and_cover_the_values() -> None:
    assert choose_ticks(47) == [0, 10, 20, 30, 40, 50]
    assert choose_ticks(250, 0.3) == [0.1, 1, 10, 100, 1000]
    svg = Chart("a < b", "x", "y", {"one": [(1, 2.0), (10, 3.0)]}, log_x=True).render_svg()
    assert "a &lt; b" in svg
    assert "polyline" in svg
