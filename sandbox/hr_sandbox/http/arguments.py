"""Reads and checks the arguments of a control: the members of its JSON body, or its query parameters.

Each function removes what it reads, so that `check_empty` can reject arguments that the control does not know.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hr_sandbox.http.messages import Json

YEARS = range(1900, 2201)
_REQUIRED: Any = object()


class ControlError(ValueError):
    """A control cannot do what was requested; the message is one sentence."""


def take(arguments: Json, name: str, default: Any = _REQUIRED) -> Any:  # noqa: ANN401  what JSON holds
    """Return any value."""
    if name not in arguments and default is _REQUIRED:
        raise ControlError(f"The argument {name} is required.")
    return arguments.pop(name, default)


def take_text(arguments: Json, name: str) -> str:
    """Return a text. A number is converted, because ids may be either."""
    value = take(arguments, name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ControlError(f"The argument {name} must be a string.")
    return str(value)


def take_optional_text(arguments: Json, name: str) -> str | None:
    """Return a text, or None if the argument is absent or null."""
    if arguments.get(name) is None:
        arguments.pop(name, None)
        return None
    return take_text(arguments, name)


def take_choice(arguments: Json, name: str, choices: Iterable[str]) -> str:
    """Return one of these texts."""
    return check_choice(name, take_text(arguments, name), choices)


def take_flag(arguments: Json, name: str, default: Any = _REQUIRED) -> bool:  # noqa: ANN401  a flag, or no default
    """Return a boolean."""
    value = take(arguments, name, default)
    if not isinstance(value, bool):
        raise ControlError(f"The argument {name} must be true or false.")
    return value


def take_count(arguments: Json, name: str, default: Any, most: int) -> int:  # noqa: ANN401  checked like any value
    """Return an integer from 0 to a maximum."""
    value = arguments.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ControlError(f"The argument {name} must be an integer between 0 and {most}.")
    return value


def take_seconds(arguments: Json, name: str) -> float | None:
    """Return a number of seconds, or None."""
    value = arguments.pop(name, None)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ControlError(f"The argument {name} must be a number of seconds, or null.")
    return value


def take_date(arguments: Json, name: str) -> date | None:
    """Return a date, or None if the argument is absent or empty."""
    text = arguments.pop(name, None)
    if not text:
        return None
    try:
        value = date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ControlError(f"The argument {name} must be a date such as 2024-01-31.") from error
    if value.year not in YEARS:
        raise ControlError(f"The year of {name} must be between {YEARS[0]} and {YEARS[-1]}.")
    return value


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return the value if it is one of the choices."""
    if value not in (known := tuple(choices)):
        raise ControlError(f"There is no {name} {value}; choose from {', '.join(known)}.")
    return value


def check_empty(arguments: Json) -> None:
    """Reject the arguments that were not read."""
    if arguments:
        names = ", ".join(arguments) or "a parameter without a name"
        raise ControlError(f"Unknown arguments: {names}.")
