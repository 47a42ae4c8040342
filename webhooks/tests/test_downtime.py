"""What is missing after the receiver was down, and what brings it back. The sandbox's vendors have faster clocks."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hr_webhooks.events import read_events
from hr_webhooks.testing import running as running_receiver
from singer_rest.testing import Output, sync_streams
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Connected

pytestmark = pytest.mark.deep

DAY, DAY_SECONDS = 86_400, 4.0
HIRES = {"personio": "person.created", "factorial": "employees/employee/create_with_contract"}
"""The event by which a vendor says that somebody was hired."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what the portal has in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def read_factorial(connected: Connected, state: dict[str, Any] | None = None) -> Output:
    """Reads Factorial's employees, or those that have changed since an earlier run."""
    config = {"api_url": f"{connected.sandbox.url}/factorial", "api_key": "sandbox-api-key"}
    return sync_streams(TapFactorial(config=config, state=state), "employees_employees")


def read_cornerstone(connected: Connected, state: dict[str, Any] | None = None) -> Output:
    """Reads Cornerstone's users, or those that have changed since an earlier run."""
    credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    config = {"api_url": f"{connected.sandbox.url}/cornerstone", **credentials, "objects": ["users_core"]}
    return sync_streams(TapCornerstone(config=config, state=state), "users_core")


def arrived(connected: Connected, vendor: str) -> set[str | None]:
    """Returns the ids of the people whose hire is in the journal."""
    events = [event for entry in connected.journal.read(0) if entry.vendor == vendor for event in read_events(entry)]
    return {event.person_id for event in events if event.type == HIRES.get(vendor, "EmployeeCreated")}


@pytest.mark.parametrize("days", [1, 7])
def test_nothing_is_missing_after_a_downtime(connected: Connected, days: int) -> None:
    sandbox, run = connected.sandbox, connected.installation.run
    before = {"factorial": read_factorial(connected), "cornerstone": read_cornerstone(connected)}
    with running_receiver(connected.config, "--listen", connected.listen):
        connected.subscribe()
        sandbox.control("hire")
        connected.wait_until_delivered()
    assert [len(arrived(connected, vendor)) for vendor in ("personio", "factorial", "cornerstone")] == [1, 1, 1]

    sandbox.control("push-settings", time_scale=DAY / DAY_SECONDS)
    hires = 8
    for _ in range(hires):
        sandbox.control("hire")
        time.sleep(days * DAY_SECONDS / hires)
    sandbox.control("push-settings", time_scale=1)

    with running_receiver(connected.config, "--listen", connected.listen):
        connected.repeat_all()
        found = {vendor: len(arrived(connected, vendor)) - 1 for vendor in ("personio", "factorial", "cornerstone")}
        if days == 1:
            assert found["personio"] == found["factorial"] == hires
        else:
            # Personio gave up those of the first four days; Factorial switched its subscription off after two.
            assert 0 < found["personio"] < hires
            assert found["factorial"] == 0
        assert found["cornerstone"] < hires  # lost after 10.6 hours

        lost = hires - found["personio"]
        code, output, _ = run("sync", "--vendor", "personio")
        assert code == 0
        assert f"{3 * lost} of them added" in output  # the person, the employment, and that it has begun
        assert len(arrived(connected, "personio")) == hires + 1
        assert "0 of them added" in run("sync", "--vendor", "personio")[1]

        code, output, _ = run("check", "--vendor", "factorial", "--json")
        is_off = any("switched off" in finding["text"] for finding in json.loads(output))
        assert (code, is_off) == ((1, True) if days == 7 else (0, False))
        assert run("check", "--vendor", "factorial", "--enable")[0] == 0
        sandbox.control("hire")
        connected.wait_until_delivered()
        assert len(arrived(connected, "factorial")) == found["factorial"] + 2

    changed = {
        "factorial": read_factorial(connected, before["factorial"].state).records("employees_employees"),
        "cornerstone": read_cornerstone(connected, before["cornerstone"].state).records("users_core"),
    }
    for vendor, stream in (("factorial", "employees_employees"), ("cornerstone", "users_core")):
        key = "id" if vendor == "factorial" else "user_id"
        known = {row.get(key) for row in before[vendor].records(stream)}
        assert len({row.get(key) for row in changed[vendor]} - known) == hires + 2
