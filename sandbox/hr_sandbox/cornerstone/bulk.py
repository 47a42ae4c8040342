"""Generates large numbers of users and transcripts. Rows are computed from their index and never stored."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.rows.common import ACTIVE
from hr_sandbox.cornerstone.snapshot import COMPLETED
from hr_sandbox.cornerstone.tables import TOUCHED
from hr_sandbox.cornerstone.timestamps import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

USERS = frozenset({"users_core", "vw_rpt_user"})
TRANSCRIPTS = frozenset({"transcript_core", "vw_rpt_transcript"})
FIRST = 1_000_000  # the id of the first generated user, above those of the company
DAYS = 1_000  # days over which the rows were last touched
ROWS_PER_TIMESTAMP = 1_000  # rows with the same timestamp
SCORES = 41
KEY = "_key"


class Bulk:
    """The generated users, and their transcripts of the present trainings."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self.users = 0
        self.transcripts = 0
        self._trainings: list[str] = []

    def set_row_counts(self, users: int, transcripts: int) -> None:
        """Sets how many rows there are."""
        self.users, self.transcripts = users, transcripts
        self._trainings = [row.object_id for row in self._snapshot().trainings]

    def count_rows(self, table: str) -> int:
        """Returns how many generated rows a table has."""
        return self.users if table in USERS else self.transcripts if table in TRANSCRIPTS else 0

    def compute_timestamp(self, table: str, place: int) -> int:
        """Returns when a row was last touched. Timestamps increase with the index; many rows share one."""
        step = DAYS * DAY // (self.count_rows(table) // ROWS_PER_TIMESTAMP + 1)
        return self._snapshot().latest - DAYS * DAY + place // ROWS_PER_TIMESTAMP * step

    def find_first_index(self, table: str, ticks: int) -> int:
        """Returns the index of the first row that was touched at or after a timestamp."""
        return bisect_left(range(self.count_rows(table)), ticks, key=lambda place: self.compute_timestamp(table, place))

    def make_row(self, table: str, place: int) -> Row:
        """Returns the row at an index."""
        return self._make_user(place) if table in USERS else self._make_transcript(table, place)

    def _make_user(self, place: int) -> Row:
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
            TOUCHED: self.compute_timestamp("users_core", place),
        }

    def _make_transcript(self, table: str, place: int) -> Row:
        turn, user = divmod(place, self.users)
        again, training = divmod(turn, len(self._trainings))
        stamp = self.compute_timestamp(table, place)
        modified = stamp - stamp % MINUTE
        return {
            KEY: (FIRST + user, self._trainings[training], again + 1),
            "_like": (0,),
            "transc_user_id": FIRST + user,
            "transc_object_id": self._trainings[training],
            "reg_num": again + 1,
            "user_lo_status_id": COMPLETED,
            "user_lo_score": 60 + place % SCORES,
            "user_lo_comp_dt": modified,
            "user_lo_last_modified_dt": modified,
            TOUCHED: stamp,
        }

    def find_row(self, table: str, key: tuple[Any, ...]) -> Row | None:
        """Returns the row with this key, or None."""
        if table in USERS:
            place = key[0] - FIRST
            return self.make_row(table, place) if 0 <= place < self.users else None
        if table not in TRANSCRIPTS or not 0 <= key[0] - FIRST < self.users or key[1] not in self._trainings:
            return None
        turn = (key[2] - 1) * len(self._trainings) + self._trainings.index(key[1])
        place = turn * self.users + key[0] - FIRST
        return self.make_row(table, place) if 0 <= place < self.transcripts else None
