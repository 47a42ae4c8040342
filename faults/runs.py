"""A tap's run and the loader's, how it begins, and small things about what they write."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from faults import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from faults.processes import Ended


NEVER = ("Traceback (most recent", "unforeseen")
"""What a log never holds: failures that nobody made a sentence of."""


class Mode(Enum):
    """How a trial begins."""

    FIRST = "first run"
    REFRESH = "full refresh"
    INCREMENTAL = "incremental"


@dataclass(frozen=True)
class Run:
    """A tap's run, and the loader's of what it wrote.

    Args:
        tap: How the tap ended.
        load: How the loader ended.
        out: What the tap wrote.
        may_be_cut: Whether the tap could not help it that its last line is not whole.
    """

    tap: Ended
    load: Ended
    out: Path
    may_be_cut: bool = False

    @property
    def log(self) -> str:
        """What both logged."""
        return f"{self.tap.log}\n{self.load.log}"

    @property
    def hung(self) -> bool:
        """Whether one had to be killed."""
        return self.tap.hung or self.load.hung

    @property
    def succeeded(self) -> bool:
        """Whether both say so."""
        return (self.tap.code, self.load.code) == (0, 0)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes that the tap wrote, by stream."""
        found: Counter[str] = Counter()
        for line in self.out.read_bytes().splitlines(keepends=True):
            if stream := json.loads(line).get("stream"):
                found[stream] += len(line)
        return dict(found)

    @property
    def broken(self) -> str:
        """What no run may do, in words; empty where it did not."""
        if not self.may_be_cut and not whole_lines(self.out.read_bytes()):
            return "standard output has lines that are not whole"
        return next((f"the log holds {text!r}" for text in NEVER if text in self.log), "")

    def __str__(self) -> str:
        loud = self.log.splitlines()[-60:] if self.hung else verdict.loud_lines(self.log)[-3:]
        return f"tap {self.tap.code}, loader {self.load.code}" + "".join(f"\n      {line}" for line in loud)


def merged(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """A state laid over another, member by member."""
    found = dict(before)
    for name, value in after.items():
        inner = found.get(name)
        found[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


def whole_lines(raw: bytes) -> bool:
    """Whether every line is JSON and ended."""
    try:
        for line in raw.splitlines():
            json.loads(line)
    except ValueError:
        return False
    return not raw or raw.endswith(b"\n")
