"""Replaces values by pseudonyms of the same format. Equal values get equal pseudonyms within a recording."""

from __future__ import annotations

import hashlib
import random
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LETTERS = "jkqvwxz"
"""The letters of pseudonymous texts: hardly any word of a language consists of them."""
HEX_LETTERS = "bcdf"
"""The letters of pseudonymous UUIDs, which have no digits: those could form a number of the original."""
MAX_TEXT = 1000
ID_DIGITS = 9
"""The least digits of a pseudonymous id, so that ids of a company and their pseudonyms do not overlap."""
TRIES = 100

UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f])([0-9a-f]{3})-([0-9a-f]{4})-([0-9a-f]{12})", re.IGNORECASE)
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d(?::\d\d)?)([.,]\d+)?( ?)(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
TIME = re.compile(r"\d\d:\d\d(:\d\d)?([.,]\d+)?", re.ASCII)
WHOLE = re.compile(r"-?\d+", re.ASCII)
DECIMAL = re.compile(r"-?\d+\.\d+", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
ENDS_OF_DAY = {"00:00", "00:00:00", "23:59", "23:59:59", "24:00", "24:00:00"}


class Pseudonyms:
    """The pseudonyms of one recording. Not thread-safe.

    Args:
        key: A random key. Without it, no pseudonym can be traced back.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._given: dict[str, str] = {}
        self._used: set[str] = set()
        self.taken: Collection[str] = ()
        """Sequences of digits that no number may contain: those of the response."""
        # Whole weeks, and two centuries: no date of the recording is one of the company's.
        self._shift = timedelta(weeks=self._seeded_random("shift").randrange(10_000, 13_000))

    def replace_text(self, original: str) -> str:
        """Returns the pseudonym of a text, in its format: date, time, UUID, number, e-mail address, URL or text."""
        if not original or original in {"true", "false"}:
            return original
        if DECIMAL.fullmatch(original):
            return self.replace_number(original)
        if original not in self._given:
            pseudonym = self._make_pseudonym(original)
            self._given[original] = pseudonym
            self._used.add(pseudonym)
        return self._given[original]

    def replace_number(self, original: str) -> str:
        """Returns another number with as many digits before and after the point."""
        sign, digits, exponent = re.fullmatch(r"(-?)([\d.]+)(.*)", original).groups()  # type: ignore[union-attr]
        whole, point, fraction = digits.partition(".")
        for attempt in range(TRIES):
            random_source = self._seeded_random("number", original, str(attempt))
            extra = "" if attempt < TRIES // 2 else _random_digits(random_source, 1, first="123456789")
            new_whole = whole if whole == "0" else extra + _random_digits(random_source, len(whole), first="123456789")
            new_fraction = (
                fraction if not fraction.strip("0") else _random_digits(random_source, len(fraction), last="123456789")
            )
            if new_whole not in self.taken and new_fraction not in self.taken:
                break
        return sign + new_whole + point + new_fraction + exponent

    def random_flag(self, *place: str) -> bool:
        """Returns true or false at random."""
        return bool(self._seeded_random("flag", *place).randrange(2))

    def _make_pseudonym(self, original: str) -> str:
        for pattern, make in self._makers_by_format():
            if pattern.fullmatch(original):
                return make(original)
        length = min(len(original), MAX_TEXT)
        return self._make_unused(original, lambda random_source, extra: _random_letters(random_source, length + extra))

    def _makers_by_format(self) -> list[tuple[re.Pattern[str], Callable[[str], str]]]:
        return [
            (DATE, self._replace_date),
            (DATE_TIME, self._replace_date_time),
            (TIME, self._replace_time),
            (UUID, self._replace_uuid),
            (WHOLE, self._replace_id),
            (
                EMAIL,
                lambda text: self._make_unused(
                    text, lambda random_source, extra: f"{_random_letters(random_source, 8 + extra)}@example.invalid"
                ),
            ),
            (
                URL,
                lambda text: self._make_unused(
                    text,
                    lambda random_source, extra: (
                        f"https://host.invalid/{_random_letters(random_source, max(8, len(text) - 21) + extra)}"
                    ),
                ),
            ),
        ]

    def _make_unused(self, original: str, make: Callable[[random.Random, int], str]) -> str:
        """Returns a pseudonym that is not used yet. It gets longer if all pseudonyms of its length are used."""
        attempt = 0
        while (found := make(self._seeded_random("text", original, str(attempt)), attempt // 20)) in self._used:
            attempt += 1
        return found

    def _replace_date(self, text: str) -> str:
        try:
            return (date.fromisoformat(text) - self._shift).isoformat()
        except (ValueError, OverflowError):
            return "0001-01-01"  # no date, or the first one

    def _replace_date_time(self, text: str) -> str:
        day, between, time, fraction, space, zone = DATE_TIME.fullmatch(text).groups()  # type: ignore[union-attr]
        return "".join(
            (
                self._replace_date(day),
                between,
                self._replace_time(time + (fraction or "")),
                space,
                _replace_utc_offset(zone or ""),
            )
        )

    def _replace_time(self, text: str) -> str:
        clock, point, fraction = re.fullmatch(r"([\d:]+)([.,]?)(\d*)", text).groups()  # type: ignore[union-attr]
        random_source = self._seeded_random("time", text)
        if clock not in ENDS_OF_DAY:
            parts = (random_source.randrange(24), *(random_source.randrange(60) for _ in range(clock.count(":"))))
            clock = ":".join(f"{part:02}" for part in parts)
        return clock + point + (_random_digits(random_source, len(fraction)) if fraction.strip("0") else fraction)

    def _replace_uuid(self, text: str) -> str:
        version = UUID.fullmatch(text)[3]  # type: ignore[index]

        def make(random_source: random.Random, _extra: int) -> str:
            letters = _random_letters(random_source, 31, HEX_LETTERS)
            parts = letters[:8], letters[8:12], version + letters[12:15], letters[15:19], letters[19:]
            found = "-".join(parts)
            return found if text == text.lower() else found.upper()

        return self._make_unused(text, make)

    def _replace_id(self, text: str) -> str:
        if not text.strip("-0"):
            return text
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
        first, count = ("01" if digits[0] == "0" else "1"), max(len(digits), ID_DIGITS)
        return self._make_unused(
            text, lambda random_source, extra: sign + first + _random_digits(random_source, count - len(first) + extra)
        )

    def _seeded_random(self, *words: str) -> random.Random:
        message = "\0".join(words).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(message, key=self._key, digest_size=64).digest()
        return random.Random(digest)  # noqa: S311 - seeded by a keyed hash


def _random_letters(random_source: random.Random, count: int, alphabet: str = LETTERS) -> str:
    return "".join(random_source.choices(alphabet, k=count))


def _random_digits(random_source: random.Random, count: int, *, first: str = "", last: str = "") -> str:
    digits = [random_source.choice("0123456789") for _ in range(count)]
    if last and digits:
        digits[-1] = random_source.choice(last)
    if first and digits:
        digits[0] = random_source.choice(first)
    return "".join(digits)


def _replace_utc_offset(zone: str) -> str:
    """Returns a UTC offset in the same style: zero as it is, any other as two hours."""
    return (
        zone
        if not zone.strip("Z+-:0")
        else f"{zone[0]}02{zone[3:].replace('3', '0').replace('4', '0').replace('5', '0')}"
    )
