"""A change in the company is a row within seconds: sandbox, receiver, follower, tap and loader together."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_webhooks.events import read_events
from hr_webhooks.testing import running as running_receiver
from hr_webhooks.testing import wait_until
from singer_sdk.singerlib import Catalog
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Connected
    from singer_rest import RestTap

pytestmark = pytest.mark.deep

PATIENCE = 300.0
"""Seconds to wait for rows: as many as a busy machine needs."""
BIN = Path(sys.executable).parent
STREAMS: dict[type[RestTap], tuple[str, ...]] = {
    TapPersonio: ("persons", "employments", "absence_periods"),
    TapFactorial: ("employees_employees", "timeoff_leaves"),
}
TYPES = [
    "employees/employee/create_with_contract",
    "employees/employee/update",
    "employees/employee/terminate",
    "timeoff/leave/create",
    "timeoff/leave/delete",
]
PIPELINE = """
set -o pipefail
cd {folder}
loader={bin}/target-duckdb
$loader --config $1-target.json --committed-state > $1-state.json
test -s $1-state.json || echo '{{}}' > $1-state.json
{bin}/tap-$1 --config $1.json --config=ENV --catalog $1-catalog.json --state $1-state.json |
  $loader --config $1-target.json > /dev/null
"""
EVENTS = """
set -o pipefail
cd {folder}
loader={bin}/target-duckdb
$loader --config events-target.json --committed-state > events-state.json
test -s events-state.json || echo '{{}}' > events-state.json
{bin}/tap-hr-webhooks --config events.json --state events-state.json | $loader --config events-target.json > /dev/null
"""


@dataclass
class Warehouse:
    """The DuckDB files that the pipelines load."""

    folder: Path

    def query(self, vendor: str, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query. None while there is no table, or the loader has the file open."""
        try:
            with duckdb.connect(self.folder / f"{vendor}.duckdb", read_only=True) as connection:
                return connection.execute(sql).fetchall()
        except duckdb.Error:
            return []

    def wait_for(self, vendor: str, sql: str, rows: list[tuple[Any, ...]]) -> float:
        """Waits until a query has some rows. Returns after how many seconds."""
        began = time.monotonic()
        wait_until(lambda: self.query(vendor, sql) == rows, PATIENCE)
        return time.monotonic() - began


@pytest.fixture
def warehouse(connected: Connected, tmp_path: Path) -> Warehouse:
    """Write the files that the pipelines need."""
    for tap_type, streams in STREAMS.items():
        vendor = tap_type.name.removeprefix("tap-")
        entries = tap_type(config={}, validate_config=False).streams.values()
        catalog = Catalog((one.tap_stream_id, one._singer_catalog_entry) for one in entries if one.name in streams)
        (tmp_path / f"{vendor}-catalog.json").write_text(json.dumps(catalog.to_dict()))
        (tmp_path / f"{vendor}.json").write_text("{}")
        (tmp_path / f"{vendor}-target.json").write_text(json.dumps({"path": str(tmp_path / f"{vendor}.duckdb")}))
    (tmp_path / "events.json").write_text(json.dumps({"journal": str(connected.journal.folder)}))
    (tmp_path / "events-target.json").write_text(json.dumps({"path": str(tmp_path / "events.duckdb")}))
    for name, text in {"pipeline": PIPELINE, "events": EVENTS}.items():
        (tmp_path / f"{name}.sh").write_text(text.format(folder=tmp_path, bin=BIN))
    connected.installation.settings["tenants"]["acme"]["factorial"]["types"] = TYPES
    connected.installation.write()
    return Warehouse(tmp_path)


