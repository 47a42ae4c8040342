"""Samples parents first, so that a missing permission shows before all of them have been requested."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from singer_rest.fetch.coverage import MANY_PARENTS, MANY_REFUSED, SAMPLED, parent_ids_of
from singer_rest.fetch.meanings import OF_PARENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import Slice

FEW_PARENTS = MANY_REFUSED - SAMPLED
"""Number of parents refused or not found, with none readable, after which the next ones are sampled from the rest."""


class ParentSampler:
    """Iterates over the slices of a child stream in order, unless the first parents are all refused or not found.

    Such parents are often adjacent, such as the oldest employees, so the first few alone prove nothing. Further slices
    are not yielded until the responses for the sampled ones have arrived.

    Args:
        plan: The slices. A None in between means that the next one is not known yet.
        coverage: A separate coverage for the sampled responses.
        ids_param: The parameter that takes the parents' ids. None: they are in the path.
    """

    def __init__(self, plan: Iterator[Slice | None], coverage: Coverage, ids_param: str | None) -> None:
        self._plan = plan
        self._coverage = coverage
        self._ids_param = ids_param
        self._any_readable = False
        self._started_count = self._finished_count = self._refused_count = 0
        self._untested = FEW_PARENTS
        """Number of parents that may still be yielded before the first response."""
        self._remaining: deque[Slice] = deque()
        self._is_spread = False

    def add_result(self, result: Page | Exception) -> None:
        """Records the outcome of a request."""
        if self._any_readable or (not isinstance(result, Exception) and result.is_placeholder):
            return
        if isinstance(result, Exception) or result.meaning not in OF_PARENT:
            self._any_readable = True
            return
        self._coverage.add_page(result)
        self._refused_count += 1
        self._finished_count += not result.next_requests

    def __iter__(self) -> Iterator[Slice | None]:
        return self

    def __next__(self) -> Slice | None:
        """Returns the next slice, or None if it is not known yet.

        Raises:
            AccessDeniedError: If all sampled parents are forbidden.
            TapError: If the vendor rejects the requests for all sampled parents as invalid.
        """
        if not self._any_readable and self._untested <= 0 and not self._may_go_on():
            return None
        part = (
            self._remaining.popleft()
            if self._remaining and (self._is_spread or self._any_readable)
            else next(self._plan)
        )
        if part is not None and not self._any_readable:
            self._started_count += 1
            self._untested -= len(parent_ids_of(part, self._ids_param))
        return part

    def _may_go_on(self) -> bool:
        """Whether the next slice may be yielded although no parent is known to be readable."""
        is_answered = self._finished_count == self._started_count
        if self._is_spread:
            if is_answered:
                self._coverage.raise_if_no_parent_read()
            return is_answered
        # The first parents may be one batch, which takes many requests until each of them is refused.
        return (is_answered or self._refused_count >= FEW_PARENTS) and self._spread_sample()

    def _spread_sample(self) -> bool:
        """Moves parents sampled from all of the rest to the front. False: not all slices are known yet."""
        for part in self._plan:
            if part is None:
                return False
            self._remaining.append(part)
        parents = [(part, parent) for part in self._remaining for parent in parent_ids_of(part, self._ids_param)]
        wanted = min(MANY_PARENTS - FEW_PARENTS if self._coverage.not_found else SAMPLED, len(parents))
        sampled = [parents[(number + 1) * len(parents) // wanted - 1] for number in range(wanted)]
        taken: dict[int, list[str]] = {}
        for part, parent in sampled:
            taken.setdefault(id(part), []).append(parent)
        first: list[Slice] = []
        rest: list[Slice] = []
        for part in self._remaining:
            alone, others = self._divide_slice(part, taken.get(id(part), []))
            first += alone
            rest += others
        self._remaining = deque([*first, *rest])
        self._untested = len(first)
        self._is_spread = True
        return True

    def _divide_slice(self, part: Slice, sampled: list[str]) -> tuple[list[Slice], list[Slice]]:
        """Divides a slice into one for each sampled parent and one for its others."""
        param, parents = self._ids_param, parent_ids_of(part, self._ids_param)
        if not sampled:
            return [], [part]
        if param is None or len(parents) == 1 or part.parts:  # its parts would have to be divided, too
            return [part], []
        others = tuple(parent for parent in parents if parent not in sampled)
        divided = [replace(part, params={**part.params, param: (parent,)}) for parent in sampled]
        return divided, [replace(part, params={**part.params, param: others})] if others else []
