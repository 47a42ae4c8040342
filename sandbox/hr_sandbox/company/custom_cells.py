"""Values of the cells of custom reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.reports import Money


class Word(NamedTuple):
    """A word that is translated for the reader."""

    english: str
    german: str


class Entity(NamedTuple):
    """A reference to another record: its number and name."""

    number: int
    name: str


class Centers(NamedTuple):
    """Cost centers with their shares."""

    shares: tuple[tuple[Entity, float], ...]


class Minutes(NamedTuple):
    """A duration."""

    value: int


class Away(NamedTuple):
    """A duration of absence within a period."""

    first: date
    last: date
    days: float
    hours: float


class Span(NamedTuple):
    """One absence. The last day is None if it is not known yet."""

    first: date
    last: date | None
    half_start: bool
    half_end: bool


class Cell(NamedTuple):
    """A value of a column, with its start date in reports about changes."""

    column: str
    value: str | Word | Entity | Centers | Minutes | Money | Away | Span | None
    since: date | None = None
