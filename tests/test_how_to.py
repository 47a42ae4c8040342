"""The scripts and queries of the how-to guides do what the guides say."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dotenv import dotenv_values
from singer_rest.dossier.answers import FIELDS, load_answers
from target_duckdb.target import TargetDuckDB

from docsite.catalog import list_streams
from docsite.permissions import find_matching_streams
from tests.helpers import code_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = Path(__file__).parent.parent / "docs" / "how-to"
SCHEMA = {
    "type": "SCHEMA",
    "stream": "persons",
    "key_properties": ["id"],
    "schema": {
        "description": "One row per person.",
        "properties": {
            "id": {"type": "string"},
            "email": {"type": ["null", "string"]},
            "status": {"type": ["null", "string"], "description": "Status of the person."},
            "updated_at": {"type": ["null", "string"], "format": "date-time"},
        },
    },
}
MARK = "@acme.example"
FIRST, SECOND = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"


def code_block(page: str, language: str, containing: str) -> str:
    """Returns the code block of a page that contains the text."""
    (code,) = [code for code in code_blocks(PAGES / page, language) if containing in code]
    return code


def make_state(bookmark: str) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": {"persons": {"replication_key_value": bookmark}}}}


def make_person(number: int, updated_at: str, **values: Any) -> dict[str, Any]:
    row = {"id": f"{number}", "email": f"{number}{MARK}", "status": "ACTIVE", "updated_at": updated_at, **values}
    return {"type": "RECORD", "stream": "persons", "record": row, "version": 1}


@pytest.fixture
def load_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Loads messages into `output/warehouse.duckdb` of the current folder."""
    monkeypatch.chdir(tmp_path)

    def run(*messages: dict[str, Any], **settings: Any) -> None:
        config = {"path": "output/warehouse.duckdb", "default_target_schema": "tap_personio", **settings}
        target = TargetDuckDB(config=config)
        try:
            target.listen(io.BytesIO("".join(json.dumps(one) + "\n" for one in messages).encode()))  # type: ignore[arg-type]
        finally:
            target.close()

    return run


@pytest.fixture
def loaded_warehouse(load_messages: Callable[..., None]) -> Callable[..., None]:
    """Returns the function that loads messages, after a first run of 300 people."""
    version = {"type": "ACTIVATE_VERSION", "stream": "persons", "version": 1}
    load_messages(SCHEMA, *(make_person(number, FIRST) for number in range(300)), version, make_state(FIRST))
    return load_messages


def query_file(sql: str, path: str = "output/warehouse.duckdb") -> list[tuple[Any, ...]]:
    with duckdb.connect(path) as connection:
        return connection.execute(sql).fetchall()


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("statement", [0, 1])
def test_removed_values_are_nowhere_in_the_copy_and_the_loader_continues(
    loaded_warehouse: Callable[..., None], statement: int
) -> None:
    path = Path("output/warehouse.duckdb")
    query_file(code_block("columns.md", "sql", "DROP COLUMN").split(";")[statement])
    query_file("CREATE SCHEMA hr")
    query_file("CREATE VIEW hr.person AS FROM tap_personio.persons")
    query_file("CHECKPOINT")
    assert MARK.encode() in path.read_bytes(), "DuckDB removes old values by itself: shorten the page"
    comments = query_file("SELECT table_name, column_name, comment FROM duckdb_columns() ORDER BY ALL")
    notes = query_file("FROM tap_personio._tables")

    done = run_script(code_block("columns.md", "python", "COPY FROM DATABASE"))
    assert done.returncode == 0, done.stderr
    assert MARK.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [*Path("output").iterdir()] == [path]
    assert query_file("SELECT table_name, column_name, comment FROM duckdb_columns() ORDER BY ALL") == comments
    assert query_file("FROM tap_personio._tables") == notes

    properties = {name: part for name, part in SCHEMA["schema"]["properties"].items() if name != "email"}  # type: ignore[index]
    head = {**SCHEMA, "schema": {"properties": properties}}
    rows = [make_person(number, SECOND, status="INACTIVE") for number in (1, 999)]
    for row in rows:
        del row["record"]["email"]
    loaded_warehouse(make_state(FIRST), head, *rows, make_state(SECOND), on_fragment="fail")
    assert query_file("SELECT count(*), count(DISTINCT id) FROM hr.person") == [(301, 301)]
    assert query_file(
        "SELECT inserted, changed, bookmark_before, bookmark_after FROM tap_personio._run_streams"
        " JOIN tap_personio._runs USING (run_id) ORDER BY started_at"
    ) == [(300, 0, None, FIRST), (1, 1, FIRST, SECOND)]
    assert json.loads(query_file("SELECT state FROM tap_personio._singer_state")[0][0]) == make_state(SECOND)["value"]


