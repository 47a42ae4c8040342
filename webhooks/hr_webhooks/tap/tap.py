"""The tap: settings, and one pass over the journal for all streams."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_rest import Command, RunError, common_settings
from singer_rest.secret_settings import add_secret_files
from singer_rest.singer.messages import ChangedStateWriter, MessageWriter
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from hr_webhooks.config import VENDORS
from hr_webhooks.tap.journal_tap import JournalTap
from hr_webhooks.tap.streams import EventStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

ENTRIES_PER_WRITE = 500
ENTRIES_PER_STATE = 10_000
SIGNAL_EXIT = 128
PRIVACY = ("privacy", "privacy_key", "privacy_space")


class TapHrWebhooks(JournalTap):
    """Reads the events that the vendors have sent from the journal of the receiver."""

    name = "tap-hr-webhooks"
    package_name = "hr-webhooks"
    message_writer_class = MessageWriter
    # Events are only added, so that tables have no versions.
    capabilities: ClassVar = [
        one for one in Tap.capabilities if one not in {TapCapabilities.ACTIVATE_VERSION, PluginCapabilities.BATCH}
    ]
    config_jsonschema = add_secret_files(
        th.PropertiesList(
            th.Property(
                "journal",
                th.StringType,
                required=True,
                title="Journal",
                description="The folder of the journal: `journal` in the configuration of the receiver.",
            ),
            th.Property(
                "tenant",
                th.StringType,
                title="Tenant",
                description="Read the events of this company only. By default, those of all companies.",
            ),
            th.Property(
                "max_entries",
                th.IntegerType,
                title="Maximum number of entries",
                description="Stop after this many requests of the journal; the next run continues there.",
            ),
            th.Property(
                "payload",
                th.BooleanType,
                default=True,
                title="Payload",
                description=(
                    "Whether rows have the event as it was sent. With Factorial that is the whole record, with "
                    "Cornerstone all data of the event. A privacy profile other than `everything` drops it in any case."
                ),
            ),
            *(setting for setting in common_settings(None) if setting.name in PRIVACY),
        ).to_dict()
    )

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Returns the command line, which reports errors as sentences."""
        command = super().get_singer_command()
        return Command(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=cls.logger,
        )

    def discover_streams(self) -> Sequence[EventStream]:
        """Returns a stream per vendor."""
        return [EventStream(self, vendor) for vendor in VENDORS]

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        for name in [name for name, value in self._config.items() if value is None]:
            del self._config[name]
        errors = super()._validate_config(raise_errors=False)
        limit = self.config.get("max_entries")
        if isinstance(limit, int) and limit < 1:
            errors = [*errors, "Set `max_entries` to a number from 1."]
        if errors and raise_errors:
            raise ConfigValidationError("The settings are invalid", errors=errors)
        return errors

    def sync_all(self) -> None:  # type: ignore[misc]
        """Reads the journal once for all selected streams.

        Raises:
            RunError: If nothing is selected, or the journal cannot be read, or is not that of the state.
        """
        streams = [stream for stream in self.streams.values() if isinstance(stream, EventStream) and stream.selected]
        if not streams:
            raise RunError("No stream is selected. Select some in the catalog (with Meltano: `select:`).")
        for stream in streams:
            stream.tap_privacy.claim_state([stream.stream_state])
        after = min(stream.position for stream in streams)
        journal = self.open_journal()
        first, last = journal.first_position(), journal.last_position()
        if after > last or max(stream.position for stream in streams) > last:
            raise RunError(
                "The journal ends before the position in the state, so it is another one. Set `journal` to the former "
                "folder, or load into a new schema with a new state."
            )
        if after and first > after + 1:
            self.logger.warning(
                "The entries %d to %d of the journal were removed before this tap has read them.", after + 1, first - 1
            )
        for stream in streams:
            stream.write_schema()
        position = self._write_entries(streams, after, last)
        rows = ", ".join(f"{stream.name} {stream.row_count}" for stream in streams)
        self.logger.info("Read up to entry %d of the journal. Rows: %s", position, rows)

    def _write_entries(self, streams: Sequence[EventStream], after: int, last: int) -> int:
        """Writes the rows of the entries after a position. Each STATE covers whole entries only.

        Returns:
            The position of the last entry that was read.
        """
        writer = cast("MessageWriter", self.message_writer)
        states = ChangedStateWriter(writer)
        extracted = datetime.now(timezone.utc)
        by_vendor = {stream.vendor: stream for stream in streams}
        rows: dict[str, list[dict[str, Any]]] = {stream.vendor: [] for stream in streams}

        def write(position: int) -> None:
            for stream in streams:
                stream.write_rows(rows[stream.vendor], writer, extracted)
                rows[stream.vendor] = []
                stream.position = max(stream.position, position)

        count, position = 0, after
        for count, entry in enumerate(self.read_journal(after), 1):
            position = entry.n
            stream = by_vendor.get(entry.vendor)
            if stream and entry.n > stream.position and self.includes(entry):
                rows[stream.vendor] += stream.make_rows(entry)
            if count % ENTRIES_PER_WRITE == 0:
                write(position)
            if count % ENTRIES_PER_STATE == 0:
                states.write_state(self.state)
        if count != self.config.get("max_entries"):
            position = max(position, last)  # damaged entries at the end are not read again
        write(position)
        states.write_state(self.state)
        return position

    def _handle_termination(self, signum: int, frame: object) -> None:  # noqa: ARG002 - the SDK's signature
        # The SDK would exit with code 0, as after a complete run, and within a line.
        def stop() -> None:
            self.logger.error("Stopped by a signal. The next run continues.")
            sys.exit(SIGNAL_EXIT + signum)

        if writer := getattr(self, "message_writer", None):
            writer.run_between_lines(stop)
        else:
            stop()
