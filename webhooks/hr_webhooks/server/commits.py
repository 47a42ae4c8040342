"""Group commit: requests of the same moment share one durable write."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_webhooks.journal import Entry, Journal

MAX_GROUP = 500  # entries per write
MAX_PENDING = 5000  # entries that wait while the disk does not answer
ANSWER_SECONDS = 2.5  # Personio waits three seconds for an answer


class Committer:
    """Appends the entries of concurrent requests to the journal, in a thread of its own.

    Args:
        journal: The journal.

    Attributes:
        last: The position of the last entry that was appended here; None before the first.
        groups: The number of writes that succeeded.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._executor = ThreadPoolExecutor(1, "journal")
        self._pending: list[tuple[Entry, asyncio.Future[int]]] = []
        self._task: asyncio.Task[None] | None = None
        self.last: int | None = None
        self.groups = 0

    async def append(self, entry: Entry) -> int:
        """Appends an entry. It is durable on return.

        Returns:
            Its position.

        Raises:
            OSError: If it cannot be written, or not soon enough. It may have been written in the second case.
        """
        if len(self._pending) >= MAX_PENDING:
            raise OSError("The disk does not answer.")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.append((entry, future))
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        async with asyncio.timeout(ANSWER_SECONDS):
            return await future

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                taken, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
                group = [(entry, future) for entry, future in taken if not future.done()]
                try:
                    last = await loop.run_in_executor(
                        self._executor, self._journal.append, [entry for entry, _ in group]
                    )
                except Exception as error:  # noqa: BLE001 - each request answers 503
                    for _, future in group:
                        if not future.done():
                            future.set_exception(error)
                    continue
                self.last, self.groups = last, self.groups + 1
                for position, (_, future) in enumerate(group, last - len(group) + 1):
                    if not future.done():
                        future.set_result(position)
        finally:
            self._task = None

    def close(self) -> None:
        """Waits for the write that is under way."""
        self._executor.shutdown()
        self._journal.close()
