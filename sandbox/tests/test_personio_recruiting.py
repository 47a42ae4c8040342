"""Recruiting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

ROOT = "/v2/recruiting"
STREAMS = ("applications", "candidates", "jobs")


def to_utc(said: Any) -> str:
    """Formats a timestamp for a filter. Without a UTC offset, it is local time in the time zone of `timezone`."""
    value = datetime.fromisoformat(said["date-time"])
    value = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(said["timezone"]))
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("name", STREAMS)
def test_rows_are_newest_first_and_filtered_by_one_bound_at_a_time(api: Any, name: str) -> None:
    path = f"{ROOT}/{name}"
    rows = api.read_all(path, limit="7")
    stamps = [to_utc(row["updated_at"]) for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    assert {tuple(row["created_at"]) for row in rows} == {("date-time", "timezone")}
    middle = stamps[len(stamps) // 2]
    later = api.read_all(path, **{"updated_at.gt": middle})
    earlier = api.read_all(path, **{"updated_at.lt": middle})
    assert [row["id"] for row in later] == [row["id"] for row in rows if to_utc(row["updated_at"]) > middle]
    assert len(later) + len(earlier) == len(rows) - stamps.count(middle)
    assert api.get(path, {"updated_at.gt": "2020-01-01T00:00:00Z", "updated_at.lt": middle})[0] == 400
    assert api.get(path, {"limit": "201"})[0] == 400
    assert api.get(f"{path}/{rows[0]['id']}")[1] == rows[0]
    assert api.get(f"{path}/1")[0] == 404


def test_local_times_have_a_zone_and_an_offset_in_the_repeated_hour(make_api: Any) -> None:
    api = make_api()
    rows = api.read_all(f"{ROOT}/applications")
    assert len({row["updated_at"]["timezone"] for row in rows}) > 1
    assert not any(row["updated_at"]["date-time"].endswith("Z") for row in rows)
    assert {row["updated_at"]["timezone"] for row in api.read_all(f"{ROOT}/candidates")} == {"UTC"}
    job = next(row for row in api.company.openings if api.company.offices[row.office_id].timezone == "Europe/Berlin")
    job.created_at = datetime(2025, 10, 26, 1, 30, tzinfo=UTC)  # half past two, for the second time
    shown = api.get(f"{ROOT}/jobs/{job.id}")[1]["created_at"]
    assert shown == {"date-time": "2025-10-26T02:30:00+01:00", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("mode", "members"),
    [
        ("utc", {"date-time", "timezone"}),
        ("underscore", {"date_time", "timezone"}),
        ("unknown-zone", {"date-time", "timezone"}),
    ],
)
def test_modes_change_the_format_of_timestamps(make_api: Any, mode: str, members: set[str]) -> None:
    api = make_api()
    usual = api.read_all(f"{ROOT}/jobs")
    api.vendor.set_mode(f"{ROOT}/jobs", mode)
    rows = api.read_all(f"{ROOT}/jobs")
    assert {frozenset(row["created_at"]) for row in rows} == {frozenset(members)}
    api.vendor.set_mode(f"{ROOT}/jobs", "plain")
    assert [row["created_at"] for row in api.read_all(f"{ROOT}/jobs")] == [to_utc(row["created_at"]) for row in usual]


def test_references_are_valid(api: Any) -> None:
    applications, candidates, jobs = (api.read_all(f"{ROOT}/{name}") for name in STREAMS)
    categories = {row["id"]: row for row in api.read_all(f"{ROOT}/categories")}
    people = {row["id"] for row in api.read_all("/v2/persons", limit="50")}
    by_id = {row["id"]: row for row in jobs}
    ids = {row["id"] for row in applications}
    assert {part["id"] for row in candidates for part in row["applications"]} == ids
    assert {row["candidate"]["id"] for row in applications} <= {row["id"] for row in candidates}
    for row in jobs:
        assert row["category"]["id"] in categories
        assert {part["person"]["id"] for part in row["hiring_team"]} <= people
    for row in applications:
        job = by_id[row["job"]["id"]]
        stage = row["current_stage"]
        own = {part["id"]: part for part in categories[job["category"]["id"]]["stages"]}
        assert stage["type"] == "SYSTEM" if stage["id"] is None else own[stage["id"]] == stage
        assert row["application_date"] >= job["created_at"]["date-time"][:10]


def test_stages_of_an_application_are_newest_first(api: Any) -> None:
    without_id = 0
    for row in api.read_all(f"{ROOT}/applications"):
        steps = api.read_all(f"{ROOT}/applications/{row['id']}/stage-transitions")
        stamps = [to_utc(step["entered_at"]) for step in steps]
        assert stamps == sorted(set(stamps), reverse=True)
        assert steps[0]["stage"] == row["current_stage"]
        assert set(steps[0]) == {"entered_at", "stage"}
        without_id += steps[0]["stage"]["id"] is None
        assert stamps[-1] == to_utc(row["created_at"])
        assert stamps[0] <= to_utc(row["updated_at"]) < f"{api.company.today}"
    assert without_id
    assert api.get(f"{ROOT}/applications/1/stage-transitions")[0] == 404


def test_applicants_are_found_by_email(api: Any) -> None:
    some = next(row for row in api.read_all(f"{ROOT}/applications") if not row["is_anonymized"])
    found = api.read_all(f"{ROOT}/applications", **{"candidate.email": some["candidate"]["email"]})
    assert some["id"] in {row["id"] for row in found}
    assert {row["candidate"]["id"] for row in found} == {some["candidate"]["id"]}
    (one,) = api.read_all(f"{ROOT}/candidates", email=some["candidate"]["email"])
    assert one["id"] == some["candidate"]["id"]


def test_some_applicants_were_hired(api: Any) -> None:
    hired = [row for row in api.company.applications if row.transitions[-1].stage.kind == "ACCEPTED"]
    names = {(row.first_name, row.last_name) for row in api.company.people}
    assert hired
    for row in hired:
        candidate = api.company.candidates[row.candidate_id]
        assert (candidate.first_name, candidate.last_name) in names


def test_records_of_recruiting_can_change(make_api: Any) -> None:
    api = make_api()
    row = api.company.candidates[next(iter(api.company.candidates)).id]
    api.changes.edit("recruiting_candidate", str(row.id), "last_name", "Ω")
    assert api.read_all(f"{ROOT}/candidates")[0]["last_name"] == "Ω"
    counts = [api.vendor.count_rows(f"recruiting_{name}", api.company.today, api.company.today) for name in STREAMS[:2]]
    gone = api.changes.delete("recruiting_candidate", str(row.id))
    left = [api.vendor.count_rows(f"recruiting_{name}", api.company.today, api.company.today) for name in STREAMS[:2]]
    assert left == [counts[0] - len(gone) + 1, counts[1] - 1]
