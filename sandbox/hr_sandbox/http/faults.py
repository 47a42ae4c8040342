"""Injected faults: specific ones requested by controls, and random ones at a given rate."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hr_sandbox.http.arguments import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hr_sandbox.http.messages import Json

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

S = TypeVar("S", bound="Scheduled")


@dataclass(slots=True, kw_only=True)
class Scheduled:
    """The requests that a fault affects.

    Attributes:
        times: how many requests fail; None for all.
        after: how many matching requests succeed first.
    """

    times: int | None = 1
    after: int = 0


class Schedule(Generic[S]):
    """Faults that controls have requested and that have not happened yet."""

    def __init__(self) -> None:
        self._pending: list[S] = []

    def add_fault(self, fault: S) -> Json:
        """Adds a fault. Returns it as JSON."""
        self._pending.append(fault)
        return asdict(fault)

    def clear_faults(self) -> int:
        """Removes all faults. Returns how many there were."""
        count = len(self._pending)
        self._pending.clear()
        return count

    def take_matching(self, matches: Callable[[S], bool]) -> S | None:
        """Returns the fault that hits a request, if any, and counts it."""
        for fault in self._pending:
            if not matches(fault):
                continue
            if fault.after:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._pending.remove(fault)
            return fault
        return None


@dataclass(slots=True, kw_only=True)
class Fault(Scheduled):
    """A fault that replaces or delays a response.

    Attributes:
        path: the path with the vendor's prefix, either as requested or as declared with parameters in braces.
        kind: one of `KINDS`.
        status: the status of the kinds `status` and `retry-after`.
        query: parameters that the request must have; `*` matches any value.
        seconds: the delay of the kinds `slow` and `retry-after`.
        form: whether `Retry-After` is given in `seconds` or as a `date`.
    """

    path: str = ""
    kind: str = "status"
    status: int | None = None
    query: dict[str, str] = field(default_factory=dict)
    seconds: float = 1
    form: str = "seconds"

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Fault:
        """Reads a fault from the body of a control request, or raises ControlError."""
        unknown = set(body) - {row.name for row in fields(cls)}
        if unknown:
            raise ControlError(f"A fault has no member {', '.join(sorted(unknown))}.")
        fault = cls(**{"kind": "status", **body})
        if fault.status is None:
            fault.status = 429 if fault.kind == "retry-after" else 503
        problems = {
            "A fault needs a path, such as /personio/v2/persons.": isinstance(fault.path, str) and bool(fault.path),
            f"A fault's kind is one of {', '.join(KINDS)}.": fault.kind in KINDS,
            "A fault's status is between 400 and 599.": _is_count(fault.status, 400) and fault.status in HTTP_ERRORS,
            "A fault's times is at least 1, or null for always.": fault.times is None or _is_count(fault.times, 1),
            "A fault's after is a whole number.": _is_count(fault.after, 0),
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
        """Returns whether the fault applies to a request."""
        given = all(name in query and text in {query[name], ANY} for name, text in self.query.items())
        return given and self.path in paths


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class Faults(Schedule[Fault]):
    """The faults of all vendors: those that controls requested, and random ones."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        self._rate = rate
        self._random = random.Random(f"faults/{seed}")  # noqa: S311  no cryptography

    def next_fault(self, paths: tuple[str | None, ...], query: Mapping[str, str]) -> Fault | None:
        """Returns the fault that hits a request, if any."""
        if fault := self.take_matching(lambda fault: fault.matches(paths, query)):
            return fault
        if self._rate and self._random.random() < self._rate:
            kind, status = self._random.choice(RANDOM)
            return Fault(path=str(paths[0]), kind=kind, status=status)
        return None
