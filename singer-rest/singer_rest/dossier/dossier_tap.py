"""The interface between the dossier and a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.singerlib import Catalog

    from singer_rest.privacy.tap_privacy import TapPrivacy
    from singer_rest.stream import RestStream


class DossierTap(Protocol):
    """The part of a tap that the dossier uses. `RestTap` documents each attribute and method."""

    name: str

    @property
    def plugin_version(self) -> str:
        """The version of the tap."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings."""

    @property
    def config_jsonschema(self) -> Mapping[str, Any]:
        """The JSON Schema of the settings."""

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses to which requests are sent. Empty: the settings do not say."""

    @property
    def permission_advice(self) -> str:
        """The place in the vendor's user interface where permissions are granted."""

    @property
    def privacy(self) -> TapPrivacy:
        """The privacy profile."""

    @property
    def input_catalog(self) -> Catalog | None:
        """The catalog that the user gave."""

    @property
    def stream_types(self) -> Sequence[type[RestStream]]:
        """All streams, available or not."""

    @property
    def streams(self) -> Mapping[str, Any]:
        """The available streams."""

    @property
    def discovery_problems(self) -> list[str]:
        """Sentences about the metadata that the credential could not read during discovery."""

    def stream_named(self, name: str) -> RestStream:
        """Returns a stream of the tap, even one that is not available."""
