"""What a run is to read: collected from events, and written as the settings of the tap."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hr_webhooks.events.rereads import SEARCHED, reads_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hr_webhooks.events import Event

ID = re.compile(r"[^\s;,=]{1,200}")
"""An id that can stand in the settings of a tap. Vendors have no others; an event with another one is broken."""

Ids = dict[str, dict[str, None]]
"""Ids by stream, each once and in order."""
Report = dict[str, dict[str, list[str]]]
"""What the tap reports: the ids by stream and outcome, `found`, `deleted`, `missing`, `unconfirmed`."""


class RunSettings(NamedTuple):
    """The settings of one run of the tap.

    Args:
        only: Streams and ids to read again, and streams whose changes are to be read. Empty: everything is read.
        confirm_deleted: Streams and ids that were reported as deleted.
    """

    only: str = ""
    confirm_deleted: str = ""


@dataclass
class Plan:
    """What is to be read for a tenant and vendor.

    Args:
        only: Ids to read again.
        deleted: Ids that were reported as deleted.
        changes: Streams of which all changes are to be read.
    """

    only: Ids = field(default_factory=dict)
    deleted: Ids = field(default_factory=dict)
    changes: dict[str, None] = field(default_factory=dict)

    def add_event(self, vendor: str, event: Event) -> None:
        """Adds what an event is about."""
        for read, record_id in reads_of(vendor, event):
            if record_id is None:
                self.changes[read.stream] = None
            else:
                self.add_id(read.stream, record_id, is_deleted=event.is_deletion and read.by == "subject")

    def add_id(self, stream: str, record_id: str, *, is_deleted: bool) -> None:
        """Adds a record. One that was reported as deleted is read again, too: its deletion is not believed."""
        if not ID.fullmatch(record_id):
            return
        if is_deleted:
            self.deleted.setdefault(stream, {})[record_id] = None
            self.only.get(stream, {}).pop(record_id, None)
        elif record_id not in self.deleted.get(stream, ()):
            self.only.setdefault(stream, {})[record_id] = None

    @property
    def id_count(self) -> int:
        """The number of ids to read again that are not said to be deleted."""
        return sum(map(len, self.only.values()))

    def make_runs(self, max_ids: int) -> list[RunSettings]:
        """Returns the runs that read the records.

        Args:
            max_ids: The largest number of ids in a run. If there are more to read again, everything is read instead.
        """
        runs: list[RunSettings] = []
        only = _format(self.only)
        if self.id_count > max_ids:
            runs.append(RunSettings())
            only = ""
        first, *others = [_format(part) for part in _split(self.deleted, max_ids)] or [""]
        if only or first:
            runs.append(RunSettings(only, first))
        return [*runs, *(RunSettings("", other) for other in others)]

    def make_changes_run(self) -> RunSettings:
        """Returns the run that reads the streams of which all changes are to be read."""
        return RunSettings(" ".join(f"{stream}?" for stream in self.changes))


def take_narrow_search(report: Report) -> RunSettings | None:
    """Returns the run that searches everywhere for what was searched among given parents only. None: nothing was.

    Args:
        report: What the tap reports on the ids of a run. What is searched again is removed from it.
    """
    again: dict[str, Ids] = {"missing": {}, "unconfirmed": {}}
    for stream, parent in SEARCHED.items():
        if stream in report and parent in report:
            for outcome, ids in again.items():
                ids[stream] = dict.fromkeys(report[stream].pop(outcome, ()))
    only, confirm_deleted = map(_format, again.values())
    return RunSettings(only, confirm_deleted) if only or confirm_deleted else None


def _format(ids: Mapping[str, Mapping[str, None]]) -> str:
    # Whether a stream is selected is not known here: the tap passes over those that are not.
    return " ".join(f"{stream}?={','.join(found)}" for stream, found in ids.items() if found)


def _split(ids: Ids, size: int) -> Iterator[Ids]:
    """Yields parts with a maximum number of ids."""
    pairs = [(stream, record_id) for stream, found in ids.items() for record_id in found]
    for start in range(0, len(pairs), size):
        part: Ids = {}
        for stream, record_id in pairs[start : start + size]:
            part.setdefault(stream, {})[record_id] = None
        yield part
