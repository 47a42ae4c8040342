"""Group commit: requests of the same moment share one durable write."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_webhooks.journal import Entry, Journal

MAX_GROUP = 500  # entries per write
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
        self._pending: dict[asyncio.Future[int], Entry] = {}
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
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending[future] = entry
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        finally:
            self._pending.pop(future, None)  # nobody waits for it any more

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                group = dict(islice(self._pending.items(), MAX_GROUP))
                for future in group:
                    del self._pending[future]
                try:
                    last = await loop.run_in_executor(self._executor, self._journal.append, list(group.values()))
                except Exception as error:  # noqa: BLE001 - each request answers 503
                    for future in group:
                        if not future.done():
                            future.set_exception(error)
                    continue
                self.last, self.groups = last, self.groups + 1
                for position, future in enumerate(group, last - len(group) + 1):
                    if not future.done():
                        future.set_result(position)
        finally:
            self._task = None

    def close(self) -> None:
        """Waits for the write that is under way."""
        self._executor.shutdown()
        self._journal.close()
