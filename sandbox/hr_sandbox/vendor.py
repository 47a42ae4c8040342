"""What every vendor does, so that the server and the controls need not know which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.messages import Answer, Request

Json = dict[str, Any]


class ControlError(ValueError):
    """A control was asked for something that cannot be done; the message is one sentence."""


class Site(ABC):
    """Something that answers requests over the company."""

    name: str

    def __init__(self, company: Company) -> None:
        """Serve this company."""
        self.company = company

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Answer a request, errors included."""

    @abstractmethod
    def error(self, status: int, request: Request) -> Answer:
        """The body for a failure of its own, such as 429, 500, 502 or 503."""

    @abstractmethod
    def template(self, path: str) -> str | None:
        """The declared path that a request's path belongs to, or None."""


class Vendor(Site):
    """One vendor's API over the company."""

    streams: tuple[str, ...]

    @abstractmethod
    def count(self, stream: str, first: date, last: date) -> int:
        """How many rows a stream gives without a bookmark, over this window of days."""

    @abstractmethod
    def records(self, stream: str, first: date, last: date, root: str) -> list[Json]:
        """The bodies of a stream's rows without a bookmark, everything allowed."""

    @abstractmethod
    def rights(self) -> Json:
        """Which rights, attributes, link styles and duplicates are set."""

    @abstractmethod
    def revoke(self, *, right: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take away a right or one endpoint."""

    @abstractmethod
    def grant(self, *, right: str | None, endpoint: str | None) -> Json:
        """Give back a right or one endpoint."""

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
    def duplicate(self, stream: str, key: str | None) -> Json:
        """Let a record stand on two pages."""
