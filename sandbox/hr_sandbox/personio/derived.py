"""Streams that no list answers alone: what a client makes of other bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.personio.render.people import picture_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.vendor import Json


def _pictures(company: Company, root: str) -> list[Json]:
    """Who has a picture, and where it is."""
    return [{"person_id": str(row.id), "url": picture_url(row, root)} for row in company.people if row.has_picture]


DERIVED: dict[str, Callable[[Company, str], list[Json]]] = {"profile_pictures": _pictures}
