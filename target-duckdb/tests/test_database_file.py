"""The DuckDB file: valid paths, and access from several processes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from target_duckdb.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER = {"type": "integer"}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


def test_path_is_not_a_database(duck: Any, schema: Any) -> None:
    messages = [schema("s", COLUMNS)]
    for content in (b"", b"hello" * 10_000):
        duck.path.write_bytes(content)
        with pytest.raises(TargetError, match=r"^The setting `path` is not a DuckDB file: choose another file\.$"):
            duck.load(*messages)
        assert duck.path.read_bytes() == content
    with pytest.raises(TargetError, match="The setting `path` is a folder: it must be a DuckDB file"):
        duck.load(*messages, path=str(duck.folder))
    with pytest.raises(TargetError, match="The setting `path` is inside a file instead of a folder"):
        duck.load(*messages, path=str(duck.path / "x.duckdb"))


def test_missing_folder_is_created(duck: Any, schema: Any) -> None:
    duck.load(schema("s", COLUMNS), path=str(duck.folder / "none" / "deep" / "x.duckdb"))
    assert (duck.folder / "none" / "deep" / "x.duckdb").exists()


def test_damaged_database_is_an_error_and_stays_unchanged(duck: Any, schema: Any) -> None:
    duck.load(schema("s", COLUMNS))
    whole = duck.path.read_bytes()
    for damaged in (whole[:5000], whole[:20] + b"\xff" + whole[21:]):
        duck.path.write_bytes(damaged)
        with pytest.raises(TargetError, match="is damaged or not a DuckDB file"):
            duck.load(schema("s", COLUMNS))
        assert duck.path.read_bytes() == damaged


@contextlib.contextmanager
def _hold_file(path: Any, seconds: float) -> Iterator[None]:
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


def test_locked_file_is_waited_for(duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    with (
        _hold_file(duck.path, 60),
        pytest.raises(
            TargetError, match="is still open in another process after `lock_timeout`: close it there \\(python"
        ),
    ):
        duck.load(*messages, lock_timeout=0)
    caplog.clear()
    caplog.set_level("INFO")
    with _hold_file(duck.path, 1):
        assert duck.load(*messages) == ['{"bookmark": 1}']
    assert caplog.text.count("waiting for it") == 1
    assert duck.query("FROM s") == [(1, None)]


def _storage_version(duck: Any) -> str:
    return str(duck.query("SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'hr'")[0][0])


def test_storage_version_applies_to_a_new_file_only(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    for _ in range(2):
        duck.load(*messages, storage_version="v1.0.0")
        assert _storage_version(duck) == "v1.0.0+"
    duck.load(*messages)
    assert _storage_version(duck) == "v1.0.0+"
    assert "storage" not in caplog.text
    duck.path.unlink()
    duck.load(*messages)
    duck.load(*messages, storage_version="v1.2.0", batch_size_rows=1)
    assert caplog.text.count("which the setting `storage_version` (v1.2.0) does not change: load into a new file") == 1
    with pytest.raises(TargetError, match=r"DuckDB 2.* cannot write the setting `storage_version`"):
        duck.load(*messages, storage_version="v0.0.1")


def test_new_file_names_others_beside_it(duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1})]
    duck.load(*messages, STATE)
    assert "is created" not in caplog.text
    for _ in range(2):
        duck.load(*messages, path=str(duck.folder / "warehouse.duckdb"))
    (line,) = (message for message in caplog.messages if "is created" in message)
    assert line == (
        "The DuckDB file 'warehouse.duckdb' is created. Its folder also has 'hr.duckdb':"
        " if your earlier loads are there, rename that file, or set `path` to it."
    )
    for number in range(3):
        (duck.folder / f"x{number}.duckdb").touch()
    duck.load(*messages, path=str(duck.folder / "new.duckdb"))
    assert "'hr.duckdb', 'warehouse.duckdb', 'x0.duckdb' and 2 more:" in caplog.text


def test_file_is_closed_between_batches(duck: Any, schema: Any, record: Any) -> None:
    with duck.start(batch_size_rows=1) as run:
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


def test_two_targets_can_load_into_one_file(duck: Any, schema: Any, record: Any) -> None:
    runs = []
    for name in ("a", "b"):
        messages = [schema(name, COLUMNS, ["id"]), *(record(name, {"id": n}) for n in range(40))]
        (duck.folder / name).write_text("".join(json.dumps(message) + "\n" for message in messages))
        runs.append(duck.start("--input", str(duck.folder / name), batch_size_rows=5))
    assert [(run.communicate(), run.returncode)[1] for run in runs] == [0, 0]
    assert duck.query("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)") == [(40, 40)]
