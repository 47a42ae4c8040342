"""Time-offs, time-off types, and absence periods of v1."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

TYPES, DAYS, HOURS = (f"/v1/company/{name}" for name in ("time-off-types", "time-offs", "absence-periods"))
NO_COLON = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0[12]00")
TO_THE_MILLISECOND = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


def read_stream(api: Any, path: str, *more: tuple[str, str], **query: str) -> list[Any]:
    rows: list[Any] = []
    for page in range(1, 100):
        status, body, _ = api.get(path, (*query.items(), *more, ("offset", str(page))))
        assert status == 200, body
        if not body["data"]:
            return rows
        rows += body["data"]
    raise AssertionError


def attribute_values(rows: list[Any], name: str) -> list[Any]:
    return [row["attributes"][name] for row in rows]


def test_types_have_both_units_and_their_offset_counts_records(api: Any) -> None:
    _, body, _ = api.get(TYPES)
    assert set(body) == {"success", "data"}
    assert body["data"] == api.vendor.list_records("time_off_types", None, None, "")
    assert set(attribute_values(body["data"], "unit")) == {"day", "hour"}
    assert set(attribute_values(body["data"], "id_v2")) == {row["id"] for row in api.read_all("/v2/absence-types")}
    assert api.get(TYPES, {"limit": "2", "offset": "3"})[1]["data"] == body["data"][3:5]  # a record
    assert api.get(TYPES, {"limit": "201"})[0] == 400


def test_time_offs_are_those_in_days(api: Any) -> None:
    rows = read_stream(api, DAYS)
    assert rows == api.vendor.list_records("time_offs", None, None, "")
    of_v2 = {row["id"]: row for row in api.read_all("/v2/absence-periods") if row["starts_from"]["type"]}
    assert attribute_values(rows, "id_v2") == list(of_v2)
    for row in rows:
        part, other = row["attributes"], of_v2[row["attributes"]["id_v2"]]
        assert part["start_date"][:10] == other["starts_from"]["date_time"][:10]
        assert all(NO_COLON.fullmatch(part[name]) for name in ("start_date", "created_at", "updated_at"))
        assert (part["end_date"] is None) == (other["ends_at"] is None)
        if part["end_date"]:  # the last day; v2 has the one after it
            following = date.fromisoformat(part["end_date"][:10]) + timedelta(1)
            assert str(following) == other["ends_at"]["date_time"][:10]
        assert part["half_day_start"] == (other["starts_from"]["type"] == "SECOND_HALF")
    assert {part[-5:] for part in attribute_values(rows, "start_date")} == {"+0100", "+0200"}
    assert {True, False} == set(attribute_values(rows, "half_day_start"))
    counts = attribute_values(rows, "days_count")
    assert {type(count) for count in counts} == {int, float}
    status, one, _ = api.get(f"{DAYS}/{rows[7]['attributes']['id']}")
    assert (status, one) == (200, {"success": True, "data": rows[7]})


def test_the_offset_is_a_page(api: Any) -> None:
    rows = read_stream(api, DAYS)
    _, zero, _ = api.get(DAYS)
    _, one, _ = api.get(DAYS, {"offset": "1"})
    _, two, _ = api.get(DAYS, {"offset": "2"})
    assert zero["data"] == one["data"] == rows[:200]
    assert two["data"] == rows[200:400]
    assert (zero["offset"], one["offset"], two["limit"]) == ("0", "1", "200")
    pages = -(-len(rows) // 200)
    assert zero["metadata"] == {"total_elements": len(rows), "current_page": 1, "total_pages": pages}
    assert "metadata" not in two  # only the first page has the total
    assert api.get(DAYS, {"offset": "200"})[1]["data"] == []
    assert api.get(HOURS, {"offset": "2", "limit": "50"})[1]["data"] == read_stream(api, HOURS)[50:100]


@pytest.mark.parametrize("path", [DAYS, HOURS])
def test_modes_change_the_metadata(make_api: Any, path: str) -> None:
    api = make_api(employees=30)
    _, normal, _ = api.get(path, {"limit": "20"})
    api.vendor.set_mode(path, "no-metadata")
    assert "metadata" not in api.get(path, {"limit": "20"})[1]
    api.vendor.set_mode(path, "text-metadata")
    assert api.get(path, {"limit": "20"})[1]["metadata"] == {
        name: str(value) for name, value in normal["metadata"].items()
    }
    api.vendor.set_mode(path, "zero-pages")
    second = api.get(path, {"limit": "20", "offset": "2"})[1]
    assert second["metadata"] == {**normal["metadata"], "current_page": 1, "total_pages": 0}
    assert second["data"]
    api.vendor.set_mode(path, "normal")
    assert api.get(path, {"limit": "20"})[1] == normal


def test_time_offs_are_completely_inside_a_window(api: Any) -> None:
    rows = read_stream(api, DAYS)
    first, last = "2026-03-01", "2026-04-30"
    wanted = [
        row
        for row in rows
        if row["attributes"]["start_date"][:10] >= first and (row["attributes"]["end_date"] or "9")[:10] <= last
    ]
    assert read_stream(api, DAYS, start_date=first, end_date=last) == wanted != []
    assert api.vendor.count_rows("time_offs", date(2026, 3, 1), date(2026, 4, 30)) == len(wanted)
    across = next(row["attributes"] for row in rows if row["attributes"]["days_count"] > 2)
    begins, ends = across["start_date"][:10], (across["end_date"] or "9")[:10]
    alone = {"employees[]": str(across["employee"]["attributes"]["id"]["value"])}
    later = str(date.fromisoformat(begins) + timedelta(1))
    assert across["id"] in attribute_values(read_stream(api, DAYS, start_date=begins, end_date=ends, **alone), "id")
    assert across["id"] not in attribute_values(read_stream(api, DAYS, start_date=later, end_date=ends, **alone), "id")
    unended = [row for row in rows if row["attributes"]["end_date"] is None]
    assert unended
    assert all(row in read_stream(api, DAYS, start_date="2000-01-01") for row in unended)


def test_time_offs_are_filtered_by_date_of_change(api: Any) -> None:
    rows = read_stream(api, DAYS)
    days = sorted(stamp[:10] for stamp in attribute_values(rows, "updated_at"))
    low, high = days[-300], days[-100]
    wanted = [row for row in rows if low <= row["attributes"]["updated_at"][:10] <= high]
    assert read_stream(api, DAYS, updated_from=low, updated_to=high) == wanted != []
    assert api.get(DAYS, {"updated_from": f"{low}T00:00:00"})[0] == 400


def test_absences_in_hours_match_those_of_v2(api: Any) -> None:
    rows = read_stream(api, HOURS)
    assert rows == api.vendor.list_records("absence_periods_v1", None, None, "")
    of_v2 = {row["id"]: row for row in api.read_all("/v2/absence-periods") if row["starts_from"]["type"] is None}
    assert attribute_values(rows, "id") == list(of_v2)
    kinds = {row["id"]: row["unit"] for row in api.read_all("/v2/absence-types")}
    zones = set()
    for row in rows:
        part, other = row["attributes"], of_v2[row["attributes"]["id"]]
        assert kinds[part["absence_type"]["attributes"]["id"]] == "HOURLY"
        assert all(TO_THE_MILLISECOND.fullmatch(part[name]) for name in ("start", "end", "created_at", "updated_at"))
        local = datetime.fromisoformat(part["start"]).astimezone(ZoneInfo(other["timezone_id"]))
        assert f"{local:%Y-%m-%dT%H:%M:%S}" == other["starts_from"]["date_time"]
        zones.add(local.utcoffset())
        assert part["effective_duration"] == sum(day["effective_duration"] for day in part["breakdowns"]) > 0
        assert (part["approved_at"] is None) == (part["status"] != "approved")
    assert len(zones) > 2
    assert len({stamp[-4:] for stamp in attribute_values(rows, "updated_at")}) > 10
    long = [row["attributes"] for row in rows if len(row["attributes"]["breakdowns"]) > 1]
    assert long
    for part in long[:5]:
        days = api.read_all(f"/v2/absence-periods/{part['id']}/breakdowns")
        minutes = Counter[str]()
        for day in days:
            minutes[day["date"]] += day["effective_duration"]["value"] * 60
        assert dict(minutes) == {day["date"]: day["effective_duration"] for day in part["breakdowns"]}
        assert {day["effective_duration"]["unit"] for day in days} == {"HOUR"}


def test_hours_overlap_a_window(api: Any) -> None:
    rows = read_stream(api, HOURS)
    long = next(row for row in rows if len(row["attributes"]["breakdowns"]) > 1)
    days = [day["date"] for day in long["attributes"]["breakdowns"]]
    for first, last, found in ((days[-1], days[-1], True), (days[0], days[0], True), ("2000-01-01", days[0], True)):
        assert (long in read_stream(api, HOURS, start_date=first, end_date=last)) is found
    after = str(date.fromisoformat(days[-1]) + timedelta(1))
    assert long not in read_stream(api, HOURS, start_date=after)
    before = str(date.fromisoformat(days[0]) - timedelta(1))
    assert long not in read_stream(api, HOURS, end_date=before)
    count = api.vendor.count_rows("absence_periods_v1", date.fromisoformat(days[-1]), date.fromisoformat(days[-1]))
    assert count == len(read_stream(api, HOURS, start_date=days[-1], end_date=days[-1]))


def test_absences_in_hours_are_filtered_by_change_and_type(api: Any) -> None:
    rows = read_stream(api, HOURS)
    stamps = sorted(attribute_values(rows, "updated_at"))
    low, high = stamps[-50], stamps[-10]
    wanted = [row for row in rows if low <= row["attributes"]["updated_at"] <= high]
    assert read_stream(api, HOURS, updated_from=low, updated_to=high) == wanted != []
    kinds = sorted({row["attributes"]["absence_type"]["attributes"]["id"] for row in rows})
    of_kind = read_stream(api, HOURS, ("absence_types[]", kinds[0]))
    assert 0 < len(of_kind) < len(rows)
    assert {row["attributes"]["absence_type"]["attributes"]["id"] for row in of_kind} == {kinds[0]}
    assert read_stream(api, HOURS, *(("absence_types[]", kind) for kind in kinds)) == rows
    two = attribute_values(rows, "id")[3:5]
    assert attribute_values(read_stream(api, HOURS, *(("absence_periods[]", key) for key in two)), "id") == two
    person = rows[9]["attributes"]["employee"]["attributes"]["id"]["value"]
    own = read_stream(api, HOURS, ("employees[]", str(person)))
    assert {row["attributes"]["employee"]["attributes"]["id"]["value"] for row in own} == {person}
    assert api.get(HOURS, {"absence_types[]": "nothing"})[0] == 404
    for wrong in ("2026-01-01", "2026-01-01T00:00:00", "now"):
        assert api.get(HOURS, {"updated_from": wrong})[0] == 400


def test_present_changes_have_whole_seconds(make_api: Any) -> None:
    api = make_api()
    row = read_stream(api, HOURS)[0]
    api.changes.edit("absence_period", row["attributes"]["id"], "comment", "✓")
    changed = api.company.absences.find(row["attributes"]["id"]).updated_at
    stamp = f"{changed:%Y-%m-%dT%H:%M:%S}.000Z"
    assert attribute_values(read_stream(api, HOURS, updated_from=stamp), "updated_at") == [stamp]


@pytest.mark.parametrize("path", [DAYS, HOURS])
@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": "201"},
        {"limit": "0"},
        {"offset": "x"},
        {"start_date": "01.01.2026"},
        {"start_date": "2026-06-02", "end_date": "2026-06-01"},
        {"employees[]": "x"},
        {"updated_since": "2026-01-01"},
    ],
)
def test_invalid_parameters_are_rejected(api: Any, path: str, wrong: dict[str, str]) -> None:
    status, body, _ = api.get(path, wrong)
    assert (status, body["success"], body["error"]["code"]) == (400, False, 0)


@pytest.mark.parametrize("path", [DAYS, HOURS])
def test_a_parameter_cannot_be_repeated(api: Any, path: str) -> None:
    assert api.get(path, (("limit", "5"), ("limit", "5")))[0] == 400
    assert api.get(path, (("employees[]", "9604"), ("employees[]", "9604")))[0] == 200


def test_missing_rows_are_not_found(api: Any) -> None:
    hourly = next(row.id for row in api.company.absences if row.start_half is None)
    for key in ("1", "nothing", str(hourly)):
        status, body, _ = api.get(f"{DAYS}/{key}")
        assert (status, body["error"]["code"]) == (404, 404)


def test_a_missing_permission_is_rejected(make_api: Any) -> None:
    api = make_api(employees=12)
    api.vendor.access.revoke(permission="absences:read", endpoint=None, status=None)
    for path in (TYPES, DAYS, f"{DAYS}/1", HOURS):
        assert api.get(path)[0] == 403
