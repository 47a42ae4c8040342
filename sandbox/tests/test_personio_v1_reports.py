"""Custom reports of v1."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from hr_sandbox.http.messages import Request

PATH = "/v1/company/custom-reports"


def list_reports(api: Any, **query: str) -> list[Any]:
    return [row["attributes"] for row in api.get(f"{PATH}/reports", query)[1]["data"]]


def find_report(api: Any, kind: str) -> Any:
    return next(row for row in list_reports(api) if row["type"] == kind and row["status"] == "up_to_date")


def read_pages(api: Any, key: str, limit: int, **query: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    while True:
        page = str(len(found) + 1)
        status, body, _ = api.get(f"{PATH}/reports/{key}", {"limit": str(limit), "page": page, **query})
        assert status == 200, body
        if not body["data"][0]["attributes"]["items"]:
            return found
        found.append(body["data"][0]["attributes"]["items"])


def error_statuses(answer: tuple[int, Any, Any]) -> tuple[int, int]:
    """Returns the status of a response, and the one in its body."""
    status, body, _ = answer
    (only,) = body
    assert only["errors"][0]["details"]
    return status, only["status"]


def test_reports_are_listed_and_filtered(api: Any) -> None:
    _, body, _ = api.get(f"{PATH}/reports")
    rows = [row["attributes"] for row in body["data"]]
    assert body["data"] == api.vendor.list_records("custom_reports", None, None, "")
    assert body["metadata"] == {"total_elements": len(rows), "current_page": 0, "total_pages": 1}
    assert {row["type"] for row in rows} == {"point_in_time", "timeframe", "historical_data"}
    assert {row["status"] for row in rows} == {"up_to_date", "updating", "update_failed"}
    assert not any("items" in row for row in rows)
    some = [row["id"] for row in rows[1:3]]
    assert list_reports(api, report_ids=", ".join(some)) == rows[1:3]
    assert list_reports(api, report_ids="nothing") == []
    assert list_reports(api, status="updating") == [row for row in rows if row["status"] == "updating"] != []
    for wrong in ({"status": "new"}, {"report_ids": "a,,b"}, {"limit": "10"}):
        assert error_statuses(api.get(f"{PATH}/reports", wrong)) == (400, 400)


def test_rows_are_numbered_in_each_report(api: Any) -> None:
    rows = api.vendor.list_records("custom_report_rows", None, None, "")
    for key, group in groupby(rows, lambda row: row["_report_id"]):
        own = list(group)
        assert [row["_row_number"] for row in own] == list(range(1, len(own) + 1))
        served = [item for page in read_pages(api, key, 200) for item in page]
        assert served == [{name: value for name, value in row.items() if name[0] != "_"} for row in own]
    assert len({row["_report_id"] for row in rows}) == len(list_reports(api)) - 1  # one is empty


def test_pages_count_persons(api: Any) -> None:
    key = find_report(api, "timeframe")["id"]
    whole = read_pages(api, key, 200)
    people = [number for number, _ in groupby(item["employee_id"] for page in whole for item in page)]
    assert len(people) == len(set(people)) == len(api.company.people)
    split = read_pages(api, key, 7)
    assert [item for page in split for item in page] == [item for page in whole for item in page]
    assert {len({item["employee_id"] for item in page}) for page in split[:-1]} == {7}
    assert max(len(page) for page in split) > 7  # a person has several rows
    _, body, _ = api.get(f"{PATH}/reports/{key}")
    _, second, _ = api.get(f"{PATH}/reports/{key}", {"page": "2"})
    assert (body["offset"], body["limit"], second["offset"]) == (0, 10, 10)
    count = len(api.company.people)
    assert second["metadata"] == {"total_elements": count, "current_page": 1, "total_pages": -(-count // 10)}
    first = api.get(f"{PATH}/reports/{key}", {"page": "1"})[1]
    assert first == body


def test_a_report_of_a_point_in_time_has_typed_cells(api: Any) -> None:
    found = find_report(api, "point_in_time")
    items = [item for page in read_pages(api, found["id"], 200) for item in page]
    for item in items:
        assert [cell["attribute_id"] for cell in item["attributes"]] == found["columns"]
        assert {cell["employee_id"] for cell in item["attributes"]} == {item["employee_id"]}
    kinds = {cell["data_type"] for cell in items[0]["attributes"]}
    assert kinds == {"TEXT", "ENTITY", "COST_CENTER", "DURATION", "SALARY"}
    german = [item for page in read_pages(api, found["id"], 200, locale="de") for item in page]
    words = [{item["attributes"][2]["value"] for item in rows} for rows in (items, german)]
    assert "Active" in words[0]
    assert "Aktiv" in words[1]
    here = next(row for row in list_reports(api) if row["filters"] and row["type"] == "point_in_time")
    assert here["filters"][0]["column"] == "office_id"
    number = int(here["filters"][0]["value"])
    there = {row.id for row in api.company.people if api.company.latest_employment(row.id).office_id == number}
    assert {item["employee_id"] for page in read_pages(api, here["id"], 200) for item in page} == there


def test_a_report_of_a_timeframe_has_periods_in_it(api: Any) -> None:
    found = find_report(api, "timeframe")
    cells = [cell for page in read_pages(api, found["id"], 200) for item in page for cell in item["attributes"]]
    spans = [cell for cell in cells if cell["data_type"] == "ABSENCE_PERIOD"]
    assert spans
    for cell in spans:
        assert cell["start_date"] <= found["end_date"]
        assert (cell["end_date"] or "9") >= found["start_date"]
    sums = [cell for cell in cells if cell["data_type"] == "ABSENCE_OVERVIEW"]
    assert all(isinstance(cell["duration_days"], str) for cell in sums)
    assert any(float(cell["duration_days"]) > 0 for cell in sums)


def test_historical_data_has_several_dated_values_per_column(api: Any) -> None:
    found = find_report(api, "historical_data")
    items = [item for page in read_pages(api, found["id"], 200) for item in page]
    assert {tuple(item) for item in items} == {("employee_id", "historical_attributes")}
    for item in items:
        since = [cell["effective_date"] for cell in item["historical_attributes"]]
        assert since == sorted(since)
        assert found["start_date"] <= since[0]
        assert since[-1] <= found["end_date"]
    seen = [(item["employee_id"], cell["attribute_id"]) for item in items for cell in item["historical_attributes"]]
    assert len(seen) > len(set(seen))  # one column has several values, each with a start date


def test_columns_have_the_types_of_their_cells(api: Any) -> None:
    _, body, _ = api.get(f"{PATH}/columns")
    assert body["data"]["type"] == "Column"
    rows = body["data"]["attributes"]
    assert rows == api.vendor.list_records("custom_report_columns", None, None, "")
    known = {row["attribute_id"]: row["data_type"] for row in rows}
    assert len(known) == len(rows)
    for row in api.vendor.list_records("custom_report_rows", None, None, ""):
        for cell in row.get("attributes") or row["historical_attributes"]:
            assert known[cell["attribute_id"]] == cell["data_type"]
    found = find_report(api, "timeframe")
    of_report = api.get(f"{PATH}/columns", {"report_id": found["id"]})[1]["data"]["attributes"]
    assert {row["attribute_id"] for row in of_report} == set(found["columns"])
    some = api.get(f"{PATH}/columns", {"columns": "last_name,status", "locale": "de"})[1]["data"]["attributes"]
    assert [row["human_readable"] for row in some] == ["Nachname", "Status"]
    assert error_statuses(api.get(f"{PATH}/columns", {"report_id": "nothing"})) == (404, 404)
    assert error_statuses(api.get(f"{PATH}/columns", {"locale": "xx"})) == (400, 400)


def test_errors_are_lists(make_api: Any) -> None:
    api = make_api(employees=12)
    key = list_reports(api)[0]["id"]
    assert error_statuses(api.get(f"{PATH}/reports/nothing")) == (404, 404)
    for wrong in ({"page": "0"}, {"limit": "0"}, {"limit": "201"}, {"locale": "xx"}, {"offset": "1"}):
        assert error_statuses(api.get(f"{PATH}/reports/{key}", wrong)) == (400, 400)
    api.vendor.access.revoke(permission="custom-reports:read", endpoint=None, status=None)
    for path in ("reports", f"reports/{key}", "columns"):
        status, body, _ = api.get(f"{PATH}/{path}")  # authorization errors have the usual format
        assert (status, body["success"], body["error"]["code"]) == (403, False, 403)
    assert api.get(f"{PATH}/reports", authorization="Bearer x")[1]["error"]["code"] == 401


def test_deleted_records_are_not_missed(make_api: Any) -> None:
    api = make_api()
    count = len(list_reports(api))
    for row in list(api.company.absences):
        api.company.absences.remove(row)
    api.changes.delete("absence_type", next(iter(api.company.absence_types)).uuid)
    api.changes.delete("person", str(next(iter(api.company.people)).id))
    for found in list_reports(api):
        assert api.get(f"{PATH}/reports/{found['id']}", {"limit": "200"})[0] == 200
    assert api.get(f"{PATH}/columns")[0] == 200
    api.changes.delete("custom_report", list_reports(api)[0]["id"])
    assert len(list_reports(api)) == count - 1


def test_failures_have_a_list_of_errors(api: Any) -> None:
    request = Request("GET", f"{PATH}/reports/x")
    for status, listed in ((500, True), (503, True), (429, False)):
        answer = api.vendor.make_error_response(status, request)
        assert answer.status == status
        assert isinstance(json.loads(answer.body), list) is listed
    assert (
        json.loads(api.vendor.make_error_response(500, Request("GET", "/v1/company/time-offs")).body)["success"]
        is False
    )
