"""The lists of the REST families."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_cornerstone.rest import RestList

STREAMS: Sequence[type[RestList]] = ()
