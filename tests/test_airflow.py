"""Loads of several tenants with Airflow, whose tasks and scheduler are killed: the tables equal those of a plain run.

Only `make test-airflow` runs these tests: it installs Airflow and target-postgres in environments of their own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pytest
import yaml
from hr_sandbox.testing import Sandbox

from tests.airflow_server import Airflow, running_airflow, wait_until
from tests.postgres_server import query, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PEOPLE = int(os.environ.get("PEOPLE", "60"))
SEEDS = {"acme": 7, "globex": 8, "initech": 9}
COMPANIES = {"hooli": "acme", "umbrella": "globex"}
"""Tenants that have the data and the credential of another one."""
PERSONIO = {"people": ["persons"], "time": ["attendance_periods"]}
FACTORIAL = {"all": ["employees_employees", "attendance_shifts"]}
if PEOPLE <= 1000:
    PERSONIO["people"].append("employments")  # a request per person
    PERSONIO["time"].append("absence_periods")
LIMIT = 6000
BOOKMARKS = "SELECT stream, bookmark FROM hrtaps.state WHERE tenant = 'hooli' AND part = ''"


def report(text: str) -> None:
    print(text)  # noqa: T201  shown by `make test-airflow`


def secret_of(tenant: str) -> str:
    return f"secret-of-{tenant}-zqx"


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """A sandbox for each tenant, with people and credentials of its own, in a process of its own."""
    with ExitStack() as stack:
        found = {}
        for tenant, seed in SEEDS.items():
            options = {
                "port": 0,
                "employees": PEOPLE,
                "seed": seed,
                "requests-per-minute": 600_000,
                "latency-ms": 20,
                "client-id": f"client-of-{tenant}",
                "client-secret": secret_of(tenant),
                "api-key": secret_of(tenant),
            }
            flags = [f"--{name}={value}" for name, value in options.items()]
            server = stack.enter_context(
                subprocess.Popen([BIN / "hr-sandbox", "serve", *flags], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(server.terminate)
            assert server.stdout
            match = re.search(r"ready at (\S+)", server.stdout.readline())
            assert match
            found[tenant] = Sandbox(match[1])
        yield found


@contextmanager
def collecting_alerts() -> Iterator[tuple[str, list[Any]]]:
    """Runs a server for alerts. Yields its URL, and the list of what it receives."""
    alerts: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", alerts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Setting:
    airflow: Airflow
    database: int
    plan: dict[str, Any]
    alerts: list[Any]

    def query(self, sql: str) -> list[str]:
        return query(self.database, sql)

    def tables(self, schema: str) -> list[str]:
        return self.query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' ORDER BY 1"
        )

    def rows(self, schema: str) -> dict[str, int]:
        return {
            table: int(self.query(f'SELECT count(*) FROM {schema}."{table}" WHERE _sdc_deleted_at IS NULL')[0])
            for table in self.tables(schema)
        }

    def columns(self, schema: str, table: str) -> list[str]:
        return self.query(
            "SELECT quote_ident(column_name) FROM information_schema.columns WHERE column_name NOT LIKE '\\_sdc\\_%' "
            f"AND table_schema = '{schema}' AND table_name = '{table}' ORDER BY 1"
        )

    def differences(self, one: str, other: str) -> dict[str, int]:
        """Returns the number of rows, live and with all columns, that only one of two schemas has, by table."""
        assert self.tables(one) == self.tables(other) != []
        found = {}
        for table in self.tables(one):
            columns = self.columns(one, table)
            assert columns == self.columns(other, table)
            live = [
                f'SELECT {", ".join(f"{name}::text" for name in columns)} FROM {schema}."{table}" '
                "WHERE _sdc_deleted_at IS NULL"
                for schema in (one, other)
            ]
            both = [f"({first} EXCEPT ALL {second})" for first, second in (live, live[::-1])]
            found[table] = int(self.query(f"SELECT count(*) FROM ({' UNION ALL '.join(both)}) x")[0])
        return found

    def load_plainly(self, tenant: str, tap: str) -> str:
        """Loads all groups of a tap with one undisturbed run, without Airflow. Returns the schema."""
        schema = f"plain_{tenant}_{tap.replace('-', '_')}"
        if self.tables(schema):
            return schema
        begin = time.monotonic()
        one = self.plan["tenants"][tenant]["taps"][tap]
        secrets = {name: secret_of(tenant) for name in one["secrets"]}
        folder = self.airflow.folder
        config = folder / f"{schema}.json"
        config.write_text(json.dumps(one["settings"] | secrets))
        found = subprocess.run([BIN / tap, "--config", config, "--discover"], capture_output=True, check=True)
        wanted = {name for group in one["groups"].values() for name in group}
        streams = [stream for stream in json.loads(found.stdout)["streams"] if stream["tap_stream_id"] in wanted]
        catalog = folder / f"{schema}-catalog.json"
        catalog.write_text(json.dumps({"streams": streams}))
        loader = folder / f"{schema}-loader.json"
        settings = {
            "host": "127.0.0.1",
            "port": self.database,
            "user": "hr",
            "password": "none",
            "database": "postgres",
        }
        loader.write_text(
            json.dumps(
                settings | {"default_target_schema": schema, "use_copy": True, "sanitize_null_text_characters": True}
            )
        )
        programs = self.plan["programs"]
        command = f"{BIN / tap} --config {config} --catalog {catalog} | {programs['target-postgres']} --config {loader}"
        subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=True, timeout=LIMIT)
        report(f"{schema}: a plain run takes {time.monotonic() - begin:.0f} s")
        return schema


@pytest.fixture(scope="module")
def setting(sandboxes: dict[str, Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("airflow")
    loader = Path(sys.prefix) / "loaders" / "target-postgres" / "bin" / "target-postgres"
    tenants: dict[str, Any] = {}
    sandboxes = sandboxes | {tenant: sandboxes[company] for tenant, company in COMPANIES.items()}
    for tenant, sandbox in sandboxes.items():
        company = COMPANIES.get(tenant, tenant)
        secret = folder / f"{tenant}.secret"
        secret.touch(mode=0o600)
        secret.write_text(secret_of(company))
        source: dict[str, Any] = {"globex": {"variable": "globex"}, "initech": {"connection": "initech"}}
        settings = {"api_url": f"{sandbox.url}/personio", "client_id": f"client-of-{company}"}
        tenants[tenant] = {
            "schedule": "@once",
            "taps": {
                "tap-personio": {
                    "settings": settings,
                    "secrets": {"client_secret": source.get(tenant, {"file": str(secret)})},
                    "groups": PERSONIO,
                    "tasks_at_once": 2,
                    "requests_per_minute": 600_000,
                }
            },
        }
    tenants["acme"]["taps"]["tap-factorial"] = {
        "settings": {"api_url": f"{sandboxes['acme'].url}/factorial"},
        "secrets": {"api_key": {"file": str(folder / "acme.secret")}},
        "groups": FACTORIAL,
    }
    tenants["umbrella"] |= {"landing": "duckdb"}
    tenants["broken"] = {
        "schedule": "@once",
        "taps": {
            "tap-personio": {
                "settings": {"api_url": f"{sandboxes['acme'].url}/personio", "client_id": "client-of-acme"},
                "secrets": {"client_secret": {"variable": "wrong"}},
            }
        },
    }
    plan = {
        "project": str(ROOT),
        "files": str(folder / "files"),
        "programs": {
            "target-postgres": str(loader),
            "tap-personio": str(BIN / "tap-personio"),
            "tap-factorial": str(BIN / "tap-factorial"),
        },
        "retries": 4,
        "retry_seconds": 1,
        "alert": {"url": {"variable": "alert"}},
        "tenants": tenants,
    }
    (folder / "tenants.yml").write_text(yaml.safe_dump(plan))
    with running_postgres() as database, collecting_alerts() as (url, alerts):
        environment = {
            "HRTAPS_TENANTS": str(folder / "tenants.yml"),
            "AIRFLOW_CONN_HRTAPS": f"postgresql://hr:not-checked@127.0.0.1:{database}/postgres",
            "AIRFLOW_CONN_INITECH": f"generic://:{secret_of('initech')}@",
            "AIRFLOW_VAR_GLOBEX": secret_of("globex"),
            "AIRFLOW_VAR_WRONG": secret_of("broken"),
            "AIRFLOW_VAR_ALERT": f"{url}/{secret_of('alert')}",
        }
        with running_airflow(folder, database, **environment) as airflow:
            yield Setting(airflow, database, plan, alerts)


def test_state_and_locks(setting: Setting) -> None:
    script = (ROOT / "tests" / "airflow_store.py").read_text()
    done = setting.airflow.command("python", "-", str(setting.database), input=script)
    assert len(done.splitlines()) == 5


def wait_for_task(airflow: Airflow, sandbox: Sandbox) -> tuple[int, int]:
    """Waits for a task of tap-personio that is in the middle of its requests. Returns the tap, and the task."""
    begun: dict[int, int] = {}

    def is_in_the_middle() -> tuple[int, int] | None:
        for tap, task in airflow.tasks("tap-personio", f"TAP_PERSONIO_API_URL={sandbox.url}/personio").items():
            sent = len(sandbox.requests())
            if sent > begun.setdefault(tap, sent) + 5:
                return tap, task
        return None

    return cast("tuple[int, int]", wait_until(is_in_the_middle, LIMIT))


def kill_task(airflow: Airflow, sandbox: Sandbox) -> None:
    """Kills a task, with which its tap has to end."""
    tap, task = wait_for_task(airflow, sandbox)
    os.kill(task, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{tap}").exists(), 30)


def report_run(airflow: Airflow, dag: str, run: str) -> None:
    for one in airflow.instances(dag, run):
        if one["task_id"] != "list_parts" and not one["task_id"].endswith(".tables"):
            result = airflow.result(dag, run, one["task_id"], one["map_index"])
            numbers = {name: result[name] for name in ("rows", "requests", "warnings") if name in (result or {})}
            report(
                f"{dag} {one['task_id']} {one['map_index']}: "
                f"try {one['try_number']}, {one['duration']:.0f} s, {numbers}"
            )


def test_killed_loads_equal_plain_ones(setting: Setting, sandboxes: dict[str, Sandbox]) -> None:
    airflow = setting.airflow
    begin = time.monotonic()
    runs = {f"hr_{tenant}": airflow.first_run(f"hr_{tenant}") for tenant in SEEDS}
    kill_task(airflow, sandboxes["acme"])
    report(f"killed a task after {time.monotonic() - begin:.0f} s")
    wait_for_task(airflow, sandboxes["initech"])
    airflow.kill("scheduler")  # its workers go on with their tasks
    report(f"killed the scheduler after {time.monotonic() - begin:.0f} s")
    airflow.start("scheduler")
    for dag, run in runs.items():
        assert airflow.wait(dag, run, LIMIT) == "success"
    report(f"loaded everything after {time.monotonic() - begin:.0f} s")
    for dag, run in runs.items():
        report_run(airflow, dag, run)
    for tenant in SEEDS:
        for tap, one in setting.plan["tenants"][tenant]["taps"].items():
            schema = f"{tenant}_{tap.replace('-', '_')}"
            rows = setting.rows(schema)
            report(f"{schema}: {rows}")
            assert rows.keys() == {stream for group in one["groups"].values() for stream in group}
            assert set(setting.differences(schema, setting.load_plainly(tenant, tap)).values()) == {0}


def test_a_killed_backfill_in_parts_equals_a_plain_run(setting: Setting, sandboxes: dict[str, Sandbox]) -> None:
    airflow, dag = setting.airflow, "hr_hooli_backfill_tap-personio"
    begin = time.monotonic()
    run = airflow.trigger(dag, parts=3)
    kill_task(airflow, sandboxes["acme"])
    wait_for_task(airflow, sandboxes["acme"])
    airflow.kill("scheduler", group=True)
    airflow.start("scheduler")
    assert airflow.wait(dag, run, LIMIT) == "success"
    report(f"{dag}: {time.monotonic() - begin:.0f} s")
    report_run(airflow, dag, run)
    plain = setting.load_plainly("acme", "tap-personio")
    assert set(setting.differences("hooli_tap_personio", plain).values()) == {0}
    bookmarks = dict(line.split("|") for line in setting.query(BOOKMARKS))
    assert bookmarks.keys() == {stream for group in PERSONIO.values() for stream in group}
    assert all("replication_key_value" in bookmark for bookmark in bookmarks.values())

    run = airflow.first_run("hr_hooli")  # goes on from the merged state
    assert airflow.wait("hr_hooli", run, LIMIT) == "success"
    report_run(airflow, "hr_hooli", run)
    read = sum(airflow.result("hr_hooli", run, f"tap-personio.{group}")["rows"] for group in PERSONIO)
    assert read < sum(setting.rows("hooli_tap_personio").values()) / 2
    assert set(setting.differences("hooli_tap_personio", plain).values()) == {0}


def test_a_task_that_fails_for_good_sends_an_alert_without_secrets(setting: Setting) -> None:
    airflow = setting.airflow
    run = airflow.first_run("hr_broken")
    assert airflow.wait("hr_broken", run, LIMIT) == "failed"
    alert = wait_until(lambda: setting.alerts)[0]
    assert alert == {
        "text": "hr_broken: tap-personio.all failed",
        "dag": "hr_broken",
        "task": "tap-personio.all",
        "map_index": -1,
        "run": run,
        "try_number": 5,
    }


def test_a_file_of_a_tenant_gets_the_models(setting: Setting) -> None:
    airflow = setting.airflow
    run = airflow.first_run("hr_umbrella")
    assert airflow.wait("hr_umbrella", run, LIMIT) == "success"
    with duckdb.connect(airflow.folder / "files" / "umbrella.duckdb", read_only=True) as connection:
        (people,) = connection.sql("SELECT count(*) FROM hr.employee").fetchall()
    assert people == (PEOPLE,)


def test_no_secret_is_in_logs_or_results(setting: Setting) -> None:
    logs = setting.airflow.logs()
    assert "persons: reading" in logs
    assert "-zqx" not in logs
