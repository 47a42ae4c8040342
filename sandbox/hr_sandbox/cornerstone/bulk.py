"""Users and transcripts in bulk: as many as asked for, none kept, each made from its number when it is needed."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.rows.common import ACTIVE
from hr_sandbox.cornerstone.snapshot import DONE
from hr_sandbox.cornerstone.tables import TOUCHED
from hr_sandbox.cornerstone.timestamps import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

USERS = frozenset({"users_core", "vw_rpt_user"})
TRANSCRIPTS = frozenset({"transcript_core", "vw_rpt_transcript"})
FIRST = 1_000_000  # the number of the first user, beyond the company's own
DAYS = 1_000  # over which they were touched
TIED = 1_000  # rows that have the very same stamp
SCORES = 41
KEY = "_key"


class Bulk:
    """So many users, and so many transcripts of them."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        """Start with no rows.

        Args:
            snapshot: returns the trainings as they are now.
        """
        self._snapshot = snapshot
        self.users = 0
        self.transcripts = 0
        self._trainings: list[str] = []

    def set(self, users: int, transcripts: int) -> None:
        """Have so many."""
        self.users, self.transcripts = users, transcripts
        self._trainings = [row.object_id for row in self._snapshot().trainings]

    def size(self, table: str) -> int:
        """How many rows a table has in bulk."""
        return self.users if table in USERS else self.transcripts if table in TRANSCRIPTS else 0

    def stamp(self, table: str, place: int) -> int:
        """When a row was touched: later for higher places, and the same for many."""
        step = DAYS * DAY // (self.size(table) // TIED + 1)
        return self._snapshot().latest - DAYS * DAY + place // TIED * step

    def since(self, table: str, ticks: int) -> int:
        """The first place that was touched at a timestamp or later."""
        return bisect_left(range(self.size(table)), ticks, key=lambda place: self.stamp(table, place))

    def row(self, table: str, place: int) -> Row:
        """The row at a place."""
        return self._user(place) if table in USERS else self._transcript(table, place)

    def _user(self, place: int) -> Row:
        number = FIRST + place
        return {
            KEY: (number,),
            "_like": (0,),
            "user_id": number,
            "user_ref": f"BULK-{place:06}",
            "user_login": f"bulk.{place}",
            "user_guid": f"{place:08x}-0000-4000-8000-{number:012x}",
            "user_name_first": f"First {place % 997}",
            "user_name_last": f"Last {place}",
            "user_email": f"bulk.{place}@nordlicht.example",
            "user_status_id": ACTIVE,
            TOUCHED: self.stamp("users_core", place),
        }

    def _transcript(self, table: str, place: int) -> Row:
        turn, user = divmod(place, self.users)
        again, training = divmod(turn, len(self._trainings))
        stamp = self.stamp(table, place)
        modified = stamp - stamp % MINUTE
        return {
            KEY: (FIRST + user, self._trainings[training], again + 1),
            "_like": (0,),
            "transc_user_id": FIRST + user,
            "transc_object_id": self._trainings[training],
            "reg_num": again + 1,
            "user_lo_status_id": DONE,
            "user_lo_score": 60 + place % SCORES,
            "user_lo_comp_dt": modified,
            "user_lo_last_modified_dt": modified,
            TOUCHED: stamp,
        }

    def varying(self, table: str) -> tuple[str, ...]:
        """What differs from row to row."""
        return tuple(name for name in self.row(table, 0) if not name.startswith("_") or name == TOUCHED)

    def find(self, table: str, key: tuple[Any, ...]) -> Row | None:
        """The row with this key, or None."""
        if table in USERS:
            place = key[0] - FIRST
            return self.row(table, place) if 0 <= place < self.users else None
        if table not in TRANSCRIPTS or not 0 <= key[0] - FIRST < self.users or key[1] not in self._trainings:
            return None
        turn = (key[2] - 1) * len(self._trainings) + self._trainings.index(key[1])
        place = turn * self.users + key[0] - FIRST
        return self.row(table, place) if 0 <= place < self.transcripts else None
