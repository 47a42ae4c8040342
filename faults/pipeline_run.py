"""The result of a pipeline run, and helpers for its output and state."""

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

    from faults.processes import ProcessResult


UNEXPECTED_TEXTS = ("Traceback (most recent", "Please report it with this line")
"""Texts that no log may contain: unhandled errors."""


class Mode(Enum):
    """The mode of a run."""

    FIRST = "first run"
    REFRESH = "full refresh"
    INCREMENTAL = "incremental"


@dataclass(frozen=True)
class PipelineRun:
    """A run of a tap and of the loader on its output.

    Args:
        tap: Result of the tap.
        load: Result of the loader.
        out: The tap's output.
        may_be_truncated: Whether the output may end with an incomplete line.
    """

    tap: ProcessResult
    load: ProcessResult
    out: Path
    may_be_truncated: bool = False

    @property
    def log(self) -> str:
        """Both logs."""
        return f"{self.tap.log}\n{self.load.log}"

    @property
    def hung(self) -> bool:
        """Whether either process had to be killed."""
        return self.tap.hung or self.load.hung

    @property
    def succeeded(self) -> bool:
        """Whether both exit codes are 0."""
        return (self.tap.code, self.load.code) == (0, 0)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of output by stream."""
        found: Counter[str] = Counter()
        for line in self.out.read_bytes().splitlines(keepends=True):
            if stream := json.loads(line).get("stream"):
                found[stream] += len(line)
        return dict(found)

    @property
    def violation(self) -> str:
        """Describes what no run may do. Empty if there is no violation."""
        if not self.may_be_truncated and not has_complete_lines(self.out.read_bytes()):
            return "standard output has incomplete lines"
        return next((f"the log contains {text!r}" for text in UNEXPECTED_TEXTS if text in self.log), "")

    def __str__(self) -> str:
        lines = self.log.splitlines()[-60:] if self.hung else verdict.find_warning_lines(self.log)[-3:]
        return f"tap {self.tap.code}, loader {self.load.code}" + "".join(f"\n      {line}" for line in lines)


def merge_states(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Merges two states recursively; the second one wins."""
    found = dict(first)
    for name, value in second.items():
        inner = found.get(name)
        found[name] = merge_states(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


def has_complete_lines(raw: bytes) -> bool:
    """Whether every line is complete and JSON."""
    try:
        for line in raw.splitlines():
            json.loads(line)
    except ValueError:
        return False
    return not raw or raw.endswith(b"\n")
