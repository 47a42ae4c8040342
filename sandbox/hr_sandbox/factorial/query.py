"""The parameters of a request that the resource supports in this version. Others are ignored."""

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
    """Parse a UTC timestamp. A date means its beginning, and a time without a zone is UTC.

    Raises:
        ValueError: the text is neither.
    """
    if len(text) == DAY_LENGTH:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    timestamp = datetime.fromisoformat(text)
    return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)


class Query:
    """The parameters of one request."""

    def __init__(
        self, resource: Resource, version: str, pairs: Iterable[tuple[str, str]], ignored: frozenset[str] = frozenset()
    ) -> None:
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
        if parameter.choices and not name.endswith("[]") and texts[-1] not in parameter.choices:
            raise invalid_parameter(self.resource.module, name, "is not included in the list")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the given parameters."""
        return tuple(self._values)

    def many(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        """Return the last value of a parameter, or None."""
        values = self.many(name)
        return values[-1] if values else None

    def flag(self, name: str) -> bool | None:
        """Return the value of a flag, or None if it was not given."""
        text = self.one(name)
        return None if text is None else FLAGS.get(text)

    def timestamp(self, name: str) -> datetime | None:
        """Return a UTC timestamp, or None if it was not given."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text)
        except (ValueError, OverflowError) as error:
            raise invalid_parameter(self.resource.module, name, "is not a valid date") from error

    def day(self, name: str) -> date | None:
        """Return a date, or the UTC date of a timestamp."""
        timestamp = self.timestamp(name)
        return timestamp and timestamp.date()
