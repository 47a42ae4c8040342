"""Tracks what a read of a stream covers, and which requests to repeat before missing records count as missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from singer_rest.errors import AccessDeniedError, TapError
from singer_rest.fetch.list_counts import ListCount, SliceCount
from singer_rest.fetch.meanings import REFUSALS, Meaning, forbidden_reason
from singer_rest.slices.base import Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import Slices

MANY_REFUSED = 15
"""Number of forbidden or rejected parents, with none readable, after which the others are not requested."""
SAMPLED = 10
"""Number of these parents that are sampled from the whole list. The first ones may be adjacent and prove nothing."""
MANY_PARENTS = 100
"""Like `MANY_REFUSED`, if some were not found: some vendors respond "not found" for parents that have no children."""
MAX_NO_CONTENT = 100
"""Up to this many slices without a body are requested again, however few others have one."""
FEW_NO_CONTENT = 3
"""Like `MAX_NO_CONTENT`, if no slice has a body: requesting a short list again is cheap."""
MOST_NAMED = 20
"""Maximum number of slices named in a message."""


class Coverage:
    """Tracks the coverage of one read of a stream, page by page. Pages of a slice come in order, slices in any.

    What may lack records is requested once more after the rest has been read: parents that were not found or refused
    while others were read, and lists with fewer items than the vendor reports. What is still missing then is counted,
    and no row is treated as deleted.

    Args:
        stream: Name of the stream, for messages.
        slices: The slices into which the stream is divided.
        permission: The permission that the credential needs. None: the stream is public.
        has_key: Whether the stream has a primary key, so that records may be emitted twice.
        log_parent_ids: Whether messages may name parents.
        unreadable_advice: Advice to the user if the vendor cannot return some of the slices.
        all_unreadable: Why the stream fails if the vendor can return none of them. Empty: it does not fail.
    """

    retry_pause = 0.0
    """The wait before `slices_to_retry` are requested, as a multiple of the wait before a first retry."""

    def __init__(
        self,
        stream: str,
        slices: Slices,
        permission: str | None,
        *,
        has_key: bool,
        log_parent_ids: bool = False,
        unreadable_advice: str = "",
        all_unreadable: str = "",
    ) -> None:
        self._stream = stream
        self._slices = slices
        self._parent = slices.parent
        self._permission = permission
        self._has_key = has_key
        self._log_parent_ids = log_parent_ids
        self._unreadable_advice = unreadable_advice
        self._all_unreadable = all_unreadable
        self._is_retry = False
        self._open: dict[int, SliceCount] = {}
        """The slices that are being read, by identity: equal ones may be read twice."""
        self._current = SliceCount(Slice())
        """The slice of the last page."""
        self._incomplete: list[tuple[Slice, bool]] = []
        self._not_found: dict[str, list[Slice]] = {}
        self._gone: set[str] = set()
        self._forbidden: dict[str, list[Slice]] = {}
        self._refused: dict[str, list[Slice]] = {}
        self._refusal_reason = ""
        self._slices_refused = 0
        self._unreadable: list[str] = []
        self._no_content: list[Slice] = []
        self._with_content = 0
        self._failed = 0
        self._read_any = self._read_records = False
        self._parents_incomplete = self._parents_hidden = False

    def add_page(self, page: Page) -> None:
        """Records a page's outcome."""
        if page.is_placeholder:
            return
        count = self._current = self._open.setdefault(id(page.slice), SliceCount(page.slice))
        if page.meaning is Meaning.PARENT_GONE:
            # A parent can be requested more than once: for other days or in another view.
            self._not_found.setdefault(self._parent_of(page), []).append(self._single_parent_slice(page))
            count.is_unread = True
        elif page.meaning is Meaning.PARENT_FORBIDDEN:
            self._forbidden.setdefault(self._parent_of(page), []).append(self._single_parent_slice(page))
        elif page.meaning is Meaning.PARENT_REFUSED:
            self._refused.setdefault(self._parent_of(page), []).append(self._single_parent_slice(page))
            self._refusal_reason = self._refusal_reason or page.why
            count.is_unread = True
        elif page.meaning is Meaning.UNREADABLE:
            self._unreadable.append(_slice_name(page.slice))
            count.is_unread = True
        else:
            self._read_any = True
            self._count_items(page, count)
        if page.meaning in REFUSALS and not count.is_refused:
            count.is_refused = True
            self._slices_refused += 1
        if page.ends_slice:
            del self._open[id(page.slice)]
            self._count_content(page, count)
            count.close_list()
            if count.is_incomplete:
                self._incomplete.append((page.slice, count.rows > 0))

    def _count_content(self, page: Page, count: SliceCount) -> None:
        if page.meaning is Meaning.RECORDS:
            self._with_content += 1
        elif page.is_no_content and not (count.rows or self._is_retry):
            self._no_content.append(page.slice)
            count.is_unread = True

    def _count_items(self, page: Page, count: SliceCount) -> None:
        """Compares the number of items received for a list with the total that the vendor reports."""
        if page.is_first:
            if page.restart_count <= count.list.restart_count:  # pages of a restarted list do not count
                count.close_list()
            count.list = ListCount(restart_count=page.restart_count)
        count.list.total = max(count.list.total, page.total or 0)
        count.list.received += page.item_count
        count.list.counts_records &= page.item_count == len(page.records)
        count.rows += len(page.records)
        self._failed += page.failed_items
        self._read_records = self._read_records or bool(page.records) or (page.is_first and not page.failed_items)
        # The vendor cannot return an item that failed twice. No body instead of a later page may be a mistake.
        may_retry = not self._is_retry and (page.failed_items > 0 or (page.is_no_content and not page.is_first))
        count.is_incomplete = count.is_incomplete or page.maybe_incomplete or may_retry
        count.is_unread = count.is_unread or page.failed_items > 0

    def add_repeated(self, page: Page, repeated: int) -> None:
        """Records how many of the last page's records repeat the key of an earlier one in the slice.

        If the list has no more items than the vendor reports, each repeated record replaces one that is missing.
        """
        count = self._current
        count.repeated += repeated
        is_short = count.surplus is not None and count.repeated > count.surplus
        if page.ends_slice and is_short and not count.is_incomplete:
            count.is_incomplete = True
            self._incomplete.append((page.slice, True))

    def _parent_of(self, page: Page) -> str:
        return page.parent or parent_ids_of(page.slice, self._slices.ids_param)[0]

    def _single_parent_slice(self, page: Page) -> Slice:
        param = self._slices.ids_param
        if param and page.parent:
            return replace(page.slice, params={**page.slice.params, param: (page.parent,)})
        return replace(page.slice)

    def is_read(self, part: Slice) -> bool:
        """Whether all responses for the slice of the last page were complete."""
        return part is not self._current.slice or not (self._current.is_incomplete or self._current.is_unread)

    def slices_to_retry(self) -> list[Slice]:
        """Returns the slices to request again after the rest has been read. What is not found then is missing."""
        if self._is_retry or (self._not_found and self._nothing_read and self._enough_tried):
            return []
        self._is_retry = True
        self._open.clear()
        retries = [part for slices in self._not_found.values() for part in slices]
        self._not_found.clear()
        if self._read_any:  # if nothing was read, the permission is missing or the request is invalid
            for refusals in (self._forbidden, self._refused):
                retries += [part for slices in refusals.values() for part in slices]
                refusals.clear()
        # A vendor that usually sends a body may send none by mistake; if few slices have one, none is the rule.
        few = max(self._with_content, MAX_NO_CONTENT) if self._with_content else FEW_NO_CONTENT
        if len(self._no_content) <= few:
            retries += [replace(part) for part in self._no_content]
        # Without a key, records emitted again would be duplicates.
        retries += [replace(part) for part, has_records in self._incomplete if self._has_key or not has_records]
        self._incomplete = [
            (part, has_records) for part, has_records in self._incomplete if has_records and not self._has_key
        ]
        if not self._incomplete:
            self._failed = 0
        return retries

    @property
    def not_found(self) -> set[str]:
        """Parents that the vendor did not find, even on the second request."""
        return set(self._not_found)

    def confirm_gone(self, present: set[str] | None) -> None:
        """Counts the parents that the vendor no longer lists as deleted.

        Args:
            present: Ids of the listed parents, as requests for their children use them. None: the list is unreadable.
        """
        if present:
            self._gone = {parent for parent in self._not_found if parent not in present}
            for parent in self._gone:
                del self._not_found[parent]

    def add_parents(self, parents: Coverage, without_id: int) -> None:
        """Records the coverage of the list of parents.

        Args:
            parents: The coverage of that list.
            without_id: Number of parents without an id, whose children cannot be requested.
        """
        self._parents_incomplete = parents.maybe_incomplete
        self._parents_hidden = parents.may_hold_rows or without_id > 0

    @property
    def forbidden(self) -> int:
        """Number of parents that the credential cannot read."""
        return len(self._forbidden)

    @property
    def maybe_incomplete(self) -> bool:
        """Whether records that the credential may read may be missing."""
        return bool(self._not_found or self._refused or self._incomplete or self._parents_incomplete)

    @property
    def may_hold_rows(self) -> bool:
        """Whether rows may exist that were not received, so that missing rows must not be marked as deleted."""
        return bool(
            self.maybe_incomplete or self._forbidden or self._unreadable or self._failed or self._parents_hidden
        )

    @property
    def _nothing_read(self) -> bool:
        """Whether nothing was read and no slice is known to be unreadable for everybody."""
        return not (self._read_any or self._unreadable)

    @property
    def _parents_tried(self) -> int:
        return len(self._not_found) + len(self._gone) + len(self._forbidden) + len(self._refused)

    @property
    def _enough_tried(self) -> bool:
        if self._not_found or self._gone:
            return self._parents_tried >= MANY_PARENTS
        # A batch of adjacent parents is one slice.
        return self._parents_tried >= MANY_REFUSED and self._slices_refused > SAMPLED

    def raise_if_nothing_read(self) -> None:
        """Raises an error, at the end of the read, if the vendor returned nothing readable.

        Raises:
            AccessDeniedError: If all parents are forbidden, or not found although they are listed.
            TapError: If all parents were rejected, all slices are unreadable and `all_unreadable` is set, or no item
                received is a record.
        """
        self.raise_if_no_parent_read(at_end=True)
        if self._unreadable and not self._read_any and self._all_unreadable:
            raise TapError(f"{self._stream}: {self._all_unreadable}")
        if self._failed and not self._read_records:
            raise TapError(
                f"{self._stream}: none of the {self._failed} items received is a record. Run again later; if it "
                "happens again, report it with this tap's version."
            )

    def raise_if_no_parent_read(self, *, at_end: bool = False) -> None:
        """Raises an error if no parent could be read.

        Raises:
            AccessDeniedError: If all parents are forbidden, or not found although they are listed.
            TapError: If no parent could be read and the vendor rejected the requests for some of them as invalid.
        """
        missing = self._not_found or self._forbidden or self._refused
        if not (missing and self._nothing_read and (at_end or self._enough_tried)):
            return
        parents = f"{self._parents_tried} {self._parent}{'' if at_end else ' that were tried'}"
        if self._refused:
            raise TapError(f"{self._refusal_reason} All of the {parents} were rejected like this or are forbidden.")
        sentence = forbidden_reason(self._permission)
        if self._forbidden:
            raise AccessDeniedError(f"{self._stream}: {sentence} (the vendor refused access to all of the {parents}).")
        raise AccessDeniedError(
            f"{self._stream}: none of the {parents} was found. {sentence[0].upper()}{sentence[1:]}."
        )

    def warnings(self, *, is_full: bool, incremental: bool, newly_forbidden: bool) -> Iterator[str]:
        """Yields one sentence for each kind of missing data.

        Args:
            is_full: Whether this was a full read, after which missing rows would be marked as deleted.
            incremental: Whether the stream has a bookmark.
            newly_forbidden: Whether the bookmark stays because more parents are forbidden than in the last run.
        """
        not_deleted = ", so no row is marked as deleted in this run" if is_full else ""
        same_bookmark = ", and the next run starts from the same bookmark" if incremental else ""
        if self._gone:
            yield f"{len(self._gone)} of the {self._parent} were deleted while the stream was read."
        if self._not_found:
            yield (
                f"{len(self._not_found)} of the {self._parent} were not found, even on a second request, although the "
                f"vendor still lists them{not_deleted}{same_bookmark}"
                f"{self._format_names(parts[0] for parts in self._not_found.values())}."
            )
        if self._forbidden:
            count = len(self._forbidden)
            names = self._format_names(parts[0] for parts in self._forbidden.values())
            stays = same_bookmark if newly_forbidden else ""
            yield f"the credential cannot read {count} of the {self._parent}{not_deleted}{stays}{names}."
        if self._refused:
            yield (
                f"{len(self._refused)} of the {self._parent} were skipped because the vendor "
                f"rejected the requests for them twice{not_deleted}{same_bookmark}"
                f"{self._format_names(parts[0] for parts in self._refused.values())}."
            )
        if self._unreadable:
            yield (
                f"the vendor could not return {len(self._unreadable)} of the {self._parent or 'parts'}{not_deleted}: "
                f"{_join_names(self._unreadable)}. {self._unreadable_advice}"
            ).rstrip()
        if self._failed:
            yield (
                f"{self._failed} items are missing because the vendor reported an error for them or sent something "
                f"other than a record{not_deleted}."
            )
        if self._incomplete:
            yield (
                f"{len(self._incomplete)} lists have fewer records than the vendor reports, or were not confirmed to "
                f"be empty, even on a second request{not_deleted}{same_bookmark}."
            )
        if self._parents_hidden:
            same_bookmark = same_bookmark if self._parents_incomplete else ""
            yield f"some of the {self._parent} may be missing from the vendor's list{not_deleted}{same_bookmark}."

    def _format_names(self, slices: Iterable[Slice]) -> str:
        return f": {_join_names([_slice_name(part) for part in slices])}" if self._log_parent_ids else ""


def _slice_name(part: Slice) -> str:
    return ", ".join(str(value) for value in part.columns.values()) or "all of it"


def parent_ids_of(part: Slice, param: str | None) -> Sequence[str]:
    """Returns the ids by which a slice requests the children of its parents.

    Args:
        part: The slice.
        param: The parameter that takes the parents' ids. None: they are in the path.
    """
    values = part.params.get(param, ()) if param else ()
    if values:
        return [values] if isinstance(values, str) else list(values)
    return [repr(sorted(part.path.items()))]


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(sorted(names)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
