"""Iceberg tables: what a run of the loader changes in them, schema evolution, expiry, and exports that are killed.

Only `make test-lake` runs these tests: it installs pyiceberg.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_export import cli

from tests.helpers import differing_columns

if TYPE_CHECKING:
    from pyiceberg.table import Table

pytestmark = pytest.mark.elsewhere

pa = pytest.importorskip("pyarrow", reason="run `make test-lake`")
catalogs = pytest.importorskip("pyiceberg.catalog", reason="run `make test-lake`")
iceberg = pytest.importorskip("hr_export.iceberg")

BIN = Path(sys.executable).parent
PERSON = "Ada Zqxlovelace"
TABLE = ("tap_acme", "people")
TEXT, INTEGER = {"type": ["null", "string"]}, {"type": ["null", "integer"]}


@dataclass
class Lake:
    """A DuckDB file, and its Iceberg tables."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def options(self) -> list[str]:
        uri = f"sqlite:///{self.folder}/lake/catalog.db"
        return ["--database", str(self.database), "--catalog", uri, "--warehouse", str(self.folder / "lake")]

    def load(
        self, rows: list[dict[str, Any]], *, version: int | None = None, key: tuple[str, ...] = ("id",), **types: Any
    ) -> None:
        """Loads rows of the stream `people`; those of a version replace all others."""
        schema = {"properties": {"id": {"type": "integer"}, "name": TEXT} | types}
        messages: list[dict[str, Any]] = [{"type": "SCHEMA", "schema": schema, "key_properties": [*key]}]
        messages += [{"type": "RECORD", "record": row} | ({"version": version} if version else {}) for row in rows]
        if version:
            messages.append({"type": "ACTIVATE_VERSION", "version": version})
        config = self.folder / "target.json"
        config.write_text(json.dumps({"path": str(self.database), "default_target_schema": TABLE[0]}))
        lines = "".join(json.dumps({"stream": TABLE[1]} | message) + "\n" for message in messages)
        subprocess.run(
            [BIN / "target-duckdb", "--config", config], input=lines, text=True, capture_output=True, check=True
        )

    def change(self, sql: str) -> None:
        with duckdb.connect(self.database) as connection:
            connection.execute(sql)

    def export(self, *options: str) -> None:
        """Exports, and compares the rows."""
        assert cli.main(["iceberg", *self.options, *options]) == 0
        self.check()

    def check(self) -> None:
        """Compares all rows of the table with those of the DuckDB file."""
        with duckdb.connect(self.database, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            relation = connection.sql("FROM tap_acme.people")
            columns, expected = relation.columns, relation.fetchall()
        found = self.table().scan().to_arrow()
        assert {*found.column_names} == {*columns}  # those that were replaced are the last ones
        found = found.select(columns)
        assert differing_columns(columns, expected, [[*row.values()] for row in found.to_pylist()]) == {}

    def run_id(self) -> str:
        with duckdb.connect(self.database, read_only=True) as connection:
            ((run,),) = connection.sql("SELECT run_id FROM tap_acme._runs ORDER BY started_at DESC LIMIT 1").fetchall()
        return str(run)

    def table(self, name: str = TABLE[1]) -> Table:
        catalog = catalogs.load_catalog("default", uri=self.options[3])
        try:
            return catalog.load_table((TABLE[0], name))
        finally:
            catalog.close()

    def operations(self) -> list[str]:
        """What each snapshot is, in their order."""
        return [snapshot.summary.operation.value for snapshot in self.table().snapshots()]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path)
    found.load([{"id": number, "name": f"person {number}"} for number in range(100)], version=1)
    found.export()
    return found


def rows(*numbers: int, name: str = "changed") -> list[dict[str, Any]]:
    return [{"id": number, "name": f"{name} {number}"} for number in numbers]


def test_the_first_export_has_the_key_and_the_run(lake: Lake) -> None:
    table = lake.table()
    assert lake.operations() == ["append"]
    assert table.schema().identifier_field_names() == {"id"}
    assert table.current_snapshot().summary["hr-export.run"] == lake.run_id()