@pytest.fixture
def follow(connected: Connected, warehouse: Warehouse) -> Callable[..., Any]:
    @contextmanager
    def follow(*more: str) -> Iterator[subprocess.Popen[bytes]]:
        script = warehouse.folder / "pipeline.sh"
        command = [sys.executable, "-m", "hr_webhooks", "follow", "--config", str(connected.config)]
        command += ["--run", f"bash {script} {{vendor}}", "--quiet-for", "0.5", "--max-wait", "3", *more]
        with (warehouse.folder / "follow.log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log)
            try:
                yield process
            finally:
                process.terminate()
                process.wait(60)

    return follow


def send_event(connected: Connected, receiver: Any, name: str, record_id: str) -> None:
    """Sends an event as Personio would."""
    subject = name.partition(".")[0].replace("-", "_")
    body = {"event_name": name, "occurred_at": "2026-11-30T10:00:00Z", "payload": {subject: {"id": record_id}}}
    (secret,) = connected.installation.secrets("personio")
    assert receiver.send(json.dumps(body).encode(), secret=secret) == 200


def test_changes_arrive(connected: Connected, warehouse: Warehouse, follow: Callable[..., Any]) -> None:
    sandbox = connected.sandbox
    choices = ("--vendor", "personio", "--vendor", "factorial", "--then", f"bash {warehouse.folder / 'events.sh'}")
    with running_receiver(connected.config, "--listen", connected.listen) as receiver, follow(*choices):
        connected.subscribe()
        for vendor, stream in (("personio", "absence_periods"), ("factorial", "timeoff_leaves")):
            expected = len(sandbox.records(vendor, stream))
            warehouse.wait_for(vendor, f"SELECT count(*) FROM {stream}", [(expected,)])

        # A hire
        hired = next(one for one in sandbox.control("hire", last_name="Ødegård")["changed"] if one["kind"] == "person")
        seconds = {
            "hire, Personio": warehouse.wait_for("personio", by_id("persons", hired, "last_name"), [("Ødegård",)])
        }
        of_person = f"SELECT count(*) FROM employments WHERE person_id = '{hired['id']}'"
        seconds["employment"] = warehouse.wait_for("personio", of_person, [(1,)])
        people = "SELECT count(*) FROM employees_employees WHERE last_name = 'Ødegård'"
        seconds["hire, Factorial"] = warehouse.wait_for("factorial", people, [(1,)])

        # An absence, and its deletion
        (absence, *_) = sandbox.control(
            "create", kind="absence_period", person_id=hired["id"], starts_at="2027-01-11T00:00:00"
        )["changed"]
        mark = by_id("absence_periods", absence, "_sdc_deleted_at IS NULL")
        seconds["absence"] = warehouse.wait_for("personio", mark, [(True,)])
        send_event(connected, receiver, "absence-period.deleted", absence["id"])  # it still exists
        wait_until(lambda: count_events(warehouse, "absence-period.deleted") == 1, PATIENCE)
        assert warehouse.query("personio", mark) == [(True,)]
        sandbox.control("delete", kind="absence_period", id=absence["id"])
        seconds["deletion"] = warehouse.wait_for("personio", mark, [(False,)])

        # A termination
        sandbox.control("terminate", person_id=hired["id"], date="2026-12-31")
        last_day = f"SELECT employment_end_date::VARCHAR FROM employments WHERE person_id = '{hired['id']}'"
        seconds["termination, Personio"] = warehouse.wait_for("personio", last_day, [("2026-12-31",)])
        terminated = "SELECT terminated_on::VARCHAR FROM employees_employees WHERE last_name = 'Ødegård'"
        seconds["termination, Factorial"] = warehouse.wait_for("factorial", terminated, [("2026-12-31",)])

        connected.wait_until_delivered()
        entries = [entry for entry in connected.journal.read(0) if entry.vendor == "personio"]
        events = sum(len(read_events(entry)) for entry in entries)
        wait_until(lambda: len(warehouse.query("events", "SELECT 1 FROM personio_events")) == events, PATIENCE)
    print(seconds)  # noqa: T201 - pytest -s shows it
    rows = warehouse.query("events", "SELECT type FROM personio_events ORDER BY position")
    assert ("person.created",) in rows


def by_id(stream: str, change: dict[str, Any], column: str) -> str:
    return f"SELECT {column} FROM {stream} WHERE id = '{change['id']}'"


def count_events(warehouse: Warehouse, name: str) -> int:
    return len(warehouse.query("events", f"SELECT 1 FROM personio_events WHERE type = '{name}'"))


def test_the_tables_are_right_after_a_burst(
    connected: Connected, warehouse: Warehouse, follow: Callable[..., Any]
) -> None:
    """Creations, edits and deletions with duplicates, in another order: more than a run asks for by id."""
    sandbox = connected.sandbox
    options = ("--vendor", "personio", "--max-ids", "100")
    with running_receiver(connected.config, "--listen", connected.listen), follow(*options):
        connected.subscribe()
        warehouse.wait_for(
            "personio", "SELECT count(*) FROM absence_periods", [(len(sandbox.records("personio", "absence_periods")),)]
        )
        sandbox.control("push-settings", duplicates=0.2, reorder_seconds=1)
        sandbox.control("burst", changes=600, per_second=200, kinds=["person", "absence_period"])
        wait_until(lambda: sandbox.control("push-counts")["burst"] == {"done": 600, "of": 600}, PATIENCE)
        connected.wait_until_delivered()
        for stream, columns in (("persons", "id, last_name"), ("absence_periods", "id, comment")):
            names = columns.split(", ")
            rows = {tuple(row.get(name) for name in names) for row in sandbox.records("personio", stream)}
            sql = f"SELECT {columns} FROM {stream} WHERE _sdc_deleted_at IS NULL"
            wait_until(lambda sql=sql, rows=rows: {*warehouse.query("personio", sql)} == rows, PATIENCE)
