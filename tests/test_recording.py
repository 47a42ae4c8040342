"""Recordings of each tap: nothing of the company is left, and a replay gives the same rows."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import replaying, running
from singer_rest.record.recorder import Recorder
from singer_rest.testing import shorten_waits, sync_streams
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest import RestTap

pytestmark = [pytest.mark.slow, pytest.mark.deep]

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TAPS: dict[str, tuple[type[RestTap], dict[str, Any], tuple[str, ...]]] = {
    "personio": (
        TapPersonio,
        CREDENTIALS,
        (
            "absence_periods",
            "employee_attributes",
            "employees",
            "employments",
            "org_units",
            "persons",
            "recruiting_jobs",
        ),
    ),
    "factorial": (
        TapFactorial,
        {"api_key": "sandbox-api-key"},
        (
            "attendance_shifts",
            "contracts_compensations",
            "custom_fields_values",
            "employees_employees",
            "timeoff_leaves",
        ),
    ),
    "cornerstone": (
        TapCornerstone,
        CREDENTIALS,
        ("bulk_jobs", "employees", "job_applicants", "transcripts", "user_ou_core", "users_core", "vw_rpt_user_cf"),
    ),
}
TEXT = re.compile(r"[^\W\d_]")


def values_of(rows: Any) -> Iterator[str]:
    """Returns all texts and numbers in rows, without the names of fields."""
    if isinstance(rows, dict):
        for part in rows.values():
            yield from values_of(part)
    elif isinstance(rows, list):
        for part in rows:
            yield from values_of(part)
    elif isinstance(rows, (str, int, float)) and not isinstance(rows, bool):
        yield str(rows)


def shown_in(folder: Path) -> Iterator[str]:
    """Returns all texts and numbers in a recording's bodies, and all names of fields."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
            for part in value.values():
                yield from walk(part)
        elif isinstance(value, list):
            for part in value:
                yield from walk(part)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield str(value)

    for file in folder.glob("0*.json"):
        yield from walk(json.loads(file.read_text()).get("body"))


@pytest.mark.slow
@pytest.mark.parametrize("vendor", TAPS)
def test_a_recording_has_no_value_of_the_company_and_gives_the_same_rows(
    vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tap_type, credentials, streams = TAPS[vendor]
    shorten_waits(monkeypatch, tap_type)
    monkeypatch.setattr(tap_type, "rates", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "shapes"

    def read(api_url: str) -> dict[str, int]:
        return sync_streams(tap_type(config={"api_url": api_url, **credentials}), *streams).counts()

    with running(employees=20, requests_per_minute=600_000) as sandbox:
        recorder = Recorder(folder, tap_type.name)
        monkeypatch.setattr(tap_type, "recorder", recorder)
        counts = read(f"{sandbox.url}/{vendor}")
        recorder.close()
        monkeypatch.setattr(tap_type, "recorder", None)
        originals = {value for stream in streams for value in values_of(sandbox.records(vendor, stream))}
    assert "left out" not in caplog.text
    assert all(counts[stream] for stream in streams)

    shown = set(shown_in(folder))
    names = {name for file in folder.glob("0*.json") for name in re.findall(r'"([^"]+)":', file.read_text())}
    long = {value for value in originals if len(value) >= 6 and (TEXT.search(value) or value.isdecimal())}
    package = Path(sys.modules[tap_type.__module__].__file__ or "").parent
    documented = " ".join(file.read_text() for file in package.rglob("*.json"))
    left = {value for value in long & shown - names if not (value.isidentifier() and value in documented)}
    assert not left, "values that are neither names of fields nor documented"
    text = "\n".join(shown)
    people = {value for value in long if TEXT.search(value) and (" " in value or "@" in value or not value.isascii())}
    assert len(people) > 20
    assert not [value for value in people if value in text]

    with replaying(folder) as url:
        assert read(url) == counts
