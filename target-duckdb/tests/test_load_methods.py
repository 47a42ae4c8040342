"""`load_method`: append-only and overwrite."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}


def _activate_version(version: int, stream: str = "s") -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}


@pytest.fixture(name="version")
def version_fixture(schema: Any, record: Any) -> Any:
    """Creates the messages for some rows of a version."""

    def messages(number: int | None, *ids: int, keys: Any = ("id",), **more: Any) -> list[dict[str, Any]]:
        extra = {} if number is None else {"version": number}
        rows = [record("s", {"id": n, "name": f"v{number}", **more}, **extra) for n in ids]
        return [schema("s", {**COLUMNS, **dict.fromkeys(more, STRING)}, list(keys)), *rows]

    return messages


def _read_rows(duck: Any, table: str = "s") -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = duck.query(f'SELECT id, name FROM "{table}" ORDER BY ALL')
    return rows


# append-only


@pytest.mark.parametrize("hard", [False, True])
def test_append_only_adds_every_row_and_changes_none(*, duck: Any, record: Any, version: Any, hard: bool) -> None:
    settings = {"load_method": "append-only", "hard_delete": hard}
    duck.load(*version(1, 1, 2, 1), _activate_version(1), **settings)
    gone = record("s", {"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}, version=2)
    duck.load(*version(2, 1), gone, _activate_version(2), **settings)
    assert _read_rows(duck) == [(1, "v1"), (1, "v1"), (1, "v2"), (1, None), (2, "v1")]
    assert duck.query("SELECT name, _sdc_table_version FROM s WHERE _sdc_deleted_at IS NOT NULL") == [(None, 2)]


def test_upsert_after_append_only_leaves_one_row_per_key(duck: Any, version: Any) -> None:
    duck.load(*version(None, 1, 1, 2), load_method="append-only")
    duck.load(*version(7, 1))
    assert _read_rows(duck) == [(1, "v7"), (2, "vNone")]


# overwrite


@pytest.mark.parametrize(("size", "keys"), [(100_000, ("id",)), (1, ())])
def test_activated_version_replaces_the_table(duck: Any, version: Any, size: int, keys: Any) -> None:
    settings = {"load_method": "overwrite", "batch_size_rows": size}
    duck.load(*version(1, 1, 2, 3, keys=keys), _activate_version(1), **settings)
    assert _read_rows(duck) == [(1, "v1"), (2, "v1"), (3, "v1")]
    duck.load(*version(2, 2, 3, 4, keys=keys), **settings)
    assert _read_rows(duck) == [(1, "v1"), (2, "v1"), (3, "v1")]
    duck.load(*version(3, 3, 4, 5, keys=keys), _activate_version(3), **settings)
    assert _read_rows(duck) == [(3, "v3"), (4, "v3"), (5, "v3")]
    assert duck.tables() == ["s"]


def test_table_is_unchanged_without_activation(duck: Any, version: Any, caplog: pytest.LogCaptureFixture) -> None:
    duck.load(*version(1, 1), _activate_version(1), load_method="overwrite")
    before = duck.types("s")
    state = {"type": "STATE", "value": 1}
    assert duck.load(*version(2, 1, 2, more="x"), state, load_method="overwrite") == ["1"]
    assert duck.types("s") == before
    assert _read_rows(duck) == [(1, "v1")]
    assert _read_rows(duck, "s__next") == [(1, "v2"), (2, "v2")]
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warning == (
        "Stream 's': its table is unchanged, because the new version was not activated."
        " The new rows are in the staging table 's__next'."
    )


def test_first_load_is_not_visible_before_activation(duck: Any, version: Any) -> None:
    duck.load(*version(1, 1), load_method="overwrite")
    assert _read_rows(duck) == []
    duck.load(*version(1), _activate_version(1), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v1")]


def test_resumed_version_continues_and_new_version_starts_over(duck: Any, version: Any) -> None:
    duck.load(*version(1, 9), _activate_version(1), load_method="overwrite")
    duck.load(*version(2, 1, 2), load_method="overwrite")
    duck.load(*version(2, 2, 3), load_method="overwrite")
    assert _read_rows(duck, "s__next") == [(1, "v2"), (2, "v2"), (3, "v2")]
    duck.load(*version(3, 7), load_method="overwrite")
    assert _read_rows(duck, "s__next") == [(7, "v3")]
    duck.load(*version(3, 8), _activate_version(3), load_method="overwrite")
    assert _read_rows(duck) == [(7, "v3"), (8, "v3")]


def test_two_versions_in_one_batch_overwrite_one_after_the_other(duck: Any, version: Any) -> None:
    duck.load(
        *version(1, 1), *version(2, 2), _activate_version(2), *version(2, 3), *version(3, 4), _activate_version(3),
        *version(4, 5), load_method="overwrite",
    )  # fmt: skip
    assert _read_rows(duck) == [(4, "v3")]
    assert _read_rows(duck, "s__next") == [(5, "v4")]


def test_rows_of_the_active_version_are_upserted(duck: Any, version: Any) -> None:
    duck.load(*version(1, 1, 2), _activate_version(1), load_method="overwrite")
    # An incremental run has the version of the full read before it.
    duck.load(*version(1, 2, 3), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v1"), (2, "v1"), (3, "v1")]
    duck.load(*version(1, 4), _activate_version(1), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v1"), (2, "v1"), (3, "v1"), (4, "v1")]
    assert duck.tables() == ["s"]


def test_version_of_an_upserted_table_is_recognized(duck: Any, version: Any) -> None:
    duck.load(*version(5, 1), _activate_version(5), load_method="overwrite")
    duck.load(*version(6, 1, 2), _activate_version(6))
    duck.load(*version(6, 3), load_method="overwrite")
    assert duck.query("SELECT id FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1") == [(1,), (2,), (3,)]


def test_version_older_than_the_active_one_overwrites_nothing(
    duck: Any, version: Any, caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(*version(2, 1, 2, 3), _activate_version(2), load_method="overwrite")
    head, *rows = version(1, 3, 9)
    duck.load(head, _activate_version(1), *rows, load_method="overwrite", batch_size_rows=1)
    assert _read_rows(duck) == [(1, "v2"), (2, "v2"), (3, "v1"), (9, "v1")]
    assert duck.tables() == ["s"]
    duck.load(*version(1, 8), _activate_version(1), load_method="overwrite", hard_delete=True)
    assert [row[0] for row in _read_rows(duck)] == [1, 2, 3, 8, 9]
    assert caplog.text.count("have an older version than its table or staging table") == 2  # once in each run


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("late", [4, 5])
def test_version_older_than_the_staged_one_drops_nothing(*, duck: Any, version: Any, size: int, late: int) -> None:
    settings = {"load_method": "overwrite", "batch_size_rows": size}
    duck.load(*version(5, 1), _activate_version(5), **settings)
    duck.load(*version(6, 1, 2), *version(late, 3), *version(6, 4), **settings)
    assert _read_rows(duck) == [(1, "v5"), (3, f"v{late}")]
    assert _read_rows(duck, "s__next") == [(1, "v6"), (2, "v6"), (4, "v6")]
    duck.load(*version(late, 7), _activate_version(late), *version(6, 8), _activate_version(6), **settings)
    assert _read_rows(duck) == [(1, "v6"), (2, "v6"), (4, "v6"), (8, "v6")]


@pytest.mark.parametrize("size", [1, 100])
def test_version_activated_before_its_rows_keeps_rows_without_versions(
    *, duck: Any, version: Any, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(*version(None, 1, 2, 3))
    for ids in ((3, 9), (4,)):  # incremental runs with the version in the tap's state
        head, *rows = version(170, *ids)
        duck.load(head, _activate_version(170), *rows, load_method="overwrite", batch_size_rows=size)
    assert _read_rows(duck) == [(1, "vNone"), (2, "vNone"), (3, "v170"), (4, "v170"), (9, "v170")]
    assert duck.tables() == ["s"]
    assert "unversioned rows" not in caplog.text
    duck.load(*version(171, 1), _activate_version(171), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v171")]
    assert "Stream 's': 2 unversioned rows are not in the activated version" in caplog.text


def test_newer_of_alternating_versions_replaces_the_staging_table(duck: Any, version: Any) -> None:
    rows = [message for n in range(20) for message in version(1 + n % 2, n)]
    duck.load(*rows, load_method="overwrite", batch_size_rows=7)
    assert [row[0] for row in _read_rows(duck)] == list(range(2, 20, 2))  # the newer version dropped the first row
    duck.load(*version(2), _activate_version(2), load_method="overwrite")
    assert _read_rows(duck) == [(n, "v2") for n in range(1, 20, 2)]


def test_version_without_rows_empties_the_table(duck: Any, version: Any) -> None:
    duck.load(*version(1, 1), _activate_version(1), load_method="overwrite")
    duck.load(*version(2), _activate_version(2), load_method="overwrite")
    assert _read_rows(duck) == []


def test_version_activated_before_its_rows_overwrites_after_them(duck: Any, version: Any) -> None:
    duck.load(*version(1, 1), _activate_version(1), load_method="overwrite")
    head, *rows = version(2, 2, 3, 2)
    duck.load(head, _activate_version(2), *rows, load_method="overwrite", batch_size_rows=1)
    assert _read_rows(duck) == [(2, "v2"), (3, "v2")]
    assert duck.tables() == ["s"]


def test_records_without_a_version_are_upserted(duck: Any, version: Any, caplog: pytest.LogCaptureFixture) -> None:
    for ids in ((1, 2), (2, 3)):
        duck.load(*version(None, *ids), load_method="overwrite", batch_size_rows=1)
    assert [row[0] for row in _read_rows(duck)] == [1, 2, 3]
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert (
        warnings == ["Stream 's': its records have no version and cannot overwrite the table: they are upserted."] * 2
    )  # one in each run


def test_staging_table_gets_new_columns_and_types(duck: Any, record: Any, version: Any) -> None:
    duck.load(*version(1, 1), _activate_version(1), load_method="overwrite")
    duck.query("ALTER TABLE s ADD COLUMN mine INTEGER")
    wide = record("s", {"id": 2**70, "name": "wide", "more": "y"}, version=2)
    duck.load(*version(2, 1, more="x"), wide, load_method="overwrite", batch_size_rows=1)
    assert duck.types("s")["id"] == "BIGINT"
    duck.load(*version(2, 5), _activate_version(2), load_method="overwrite")
    assert duck.types("s") == {
        "id": "HUGEINT",
        "name": "VARCHAR",
        "_sdc_table_version": "BIGINT",
        "_sdc_deleted_at": "TIMESTAMP WITH TIME ZONE",
        "mine": "INTEGER",
        "more": "VARCHAR",
    }
    assert duck.query("SELECT id, more FROM s ORDER BY 1") == [(1, "x"), (5, None), (2**70, "y")]


def test_staging_table_name_that_is_taken_gets_a_suffix(duck: Any, schema: Any, record: Any, version: Any) -> None:
    duck.query("CREATE TABLE s__next (mine INTEGER)")
    duck.load(*version(1, 1), load_method="overwrite")
    duck.load(schema("s__next_2", COLUMNS), record("s__next_2", {"id": 3}), *version(1), _activate_version(1))
    assert duck.query("FROM s__next") == []
    duck.load(*version(1), _activate_version(1), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v1")]
    assert _read_rows(duck, "s__next_2_2") == [(3, None)]
    assert duck.tables() == ["s", "s__next", "s__next_2_2"]


def test_foreign_key_to_an_overwritten_table_is_an_error(duck: Any, version: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT PRIMARY KEY, name VARCHAR); CREATE TABLE child (id BIGINT REFERENCES s (id))")
    with pytest.raises(TargetError, match="cannot be replaced: drop the objects that refer to it first"):
        duck.load(*version(1, 1), _activate_version(1), load_method="overwrite")
    assert _read_rows(duck) == []


def test_killed_run_leaves_the_table_unchanged(duck: Any, version: Any) -> None:
    duck.load(*version(1, 1, 2, 3), _activate_version(1), load_method="overwrite")
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config(load_method="overwrite", batch_size_rows=2)))
    with subprocess.Popen(
        [sys.executable, "-m", "target_duckdb", "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        for message in [*version(2, 1)[:2], {"type": "STATE", "value": 7}, *version(2, 4, 5)[1:]]:
            run.stdin.write(json.dumps(message) + "\n")
        run.stdin.flush()
        assert run.stdout.readline() == "7\n"
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdin.close()
    assert _read_rows(duck) == [(1, "v1"), (2, "v1"), (3, "v1")]
    duck.load(*version(2, 5, 6), _activate_version(2), load_method="overwrite")
    assert _read_rows(duck) == [(1, "v2"), (4, "v2"), (5, "v2"), (6, "v2")]
