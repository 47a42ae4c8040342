"""What a request asks of a list: parameters that it knows in this version; all others are passed over in silence."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from hr_sandbox.factorial.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hr_sandbox.factorial.tables import Resource

FLAGS = {"true": True, "1": True, "false": False, "0": False}
DAY_LENGTH = 10


def parse_timestamp(text: str) -> datetime:
    """A timestamp in UTC: a day is its first second, and a time without a zone means UTC.

    Raises:
        ValueError: the text is neither.
    """
    if len(text) == DAY_LENGTH:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    timestamp = datetime.fromisoformat(text)
    return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)


class Query:
    """The parameters of one request to one list."""

    def __init__(
        self, resource: Resource, version: str, pairs: Iterable[tuple[str, str]], ignored: frozenset[str] = frozenset()
    ) -> None:
        """Read them; what is ignored is as if it were not known."""
        self.resource = resource
        self.version = version
        self._values: dict[str, list[str]] = {}
        for name, text in pairs:
            known = resource.parameters.get(name)
            if known and version in known.span and name not in ignored:
                self._values.setdefault(name, []).append(text)
        for name, texts in self._values.items():
            self._check(name, texts)

    def _check(self, name: str, texts: list[str]) -> None:
        parameter = self.resource.parameters[name]
        if parameter.type == "boolean" and not name.endswith("[]") and texts[-1] not in FLAGS:
            raise invalid_parameter(self.resource.module, name, "is not a boolean")
        if parameter.of and not name.endswith("[]") and texts[-1] not in parameter.of:
            raise invalid_parameter(self.resource.module, name, "is not included in the list")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that were given."""
        return tuple(self._values)

    def many(self, name: str) -> list[str]:
        """All values; none where it was not given."""
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        """The last value, or None."""
        values = self.many(name)
        return values[-1] if values else None

    def flag(self, name: str) -> bool | None:
        """Whether a flag is set; None where it was not given."""
        text = self.one(name)
        return None if text is None else FLAGS.get(text)

    def timestamp(self, name: str) -> datetime | None:
        """A timestamp in UTC, or None where it was not given."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text)
        except (ValueError, OverflowError) as error:
            raise invalid_parameter(self.resource.module, name, "is not a valid date") from error

    def day(self, name: str) -> date | None:
        """A day; of a timestamp, its day in UTC."""
        timestamp = self.timestamp(name)
        return timestamp and timestamp.date()
