"""Spool files are private and removed."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from target_duckdb import spool
from target_duckdb.errors import TargetError
from target_duckdb.spool import MIN_OBJECT_SIZE, PREFIX, SpoolDirectory, SpoolFile

if TYPE_CHECKING:
    from pathlib import Path


def test_spool_files_are_private_and_complete(tmp_path: Path) -> None:
    directory = SpoolDirectory(str(tmp_path))
    file = SpoolFile(directory)
    fields = ("n", "text", "none")
    for n in range(2500):
        file.add_row(fields, (n, None if n < 2000 else "x", None), 5 + n)
    file.add_columns(fields, [[2500, 2501], ["y", None], [None, None]])
    file.add_row(fields, (2502, "z", None), 1)
    file.add_row(("n", "other"), (2503, "w"), 1)
    file.flush()
    assert directory.path.parent == tmp_path
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert file.path.stat().st_mode & 0o777 == 0o600
    lines = file.path.read_bytes().splitlines(keepends=True)
    assert max(map(len, lines)) <= file.max_line_bytes <= MIN_OBJECT_SIZE
    rows = []
    for line in map(json.loads, lines):
        assert "none" not in line
        assert line.pop("other", ["w"]) == ["w"]
        rows += zip(line["n"], line.get("text", [None] * len(line["n"])), strict=True)
    texts = [None] * 2000 + ["x"] * 500 + ["y", None, "z", None]
    assert rows == list(enumerate(texts))
    assert len(lines) > 2500 / 16
    file.add_row(fields, (2504, "x" * MIN_OBJECT_SIZE, None), MIN_OBJECT_SIZE)
    file.flush()
    assert file.max_line_bytes == max(map(len, file.path.read_bytes().splitlines(keepends=True)))
    file.remove()
    assert not file.path.exists()
    directory.close()
    assert list(tmp_path.iterdir()) == []


def test_spool_directory_is_removed_by_garbage_collection(tmp_path: Path) -> None:
    directory = SpoolDirectory(str(tmp_path))
    del directory
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_spool_of_a_killed_run_is_removed_and_that_of_a_live_run_kept(tmp_path: Path) -> None:
    code = (
        "import sys, time; from target_duckdb.spool import SpoolDirectory; d = SpoolDirectory(sys.argv[1]);"
        " d.append_to_file(d.new_file(), b'x'); print(d.path, flush=True); time.sleep(60)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        paths = [run.stdout.readline().strip() for run in runs if run.stdout]
        runs[0].kill()
        runs[0].wait()
        assert all(os.path.isdir(path) for path in paths)  # noqa: PTH112 - text, as it was printed
        directory = SpoolDirectory(str(tmp_path))
        assert {str(path) for path in tmp_path.iterdir()} == {paths[1], str(directory.path)}
        directory.close()
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_concurrent_run_does_not_remove_a_new_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = spool._try_lock, []

    def slow(descriptor: int) -> bool:
        calls.append(descriptor)
        if len(calls) == 1:
            spool.remove_leftovers(tmp_path)  # like another process
        return lock(descriptor)

    monkeypatch.setattr(spool, "_try_lock", slow)
    directory = SpoolDirectory(str(tmp_path))
    directory.append_to_file(directory.new_file(), b"x")
    spool.remove_leftovers(tmp_path)
    assert len(list(directory.path.iterdir())) == 2
    directory.close()


def test_spool_without_a_lock_is_removed_only_when_old(tmp_path: Path) -> None:
    young, old, other = (tmp_path / name for name in (f"{PREFIX}young", f"{PREFIX}old", "other"))
    for folder in (young, old, other):
        folder.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    SpoolDirectory(str(tmp_path)).close()
    assert sorted(tmp_path.iterdir()) == [other, young]


def test_missing_temp_dir_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"temp_dir.*no such file or directory"):
        SpoolDirectory(str(tmp_path / "none"))


def test_table_with_many_columns_is_loaded(duck: Any, schema: Any, record: Any) -> None:
    kinds = ({"type": "string", "format": "date"}, {"type": "integer"}, {"type": "object"}, {"type": "string"})
    columns = {f"c{n}": kinds[n % 4] for n in range(510)}
    values = {f"c{n}": ("2024-01-01", n, {"a": n}, f"{n}")[n % 4] for n in range(510) if n % 3}
    expected = {f"c{n}": (date(2024, 1, 1), n, json.dumps({"a": n}), f"{n}")[n % 4] for n in range(510) if n % 3}
    head = schema("s", {"id": {"type": "integer"}, **columns}, ["id"])
    for _ in range(2):
        duck.load(head, *(record("s", {"id": n, **values}) for n in range(20)))
        assert duck.query("FROM s ORDER BY id") == [(n, *(expected.get(name) for name in columns)) for n in range(20)]
