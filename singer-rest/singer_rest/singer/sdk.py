"""The interface to the Singer SDK: all overrides of its private or final members.

The SDK syncs one stream after another, stops at the first failure, keeps bookmarks of incomplete reads in the state and
sends ACTIVATE_VERSION before the records. `singer_rest.singer.run` and `sync` replace this.
"""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.plugin_base import JSONSchemaValidator, PluginBase
from singer_sdk.singerlib import Catalog

from singer_rest.secret_settings import load_secrets
from singer_rest.settings import describe_invalid_setting, unknown_settings, wrong_variables
from singer_rest.singer.messages import ChangedStateWriter, MessageWriter
from singer_rest.singer.run import SyncingTap
from singer_rest.singer.sync import SyncedStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from singer_sdk.mapper import StreamMap

    from singer_rest.aliases import Record

SIGNAL_EXIT = 128
"""Added to the signal's number in the exit code."""


class SdkStream(SyncedStream):
    """A stream as the SDK sees it, synced as `RestStream` declares it."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # the values come from JSON

    @property
    def stream_maps(self) -> list[StreamMap]:
        """The stream's maps, created when it is read: most streams of a large tap are not selected."""
        mapper = self._tap.mapper
        if self.name not in mapper.stream_maps:
            given = self._tap_input_catalog and self._tap_input_catalog.get_stream(self.tap_stream_id)
            mapper.register_raw_streams_from_catalog(
                Catalog([(self.tap_stream_id, given or self._singer_catalog_entry)])
            )
        return super().stream_maps

    def get_records(self, context: object) -> Iterable[Record]:  # noqa: ARG002
        """Yields single records for other callers. The sync itself writes whole pages."""
        return self.sync_records(write_messages=False)

    def sync(self, context: object = None) -> None:  # type: ignore[misc] # noqa: ARG002
        """Reads the stream and writes its messages.

        Raises:
            TapError: If the read was not complete. The state is unchanged.
        """
        fetcher = self._tap.fetcher_of(self)
        fetcher.read_all([(self.name, self.steps(fetcher))])

    def _sync_records(
        self,
        context: object = None,  # noqa: ARG002
        *,
        write_messages: bool = True,
    ) -> Generator[Record]:
        return self.sync_records(write_messages=write_messages)


class SdkTap(SyncingTap):
    """A tap as the SDK sees it. Validates settings without showing values and syncs streams concurrently."""

    message_writer_class = MessageWriter

    @cached_property
    def state_writer(self) -> ChangedStateWriter:
        """Writes STATE messages."""
        return ChangedStateWriter(self.message_writer)

    @classmethod
    @cache
    def get_plugin_version(cls) -> str:
        """Returns the version of the tap's package, which is looked up once: that reads files."""
        return super().get_plugin_version()

    @abstractmethod
    def check_config(self) -> list[str]:
        """Returns a sentence for each invalid setting."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.skipped = []
        self._environment = os.environ if kwargs.get("parse_env_config") else {}
        self._has_warned = False
        try:
            super().__init__(*args, **kwargs)
        except ValueError:
            if not kwargs.get("parse_env_config"):
                raise
            errors = wrong_variables(self.config_jsonschema["properties"], self.name, os.environ)
            raise ConfigValidationError("The environment is invalid", errors=errors) from None

    def setup_mapper(self) -> None:
        """Creates the stream maps that the settings have, from the catalog that the streams have completed."""
        _ = self.streams
        if self.config.get("stream_maps"):
            super().setup_mapper()  # invalid ones are an error before anything is read
        else:
            PluginBase.setup_mapper(self)

    def require_mapper(self) -> None:
        """Creates a mapper if there is none yet: with --discover, streams are read before it is set up."""
        if self._mapper is None:
            PluginBase.setup_mapper(self)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        errors = self.complete_settings() or self.check_config()
        if errors and raise_errors:
            raise ConfigValidationError("The settings are invalid", errors=errors)
        return errors

    def complete_settings(self) -> list[str]:
        """Fills in the defaults of the settings. Returns a sentence for each that is not of its type."""
        # The SDK's messages quote the value; the validator also fills in defaults.
        self.append_builtin_config(self.config_jsonschema)
        for name in [name for name, value in self._config.items() if value is None]:
            del self._config[name]  # a null setting takes its default
        self._warn_of_unknown_settings()
        errors = load_secrets(self._config, self.config_jsonschema, except_for="privacy_key")
        validator = JSONSchemaValidator(self.config_jsonschema)
        return errors + [describe_invalid_setting(error, self.name) for error in validator.iter_errors(self._config)]

    def _warn_of_unknown_settings(self) -> None:
        if not self._has_warned:
            known = self.config_jsonschema["properties"]
            for text in unknown_settings(self._config, known, self.name, self._environment):
                self.logger.warning("%s", text)
        self._has_warned = True

    def sync_all(self) -> None:  # type: ignore[misc]
        """Reads every selected stream. A failure ends only its own stream.

        Raises:
            TapError: At the end, if a stream failed or nothing could be read.
        """
        self.read_selected()

    def _handle_termination(self, signum: int, frame: object) -> None:  # noqa: ARG002
        # The SDK would exit with code 0, as after a complete run, and within a line.
        if writer := getattr(self, "message_writer", None):
            writer.run_between_lines(lambda: self._stop(signum))
        else:
            self._stop(signum)

    def _stop(self, signum: int) -> None:
        self.logger.error("Stopped by a signal. Finished parts are in the state; the next run reads the rest.")
        sys.exit(SIGNAL_EXIT + signum)

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Reads a record of each stream.

        Raises:
            TapError: If a stream fails or none may be read.
        """
        succeeded = super().run_connection_test()
        self.fail_where_all_is_skipped(len(self.streams))
        return succeeded
