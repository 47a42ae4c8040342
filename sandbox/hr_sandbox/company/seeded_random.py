"""Chance, always from one seeded generator."""
# ruff: noqa: S311  an invented company needs no cryptography

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from faker import Generator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    T = TypeVar("T")

# Letters that Unicode does not take apart into a base letter and an accent.
WITHOUT_BASE_LETTER = {0xDF: "ss", 0x142: "l", 0x141: "L", 0xF8: "o", 0x131: "i"}


def ascii_name(name: str) -> str:
    """What is left of a name in an e-mail address; empty for other scripts than Latin."""
    plain = name.translate(WITHOUT_BASE_LETTER)
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum() or letter == "-")


class SeededRandom:
    """Random choices of a company in the making."""

    def __init__(self, seed: object, today: date) -> None:
        """Make the generator.

        Args:
            seed: the same seed gives the same choices.
            today: no stamp is later than the first second of this day.
        """
        self.random = random.Random(str(seed))
        self.today = today
        self._names: dict[str, Generator] = {}
        self.latest = datetime.combine(today, time(), UTC) - timedelta(seconds=1)

    def chance(self, probability: float) -> bool:
        """True as often as the probability says."""
        return self.random.random() < probability

    def choice(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self.random.random() * len(choices))]

    def weighted(self, choices: Sequence[T], weights: Iterable[float]) -> T:
        """One of the choices, by weight."""
        return self.random.choices(choices, list(weights))[0]

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.random.random() * (high - low + 1))

    def day(self, first: date, last: date) -> date:
        """A day of the window, both ends included; the first one where the window is empty."""
        return first + timedelta(self.number(0, max(0, (last - first).days)))

    def uuid(self) -> str:
        """A random UUID (version 4)."""
        text = f"{self.random.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def stamp(self, day: date) -> datetime:
        """A timestamp of the day, never later than the company's latest one."""
        timestamp = datetime.combine(day, time(), UTC) + timedelta(seconds=self.number(5 * 3600, 18 * 3600))
        return min(timestamp, self.latest)

    def later(self, timestamp: datetime, probability: float) -> datetime:
        """The timestamp itself, or with this probability one between it and the latest."""
        if not self.chance(probability):
            return timestamp
        span = int((self.latest - timestamp).total_seconds())
        return timestamp + timedelta(seconds=self.number(0, max(0, span)))

    def names(self, locale: str) -> Any:  # noqa: ANN401  Faker adds a locale's methods at run time
        """The names of a locale. Loads only what names need: all of a locale's providers take seconds."""
        if locale not in self._names:
            generator = Generator()
            generator.random = self.random
            provider = import_module(f"faker.providers.person.{locale}").Provider
            generator.add_provider(provider(generator))
            self._names[locale] = generator
        return self._names[locale]
