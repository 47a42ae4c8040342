"""What the cells of reports of the older kind hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.reports import Money


class Word(NamedTuple):
    """A word that is shown in the reader's language."""

    english: str
    german: str


class Entity(NamedTuple):
    """Another record, by its number and its name."""

    number: int
    name: str


class Centers(NamedTuple):
    """Cost centers with their shares."""

    shares: tuple[tuple[Entity, float], ...]


class Minutes(NamedTuple):
    """A length of time."""

    value: int


class Away(NamedTuple):
    """How long somebody was away in a stretch of time."""

    first: date
    last: date
    days: float
    hours: float


class Span(NamedTuple):
    """One absence; the last day is None while it is not known."""

    first: date
    last: date | None
    half_start: bool
    half_end: bool


class Cell(NamedTuple):
    """A value of a column; since when it holds, where the report is about changes."""

    column: str
    value: str | Word | Entity | Centers | Minutes | Money | Away | Span | None
    since: date | None = None
