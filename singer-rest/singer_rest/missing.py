"""What a stream goes on without: parents that are gone or may not be read, answers that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest.errors import NoAccess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.pages import Page
    from singer_rest.slices import Slice

MANY_PARENTS = 100
"""After so many that were gone or refused, and none that was not, the others are not asked for."""


class Missing:
    """What is missing of one stream in one run.

    Args:
        stream: The stream's name, for messages.
        parent: The stream that it walks, if it walks any.
        right: The right that the credential needs.
    """

    def __init__(self, stream: str, parent: str | None, right: str) -> None:
        self._stream = stream
        self._parent = parent
        self._right = right
        self._gone: set[str] = set()
        self._refused: set[str] = set()
        self._empty = 0
        self._last_empty: Slice | None = None

    @property
    def may_hold_rows(self) -> bool:
        """Whether rows may be there that did not come: then a row that did not come may not be taken for gone."""
        return bool(self._refused or self._empty)

    def is_of_no_parent(self, page: Page) -> bool:
        """Take in a page; whether it says nothing but that a parent is gone or may not be read."""
        if page.gone or page.refused:
            # It may have been asked for more than once: for other days, in another view.
            parent = page.parent or repr((page.slice.path, page.slice.params))
            (self._gone if page.gone else self._refused).add(parent)
        if page.doubtful:
            self._empty += 1
            self._last_empty = page.slice
        return page.gone or page.refused

    def is_read(self, part: Slice) -> bool:
        """Whether all answers for the slice that is handed on said what it holds."""
        return part is not self._last_empty

    def give_up(self, *, at_end: bool) -> None:
        """Take parents that are all gone or refused, though they were just listed, for a list that may not be read.

        Raises:
            NoAccess: If it is so.
        """
        met = len(self._gone | self._refused)
        if not met or not (at_end or met >= MANY_PARENTS):
            return
        first = "" if at_end else "first "
        if self._refused:
            raise NoAccess(
                f"{self._stream}: the credential may not read it; it needs {self._right} (it was refused for each of "
                f"the {first}{met} {self._parent} that it walks)."
            )
        raise NoAccess(
            f"{self._stream}: none of the {first}{met} {self._parent} that it walks was found. The credential may not "
            f"read it; it needs {self._right}."
        )

    def remarks(self, *, whole: bool) -> Iterator[str]:
        """A sentence for each kind of what is missing.

        Args:
            whole: Whether everything was read, so that what did not come would be gone.
        """
        kept = "; so nothing is taken for gone in this run" if whole else ""
        if self._gone:
            yield f"{len(self._gone)} of the {self._parent} that it walks were gone when their turn came."
        if self._refused:
            yield f"{len(self._refused)} of the {self._parent} that it walks may not be read by this credential{kept}."
        if self._empty and whole:
            yield f"{self._empty} of the answers lacked their list, or records that they told of{kept}."
