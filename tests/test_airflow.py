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
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hr_sandbox.testing import Sandbox

from tests.airflow_server import Airflow, running_airflow, wait_until
from tests.postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PEOPLE = int(os.environ.get("PEOPLE", "60"))
SEEDS = {"acme": 7, "globex": 8, "initech": 9}
PERSONIO = {"people": ["persons", "employments"], "time": ["absence_periods", "attendance_periods"]}
FACTORIAL = {"all": ["employees_employees", "timeoff_leaves", "attendance_shifts"]}
LIMIT = 6000


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


@dataclass
class Setting:
    airflow: Airflow
    database: int
    plan: dict[str, Any]

    def query(self, sql: str) -> list[str]:
        command = ["psql", "-h", "127.0.0.1", "-p", str(self.database), "-U", "hr", "-d", "postgres", "-X", "-At", "-q"]
        done = subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1"], input=sql, capture_output=True, text=True, check=False, timeout=500
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

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
            "SELECT quote_ident(column_name) FROM information_schema.columns "
            f"WHERE table_schema = '{schema}' AND table_name = '{table}' AND column_name NOT LIKE '\\_sdc\\_%' ORDER BY 1"
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
            sql = (
                f"SELECT count(*) FROM (({live[0]} EXCEPT ALL {live[1]}) UNION ALL ({live[1]} EXCEPT ALL {live[0]})) x"
            )
            found[table] = int(self.query(sql)[0])
        return found

    def load_plainly(self, tenant: str, tap: str, schema: str) -> None:
        """Loads all groups of a tap with one undisturbed run, without Airflow."""
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
        command = f"{BIN / tap} --config {config} --catalog {catalog} | {self.plan['programs']['target-postgres']} --config {loader}"
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=LIMIT,
        )


@pytest.fixture(scope="module")
def setting(sandboxes: dict[str, Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("airflow")
    loader = Path(sys.prefix) / "loaders" / "target-postgres" / "bin" / "target-postgres"
    tenants: dict[str, Any] = {}
    for tenant, sandbox in sandboxes.items():
        secret = folder / f"{tenant}.secret"
        secret.touch(mode=0o600)
        secret.write_text(secret_of(tenant))
        source = {"acme": {"file": str(secret)}, "globex": {"variable": "globex"}, "initech": {"connection": "initech"}}
        settings = {"api_url": f"{sandbox.url}/personio", "client_id": f"client-of-{tenant}"}
        tenants[tenant] = {
            "schedule": "@once",
            "taps": {
                "tap-personio": {
                    "settings": settings,
                    "secrets": {"client_secret": source[tenant]},
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
    plan = {
        "project": str(ROOT),
        "programs": {
            "target-postgres": str(loader),
            "tap-personio": str(BIN / "tap-personio"),
            "tap-factorial": str(BIN / "tap-factorial"),
        },
        "retry_seconds": 1,
        "tenants": tenants,
    }
    (folder / "tenants.yml").write_text(yaml.safe_dump(plan))
    with running_postgres() as database:
        environment = {
            "HRTAPS_TENANTS": str(folder / "tenants.yml"),
            "AIRFLOW_CONN_HRTAPS": f"postgresql://hr:not-checked@127.0.0.1:{database}/postgres",
            "AIRFLOW_CONN_INITECH": f"generic://:{secret_of('initech')}@",
            "AIRFLOW_VAR_GLOBEX": secret_of("globex"),
        }
        with running_airflow(folder, database, **environment) as airflow:
            yield Setting(airflow, database, plan)


def test_killed_loads_equal_plain_ones(setting: Setting) -> None:
    airflow = setting.airflow
    begin = time.monotonic()
    runs = {f"hr_{tenant}": airflow.first_run(f"hr_{tenant}") for tenant in SEEDS}
    wait_until(lambda: setting.tables("acme_tap_personio"))
    (tap, task), *_ = wait_until(lambda: airflow.tasks("tap-personio")).items()
    os.kill(task, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{tap}").exists(), 10)
    print(f"killed a task after {time.monotonic() - begin:.0f} s")  # noqa: T201
    (tap, task), *_ = wait_until(lambda: airflow.tasks("tap-personio") or airflow.tasks("tap-factorial")).items()
    airflow.kill("scheduler")
    print(
        f"killed the scheduler after {time.monotonic() - begin:.0f} s; its task lives: {Path(f'/proc/{task}').exists()}"
    )  # noqa: T201
    airflow.start("scheduler")
    for dag, run in runs.items():
        assert airflow.wait(dag, run, LIMIT) == "success"
        for one in airflow.instances(dag, run):
            result = airflow.result(dag, run, one["task_id"])
            print(dag, one["task_id"], "tries", one["try_number"], "seconds", one["duration"], result)  # noqa: T201
    print(f"all loaded after {time.monotonic() - begin:.0f} s")  # noqa: T201
    for tenant in SEEDS:
        for tap_name in setting.plan["tenants"][tenant]["taps"]:
            name = tap_name.replace("-", "_")
            setting.load_plainly(tenant, tap_name, f"plain_{tenant}_{name}")
            print(setting.rows(f"{tenant}_{name}"))  # noqa: T201
            assert set(setting.differences(f"{tenant}_{name}", f"plain_{tenant}_{name}").values()) == {0}


def test_no_secret_is_in_the_logs_or_the_metadata(setting: Setting) -> None:
    logs = setting.airflow.logs()
    assert "tap-personio" in logs
    assert "-zqx" not in logs
