"""Endpoints that only v1 has, and the public career site."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hr_sandbox.http.limits import Buckets, TokenRequestLimit
from hr_sandbox.http.messages import Request
from hr_sandbox.personio.careers import LANGUAGES, list_positions

ROOT = "http://127.0.0.1:1/personio"
PEOPLE = "/v1/company/employees"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


def read_stream(api: Any, **query: str) -> list[Any]:
    rows: list[Any] = []
    while True:
        status, body, _ = api.get(PEOPLE, {"limit": "100", "offset": str(len(rows)), **query})
        assert status == 200
        rows += body["data"]
        if len(rows) >= body["metadata"]["total_elements"]:
            return rows


def test_a_token_is_valid_for_both_versions_and_invalid_requests_are_rejected(make_api: Any) -> None:
    api = make_api(employees=12)
    status, body, _ = api.post_json("/v1/auth", CLIENT)
    assert (status, body["success"]) == (200, True)
    assert set(body["data"]) == {"token", "expires_in", "scope"}
    assert api.post("/v1/auth", CLIENT)[0] == 200
    header = {"authorization": f"Bearer {body['data']['token']}"}
    assert api.get(PEOPLE, **header)[0] == 200
    assert api.get("/v2/persons", **header)[0] == 200
    for wrong in ({**CLIENT, "client_secret": "x"}, {"client_id": "x"}, {**CLIENT, "grant_type": "x"}, [], {}):
        status, refused, _ = api.post_json("/v1/auth", wrong)
        assert status in {400, 403}
        assert refused["success"] is False
        assert set(refused["error"]) == {"code", "message"}
    query = tuple(CLIENT.items())
    assert api.send(Request("POST", "/v1/auth", query))[0] == 403
    assert api.send(replace(Request("GET", "/v1/auth"), headers={}))[0] == 405
    status, error, _ = api.get(PEOPLE, authorization="Bearer x")
    assert (status, error["error"]["code"]) == (401, 401)


def test_pages_of_employees_contain_every_row_and_reject_invalid_parameters(api: Any) -> None:
    assert read_stream(api) == api.vendor.list_records("employees", api.company.today, api.company.today, ROOT)
    _, first, _ = api.get(PEOPLE)
    assert len(first["data"]) == first["limit"] == 50
    _, second, _ = api.get(PEOPLE, {"offset": "50"})
    assert second["metadata"] == {"total_elements": 130, "current_page": 1, "total_pages": 3}
    ids = [row["attributes"]["id"]["value"] for row in (*first["data"], *second["data"])]
    assert len(set(ids)) == 100
    assert api.get(PEOPLE, {"offset": "1000"})[1]["data"] == []
    for wrong in ({"limit": "101"}, {"limit": "0"}, {"offset": "-1"}, {"page": "1"}, {"updated_since": "soon"}):
        status, body, _ = api.get(PEOPLE, wrong)
        assert (status, body["success"], body["error"]["code"]) == (400, False, 0)


def test_one_employee_is_found_by_id_and_email(api: Any) -> None:
    row = read_stream(api)[3]
    number, email = (row["attributes"][key]["value"] for key in ("id", "email"))
    assert api.get(f"{PEOPLE}/{number}")[1]["data"] == row
    assert read_stream(api, email=email) == [row]
    status, body, _ = api.get(f"{PEOPLE}/1")
    assert (status, body["success"], body["error"]["code"]) == (404, False, 404)
    few = api.get(PEOPLE, (("attributes[]", "email"), ("attributes[]", "dynamic_12345"), ("limit", "1")))[1]["data"]
    assert set(few[0]["attributes"]) == {"id", "email", "dynamic_12345"}


def test_updated_since_returns_rows_changed_up_to_45_minutes_earlier(api: Any) -> None:
    rows = read_stream(api)
    stamps = sorted(datetime.fromisoformat(row["attributes"]["last_modified_at"]["value"]) for row in rows)
    for since in (stamps[-20], stamps[-1] + timedelta(minutes=45), stamps[-1] + timedelta(minutes=45, seconds=1)):
        later = read_stream(api, updated_since=since.isoformat())
        # Records that changed up to 45 minutes earlier are returned too.
        assert len(later) == sum(stamp + timedelta(minutes=45) >= since for stamp in stamps) < len(rows)
        assert all(row in rows for row in later)
    assert later == []
    assert len(read_stream(api, updated_since="2000-01-01")) == len(rows)


def test_values_are_inconsistent(api: Any) -> None:
    rows = read_stream(api)

    def seen(key: str) -> list[Any]:
        return [row["attributes"][key]["value"] for row in rows]

    tags = seen("dynamic_30001")
    assert "" in tags
    assert any(text.startswith("[") and isinstance(json.loads(text), list) for text in tags)
    assert any("," in text and not text.startswith("[") for text in tags)
    nothing = [value for value in seen("team") if not isinstance(value, dict)]
    assert {json.dumps(value) for value in nothing} == {"null", '""', "[]"}
    assert {type(value) for value in seen("dynamic_20417")} >= {int, str}
    assert {type(value) for value in seen("weekly_working_hours")} == {str}
    assert len({(len(text), text[10]) for text in seen("hire_date")}) == 4
    labels = [row["attributes"][key]["label"] for row in rows[:1] for key in ("dynamic_12345", "dynamic_12399")]
    assert labels[0] == labels[1]


def test_attribute_definitions_have_every_attribute_with_its_type(api: Any) -> None:
    dictionary = api.get(f"{PEOPLE}/attributes")[1]["data"]
    keys = {row["key"] for row in dictionary}
    for row in read_stream(api):
        assert set(row["attributes"]) <= keys
    kinds = {row["key"]: row["type"] for row in dictionary}
    assert set(kinds.values()) == {"standard", "integer", "decimal", "date", "list", "tags"}
    shown = read_stream(api)[0]["attributes"]
    assert {key: part["type"] for key, part in shown.items()} == {key: kinds[key] for key in shown}


def test_balances_and_categories_are_consistent_with_the_company(api: Any) -> None:
    count = 0
    for person in api.company.people:
        rows = api.get(f"{PEOPLE}/{person.id}/absences/balance")[1]["data"]
        assert set(rows[0]) == {"id", "name", "category", "balance", "available_balance"}
        assert all(row["available_balance"] <= row["balance"] for row in rows)
        count += len(rows)
    assert count == api.vendor.count_rows("absence_balances", api.company.today, api.company.today)
    assert api.get(f"{PEOPLE}/1/absences/balance")[0] == 404
    found = api.get("/v1/company/document-categories")[1]["data"]
    documents = api.vendor.list_records("documents", api.company.today, api.company.today, "")
    assert {row["category"]["id"] for row in documents} <= {str(row["id"]) for row in found}


def test_pictures_are_served_for_persons_with_one(api: Any) -> None:
    for person in list(api.company.people)[:20]:
        request = Request("GET", f"{PEOPLE}/{person.id}/profile-picture", headers=api.headers)
        answer = api.vendor.handle(request)
        assert answer.status == (200 if person.has_picture else 404)
        assert not person.has_picture or answer.body.startswith(b"\x89PNG")


def test_revoked_permissions_and_attributes_are_not_readable(make_api: Any) -> None:
    api = make_api(employees=12)
    assert api.get("/v1/nothing")[0] == 404
    assert api.post(PEOPLE, {})[0] == 405
    api.vendor.access.revoke(permission="absences:read", endpoint=None, status=None)
    person = next(iter(api.company.people)).id
    assert api.get(f"{PEOPLE}/{person}/absences/balance")[0] == 403
    assert "absences:read" not in api.post_json("/v1/auth", CLIENT)[1]["data"]["scope"]
    api.vendor.allow_attribute("employees.last_modified_at", allowed=False)
    assert not any("last_modified_at" in row["attributes"] for row in read_stream(api))
    assert api.vendor.find_template(f"{PEOPLE}/{person}/absences/balance") == f"{PEOPLE}/{{id}}/absences/balance"


def test_employees_have_their_documented_limit(make_api: Any) -> None:
    api = make_api(employees=12, requests_per_minute=None)
    answers = [api.get(PEOPLE, {"limit": "1"}) for _ in range(20)]
    assert [status for status, _, _ in answers[:15]] == [200] * 15
    status, body, headers = next(answer for answer in answers if answer[0] != 200)
    assert (status, body["success"], body["error"]["code"]) == (429, False, 429)
    assert "retry-after" not in headers
    assert api.get(f"{PEOPLE}/attributes")[0] == 200


def test_all_of_v1_shares_a_limit_of_two_thousand_requests_a_minute(
    make_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api(employees=12, requests_per_minute=None)
    monkeypatch.setattr(api.vendor._v1, "_buckets", Buckets(lambda: 0.0))
    paths = ("document-categories", "time-off-types", "custom-reports/columns", "employees/attributes", "nothing")
    statuses = [api.get(f"/v1/company/{paths[index % 5]}")[0] for index in range(2001)]
    assert set(statuses[:2000]) == {200, 404}
    assert statuses[2000] == 429
    assert api.post_json("/v1/auth", CLIENT)[0] == 429
    assert api.get("/v2/persons")[0] == 200


def test_tokens_have_their_own_limit(make_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api = make_api(employees=12, requests_per_minute=None)
    monkeypatch.setattr(api.vendor._v1, "_token_limit", TokenRequestLimit(150, lambda: 0.0))
    answers = [api.post_json("/v1/auth", CLIENT) for _ in range(151)]
    assert {status for status, _, _ in answers[:150]} == {200}
    assert (answers[150][0], answers[150][1]["error"]["code"]) == (429, 429)
    assert api.get(f"{PEOPLE}/attributes")[0] == 200


def test_headers_are_checked(api: Any) -> None:
    for headers, status in (({"origin": "http://a.example"}, 403), ({"x-personio-app-id": "my app"}, 400)):
        answered, body, _ = api.get(f"{PEOPLE}/attributes", **headers)
        assert (answered, body["success"], body["error"]["code"]) == (status, False, status)
    assert api.get(f"{PEOPLE}/attributes", **{"x-personio-app-id": "MY_APP_1"})[0] == 200


@pytest.mark.parametrize("language", ["de", "en", "cs"])
def test_open_positions(api: Any, language: str) -> None:
    site = api.vendor.careers
    answer = site.handle(Request("GET", "/xml", (("language", language),)))
    assert answer.headers["content-type"].startswith("application/xml")
    root = ET.fromstring(answer.body)  # noqa: S314  written by the sandbox
    assert root.tag == "workzag-jobs"
    truth = list_positions(api.company)
    assert [int(node.findtext("id") or 0) for node in root] == [row["id"] for row in truth] != []
    assert len(LANGUAGES) * len(truth) == api.vendor.count_rows("open_positions", api.company.today, api.company.today)
    texts = root.findall("position/jobDescriptions/jobDescription/value")
    assert (texts[0].text or "").startswith("<p>")


def test_invalid_requests_to_the_career_site_are_rejected(api: Any) -> None:
    site = api.vendor.careers
    for query in ((), (("language", "xx"),), (("language", "de"), ("page", "2"))):
        assert site.handle(Request("GET", "/xml", query)).status == 400
    assert site.handle(Request("GET", "/jobs")).status == 404


def test_some_positions_of_a_feed_have_salaries(make_api: Any) -> None:
    api = make_api(employees=130)
    shown = {name for row in list_positions(api.company) for name in row}
    assert {"workplaceType", "additionalOffices"} <= shown
    root = ET.fromstring(api.vendor.careers.handle(FEED).body)  # noqa: S314  written by the sandbox
    assert len(root.findall("position/additionalOffices")) > len(root.findall("position/salaryInformation/min")) > 0


FEED = Request("GET", "/xml", (("language", "it"),), root=f"{ROOT}-careers")


@pytest.mark.parametrize(
    ("mode", "status", "part"),
    [
        ("missing", 404, b"<!doctype html>"),
        ("robots", 403, b"human"),
        ("page", 200, b"<!doctype html>"),
        ("moved", 307, b""),
        ("control-characters", 200, b"\x0b"),
        ("entities", 200, b"&nbsp;"),
        ("deep", 200, b"<level><level>"),
    ],
)
def test_modes_replace_the_feed_of_one_language(make_api: Any, mode: str, status: int, part: bytes) -> None:
    api = make_api(employees=12)
    usual = api.vendor.careers.handle(FEED)
    api.vendor.set_mode("/xml", mode, "it")
    answer = api.vendor.careers.handle(FEED)
    assert answer.status == status
    assert part in answer.body
    german = Request("GET", "/xml", (("language", "de"),))
    assert api.vendor.careers.handle(german).body == usual.body


def test_a_token_without_expires_in(make_api: Any) -> None:
    api = make_api(employees=12)
    api.vendor.set_mode("/v1/auth", "no-expiry")
    _, body, _ = api.post_json("/v1/auth", CLIENT)
    assert set(body["data"]) == {"token", "scope"}
    assert api.get(PEOPLE, authorization=f"Bearer {body['data']['token']}")[0] == 200
