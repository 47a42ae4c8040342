"""Parquet copies: exact values, the manifest, versions, and exports that end early or find nothing to do."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_export import cli, parquet

from tests.helpers import differing_columns

if TYPE_CHECKING:
    from pathlib import Path

BEYOND_DOUBLES = 2**53 + 1
PERSON = "Ada Zqxlovelace"
ODD = '"odd. schema"."a/b ""q"" é"'


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file with the tables of a load, its own ones, and some of the models."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("""
            CREATE SCHEMA tap_acme; CREATE SCHEMA hr; CREATE SCHEMA notes;
            CREATE TABLE tap_acme._tables (
                table_name VARCHAR, is_staging BOOLEAN, key_properties VARCHAR[], column_names JSON);
            INSERT INTO tap_acme._tables VALUES
                ('people', false, ['Id'], '{"Id": "id_2"}'), ('people__next', true, ['Id'], NULL);
            CREATE TABLE tap_acme._runs (
                run_id VARCHAR, status VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ);
            INSERT INTO tap_acme._runs VALUES
                ('first', 'succeeded', '2024-01-01 00:00:00+00', '2024-01-01 00:01:00+00'),
                ('second', 'succeeded', '2024-01-02 00:00:00+00', '2024-01-02 00:01:00+00');
            CREATE TABLE tap_acme._rejected (record JSON);
            CREATE TABLE tap_acme.people (id_2 BIGINT, name VARCHAR, _sdc_deleted_at TIMESTAMPTZ);
            COMMENT ON TABLE tap_acme.people IS 'One row per person.';
            COMMENT ON COLUMN tap_acme.people.name IS 'The name.';
            INSERT INTO tap_acme.people SELECT range, 'person ' || range, NULL FROM range(1000);
            UPDATE tap_acme.people SET _sdc_deleted_at = '2024-01-01 00:00:00+00' WHERE id_2 = 7;
            CREATE TABLE tap_acme.people__next AS FROM tap_acme.people;
            CREATE TABLE hr.employee AS FROM (VALUES ('a'), ('b')) AS v(employee_id);
            CREATE TABLE notes.mine AS SELECT 1 AS a;
        """)
    return path


def change(database: Path, sql: str) -> None:
    with duckdb.connect(database) as connection:
        connection.execute(sql)


def export(database: Path, *options: str) -> dict[str, Any]:
    """Exports, checks the files, and returns the manifest."""
    folder = database.parent / "lake"
    assert cli.main(["parquet", "--database", str(database), "--to", str(folder), *options]) == 0
    return manifest(folder)


def manifest(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "manifest.json").read_text())
    for table in found["tables"]:
        (file,) = table["files"]
        content = (folder / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    return dict(found)


def entry(found: dict[str, Any], name: str) -> dict[str, Any]:
    (table,) = (table for table in found["tables"] if f"{table['schema']}.{table['name']}" == name)
    return dict(table)


def rows(database: Path, table: dict[str, Any]) -> list[Any]:
    (file,) = table["files"]
    return duckdb.sql(f"FROM '{database.parent / 'lake' / file['path']}'").fetchall()


def test_manifest(database: Path) -> None:
    found = export(database)
    assert [f"{table['schema']}.{table['name']}" for table in found["tables"]] == ["hr.employee", "tap_acme.people"]
    people = entry(found, "tap_acme.people")
    assert (people["rows"], people["primary_key"]) == (1000, ["id_2"])
    assert people["description"] == "One row per person."
    assert people["columns"][1] == {
        "name": "name",
        "type": "VARCHAR",
        "source_type": "VARCHAR",
        "description": "The name.",
    }
    assert found["loads"]["tap_acme"] == {
        "run_id": "second",
        "status": "succeeded",
        "started_at": "2024-01-02 00:00:00+00",
        "ended_at": "2024-01-02 00:01:00+00",
    }
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in (database.parent / "lake").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}


def test_schemas_can_be_named(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [table["name"] for table in export(database, "--schemas", "notes")["tables"]] == ["mine"]
    assert cli.main(["parquet", "--database", str(database), "--schemas", "nots"]) == 1
    assert capsys.readouterr().err == "There is no schema nots with tables: name some of hr, notes, tap_acme.\n"


def test_rows_that_are_marked_as_deleted_can_be_left_out(database: Path) -> None:
    assert entry(export(database), "tap_acme.people")["rows"] == 1000
    people = entry(export(database, "--without-deleted"), "tap_acme.people")
    assert people["rows"] == 999
    assert 7 not in {row[0] for row in rows(database, people)}


def test_values_of_all_types_are_exact(database: Path) -> None:
    change(
        database,
        f"""
        CREATE SCHEMA "odd. schema";
        CREATE TABLE {ODD} (
            "a.b" HUGEINT, " " UHUGEINT, "with ""quotes"" " VARCHAR, "Größe" DECIMAL(18, 3), ub UBIGINT, ui UINTEGER,
            ti TINYINT, js JSON, id UUID, ts TIMESTAMP, tz TIMESTAMPTZ, d DATE, t TIME, ms TIMESTAMP_MS, b BLOB,
            bo BOOLEAN, f FLOAT, dbl DOUBLE, e ENUM('x', 'y'), arr INTEGER[2], l HUGEINT[], m MAP(VARCHAR, HUGEINT),
            st STRUCT("x y" HUGEINT, j JSON, inner_ STRUCT(a UUID[], b DATE)), n INTEGER);
        INSERT INTO {ODD} VALUES (
            {BEYOND_DOUBLES}, {10**38 - 1}, 'x' || chr(0) || 'y', 123456789012345.678, {2**64 - 1}, {2**32 - 1}, -1,
            '{{"a": 12345678901234567890.1}}', 'c0ffee00-0000-4000-8000-000000000001', '2024-02-29 23:59:59.999999',
            '2024-02-29 23:59:59.999999+05', '0001-01-01', '23:59:59.999999', '2024-01-01 00:00:00.123', '\\x00\\xff',
            true, 1.5, 0.1, 'x', [1, 2], [{BEYOND_DOUBLES}, NULL], MAP {{'k': {BEYOND_DOUBLES}}},
            {{'x y': {BEYOND_DOUBLES}, 'j': '[1]', 'inner_': {{'a': ['c0ffee00-0000-4000-8000-000000000001'],
            'b': '2020-01-01'}}}}, NULL);
        INSERT INTO {ODD} BY NAME SELECT {-(2**63) - 1} AS "a.b", 'nan' AS f, '-infinity' AS dbl, [] AS l;
        CREATE TABLE "odd. schema".other AS SELECT INTERVAL '1 month 2 days' AS iv, '10:00:00+02'::TIMETZ AS tz,
            '2024-01-01 00:00:00.123456789'::TIMESTAMP_NS AS ns, '101'::BIT AS bi, 5::UNION(n INTEGER, s VARCHAR) AS un;
        """,
    )
    for table in export(database, "--schemas", "odd. schema")["tables"]:
        source = ODD if "q" in table["name"] else '"odd. schema".other'
        columns = "*" if "q" in table["name"] else "COLUMNS(*)::VARCHAR"
        with duckdb.connect(database) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            expected = connection.sql(f"SELECT {columns} FROM {source}").fetchall()
        names = [column["name"] for column in table["columns"]]
        assert differing_columns(names, expected, rows(database, table)) == {}
        assert "HUGEINT" not in json.dumps([column["type"] for column in table["columns"]])


def test_integers_that_no_decimal_can_hold_are_text(database: Path) -> None:
    largest = 2**127 - 1
    change(database, f"CREATE TABLE notes.huge AS SELECT {largest}::HUGEINT AS a, [1::HUGEINT] AS b, [{largest}] AS c")
    huge = entry(export(database, "--schemas", "notes"), "notes.huge")
    assert [column["type"] for column in huge["columns"]] == ["VARCHAR", "DECIMAL(38,0)[]", "VARCHAR[]"]
    assert rows(database, huge) == [(str(largest), [1], [str(largest)])]


def test_empty_tables_keep_their_columns(database: Path) -> None:
    change(database, "CREATE TABLE notes.nothing (a HUGEINT, b STRUCT(c INTEGER))")
    nothing = entry(export(database, "--schemas", "notes"), "notes.nothing")
    assert rows(database, nothing) == []
    (file,) = nothing["files"]
    assert duckdb.sql(f"FROM '{database.parent / 'lake' / file['path']}'").columns == ["a", "b"]


def test_a_key_that_several_rows_have_is_none(database: Path) -> None:
    change(database, "INSERT INTO tap_acme.people FROM tap_acme.people LIMIT 1")
    assert entry(export(database), "tap_acme.people")["primary_key"] == []


def test_only_changed_tables_are_written_again(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = database.parent / "lake"
    first = export(database)
    assert export(database) == first
    assert "0 written, 2 unchanged" in capsys.readouterr().out
    # The same rows in another order, which the loader's merge gives.
    change(database, "CREATE OR REPLACE TABLE hr.employee AS FROM hr.employee ORDER BY ALL DESC")
    change(database, "UPDATE tap_acme.people SET name = name || '!'")
    second = export(database)
    assert "1 written, 1 unchanged" in capsys.readouterr().out
    old, new = (lake / entry(found, "hr.employee")["files"][0]["path"] for found in (first, second))
    assert old != new
    assert old.samefile(new)
    new.write_bytes(b"damaged")
    change(database, "UPDATE tap_acme.people SET name = 'x' WHERE id_2 = 1")
    export(database)
    assert "2 written, 0 unchanged" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_file_that_is_missing_or_damaged_is_written_again(database: Path, content: bytes | None) -> None:
    first = export(database)
    file = database.parent / "lake" / entry(first, "tap_acme.people")["files"][0]["path"]
    file.unlink()
    if content:
        file.write_bytes(content)
    second = export(database)
    assert len(rows(database, entry(second, "tap_acme.people"))) == 1000
    assert export(database) == second


def test_a_new_run_without_changes_is_in_the_manifest(database: Path) -> None:
    first = export(database)
    change(database, "INSERT INTO tap_acme._runs VALUES ('third', 'succeeded', '2024-01-03', '2024-01-03')")
    second = export(database)
    assert second["loads"]["tap_acme"]["run_id"] == "third"
    assert second["version"] != first["version"]


def test_former_versions_are_kept_and_removed(database: Path) -> None:
    versions = database.parent / "lake" / "versions"
    found = []
    for number in range(4):
        change(database, f"UPDATE tap_acme.people SET name = 'version {number}'")
        found.append(export(database, "--keep", "2")["version"])
        assert {path.name for path in versions.iterdir()} == set(found[-2:])
    export(database, "--keep", "1")
    assert [path.name for path in versions.iterdir()] == [found[-1]]


@pytest.mark.parametrize("step", ["write_file", "publish", "clean"])
def test_an_export_that_is_killed_leaves_the_former_one(
    database: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = database.parent / "lake"
    first = export(database)
    change(database, "UPDATE tap_acme.people SET name = name || '!'; CREATE TABLE hr.more AS SELECT 1 AS a")
    child = os.fork()
    if not child:
        monkeypatch.setattr(parquet, step, lambda *_: os._exit(9))
        cli.main(["parquet", "--database", str(database), "--to", str(lake)])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    found = manifest(lake)
    assert (found == first) == (step != "clean")
    found = export(database)
    assert {row[1][-1] for row in rows(database, entry(found, "tap_acme.people"))} == {"!"}
    assert len(list((lake / "versions").iterdir())) == 2


def test_two_exports_at_once(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = database.parent / "lake"
    lake.mkdir()
    with parquet.locked(lake):
        assert cli.main(["parquet", "--database", str(database), "--to", str(lake)]) == 1
    assert capsys.readouterr().err == f"Another export writes into {lake}: run this again when it has ended.\n"


def test_a_manifest_of_something_else_is_kept(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = database.parent / "lake" / "manifest.json"
    file.parent.mkdir()
    for content in ("{}", "[]", "no JSON"):
        file.write_text(content)
        assert cli.main(["parquet", "--database", str(database), "--to", str(file.parent)]) == 1
        assert "export into another folder" in capsys.readouterr().err
        assert file.read_text() == content


def test_files_that_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, other, empty = (tmp_path / name for name in ("missing.duckdb", "other.duckdb", "empty.duckdb"))
    other.write_text(PERSON)
    change(empty, "CREATE TABLE mine (a INTEGER)")
    for path, words in ((missing, "load data first"), (other, "cannot be read as a DuckDB file"), (empty, "--schemas")):
        assert cli.main(["parquet", "--database", str(path), "--to", str(tmp_path / "lake")]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert PERSON not in error
    assert not (tmp_path / "lake").exists()


def test_a_folder_that_cannot_be_written(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["parquet", "--database", str(database), "--to", str(database)]) == 1
    assert capsys.readouterr().err == f"The export failed: File exists: {database}\n"


def test_a_full_disk(database: Path) -> None:
    first = export(database)
    change(database, "CREATE TABLE hr.large AS SELECT uuid()::VARCHAR AS a FROM range(100000)")
    child = os.fork()
    if not child:  # a limit on the size of files stands for the end of the disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19))
        with (database.parent / "error").open("w") as file, redirect_stderr(file):
            code = cli.main(["parquet", "--database", str(database), "--to", str(database.parent / "lake")])
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert "enough free space" in (database.parent / "error").read_text()
    assert manifest(database.parent / "lake") == first


def test_iceberg_needs_more_packages(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    assert cli.main(["iceberg", "--database", str(database)]) == 1
    assert "hrtaps-export[iceberg]" in capsys.readouterr().err
