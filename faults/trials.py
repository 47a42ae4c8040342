"""What a part is asked to try, and what came of its trials."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from faults.verdict import FAILURES, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


SHOWN = 12
"""Outcomes of a kind and a trial that are worth a line on the screen each."""


@dataclass(frozen=True)
class Options:
    """What to try.

    Args:
        seed: Of every choice.
        vendors: Whose taps.
        folder: Where files go.
        trial: The only one to make; None: all.
        share: Which part of all trials, from 0 to 1.
    """

    seed: int
    vendors: tuple[str, ...]
    folder: Path
    trial: int | None = None
    share: float = 1.0

    def chance(self, *names: object) -> random.Random:
        """What chooses for a trial: the same for a seed."""
        return random.Random("/".join(map(str, (self.seed, *names))))  # noqa: S311 - nothing is secret here

    def numbers(self, count: int, *names: object) -> list[int]:
        """The numbers of the trials to make, of so many."""
        if self.trial is not None:
            return [self.trial]
        return sorted(self.chance("share", *names).sample(range(count), max(1, round(count * self.share))))


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Args:
        part: Such as `killer`.
        vendor: Whose tap.
        trial: Its number.
        kind: What the report counts it under.
        verdict: What it showed.
        what: What was done, in words.
        detail: What was seen, where it was not as it should be.
        count: How many trials it stands for.
    """

    part: str
    vendor: str
    trial: int
    kind: str
    verdict: Verdict
    what: str
    detail: str = ""
    count: int = 1
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return self.verdict in FAILURES

    def as_json(self) -> dict[str, Any]:
        """As a line of the file of results."""
        return {**asdict(self), "verdict": self.verdict.name}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Outcome:
        """From a line of the file of results."""
        return cls(**{**found, "verdict": Verdict[found["verdict"]]})


@dataclass
class Book:
    """Takes outcomes down as they come: in memory, in a file, on the screen.

    Args:
        seed: Told with each failure, so that it can be repeated.
        file: A line of JSON for each; None: there is no file.
    """

    seed: int
    file: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    _shown: Counter[tuple[Verdict, int]] = field(default_factory=Counter)
    _since: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Take down what came of a trial."""
        self.outcomes.append(outcome)
        if self.file:
            with self.file.open("a") as lines:
                lines.write(json.dumps(outcome.as_json()) + "\n")
        self._shown[outcome.verdict, outcome.trial] += 1
        if self._shown[outcome.verdict, outcome.trial] > SHOWN:
            return
        sign = "FAIL" if outcome.failed else "  ok"
        text = f"{sign} {outcome.part} {outcome.vendor} {outcome.trial}: {outcome.what}: {outcome.verdict.value}"
        if outcome.failed:
            text += f"\n     {outcome.detail}\n     python -m faults {outcome.part} --vendor {outcome.vendor}"
            text += f" --seed {self.seed} --trial {outcome.trial}"
        sys.stdout.write(f"{text}  [{time.monotonic() - self._since:.0f} s]\n")
        sys.stdout.flush()

    @property
    def failures(self) -> list[Outcome]:
        """What broke a promise."""
        return [outcome for outcome in self.outcomes if outcome.failed]


def read(files: Sequence[Path]) -> Iterator[Outcome]:
    """The outcomes in some files of results."""
    for file in files:
        for line in file.read_text().splitlines():
            yield Outcome.from_json(json.loads(line))
