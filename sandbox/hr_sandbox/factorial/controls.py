"""The controls of Factorial, below `/_control/factorial`."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING

from hr_sandbox.factorial.access import resource_of, stream_of
from hr_sandbox.factorial.ids import CLUSTER
from hr_sandbox.factorial.query import parse_timestamp
from hr_sandbox.http.arguments import ControlError, check_choice, check_empty, take_flag, take_seconds, take_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.factorial.access import Access
    from hr_sandbox.factorial.auth import Tokens
    from hr_sandbox.factorial.endpoint import Endpoints
    from hr_sandbox.factorial.store import Key
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.http.messages import Json

MAX_ROWS = 5_000_000
# The settings of shifts and their types.
SHIFTS: dict[str, tuple[type, ...]] = {
    "rows": (int,),
    "widest_days": (int,),
    "stall_seconds": (int, float),
    "seconds_per_row": (int, float),
    "halting": (bool,),
}


PARSERS: dict[str, Callable[[str], object]] = {
    "timestamp": parse_timestamp,
    "day": date.fromisoformat,
    "clock": time.fromisoformat,
}


class FactorialControls:
    """Changes rows, and how they are served."""

    def __init__(self, endpoints: Endpoints, access: Access, tokens: Tokens) -> None:
        """Control these parts of the vendor."""
        self._endpoints = endpoints
        self._access = access
        self._tokens = tokens

    def routes(self) -> dict[str, Callable[[Json], Json]]:
        """Return the controls by name."""
        return {
            "shifts": self.shifts,
            "edit": self.edit,
            "delete": self.delete,
            "ignore": self.ignore,
            "refusal": self.refusal,
            "clock": self.clock,
            "login": self.login,
            "revoke-tokens": self.revoke_tokens,
        }

    def shifts(self, body: Json) -> Json:
        """Set how many shifts are generated, and how slow they are."""
        modes, bulk = self._endpoints.modes, self._endpoints.store.bulk
        for name, value in body.items():
            if name not in SHIFTS:
                raise ControlError(f"Unknown argument {name}; the arguments are {', '.join(SHIFTS)}.")
            if not isinstance(value, SHIFTS[name]) or (isinstance(value, bool) and bool not in SHIFTS[name]):
                raise ControlError(f"The argument {name} must be a number, or true or false.")
            if isinstance(value, int | float) and not 0 <= value <= MAX_ROWS:
                raise ControlError(f"The argument {name} must be between 0 and {MAX_ROWS}.")
        bulk.set(body.pop("rows", bulk.rows))
        for name, value in body.items():
            setattr(modes, name, value)
        return {"rows": bulk.rows, **{name: getattr(modes, name) for name in SHIFTS if name != "rows"}}

    def edit(self, body: Json) -> Json:
        """Change one field of any row. Its timestamp becomes the present."""
        resource, key = self._row(body)
        name, value = take_text(body, "field"), body.pop("value", None)
        check_empty(body)
        field = resource.fields.get(name)
        if field is None or name == resource.key:
            raise ControlError(f"There is no field {name} that can be changed.")
        if field.type == "id" and isinstance(value, str):
            value = _key(value, numbered=True)
        if field.form in PARSERS and isinstance(value, str):
            try:
                value = PARSERS[field.form](value)
            except ValueError as error:
                raise ControlError(f"The field {name} cannot be {value!r}.") from error
        self._endpoints.store.edit(resource, key, {name: value})
        return {"changed": [{"action": "updated", "kind": resource.stream, "id": _shown(key)}]}

    def delete(self, body: Json) -> Json:
        """Delete a row."""
        resource, key = self._row(body)
        check_empty(body)
        self._endpoints.store.delete(resource, key)
        return {"changed": [{"action": "deleted", "kind": resource.stream, "id": _shown(key)}]}

    def _row(self, body: Json) -> tuple[Resource, Key]:
        resource, text = stream_of(take_text(body, "stream")), take_text(body, "id")
        numbered = resource.key is not None and resource.fields[resource.key].type == "id"
        key = _key(text, numbered=numbered)
        store = self._endpoints.store
        in_bulk = resource.name == "attendance/shifts" and isinstance(key, int) and store.bulk.find(key)
        if in_bulk or store.find(resource.name, key) is None:
            raise ControlError(f"The stream {resource.stream} has no record {text}.")
        return resource, key

    def ignore(self, body: Json) -> Json:
        """Make an endpoint ignore a parameter, or support it again."""
        resource, name = resource_of(take_text(body, "endpoint")), take_text(body, "parameter")
        ignored = take_flag(body, "ignored", default=True)
        check_empty(body)
        check_choice("parameter", name, resource.parameters)
        names = self._endpoints.modes.ignored.setdefault(resource.name, set())
        (names.add if ignored else names.discard)(name)
        return {"endpoint": resource.name, "ignored": sorted(names)}

    def refusal(self, body: Json) -> Json:
        """Set how a module responds if it is not booked."""
        module, form = take_text(body, "module"), take_text(body, "form")
        check_empty(body)
        return self._access.set_form(module, form)

    def clock(self, body: Json) -> Json:
        """Move the clock of tokens forward."""
        seconds = take_seconds(body, "seconds")
        check_empty(body)
        self._tokens.clock.forward(seconds or 0)
        return {"now": int(self._tokens.clock.seconds())}

    def login(self, body: Json) -> Json:
        """Return the tokens of a new login, of a user or of the company."""
        company = take_flag(body, "company", default=False)
        check_empty(body)
        return self._tokens.login(company=company)

    def revoke_tokens(self, body: Json) -> Json:
        """Revoke all logins, so that nothing can be refreshed."""
        check_empty(body)
        return {"revoked": self._tokens.revoke()}


def _key(text: str, *, numbered: bool) -> Key:
    if not numbered:
        return text
    try:
        return int(text) - CLUSTER
    except ValueError as error:
        raise ControlError(f"There is no record {text}.") from error


def _shown(key: Key) -> str:
    return str(CLUSTER + key) if isinstance(key, int) else key
