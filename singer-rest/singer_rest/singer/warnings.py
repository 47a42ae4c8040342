"""Warnings after a complete read of a stream, one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from singer_rest.singer.schemas import EXTRA

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from singer_rest.fetch.coverage import Coverage
    from singer_rest.privacy.stream_privacy import StreamPrivacy
    from singer_rest.singer.records import RecordConformer
    from singer_rest.slices.base import Slices
    from singer_rest.state.replication import Replication

MAX_NAMES = 100
"""Maximum number of field names in one line."""
MAX_LETTERS = 100
"""Maximum number of characters of a field name."""


class ReadStream(Protocol):
    """The part of a stream that warnings need."""

    replication_key: str | None
    primary_keys: Sequence[str]
    keyless_advice: ClassVar[str]
    rereads: bool
    withheld_rows: int
    withheld_values: int

    @property
    def privacy(self) -> StreamPrivacy | None:
        """The stream under the privacy profile."""

    @property
    def replication(self) -> Replication:
        """The bookmark, the time window and the table version of this read."""

    @property
    def coverage(self) -> Coverage:
        """The slices that this read could not read, or has to request again."""

    @property
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""

    @property
    def slices(self) -> Slices:
        """The slices into which the stream is divided."""

    @property
    def lacks_settings_window(self) -> bool:
        """Whether the table lacks a part of the window in the settings, which this run does not read."""

    @property
    def has_requested(self) -> bool:
        """Whether there was anything to request."""


def stream_warnings(stream: ReadStream) -> Iterator[str]:
    """Yields the warnings."""
    replication, conformer = stream.replication, stream.conformer
    yield from _bookmark_warnings(stream)
    if not stream.rereads:
        yield from _window_warnings(stream)
    if replication.returned_no_rows:
        yield "no records were returned, so rows loaded earlier are kept. A lost permission often looks like this."
    if stream.slices.key and not (stream.has_requested or replication.is_part):
        yield f"nothing was requested: none of the {stream.slices.parent} has a {stream.slices.key}."
    whole = replication.whole and replication.total_rows > 0
    forbidden = stream.coverage.forbidden
    yield from stream.coverage.warnings(
        is_full=whole,
        incremental=replication.has_bookmark and not stream.rereads,
        newly_forbidden=replication.is_newly_forbidden(forbidden),
    )
    if replication.is_readable_again(forbidden) and not (stream.slices.changed or stream.rereads):
        yield (
            f"the credential can read more {stream.slices.parent} than in the last run, so the next run reads "
            "everything."
        )
    if replication.keyless_rows and not stream.rereads:
        yield (
            f"{replication.keyless_rows} of {replication.total_rows} records have no {stream.replication_key}, so "
            f"the next run is a full read again. {stream.keyless_advice}"
        ).rstrip()
    yield from _withheld_values(stream) if stream.privacy else _extra_values(conformer)
    if conformer.repeated:
        at_least = "" if conformer.tracks_all_keys else "at least "
        yield (
            f"{at_least}{conformer.repeated} records repeat the key of an earlier one in the same list; a loader "
            "that upserts keeps the later one."
        )
    if replication.unidentified_rows:
        not_deleted = ", and no row is marked as deleted in this run" if whole else ""
        yield (
            f"{replication.unidentified_rows} records lack a part of their key ({', '.join(stream.primary_keys)}); "
            f"target-duckdb sets them aside, another loader may reject them{not_deleted}."
        )


def _extra_values(conformer: RecordConformer) -> Iterator[str]:
    """Yields the warnings about values that have no column."""
    where = (
        f"are kept in `{EXTRA}`"
        if conformer.keeps_extra
        else f"are dropped because the catalog does not select `{EXTRA}`"
    )
    if conformer.unlisted:
        yield f"fields that the schema does not list {where}: {field_names(conformer.unlisted)}"
    if conformer.misfits:
        yield (
            f"values that do not fit their column's type {where}, and the columns are null: "
            f"{field_names(conformer.misfits)}"
        )


def _withheld_values(stream: ReadStream) -> Iterator[str]:
    """Yields the warning about values that the privacy profile withholds. A field's name may be personal data, too."""
    if stream.withheld_rows:
        yield f"{stream.withheld_rows} rows were not loaded: the privacy profile drops rows of their kind."
    if stream.withheld_values:
        yield (
            f"{stream.withheld_values} values were not loaded: the privacy profile does not know their fields, or "
            "their columns have another type."
        )


def _bookmark_warnings(stream: ReadStream) -> Iterator[str]:
    """Yields the warnings about a bookmark that was not used."""
    replication = stream.replication
    if replication.bookmark_is_ahead:
        yield (
            "the bookmark lies in the future, so everything was read again. Check this machine's clock: it is "
            "wrong now, or was in an earlier run."
        )
    if replication.other_key:
        yield (
            f"the bookmark in the state was written for replication key `{replication.other_key}`, but the key is now "
            f"`{stream.replication_key}`, so everything was read again."
        )


def _window_warnings(stream: ReadStream) -> Iterator[str]:
    if stream.lacks_settings_window:
        yield (
            "`start_date` or `end_date` now includes dates that were not read before. Only changes were read; run a "
            "full refresh to load the unchanged records, too."
        )
    if stream.replication.covers_less and stream.replication.may_hold_other_dates:
        yield (
            "rows with dates that a full read leaves out may have been loaded before, so no row is marked as "
            "deleted. A full refresh limits the table to the dates that it reads."
        )
    elif stream.replication.covers_less:
        yield (
            "`start_date` or `end_date` leaves out a part of what was loaded before, so no row is marked as deleted. "
            "A full refresh limits the table to the new window."
        )


def field_names(fields: Collection[str]) -> str:
    """Joins field names for a log line, limited in number and length.

    A vendor may send any text as a name.
    """
    shown = [name if name.isprintable() else ascii(name)[1:-1] for name in sorted(fields)[:MAX_NAMES]]
    shown = [name if len(name) <= MAX_LETTERS else f"{name[:MAX_LETTERS]}..." for name in shown]
    more = len(fields) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
