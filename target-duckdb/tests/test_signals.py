"""A signal at any time ends the run with its exit code and a message, and the file matches the written state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from target_duckdb import load, merge, spool, streams, target
from target_duckdb.target import TargetDuckDB

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

INTEGER = {"type": "integer"}


def _kill_process(number: int) -> None:
    os.kill(os.getpid(), number)


def _call_before(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, send_signal_during_query: Callable[..., None]
) -> None:
    """Calls another function just before the second call of a function."""
    function, calls = getattr(owner, name), []

    def wrapped(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            send_signal_during_query(*arguments)
        return function(*arguments, **named)

    monkeypatch.setattr(owner, name, wrapped)


def _run_command(duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[int]]:
    """Runs the command with batches of two rows, and a state after each row. Returns its exit code and the states."""
    rows: list[Any] = []
    for n in range(8):
        rows += [record("s", {"id": n}), {"type": "STATE", "value": n}]
    source = duck.folder / "input"
    source.write_text("\n".join(map(json.dumps, [schema("s", {"id": INTEGER}, ["id"]), *rows])))
    with pytest.raises(SystemExit) as caught:
        TargetDuckDB.get_singer_command().main(
            ["--config", duck.config_file(batch_size_rows=2), "--input", str(source)], standalone_mode=True
        )
    assert isinstance(caught.value.code, int)
    assert list(duck.spool.iterdir()) == []
    return caught.value.code, [int(line) for line in capsys.readouterr().out.split()]


def _in_a_query(number: int) -> Callable[..., None]:
    """Sends a signal during a query. DuckDB swallows the exception of the signal handler."""

    def send_signal_during_query(connection: Any, *_: Any) -> None:
        timer = threading.Timer(0.1, _kill_process, [number])
        timer.start()
        connection.execute("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b").fetchall()

    return send_signal_during_query


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("owner", "name", "state_written"),
    [
        (streams.Stream, "add_record", 0),
        (spool.SpoolFile, "flush", 0),
        (load.Loader, "_write_state", 0),
        (merge, "upsert_rows", 0),
        (target, "write_line", 2),  # the committed state is written
    ],
)
def test_signal_during_a_batch_commits_or_rolls_back(
    *,
    duck: Any,
    schema: Any,
    record: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    state_written: int,
    number: signal.Signals,
) -> None:
    send_signal_during_query = (
        _in_a_query(number) if owner is merge else lambda *_: [_kill_process(number), _kill_process(signal.SIGTERM)]
    )
    _call_before(monkeypatch, owner, name, send_signal_during_query)
    code, states = _run_command(duck, schema, record, capsys)
    assert code == 128 + number
    logged = [entry.getMessage() for entry in caplog.records if entry.levelname in {"WARNING", "ERROR"}]
    assert logged == [f"Stopped by signal {number:d}: rows that were not committed are not kept."]
    # A batch ends with its second row. Its thread may commit it before the main thread handles the signal, and the main
    # thread may have read the state after it.
    first, second = [[0]], [[0, 2], [0, 2, 3]]
    maybe_second = first + second if owner in {spool.SpoolFile, load.Loader} else first
    assert states in (second if state_written else [[]] if owner is streams.Stream else maybe_second)
    assert duck.tables() == (["s"] if states else [])
    if states:
        assert duck.state() == [("main", str(states[-1]))]
        assert duck.query("SELECT count(*) FROM s") == [(2 if states == [0] else 4,)]


def test_signal_after_the_last_commit_is_ignored(
    duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    close = spool.SpoolDirectory.close
    monkeypatch.setattr(
        spool.SpoolDirectory, "close", lambda directory: [_kill_process(signal.SIGINT), close(directory)]
    )
    source = duck.folder / "input"
    source.write_text("")
    TargetDuckDB.get_singer_command().main(
        ["--config", duck.config_file(), "--input", str(source)], standalone_mode=False
    )
    assert list(duck.spool.iterdir()) == []


_EARLY = (
    "import os, runpy, signal, sys\n"
    "class Finder:\n"
    "    def find_spec(self, name, *_):\n"
    "        name == 'singer_sdk' and os.kill(os.getpid(), signal.SIGINT)\n"
    "sys.meta_path.insert(0, Finder())\n"
    "runpy.run_module('target_duckdb', run_name='__main__')\n"
)


def test_signal_before_the_run_starts_ends_it() -> None:
    run = subprocess.run([sys.executable, "-c", _EARLY], capture_output=True, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr == "target-duckdb was stopped by signal 2 before it started.\n"
