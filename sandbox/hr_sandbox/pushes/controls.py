"""The controls of pushes, and the report of what was sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.burst import KINDS, Burst
from hr_sandbox.company.generator import SeededRandom
from hr_sandbox.http.arguments import (
    ControlError,
    check_choice,
    control,
    take_any,
    take_count,
    take_optional_text,
    take_seconds,
    with_default,
)
from hr_sandbox.pushes.sender import STATES

if TYPE_CHECKING:
    from hr_sandbox.company.changes import Changes
    from hr_sandbox.http.messages import Json
    from hr_sandbox.pushes.sender import Sender

MAX_CHANGES, MAX_RATE, MAX_SCALE = 1_000_000, 100_000, 1_000_000
SHARES = ("duplicates", "missing", "passing_404s")
SECONDS = ("timeout", "reorder_seconds", "invisible_seconds", "scan_seconds")
FORMS = ("one", "list")


class PushControls:
    """Sets how pushes are sent, and reports them."""

    def __init__(self, sender: Sender, changes: Changes) -> None:
        self._sender = sender
        self._changes = changes
        self._burst: Burst | None = None
        self._task: asyncio.Task[None] | None = None

    @control("push-settings", open_ended=True)
    def set_pushes(self, given: Json) -> Json:
        """Sets how pushes deviate from plain ones, and how fast the vendors' time passes."""
        settings, clock = self._sender.settings, self._sender.clock
        scale = given.pop("time_scale", None)
        if scale is not None and not _is_number(scale, 1, MAX_SCALE):
            raise ControlError(f"The argument time_scale must be a number between 1 and {MAX_SCALE}.")
        for name, value in given.items():
            if name in SHARES:
                valid = _is_number(value, 0, 1)
            elif name in SECONDS:
                valid = _is_number(value, 0, MAX_SCALE) or (value is None and name == "timeout")
            elif name == "bulk":
                valid = value in FORMS
            else:
                raise ControlError(f"Unknown arguments: {name}.")
            if not valid:
                raise ControlError(f"The argument {name} cannot be {value!r}.")
        for name, value in given.items():
            setattr(settings, name, value)
        if scale is not None:
            self._sender.change_clock(scale)
        names = (*SHARES, *SECONDS, "bulk")
        return {"time_scale": scale or clock.scale, **{name: getattr(settings, name) for name in names}}

    @control("push-clock", seconds=take_seconds)
    def move_push_clock(self, seconds: float | None) -> Json:
        """Lets some of the vendors' time pass at once."""
        self._sender.change_clock(skipped=seconds or 0)
        return {"skipped": seconds or 0}

    @control("pushes", "GET", vendor=take_optional_text, state=take_optional_text)
    def list_pushes(self, vendor: str | None, state: str | None) -> Json:
        """Returns the deliveries, oldest first."""
        if state is not None:
            check_choice("state", state, STATES)
        rows = list(self._sender.deliveries.values())
        return {
            "deliveries": [
                row.describe() for row in rows if vendor in {None, row.vendor} and state in {None, row.state}
            ]
        }

    @control("pushes", "DELETE", open_ended=True)
    def forget_pushes(self, _query: Json) -> Json:
        """Removes the deliveries that are not pending."""
        return {"cleared": self._sender.forget()}

    @control("push-counts", "GET", open_ended=True)
    def count_pushes(self, _query: Json) -> Json:
        """Returns the number of deliveries by state, and how far a burst is."""
        burst = self._burst
        return {**self._sender.count(), "burst": burst and {"done": burst.done, "of": burst.total}}

    @control(
        "burst",
        changes=take_count(MAX_CHANGES),
        per_second=with_default(take_count(MAX_RATE), 500),
        kinds=with_default(take_any, KINDS),
    )
    def begin_burst(self, changes: int, per_second: int, kinds: Any) -> Json:  # noqa: ANN401  what JSON holds
        """Begins to make changes in the background."""
        if self._task and not self._task.done():
            raise ControlError("A burst is under way.")
        if not isinstance(kinds, list | tuple) or not kinds or not set(kinds) <= set(KINDS):
            raise ControlError(f"The argument kinds must be a list of some of {', '.join(KINDS)}.")
        if not per_second:
            raise ControlError("The argument per_second must be at least 1.")
        company = self._changes.company
        rng = SeededRandom(f"burst/{company.seed}/{company.version}", company.today)
        self._burst = Burst(self._changes, rng, changes, kinds)
        self._task = asyncio.get_running_loop().create_task(self._burst.run(per_second))
        return {"changes": changes, "per_second": per_second}


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
