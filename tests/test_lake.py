"""Copies of everything for a data lake, on a folder and on a local S3 server, read by polars, pyarrow and DuckDB.

Only `make test-lake` runs these tests: it installs pyiceberg and polars, and in environments of their own the S3 server
and DuckDB's extension for Iceberg.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_sandbox.testing import running

from tests.helpers import differing_columns, free_port, tap_settings

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from pyiceberg.table import Table

pytestmark = pytest.mark.elsewhere

os.environ["POLARS_ICEBERG_PLANNER"] = "pyiceberg"  # polars warns that another one is faster

pl = pytest.importorskip("polars", reason="run `make test-lake`")
pq = pytest.importorskip("pyarrow.parquet", reason="run `make test-lake`")
catalogs = pytest.importorskip("pyiceberg.catalog", reason="run `make test-lake`")

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
LOADERS = Path(sys.prefix) / "loaders"
MODELS = ROOT / "models"
DBT_PYTHON = ROOT / ".meltano" / "transformers" / "dbt-duckdb" / "venv" / "bin" / "python"
READERS = ("polars", "pyarrow", "duckdb")
VENDORS = ("personio", "factorial", "cornerstone")
LIMIT = 580
"""Seconds that a process may take."""
PERSON = "Ada Zqxlovelace"
KEY_ID, SECRET = "AKIAINVENTED", "zqxsecret-of-the-tests"
BUCKET = "hr-lake"

Rows = list[tuple[Any, ...]]


def inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}


@dataclass
class Storage:
    """Where Iceberg tables are.

    Attributes:
        folder: The folder of the catalog.
        warehouse: The address of the tables.
        endpoint: The address of the S3 server, if they are there.
    """

    folder: Path
    warehouse: str
    endpoint: str = ""

    @property
    def uri(self) -> str:
        """The address of the catalog."""
        return f"sqlite:///{self.folder}/catalog/catalog.db"

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's tools read from the environment."""
        if not self.endpoint:
            return {}
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def export(self, database: Path, *options: str, code: int = 0) -> str:
        """Exports a file. Returns what was printed."""
        done = subprocess.run(
            [
                *(BIN / "hr-export", "iceberg", "--database", database),
                *("--catalog", self.uri, "--warehouse", self.warehouse, *options),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            env=inherited() | self.environment,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output
        assert SECRET not in output
        assert PERSON not in output
        return output

    def table(self, schema: str, name: str) -> Table:
        settings = {}
        if self.endpoint:
            settings = {
                "s3.endpoint": self.endpoint,
                "s3.region": "us-east-1",
                "s3.access-key-id": KEY_ID,
                "s3.secret-access-key": SECRET,
            }
        return catalogs.load_catalog("default", uri=self.uri, **settings).load_table((schema, name))

    def read(self, reader: str, tables: list[tuple[str, str]]) -> Iterator[Rows]:
        """Yields the rows of each table."""
        if reader == "duckdb":
            yield from self.read_with_duckdb(tables)
            return
        for name in tables:
            table = self.table(*name)
            if reader == "polars":
                options = {one.lower(): value for one, value in self.environment.items()} | {"aws_allow_http": "true"}
                yield pl.scan_iceberg(table, storage_options=options if self.endpoint else None).collect().rows()
            else:
                yield arrow_rows(table.scan().to_arrow())

    def read_with_duckdb(self, tables: list[tuple[str, str]]) -> Iterator[Rows]:
        """Yields the rows of each table, by DuckDB's extension."""
        python = LOADERS / "duckdb-iceberg" / "bin" / "python"
        if not python.exists():
            pytest.skip("DuckDB's extension is not installed: run `make test-lake`")
        out = self.folder / "read.duckdb"
        out.unlink(missing_ok=True)
        wanted = {"out": str(out), "tables": [(*name, self.table(*name).metadata_location) for name in tables]}
        if self.endpoint:
            host = self.endpoint.removeprefix("http://")
            wanted["secret"] = {"KEY_ID": KEY_ID, "SECRET": SECRET, "ENDPOINT": host, "REGION": "us-east-1"}
        subprocess.run(
            [python, ROOT / "tests" / "duckdb_iceberg.py"],
            input=json.dumps(wanted),
            text=True,
            check=True,
            timeout=LIMIT,
            env=inherited(),
        )
        with duckdb.connect(out, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for schema, name in tables:
                yield connection.sql(f'FROM "{schema}"."{name}"').fetchall()


def arrow_rows(table: Any) -> Rows:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local S3 server with an empty bucket."""
    server = LOADERS / "moto" / "bin" / "moto_server"
    if not server.exists():
        pytest.skip("moto is not installed: run `make test-lake`")
    port = free_port()
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [server, "-H", "127.0.0.1", "-p", str(port)], stdout=file, stderr=file, env=inherited()
        )
    try:
        url = f"http://127.0.0.1:{port}"
        request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")  # noqa: S310  a local server
        while True:
            try:
                urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
                break
            except urllib.error.HTTPError:
                raise
            except urllib.error.URLError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def storage_at(kind: str, folder: Path, request: pytest.FixtureRequest) -> Storage:
    if kind == "folder":
        return Storage(folder, str(folder / "warehouse"))
    return Storage(folder, f"s3://{BUCKET}/{folder.name}", request.getfixturevalue("s3"))


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return storage_at(request.param, tmp_path, request)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every stream of the three taps, and the models."""
    folder = tmp_path_factory.mktemp("warehouse")
    database = folder / "warehouse.duckdb"
    with running(employees=12, requests_per_minute=600_000) as sandbox:
        for vendor in VENDORS:
            config, target, lines = (folder / f"{vendor}-{name}" for name in ("tap.json", "target.json", "lines"))
            config.write_text(json.dumps(tap_settings(vendor, sandbox.url)))
            target.write_text(json.dumps({"path": str(database), "default_target_schema": f"tap_{vendor}"}))
            with lines.open("wb") as file:
                command = [BIN / f"tap-{vendor}", "--config", config]
                subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=True, timeout=LIMIT)
            load(target, lines.read_text())
    if DBT_PYTHON.exists():
        subprocess.run(
            [
                *(DBT_PYTHON, MODELS / "build.py", "--project-dir", MODELS, "--profiles-dir", MODELS),
                *("--target-path", folder / "target", "--log-path", folder / "logs"),
            ],
            env=inherited() | {"HR_DATABASE": str(database), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            check=True,
            timeout=LIMIT,
        )
    return database


def load(config: Path, lines: str) -> None:
    """Loads Singer messages."""
    subprocess.run(
        [BIN / "target-duckdb", "--config", config],
        input=lines,
        text=True,
        capture_output=True,
        check=True,
        timeout=LIMIT,
    )


def source_tables(database: Path) -> dict[tuple[str, str], tuple[list[str], Rows]]:
    """The columns and rows of all tables that are exported, as they are in a DuckDB file."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = connection.sql(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE table_name NOT LIKE '\\_%' ESCAPE '\\'"
            " AND (schema_name LIKE 'tap\\_%' ESCAPE '\\' OR schema_name IN ('hr', 'hr_metrics')) ORDER BY ALL"
        ).fetchall()
        found = {}
        for schema, name in names:
            relation = connection.sql(f'FROM "{schema}"."{name}"')
            found[schema, name] = relation.columns, relation.fetchall()
        return found


def compare(title: str, database: Path, read: Callable[[list[tuple[str, str]]], Iterator[Rows]]) -> None:
    """Compares all rows of all tables, and prints how many there were."""
    expected = source_tables(database)
    differences: dict[str, Counter[str]] = {}
    rows = 0
    for (name, (columns, one)), other in zip(expected.items(), read(list(expected)), strict=True):
        rows += len(other)
        if found := differing_columns(columns, one, other):
            differences[".".join(name)] = found
    print(f"{title}: {len(expected)} tables, {rows} rows, {len(differences)} with differences")  # noqa: T201
    assert differences == {}


@pytest.mark.parametrize("reader", READERS)
def test_everything_as_parquet(warehouse: Path, tmp_path: Path, reader: str) -> None:
    subprocess.run([BIN / "hr-export", "parquet", "--database", warehouse, "--to", tmp_path], check=True, timeout=LIMIT)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    files = {
        (table["schema"], table["name"]): str(tmp_path / table["files"][0]["path"]) for table in manifest["tables"]
    }
    assert [*manifest["loads"]] == sorted(f"tap_{vendor}" for vendor in VENDORS)

    def read(tables: list[tuple[str, str]]) -> Iterator[Rows]:
        assert {*tables} == files.keys()
        for name in tables:
            if reader == "polars":
                yield pl.read_parquet(files[name]).rows()
            elif reader == "pyarrow":
                yield arrow_rows(pq.read_table(files[name]))
            else:
                yield duckdb.sql(f"FROM read_parquet('{files[name]}')").fetchall()

    compare(f"Parquet, {reader}", warehouse, read)


@dataclass
class Everything:
    """All tables of the three taps and the models, as Iceberg tables."""

    storage: Storage
    database: Path
    name: str


@pytest.fixture(scope="module", params=["folder", "s3"])
def everything(request: pytest.FixtureRequest, warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    found = Everything(storage_at(request.param, tmp_path_factory.mktemp("lake"), request), warehouse, request.param)
    found.storage.export(warehouse)
    return found


@pytest.mark.parametrize("reader", READERS)
def test_everything_as_iceberg(everything: Everything, reader: str) -> None:
    compare(
        f"Iceberg, {everything.name}, {reader}",
        everything.database,
        lambda names: everything.storage.read(reader, names),
    )


def test_a_second_export_without_changes_makes_no_snapshot(everything: Everything) -> None:
    tables = source_tables(everything.database)
    before = [everything.storage.table(*name).metadata_location for name in tables]
    assert everything.storage.export(everything.database) == f"{len(tables)} Iceberg tables: {len(tables)} unchanged.\n"
    assert [everything.storage.table(*name).metadata_location for name in tables] == before


def test_files_are_private_and_hold_no_secrets(everything: Everything) -> None:
    for path in everything.storage.folder.rglob("*"):
        if path.name != "read.duckdb":
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
            assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    schema, name = next(iter(source_tables(everything.database)))
    assert SECRET not in everything.storage.table(schema, name).metadata.model_dump_json()


def test_every_table_after_changes_and_deletions(everything: Everything, tmp_path: Path) -> None:
    changed = tmp_path / "changed.duckdb"
    shutil.copyfile(everything.database, changed)
    with duckdb.connect(changed) as connection:
        for (schema, name), (columns, _) in source_tables(everything.database).items():
            table = f'"{schema}"."{name}"'
            connection.execute(f"DELETE FROM {table} WHERE rowid % 10 = 3")
            if "_sdc_deleted_at" in columns:
                connection.execute(f"UPDATE {table} SET _sdc_deleted_at = now() WHERE rowid % 10 = 5")
    output = everything.storage.export(changed)
    assert "updated" in output
    assert "created" not in output
    for reader in READERS:
        title = f"Iceberg after changes, {everything.name}, {reader}"
        compare(title, changed, lambda names, reader=reader: everything.storage.read(reader, names))
    output = everything.storage.export(changed, "--schemas", "hr", "tap_personio", "--expire", "0")
    assert "files of old snapshots were removed" in output
    compare(f"{everything.name} after expiry", changed, lambda names: everything.storage.read("pyarrow", names))
    snapshots = {len(everything.storage.table(*name).snapshots()) for name in source_tables(changed) if name[0] == "hr"}
    assert snapshots == {1}
