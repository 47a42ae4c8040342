"""Timestamps: which are parsed, which are refused, how they are formatted."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from singer_rest import times

MOMENT = datetime(2026, 11, 22, 5, 0, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T05:00:01Z",
        "2026-11-22T05:00:01",
        "2026-11-22 05:00:01",
        "2026-11-22T06:00:01+01:00",
        "2026-11-22T06:00:01+0100",
        "2026-11-22T05:00:01.000Z",
        "2026-11-22T05:00:01.0000000Z",
    ],
)
def test_timestamps_are_parsed_in_any_zone_and_default_to_utc(text: str) -> None:
    assert times.parse(text) == MOMENT
    assert times.parse(text).utcoffset() == timezone.utc.utcoffset(None)


def test_date_is_parsed_as_its_midnight() -> None:
    assert times.parse("2026-11-22") == datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text", ["", "now", "10:30", "garbage", "2026", "22.11.2026", "2026-13-01", "0001-01-01T00:00+05:00"]
)
def test_other_texts_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 date"):
        times.parse(text)


def test_timestamps_are_formatted_in_utc_with_an_optional_fraction() -> None:
    assert times.format_utc(MOMENT) == "2026-11-22T05:00:01Z"
    assert times.format_utc(MOMENT.replace(microsecond=500)) == "2026-11-22T05:00:01.000500Z"
    assert times.format_utc(times.parse("2026-11-22T06:00:01+01:00")) == "2026-11-22T05:00:01Z"


def test_http_dates_are_parsed_and_others_rejected() -> None:
    assert times.parse_http_date("Sun, 22 Nov 2026 05:00:01 GMT") == MOMENT
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        times.parse_http_date("tomorrow")