def test_new_rows_are_appended(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.load(rows(100, 101))
    lake.export()
    assert "1 appended" in capsys.readouterr().out
    assert lake.operations() == ["append", "append"]
    summary = lake.table().current_snapshot().summary
    assert (summary["added-records"], summary["hr-export.run"]) == ("2", lake.run_id())


def test_changed_rows_are_replaced_in_one_commit(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    commits = len(lake.table().metadata.metadata_log)
    lake.load(rows(1, 2, 100))
    lake.export()
    assert "1 updated" in capsys.readouterr().out
    assert len(lake.table().metadata.metadata_log) == commits + 1
    assert {one.summary["hr-export.run"] for one in lake.table().snapshots()[1:]} == {lake.run_id()}
    before, after = lake.table().snapshots()[0], lake.table().current_snapshot()
    assert lake.table().scan(snapshot_id=before.snapshot_id).to_arrow().num_rows == 100
    assert after.summary["total-records"] == "101"


def test_nothing_changes_without_a_change(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    before = lake.table().metadata_location
    lake.export()
    assert "1 unchanged" in capsys.readouterr().out
    lake.load(rows(1, 2, name="person"))  # the same values in rows that were written again
    lake.export()
    assert lake.table().metadata_location == before


def test_marked_rows_stay_unless_they_are_left_out(lake: Lake) -> None:
    lake.load(rows(*range(50), name="person"), version=2)
    lake.export()
    assert lake.table().scan().to_arrow().num_rows == 100
    assert lake.table().scan(row_filter="_sdc_deleted_at IS NULL").to_arrow().num_rows == 50
    assert cli.main(["iceberg", *lake.options, "--without-deleted"]) == 0
    assert {row["id"] for row in lake.table().scan().to_arrow().to_pylist()} == {*range(50)}


def test_removed_rows_are_removed(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.change("DELETE FROM tap_acme.people WHERE id < 5")
    lake.export()
    assert "1 updated" in capsys.readouterr().out
    lake.change("DELETE FROM tap_acme.people")
    lake.export()
    assert lake.table().scan().to_arrow().num_rows == 0


def test_rows_with_a_key_of_several_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    key = {"key": ("id", "month"), "month": {"type": "string"}}
    lake.load([{"id": number % 10, "month": f"2024-{number:03}"} for number in range(100)], **key)
    lake.export()
    changed = [{"id": 3, "month": f"2024-{month}", "name": "changed"} for month in ("003", "013", "999")]
    lake.load([*changed, {"id": 77, "month": "2024-003"}], **key)
    lake.export()
    assert lake.operations() == ["append", "overwrite", "append"]


def test_many_changes_replace_the_table(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hr_export.iceberg.MAX_KEYS", 5)
    lake.load(rows(*range(10)))
    lake.export()
    assert lake.operations() == ["append", "delete", "append"]


def test_tables_without_a_key_are_replaced_if_they_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(tmp_path)
    for _ in range(2):
        lake.load(rows(1, 1), key=())
        lake.export()
    assert lake.table().schema().identifier_field_ids == []
    assert "1 replaced" in capsys.readouterr().out
    lake.export()
    assert "1 unchanged" in capsys.readouterr().out


def test_columns_are_added_and_widened(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.load([{"id": 1, "name": "a"}])
    lake.change("ALTER TABLE tap_acme.people ADD COLUMN number INTEGER; UPDATE tap_acme.people SET number = 7")
    lake.change("ALTER TABLE tap_acme.people ADD COLUMN amount DECIMAL(10, 2); UPDATE tap_acme.people SET amount = 1.5")
    lake.export()
    ids = {field.name: field.field_id for field in lake.table().schema().fields}
    lake.load([{"id": 2, "number": 2**40, "more": {"a": 1}}], number=INTEGER, more={"type": ["null", "object"]})
    lake.change("ALTER TABLE tap_acme.people ALTER amount TYPE DECIMAL(12, 2)")
    lake.export()
    fields = {field.name: field for field in lake.table().schema().fields}
    assert {name: fields[name].field_id for name in ids} == ids
    assert (str(fields["number"].field_type), str(fields["amount"].field_type)) == ("long", "decimal(12, 2)")
    assert str(fields["more"].field_type) == "string"
    assert [row["number"] for row in lake.table().scan().to_arrow().sort_by("id").to_pylist()] == [7, 2**40]


@pytest.mark.parametrize("column", ["number", "id"])
def test_columns_that_iceberg_cannot_widen_are_replaced(
    tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(tmp_path)
    lake.load([{"id": 1, "number": 7}], number=INTEGER)
    lake.export()
    before = lake.table().current_snapshot().snapshot_id
    lake.load([{"id": 2, "number": 8} | {column: 2**70}], number=INTEGER)
    lake.export()
    assert f"Iceberg cannot widen tap_acme.people.{column} to DECIMAL(38,0)" in capsys.readouterr().err
    assert Decimal(2**70) in lake.table().scan().to_arrow()[column].to_pylist()
    assert lake.table().schema().identifier_field_names() == {"id"}
    (old,) = lake.table().scan(snapshot_id=before).to_arrow().to_pylist()
    assert (old["id"], old["number"]) == (1, 7)
    lake.export()
    assert "1 unchanged" in capsys.readouterr().out
    lake.load([{"id": 1, "number": 9}], number=INTEGER)
    lake.export()


def test_decimals_of_another_scale_are_replaced(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.load(rows(1))
    lake.change("ALTER TABLE tap_acme.people ADD COLUMN amount DECIMAL(10, 2) DEFAULT 1.25")
    lake.export()
    lake.change("ALTER TABLE tap_acme.people ALTER amount TYPE DECIMAL(12, 4)")
    lake.export()
    assert str(lake.table().schema().find_field("amount").field_type) == "decimal(12, 4)"


def test_removed_columns_stay_in_older_snapshots(lake: Lake) -> None:
    before = lake.table().current_snapshot().snapshot_id
    lake.change("ALTER TABLE tap_acme.people DROP COLUMN name")
    lake.export()
    assert "name" in lake.table().scan(snapshot_id=before).to_arrow().column_names


def test_descriptions_are_kept_without_a_snapshot(lake: Lake) -> None:
    lake.change("COMMENT ON COLUMN tap_acme.people.name IS 'The name.'")
    lake.export()
    assert lake.table().schema().find_field("name").doc == "The name."
    assert lake.operations() == ["append"]


def test_what_another_program_changed_is_replaced(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = catalogs.load_catalog("default", uri=lake.options[3])
    catalog.load_table(TABLE).delete("id < 50")
    catalog.close()
    lake.export()
    assert "1 replaced" in capsys.readouterr().out


def test_a_table_that_is_gone_stays_with_a_sentence(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.change("CREATE TABLE tap_acme.other AS SELECT 1 AS a")
    lake.export()
    lake.change("DROP TABLE tap_acme.other")
    lake.export()
    assert "tap_acme.other is no longer in the DuckDB file" in capsys.readouterr().err


def test_expiry_removes_the_files_of_old_snapshots(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.load([{"id": 1, "name": PERSON}, {"id": 2, "name": "b"}])
    lake.export()
    lake.change("DELETE FROM tap_acme.people WHERE id = 1")  # as `target-duckdb forget` does
    orphan = lake.folder / "lake" / "tap_acme" / "people" / "data" / "orphan.parquet"
    young = orphan.with_name("young.parquet")
    shutil.copyfile(next(orphan.parent.glob("*.parquet")), orphan)
    shutil.copyfile(orphan, young)  # perhaps of an export that is running
    os.utime(orphan, (0, 0))
    lake.export()
    assert PERSON in everything_in(lake.folder / "lake")
    lake.export("--expire", "0")
    assert "files of old snapshots were removed" in capsys.readouterr().out
    assert len(lake.table().snapshots()) == 1
    assert young.exists()
    assert not orphan.exists()
    young.unlink()
    assert PERSON not in everything_in(lake.folder / "lake")
    lake.export("--expire", "30")


def everything_in(folder: Path) -> str:
    """The values of all Parquet files, and the bytes of all others."""
    texts = []
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            texts.append(str(duckdb.sql(f"FROM '{path}'").fetchall()))
        elif path.is_file():
            texts.append(path.read_bytes().decode(errors="replace"))
    return "".join(texts)


KILL = """
import os, pathlib, signal, sys
import pyiceberg.table, sqlalchemy.orm
from hr_export import cli
folder, former = pathlib.Path(sys.argv[1]), int(sys.argv[2])
def kill(*arguments):
    if {condition}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
original = {method}
{method} = kill
cli.main(sys.argv[3:])
"""


@pytest.mark.parametrize(
    ("method", "condition"),
    [
        # The data files are written.
        ("pyiceberg.table.{owner}.commit_transaction", "True"),
        # The new metadata is written, but the catalog has the former one.
        ("sqlalchemy.orm.Session.commit", "len([*folder.rglob('*.metadata.json')]) > former"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_a_killed_export_is_repeated(tmp_path: Path, method: str, condition: str, *, is_first: bool) -> None:
    lake = Lake(tmp_path)
    lake.load(rows(*range(100), name="person"))
    lake.change("CREATE TABLE tap_acme.last AS SELECT 1 AS a")
    former = ""
    if not is_first:
        lake.export()
        former = lake.table().metadata_location
        lake.load(rows(1, 2, 100))
        lake.change("INSERT INTO tap_acme.last VALUES (2)")
    owner = "CreateTableTransaction" if is_first else "Transaction"
    script = KILL.format(method=method.format(owner=owner), condition=condition)
    command = [sys.executable, "-c", script, tmp_path, "2" if former else "0", "iceberg", *lake.options]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if former:
        assert lake.table("last").scan().to_arrow().num_rows == 1
    lake.export()
    assert lake.table("last").scan().to_arrow().num_rows == (2 if former else 1)
    assert len(lake.operations()) == (3 if former else 1)


@pytest.mark.parametrize(
    "catalog", ["sqlite:////proc/no/folder/catalog.db", "nonsense", "postgresql://hr:zqxsecret@/x"]
)
def test_a_catalog_that_cannot_be_opened(lake: Lake, catalog: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    options = ["--database", str(lake.database), "--catalog", catalog]
    assert cli.main(["iceberg", *options, "--warehouse", str(lake.folder / "lake")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "zqxsecret" not in error


def test_no_values_are_in_the_message_of_a_failure(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(PERSON)

    monkeypatch.setattr("hr_export.iceberg.TableExport.rows", fail)
    lake.load(rows(1))
    assert cli.main(["iceberg", *lake.options]) == 1
    error = capsys.readouterr().err
    assert "tap_acme.people could not be written: ValueError. It is unchanged: run this again." in error
    assert PERSON not in error
    monkeypatch.undo()
    lake.export()


def test_a_table_that_fails_does_not_stop_the_others(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.change("CREATE TABLE tap_acme.animals AS SELECT 1 AS a; CREATE TABLE tap_acme.zebras AS SELECT 2 AS a")
    run = iceberg.TableExport.run

    def fail(export: Any, location: str) -> Any:
        if export.table.name == "animals":
            raise ValueError
        return run(export, location)

    monkeypatch.setattr(iceberg.TableExport, "run", fail)
    assert cli.main(["iceberg", *lake.options]) == 1
    assert capsys.readouterr().err.count("could not be written") == 1
    lake.check()
    assert lake.table("zebras").scan().to_arrow().num_rows == 1


def test_a_key_with_a_dot_in_its_name(lake: Lake) -> None:
    lake.change('ALTER TABLE tap_acme.people RENAME id TO "i.d"')
    lake.change("UPDATE tap_acme._tables SET key_properties = ['i.d'] WHERE table_name = 'people'")
    lake.export()
    lake.change("UPDATE tap_acme.people SET name = 'x' WHERE \"i.d\" = 3")
    lake.export()
    lake.change('INSERT INTO tap_acme.people BY NAME SELECT 1000 AS "i.d"; DELETE FROM tap_acme.people WHERE "i.d" = 4')
    lake.export()
    assert lake.table().schema().identifier_field_names() == {"i.d"}


@pytest.mark.parametrize("id_", [0, None])
def test_a_key_that_is_lost_and_comes_back(lake: Lake, id_: int | None) -> None:
    lake.export()
    lake.change(
        f"INSERT INTO tap_acme.people BY NAME SELECT {'NULL' if id_ is None else id_}::BIGINT AS id, 'x' AS name"
    )
    lake.export()
    assert not lake.table().schema().identifier_field_ids
    lake.change("DELETE FROM tap_acme.people WHERE name = 'x'")
    lake.export()
    assert lake.table().schema().identifier_field_names() == {"id"}


def test_a_field_that_is_removed_from_a_struct(lake: Lake) -> None:
    lake.change("ALTER TABLE tap_acme.people ADD COLUMN s STRUCT(a INTEGER, b INTEGER)")
    lake.change("UPDATE tap_acme.people SET s = {'a': id, 'b': 1}")
    lake.export()
    lake.change("ALTER TABLE tap_acme.people DROP COLUMN s")
    lake.change("ALTER TABLE tap_acme.people ADD COLUMN s STRUCT(b INTEGER); UPDATE tap_acme.people SET s = {'b': 1}")
    lake.export()