@pytest.mark.slow
def test_a_file_is_converted_for_readers_with_duckdb_1(loaded_warehouse: Callable[..., None]) -> None:
    def version() -> bytes:
        return Path("output/warehouse.duckdb").read_bytes()[12:20]  # after the checksum and "DUCK"

    before = version()
    done = run_script(code_block("operate.md", "python", "STORAGE_VERSION"))
    assert done.returncode == 0, done.stderr
    assert version() == (64).to_bytes(8, "little") != before
    loaded_warehouse(make_state(FIRST), SCHEMA, make_person(999, SECOND), make_state(SECOND), on_fragment="fail")
    assert query_file("SELECT count(*) FROM tap_personio.persons") == [(301,)]
    assert version() == (64).to_bytes(8, "little")

    done = run_script(code_block("columns.md", "python", "COPY FROM DATABASE"))
    assert done.returncode == 0, done.stderr
    assert version() == (64).to_bytes(8, "little"), "compact.py keeps the format"


@pytest.mark.slow
def test_a_text_is_found_in_all_tables(loaded_warehouse: Callable[..., None]) -> None:
    query_file("CREATE SCHEMA hr_snapshots")
    query_file(
        "CREATE TABLE hr_snapshots.copy AS SELECT '{}'::JSON AS empty, {'email': email} AS part"
        " FROM tap_personio.persons"
    )
    query_file("CREATE VIEW hr_snapshots.shown AS FROM tap_personio.persons")
    script = code_block("columns.md", "python", "getpass").replace("getpass.getpass(", "input(")
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=f"17{MARK}\n", capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.partition(": ")[2].splitlines() == [
        "hr_snapshots.copy.part: 3 rows",
        "tap_personio.persons.email: 3 rows",
    ]


@pytest.mark.slow
def test_models_are_exported_for_their_owner_only(loaded_warehouse: Callable[..., None]) -> None:
    query_file("CREATE SCHEMA hr")
    query_file("CREATE TABLE hr.employee AS FROM tap_personio.persons")
    query_file("CREATE SCHEMA hr_metrics")
    query_file("CREATE TABLE hr_metrics.headcount AS SELECT 300 AS headcount")
    command = code_block("operate.md", "console", "hr-export").replace(".venv/bin", str(Path(sys.executable).parent))
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = Path("output/parquet/versions").glob("*/hr/*")
    assert path.name == "employee.parquet"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall() == [(300,)]
    done = run_script(code_block("lakehouse.md", "python", "manifest"))
    assert done.returncode == 0, done.stderr
    assert "300 rows" in done.stdout


def test_the_settings_that_hash_a_value_can_be_parsed() -> None:
    values = dotenv_values(stream=io.StringIO(code_block("columns.md", "text", "STREAM_MAPS=")))
    assert json.loads(values["TAP_PERSONIO_STREAM_MAP_CONFIG"] or "") == {"salt": "..."}
    assert json.loads(values["TAP_PERSONIO_STREAM_MAPS"] or "") == {
        "persons": {"email": "sha256(config['salt'] + email) if email else None"}
    }


