"""The demo of webhooks, as `make demo-live` runs it. It needs Meltano's plugins, which `make` installs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

import demo_live

pytestmark = pytest.mark.deep

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "output" / "demo-live"
TABLES = {row.table for change in demo_live.make_changes(datetime.now(timezone.utc)) for row in change.rows}


def start() -> subprocess.Popen[str]:
    """Starts the demo, in a session of its own as a terminal would."""
    return subprocess.Popen(
        [sys.executable, "demo_live.py"], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def find_processes() -> list[str]:
    """Returns the processes that the demo has left."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = ((process / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue  # it has ended, or is another user's
        if str(FOLDER).encode() in command + environment:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_every_change_arrives() -> None:
    process = start()
    output, _ = process.communicate(timeout=550)
    assert process.returncode == 0, output
    arrived = set(re.findall(r"^ +[\d.]+ s  (\S+)", output, re.MULTILINE))
    assert arrived == TABLES
    counts = re.findall(r"(\d+) in tap_hr_webhooks\.(\w+)_events", output)
    assert {vendor for count, vendor in counts if int(count)} == {"personio", "factorial", "cornerstone"}
    assert find_processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_all_processes_when_interrupted(number: signal.Signals) -> None:
    process = start()
    assert process.stdout
    assert process.stdout.readline().startswith("Subscribed: ")
    assert find_processes()
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert find_processes() == []
