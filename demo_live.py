"""Shows that changes in a fictitious company reach DuckDB within seconds, through webhooks.

    python demo_live.py

The sandbox sends webhooks to `hr-webhooks serve`, and `hr-webhooks follow` runs Meltano for the records that they are
about. Everything that it writes is in `output/demo-live`. It ends all processes that it starts, also when interrupted.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import duckdb
from hr_sandbox.testing import Sandbox
from hr_webhooks.private_files import write_private
from singer_rest.privacy.profiles import EVERYTHING, load_profile

from demo import (
    BIN,
    DATABASE,
    MELTANO,
    OUTPUT,
    ROOT,
    VENDORS,
    Demo,
    Process,
    make_environment,
    prepare_folder,
    print_end,
    run_meltano,
    run_sandbox,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG, SERVE_LOG, FOLLOW_LOG = "webhooks.yml", "serve.log", "follow.log"
TENANT = "nordlicht"
TYPES = (
    "employees/employee/create_with_contract",
    "employees/employee/terminate",
    "employees/employee/update",
    "timeoff/leave/create",
    "timeoff/leave/delete",
    "timeoff/leave/update",
)
"""The types of Factorial's events, each of which is a subscription."""
KEY = f".secrets/{TENANT}-cornerstone-webhook"
NAME = "Ødegård"
EMPLOYEES = 60
READY = re.compile(r"ready at ([^\s,]+)")
PUBLIC_URL = "http://127.0.0.1"  # before the receiver has chosen its port
POLL_SECONDS = 0.25
MAX_SECONDS = 180  # how long a row may take before the demo fails
END_SECONDS = 15  # how long a process may take to end before it is asked again, and then killed


class LiveDemo(Demo):
    """The demo with webhooks, and its folder."""

    @property
    def folder(self) -> Path:
        """The folder of all files."""
        return OUTPUT / "demo-live"


@dataclass(frozen=True)
class Row:
    """A row that a change brings about.

    Args:
        table: The table.
        condition: Which row of it, once the change has arrived.
        columns: What to show of it, in SQL.
    """

    table: str
    condition: str
    columns: str


@dataclass(frozen=True)
class Change:
    """A change in the company. In texts, `{person}` and `{absence_period}` are the ids of the new records.

    Args:
        title: What happens.
        control: The control of the sandbox.
        body: Its parameters.
        rows: What arrives.
    """

    title: str
    control: str
    body: dict[str, str]
    rows: tuple[Row, ...]


def make_changes(today: datetime) -> tuple[Change, ...]:
    """Returns the changes to show."""
    begins = today + timedelta(days=7 - today.weekday())
    last_day = f"{today + timedelta(days=90):%Y-%m-%d}"
    employee = f"(SELECT id FROM tap_factorial.employees_employees WHERE last_name = '{NAME}')"
    absence = Row(
        "tap_personio.absence_periods",
        "id = '{absence_period}'",
        "approval->>'status' AS approval, starts_from->>'date_time' AS starts",
    )
    leave = Row("tap_factorial.timeoff_leaves", f"employee_id = {employee}", "start_on, finish_on")
    return (
        Change(
            "Somebody is hired",
            "hire",
            {"last_name": NAME},
            (
                Row("tap_personio.persons", "id = '{person}'", "id, status"),
                Row("tap_personio.employments", "person_id = '{person}'", "status, employment_start_date"),
                Row("tap_factorial.employees_employees", f"last_name = '{NAME}'", "id, active"),
                Row("tap_cornerstone.users_core", "user_id = {person}", "user_id, user_hire_dt_last::DATE AS hired"),
            ),
        ),
        Change(
            "The new colleague takes a week off",
            "create",
            {
                "kind": "absence_period",
                "person_id": "{person}",
                "starts_at": f"{begins:%Y-%m-%d}",
                "ends_at": f"{begins + timedelta(days=5):%Y-%m-%d}",
            },
            (absence, leave),
        ),
        Change(
            "The absence is deleted",
            "delete",
            {"kind": "absence_period", "id": "{absence_period}"},
            (
                Row(
                    absence.table,
                    f"{absence.condition} AND _sdc_deleted_at IS NOT NULL",
                    "_sdc_deleted_at AS deleted_at",
                ),
                Row(leave.table, f"{leave.condition} AND deleted_at IS NOT NULL", "deleted_at"),
            ),
        ),
        Change(
            "A training is completed",
            "cornerstone/training",
            {"person_id": "{person}"},
            (
                Row(
                    "tap_cornerstone.transcripts",
                    """"LOID" = '{training}' AND "UserId" LIKE '%{person}'""",
                    '"Status" AS status, "CompletionDate" AS completed',
                ),
            ),
        ),
        Change(
            f"The employment is terminated, with effect from {last_day}",
            "terminate",
            {"person_id": "{person}", "date": last_day},
            (
                Row(
                    "tap_personio.employments",
                    f"person_id = '{{person}}' AND employment_end_date = '{last_day}'",
                    "status, employment_end_date",
                ),
                Row(
                    "tap_factorial.employees_employees",
                    f"last_name = '{NAME}' AND terminated_on = '{last_day}'",
                    "active, terminated_on",
                ),
            ),
        ),
    )


