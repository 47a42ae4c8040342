"""Group commit: entries of the same moment share a write, and one request's trouble is not another's."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.journal import Entry, Journal, make_entry
from hr_webhooks.server import commits
from hr_webhooks.server.commits import Committer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def entry(body: str) -> Entry:
    return make_entry(body.encode(), tenant="acme", vendor="personio")


class SlowJournal(Journal):
    """A journal on a disk that does not answer for a while."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, create=True)
        self.answers = threading.Event()
        self.answers.set()
        self.error: Exception | None = None
        self.groups: list[int] = []

    def append(self, entries: Sequence[Entry]) -> int:
        assert self.answers.wait(60)
        if self.error:
            raise self.error
        self.groups.append(len(entries))
        return super().append(entries)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SlowJournal]:
    made = SlowJournal(tmp_path / "journal")
    yield made
    made.close()


def test_concurrent_entries_share_writes_and_get_their_own_positions(journal: SlowJournal) -> None:
    async def run() -> list[int]:
        committer = Committer(journal)
        positions = await asyncio.gather(*(committer.append(entry(str(number))) for number in range(1200)))
        committer.close()
        return positions

    assert asyncio.run(run()) == list(range(1, 1201))
    assert [each.body for each in journal.read(0)] == [str(number) for number in range(1200)]
    assert len(journal.groups) <= 4
    assert max(journal.groups) <= commits.MAX_GROUP


def test_a_disk_that_does_not_answer_is_an_error_in_time(journal: SlowJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "ANSWER_SECONDS", 0.05)

    async def run() -> None:
        committer = Committer(journal)
        journal.answers.clear()
        begun = asyncio.create_task(committer.append(entry("begun")))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(committer.append(entry("waiting"))) for _ in range(4)]
        outcomes = await asyncio.gather(begun, *waiting, return_exceptions=True)
        assert all(isinstance(outcome, OSError) for outcome in outcomes)
        assert not committer._pending
        journal.answers.set()
        monkeypatch.setattr(commits, "ANSWER_SECONDS", 60)
        # The write that was under way has succeeded; nobody waits for the others any more.
        assert await committer.append(entry("later")) == 2
        committer.close()

    asyncio.run(run())
    assert [each.body for each in journal.read(0)] == ["begun", "later"]


@pytest.mark.parametrize("error", [OSError("full"), ValueError("odd")])
def test_a_group_that_fails_does_not_fail_the_next(journal: SlowJournal, error: Exception) -> None:
    async def run() -> None:
        committer = Committer(journal)
        journal.error = error
        outcomes = await asyncio.gather(*(committer.append(entry("1")) for _ in range(3)), return_exceptions=True)
        assert outcomes == [error] * 3
        journal.error = None
        assert await committer.append(entry("2")) == 1
        committer.close()

    asyncio.run(run())
    assert [each.body for each in journal.read(0)] == ["2"]
