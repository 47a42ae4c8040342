"""One tenant and vendor that is followed."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from hr_webhooks.events import read_events
from hr_webhooks.follow.plan import Plan, RunSettings, take_narrow_search
from hr_webhooks.follow.progress import Missing, Progress, save_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hr_webhooks.follow.plan import Report
    from hr_webhooks.journal import Entry

LOGGER = logging.getLogger(__name__)
BACK_OFF = (5.0, 15.0, 60.0, 300.0)
"""Seconds before a failed run is repeated. The last one is for all further failures."""
LOOK_AGAIN = (60.0, 300.0, 1800.0)
"""Seconds before a record that was not found is read again. Vendors announce some before they show them."""
FAILURES_BEFORE_FULL = 4
"""Failed runs after which everything is read instead of single records."""


@dataclass(frozen=True)
class Options:
    """How a journal is followed.

    Args:
        max_ids: The largest number of ids in a run.
        sync_every: Seconds between runs that read everything. 0: there are none.
        changes_every: Seconds between reads of streams that have no records by id.
    """

    max_ids: int = 1000
    sync_every: float = 6 * 3600
    changes_every: float = 60


@dataclass
class Target:
    """What is followed, and how far.

    Args:
        tenant: The tenant.
        vendor: The vendor.
        path: The file with the progress.
        run: Runs the pipeline with settings of the tap. Returns what it reports, or None if it failed.
        options: How the journal is followed.
        progress: What is done.
    """

    tenant: str
    vendor: str
    path: Path
    run: Callable[[RunSettings], Report | None]
    options: Options
    progress: Progress
    failures: int = 0
    retry_at: float = 0
    _plan: Plan = field(default_factory=Plan, init=False)
    _saved: Progress | None = field(default=None, init=False)

    @property
    def label(self) -> str:
        """The name in the log."""
        return f"{self.tenant}, {self.vendor}"

    @property
    def is_ready(self) -> bool:
        """Whether it need not wait because its last run failed."""
        return not self.failures or _is_due(self.retry_at, BACK_OFF[-1], time.time())

    def next_due(self) -> float:
        """Returns when something is to be done even if nothing arrives, in seconds since 1970."""
        now, options = time.time(), self.options
        if self.failures:
            times = [(self.retry_at, BACK_OFF[-1])]
        else:
            times = [(one.due, LOOK_AGAIN[-1]) for one in self.progress.missing]
            if self.progress.changes:
                times.append((self.progress.changes_read + options.changes_every, options.changes_every))
            if options.sync_every:
                times.append((self.progress.synced + options.sync_every, options.sync_every))
        return min((now if _is_due(due, longest, now) else due for due, longest in times), default=float("inf"))

    def begin(self) -> None:
        """Begins to collect what is to be read."""
        self._plan = Plan(changes=dict.fromkeys(self.progress.changes))

    def add(self, entry: Entry) -> None:
        """Adds an entry of the journal, unless it is done."""
        if entry.n > self.progress.position:
            for event in read_events(entry):
                self._plan.add_event(self.vendor, event)

    def work(self, position: int) -> bool:
        """Reads what was collected, and what is due.

        Args:
            position: The position up to which entries were added.

        Returns:
            Whether nothing failed. What failed is tried again later.
        """
        now = time.time()
        plan, progress = self._plan, self.progress
        due = [one for one in progress.missing if _is_due(one.due, LOOK_AGAIN[-1], now)]
        for one in due:
            plan.add_id(one.stream, one.id, is_deleted=one.is_deleted)
        tries = {(one.stream, one.id): one.tries for one in due}
        missing = [one for one in progress.missing if one not in due]
        runs = self._choose_runs(plan, now)
        if self._is_stuck and RunSettings() in runs:
            unconfirmed = {stream: {"unconfirmed": [*ids]} for stream, ids in plan.deleted.items()}
            missing += _find_missing(unconfirmed, tries)
        left = deque(runs)
        while left:
            settings = left.popleft()
            self._log(settings)
            report = self.run(settings)
            if report is None:
                return self._fail()
            if again := take_narrow_search(report):
                left.appendleft(again)
            missing += _find_missing(report, tries)
        has_read_all = RunSettings() in runs
        has_read_changes = has_read_all or (bool(plan.changes) and plan.make_changes_run() in runs)
        self.progress = Progress(
            position=max(position, progress.position),
            missing=missing,
            changes=[] if has_read_changes else list(plan.changes),
            changes_read=now if has_read_changes else progress.changes_read,
            synced=now if has_read_all else progress.synced,
        )
        self.failures = 0
        if runs or self.progress.changes != progress.changes:
            self.save()
        return True

    def _choose_runs(self, plan: Plan, now: float) -> list[RunSettings]:
        everything = RunSettings()
        if self._is_stuck:
            return [everything]
        runs = plan.make_runs(self.options.max_ids)
        every = self.options.sync_every
        if every and _is_due(self.progress.synced + every, every, now) and everything not in runs:
            runs.append(everything)  # last: single records arrive sooner
        every = self.options.changes_every
        are_changes_due = plan.changes and _is_due(self.progress.changes_read + every, every, now)
        if are_changes_due and everything not in runs:
            runs.append(plan.make_changes_run())
        return runs

    @property
    def _is_stuck(self) -> bool:
        """Whether single records may be the reason of failures, so that everything is read, every other time."""
        return self.failures >= FAILURES_BEFORE_FULL and self.failures % 2 == 0

    def save(self) -> None:
        """Writes the progress if it has changed."""
        if self.progress != self._saved:
            save_progress(self.path, self.progress)
            self._saved = msgspec.structs.replace(self.progress)

    def _fail(self) -> bool:
        delay = BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
        self.failures += 1
        self.retry_at = time.time() + delay
        LOGGER.warning("%s: nothing is lost; the run is repeated in %d s.", self.label, delay)
        return False

    def _log(self, settings: RunSettings) -> None:
        if settings == RunSettings():
            LOGGER.info("%s: reading everything that has changed.", self.label)
            return
        parts = settings.only.split()
        LOGGER.info(
            "%s: reading again. Records: %d, said to be deleted: %d, lists: %d",
            self.label,
            _count_ids(parts),
            _count_ids(settings.confirm_deleted.split()),
            sum("=" not in part for part in parts),
        )


def _count_ids(parts: list[str]) -> int:
    """Returns the number of ids in settings such as ``persons?=1,2``."""
    return sum(part.count(",") + 1 for part in parts if "=" in part)


def _is_due(due: float, longest: float, now: float) -> bool:
    """Whether a time has come. Also if it is further away than it can be: the clock was set back then."""
    return not 0 < due - now <= longest


def _find_missing(report: Report, tries: dict[tuple[str, str], int]) -> list[Missing]:
    """Returns the records that are to be read again later, until they were read as often as makes sense."""
    found = []
    now = time.time()
    for stream, outcomes in report.items():
        for outcome, is_deleted in (("missing", False), ("unconfirmed", True)):
            for record_id in outcomes.get(outcome, ()):
                count = tries.get((stream, record_id), 0)
                if count < len(LOOK_AGAIN):
                    due = now + LOOK_AGAIN[count]
                    found.append(Missing(stream=stream, id=record_id, is_deleted=is_deleted, tries=count + 1, due=due))
    return found
