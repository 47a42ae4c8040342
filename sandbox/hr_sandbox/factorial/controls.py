"""The controls of Factorial, below `/_control/factorial`."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.access import find_resource, find_stream
from hr_sandbox.factorial.query import parse_timestamp
from hr_sandbox.factorial.tables import CLUSTER, load_resources
from hr_sandbox.factorial.webhooks.catalogue import TYPES
from hr_sandbox.http.arguments import (
    ControlError,
    check_choice,
    control,
    take_any,
    take_flag,
    take_optional_text,
    take_seconds,
    take_text,
    with_default,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.factorial.access import Access, Tokens
    from hr_sandbox.factorial.endpoint import Endpoints
    from hr_sandbox.factorial.store import Key
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.factorial.webhooks import Pushes
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

    def __init__(self, endpoints: Endpoints, access: Access, tokens: Tokens, pushes: Pushes) -> None:
        self._pushes = pushes
        self._endpoints = endpoints
        self._access = access
        self._tokens = tokens

    @control("shifts", open_ended=True)
    def set_shifts(self, body: Json) -> Json:
        """Sets how many shifts are generated, and how slow they are."""
        modes, bulk = self._endpoints.modes, self._endpoints.store.bulk
        for name, value in body.items():
            if name not in SHIFTS:
                raise ControlError(f"Unknown argument {name}; the arguments are {', '.join(SHIFTS)}.")
            if not isinstance(value, SHIFTS[name]) or (isinstance(value, bool) and bool not in SHIFTS[name]):
                raise ControlError(f"The argument {name} must be a number, or true or false.")
            if isinstance(value, int | float) and not 0 <= value <= MAX_ROWS:
                raise ControlError(f"The argument {name} must be between 0 and {MAX_ROWS}.")
        bulk.set_shift_count(body.pop("rows", bulk.rows))
        for name, value in body.items():
            setattr(modes, name, value)
        return {"rows": bulk.rows, **{name: getattr(modes, name) for name in SHIFTS if name != "rows"}}

    @control("edit", stream=take_text, id=take_text, field=take_text, value=take_any)
    def edit(self, stream: str, key: str, field: str, value: Any) -> Json:  # noqa: ANN401  what JSON holds
        """Changes one field of any row. Its timestamp becomes the present."""
        resource, row_key = self._find_row(stream, key)
        declared = resource.fields.get(field)
        if declared is None or field == resource.key:
            raise ControlError(f"There is no field {field} that can be changed.")
        if declared.type == "id" and isinstance(value, str):
            value = _parse_key(value, numbered=True)
        if declared.form in PARSERS and isinstance(value, str):
            try:
                value = PARSERS[declared.form](value)
            except ValueError as error:
                raise ControlError(f"The field {field} cannot be {value!r}.") from error
        self._endpoints.store.edit_row(resource, row_key, {field: value})
        self._announce("update", resource, row_key)
        return _report_change("updated", resource, row_key)

    @control("delete", stream=take_text, id=take_text)
    def delete(self, stream: str, key: str) -> Json:
        """Deletes a row."""
        resource, row_key = self._find_row(stream, key)
        self._announce("delete", resource, row_key)
        self._endpoints.store.delete_row(resource, row_key)
        return _report_change("deleted", resource, row_key)

    @control("push", type=take_text, id=take_optional_text, body=take_any)
    def push(self, type_: str, key: str | None, body: Any) -> Json:  # noqa: ANN401  what JSON holds
        """Sends an event of any type without a change, by default with the first record of its resource."""
        check_choice("type", type_, TYPES)
        resource, row = TYPES[type_], None
        if body is None and resource and key:
            _, row_key = self._find_row(load_resources()[resource].stream, key)
            row = self._endpoints.store.find_row(resource, row_key)
        elif body is None and resource:
            row = next(iter(self._endpoints.store.list_rows(resource)), None)
        return {"type": self._pushes.push(type_, row, body)}

    def _announce(self, action: str, resource: Resource, key: Key) -> None:
        row = self._endpoints.store.find_row(resource.name, key)
        if row is not None:
            self._pushes.announce_row(action, resource.name, row)

    def _find_row(self, stream: str, text: str) -> tuple[Resource, Key]:
        """Returns the resource of a stream, and the key of one of its rows."""
        resource = find_stream(stream)
        key = _parse_key(text, numbered=resource.key is not None and resource.fields[resource.key].type == "id")
        store = self._endpoints.store
        in_bulk = resource.name == "attendance/shifts" and isinstance(key, int) and store.bulk.find_shift(key)
        if in_bulk or store.find_row(resource.name, key) is None:
            raise ControlError(f"The stream {resource.stream} has no record {text}.")
        return resource, key

    @control("ignore", endpoint=take_text, parameter=take_text, ignored=with_default(take_flag, default=True))
    def ignore(self, endpoint: str, parameter: str, *, ignored: bool) -> Json:
        """Makes an endpoint ignore a parameter, or support it again."""
        resource = find_resource(endpoint)
        check_choice("parameter", parameter, resource.parameters)
        names = self._endpoints.modes.ignored.setdefault(resource.name, set())
        (names.add if ignored else names.discard)(parameter)
        return {"endpoint": resource.name, "ignored": sorted(names)}

    @control("refusal", module=take_text, form=take_text)
    def set_refusal(self, module: str, form: str) -> Json:
        """Sets how a module responds if it is not licensed."""
        return self._access.set_form(module, form)

    @control("clock", seconds=take_seconds)
    def move_clock(self, seconds: float | None) -> Json:
        """Moves the clock of tokens forward."""
        self._tokens.clock.move_forward(seconds or 0)
        return {"now": int(self._tokens.clock.seconds())}

    @control("login", company=with_default(take_flag, default=False))
    def log_in(self, *, company: bool) -> Json:
        """Returns the tokens of a new login, of a user or of the company."""
        return self._tokens.log_in(company=company)

    @control("revoke-tokens")
    def revoke_tokens(self) -> Json:
        """Revokes all logins, so that nothing can be refreshed."""
        return {"revoked": self._tokens.revoke_logins()}


def _report_change(action: str, resource: Resource, key: Key) -> Json:
    shown = str(CLUSTER + key) if isinstance(key, int) else key
    return {"changed": [{"action": action, "kind": resource.stream, "id": shown}]}


def _parse_key(text: str, *, numbered: bool) -> Key:
    if not numbered:
        return text
    try:
        return int(text) - CLUSTER
    except ValueError as error:
        raise ControlError(f"There is no record {text}.") from error
