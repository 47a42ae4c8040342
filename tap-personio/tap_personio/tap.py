"""The tap: its settings, its credentials, its streams."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from singer_rest import Rate, RestTap, common_settings
from singer_sdk import typing as th
from typing_extensions import override

from tap_personio.auth import PersonioAuthenticator
from tap_personio.streams import STREAMS

if TYPE_CHECKING:
    from singer_rest import Authenticator


class TapPersonio(RestTap):
    """Singer tap for Personio: people, absences, attendances, pay, organization, recruiting, documents, reports."""

    name = "tap-personio"
    stream_types = STREAMS
    credentials = (("client_id", "client_secret"),)
    # Each endpoint has its own token bucket; where none is documented, the tap starts slowly and learns from headers.
    rates: ClassVar = {
        "/v2/persons": Rate(30),
        "/v2/absence-periods": Rate(10),
        "/v2/absence-periods/{absence_period_id}/breakdowns": Rate(10),
        "": Rate(10),
    }
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
            description="Sent as X-Personio-Partner-ID, where Personio gave you one.",
        ),
        th.Property(
            "app_id",
            th.StringType,
            title="App ID",
            description="Sent as X-Personio-App-ID, where Personio gave you one.",
        ),
        *common_settings(api_url="https://api.personio.de"),
    ).to_dict()

    header_settings = ("partner_id", "app_id")

    @override
    @cached_property
    def authenticator(self) -> Authenticator:
        return PersonioAuthenticator(
            self.transport, self.config["client_id"], self.config["client_secret"], self.first_delay
        )

    @property
    @override
    def headers(self) -> dict[str, str]:
        headers = {
            "X-Personio-Partner-ID": self.config.get("partner_id"),
            "X-Personio-App-ID": self.config.get("app_id"),
        }
        return {name: value for name, value in headers.items() if value}
