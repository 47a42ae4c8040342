"""Stateless pseudo-random values: the same words always give the same value, in any order of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    T = TypeVar("T")

MIX = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def stable_number(*words: object) -> int:
    """Returns a 32-bit number that is determined by the words."""
    number = crc32("/".join(map(str, words)).encode())
    # Checksums of similar words are similar, so spread them.
    number = (number * MIX) & MASK
    return (number ^ (number >> 29)) * MIX >> 24 & 0xFFFFFFFF


def stable_choice(choices: Sequence[T], *words: object) -> T:
    """Returns one of the choices."""
    return choices[stable_number(*words) % len(choices)]


def stable_chance(percent: float, *words: object) -> bool:
    """Returns True for this percentage of all words."""
    return stable_number(*words) % 10_000 < percent * 100
