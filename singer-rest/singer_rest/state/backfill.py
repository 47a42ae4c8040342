"""Resumes an interrupted full read: its finished slices are kept in the state.

The state holds one list: the progress of the read (`Checkpoint`), then the names of the finished slices; adjacent ones
are merged. After a complete read the list is set to null, never removed: Meltano merges states deeply, and replaces
lists.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest.state.checkpoint import KEY, POSITION_PREFIX, Checkpoint, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.slices.base import Slice
    from singer_rest.state.replication import Replication

logger = logging.getLogger(__name__)


Days = tuple[date, date]


class Backfill:
    """The finished slices of one stream's full read.

    Slices without a name are not recorded. Nothing is recorded before `begin`.

    Args:
        stream: Name of the stream, for messages.
        state: The stream's part of the tap's state.
        replication: The stream's bookmark and version, which a resumed read continues.
        config_fingerprint: The settings that the slices depend on. Slices read with other settings are discarded.
    """

    def __init__(
        self, stream: str, state: dict[str, Any], replication: Replication, config_fingerprint: dict[str, str | None]
    ) -> None:
        self._stream = stream
        self._state = state
        self._replication = replication
        self._config_fingerprint = config_fingerprint
        self._names: list[str] | None = None
        self.finished: frozenset[str] = frozenset()
        """Names of the slices that an earlier run finished and this one skips."""
        self._finished_days: list[Days] = []

    def begin(self) -> None:
        """Resumes after the slices in the state, if they are valid, and records slices finished from now on."""
        if not self._replication.whole:
            return
        self._names = []
        found = read_checkpoint(self._state)
        if found and self._is_valid(found[0]):
            checkpoint, self._names = found
            self.finished = frozenset(self._names)
            self._finished_days = [days for name in self._names if (days := _parse_days(name))]
            self._replication.resume(checkpoint)
        elif self._state.get(KEY) is not None:
            self._state[KEY] = None
            logger.info(
                "%s: what an interrupted run had finished was read with other settings, or is unreadable in the state; "
                "starting over.",
                self._stream,
            )

    def skip_finished(self, plan: Iterator[Slice | None]) -> Iterator[Slice | None]:
        """Yields the slices that no earlier run finished. A partly finished slice is replaced by its other parts."""
        for part in plan:
            if part is None or not self._is_begun(part):
                yield part
            elif not self._is_finished(part.name):
                yield from self.skip_finished(iter(part.parts))

    def _is_begun(self, part: Slice) -> bool:
        return self._is_finished(part.name) or any(self._is_begun(inner) for inner in part.parts)

    def mark_finished(self, part: Slice) -> bool:
        """Records a finished slice in the state. Returns whether to write a STATE message."""
        if self._names is None or part.name is None:
            return False
        _add_merged(self._names, part.name)
        self._write(self._names)
        return True

    def save_position(self, position: str) -> bool:
        """Records in the state where an unsliced list continues. Returns whether to write a STATE message."""
        if self._names is None:
            return False
        self._names[:] = [f"{POSITION_PREFIX}{position}"]
        self._write(self._names)
        return True

    def make_checkpoint(self) -> Checkpoint:
        """Returns the progress of the read."""
        return self._replication.make_checkpoint(self._config_fingerprint)

    def _write(self, names: list[str]) -> None:
        self._state[KEY] = [msgspec.to_builtins(self.make_checkpoint()), *names]

    def reset(self) -> None:
        """Discards what an earlier run finished."""
        self.finished, self._finished_days = frozenset(), []
        if self._names is not None:
            self._names = []
            self._state[KEY] = None

    @property
    def position(self) -> str | None:
        """The position in an unsliced list at which an earlier run stopped, or None."""
        return next(
            (name.removeprefix(POSITION_PREFIX) for name in self.finished if name.startswith(POSITION_PREFIX)), None
        )

    def _is_finished(self, name: str | None) -> bool:
        if name is None or not self.finished:
            return False
        if name in self.finished:
            return True
        # Windows may have had another size: each day lies in exactly one.
        days = _parse_days(name)
        return days is not None and any(first <= days[0] and days[1] <= last for first, last in self._finished_days)

    def _is_valid(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.config_fingerprint == self._config_fingerprint and self._replication.can_resume(checkpoint)


def _parse_days(name: str) -> Days | None:
    """Returns the first and last day in a slice's name, if it consists of dates."""
    first, _, last = name.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None


def _add_merged(names: list[str], name: str) -> None:
    """Adds the name of a finished slice, merged with adjacent slices because single days would be too many."""
    days = _parse_days(name)
    if days:
        for other in [*names]:
            known = _parse_days(other)
            if known and (_is_day_after(known, days) or _is_day_after(days, known)):
                names.remove(other)
                days = min(days[0], known[0]), max(days[1], known[1])
        name = f"{days[0]}/{days[1]}"
    names.append(name)


def _is_day_after(earlier: Days, later: Days) -> bool:
    return earlier[1] + timedelta(days=1) == later[0]
