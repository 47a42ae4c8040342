"""The tap: settings, credentials, streams."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import AccessDeniedError, RateLimit, Transport, check_addresses, common_settings
from singer_sdk import typing as th
from typing_extensions import override

from tap_personio.auth import V1Authenticator, V2Authenticator
from tap_personio.client import PersonioTap
from tap_personio.streams import STREAMS
from tap_personio.streams.careers import LANGUAGES, site_addresses
from tap_personio.streams.employees import EmployeeAttributes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Authenticator


class TapPersonio(PersonioTap):
    """Singer tap for Personio: people, absences, attendances, pay, organization, recruiting, documents, reports."""

    name = "tap-personio"
    stream_types = STREAMS
    credentials = (("client_id", "client_secret"),)
    permission_advice = (
        "In Personio: Settings, Integrations, API credentials, the credential: tick it there, with read access."
    )
    # Each endpoint has its own token bucket. Without a documented rate, the tap starts slowly and learns from headers.
    rates: ClassVar = {
        "/v2/persons": RateLimit(30),
        "/v2/absence-periods": RateLimit(10),
        "/v2/absence-periods/{absence_period_id}/breakdowns": RateLimit(10),
        "/v1/*": RateLimit(2000, 60, shared=True),
        "/v1/company/employees": RateLimit(300, 60, burst=15),
        "/v1/company/employees/{employee_id}/absences/balance": RateLimit(2000, 60),
        "/v1/company/employees/{person_id}/profile-picture": RateLimit(2000, 60),
        "": RateLimit(10),
    }
    envelope_names = ("columns", "date-time", "rows", "timezone")
    config_jsonschema = th.PropertiesList(
        th.Property(
            "client_id",
            th.StringType,
            title="Client ID",
            description="Client ID of an API credential (Personio: Settings, Integrations, API credentials).",
        ),
        th.Property(
            "client_secret",
            th.StringType,
            secret=True,
            title="Client secret",
            description="Secret of the same API credential.",
        ),
        th.Property(
            "partner_id",
            th.StringType,
            title="Partner ID",
            description="Sent as X-Personio-Partner-ID, if Personio gave you one.",
        ),
        th.Property(
            "app_id",
            th.StringType,
            title="App ID",
            description="Sent as X-Personio-App-ID, if Personio gave you one.",
        ),
        th.Property(
            "careers_url",
            th.CustomType({"type": ["string", "array", "null"], "items": {"type": "string"}}),
            title="Careers URL",
            description=(
                "Your public career site, such as https://acme.jobs.personio.com, or a list of several; enables "
                "`open_positions`."
            ),
        ),
        th.Property(
            "careers_languages",
            th.ArrayType(th.StringType),
            default=list(LANGUAGES),
            title="Career languages",
            description=(
                "Languages of the career site that `open_positions` reads. Rows in other languages are then marked as "
                "deleted."
            ),
        ),
        th.Property(
            "legacy_v1_streams",
            th.BooleanType,
            default=False,
            title="Legacy v1 streams",
            description="Enable the v1 lists that v2 replaces, until Personio switches them off.",
        ),
        *common_settings(api_url="https://api.personio.de"),
    ).to_dict()

    header_settings = ("partner_id", "app_id")

    @property
    @override
    def addresses(self) -> Sequence[str]:
        return [*super().addresses, *site_addresses(self.config.get("careers_url"))]

    @override
    @cached_property
    def authenticator(self) -> Authenticator:
        return V2Authenticator(self.transport, *self._credentials, self.first_delay)

    @cached_property
    def v1_authenticator(self) -> Authenticator:
        """The authenticator for the v1 API, shared by all streams."""
        return V1Authenticator(self.transport, *self._credentials, self.first_delay)

    @property
    def _credentials(self) -> tuple[str, str]:
        return self.config["client_id"], self.config["client_secret"]

    @cached_property
    def careers(self) -> Transport:
        """The HTTP client for the career sites, which are sent no token. Paths are whole addresses."""
        return Transport(
            "",
            {"Accept": "application/xml", "User-Agent": self.user_agent},
            self.config["request_timeout"],
            self.rate_limiter,
            public=True,
            max_wait=self.config["max_wait"],
            observer=self.response_observer,
        )

    @cached_property
    def employee_attributes(self) -> Sequence[Mapping[str, Any]]:
        """The employee attributes that the company defines. None without credentials or permission.

        Raises:
            TapError: If they cannot be read.
        """
        if not (self.config.get("client_id") and self.config.get("client_secret")):
            return ()
        try:
            return self.records_of(EmployeeAttributes(self))
        except AccessDeniedError as error:
            self.logger.warning(
                "%s Custom attributes are written to the column `_extra` of the stream `employees`.", error
            )
            return ()

    @override
    def check_config(self) -> list[str]:
        sites = site_addresses(self.config.get("careers_url"))
        wrong = [error for site in sites for error in check_addresses({"careers_url": site}, "careers_url")]
        return [*super().check_config(), *wrong[:1]]

    @property
    @override
    def headers(self) -> dict[str, str]:
        headers = {
            "X-Personio-Partner-ID": self.config.get("partner_id"),
            "X-Personio-App-ID": self.config.get("app_id"),
        }
        return {name: value for name, value in headers.items() if value}
