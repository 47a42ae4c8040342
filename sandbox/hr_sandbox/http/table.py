"""What vendors with hundreds of tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Builders(dict[str, Callable[..., Any]]):
    """The functions that build the rows of tables from the company's data, by the name of the table."""

    def __call__(self, *tables: str) -> Callable[[F], F]:
        """Return a decorator that declares a function as the builder of some tables."""

        def declare(build: F) -> F:
            self.update(dict.fromkeys(tables, build))
            return build

        return declare
