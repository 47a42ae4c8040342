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
        (filters.parse_timestamp, "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        (filters.parse_timestamp, "2024-01-31T10:00:00.25Z", datetime(2024, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
        (filters.parse_local_time, "2024-01-31T10:00:00", datetime(2024, 1, 31, 10)),  # noqa: DTZ001  local
        (filters.parse_local_time, "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10)),  # noqa: DTZ001  local
        (filters.parse_day, "2024-02-29", date(2024, 2, 29)),
        (filters.parse_list, "a,b", frozenset("ab")),
        (filters.parse_boolean, "true", True),
        (filters.parse_text, "Ω", "Ω"),
    ],
)
def test_valid_values_are_parsed(parse: Callable[[str], Any], text: str, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (filters.parse_timestamp, ""),
        (filters.parse_timestamp, "2024-01-31"),
        (filters.parse_timestamp, "2024-01-31T10:00:00"),
        (filters.parse_timestamp, "2024-01-31T10:00:00+00:00"),
        (filters.parse_timestamp, "2024-01-31T10:00Z"),
        (filters.parse_timestamp, "2024-01-32T10:00:00Z"),
        (filters.parse_timestamp, "2024-01-31 10:00:00Z"),
        (filters.parse_timestamp, "٢٠٢٤-01-31T10:00:00Z"),
        (filters.parse_timestamp, "1706695200"),
        (filters.parse_local_time, "2024-01-31T10:00:00+01:00"),
        (filters.parse_day, "2024-02-30"),
        (filters.parse_day, "2024-01-31T00:00:00Z"),
        (filters.parse_day, "31.01.2024"),
        (filters.parse_day, "9999-12-01"),
        (filters.parse_list, ""),
        (filters.parse_list, "a,,b"),
        (filters.parse_boolean, "True"),
        (filters.parse_boolean, "1"),
        (filters.parser_for_choice("a", "b"), "c"),
        (filters.parse_text, " "),
    ],
)
def test_invalid_values_are_rejected(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the endpoint adds the message
        parse(text)
