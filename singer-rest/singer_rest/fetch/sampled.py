"""Which parents are walked first, so that a missing permission shows before all of them were asked for."""

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
"""After so many that were refused, and none that was not, the next ones are taken from all over the rest."""
REFUSALS = frozenset({Meaning.PARENT_FORBIDDEN, Meaning.PARENT_REFUSED})


class Sampled:
    """The slices of a stream that walks parents, in their order, unless all of the first ones are refused.

    Those that a credential may not read often stand together, such as the oldest employees, so the first few alone
    prove nothing. What they answer is waited for before others are asked for.

    Args:
        plan: The slices; None in between: the next one is not known yet.
        coverage: One of its own, to see what the answers say.
        ids_param: The parameter that takes the parents' ids; None: they stand in the path.
    """

    def __init__(self, plan: Iterator[Slice | None], coverage: Coverage, ids_param: str | None) -> None:
        self._plan = plan
        self._coverage = coverage
        self._ids_param = ids_param
        self._is_sure = False
        self._given = self._over = self._parents = 0
        self._left: deque[Slice] = deque()
        self._is_spread = False

    def tell(self, result: Page | Exception) -> None:
        """Take in what came of a request."""
        if self._is_sure or (not isinstance(result, Exception) and result.is_placeholder):
            return
        if isinstance(result, Exception) or result.meaning not in REFUSALS:
            self._is_sure = True
            return
        self._coverage.add_page(result)
        self._over += not result.next_requests

    def __iter__(self) -> Iterator[Slice | None]:
        return self

    def __next__(self) -> Slice | None:
        """The next slice; None: it is not known yet.

        Raises:
            NoAccess: If all parents that were tried are refused.
            TapError: If it is so because the vendor says that the requests cannot be right.
        """
        if not self._is_sure and self._parents >= (MANY_REFUSED if self._is_spread else FEW_PARENTS):
            if self._over < self._given:
                return None
            self._coverage.raise_if_no_parent_read()
            if not (self._is_spread or self._spread()):
                return None
        part = self._left.popleft() if self._left and (self._is_spread or self._is_sure) else next(self._plan)
        if part is not None:
            self._given += 1
            self._parents += len(parent_ids_of(part, self._ids_param))
        return part

    def _spread(self) -> bool:
        """Put some slices from all over the rest before the others; False: not all of them are known yet."""
        for part in self._plan:
            if part is None:
                return False
            self._left.append(part)
        parts = [*self._left]
        wanted = min(MANY_REFUSED - self._parents, len(parts))
        first = {(number + 1) * len(parts) // wanted - 1 for number in range(wanted)} if wanted > 0 else set()
        self._left = deque(parts[number] for number in sorted(first))
        self._left.extend(part for number, part in enumerate(parts) if number not in first)
        self._is_spread = True
        return True
