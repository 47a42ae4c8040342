"""A first load in parts: together they are the whole, at any time and after kills, and runs go on from their states."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_sandbox.testing import running
from singer_rest.state.merge_states import merge_states
from singer_rest.testing import Output, sync_streams
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

from tests.helpers import code_blocks, tap_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.testing import Sandbox

    from tests.conftest import Project

pytestmark = pytest.mark.deep

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "how-to" / "parts.md"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TAPS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "personio": (TapPersonio, {}),
    "factorial": (TapFactorial, {}),
    "cornerstone": (TapCornerstone, {"views": ["*"], "objects": ["*"]}),
}
"""The taps, and their settings beside those that enable all streams."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture(params=TAPS)
def read(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Output, int]]:
    """Runs a tap with all of its streams. Returns its output and the number of its requests."""
    tap_type, further = TAPS[request.param]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tap_type, "rates", {})
    settings = tap_settings(request.param, sandbox.url) | further

    def read(state: dict[str, Any] | None = None, days_later: float = 0, **more: Any) -> tuple[Output, int]:
        sandbox.clear_requests()
        tap = tap_type(config=settings | more, state=json.loads(json.dumps(state)) if state else None)
        tap.started += timedelta(days=days_later)
        return sync_streams(tap), len(sandbox.requests())

    read.tap = tap_type  # type: ignore[attr-defined]
    return read


def rows_of(*outputs: Output) -> Counter[tuple[str, str]]:
    return Counter(
        (message["stream"], json.dumps(message["record"], sort_keys=True))
        for output in outputs
        for message in output.messages_of("RECORD")
    )


def table_of(*outputs: Output) -> dict[tuple[str, str], Any]:
    """Returns the rows of all tables after the outputs were loaded one after the other, by stream and key."""
    rows: dict[tuple[str, str], Any] = {}
    for output in outputs:
        keys = {message["stream"]: message["key_properties"] for message in output.messages_of("SCHEMA")}
        for message in output.messages_of("RECORD"):
            stream, record = message["stream"], message["record"]
            key = [record[name] for name in keys[stream]] or record
            rows[stream, json.dumps(key, sort_keys=True)] = record
    return rows


def states_of(outputs: list[Output]) -> dict[str, Any]:
    return {str(number): output.state for number, output in enumerate(outputs, 1)}


@pytest.mark.parametrize("count", [2, 3, 8])
def test_parts_are_the_whole_row_by_row(read: Callable[..., tuple[Output, int]], count: int) -> None:
    whole, requests = read()
    parts = [read(slice=f"{number}/{count}") for number in range(1, count + 1)]
    assert rows_of(*(output for output, _ in parts)) == rows_of(whole)
    assert max(sent for _, sent in parts) < requests
    print(f"{read.tap.name}: {requests} requests, in {count} parts {sum(sent for _, sent in parts)}")  # type: ignore[attr-defined] # noqa: T201
    assert not any(output.messages_of("ACTIVATE_VERSION") for output, _ in parts)
    merged, due = merge_states(states_of([output for output, _ in parts]), read.tap.name)  # type: ignore[attr-defined]
    assert due == []
    after_parts, after_whole = read(merged), read(whole.state)
    assert rows_of(after_parts[0]) == rows_of(after_whole[0])
    assert after_parts[1] == after_whole[1]
    of_parts, of_whole = (
        {message["stream"] for message in output.messages_of("ACTIVATE_VERSION")}
        for output in (after_parts[0], after_whole[0])
    )
    assert of_parts == of_whole


def test_parts_of_other_days_and_an_incremental_run_are_the_company_of_that_day(
    read: Callable[..., tuple[Output, int]], sandbox: Sandbox
) -> None:
    outputs = []
    for number in range(1, 5):
        outputs.append(read(slice=f"{number}/4", days_later=number - 4)[0])
        hired = sandbox.control("hire", first_name=f"New {number}")
        assert hired
    merged, _ = merge_states(states_of(outputs), read.tap.name)  # type: ignore[attr-defined]
    outputs.append(read(merged)[0])
    found, expected = table_of(*outputs), table_of(read()[0])
    missing = Counter(stream for stream, _ in expected.keys() - found.keys())
    differing = Counter(
        stream for stream, key in expected.keys() & found.keys() if found[stream, key] != expected[stream, key]
    )
    # The sandbox makes each report anew from its employees, of whom there are more now. Each is read once only.
    differing.pop("bulk_import_reports", None)
    assert (missing, differing) == (Counter(), Counter())


def write_config(folder: Path, url: str, **settings: Any) -> list[str]:
    """Returns the command of a tap that reads attendances."""
    config, catalog = folder / "config.json", folder / "catalog.json"
    config.write_text(json.dumps({"api_url": f"{url}/personio", **CLIENT, "max_concurrency": 1, **settings}))
    found = subprocess.run([BIN / "tap-personio", "--discover"], capture_output=True, check=True, timeout=100)
    streams = [one for one in json.loads(found.stdout)["streams"] if one["tap_stream_id"] == "attendance_periods"]
    catalog.write_text(json.dumps({"streams": streams}))
    return [f"{BIN}/tap-personio", f"--config={config}", f"--catalog={catalog}"]


def read_until_killed(command: list[str]) -> Output:
    """Kills a tap once it has finished a slice. Returns what it wrote by then."""
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if b'"finished_slices":[{' in line:
                process.kill()
                break
    return Output(b"".join(lines))


