"""What every vendor does, so that the server and the controls need not know which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.seeded_random import months_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.http.messages import Request, Response

Json = dict[str, Any]
YEARS_BACK = 5


class ControlError(ValueError):
    """A control was asked for something that cannot be done; the message is one sentence."""


class Site(ABC):
    """Something that answers requests over the company."""

    name: str

    def __init__(self, company: Company) -> None:
        """Serve this company."""
        self.company = company

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """Answer a request, errors included."""

    @abstractmethod
    def error(self, status: int, request: Request) -> Response:
        """The body for a failure of its own, such as 429, 500, 502 or 503."""

    @abstractmethod
    def template(self, path: str) -> str | None:
        """The declared path that a request's path belongs to, or None."""


class Vendor(Site):
    """One vendor's API over the company."""

    streams: tuple[str, ...]

    def controls(self) -> dict[str, Callable[[Json], Json]]:
        """Controls of its own, by name."""
        return {}

    def window(self, first: date | None, last: date | None) -> tuple[date, date]:
        """From the first of January five years back to the end of the month, unless something else is asked for."""
        today = self.company.today
        return first or date(today.year - YEARS_BACK, 1, 1), last or months_after(today, 1) - timedelta(1)

    @abstractmethod
    def count(self, stream: str, first: date | None, last: date | None) -> int:
        """How many rows a stream gives without a bookmark, over this window of days where one is asked for."""

    @abstractmethod
    def records(self, stream: str, first: date | None, last: date | None, root: str) -> list[Json]:
        """The bodies of a stream's rows without a bookmark, everything allowed."""

    @abstractmethod
    def permissions(self) -> Json:
        """Which permissions, attributes, link styles and duplicates are set."""

    @abstractmethod
    def revoke(self, *, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take away a permission or one endpoint."""

    @abstractmethod
    def grant(self, *, permission: str | None, endpoint: str | None) -> Json:
        """Give back a permission or one endpoint."""

    @abstractmethod
    def expire_tokens(self) -> Json:
        """End all tokens now."""

    @abstractmethod
    def allow(self, attribute: str, *, allowed: bool) -> Json:
        """Show or hide an attribute, such as `persons.updated_at`."""

    @abstractmethod
    def set_links(self, path: str, style: str) -> Json:
        """Choose how an endpoint's links look."""

    @abstractmethod
    def set_mode(self, path: str, mode: str, key: str | None = None) -> Json:
        """Set how an endpoint responds; a key limits this to one of its records."""

    @abstractmethod
    def duplicate(self, stream: str, key: str | None) -> Json:
        """Let a record stand on two pages."""
