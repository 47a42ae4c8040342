"""Options of a part, the outcomes of its trials, and the log of results."""

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


MAX_PRINTED = 12
"""Maximum number of lines to print per verdict and trial."""


@dataclass(frozen=True)
class Options:
    """Options of a part.

    Args:
        seed: Seed of all random choices.
        vendors: Vendors whose taps to run.
        folder: Working folder.
        trial: The only trial to run. None: all.
        share: Fraction of all trials to run, from 0 to 1.
    """

    seed: int
    vendors: tuple[str, ...]
    folder: Path
    trial: int | None = None
    share: float = 1.0

    def make_rng(self, *names: object) -> random.Random:
        """Returns a source of random choices that only depends on the seed and the names."""
        return random.Random("/".join(map(str, (self.seed, *names))))  # noqa: S311 - reproducible by design

    def choose_trial_numbers(self, count: int, *names: object) -> list[int]:
        """Returns the numbers of the trials to run, out of `count`."""
        if self.trial is not None:
            return [self.trial]
        return sorted(self.make_rng("share", *names).sample(range(count), max(1, round(count * self.share))))


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Args:
        part: The part, such as `killer`.
        vendor: The vendor whose tap ran.
        trial: Number of the trial.
        category: Row of the report that counts it.
        verdict: The verdict.
        description: A description of the fault or run.
        detail: The observed failure, if it failed.
        count: Number of cases that the outcome covers.
        seconds: Duration.
    """

    part: str
    vendor: str
    trial: int
    category: str
    verdict: Verdict
    description: str
    detail: str = ""
    count: int = 1
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the verdict is a failure."""
        return self.verdict in FAILURES

    def as_json(self) -> dict[str, Any]:
        """Returns the outcome as JSON, for the results file."""
        return {**asdict(self), "verdict": self.verdict.name}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Outcome:
        """Returns the outcome of a line of the results file."""
        return cls(**{**found, "verdict": Verdict[found["verdict"]]})


@dataclass
class ResultLog:
    """Records outcomes in memory and in a file, and prints them.

    Args:
        seed: Printed with each failure, so that it can be repeated.
        file: The results file, with one line of JSON per outcome. None: no file.
    """

    seed: int
    file: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    _shown: Counter[tuple[Verdict, int]] = field(default_factory=Counter)
    _started: float = field(default_factory=time.monotonic)

    def add_outcome(self, outcome: Outcome) -> None:
        """Records an outcome."""
        self.outcomes.append(outcome)
        if self.file:
            with self.file.open("a") as lines:
                lines.write(json.dumps(outcome.as_json()) + "\n")
        self._shown[outcome.verdict, outcome.trial] += 1
        if self._shown[outcome.verdict, outcome.trial] > MAX_PRINTED:
            return
        status = "FAIL" if outcome.failed else "  ok"
        text = (
            f"{status} {outcome.part} {outcome.vendor} {outcome.trial}: {outcome.description}: {outcome.verdict.value}"
        )
        if outcome.failed:
            text += f"\n     {outcome.detail}\n     python -m faults {outcome.part} --vendor {outcome.vendor}"
            text += f" --seed {self.seed} --trial {outcome.trial}"
        sys.stdout.write(f"{text}  [{time.monotonic() - self._started:.0f} s]\n")
        sys.stdout.flush()

    @property
    def failures(self) -> list[Outcome]:
        """Outcomes that failed."""
        return [outcome for outcome in self.outcomes if outcome.failed]


def read_results(files: Sequence[Path]) -> Iterator[Outcome]:
    """Reads the outcomes in results files."""
    for file in files:
        for line in file.read_text().splitlines():
            yield Outcome.from_json(json.loads(line))
