"""Attendances, projects, and the days of absences."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hr_sandbox.personio.endpoints import ENDPOINTS

PERIODS, PROJECTS = "/v2/attendance-periods", "/v2/projects"


def test_days_of_an_absence_have_their_effective_duration(api: Any) -> None:
    rows = api.read_all("/v2/absence-periods")
    whole = next(row for row in rows if row["starts_from"]["type"] == "FIRST_HALF" and row["ends_at"])
    days = api.read_all(f"/v2/absence-periods/{whole['id']}/breakdowns")
    assert days[0]["date"] == whole["starts_from"]["date_time"][:10]
    assert days[-1]["date"] < whole["ends_at"]["date_time"][:10]  # the end is exclusive
    assert {day["effective_duration"]["unit"] for day in days} == {"DAY"}
    half = next(row for row in rows if row["starts_from"]["type"] == "SECOND_HALF")
    first = api.read_all(f"/v2/absence-periods/{half['id']}/breakdowns")[0]
    assert first["effective_duration"]["value"] == 0.5
    of_hours = [
        api.read_all(f"/v2/absence-periods/{row['id']}/breakdowns")
        for row in rows
        if row["starts_from"]["type"] is None
    ]
    assert {part["effective_duration"]["unit"] for parts in of_hours for part in parts} == {"HOUR"}
    assert any(len(parts) > len({part["date"] for part in parts}) for parts in of_hours)  # two parts of one day
    numbers = [row["_number"] for row in api.vendor.list_records("absence_period_breakdowns", None, None, "")]
    assert set(numbers) == {1, 2}
    assert api.get("/v2/absence-periods/nothing/breakdowns")[0] == 404


def test_days_are_in_pages_of_28(api: Any) -> None:
    counts = {row["id"]: 0 for row in api.read_all("/v2/absence-periods")}
    for row in api.vendor.list_records("absence_period_breakdowns", date(2026, 6, 1), date(2026, 6, 1), ""):
        counts[row["_absence_period_id"]] += 1
    longest = max(counts, key=lambda key: counts[key])
    path = f"/v2/absence-periods/{longest}/breakdowns"
    pages = [len(page["_data"]) for page in api.pages(path)]
    assert pages[0] == 28
    assert sum(pages) == counts[longest] > 28
    days = [row["date"] for row in api.read_all(path, limit="5")]
    assert len(days) == len(set(days))
    assert api.get(path, {"limit": "29"})[0] == 400
    assert next(row.rate.replenish for row in ENDPOINTS if row.stream == "absence_period_breakdowns") == 10


def test_attendances_have_all_types_statuses_and_valid_references(api: Any) -> None:
    rows = api.read_all(PERIODS)
    assert {row["type"] for row in rows} == {"WORK", "BREAK"}
    assert {row["approval"]["status"] for row in rows} == {"PENDING", "CONFIRMED", "REJECTED", "EXPIRED"}
    assert any(row["end"] is None for row in rows)
    projects = {row["id"] for row in api.read_all(PROJECTS)}
    for row in rows:
        assert datetime.fromisoformat(row["start"]["date_time"]).tzinfo is None
        assert row["attribution_date"] <= row["start"]["date_time"][:10]  # a night shift belongs to the day before
        assert row["end"] is None or row["end"]["date_time"] > row["start"]["date_time"]
        assert row["project"] is None or row["project"]["id"] in projects
        assert row["updated_at"].endswith("Z")
    assert any(row["end"] and row["end"]["date_time"][:10] > row["attribution_date"] for row in rows)
    assert api.get(f"{PERIODS}/{rows[0]['id']}")[1] == rows[0]


def test_periods_are_within_employments_and_do_not_overlap_absences(api: Any) -> None:
    company = api.company
    for row in company.attendances:
        assert any(
            stint.start_date <= row.day and (stint.end_date is None or row.day <= stint.end_date)
            for stint in company.employments.find_by_owner(row.person_id)
        )
        assert row.day < company.today
        assert row.created_at <= row.updated_at
        if row.project_id:
            project = company.projects[row.project_id]
            whose = company.projects[project.parent_id] if project.parent_id else project
            assert whose.for_all or row.person_id in whose.member_ids


@pytest.mark.parametrize("name", ["updated_at.gte", "start.date_time.lte", "end.date_time.gte"])
def test_times_of_attendances_have_no_zone(api: Any, name: str) -> None:
    status, body, _ = api.get(PERIODS, {name: "2026-06-01T00:00:00Z"})
    assert (status, body["errors"][0]["title"]) == (400, "Invalid request content")
    assert api.get(PERIODS, {name: "2026-06-01T00:00:00"})[0] == 200
    assert api.get(PERIODS, {name: "2026-06-01"})[0] == 400


def test_filters_of_attendances_return_the_matching_rows(api: Any) -> None:
    everything = api.read_all(PERIODS)
    expired = [row for row in everything if row["approval"]["status"] == "EXPIRED"]
    assert api.read_all(PERIODS, status="EXPIRED") == expired != []
    stamp = sorted(row["updated_at"] for row in everything)[-20]
    later = api.read_all(PERIODS, **{"updated_at.gte": stamp.rstrip("Z")})
    assert [row["id"] for row in later] == [row["id"] for row in everything if row["updated_at"] >= stamp]
    person = everything[-1]["person"]["id"]
    assert {row["person"]["id"] for row in api.read_all(PERIODS, **{"person.id": person})} == {person}
    project = next(row["project"]["id"] for row in everything if row["project"])
    assert {row["project"]["id"] for row in api.read_all(PERIODS, **{"project.id": project})} == {project}
    day = everything[5]["attribution_date"]
    window = {"attribution_date.gte": day, "attribution_date.lte": day}
    assert {row["attribution_date"] for row in api.read_all(PERIODS, **window)} == {day}
    ended = api.read_all(PERIODS, **{"end.date_time.gte": "2000-01-01T00:00:00"})
    assert ended == [row for row in everything if row["end"]]
    pending = api.read_all(PERIODS, status="PENDING")
    assert {row["approval"]["status"] for row in pending} == {"PENDING"}
    for wrong in (
        {"status": "OPEN"},
        {"updated_at.gt": "2026-06-01T00:00:00"},
        {"sort": "id"},
        {"attribution_date": day},
    ):
        assert api.get(PERIODS, wrong)[0] == 400


@pytest.mark.parametrize("sort", ["person.id", "start.date_time", "end.date_time", "updated_at", "status"])
def test_attendances_are_sorted_in_both_directions(api: Any, sort: str) -> None:
    def key(row: Any) -> Any:
        outer, _, inner = sort.partition(".")
        if sort == "status":
            return row["approval"]["status"]
        if sort == "end.date_time" and row["end"] is None:
            return "9"
        return int(row["person"]["id"]) if sort == "person.id" else (row[outer][inner] if inner else row[outer])

    up, down = ([key(row) for row in api.read_all(PERIODS, sort=f"{sign}{sort}")] for sign in ("", "-"))
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)


def test_attendances_link_without_a_host(api: Any) -> None:
    _, body, _ = api.get(PERIODS, {"limit": "5", "updated_at.gte": "2020-01-01T00:00:00"})
    assert body["_meta"]["links"]["next"]["href"].startswith(f"{PERIODS}?cursor=cur_")
    assert body["_meta"]["links"]["self"]["href"] == PERIODS


def test_projects_are_filtered_and_include_requested_values(api: Any) -> None:
    rows = api.read_all(PROJECTS)
    parts = {row["id"] for row in rows if row["parent_project"]}
    assert parts
    assert {row["id"] for row in api.read_all(PROJECTS, top_level_only="true")} == {row["id"] for row in rows} - parts
    parent = next(row["parent_project"]["id"] for row in rows if row["parent_project"])
    assert {row["parent_project"]["id"] for row in api.read_all(PROJECTS, **{"parent_project.id": parent})} == {parent}
    assert {row["status"] for row in api.read_all(PROJECTS, status="ARCHIVED")} == {"ARCHIVED"}
    assert not any("tracked_minutes" in row for row in rows)
    names = "tracked_minutes,sub_projects_count,tracked_periods_count,sub_projects_tracked_minutes"
    one = api.get(f"{PROJECTS}/{parent}", {"include": names})[1]
    assert one["sub_projects_count"] == len(api.read_all(PROJECTS, **{"parent_project.id": parent}))
    many = api.read_all(PROJECTS, include="tracked_periods_count")
    assert sum(row["tracked_periods_count"] for row in many) > 0
    for wrong in ({"include": "minutes"}, {"include": ""}, {"limit": "201"}):
        status, body, _ = api.get(PROJECTS, wrong)
        assert (status, body["errors"][0]["title"]) == (422, "Unprocessable entity")
    assert api.get(f"{PROJECTS}/{parent}", {"include": "minutes"})[0] == 422


def test_members_are_listed_for_projects_that_have_them(api: Any) -> None:
    people = {row["id"] for row in api.read_all("/v2/persons", limit="50")}
    for row in api.read_all(PROJECTS):
        members = api.read_all(f"{PROJECTS}/{row['id']}/members")
        assert {member["person"]["id"] for member in members} <= people
        assert all(set(member) == {"person"} for member in members)
        assert bool(members) != bool(row["parent_project"] or row["assigned_to_all"])
    path = f"{PROJECTS}/{row['id']}/members"
    assert api.get(path, {"limit": "201"})[0] == 422
    assert api.get(path, {"name": "x"})[0] == 400
    assert api.get(f"{PROJECTS}/1/members")[0] == 404
