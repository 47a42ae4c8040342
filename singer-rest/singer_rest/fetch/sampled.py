"""Samples parents first, so that a missing permission shows before all of them have been requested."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from singer_rest.fetch.answers import Meaning
from singer_rest.fetch.coverage import MANY_REFUSED, parent_ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import Slice

FEW_PARENTS = 5
"""Number of refused parents, with none readable, after which the next ones are sampled from all of the rest."""
REFUSALS = frozenset({Meaning.PARENT_FORBIDDEN, Meaning.PARENT_REFUSED})


class Sampled:
    """Iterates over the slices of a child stream in order, unless the first parents are all refused.

    Parents that a credential may not read are often adjacent, such as the oldest employees, so the first few alone
    prove nothing. Further slices are not yielded until the sampled ones have been answered.

    Args:
        plan: The slices. A None in between means that the next one is not known yet.
        coverage: A separate coverage for the sampled answers.
        ids_param: The parameter that takes the parents' ids. None: they are in the path.
    """

    def __init__(self, plan: Iterator[Slice | None], coverage: Coverage, ids_param: str | None) -> None:
        self._plan = plan
        self._coverage = coverage
        self._ids_param = ids_param
        self._any_readable = False
        self._started = self._finished = self._parents = 0
        self._remaining: deque[Slice] = deque()
        self._is_spread = False

    def add_result(self, result: Page | Exception) -> None:
        """Records the outcome of a request."""
        if self._any_readable or (not isinstance(result, Exception) and result.is_placeholder):
            return
        if isinstance(result, Exception) or result.meaning not in REFUSALS:
            self._any_readable = True
            return
        self._coverage.add_page(result)
        self._finished += not result.next_requests

    def __iter__(self) -> Iterator[Slice | None]:
        return self

    def __next__(self) -> Slice | None:
        """The next slice. None: it is not known yet.

        Raises:
            NoAccess: If all sampled parents are forbidden.
            TapError: If the vendor rejects the requests for all sampled parents as invalid.
        """
        if not self._any_readable and self._parents >= (MANY_REFUSED if self._is_spread else FEW_PARENTS):
            if self._finished < self._started:
                return None
            self._coverage.raise_if_no_parent_read()
            if not (self._is_spread or self._spread_sample()):
                return None
        part = (
            self._remaining.popleft()
            if self._remaining and (self._is_spread or self._any_readable)
            else next(self._plan)
        )
        if part is not None and not self._any_readable:
            self._started += 1
            self._parents += len(parent_ids_of(part, self._ids_param))
        return part

    def _spread_sample(self) -> bool:
        """Moves slices sampled from all of the rest to the front. False: not all slices are known yet."""
        for part in self._plan:
            if part is None:
                return False
            self._remaining.append(part)
        parts = [*self._remaining]
        wanted = min(MANY_REFUSED - self._parents, len(parts))
        first = {(number + 1) * len(parts) // wanted - 1 for number in range(wanted)} if wanted > 0 else set()
        self._remaining = deque(parts[number] for number in sorted(first))
        self._remaining.extend(part for number, part in enumerate(parts) if number not in first)
        self._is_spread = True
        return True
