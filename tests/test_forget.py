"""A person of the fictitious company is gone from the loads of all three taps, and stays out of the next ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hr_sandbox.testing import Sandbox, running
from target_duckdb.erasure.forget import forget
from target_duckdb.plugin import ConfiguredTarget

pytestmark = [pytest.mark.slow, pytest.mark.deep]

BIN = Path(sys.executable).parent
SETTINGS = {
    "personio": {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "optional_streams": ["absence_period_breakdowns"],
    },
    "factorial": {"api_key": "sandbox-api-key"},
    "cornerstone": {"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
}
STREAMS = {
    "personio": {
        "persons",
        "employments",
        "absence_periods",
        "absence_period_breakdowns",
        "attendance_periods",
        "recruiting_jobs",
        "recruiting_applications",
    },
    "factorial": {
        "employees_employees",
        "contracts_contract_versions",
        "contracts_compensations",
        "timeoff_leaves",
        "teams_teams",
        "teams_memberships",
        "documents_documents",
        "attendance_worked_times",
        "posts_comments",
    },
    "cornerstone": {"users_core", "employees", "user_ou_core", "ou_core", "transcript_core", "training_core"},
}
RECORDS = (
    ("tap_personio.persons", "id", "email"),
    ("tap_factorial.employees_employees", "id", "login_email"),
    ("tap_cornerstone.users_core", "user_id", "user_email"),
)
MANAGERS = (
    ("tap_personio.employments", "supervisor ->> 'id'"),
    ("tap_factorial.employees_employees", "manager_id"),
    ("tap_cornerstone.users_core", "user_mgr_id"),
)


def extract(sandbox: Sandbox, vendor: str, folder: Path, settings: dict[str, Any]) -> Path:
    """Runs a tap. Returns the file with its messages."""
    config = folder / f"{vendor}.json"
    config.write_text(json.dumps({"api_url": f"{sandbox.url}/{vendor}", **SETTINGS[vendor], **settings}))
    tap, environment = BIN / f"tap-{vendor}", {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}

    def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [tap, "--config", config, *arguments], check=True, env=environment, stderr=subprocess.PIPE, **options
        )

    catalog = json.loads(run("--discover", stdout=subprocess.PIPE).stdout)
    catalog["streams"] = [stream for stream in catalog["streams"] if stream["stream"] in STREAMS[vendor]]
    assert {stream["stream"] for stream in catalog["streams"]} == STREAMS[vendor]
    path = folder / f"{vendor}-catalog.json"
    path.write_text(json.dumps(catalog))
    messages = folder / f"{vendor}.jsonl"
    with messages.open("wb") as lines:
        run("--catalog", path, stdout=lines)
    return messages


class Loads:
    """The loads of all vendors in one file."""

    def __init__(self, folder: Path, messages: dict[str, Path]) -> None:
        self._folder = folder
        self._messages = messages
        self.path = folder / "hr.duckdb"

    def config(self, vendor: str) -> dict[str, Any]:
        key = str(self._folder / "keys" / "tombstone.key")
        return {"path": str(self.path), "default_target_schema": f"tap_{vendor}", "tombstone_key_file": key}

    def load(self) -> str:
        """Loads the messages of all vendors. Returns the log."""
        log = ""
        for vendor, messages in self._messages.items():
            config = self._folder / "target.json"
            config.write_text(json.dumps(self.config(vendor)))
            with messages.open("rb") as lines:
                command = [BIN / "target-duckdb", "--config", config]
                run = subprocess.run(command, stdin=lines, capture_output=True, check=False)
            assert run.returncode == 0, run.stderr.decode()
            log += run.stderr.decode()
        return log

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql, values).fetchall()

    def counts(self) -> dict[str, int]:
        """Returns the rows of each table."""
        tables = self.query("SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE table_name[1] <> '_'")
        return {name: self.query(f"SELECT count(*) FROM {name}")[0][0] for (name,) in tables}

    def find(self, text: str) -> dict[str, int]:
        """Returns the columns that contain a text, with the number of rows."""
        found = {}
        with duckdb.connect(str(self.path)) as connection:
            columns = connection.execute(
                "SELECT schema_name, table_name, column_name FROM duckdb_columns()"
                " SEMI JOIN duckdb_tables() USING (database_name, schema_name, table_name)"
            ).fetchall()
            for schema, table, column in columns:
                sql = f'SELECT count(*) FROM "{schema}"."{table}" WHERE contains(lower("{column}"::VARCHAR), $1)'
                (rows,) = connection.execute(sql, [text]).fetchall()[0]
                if rows:
                    found[f"{schema}.{table}.{column}"] = rows
        return found


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with running(employees=12) as sandbox:
        yield sandbox


@pytest.mark.parametrize("profile", ["everything", "pseudonymous"])
def test_manager_at_three_vendors_is_gone_and_stays_out(sandbox: Sandbox, tmp_path: Path, profile: str) -> None:
    settings = {} if profile == "everything" else {"privacy": profile, "privacy_key": "k" * 40}
    loads = Loads(tmp_path, {vendor: extract(sandbox, vendor, tmp_path, settings) for vendor in STREAMS})
    loads.load()
    ((address,),) = loads.query(
        "SELECT lower(p.email) FROM tap_personio.persons AS p"
        " JOIN tap_factorial.employees_employees AS f ON lower(f.login_email) = lower(p.email)"
        " JOIN tap_cornerstone.users_core AS c ON lower(c.user_email) = lower(p.email)"
        " WHERE f.id IN (SELECT manager_id FROM tap_factorial.employees_employees) LIMIT 1"
    )
    ids = {
        table: str(loads.query(f"SELECT {column} FROM {table} WHERE lower({email}) = ?", address)[0][0])
        for table, column, email in RECORDS
    }
    # Cornerstone's and Personio's ids are short numbers, which other values contain.
    unique = [value for value in ids.values() if len(value) > 15]
    assert len(unique) == (1 if profile == "everything" else 3)
    managed = dict(zip(MANAGERS, ids.values(), strict=True))
    for text in (address, *unique):
        assert len(loads.find(text)) > 2, "the search finds nothing at all"
    assert all(loads.query(f"SELECT 1 FROM {table} WHERE {sql} = ?", value) for (table, sql), value in managed.items())
    before = loads.counts()

    report = forget(ConfiguredTarget(config=loads.config("personio")), address, dry_run=False)

    deleted = {plan.table.full_name: plan.deleted for plan in report.plans if plan.table.stream}
    left = {name: rows - deleted[name] for name, rows in before.items()}
    assert left != before
    assert {deleted[table] for table, _, _ in RECORDS} == {1}
    for _ in range(2):
        assert loads.counts() == left
        assert {text: loads.find(text) for text in (address, *unique)} == {text: {} for text in (address, *unique)}
        for (table, sql), value in managed.items():
            assert loads.query(f"SELECT 1 FROM {table} WHERE {sql} = ?", value) == []
        log = loads.load()
        assert "of forgotten people left out" in log
