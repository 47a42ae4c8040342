"""Webhooks under load: all vendors send events in bursts while the receiver and the reader are killed again and again.

Every event that was acknowledged must then be in the journal, and in the tables of events once; and the tables of the
vendors' records must equal the sandbox within seconds of the last event.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hr_webhooks.testing import wait_until

from faults import webhook_attack_run
from faults.pipeline_run import UNEXPECTED_TEXTS
from faults.results import Outcome
from faults.verdict import Verdict
from faults.webhook_checks import (
    TableCheck,
    find_differences_from_full_load,
    find_missing_entries,
    find_unlabelled,
    find_wrong_events,
    find_wrong_positions,
)
from faults.webhook_installation import EVENTS_NAME, Installation

if TYPE_CHECKING:
    import random

    from faults.results import Options, ResultLog

PART = "webhooks"
VENDOR = "all"
LOAD_CATEGORY = "events under load, with kills"
SETTINGS: dict[str, Any] = {
    "duplicates": 0.1,
    "reorder_seconds": 2,
    "passing_404s": 0.1,
    "time_scale": 60,
    "timeout": 10,
}
"""How the vendors deviate: a share of the events is sent twice, each waits up to two seconds, a share of the records is
invisible for a second. Their time, for repeated requests and heartbeats, passes 60 times as fast."""

RECEIVER = "receiver"
READERS = (("follower",), ("tap",), ("loader",), ("shell", "tap", "loader"), ("follower", "shell", "tap", "loader"))
"""Which of the reader's processes are killed together. At last all of them: a follower that is left alive waits for
minutes after its run was killed several times in succession."""

MAX_ANSWER_SECONDS = 3.0
MAX_SECONDS = 15.0
GIVE_UP_SECONDS = 120.0


@dataclass(frozen=True)
class Load:
    """How much is sent, and how often something is killed.

    Args:
        employees: Size of the company.
        bursts: The number of bursts.
        changes: The number of changes in each of them, of which most are an event at two vendors.
        per_second: Changes per second.
        every: Seconds from the begin of a burst to the begin of the next one.
        kills: The number of kills.
    """

    employees: int = 100
    bursts: int = 10
    changes: int = 1000
    per_second: int = 500
    every: float = 15
    kills: int = 50


LOAD = Load()


@dataclass
class Figures:
    """What was measured."""

    requests: int = 0
    acknowledged: int = 0
    entries: int = 0
    slowest: float = 0
    seconds: float = 0
    kills: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        killed = sum(name == RECEIVER for name in self.kills)
        return (
            f"{self.requests:,} requests of the vendors, {self.acknowledged:,} acknowledged, {self.entries:,} entries "
            f"in the journal; receiver killed {killed} times, reader {len(self.kills) - killed} times; slowest answer "
            f"{self.slowest:.2f} s; tables equal {self.seconds:.1f} s after the last event"
        )


def run(options: Options, results: ResultLog) -> None:
    """Runs the trials: the load with kills, and the attacks."""
    if options.trial in {None, 0}:
        _run_load(options, results)
    if options.trial in {None, 1}:
        webhook_attack_run.run(PART, VENDOR, options.folder / "attacks", results)


def _run_load(options: Options, results: ResultLog) -> None:
    started = time.monotonic()
    figures = Figures()
    rng = options.make_rng(PART)
    with Installation(options.folder / PART, employees=LOAD.employees, seed=options.seed) as installation:
        try:
            found, detail = run_trial(installation, LOAD, rng, figures)
        except TimeoutError:
            found, detail = Verdict.HANG, "the vendors could not deliver their events, or nothing was loaded"
    results.add_outcome(
        Outcome(PART, VENDOR, 0, LOAD_CATEGORY, found, str(figures), detail, seconds=time.monotonic() - started)
    )


def run_trial(installation: Installation, load: Load, rng: random.Random, figures: Figures) -> tuple[Verdict, str]:
    """Sends events and kills processes, then checks what arrived. Returns the verdict, and what is wrong."""
    installation.start_followers()
    before = TableCheck(installation)
    wait_until(before.are_equal, GIVE_UP_SECONDS)
    installation.sandbox.control("push-settings", **SETTINGS)
    _send_and_kill(installation, load, rng, figures)
    idle = installation.wait_until_delivered(GIVE_UP_SECONDS)
    last = time.monotonic() - idle
    tables = TableCheck(installation, before.people)
    with suppress(TimeoutError):
        wait_until(tables.are_equal, GIVE_UP_SECONDS)
    figures.seconds = time.monotonic() - last
    if differences := tables.describe():
        return Verdict.SILENTLY_WRONG, differences
    deliveries = installation.sandbox.control("pushes")["deliveries"]
    entries = list(installation.journal.read(0))
    events = installation.database(EVENTS_NAME)
    with suppress(TimeoutError):
        wait_until(lambda: not find_wrong_events(events, entries), GIVE_UP_SECONDS)
    codes = installation.stop_followers()
    figures.requests = sum(one["tries"] for one in deliveries)
    figures.acknowledged = sum(len(one["acknowledged"]) for one in deliveries)
    figures.entries = len(entries)
    figures.slowest = max(one["seconds"] for one in deliveries)
    wrong = [
        find_missing_entries(deliveries, entries),
        find_wrong_positions(entries),
        find_wrong_events(events, entries),
        find_unlabelled(deliveries, events),
        find_differences_from_full_load(installation, before.people),
    ]
    if any(wrong):
        return Verdict.SILENTLY_WRONG, "; ".join(filter(None, wrong))
    return _assess(installation, figures, deliveries, codes)


def _assess(
    installation: Installation, figures: Figures, deliveries: list[dict[str, Any]], codes: set[int]
) -> tuple[Verdict, str]:
    if lost := [one for one in deliveries if one["state"] != "delivered"]:
        return Verdict.NOT_RECOVERED, f"{len(lost)} events were not delivered, such as {lost[0]}"
    if codes != {0}:
        return Verdict.VIOLATION, f"the followers have the exit codes {codes}"
    for path in installation.folder.glob("*.log"):
        if any(text in path.read_text(errors="replace") for text in UNEXPECTED_TEXTS):
            return Verdict.VIOLATION, f"{path.name} contains an unhandled error"
    if figures.slowest > MAX_ANSWER_SECONDS:
        return Verdict.VIOLATION, f"an answer took {figures.slowest:.1f} s"
    if figures.seconds > MAX_SECONDS:
        return Verdict.VIOLATION, f"the tables are equal after {figures.seconds:.1f} s only"
    return Verdict.EXACT, ""


def _send_and_kill(installation: Installation, load: Load, rng: random.Random, figures: Figures) -> None:
    """Sends the bursts. Meanwhile kills processes at random moments, and hires and trains people."""
    sandbox = installation.sandbox
    length = (load.bursts - 1) * load.every + load.changes / load.per_second
    moments = sorted(rng.uniform(0, length) for _ in range(load.kills))
    begin = time.monotonic()

    def kill() -> None:
        for number, moment in enumerate(moments):
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            if number % 2:
                kinds = READERS[-1] if number == len(moments) - 1 else rng.choice(READERS)
                installation.kill_readers(*kinds)
                figures.kills.append(" and ".join(kinds))
            else:
                installation.kill_receiver()
                figures.kills.append(RECEIVER)

    killer = threading.Thread(target=kill)
    killer.start()
    people = [row["id"] for row in sandbox.records("personio", "persons")]
    for burst in range(load.bursts):
        time.sleep(max(0.0, begin + burst * load.every - time.monotonic()))
        sandbox.control("burst", changes=load.changes, per_second=load.per_second)
        sandbox.control("hire", last_name=f"Ødegård {burst}")
        for person in people[burst * 3 : burst * 3 + 3]:
            sandbox.control("cornerstone/training", person_id=person)
    killer.join()
