"""Versions of the API. Each is live for a year; requests for a retired one are served as the oldest live one."""

from __future__ import annotations

LIVE = ("2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01")
OLDEST, NEWEST = LIVE[0], LIVE[-1]
RETIRED = frozenset({"2024-10-01", "2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"})
TEXT_IDS = "2026-07-01"  # the first version with ids as texts


def served(asked: str) -> str | None:
    """Return the version that serves a request, or None if there never was such a version."""
    if asked in LIVE:
        return asked
    return OLDEST if asked in RETIRED else None
