"""The base of the generators of records: random choices from one seed, and the calendar."""

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import faker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    T = TypeVar("T")
    from hr_sandbox.company.model.company import Company

SATURDAY = 5


def first_of_month_after(day: date, months: int) -> date:
    """Returns the first day of the month that is this many months after the day's own."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def next_workday(day: date) -> date:
    """Returns the day, or the Monday after it on a weekend."""
    return day + timedelta(7 - day.weekday()) if day.weekday() >= SATURDAY else day


# ruff: noqa: S311  no cryptography


# Letters that Unicode does not decompose.
WITHOUT_BASE_LETTER = {0xDF: "ss", 0x142: "l", 0x141: "L", 0xF8: "o", 0x131: "i"}


def to_ascii(name: str) -> str:
    """Returns a name as it is used in an email address; empty for non-Latin scripts."""
    plain = name.translate(WITHOUT_BASE_LETTER)
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum() or letter == "-")


def email_name(first_name: str, last_name: str) -> str:
    """Returns the part of an email address before its number."""
    return ".".join(filter(None, (to_ascii(first_name), to_ascii(last_name)))) or "mail"


class SeededRandom:
    """Random choices for the company's data: the same seed gives the same ones. No timestamp is later than `latest`."""

    def __init__(self, seed: object, today: date) -> None:
        self.random = random.Random(str(seed))
        self.today = today
        self._names: dict[str, faker.Generator] = {}
        self.latest = datetime.combine(today, time(), UTC) - timedelta(seconds=1)

    def chance(self, probability: float) -> bool:
        """Returns True with this probability."""
        return self.random.random() < probability

    def choice(self, choices: Sequence[T]) -> T:
        """Returns one of the choices."""
        return choices[int(self.random.random() * len(choices))]

    def weighted_choice(self, choices: Sequence[T], weights: Iterable[float]) -> T:
        """Returns one of the choices by weight."""
        return self.random.choices(choices, list(weights))[0]

    def integer(self, low: int, high: int) -> int:
        """Returns an integer in a range (inclusive)."""
        return low + int(self.random.random() * (high - low + 1))

    def day(self, first: date, last: date) -> date:
        """Returns a day of a window (inclusive), or the first one if the window is empty."""
        return first + timedelta(self.integer(0, max(0, (last - first).days)))

    def uuid(self) -> str:
        """Returns a random UUID (version 4)."""
        text = f"{self.random.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def timestamp(self, day: date) -> datetime:
        """Returns a timestamp on a day, not later than the company's latest one."""
        timestamp = datetime.combine(day, time(), UTC) + timedelta(seconds=self.integer(5 * 3600, 18 * 3600))
        return min(timestamp, self.latest)

    def draw_later(self, timestamp: datetime, probability: float) -> datetime:
        """Returns the timestamp, or with this probability a later one."""
        if not self.chance(probability):
            return timestamp
        span = int((self.latest - timestamp).total_seconds())
        return timestamp + timedelta(seconds=self.integer(0, max(0, span)))

    def person_name(self, locale: str, *, male: bool) -> tuple[str, str]:
        """Returns a first and a last name."""
        names = self.find_name_provider(locale)
        if male:
            return names.first_name_male(), names.last_name_male()
        return names.first_name_female(), names.last_name_female()

    def find_name_provider(self, locale: str) -> Any:  # noqa: ANN401  Faker adds a locale's methods at run time
        """Returns the name provider of a locale. Loading all of a locale's providers would take seconds."""
        if locale not in self._names:
            generator = faker.Generator()
            generator.random = self.random
            provider = import_module(f"faker.providers.person.{locale}").Provider
            generator.add_provider(provider(generator))
            self._names[locale] = generator
        return self._names[locale]


class Generator:
    """Generates one kind of records for a company."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        self.company = company
        self.rng = rng