MELTANO = """#!/bin/sh
echo "arguments: $*"
for line in $(seq 100); do echo "line $line of the log"; done
exit "$CODE"
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 1])
def test_the_nightly_script_prints_only_failures(tmp_path: Path, code: int) -> None:
    folder = tmp_path / "with a space"
    (folder / ".venv" / "bin").mkdir(parents=True)
    script, meltano = folder / "nightly.sh", folder / ".venv" / "bin" / "meltano"
    script.write_text(code_block("operate.md", "sh", "#!/bin/sh"))
    meltano.write_text(MELTANO)
    for path in (script, meltano):
        path.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "CODE": f"{code}"}
    for options in ([], ["--full-refresh"]):
        command = [script, "personio-to-duckdb", *options]
        done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert bool(done.stdout) == bool(code)
        if code:
            assert done.stdout.startswith("personio-to-duckdb failed with exit code 1.")
            assert done.stdout.endswith("line 100 of the log\n")
            assert len(done.stdout.splitlines()) == 31
    log = (folder / "output" / "personio-to-duckdb.log").read_text().splitlines()
    assert [line for line in log if line.startswith("arguments")] == [
        "arguments: --environment=prod run personio-to-duckdb",
        "arguments: --environment=prod run --full-refresh personio-to-duckdb",
    ]


@pytest.mark.slow
def test_the_check_names_runs_that_are_too_old(loaded_warehouse: Callable[..., None]) -> None:
    loaded_warehouse(SCHEMA, default_target_schema="tap_factorial")
    script = code_block("operate.md", "python", "import sys")

    done = run_script(script)
    assert (done.returncode, done.stderr) == (1, "Nothing was ever loaded.\n"), "without a file"

    def check() -> tuple[int, str]:
        shutil.copy("output/warehouse.duckdb", "output/prod.duckdb")
        done = run_script(script)
        return done.returncode, done.stderr

    assert check() == (0, "")
    query_file("UPDATE tap_factorial._runs SET ended_at = ended_at - INTERVAL 27 HOUR")
    code, printed = check()
    assert code == 1
    assert printed.count("\n") == 1
    assert printed.startswith("tap_factorial: the last successful run ended at 20")
    query_file("UPDATE tap_personio._runs SET status = 'failed'")
    code, printed = check()
    assert code == 1
    assert [line.partition(":")[0] for line in sorted(printed.splitlines())] == ["tap_factorial", "tap_personio"]
    query_file("DROP SCHEMA tap_personio CASCADE")
    query_file("DROP SCHEMA tap_factorial CASCADE")
    assert check() == (1, "Nothing was ever loaded.\n")


@pytest.mark.slow
def test_queries_about_changes_find_them(loaded_warehouse: Callable[..., None]) -> None:
    (now,) = query_file("SELECT strftime(now() AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ')")[0]
    shutil.copy("output/warehouse.duckdb", "output/before.duckdb")
    rows = [make_person(1, FIRST), make_person(2, now, status="INACTIVE"), make_person(300, now)]
    mark = make_person(3, FIRST, _sdc_deleted_at=now)
    head = json.loads(json.dumps(SCHEMA))
    head["schema"]["properties"] |= {"_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"}}
    loaded_warehouse(make_state(FIRST), head, *rows, mark, make_state(now))

    (since,) = query_file("SELECT current_date - INTERVAL 1 DAY")[0]
    found = {}
    for title, sql in re.findall(
        r"^## ([^\n]+)\n[^#]*?```sql\n(.*?)```", (PAGES / "changes.md").read_text(), re.MULTILINE | re.DOTALL
    ):
        found[title] = query_file(sql)
    assert [row[1] for row in found.pop("Runs")] == ["succeeded", "succeeded"]
    assert found.pop("Rows by table") == [("persons", 301, 2, 1, 0)]
    assert [row[:2] for row in found.pop("New and edited rows")] == [("2", "INACTIVE"), ("300", "ACTIVE")]
    assert [row[0] for row in found.pop("Deleted rows")] == ["3"]
    assert sorted(row[0] for row in found.pop("Exactly what differs")) == ["2", "3", "300"]
    changes = found.pop("Tables and columns")
    assert changes[0][1:4] == ("persons", None, "table created")
    assert all(row[0].replace(tzinfo=None) >= since.replace(tzinfo=None) for row in changes)
    assert not found, "test the other queries, too"


def test_sensitive_columns_exist() -> None:
    section = (
        (PAGES / "columns.md").read_text().partition("## Columns with sensitive data")[2].partition("\nWithout")[0]
    )
    rows = re.findall(r"^\| (Personio|Factorial|Cornerstone) \|(.*)$", section, re.MULTILINE)
    assert len(rows) == len(list_streams())
    for vendor, cells in rows:
        for stream, column in re.findall(r"`([\w*]+)(?:\.(\w+))?`", cells):
            pages = find_matching_streams(vendor.lower(), stream)
            assert pages, stream
            columns = {item.path[0] for page in pages for item in page.columns}
            assert not column or column in columns, f"{stream}.{column}"


def test_answers_of_the_guide_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(code_block("dossier.md", "yaml", "purpose:"))
    answers = load_answers(path)
    assert answers.given.keys() == {*FIELDS}
    assert answers.items("retention") == [("conduct", "12"), ("tap_personio.absence_periods", "24")]