@dataclass
class Stage:
    """What runs.

    Args:
        demo: The demo.
        environment: The environment variables of Meltano and the receiver.
        sandbox: The sandbox's controls.
    """

    demo: Demo
    environment: dict[str, str]
    sandbox: Sandbox
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.demo.folder / DATABASE

    @property
    def config(self) -> Path:
        """The configuration of the receiver."""
        return self.demo.folder / CONFIG

    def run(self, *words: str) -> str:
        """Runs a sub-command of `hr-webhooks`. Returns its output."""
        command = [str(BIN / "hr-webhooks"), words[0], "--config", str(self.config), *words[1:]]
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"{result.stdout}{result.stderr}hr-webhooks {words[0]} failed.")
        return result.stdout

    @contextmanager
    def start(self, log: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Runs a sub-command of `hr-webhooks` until the context ends."""
        command = [str(BIN / "hr-webhooks"), words[0], "--config", str(self.config), *words[1:]]
        with (self.demo.folder / log).open("w") as file:
            # A session of its own: Ctrl-C is for this process, which ends it.
            process = Process(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        self.processes[log] = process
        try:
            yield process
        finally:
            del self.processes[log]
            end_process(process)

    def read(self, sql: str) -> list[dict[str, Any]] | None:
        """Returns the rows of a query; None while the loader has the file open."""
        try:
            with duckdb.connect(self.database, read_only=True) as connection:
                cursor = connection.execute(sql)
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.IOException:
            return None

    def wait_for(self, row: Row) -> str:
        """Waits until a row has arrived. Returns the text of its columns."""
        sql = f"SELECT {row.columns} FROM {row.table} WHERE {self.fill(row.condition)}"
        deadline = time.monotonic() + MAX_SECONDS
        found, changed_at = self.read(sql), 0
        while not found:
            ended = next((log for log, process in self.processes.items() if process.poll() is not None), None)
            if ended or time.monotonic() > deadline:
                log = ended or FOLLOW_LOG
                print_end(self.demo.folder / log)
                sys.exit(f"The row in {row.table} has not arrived; the full log is {self.demo.file(log)}.")
            time.sleep(POLL_SECONDS)
            if (changed := self.database.stat().st_mtime_ns) != changed_at and (found := self.read(sql)) is not None:
                changed_at = changed
        return ", ".join(f"{name} {format_value(value)}" for name, value in found[0].items())

    def fill(self, text: str) -> str:
        """Returns a text with the ids of the new records."""
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def format_value(value: object) -> str:
    """Returns the text of a value."""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def end_process(process: subprocess.Popen[str]) -> None:
    """Ends a process. A second request also ends the run that the follower is waiting for."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            break
    if process.stdout:
        process.stdout.close()


def receive(stage: Stage, receiver: subprocess.Popen[str]) -> None:
    """Waits until the receiver answers, and tells the configuration its address."""
    line = receiver.stdout.readline() if receiver.stdout else ""
    found = READY.search(line)
    if not found:
        sys.exit(f"{(stage.demo.folder / SERVE_LOG).read_text()}The receiver did not start.")
    text = stage.config.read_text(encoding="utf-8")
    stage.config.write_text(text.replace(f"public_url: {PUBLIC_URL}\n", f"public_url: {found[1]}\n"), encoding="utf-8")


def configure(stage: Stage) -> None:
    """Writes the configuration of the receiver, with the key that Cornerstone's portal would show."""
    vendors = [word for vendor in VENDORS for word in ("--vendor", vendor.name)]
    types = [word for name in TYPES for word in ("--type", name)]
    stage.run("init", "--public-url", PUBLIC_URL, "--tenant", TENANT, *vendors, *types)
    write_private(stage.demo.folder / KEY, f"{secrets.token_urlsafe(32)}\n")


def subscribe(stage: Stage) -> None:
    """Subscribes through the vendors' APIs. What is clicked at Cornerstone is a control of the sandbox."""
    for vendor in ("personio", "factorial"):
        stage.run("subscribe", "--vendor", vendor)
    lines = [line.split("\t") for line in stage.run("addresses").splitlines()]
    (url,) = [line[-1] for line in lines if "cornerstone" in line]
    key = (stage.demo.folder / KEY).read_text().strip()
    endpoint = stage.sandbox.control("cornerstone/endpoint", url=url, x_api_key=key)["id"]
    stage.sandbox.control("cornerstone/webhook", endpoint=endpoint, events=["EmployeeCreated", "TrainingCompleted"])
    count = sum("factorial" in line for line in lines)
    print(f"Subscribed: 1 webhook of Personio, {count} of Factorial, 1 of Cornerstone")


def show(stage: Stage, change: Change) -> None:
    """Changes the company, and prints what arrives when."""
    body = {name: stage.fill(value) for name, value in change.body.items()}
    print(f"\n{datetime.now():%H:%M:%S}  {change.title}", flush=True)  # noqa: DTZ005 - the clock of who watches
    started = time.monotonic()
    answer = stage.sandbox.control(change.control, **body)
    stage.ids |= {one["kind"]: one["id"] for one in answer.get("changed", ()) if one["action"] == "created"}
    stage.ids |= {name: value for name, value in answer.items() if isinstance(value, str)}
    for row in change.rows:
        text = stage.wait_for(row)
        print(f"  {time.monotonic() - started:5.1f} s  {row.table:<36}{text}", flush=True)


def show_events(stage: Stage) -> None:
    """Loads the events themselves, and prints how many there are."""
    result = subprocess.run(
        [*MELTANO, "tap-hr-webhooks", "target-duckdb"],
        cwd=ROOT,
        env=stage.environment,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{result.stdout.decode()}The events could not be loaded.")
    tables = [f"tap_hr_webhooks.{vendor.name}_events" for vendor in VENDORS]
    parts = [f"SELECT '{table}' AS name, count(*) AS rows FROM {table}" for table in tables]
    counts = [f"{row['rows']} in {row['name']}" for row in stage.read(" UNION ALL ".join(parts)) or ()]
    print(f"\nThe events themselves: {', '.join(counts)}")


def interrupt(_number: int, _frame: object) -> None:
    """Interrupts the demo once, so that all processes end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run() -> None:
    """Runs the demo."""
    demo = LiveDemo(EVERYTHING, load_profile(EVERYTHING))
    prepare_folder(demo)
    os.environ["XDG_CACHE_HOME"] = str(demo.folder / "cache")  # metadata of the sandbox, useless to other portals
    started = time.monotonic()
    with run_sandbox("--employees", str(EMPLOYEES), "--http-webhooks") as url:
        environment = make_environment(demo, url)
        stage = Stage(demo, environment, Sandbox(url))
        configure(stage)
        environment["TAP_HR_WEBHOOKS_JOURNAL"] = str(demo.folder / "output" / "webhooks")
        with stage.start(SERVE_LOG, "serve", "--listen=127.0.0.1:0", "--status-listen=127.0.0.1:0") as receiver:
            receive(stage, receiver)
            subscribe(stage)
            print(f"A first load of a fictitious company of {EMPLOYEES} employees through Meltano into DuckDB:")
            run_meltano(demo, url)
            pipeline = " ".join([*MELTANO, "tap-{vendor}", "target-duckdb"])
            follow = ("follow", "--run", pipeline, "--quiet-for=1", "--changes-every=1", "--sync-every=0")
            with stage.start(FOLLOW_LOG, *follow):
                for change in make_changes(datetime.now(timezone.utc)):
                    show(stage, change)
            show_events(stage)
    print(f"""
That took {time.monotonic() - started:.0f} s. The tables are in {demo.file(DATABASE)}.
Logs: {demo.file(SERVE_LOG)} and {demo.file(FOLLOW_LOG)}; the receiver's configuration: {demo.file(CONFIG)}""")


def main() -> None:
    """Runs the demo, and ends it on Ctrl-C and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")


if __name__ == "__main__":
    main()
