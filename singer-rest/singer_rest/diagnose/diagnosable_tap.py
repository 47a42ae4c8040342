"""The interface between the reports and a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_rest.fetch.scheduler import Scheduler
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.rate_limits import RateLimiter
    from singer_rest.http.transport import Transport
    from singer_rest.stream import RestStream


class DiagnosableTap(Protocol):
    """The part of a tap that the reports use. `RestTap` documents each attribute and method."""

    name: str

    @property
    def permission_advice(self) -> str:
        """The place in the vendor's user interface where permissions are granted."""

    @property
    def plugin_version(self) -> str:
        """The version of the tap."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings."""

    @property
    def api_url(self) -> str:
        """The vendor's base URL."""

    @property
    def started(self) -> datetime:
        """The time at which the report began, UTC."""

    @property
    def stream_types(self) -> Sequence[type[RestStream]]:
        """All streams, available or not."""

    @property
    def authenticator(self) -> Authenticator:
        """The authenticator shared by all streams."""

    @property
    def transport(self) -> Transport:
        """The HTTP client."""

    @property
    def rate_limiter(self) -> RateLimiter:
        """The rate limiter."""

    @property
    def discovery_problems(self) -> list[str]:
        """Sentences about the metadata that the credential could not read during discovery."""

    @property
    def streams(self) -> Mapping[str, Any]:
        """The available streams."""

    def setup_mapper(self) -> None:
        """Discovers the streams, and creates the stream maps."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Loads the state of the previous run."""

    def selected_streams(self) -> list[RestStream]:
        """Returns the streams that a run reads."""

    def stream_named(self, name: str) -> RestStream:
        """Returns a stream of the tap, even one that is not available."""

    def new_scheduler(self, workers: int) -> Scheduler:
        """Creates a scheduler that uses the tap's rate limiter."""
