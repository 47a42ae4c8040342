"""What goes wrong ends in one sentence, and keeps what was committed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from target_duckdb import errors, load
from target_duckdb.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER = {"type": "integer"}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


_DAMAGED = (
    "file 1 of its manifest cannot be read (IOException): it is damaged, not what its encoding says, or out of reach."
)
_UNKNOWN_STORAGE = (
    "file 1 of its manifest is of a kind of storage that is not known here: install fsspec's package for it, such as"
    " s3fs or gcsfs."
)


def _batch(encoding: str, manifest: str = '["/none/secret"]') -> str:
    return f'{{"type": "BATCH", "stream": "s", "encoding": {encoding}, "manifest": {manifest}}}'


def _errors(stderr: str) -> list[str]:
    return [line.rsplit(" | ", 1)[1] for line in stderr.splitlines() if "| ERROR" in line]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            b'{"type": "RECORD", "stream": "s", "record": {"id": 9, "name": "secret"',
            "it is not JSON, or it is cut off.",
        ),
        (b'{"type": "RECORD", "stream": "s", "record": {"id": 9, "name": "secret\xff"}}', "it is not UTF-8 text."),
        ('{"type": "RECORD", "stream": "t", "record": {"id": "secret"}}', "its stream 't' has had no SCHEMA message."),
        (
            '{"type": "RECORD", "stream": "s", "record": {"name": "secret"}}',
            "its record has no value for the key property 'id'.",
        ),
        (
            '{"type": "RECORD", "stream": "s", "record": {"id": null, "name": "secret"}}',
            "its record has no value for the key property 'id'.",
        ),
        ('{"type": "RECORD", "stream": "s", "record": ["secret"]}', "its record is not an object."),
        ('{"type": "RECORD", "stream": "s"}', "it has no record."),
        ('{"type": "SECRET", "value": "secret"}', "its message type is unknown."),
        (b'{"type": "STATE", "value": "\xff"}', "it is not UTF-8 text."),
        ('{"type": "STATE", "value": ' + "[" * 99_999 + "]" * 99_999 + "}", "its values are nested too deeply."),
        ('{"type": "STATE"}', "its STATE message has no value."),
        ('{"type": "SCHEMA", "stream": "t", "schema": "secret"}', "its SCHEMA message lacks a stream or a schema."),
        (
            '{"type": "SCHEMA", "stream": "t", "schema": {}, "key_properties": ["id"]}',
            "stream 't' has the key property 'id', which its schema does not list.",
        ),
        ('{"type": "RECORD", "record": {"id": 1}}', "its message names no stream."),
        ('{"type": "ACTIVATE_VERSION", "version": 1}', "its message names no stream."),
        ('{"type": "ACTIVATE_VERSION", "stream": "s"}', "its ACTIVATE_VERSION message has no version."),
        (
            _batch('{"format": "secret"}'),
            "its BATCH message has an encoding other than jsonl and parquet.",
        ),
        (
            _batch('{"format": "jsonl", "compression": "secret"}'),
            "its BATCH message has a compression that is not known here: let the tap use gzip.",
        ),
        (_batch('{"format": "jsonl"}', "null"), "its BATCH message has no manifest."),
        (_batch('{"format": "jsonl"}'), "file 1 of its manifest does not exist."),
        (_batch('{"format": "parquet"}'), _DAMAGED),
        (_batch('{"format": "jsonl"}', '["secret://x"]'), _UNKNOWN_STORAGE),
    ],
)
def test_a_broken_line_ends_the_run_and_its_batch(
    *,
    duck: Any,
    schema: Any,
    record: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    line: Any,
    sentence: str,
) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE, record("s", {"id": 2})]
    lost = [record("s", {"id": 3}), {"type": "STATE", "value": {"bookmark": 2}}]
    with pytest.raises(TargetError) as caught:
        duck.load(*messages, *lost, line, batch_size_rows=2)
    assert str(caught.value) == f"Line 7 of the input cannot be loaded: {sentence}"
    assert capsys.readouterr().out == '{"bookmark": 1}\n'
    assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
    assert duck.state() == [("main", '{"bookmark": 1}')]
    assert "secret" not in (caplog.text + str(caught.value)).lower().replace("secret message", "")
    assert list(duck.spool.iterdir()) == []


def test_a_state_whose_rows_are_committed_is_not_lost(
    duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def state(number: int) -> dict[str, Any]:
        return {"type": "STATE", "value": number}

    full = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), record("s", {"id": 2})]
    for waiting, said in (
        ([state(2), state(3)], "3"),
        ([state(4), record("s", {"id": 3}), state(5)], "4"),
        ([record("s", {"id": 3}), state(6)], None),
        ([schema("u", COLUMNS), {"type": "ACTIVATE_VERSION", "stream": "u", "version": 1}, state(7)], None),
    ):
        with pytest.raises(TargetError, match="it is not JSON"):
            duck.load(*full, *waiting, "{bad", batch_size_rows=2)
        assert capsys.readouterr().out == (f"{said}\n" if said else "")
        assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
        assert duck.state()[0][1] == (said or "4")


def test_a_state_that_was_not_committed_is_not_said(
    duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    monkeypatch.setattr(load.Loader, "_write_state", fail)
    with pytest.raises(TargetError, match="not JSON"):
        duck.load(*messages, "{bad", batch_size_rows=1)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "property_", [{"type": "string", "format": "singer.decimal"}, {"type": "object"}, {"type": "string"}]
)
@pytest.mark.parametrize("value", [{"k": None}, {}])
def test_a_key_of_any_type_must_have_a_value(duck: Any, schema: Any, record: Any, property_: Any, value: Any) -> None:
    with pytest.raises(TargetError, match="has no value for the key property 'k'"):
        duck.load(schema("s", {"k": property_}, ["k"]), record("s", value))


def test_state_comes_after_the_commit_only(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise duckdb.IOException("IO Error: Could not write 'secret': No space left on device")

    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    with monkeypatch.context() as patch:
        patch.setattr(load.Loader, "_write_state", fail)
        with pytest.raises(TargetError, match=r"^The disk that holds the DuckDB file is full: free some space\.$"):
            duck.load(*messages)
        assert capsys.readouterr().out == ""
    assert duck.query("SELECT count(*) FROM duckdb_tables()") == [(0,)]
    assert duck.load(*messages) == ['{"bookmark": 1}']
    assert duck.query("FROM s") == [(1, None)]


def test_a_state_of_null_is_neither_said_nor_kept(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    null = {"type": "STATE", "value": None}
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1})]
    assert duck.load(*messages, null) == []
    assert duck.query("SELECT count(*) FROM duckdb_tables()") == [(1,)]
    assert duck.load(*messages, STATE, null) == ['{"bookmark": 1}']
    assert duck.state() == [("main", '{"bookmark": 1}')]
    assert caplog.text.count("A STATE message whose value is null is ignored") == 2


def test_state_is_the_last_whose_records_are_committed(duck: Any, schema: Any, record: Any) -> None:
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(6):
        messages += [record("s", {"id": n}), {"type": "STATE", "value": n}]
    assert duck.load(*messages, batch_size_rows=4) == ["2", "5"]
    assert duck.load({"type": "STATE", "value": {"n": 1}}, {"type": "STATE", "value": {"n": 2}}, state_id="mine") == [
        '{"n": 2}'
    ]
    assert duck.state() == [("main", "5"), ("mine", '{"n": 2}')]
    assert duck.load() == []


def test_state_is_committed_when_a_minute_has_passed(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr("target_duckdb.target.time.monotonic", lambda: float(next(clock)))
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(4):
        messages += [record("s", {"id": n}), {"type": "STATE", "value": n}]
    assert len(duck.load(*messages)) > 1


def test_bytes_bound_a_batch(duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target_duckdb.target._BATCH_BYTES", 100)
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(4):
        messages += [record("s", {"id": n, "name": "x" * 40}), {"type": "STATE", "value": n}]
    assert duck.load(*messages) == ["0", "2", "3"]


def test_columns_bound_a_batch(duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target_duckdb.target._BATCH_COLUMNS", 5)
    messages = [schema(f"s{n}", COLUMNS, ["id"]) for n in range(5)]
    for n in range(5):
        messages += [record(f"s{n}", {"id": 1}), {"type": "STATE", "value": n}]
    assert duck.load(*messages) == ["0", "2", "4"]
    assert duck.query("SELECT count(*) FROM (FROM s0 UNION ALL FROM s1 UNION ALL FROM s2 UNION ALL FROM s4)") == [(4,)]


# The file


def test_a_path_that_is_no_database(duck: Any, schema: Any) -> None:
    messages = [schema("s", COLUMNS)]
    for content in (b"", b"hello" * 10_000):
        duck.path.write_bytes(content)
        with pytest.raises(
            TargetError, match=r"^The setting `path` names a file that is not DuckDB's: name another\.$"
        ):
            duck.load(*messages)
        assert duck.path.read_bytes() == content
    with pytest.raises(TargetError, match="The setting `path` names a folder: it must name a DuckDB file"):
        duck.load(*messages, path=str(duck.folder))
    with pytest.raises(TargetError, match="The setting `path` lies below a file: it must lie in a folder"):
        duck.load(*messages, path=str(duck.path / "x.duckdb"))


def test_a_missing_folder_is_made(duck: Any, schema: Any) -> None:
    duck.load(schema("s", COLUMNS), path=str(duck.folder / "none" / "deep" / "x.duckdb"))
    assert (duck.folder / "none" / "deep" / "x.duckdb").exists()


def test_a_damaged_database(duck: Any, schema: Any) -> None:
    duck.load(schema("s", COLUMNS))
    whole = duck.path.read_bytes()
    for damaged in (whole[:5000], whole[:20] + b"\xff" + whole[21:]):
        duck.path.write_bytes(damaged)
        with pytest.raises(TargetError, match="names no DuckDB file, or a damaged one"):
            duck.load(schema("s", COLUMNS))
        assert duck.path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "Trying to read a database file with storage version number 99, but we can only read storage versions",
            "by a version of DuckDB that this one",
        ),
        (
            "file was written with a storage version greater than the latest supported",
            "by a version of DuckDB that this one",
        ),
        ("Could not write file: No space left on device", "is full"),
        ("Out of Memory Error: could not allocate block of size 256.0 KiB (128 MiB used)", "memory_limit"),
        ("Conversion Error: Could not convert string 'secret' to INT32", "its message is not shown"),
    ],
)
def test_sentences_for_what_duckdb_says(message: str, sentence: str) -> None:
    said = errors.duckdb_sentence(duckdb.IOException(message))
    assert sentence in said
    assert "secret" not in said


@contextlib.contextmanager
def _holding(path: Any, seconds: float) -> Iterator[None]:
    code = (
        "import sys, time, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True);"
        " time.sleep(float(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        try:
            yield
        finally:
            holder.kill()


def test_a_locked_file_is_waited_for(duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    with (
        _holding(duck.path, 60),
        pytest.raises(
            TargetError, match="was open in another process for as long as `lock_timeout` says: close it there"
        ),
    ):
        duck.load(*messages, lock_timeout=0)
    caplog.clear()
    caplog.set_level("INFO")
    with _holding(duck.path, 1):
        assert duck.load(*messages) == ['{"bookmark": 1}']
    assert caplog.text.count("waiting for it") == 1
    assert duck.query("FROM s") == [(1, None)]


def test_the_file_is_free_between_batches(duck: Any, schema: Any, record: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "target_duckdb", "--config", _config(duck, batch_size_rows=1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        for n in range(3):
            for message in (schema("s", COLUMNS, ["id"]), {"type": "STATE", "value": n}, record("s", {"id": n})):
                run.stdin.write(json.dumps(message) + "\n")
            run.stdin.flush()
            assert run.stdout.readline() == f"{n}\n"
            assert duck.query("SELECT max(id), count(*) FROM s") == [(n, n + 1)]
        run.stdin.close()
        assert run.wait() == 0


def test_two_targets_share_a_file(duck: Any, schema: Any, record: Any) -> None:
    runs = []
    for name in ("a", "b"):
        messages = [schema(name, COLUMNS, ["id"]), *(record(name, {"id": n}) for n in range(40))]
        (duck.folder / name).write_text("".join(json.dumps(message) + "\n" for message in messages))
        command = [
            sys.executable,
            "-m",
            "target_duckdb",
            "--config",
            _config(duck, batch_size_rows=5),
            "--input",
            str(duck.folder / name),
        ]
        runs.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    assert [(run.communicate(), run.returncode)[1] for run in runs] == [0, 0]
    assert duck.query("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)") == [(40, 40)]


def _config(duck: Any, **settings: Any) -> str:
    path = duck.folder / "shared.json"
    path.write_text(json.dumps(duck.config(**settings)))
    return str(path)


# The process


def test_a_signal_does_not_lose_the_state_of_what_is_committed(duck: Any, schema: Any, record: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "target_duckdb", "--config", _config(duck, batch_size_rows=1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
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
def test_a_run_that_is_stopped_keeps_its_batches_and_the_next_doubles_nothing(
    duck: Any, schema: Any, record: Any, number: signal.Signals
) -> None:
    rows = [record("s", {"id": n, "name": "x"}) for n in range(25)]
    messages = [schema("s", COLUMNS, ["id"]), *rows[:12], STATE, *rows[12:]]
    with subprocess.Popen(
        [sys.executable, "-m", "target_duckdb", "--config", _config(duck, batch_size_rows=10)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
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
def test_a_full_disk(duck: Any, schema: Any, record: Any, rows: int, what: str) -> None:
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
        _config(duck, batch_size_rows=rows),
        "--input",
        str(source),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    (sentence,) = _errors(run.stderr)
    assert run.returncode == 1
    assert what in sentence
    assert "Traceback" not in run.stderr
    assert list(duck.spool.iterdir()) == []
    # What is in the file is what was said to be committed: the state's rows, and no part of a batch.
    states = run.stdout.splitlines()
    committed = duck.query("SELECT count(*) FROM s")[0][0] if states else 0
    assert committed % 2000 == 0
    assert bool(states) == (rows == 2000)
    if states:
        assert duck.state() == [("main", states[-1])]
        assert committed == int(states[-1]) + 2
    source.write_text("\n".join(messages[:101]))
    again = [sys.executable, "-m", "target_duckdb", "--config", _config(duck), "--input", str(source)]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 0


def test_under_meltano_the_rest_of_the_input_is_taken_before_the_end(duck: Any) -> None:
    command = [sys.executable, "-m", "target_duckdb", "--config", _config(duck)]
    environment = {**os.environ, "MELTANO_EXTRACTOR_NAME": "tap-x"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as run:
        assert run.stdin is not None
        assert run.stderr is not None
        run.stdin.write("broken\n")
        while "ERROR" not in run.stderr.readline():
            pass
        for _ in range(20):
            run.stdin.write("x" * 100_000 + "\n")  # a pipe nobody reads would break, or never take it
        assert run.poll() is None
        run.stdin.close()
        assert run.wait(30) == 1
