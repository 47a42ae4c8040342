"""Attendances and projects of v1."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

PATH = "/v1/company/attendances"
ALL = {"start_date": "1970-01-01", "end_date": "2026-12-31", "includePending": "true"}


def read_stream(api: Any, query: Any) -> list[Any]:
    rows: list[Any] = []
    while True:
        status, body, _ = api.get(PATH, (*query, ("offset", str(len(rows)))))
        assert status == 200, body
        rows += body["data"]
        if not body["data"]:
            return rows


def read_attendances(api: Any, **query: str) -> list[Any]:
    return read_stream(api, {**ALL, **query}.items())


def test_a_record_is_a_stretch_of_work(api: Any) -> None:
    rows = read_attendances(api)
    assert rows == api.vendor.list_records("attendances", None, None, "")
    work = {row["id"]: row for row in api.read_all("/v2/attendance-periods") if row["type"] == "WORK"}
    assert [row["attributes"]["id_v2"] for row in rows] == list(work)
    for row in rows:
        shown = row["attributes"]
        other = work[shown["id_v2"]]
        assert f"{shown['date']}T{shown['start_time']}:00" == other["start"]["date_time"]
        assert shown["end_time"] == (other["end"]["date_time"][11:16] if other["end"] else None)
        assert shown["employee"] == int(other["person"]["id"])
        assert (shown["project"] or {}).get("id") == (int(other["project"]["id"]) if other["project"] else None)
        state = other["approval"]["status"].lower().replace("expired", "rejected") if other["end"] else "pending"
        assert shown["status"] == state
        assert datetime.fromisoformat(shown["updated_at"]).utcoffset() == timedelta(0)
    assert all(isinstance(row["id"], int) for row in rows)


def test_breaks_are_minutes_of_the_work_around_them(make_api: Any) -> None:
    api = make_api()
    rows = {row["attributes"]["id_v2"]: row["attributes"] for row in read_attendances(api)}
    assert {row["break"] for row in rows.values()} == {0, 30}
    table = api.company.attendances
    pauses = [row for row in table if row.type == "BREAK" and row.ends_at]
    for row in table:
        if row.type == "WORK" and row.ends_at:
            within = [
                pause.uuid
                for pause in pauses
                if pause.person_id == row.person_id and row.starts_at < pause.starts_at < row.ends_at
            ]
            assert rows[row.uuid]["break"] == 30 * len(within)
            if within:
                pause, work = table.find(within[0]), row
    shorter = (pause.ends_at - timedelta(minutes=10)).isoformat()
    api.changes.edit("attendance_period", pause.uuid, "ends_at", shorter)
    after = {row["attributes"]["id_v2"]: row["attributes"] for row in read_attendances(api)}[work.uuid]
    assert after["break"] == 20
    assert after["updated_at"] > rows[work.uuid]["updated_at"]  # else the change would not be visible


def test_pages_count_records_from_zero(api: Any) -> None:
    count = len(read_attendances(api))
    _, first, _ = api.get(PATH, ALL)
    assert (first["offset"], first["limit"], len(first["data"])) == ("0", "200", 200)  # numbers as text
    _, second, _ = api.get(PATH, {**ALL, "limit": "150", "offset": "150"})
    assert second["data"][:50] == first["data"][150:]
    assert second["metadata"] == {"total_elements": count, "current_page": 1, "total_pages": -(-count // 150)}
    assert (second["offset"], second["limit"]) == ("150", "150")


def test_only_confirmed_attendances_by_default(api: Any) -> None:
    rows = read_attendances(api)
    assert {row["attributes"]["status"] for row in rows} == {"confirmed", "pending", "rejected"}
    confirmed = [row for row in rows if row["attributes"]["status"] == "confirmed"]
    assert read_stream(api, [(name, ALL[name]) for name in ("start_date", "end_date")]) == confirmed
    assert read_attendances(api, includePending="false") == confirmed
    running = [row for row in rows if row["attributes"]["end_time"] is None]
    assert {row["attributes"]["status"] for row in running} == {"pending"}


def test_attendances_are_filtered_by_window_and_people(api: Any) -> None:
    rows = read_attendances(api)
    day = rows[40]["attributes"]["date"]
    assert read_attendances(api, start_date=day, end_date=day) == [
        row for row in rows if row["attributes"]["date"] == day
    ]
    people = sorted({row["attributes"]["employee"] for row in rows})[:2]
    of_people = read_stream(api, [*ALL.items(), *(("employees[]", str(number)) for number in people)])
    assert of_people == [row for row in rows if row["attributes"]["employee"] in people] != []
    first, last = date.fromisoformat(day), date.fromisoformat(day) + timedelta(3)
    counted = [row for row in rows if str(first) <= row["attributes"]["date"] <= str(last)]
    assert api.vendor.count_rows("attendances", first, last) == len(counted)
    assert api.vendor.count_rows("attendances", None, None) == len(rows)


def test_updated_from_and_to_are_inclusive(api: Any) -> None:
    rows = read_attendances(api)
    stamps = sorted(row["attributes"]["updated_at"] for row in rows)
    low, high = stamps[-60], stamps[-20]
    wanted = [row for row in rows if low <= row["attributes"]["updated_at"] <= high]
    assert read_attendances(api, updated_from=low, updated_to=high) == wanted != []
    local = datetime.fromisoformat(low) + timedelta(hours=2)
    assert read_attendances(api, updated_from=f"{local:%Y-%m-%dT%H:%M:%S}+02:00", updated_to=high[:19]) == wanted
    day = high[:10]
    assert read_attendances(api, updated_from=day, updated_to=day) == [
        row for row in rows if row["attributes"]["updated_at"][:10] == day
    ]


def test_nights_are_listed_or_refused(make_api: Any) -> None:
    api = make_api(employees=130)
    rows = read_attendances(api)
    nights = [row for row in rows if (row["attributes"]["end_time"] or "9") < row["attributes"]["start_time"]]
    assert nights
    api.vendor.set_mode(PATH, "refuse-nights")
    status, body, _ = api.get(PATH, ALL)
    assert (status, body["success"], body["error"]["code"]) == (422, False, 422)
    dates = {row["attributes"]["date"] for row in nights}
    quiet = next(row["attributes"]["date"] for row in rows if row["attributes"]["date"] not in dates)
    assert api.get(PATH, {**ALL, "start_date": quiet, "end_date": quiet})[0] == 200
    api.vendor.set_mode(PATH, "normal")
    assert read_attendances(api) == rows


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_date": None},
        {"end_date": None},
        {"start_date": "1969-12-31"},
        {"end_date": "2099-01-01"},
        {"start_date": "2026-06-02", "end_date": "2026-06-01"},
        {"start_date": "2026-06-01T00:00:00"},
        {"limit": "201"},
        {"limit": "0"},
        {"offset": "-1"},
        {"includePending": "yes"},
        {"updated_from": "soon"},
        {"updated_to": "2026-06-01T00:00:00.5Z"},
        {"employees": "9604"},
        {"employees[]": "Ada"},
        {"page": "1"},
    ],
)
def test_invalid_parameters_are_rejected(api: Any, wrong: dict[str, str | None]) -> None:
    query = {name: text for name, text in {**ALL, **wrong}.items() if text is not None}
    status, body, _ = api.get(PATH, query)
    assert (status, body["success"]) == (400, False)
    assert next(iter(wrong)) in body["error"]["message"] or "end_date" in body["error"]["message"]


def test_the_window_ends_ten_years_from_now(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hr_sandbox.clock.read_clock", lambda: datetime(2026, 6, 20, tzinfo=UTC))
    assert api.get(PATH, {**ALL, "end_date": "2036-06-20"})[0] == 200
    assert api.get(PATH, {**ALL, "end_date": "2036-06-21"})[0] == 400


def test_projects_are_not_paged(api: Any) -> None:
    status, body, _ = api.get(f"{PATH}/projects")
    assert (status, set(body)) == (200, {"success", "data"})
    assert body["data"] == api.vendor.list_records("attendance_projects", None, None, "")
    active = {row["id"]: row["status"] == "ACTIVE" for row in api.read_all("/v2/projects")}
    assert {str(row["id"]): row["attributes"]["active"] for row in body["data"]} == active
    assert set(active.values()) == {True, False}
    for name in ("limit", "offset", "status"):
        assert api.get(f"{PATH}/projects", {name: "1"})[0] == 400


def test_a_missing_permission_is_rejected(make_api: Any) -> None:
    api = make_api(employees=12)
    api.vendor.access.revoke(permission="attendances:read", endpoint=None, status=None)
    for path, query in ((PATH, ALL), (f"{PATH}/projects", {})):
        status, body, _ = api.get(path, query)
        assert (status, body["error"]["code"]) == (403, 403)
    api.vendor.access.grant(permission="attendances:read", endpoint=None)
    api.vendor.access.revoke(permission=None, endpoint=PATH, status=401)
    assert api.get(PATH, ALL)[0] == 401
    assert api.get(f"{PATH}/projects")[0] == 200
