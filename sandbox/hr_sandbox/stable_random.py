"""Chance without a state: the same words always give the same number, whatever was asked before."""

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
    """A number of 32 bits that belongs to these words."""
    number = crc32("/".join(map(str, words)).encode())
    # The sums of similar words are similar: spread them.
    number = (number * MIX) & MASK
    return (number ^ (number >> 29)) * MIX >> 24 & 0xFFFFFFFF


def stable_choice(choices: Sequence[T], *words: object) -> T:
    """One of the choices."""
    return choices[stable_number(*words) % len(choices)]


def stable_chance(percent: float, *words: object) -> bool:
    """True for this share of words."""
    return stable_number(*words) % 10_000 < percent * 100
