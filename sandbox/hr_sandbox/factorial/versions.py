"""Versions of the API: each is live for a year, and a retired one is served as the oldest that still is."""

from __future__ import annotations

LIVE = ("2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01")
OLDEST, NEWEST = LIVE[0], LIVE[-1]
RETIRED = frozenset({"2024-10-01", "2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"})
TEXT_IDS = "2026-07-01"  # from here on ids are texts


def served(asked: str) -> str | None:
    """The version that answers a request for one; None where there never was such a version."""
    if asked in LIVE:
        return asked
    return OLDEST if asked in RETIRED else None
