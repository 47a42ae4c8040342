"""Detects the API version of Factorial's responses. A retired version is served as another one without notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pendulum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest import Record

SUPPORTED = pendulum.duration(years=1)
"""How long a version is supported."""

TEXT_IDS = "2026-07-01"
"""From this version on ids are text; before it they are numbers."""

ALWAYS_TEXTS = frozenset(
    {
        "attendance/estimated_times",
        "attendance/worked_times",
        "it_management/it_asset_models",
        "it_management/it_assets",
        "performance/agreements",
        "performance/review_process_estimated_targets",
        "performance/review_process_targets",
        "performance/target_managers",
        "timeoff/allowance_stats",
        "trainings/training_classes",
    }
)
"""Lists whose ids were text before that, too."""


def may_be_retired(version: str, now: datetime) -> bool:
    """Whether Factorial may no longer support a version."""
    return pendulum.parse(version) + SUPPORTED <= pendulum.instance(now)  # type: ignore[operator]


def has_ids_of_other_version(version: str, path: str, records: Sequence[Record]) -> bool:
    """Whether the records have ids in the format of another version than the requested one.

    Args:
        version: The version.
        path: The list, by module and name.
        records: The records as received.
    """
    ids = [record.get("id") for record in records[:1]]
    if version >= TEXT_IDS:
        return any(type(value) is int for value in ids)
    return path not in ALWAYS_TEXTS and any(isinstance(value, str) and value.isdigit() for value in ids)
