"""Code that vendors with hundreds of tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hr_sandbox.http.messages import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hr_sandbox.http.messages import Json

F = TypeVar("F", bound=Callable[..., Any])


class Builders(dict[str, Callable[..., Any]]):
    """The functions that build the rows of tables from the company's data, by the name of the table."""

    def __call__(self, *tables: str) -> Callable[[F], F]:
        """Returns a decorator that declares a function as the builder of some tables."""

        def declare(build: F) -> F:
            self.update(dict.fromkeys(tables, build))
            return build

        return declare


class RowTemplate:
    """Renders many alike rows quickly: only the values that differ are filled into the JSON of the first row."""

    def __init__(self, first: Json) -> None:
        self._first = first
        self._names: tuple[str, ...] = ()
        self._pattern = ""

    def render_row(self, values: Mapping[str, str]) -> str:
        """Returns a row as JSON, given the JSON of the values that differ. What is null in the first row stays null."""
        if not self._pattern:
            self._names = tuple(name for name, value in self._first.items() if name in values and value is not None)
            parts = (
                f"{to_json(name)}:{'%s' if name in self._names else to_json(value).replace('%', '%%')}"
                for name, value in self._first.items()
            )
            self._pattern = f"{{{','.join(parts)}}}"
        return self._pattern % tuple([values[name] for name in self._names])
