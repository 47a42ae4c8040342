"""Tables of records."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Record(Protocol):
    """Anything with a number."""

    @property
    def id(self) -> int:
        """The number, unique per kind."""


R = TypeVar("R", bound=Record)


def key_of(record: Record) -> str:
    """Return the opaque id: the uuid if there is one, else the number."""
    return str(getattr(record, "uuid", record.id))


class Table(Generic[R]):
    """Records of one kind ordered by number. They can be found by number, uuid or owner."""

    def __init__(self, kind: str, first_id: int, owner: Callable[[R], int] | None = None) -> None:
        """Create an empty table.

        Args:
            kind: the kind of record, such as `person`.
            first_id: the number before the first one that `next_id` returns.
            owner: returns the number of a record's owner, for `of`.
        """
        self.kind = kind
        self._last_id = first_id
        self._owner = owner
        self._rows: dict[int, R] = {}
        self._numbers: dict[str, int] = {}
        self._owned: defaultdict[int, list[R]] = defaultdict(list)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> R:
        return self._rows[number]

    def __contains__(self, number: int) -> bool:
        return number in self._rows

    def next_id(self, step: int = 1) -> int:
        """Return the next unused number."""
        self._last_id += step
        return self._last_id

    def add(self, row: R) -> R:
        """Add a record."""
        self._rows[row.id] = row
        self._numbers[key_of(row)] = row.id
        if self._owner:
            self._owned[self._owner(row)].append(row)
        return row

    def remove(self, row: R) -> None:
        """Remove a record."""
        del self._rows[row.id]
        del self._numbers[key_of(row)]
        if self._owner:
            self._owned[self._owner(row)].remove(row)

    def find(self, key: str) -> R | None:
        """Return the record with this opaque id, or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def of(self, owner_id: int) -> list[R]:
        """Return the records of an owner, oldest first."""
        return list(self._owned.get(owner_id, ()))
