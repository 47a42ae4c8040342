"""The process: signals, full disks and its exit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.slow

INTEGER = {"type": "integer"}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


def _errors_in(stderr: str) -> list[str]:
    return [line.rsplit(" | ", 1)[1] for line in stderr.splitlines() if "| ERROR" in line]


def test_signal_does_not_lose_the_state_of_committed_rows(duck: Any, schema: Any, record: Any) -> None:
    with duck.start(batch_size_rows=1) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        for messages in (
            [schema("s", COLUMNS, ["id"]), STATE],
            [record("s", {"id": 1}), {"type": "STATE", "value": 2}],
        ):
            run.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
            run.stdin.flush()
        assert run.stdout.readline() == '{"bookmark": 1}\n'
        time.sleep(0.5)
        run.send_signal(signal.SIGTERM)
        assert run.stdout.read() == "2\n"
        assert run.wait() == 143
    assert duck.state() == [("main", "2")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_run_keeps_its_batches_and_the_next_adds_no_duplicates(
    duck: Any, schema: Any, record: Any, number: signal.Signals
) -> None:
    rows = [record("s", {"id": n, "name": "x"}) for n in range(25)]
    messages = [schema("s", COLUMNS, ["id"]), *rows[:12], STATE, *rows[12:]]
    with duck.start(stderr=subprocess.PIPE, batch_size_rows=10) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        run.stdin.flush()
        assert run.stdout.readline() == '{"bookmark": 1}\n'
        assert duck.query("SELECT count(*) FROM s") == [(20,)]
        run.send_signal(number)
        assert run.wait() == (-9 if number == signal.SIGKILL else 143)
        assert "Traceback" not in run.stderr.read()
        with contextlib.suppress(BrokenPipeError):
            run.stdin.close()
    assert bool(list(duck.spool.iterdir())) == (number == signal.SIGKILL)
    assert duck.query("SELECT count(*) FROM s") == [(20,)]
    duck.load(*messages)
    assert duck.query("SELECT count(*), count(DISTINCT id) FROM s") == [(25, 25)]
    assert list(duck.spool.iterdir()) == []


_LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2);"
    " sys.argv = ['target-duckdb', *sys.argv[2:]];"
    " from target_duckdb.target import TargetDuckDB; TargetDuckDB.cli()"
)


@pytest.mark.parametrize(("rows", "what"), [(2000, "holds the DuckDB file"), (100_000, "(setting `temp_dir`)")])
def test_full_disk_is_reported_and_the_next_run_succeeds(
    duck: Any, schema: Any, record: Any, rows: int, what: str
) -> None:
    messages = [json.dumps(schema("s", COLUMNS, ["id"]))]
    for n in range(20_000):
        messages += [
            json.dumps(record("s", {"id": n, "name": os.urandom(150).hex()})),
            f'{{"type": "STATE", "value": {n}}}',
        ]
    source = duck.folder / "input"
    source.write_text("\n".join(messages))
    command = [
        sys.executable,
        "-c",
        _LIMITED,
        str(3 << 20),
        "--config",
        duck.config_file(batch_size_rows=rows),
        "--input",
        str(source),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    (sentence,) = _errors_in(run.stderr)
    assert run.returncode == 1
    assert what in sentence
    assert "Traceback" not in run.stderr
    assert list(duck.spool.iterdir()) == []
    # The file holds exactly the rows of the written state, no part of a batch.
    states = run.stdout.splitlines()
    committed = duck.query("SELECT count(*) FROM s")[0][0] if states else 0
    assert committed % 2000 == 0
    assert bool(states) == (rows == 2000)
    if states:
        assert duck.state() == [("main", states[-1])]
        assert committed == int(states[-1]) + 2
    source.write_text("\n".join(messages[:101]))
    again = [sys.executable, "-m", "target_duckdb", "--config", duck.config_file(), "--input", str(source)]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 0


def test_meltano_input_is_drained_before_exit(duck: Any) -> None:
    with duck.start(stderr=subprocess.PIPE, environment={"MELTANO_EXTRACTOR_NAME": "tap-x"}) as run:
        assert run.stdin is not None
        assert run.stderr is not None
        run.stdin.write("broken\n")
        run.stdin.flush()
        while "ERROR" not in run.stderr.readline():
            pass
        for _ in range(20):
            run.stdin.write("x" * 100_000 + "\n")  # would fail or block if nobody reads the pipe
        assert run.poll() is None
        run.stdin.close()
        assert run.wait(30) == 1
