"""The tap: settings, credentials, streams."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from singer_rest import Account, RateLimit, RunError, TapError, common_settings
from singer_sdk import typing as th
from typing_extensions import override

from tap_factorial.auth import API_URL, check_credentials, make_authenticator
from tap_factorial.client import FactorialTap
from tap_factorial.streams import streams_of
from tap_factorial.table import load_table
from tap_factorial.versions import has_ids_of_other_version, may_be_retired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest import Authenticator, Record, RestStream

VERSION = re.compile(r"20\d\d-(01|04|07|10)-01")
API_VERSION = "2026-10-01"
CREDENTIALS = "api_public_credentials"
NEWER_VERSION = "Set `api_version` to one that Factorial supports; that may require a newer release of this tap."


class TapFactorial(FactorialTap):
    """Singer tap for Factorial: every list of its public API, from employees and contracts to finance and time."""

    name = "tap-factorial"
    credentials = ()
    account = Account("company", "the credential")
    _is_answered_otherwise = False
    # No rate limit is documented for reads; limits in response headers apply to all lists together.
    rates: ClassVar = {"*": RateLimit(1_000_000, shared=True)}
    config_jsonschema = th.PropertiesList(
        th.Property(
            "api_key",
            th.StringType,
            secret=True,
            title="API key",
            description="A company's API key (Factorial: Settings, API keys); it reads everything and never expires.",
        ),
        th.Property(
            "access_token",
            th.StringType,
            secret=True,
            title="Access token",
            description="An OAuth access token, used as it is; that of a company never expires.",
        ),
        th.Property(
            "client_id",
            th.StringType,
            title="Client ID",
            description="Client ID of an OAuth application.",
        ),
        th.Property(
            "client_secret",
            th.StringType,
            secret=True,
            title="Client secret",
            description="Secret of the same OAuth application.",
        ),
        th.Property(
            "refresh_token",
            th.StringType,
            secret=True,
            title="Refresh token",
            description=(
                "The refresh token to begin with; its successors are kept in `token_file`. Another one that you set "
                "later begins anew."
            ),
        ),
        th.Property(
            "token_file",
            th.StringType,
            title="Token file",
            description=(
                "Where the tokens of `tap-factorial login`, and refreshed ones, are kept; by default "
                "`.secrets/tap-factorial.json` in the Meltano project or the current folder."
            ),
        ),
        th.Property(
            "api_version",
            th.StringType,
            default=API_VERSION,
            title="API version",
            description="The version of the API whose lists are available, such as 2026-10-01.",
        ),
        th.Property(
            "date_window_days",
            th.IntegerType,
            title="Days of a date window",
            description=(
                "Days per request of lists that are read by date windows (1 to 366); by default what suits the list."
            ),
        ),
        th.Property(
            "integration_uuid",
            th.StringType,
            title="Integration UUID",
            description="UUID of your marketplace integration; enables its two streams.",
        ),
        *common_settings(api_url=API_URL),
    ).to_dict()

    @property
    def stream_types(self) -> Sequence[type[RestStream]]:
        """The lists of the version."""
        return streams_of(str(self.config.get("api_version", API_VERSION)))

    @override
    @cached_property
    def authenticator(self) -> Authenticator:
        return make_authenticator(self.config, self.transport, self.config["api_version"], self.first_delay)

    @property
    @override
    def permission_advice(self) -> str:
        if self.config.get("api_key"):
            return "An API key has every scope, so the company's plan does not include these modules."
        return (
            "In Factorial: tick the scope in the OAuth application and log in again. A user's token can read no more "
            "than the permission groups of that user; if both are right, the plan does not include the module."
        )

    @override
    def account_id(self) -> str | None:
        # A host does not identify the company, as the ids of a demo environment and of production differ.
        credentials = next(stream_type for stream_type in self.stream_types if stream_type.name == CREDENTIALS)
        try:
            records = self.records_of(credentials(self))
        except RunError:
            raise
        except TapError:
            return None
        company_id = next((record["company_id"] for record in records if record.get("company_id")), None)
        return str(company_id) if isinstance(company_id, (int, str)) else None

    @override
    def check_config(self) -> list[str]:
        errors = check_credentials(self.config) + super().check_config()
        version, known = str(self.config.get("api_version")), load_table().versions
        if not VERSION.fullmatch(version):
            errors.append(f"Set `api_version` to a version of the API, such as {API_VERSION}.")
        elif version > known[-1]:
            errors.append(
                f"Set `api_version` to {known[-1]}, the newest that this tap knows, or add a newer one: "
                "python -m tap_factorial.openapi 'https://api.factorialhr.com/oas/?version=...'"
            )
        days = self.config.get("date_window_days")
        if days is not None and not 1 <= days <= 366:  # noqa: PLR2004 - a year
            errors.append("Set `date_window_days` to a number from 1 to 366.")
        return errors

    @override
    def discover_streams(self) -> Sequence[RestStream]:
        version, oldest = str(self.config.get("api_version", API_VERSION)), load_table().versions[0]
        if version < oldest:
            self.logger.warning(
                "Factorial has retired API version %s and serves %s instead, so that version's endpoints are read.",
                version,
                oldest,
            )
        elif VERSION.fullmatch(version) and may_be_retired(version, self.started):
            self.logger.warning(
                "Factorial supports an API version for a year; %s is older, so it may serve another one instead. %s",
                version,
                NEWER_VERSION,
            )
        return super().discover_streams()

    @override
    def warn_if_other_version(self, path: str, records: Sequence[Record]) -> None:
        """Warns once if the records look like records of another API version than the requested one."""
        version = str(self.config["api_version"])
        if not self._is_answered_otherwise and has_ids_of_other_version(version, path, records):
            self._is_answered_otherwise = True
            self.logger.warning(
                "Factorial seems to serve a different API version than %s: ids in %s have a different type. "
                "Their values are still loaded. %s",
                version,
                path,
                NEWER_VERSION,
            )
