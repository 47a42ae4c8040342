"""Declares controls, and reads and checks their arguments: the members of a JSON body, or query parameters.

Each function that reads an argument removes it, so that arguments that the control does not know can be rejected.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hr_sandbox.http.messages import Json

    Control = Callable[[Json], Json]

YEARS = range(1900, 2201)
PARAMETERS = {"id": "key", "type": "type_"}  # parameters of methods for arguments with the names of Python's built-ins


class ControlError(ValueError):
    """A control cannot do what was requested; the message is one sentence."""


def control(
    path: str, method: str = "POST", /, *, open_ended: bool = False, **readers: Callable[[Json, str], Any]
) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    """Declares a method as a control.

    Args:
        path: its path below those of the other controls.
        method: its HTTP method.
        open_ended: whether it takes other arguments too. It then receives all that is not read as one object.
        readers: its arguments, each with the function that reads it.
    """

    def declare(handle: Callable[..., Json]) -> Callable[..., Json]:
        def read_and_handle(self: object, arguments: Json) -> Json:
            values = {PARAMETERS.get(name, name): read(arguments, name) for name, read in readers.items()}
            if open_ended:
                return handle(self, arguments, **values)
            check_empty(arguments)
            return handle(self, **values)

        read_and_handle.declared = (method, path)  # type: ignore[attr-defined]
        return read_and_handle

    return declare


def find_controls(owner: object) -> dict[tuple[str, str], Control]:
    """Returns the controls that an object's class declares, by method and path."""
    methods = [name for name, value in vars(type(owner)).items() if hasattr(value, "declared")]
    return {getattr(owner, name).declared: getattr(owner, name) for name in methods}


def take(arguments: Json, name: str) -> Any:  # noqa: ANN401  what JSON holds
    """Returns any value."""
    if name not in arguments:
        raise ControlError(f"The argument {name} is required.")
    return arguments.pop(name)


def take_text(arguments: Json, name: str) -> str:
    """Returns a text. A number is converted, because ids may be either."""
    value = take(arguments, name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ControlError(f"The argument {name} must be a string.")
    return str(value)


def take_optional_text(arguments: Json, name: str) -> str | None:
    """Returns a text, or None if the argument is absent or null."""
    if arguments.get(name) is None:
        arguments.pop(name, None)
        return None
    return take_text(arguments, name)


def take_flag(arguments: Json, name: str) -> bool:
    """Returns a boolean."""
    value = take(arguments, name)
    if not isinstance(value, bool):
        raise ControlError(f"The argument {name} must be true or false.")
    return value


def take_count(most: int) -> Callable[[Json, str], int]:
    """Returns a reader for an integer from 0 to a maximum."""

    def read(arguments: Json, name: str) -> int:
        value = take(arguments, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ControlError(f"The argument {name} must be an integer between 0 and {most}.")
        return value

    return read


def with_default(read: Callable[[Json, str], Any], default: Any = None) -> Callable[[Json, str], Any]:  # noqa: ANN401
    """Returns a reader for an argument that may be absent."""
    return lambda arguments, name: read(arguments, name) if name in arguments else default


def take_any(arguments: Json, name: str) -> Any:  # noqa: ANN401  what JSON holds
    """Returns any value, or None if the argument is absent."""
    return arguments.pop(name, None)


def take_seconds(arguments: Json, name: str) -> float | None:
    """Returns a number of seconds, or None."""
    value = arguments.pop(name, None)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ControlError(f"The argument {name} must be a number of seconds, or null.")
    return value


def take_date(arguments: Json, name: str) -> date | None:
    """Returns a date, or None if the argument is absent or empty."""
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
    """Returns the value if it is one of the choices."""
    if value not in (known := tuple(choices)):
        raise ControlError(f"There is no {name} {value}; choose from {', '.join(known)}.")
    return value


def check_empty(arguments: Json) -> None:
    """Rejects the arguments that were not read."""
    if arguments:
        names = ", ".join(arguments) or "a parameter without a name"
        raise ControlError(f"Unknown arguments: {names}.")
