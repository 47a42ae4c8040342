"""Query parameters are parsed as strictly as by the vendor."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.personio import filters

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (filters.timestamp, "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        (filters.timestamp, "2024-01-31T10:00:00.25Z", datetime(2024, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
        (filters.local_time, "2024-01-31T10:00:00", datetime(2024, 1, 31, 10)),  # noqa: DTZ001  local
        (filters.local_time, "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10)),  # noqa: DTZ001  local
        (filters.day, "2024-02-29", date(2024, 2, 29)),
        (filters.comma_list, "a,b", frozenset("ab")),
        (filters.boolean, "true", True),
        (filters.text_value, "Ω", "Ω"),
    ],
)
def test_valid_values(parse: Callable[[str], Any], text: str, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (filters.timestamp, ""),
        (filters.timestamp, "2024-01-31"),
        (filters.timestamp, "2024-01-31T10:00:00"),
        (filters.timestamp, "2024-01-31T10:00:00+00:00"),
        (filters.timestamp, "2024-01-31T10:00Z"),
        (filters.timestamp, "2024-01-32T10:00:00Z"),
        (filters.timestamp, "2024-01-31 10:00:00Z"),
        (filters.timestamp, "٢٠٢٤-01-31T10:00:00Z"),
        (filters.timestamp, "1706695200"),
        (filters.local_time, "2024-01-31T10:00:00+01:00"),
        (filters.day, "2024-02-30"),
        (filters.day, "2024-01-31T00:00:00Z"),
        (filters.day, "31.01.2024"),
        (filters.day, "9999-12-01"),
        (filters.comma_list, ""),
        (filters.comma_list, "a,,b"),
        (filters.boolean, "True"),
        (filters.boolean, "1"),
        (filters.one_of("a", "b"), "c"),
        (filters.text_value, " "),
    ],
)
def test_bad_values(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the endpoint adds the message
        parse(text)