def read_to_the_end(command: list[str]) -> Output:
    done = subprocess.run(command, capture_output=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return Output(done.stdout)


def test_eight_processes_of_one_stream_of_which_four_are_killed(tmp_path: Path) -> None:
    with running(employees=40, requests_per_minute=600_000, latency_ms=20) as sandbox:
        command = write_config(tmp_path, sandbox.url)
        whole = read_to_the_end(command)
        sandbox.clear_requests()
        outputs, files = [], []
        for number in range(1, 9):
            part = [*command, f"--slice={number}/8"]
            state = tmp_path / f"part{number}.json"
            if number % 2:
                outputs.append(read_until_killed(part))
                assert '"outcome": "unfinished"' in json.dumps(outputs[-1].state)
                state.write_text(json.dumps(outputs[-1].state))
                part.append(f"--state={state}")
            outputs.append(read_to_the_end(part))
            state.write_text(json.dumps(outputs[-1].state))
            files.append(str(state))
        lists = [one["query"] for one in sandbox.requests() if "attendance-periods" in one["path"]]
        months = sum("cursor" not in query for query in lists)
        assert table_of(*outputs) == table_of(whole)
        repeated = rows_of(*outputs) - rows_of(whole)
        assert repeated.total() < rows_of(whole).total() / 8, "the killed processes did not resume"
        assert 74 <= months < 74 + 4 * 5  # six years, what is older or later, and what was under way when killed
        merged = subprocess.run([*command[:1], "--merge-states", *files], capture_output=True, check=True, timeout=100)
        state = tmp_path / "merged.json"
        state.write_bytes(merged.stdout)
        periods = whole.records("attendance_periods")
        for period in periods[:: len(periods) // 7]:
            sandbox.control("edit", kind="attendance_period", id=period["id"], field="comment", value="changed")
        outputs.append(read_to_the_end([*command, f"--state={state}"]))
        assert 0 < outputs[-1].counts()["attendance_periods"] < len(periods) / 2
        assert table_of(*outputs) == table_of(read_to_the_end(command))


def two_parts(code: str) -> str:
    """Returns the commands of the page for two parts instead of eight."""
    return code.replace("1 2 3 4 5 6 7 8", "1 2").replace("$part/8", "$part/2").replace("part[1-8]", "part[12]")


def shell_block(containing: str) -> str:
    (code,) = [code for code in code_blocks(PAGE, "sh") if containing in code]
    return two_parts(code)


def run_shell(code: str, folder: Path, environment: dict[str, str]) -> None:
    environment = environment | {"PATH": f"{BIN}:{ROOT / 'deploy'}:/usr/bin:/bin", "TMPDIR": str(folder)}
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stderr[-3000:]


def loaded(database: Path) -> dict[str, list[Any]]:
    """Returns the rows of all tables, without the loader's columns."""
    found = {}
    with duckdb.connect(database, read_only=True) as connection:
        tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tap_personio' AND table_name[1] <> '_'"
        for (name,) in connection.sql(tables).fetchall():
            columns = connection.sql(f'FROM tap_personio."{name}"').columns
            kept = ", ".join(f'"{column}"' for column in sorted(columns) if not column.startswith("_sdc"))
            found[name] = connection.sql(f'SELECT {kept} FROM tap_personio."{name}" ORDER BY ALL').fetchall()
    return found


def test_commands_of_the_page_with_meltano(project: Project, tmp_path: Path) -> None:
    whole = tmp_path / "whole.duckdb"
    done = project.run("--state-id-suffix=whole", TARGET_DUCKDB_PATH=str(whole))
    assert done.returncode == 0, done.stdout
    code = re.sub(
        r"--environment=prod|\bprod:", lambda match: match[0].replace("prod", "sandbox"), shell_block("meltano")
    )
    run_shell(code, project.folder, project.environment())
    assert loaded(project.database) == loaded(whole)
    done = project.run()
    assert done.returncode == 0, done.stdout
    assert "persons: reading changes since" in done.stdout
    assert loaded(project.database) == loaded(whole)
    assert project.tables().keys() == loaded(whole).keys()


@pytest.mark.parametrize("containing", ["load.sh", "combine.py"])
def test_commands_of_the_page_without_meltano(sandbox: Sandbox, tmp_path: Path, containing: str) -> None:
    inherited = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    database, whole = tmp_path / "warehouse.duckdb", tmp_path / "whole.duckdb"
    environment = {
        **inherited,
        "TAP_PERSONIO_API_URL": f"{sandbox.url}/personio",
        "TAP_PERSONIO_CLIENT_ID": CLIENT["client_id"],
        "TAP_PERSONIO_CLIENT_SECRET": CLIENT["client_secret"],
        "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": "tap_personio",
        "TARGET_DUCKDB_PATH": str(database),
    }
    run_shell(f"TARGET_DUCKDB_PATH={whole} load.sh tap-personio", tmp_path, environment)
    if containing == "combine.py":
        (script,) = code_blocks(PAGE, "python")
        (tmp_path / "combine.py").write_text(script)
        for part in (1, 2):
            one = f"TAP_PERSONIO_SLICE={part}/2 TARGET_DUCKDB_PATH=part{part}.duckdb load.sh tap-personio"
            run_shell(one, tmp_path, environment)
    (code,) = [code for code in code_blocks(PAGE, "sh") if containing in code]
    run_shell(two_parts(code), tmp_path, environment)
    if containing == "combine.py":  # rows are not doubled
        run_shell(f"python combine.py tap_personio {database} part1.duckdb part2.duckdb", tmp_path, environment)
    assert loaded(database) == loaded(whole)
    run_shell("load.sh tap-personio 2> next.log", tmp_path, environment)
    assert "persons: reading changes since" in (tmp_path / "next.log").read_text()
    run_shell("load.sh tap-personio --full-refresh", tmp_path, environment)
    assert loaded(database) == loaded(whole)
