"""What a stream's read covers: which answers may lack records, and what is asked for again before it is believed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from singer_rest.errors import NoAccess, TapError
from singer_rest.fetch.answers import Meaning, forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import Slice, Slices

MANY_REFUSED = 15
"""After so many parents that were forbidden or refused, and none that was read, the others are not asked for."""
MANY_PARENTS = 100
"""The same where some were not found: a vendor may say so of those that have no children."""
MAX_NO_CONTENT = 100
"""So many slices without a body are requested again at the end, however few others had one."""
MOST_NAMED = 20
"""How many slices a sentence names."""


@dataclass
class _List:
    """One list of a slice, from its first page on.

    Args:
        total: How many items the vendor says that it holds.
        received: How many came.
        restarts: How often it was begun anew.
        counts_records: Whether its records are the items that the vendor counts, not what stands in them.
    """

    total: int = 0
    received: int = 0
    restarts: int = 0
    counts_records: bool = True

    @property
    def is_short(self) -> bool:
        return self.received < self.total

    @property
    def beyond(self) -> int | None:
        """How many came beyond what was told of; None: nothing was told of the records."""
        return max(self.received - self.total, 0) if self.total and self.counts_records else None


class Coverage:
    """What is known of one read of a stream, page by page, in the order in which they are handed on.

    Answers that may lack records are asked for once more when the rest is read: parents that were not found or were
    refused while others were read, lists with fewer items than the vendor tells of. What lacks them then is counted,
    and nothing is taken for gone.

    Args:
        stream: The stream's name, for messages.
        slices: How it is cut.
        permission: The permission that the credential needs; None: the stream is public.
        has_key: Whether it has a primary key, so that its records may be handed on twice.
        names_parents: Whether sentences may name parents.
        unreadable_advice: What the user can do where the vendor cannot give some of the slices.
        all_unreadable: Why the stream fails where it can give none; empty: it does not.
    """

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
        self._names_parents = log_parent_ids
        self._unreadable_advice = unreadable_advice
        self._all_unreadable = all_unreadable
        self._is_second = False
        self._slice: Slice | None = None
        self._list = _List()
        self._rows_written = self._repeated = 0
        self._beyond: int | None = None
        self._lacks = self._lacks_parent = False
        self._incomplete: list[tuple[Slice, bool]] = []
        self._not_found: dict[str, list[Slice]] = {}
        self._gone: set[str] = set()
        self._forbidden: dict[str, list[Slice]] = {}
        self._refused: dict[str, list[Slice]] = {}
        self._why = ""
        self._unreadable: list[str] = []
        self._no_content: list[Slice] = []
        self._with_content = 0
        self._failed = 0
        self._read_any = self._read_well = False
        self._parents_incomplete = self._parents_hidden = False

    def add_page(self, page: Page) -> None:
        """Take in a page."""
        if page.is_placeholder or page.needs_slicing:
            return
        if page.slice is not self._slice:
            self._slice, self._list, self._rows_written = page.slice, _List(), 0
            self._repeated, self._beyond = 0, None
            self._lacks = self._lacks_parent = False
        if page.meaning is Meaning.PARENT_GONE:
            # It may have been asked for more than once: for other days, in another view.
            self._not_found.setdefault(self._parent_of(page), []).append(self._of_one_parent(page))
            self._lacks_parent = True
        elif page.meaning is Meaning.PARENT_FORBIDDEN:
            self._forbidden.setdefault(self._parent_of(page), []).append(self._of_one_parent(page))
        elif page.meaning is Meaning.PARENT_REFUSED:
            self._refused.setdefault(self._parent_of(page), []).append(self._of_one_parent(page))
            self._why = self._why or page.why
            self._lacks_parent = True
        elif page.meaning is Meaning.UNREADABLE:
            self._unreadable.append(_name(page.slice))
            self._lacks_parent = True
        else:
            self._read_any = True
            self._count(page)
        if page.ends_slice:
            self._note_content(page)
            self._close_list()
            if self._lacks:
                self._incomplete.append((page.slice, self._rows_written > 0))

    def _note_content(self, page: Page) -> None:
        if not page.is_no_content:
            self._with_content += page.meaning is Meaning.RECORDS
        elif not (self._rows_written or self._is_second):
            self._no_content.append(page.slice)

    def _count(self, page: Page) -> None:
        """Compare what came of a list, from its first page on, with how much the vendor tells of."""
        if page.is_first:
            if page.restarts <= self._list.restarts:  # what came of a list that was begun anew does not count
                self._close_list()
            self._list = _List(restarts=page.restarts)
        self._list.total = max(self._list.total, page.total or 0)
        self._list.received += page.item_count
        self._list.counts_records &= page.item_count == len(page.records)
        self._rows_written += len(page.records)
        self._failed += page.failed_items
        self._read_well = self._read_well or bool(page.records) or (page.is_first and not page.failed_items)
        # An item that failed twice is one that the vendor cannot give.
        self._lacks = self._lacks or page.maybe_incomplete or (page.failed_items > 0 and not self._is_second)

    def _close_list(self) -> None:
        self._lacks = self._lacks or self._list.is_short
        if (beyond := self._list.beyond) is not None:
            self._beyond = (self._beyond or 0) + beyond

    def add_repeated(self, page: Page, repeated: int) -> None:
        """Take in how many of a page's records had the key of an earlier one of its slice.

        Where no more came than the vendor tells of, each of them stands in the place of one that did not come.
        """
        if page.slice is not self._slice:
            return
        self._repeated += repeated
        is_short = self._beyond is not None and self._repeated > self._beyond
        if page.ends_slice and is_short and not self._lacks:
            self._lacks = True
            self._incomplete.append((page.slice, True))

    def _parent_of(self, page: Page) -> str:
        return page.parent or parent_ids_of(page.slice, self._slices.ids_param)[0]

    def _of_one_parent(self, page: Page) -> Slice:
        param = self._slices.ids_param
        if param and page.parent:
            return replace(page.slice, params={**page.slice.params, param: (page.parent,)})
        return replace(page.slice)

    def is_read(self, part: Slice) -> bool:
        """Whether all answers for the slice that is handed on said what it holds."""
        return part is not self._slice or not (self._lacks or self._lacks_parent)

    def slices_to_retry(self) -> list[Slice]:
        """The slices to ask for again, now that the rest is read; what they lack then is lacking."""
        if self._is_second or (self._not_found and self._none_answered and self._are_many):
            return []
        self._is_second, self._slice = True, None
        again = [part for slices in self._not_found.values() for part in slices]
        self._not_found.clear()
        if self._read_any:  # where none is read, the permission is missing, or what is asked for cannot be right
            for kept in (self._forbidden, self._refused):
                again += [part for slices in kept.values() for part in slices]
                kept.clear()
        # A vendor that usually sends a body may send none by mistake; if few slices have one, none is the rule.
        if self._with_content and len(self._no_content) <= max(self._with_content, MAX_NO_CONTENT):
            again += [replace(part) for part in self._no_content]
        # Without a key, what has been handed on would be there twice.
        again += [replace(part) for part, came in self._incomplete if self._has_key or not came]
        self._incomplete = [(part, came) for part, came in self._incomplete if came and not self._has_key]
        if not self._incomplete:
            self._failed = 0
        return again

    @property
    def not_found(self) -> set[str]:
        """Parents that were not found, not even the second time."""
        return set(self._not_found)

    def confirm_gone(self, present: set[str] | None) -> None:
        """Take in which parents the vendor lists now: those that are not among them are gone.

        Args:
            present: What their children are asked with; None: it could not be read.
        """
        if present:
            self._gone = {parent for parent in self._not_found if parent not in present}
            for parent in self._gone:
                del self._not_found[parent]

    def add_parents(self, parents: Coverage, without_id: int) -> None:
        """Take in what is known of the list of the parents.

        Args:
            parents: What it covers.
            without_id: How many of its records have no id to ask with.
        """
        self._parents_incomplete = parents.maybe_incomplete
        self._parents_hidden = parents.may_hold_rows or without_id > 0

    @property
    def maybe_incomplete(self) -> bool:
        """Whether records may be there that did not come, though the credential may read them."""
        return bool(self._not_found or self._refused or self._incomplete or self._parents_incomplete)

    @property
    def may_hold_rows(self) -> bool:
        """Whether rows may be there that did not come: then a row that did not come may not be taken for gone."""
        return bool(
            self.maybe_incomplete or self._forbidden or self._unreadable or self._failed or self._parents_hidden
        )

    @property
    def _none_answered(self) -> bool:
        """Whether nothing was read, and nothing is known to be unreadable for all."""
        return not (self._read_any or self._unreadable)

    @property
    def _met(self) -> int:
        return len(self._not_found) + len(self._gone) + len(self._forbidden) + len(self._refused)

    @property
    def _are_many(self) -> bool:
        return self._met >= (MANY_PARENTS if self._not_found or self._gone else MANY_REFUSED)

    def raise_if_nothing_read(self) -> None:
        """Fail, at the end, where the vendor could give nothing at all.

        Raises:
            NoAccess: If all parents are forbidden, or not found though they are listed.
            TapError: If all parents are refused, or all slices unreadable and the stream fails then, or nothing but
                items that are no records came.
        """
        self.raise_if_no_parent_read(at_end=True)
        if self._unreadable and not self._read_any and self._all_unreadable:
            raise TapError(f"{self._stream}: {self._all_unreadable}")
        if self._failed and not self._read_well:
            raise TapError(
                f"{self._stream}: none of the {self._failed} items that came is a record. Run again later; if it stays "
                "so, report it with this tap's version."
            )

    def raise_if_no_parent_read(self, *, at_end: bool = False) -> None:
        """Take parents that are all forbidden, or not found though they are listed, for a missing permission.

        Raises:
            NoAccess: If it is so.
            TapError: If none could be read, and the vendor says of some that the request cannot be right.
        """
        missing = self._not_found or self._forbidden or self._refused
        if not (missing and self._none_answered and (at_end or self._are_many)):
            return
        tried = f"{self._met} {self._parent} that {'it walks' if at_end else 'were tried'}"
        if self._refused:
            raise TapError(f"{self._why} So it was with all of the {tried}, or they may not be read.")
        sentence = forbidden(self._permission)
        if self._forbidden:
            raise NoAccess(f"{self._stream}: {sentence} (it was refused for each of the {tried}).")
        raise NoAccess(f"{self._stream}: none of the {tried} was found. {sentence[0].upper()}{sentence[1:]}.")

    def warnings(self, *, whole: bool, incremental: bool) -> Iterator[str]:
        """A sentence for each kind of what is missing.

        Args:
            whole: Whether everything was read, so that what did not come would be gone.
            incremental: Whether the stream has a bookmark.
        """
        kept = ", so no row is marked as deleted in this run" if whole else ""
        held = ", and the next run reads from the same bookmark again" if incremental else ""
        if self._gone:
            yield f"{len(self._gone)} of the {self._parent} that it walks were gone when their turn came."
        if self._not_found:
            yield (
                f"{len(self._not_found)} of the {self._parent} that it walks were not found twice, though the vendor "
                f"still lists them{kept}{held}{self._names(parts[0] for parts in self._not_found.values())}."
            )
        if self._forbidden:
            count = len(self._forbidden)
            names = self._names(parts[0] for parts in self._forbidden.values())
            yield f"{count} of the {self._parent} that it walks may not be read by this credential{kept}{names}."
        if self._refused:
            yield (
                f"{len(self._refused)} of the {self._parent} that it walks were passed over, because the vendor "
                f"refused the requests for them twice{kept}{held}"
                f"{self._names(parts[0] for parts in self._refused.values())}."
            )
        if self._unreadable:
            yield (
                f"the vendor could not give {len(self._unreadable)} of the {self._parent or 'slices'}{kept}: "
                f"{_named(self._unreadable)}. {self._unreadable_advice}"
            ).rstrip()
        if self._failed:
            yield (
                f"{self._failed} items failed at the vendor, by its own answers, or are no records, and are not "
                f"there{kept}."
            )
        if self._incomplete:
            yield (
                f"{len(self._incomplete)} of its lists came twice with fewer records than the vendor tells of, or "
                f"without saying that there are none{kept}{held}."
            )
        if self._parents_hidden:
            held = held if self._parents_incomplete else ""
            yield f"some of the {self._parent} may be missing from those that it walks{kept}{held}."

    def _names(self, slices: Iterable[Slice]) -> str:
        return f": {_named([_name(part) for part in slices])}" if self._names_parents else ""


def _name(part: Slice) -> str:
    return ", ".join(str(value) for value in part.columns.values()) or "all of it"


def parent_ids_of(part: Slice, param: str | None) -> Sequence[str]:
    """What the children of a slice's parents are asked with.

    Args:
        part: The slice.
        param: The parameter that takes the parents' ids; None: they stand in the path.
    """
    values = part.params.get(param, ()) if param else ()
    if values:
        return [values] if isinstance(values, str) else list(values)
    return [repr(sorted(part.path.items()))]


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
