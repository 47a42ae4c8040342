"""Tracks which of the records that were requested by id the vendor returned, and which it no longer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from singer_rest.fetch.coverage import Coverage
from singer_rest.slices.base import Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from singer_rest.aliases import Record
    from singer_rest.fetch.page import Page
    from singer_rest.slices.ids import RecordIds

PAUSES = (2.0, 6.0)
"""Waits before ids that were not found are requested again, as multiples of the wait before the first retry of a failed
request: vendors return "not found" in passing.
"""
ACCESS_PROBE = Slice(name="access probe")
"""Requests any record of the stream, to prove that the credential can read it."""


class RequestedCoverage(Coverage):
    """Tracks the coverage of a read of given records.

    Ids that are not found are requested again after a pause. A record is taken for deleted only if a deletion was
    reported, the vendor does not know it in any round, and the credential was seen to read a record of the stream.

    Args:
        stream: Name of the stream, for messages.
        slices: The given ids.
        permission: The permission that the credential needs.
        record_id: Returns the id of a record.
        to_confirm: The ids that were reported as deleted.
        can_probe: Whether the list of all records can be requested.
        options: The other arguments of `Coverage`.
    """

    def __init__(
        self,
        stream: str,
        slices: RecordIds,
        permission: str | None,
        *,
        record_id: Callable[[Record], str | None],
        to_confirm: Collection[str],
        can_probe: bool,
        **options: Any,
    ) -> None:
        super().__init__(stream, slices, permission, **options)
        self._requested = slices
        self._record_id = record_id
        self._to_confirm = frozenset(to_confirm)
        self._can_probe = can_probe
        self._found: set[str] = set()
        self._marked: set[str] = set()
        self._rounds = 0
        self._is_readable = False

    @override
    def add_page(self, page: Page) -> None:
        if page.slice is ACCESS_PROBE:
            self._is_readable = self._is_readable or page.item_count > 0
            return
        super().add_page(page)
        self._is_readable = self._is_readable or len(page.records) > 0
        self._found |= {record_id.casefold() for record in page.records if (record_id := self._record_id(record))}

    @override
    def slices_to_retry(self) -> list[Slice]:
        retries, not_found = super().slices_to_retry(), self._not_returned
        if not_found and self._rounds < len(PAUSES):
            self.retry_pause = PAUSES[self._rounds]
            self._rounds += 1
            again = self._requested.make_slices(not_found)
            return [*again, *(part for part in retries if part not in again)]
        self.retry_pause = 0.0
        if self._can_probe and not self._is_readable and not self._to_confirm.isdisjoint(not_found):
            self._can_probe = False
            retries.append(ACCESS_PROBE)
        return retries

    @property
    def _not_returned(self) -> list[str]:
        return [record_id for record_id in self._requested.ids if not self._was_found(record_id)]

    def _was_found(self, record_id: str) -> bool:
        return record_id.casefold() in self._found

    @property
    def gone(self) -> list[str]:
        """The ids whose deletion the vendor confirmed."""
        is_known = self._requested.searches_all and (self._is_readable or self._requested.lists_ids)
        return [one for one in self._not_returned if one in self._to_confirm] if is_known else []

    def add_mark(self, record_id: str) -> None:
        """Records that the deletion mark of an id was emitted."""
        self._marked.add(record_id)

    @property
    def outcomes(self) -> dict[str, list[str]]:
        """The ids by outcome: `found`, `deleted` (and marked), `missing` and `unconfirmed`."""
        not_returned = self._not_returned
        unmarked = [one for one in not_returned if one not in self._marked]
        return {
            "found": [one for one in self._requested.ids if self._was_found(one)],
            "deleted": [one for one in not_returned if one in self._marked],
            "missing": [one for one in unmarked if one not in self._to_confirm],
            "unconfirmed": [one for one in unmarked if one in self._to_confirm],
        }

    @override
    def warnings(self, *, is_full: bool, incremental: bool, newly_forbidden: bool) -> Iterator[str]:
        yield from super().warnings(is_full=is_full, incremental=incremental, newly_forbidden=newly_forbidden)
        counts = {outcome: len(ids) for outcome, ids in self.outcomes.items()}
        to_confirm = len(self._to_confirm)
        if counts["missing"]:
            yield (
                f"{counts['missing']} of {len(self._requested.ids) - to_confirm} ids given with `only` were not found, "
                "even when requested again: they were deleted, or the credential may not read them. Their rows stay as "
                "they are until a full refresh, or a run with `confirm_deleted`."
            )
        if counts["unconfirmed"]:
            reason = (
                f"only those of given {self._requested.parent} were searched"
                if not self._requested.searches_all
                else "their deletion marks cannot be written with this catalog, privacy profile or stream map"
                if self._is_readable
                else "no record of the stream could be read, so the credential may lack the permission"
            )
            yield (
                f"{counts['unconfirmed']} of {to_confirm} ids given with `confirm_deleted` were not found, but their "
                f"rows are not marked as deleted: {reason}."
            )
