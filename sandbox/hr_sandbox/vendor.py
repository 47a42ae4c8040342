"""The base class of the three vendors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import first_of_month_after
from hr_sandbox.pushes.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.http.access import AccessControl, Expirable
    from hr_sandbox.http.messages import Json, Request, Response
    from hr_sandbox.options import Options

YEARS_BACK = 5


class Vendor(ABC):
    """One vendor's API over the company.

    Attributes:
        name: the first segment of its paths.
        streams: the names of its streams, for the controls.
        access: the permissions of the credential.
        tokens: the access tokens that were issued.
        sender: sends requests to webhooks.
    """

    name: str
    streams: tuple[str, ...]
    access: AccessControl
    tokens: Expirable

    def __init__(self, company: Company, options: Options, sender: Sender | None = None) -> None:
        self.company = company
        self.sender = sender or Sender(company.seed, allow_remote=options.allow_remote)

    @abstractmethod
    def handle(self, request: Request) -> Response:
        """Handles a request. Errors are responses too."""

    @abstractmethod
    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns the vendor's response for a failure of the service, such as 429 or 503."""

    @abstractmethod
    def find_template(self, path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""

    @abstractmethod
    def announce(self, changes: list[Change]) -> None:
        """Sends the webhooks' events of changes to the company."""

    def find_own_controls(self) -> dict[str, Callable[[Json], Json]]:
        """Returns the controls that only this vendor has, by name."""
        return {}

    def complete_window(self, first: date | None, last: date | None) -> tuple[date, date]:
        """Returns the window, by default from 1 January five years back to the end of the current month."""
        today = self.company.today
        return first or date(today.year - YEARS_BACK, 1, 1), last or first_of_month_after(today, 1) - timedelta(1)

    @abstractmethod
    def count_rows(self, stream: str, first: date | None, last: date | None) -> int:
        """Returns how many rows a full read of a stream yields, in a window of dates if one is given."""

    @abstractmethod
    def list_records(self, stream: str, first: date | None, last: date | None, root: str) -> list[Json]:
        """Returns the rows of a full read of a stream, with all permissions and attributes.

        Values that only the path or the query of a request contains, such as a parent's id, are added under
        names that begin with an underscore.
        """

    @abstractmethod
    def describe_permissions(self) -> Json:
        """Returns the granted and revoked permissions, and the modes in which endpoints respond."""

    @abstractmethod
    def allow_attribute(self, attribute: str, *, allowed: bool) -> Json:
        """Shows or hides an attribute, such as `persons.updated_at`."""

    @abstractmethod
    def set_links(self, path: str, style: str) -> Json:
        """Sets how an endpoint's pagination links look."""

    @abstractmethod
    def set_mode(self, path: str, mode: str, key: str | None = None) -> Json:
        """Sets how an endpoint responds; a key limits this to one of its records."""

    @abstractmethod
    def duplicate_record(self, stream: str, key: str | None) -> Json:
        """Serves a record on two pages."""
