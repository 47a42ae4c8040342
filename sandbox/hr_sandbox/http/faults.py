"""Failures on purpose: exact ones that a test asks for, and random ones at a rate."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("status", "truncated", "drop", "html", "retry-after", "slow")
FORMS = ("seconds", "date")
RANDOM = (
    ("status", 500),
    ("status", 502),
    ("status", 503),
    ("status", 429),
    ("drop", None),
    ("truncated", None),
)
ANY = "*"
HTTP_ERRORS = range(400, 600)
MAX_SECONDS = 10_000_000


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong, where and how often.

    Attributes:
        path: with the vendor's prefix; as requested, or as declared with parameters in braces.
        kind: what stable_chance; see `KINDS`.
        status: of the kinds `status` and `retry-after`.
        times: how many requests it hits; None for all.
        after: how many matching requests pass before.
        query: parameters that the request must have as well; `*` is any value.
        seconds: how long to wait, of the kinds `slow` and `retry-after`.
        form: whether a `Retry-After` is in `seconds` or a `date`.
    """

    path: str = ""
    kind: str = "status"
    status: int | None = None
    times: int | None = 1
    after: int = 0
    query: dict[str, str] = field(default_factory=dict)
    seconds: float = 1
    form: str = "seconds"

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Fault:
        """Read a fault from a control's body.

        Raises:
            ControlError: something in it cannot be.
        """
        unknown = set(body) - set(cls.__slots__)
        if unknown:
            raise ControlError(f"A fault has no {', '.join(sorted(unknown))}.")
        fault = cls(**{"kind": "status", **body})
        if fault.status is None:
            fault.status = 429 if fault.kind == "retry-after" else 503
        problems = {
            "A fault needs a path, such as /personio/v2/persons.": isinstance(fault.path, str) and bool(fault.path),
            f"A fault's kind is one of {', '.join(KINDS)}.": fault.kind in KINDS,
            "A fault's status is between 400 and 599.": _count(fault.status, 400) and fault.status in HTTP_ERRORS,
            "A fault's times is at least 1, or null for always.": fault.times is None or _count(fault.times, 1),
            "A fault's after is a whole number.": _count(fault.after, 0),
            "A fault's query is an object.": isinstance(fault.query, dict),
            f"A fault's seconds is a number between 0 and {MAX_SECONDS}.": (
                isinstance(fault.seconds, int | float)
                and not isinstance(fault.seconds, bool)
                and 0 <= fault.seconds <= MAX_SECONDS
            ),
            f"A fault's form is one of {', '.join(FORMS)}.": fault.form in FORMS,
        }
        for sentence, holds in problems.items():
            if not holds:
                raise ControlError(sentence)
        return fault

    def matches(self, paths: tuple[str | None, ...], query: Mapping[str, str]) -> bool:
        """Whether a request is one of those that it is for."""
        given = all(name in query and text in {query[name], ANY} for name, text in self.query.items())
        return given and self.path in paths


def _count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class Faults:
    """The faults that are still to come."""

    def __init__(self, rate: float, seed: int) -> None:
        """Have random faults at this rate, always the same for a seed."""
        self._rate = rate
        self._random = random.Random(f"faults/{seed}")  # noqa: S311  no cryptography
        self._exact: list[Fault] = []

    def add(self, fault: Fault) -> dict[str, Any]:
        """Wait for requests that a fault is for."""
        self._exact.append(fault)
        return asdict(fault)

    def clear(self) -> int:
        """Forget the faults that were asked for; says how many."""
        count = len(self._exact)
        self._exact.clear()
        return count

    def next(self, paths: tuple[str | None, ...], query: Mapping[str, str]) -> Fault | None:
        """The fault that hits a request, if one does."""
        for fault in self._exact:
            if not fault.matches(paths, query):
                continue
            if fault.after:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._exact.remove(fault)
            return fault
        if self._rate and self._random.random() < self._rate:
            kind, status = self._random.choice(RANDOM)
            return Fault(path=str(paths[0]), kind=kind, status=status)
        return None
