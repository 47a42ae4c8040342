"""What a user should know of a stream that was read whole: a sentence for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from singer_rest.singer.schemas import EXTRA

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from singer_rest.fetch.coverage import Coverage
    from singer_rest.singer.records import RecordConformer
    from singer_rest.slices.base import Slices
    from singer_rest.state.replication import Replication

MAX_NAMES = 100
"""Fields that one line names."""
MAX_LETTERS = 100
"""Letters of a field's name that a line shows."""


class ReadStream(Protocol):
    """A stream that was read, as far as warnings need it."""

    replication_key: str | None
    primary_keys: Sequence[str]
    keyless_advice: ClassVar[str]

    @property
    def replication(self) -> Replication:
        """Where the stream starts and ends."""

    @property
    def coverage(self) -> Coverage:
        """What the read covers."""

    @property
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""

    @property
    def slices(self) -> Slices:
        """How the stream is divided."""

    @property
    def has_requested(self) -> bool:
        """Whether there was anything to request."""


def stream_warnings(stream: ReadStream) -> Iterator[str]:
    """The sentences."""
    replication, shape = stream.replication, stream.conformer
    if replication.bookmark_is_ahead:
        yield (
            "the bookmark was ahead of this machine's clock, so everything was read again. A clock was wrong, then or "
            "now; check it."
        )
    if replication.came_back_empty:
        yield "nothing came back, so rows loaded earlier are kept. A lost permission often looks like that."
    if stream.slices.key and not stream.has_requested:
        yield f"nothing was asked for: none of the {stream.slices.parent} that it walks has a {stream.slices.key}."
    whole = replication.whole and replication.total_rows > 0
    yield from stream.coverage.warnings(is_full=whole, incremental=replication.has_bookmark)
    if replication.keyless_rows:
        yield (
            f"{replication.keyless_rows} of {replication.total_rows} records carry no {stream.replication_key}, so "
            f"the next run reads the stream whole again. {stream.keyless_advice}"
        ).rstrip()
    kept = f"are kept in `{EXTRA}`" if shape.keeps_extra else f"are lost, because the catalog does not select `{EXTRA}`"
    if shape.unlisted:
        yield f"fields that the schema does not list {kept}: {field_names(shape.unlisted)}"
    if shape.misfits:
        yield (
            f"values that do not fit their column's type {kept}, and the columns are left empty: "
            f"{field_names(shape.misfits)}"
        )
    if shape.repeated:
        at_least = "" if shape.tracks_all_keys else "at least "
        yield (
            f"{at_least}{shape.repeated} records came again with the key of an earlier one in the same list; a loader "
            "that upserts keeps the later one."
        )
    if shape.keyless:
        kept = ", and no row is marked as deleted in this run" if whole else ""
        yield (
            f"{shape.keyless} records lack a part of their key ({', '.join(stream.primary_keys)}); target-duckdb sets "
            f"them aside, another loader may refuse them{kept}."
        )


def field_names(fields: Collection[str]) -> str:
    """Names of fields as a log shows them: some of them, not at any length, on one line.

    A vendor may send any text as a name.
    """
    shown = [name if name.isprintable() else ascii(name)[1:-1] for name in sorted(fields)[:MAX_NAMES]]
    shown = [name if len(name) <= MAX_LETTERS else f"{name[:MAX_LETTERS]}..." for name in shown]
    more = len(fields) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
