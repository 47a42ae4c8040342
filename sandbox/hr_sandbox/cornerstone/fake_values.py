"""Generates values for columns that the company has no data for. They are plausible, stable, and include edge cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.snapshot import CULTURES, stable_uuid
from hr_sandbox.cornerstone.timestamps import DAY, MINUTE, truncate_ticks
from hr_sandbox.data_files import read_data
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.cornerstone.snapshot import Snapshot
    from hr_sandbox.cornerstone.tables import Column

NULL_PERCENT = 18  # percent
DAYS_BACK = 900
USERS = ("user_id", "_by", "approver_id", "owner_id", "assignor_id", "_mgr_id", "remover_id", "exemptor_id")
_DATA = read_data(__package__, "fake_values.toml")
TEXTS: tuple[str, ...] = _DATA["texts"]
CHOICES_BY_NAME: dict[str, tuple[str, ...]] = _DATA["choices"]
FORMATS_BY_NAME: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("email", lambda number: f"mail{number % 9999}@nordlicht.example"),
    ("phone", lambda number: f"+49 {600_000_000 + number % 99_999_999}"),
    ("zip", lambda number: f"{number % 100_000:05}"),
    ("vat", lambda number: f"DE{number % 1_000_000_000:09}"),
    ("thumbnail", lambda number: f"/clientimg/{number:x}.png?v=a%20b"),
    ("ref", lambda number: f"REF-{number % 10_000:04}"),
    ("code", lambda number: f"C-{number % 10_000:04}"),
    ("_id", lambda number: f"{number % 10_000:05}"),
)


class FakeValues:
    """Generates values. References point to existing users and trainings."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._seed = snapshot.company.seed
        self._users = [row.id for row in snapshot.people]
        self._trainings = [row.object_id for row in snapshot.trainings]
        self._latest = snapshot.latest

    def make_value(self, table: str, column: Column, key: object, *, required: bool) -> Any:  # noqa: ANN401  any OData type
        """Returns the value of a column in the row with this key. Required values are not null."""
        number = stable_number(self._seed, table, column.name, key)
        if not required and number % 1000 < NULL_PERCENT * 10:
            return None
        number = number // 7 + number % 7
        maker = MAKERS.get(column.type, _make_text)
        return maker(self, column, number)

    def make_guid(self, column: Column, number: int) -> str:
        """Returns the id of a training, or a random GUID."""
        if "object_id" in column.name or column.name.endswith("lo_id"):
            return self._trainings[number % len(self._trainings)]
        return stable_uuid(column.name, number % 50)

    def make_integer(self, column: Column, number: int) -> int:
        """Returns the id of a user or a language, or a small integer."""
        name = column.name
        if name.endswith(USERS) or name in {"created_by", "modified_by"}:
            return self._users[number % len(self._users)]
        if name.endswith(("culture_id", "language_id")):
            return CULTURES[number % len(CULTURES)][0]
        return number % 60 + 1

    def make_timestamp(self, column: Column, number: int) -> int:
        """Returns a timestamp in the past, except for columns that name an end."""
        if any(part in column.name for part in ("end", "expir", "due")):
            return truncate_ticks(self._latest - 200 * DAY + number % (500 * 1440) * MINUTE, column.native)
        ticks = self._latest - number % (DAYS_BACK * DAY // MINUTE) * MINUTE - number % 599_999_999
        return truncate_ticks(ticks, column.native)


def _make_text(_: FakeValues, column: Column, number: int) -> str:
    name = column.name
    for part, texts in CHOICES_BY_NAME.items():
        if part in name:
            return texts[number % len(texts)]
    for part, form in FORMATS_BY_NAME:
        if part in name:
            return form(number)
    return TEXTS[number % len(TEXTS)]


def _make_decimal(_: FakeValues, column: Column, number: int) -> float:
    return number % 900_000 / 100 if "(19" in column.native else number % 4000 / 40


MAKERS: dict[str, Callable[[FakeValues, Column, int], Any]] = {
    "Edm.Boolean": lambda _, __, number: number % 3 != 0,
    "Edm.Byte": lambda _, __, number: number % 3,
    "Edm.DateTimeOffset": FakeValues.make_timestamp,
    "Edm.Decimal": _make_decimal,
    "Edm.Double": lambda _, __, number: number % 10_000 / 64,
    "Edm.Guid": FakeValues.make_guid,
    "Edm.Int32": FakeValues.make_integer,
    "Edm.Int64": lambda _, __, number: number % 5000 + (number % 50 == 0) * 9_007_199_254_740_993,
    "Edm.String": _make_text,
}
