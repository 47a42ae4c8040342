"""Resumes an interrupted full read: its finished slices are kept in the state.

The state holds one list: the progress of the read (`Checkpoint`), then the names of the finished slices; adjacent ones
are merged. Once the stream was read whole the list is set to null, never removed: Meltano merges states deeply, and
replaces lists.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest.state.checkpoint import KEY, PLACE, Checkpoint, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.slices.base import Slice
    from singer_rest.state.replication import Replication

logger = logging.getLogger(__name__)


Days = tuple[date, date]


class Backfill:
    """The finished slices of one stream that is read whole.

    Slices without a name are not kept. Until `begin`, nothing is.

    Args:
        stream: The stream's name, for messages.
        state: The stream's part of the tap's state.
        replication: The stream's place in time, which goes on with what the earlier run saw.
        made_with: The settings that decide what a slice holds; slices read with others are of no use.
    """

    def __init__(
        self, stream: str, state: dict[str, Any], replication: Replication, config_fingerprint: dict[str, str | None]
    ) -> None:
        self._stream = stream
        self._state = state
        self._replication = replication
        self._made_with = config_fingerprint
        self._names: list[str] | None = None
        self.finished: frozenset[str] = frozenset()
        """Names of what an earlier run finished, and this one leaves out."""
        self._finished_days: list[Days] = []

    def begin(self) -> None:
        """Go on after the slices in the state, where they are of use, and keep those that are finished from now on."""
        if not self._replication.whole:
            return
        self._names = []
        kept = read(self._state)
        if kept and self._is_of_use(kept[0]):
            begun, self._names = kept
            self.finished = frozenset(self._names)
            self._finished_days = [days for name in self._names if (days := _days(name))]
            self._replication.resume(begun)
        elif self._state.get(KEY) is not None:
            self._state[KEY] = None
            logger.info(
                "%s: the finished slices in the state were read with other settings, or cannot be read; starting over.",
                self._stream,
            )

    def unfinished(self, plan: Iterator[Slice | None]) -> Iterator[Slice | None]:
        """Leave out the slices that an earlier run finished."""
        return (part for part in plan if part is None or part.name is None or not self._is_finished(part.name))

    def mark_finished(self, part: Slice) -> bool:
        """Note in the state that the last record of a slice was handed on; whether it is worth a STATE message."""
        if self._names is None or part.name is None:
            return False
        _add(self._names, part.name)
        self._state[KEY] = [msgspec.to_builtins(self._replication.checkpoint(self._made_with)), *self._names]
        return True

    def save_position(self, place: str) -> bool:
        """Note in the state where a list that is read in one piece goes on; whether it is worth a STATE message."""
        if self._names is None:
            return False
        self._names[:] = [f"{PLACE}{place}"]
        self._state[KEY] = [msgspec.to_builtins(self._replication.checkpoint(self._made_with)), *self._names]
        return True

    def reset(self) -> None:
        """Begin anew: what an earlier run finished is of no use."""
        self.finished, self._finished_days = frozenset(), []
        if self._names is not None:
            self._names = []
            self._state[KEY] = None

    @property
    def position(self) -> str | None:
        """Where an earlier run left off in a list that is read in one piece."""
        return next((name.removeprefix(PLACE) for name in self.finished if name.startswith(PLACE)), None)

    def _is_finished(self, name: str) -> bool:
        if name in self.finished:
            return True
        # Also where windows have another width than they had: each day lies in one window.
        days = _days(name)
        return days is not None and any(first <= days[0] and days[1] <= last for first, last in self._finished_days)

    def _is_of_use(self, begun: Checkpoint) -> bool:
        return begun.config_fingerprint == self._made_with and self._replication.can_resume(begun)


def _days(name: str) -> Days | None:
    """The first and the last day of a slice's name, if it is made of them."""
    first, _, last = name.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None


def _add(names: list[str], name: str) -> None:
    """Note a finished slice: as one with the slice before where their days adjoin, for single days would be many."""
    before, days = _days(names[-1]) if names else None, _days(name)
    if before and days and before[1] + timedelta(days=1) == days[0]:
        names[-1] = f"{before[0]}/{days[1]}"
    else:
        names.append(name)
