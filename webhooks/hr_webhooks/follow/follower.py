"""Follows the journal: gathers events, and runs the pipeline."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_webhooks.errors import JournalError
from hr_webhooks.follow.target import BACK_OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hr_webhooks.follow.runner import Stop
    from hr_webhooks.follow.target import Target
    from hr_webhooks.journal import Journal

LOGGER = logging.getLogger(__name__)
IDLE_SECONDS = 2.0
"""The longest wait for entries before a signal is noticed."""
SAVE_SECONDS = 60.0
"""How often the position is saved while there is nothing to read."""


@dataclass(frozen=True)
class Pace:
    """How long events are gathered.

    Args:
        quiet: Seconds without an event after which a run begins.
        max_wait: Seconds after the first event after which it begins in any case.
    """

    quiet: float = 2
    max_wait: float = 10


class Follower:
    """Follows a journal.

    Args:
        journal: The journal.
        targets: What is followed.
        then: Runs the command that follows each batch of events. None: there is none.
        pace: How long events are gathered.
        stop: Whether the process is to end.
    """

    def __init__(
        self,
        journal: Journal,
        targets: Sequence[Target],
        then: Callable[[], bool] | None,
        pace: Pace,
        stop: Stop,
    ) -> None:
        self._journal = journal
        self._targets = targets
        self._then = then
        self._pace = pace
        self._stop = stop
        self._then_due: float | None = None
        self._then_failures = 0
        self._seen = min(target.progress.position for target in targets)

    def follow(self) -> None:
        """Follows the journal until the process is to end."""
        saved = time.monotonic()
        self.work()
        while not self._stop:
            due = min(target.next_due() for target in self._targets)
            due = min(due, self._then_due or due)
            timeout = min(max(due - time.time(), 0), IDLE_SECONDS)
            has_new = self._journal.wait(self._seen, timeout)
            if has_new:
                self._gather()
            if not self._stop and (has_new or time.time() >= due):
                self.work()
            if time.monotonic() - saved > SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
        self._save()

    def follow_once(self) -> bool:
        """Does what is due now. Returns whether nothing failed."""
        succeeded = self.work()
        self._save()
        return succeeded

    def work(self) -> bool:
        """Reads again what the new events of all targets name.

        Returns:
            Whether nothing failed.

        Raises:
            JournalError: If the journal is not the one that was followed.
        """
        last = self._journal.last_position()
        first = self._journal.first_position()
        for target in self._targets:
            position = target.progress.position
            if position > last:
                raise JournalError(
                    f"The journal ends before the position in {target.path}: entries are gone, or it is another "
                    "journal. Restore it, or remove that file and load everything once with a full refresh."
                )
            if 0 < position < first - 1:
                LOGGER.warning(
                    "%s: entries %d to %d were removed from the journal before they were read. Load everything once "
                    "with a full refresh.",
                    target.label,
                    position + 1,
                    first - 1,
                )
        # Those whose last run failed wait. Their entries are read again before the next one.
        ready = [target for target in self._targets if target.is_ready]
        has_new = self._read(ready, last)
        self._seen = max(self._seen, last)
        succeeded = len(ready) == len(self._targets)
        for target in ready:
            if self._stop:
                return False
            succeeded = target.work(last) and succeeded
        if has_new and self._then:
            self._then_due = self._then_due or time.time()
        return self._run_then() and succeeded

    def _read(self, targets: Sequence[Target], last: int) -> bool:
        """Hands the entries of the journal to the targets. Returns whether any is new."""
        by_name = {(target.tenant, target.vendor): target for target in targets}
        for target in targets:
            target.begin()
        after = min((target.progress.position for target in targets), default=last)
        for entry in self._journal.read(after):
            if entry.n > last:
                break
            if found := by_name.get((entry.tenant, entry.vendor)):
                found.add(entry)
        return last > self._seen

    def _run_then(self) -> bool:
        if self._then is None or self._then_due is None or self._then_due > time.time() or self._stop:
            return True
        if self._then():
            self._then_due, self._then_failures = None, 0
            return True
        self._then_due = time.time() + BACK_OFF[min(self._then_failures, len(BACK_OFF) - 1)]
        self._then_failures += 1
        return False

    def _gather(self) -> None:
        """Waits until no event has arrived for a while, but not for ever."""
        deadline = time.monotonic() + self._pace.max_wait
        while not self._stop:
            last = self._journal.last_position()
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._journal.wait(last, min(self._pace.quiet, remaining)):
                return

    def _save(self) -> None:
        for target in self._targets:
            target.save()
