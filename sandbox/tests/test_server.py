"""The sandbox over HTTP: controls, faults, request log, latency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from hr_sandbox.testing import running

TIMEOUT = 30


def get(url: str, headers: dict[str, str], **query: str) -> requests.Response:
    return requests.get(url, headers=headers, params=query, timeout=TIMEOUT)


def test_counts_records_and_permissions(sandbox: Any, get_token: Any) -> None:
    counts = sandbox.counts("personio")
    assert {"persons", "employments", "compensation_types", "salary_bands"} <= set(counts)
    for stream, count in counts.items():
        assert len(sandbox.records("personio", stream)) == count
    window = sandbox.control("counts?start_date=2024-01-01&end_date=2024-01-31")["personio"]
    assert 0 < window["compensations"] < counts["compensations"]
    page = get(f"{sandbox.url}/personio/v2/persons", get_token(sandbox), limit="50").json()
    assert page["_data"] == sandbox.records("personio", "persons")
    assert sandbox.control("counts?vendor=personio") == {"personio": counts}
    assert set(sandbox.control("counts")) == {"personio", "factorial", "cornerstone"}
    permissions = sandbox.control("permissions")["personio"]
    assert "personio:persons:read" in permissions["granted"]
    assert permissions["revoked"] == {}


def test_records_link_to_the_requested_host(sandbox: Any) -> None:
    person = sandbox.records("personio", "persons")[0]
    href = f"{sandbox.url}/personio/v2/persons/{person['id']}/employments"
    assert person["_meta"]["links"]["employments"]["href"] == href


def test_an_edit_is_served(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    url = f"{sandbox.url}/personio/v2/persons"
    before = {row["id"]: row for row in get(url, headers, limit="50").json()["_data"]}
    stamp = max(row["updated_at"] for row in before.values())
    person = next(iter(before))
    said = sandbox.control("edit", kind="person", id=person, field="last_name", value="Ωmega")
    assert said == {"changed": [{"action": "updated", "kind": "person", "id": person, "number": int(person)}]}
    changed = get(url, headers, **{"updated_at.gt": stamp}).json()["_data"]
    assert [(row["id"], row["last_name"]) for row in changed] == [(person, "Ωmega")]


def test_controls_hire_terminate_and_delete(sandbox: Any) -> None:
    counts = sandbox.counts("personio")
    person = sandbox.control("hire", first_name="Zoë")["changed"][0]["id"]
    assert sandbox.counts("personio")["persons"] == counts["persons"] + 1
    assert sandbox.control("terminate", person_id=person)["changed"][0]["kind"] == "employment"
    gone = sandbox.control("delete", kind="person", id=person)["changed"]
    assert {change["action"] for change in gone} == {"deleted"}
    events = {"webhook_events", "webhook_activity"}  # the changes cause events
    after = sandbox.counts("personio")
    assert {name for name, count in after.items() if count != counts[name]} == events


def test_controls_change_permissions_tokens_and_attributes(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    url = f"{sandbox.url}/personio/v2/absence-types"
    sandbox.control("revoke", vendor="personio", permission="personio:absences:read", status=403)
    assert get(url, headers).status_code == 403
    sandbox.control("grant", vendor="personio", permission="personio:absences:read")
    sandbox.control("allow-list", vendor="personio", attribute="absence_types.category", allowed=False)
    assert "category" not in get(url, headers).json()["_data"][0]
    assert sandbox.control("permissions")["personio"]["hidden"] == ["absence_types.category"]
    assert sandbox.control("expire-tokens")["personio"] == {"expired": 1}
    assert get(url, headers).status_code == 401


def test_controls_change_links_and_duplicate_records(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    url = f"{sandbox.url}/personio/v2/persons"
    sandbox.control("links", vendor="personio", path="/v2/persons", style="relative")
    assert get(url, headers).json()["_meta"]["links"]["next"]["href"].startswith("/v2/persons?")
    sandbox.control("links", vendor="personio", path="/v2/persons", style="normal")
    doubled = sandbox.control("duplicate", vendor="personio", stream="persons")["id"]
    first = get(url, headers).json()
    second = get(first["_meta"]["links"]["next"]["href"], headers).json()
    assert doubled in {row["id"] for row in first["_data"]}
    assert second["_data"][0]["id"] == doubled


def test_controls_apply_to_v1(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    url = f"{sandbox.url}/personio/v1/company"
    window = {"start_date": "2020-01-01", "end_date": "2026-12-31"}
    assert get(f"{url}/attendances", headers, **window).status_code == 200
    said = sandbox.control("mode", vendor="personio", path="/v1/company/attendances", mode="refuse-nights")
    assert said == {"path": "/v1/company/attendances", "mode": "refuse-nights", "id": None}
    assert sandbox.control("permissions")["personio"]["modes"] == [said]
    # With the declared path, for all reports. The log contains repeated parameters.
    sandbox.control("fault", path="/personio/v1/company/custom-reports/reports/{id}", kind="status", status=500)
    report = sandbox.records("personio", "custom_reports")[0]["attributes"]["id"]
    failed = get(f"{url}/custom-reports/reports/{report}", headers)
    assert (failed.status_code, failed.json()[0]["status"]) == (500, 500)
    people = [("employees[]", "1"), ("employees[]", "2")]
    assert requests.get(f"{url}/time-offs", headers=headers, params=people, timeout=TIMEOUT).json()["data"] == []
    last = sandbox.requests()[-1]
    assert last["query"] == {"employees[]": ["1", "2"]}
    counts = sandbox.counts("personio")
    day = sandbox.control("counts?start_date=2026-06-01&end_date=2026-06-03")["personio"]
    for stream in ("attendances", "time_offs", "absence_periods_v1"):
        assert day[stream] < counts[stream]
    for stream in ("attendance_projects", "time_off_types", "custom_report_rows", "custom_report_columns"):
        assert day[stream] == counts[stream] > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("hire", {"shoe_size": 44}),
        ("hire", {"self": 1}),
        ("hire", {"start_date": "soon"}),
        ("terminate", {"date": 5}),
        ("terminate", {"person_id": []}),
        ("edit", {"kind": "person"}),
        ("edit", {"kind": [], "id": "1", "field": "x", "value": 1}),
        ("delete", {"kind": "person", "id": "1"}),
        ("delete", {"kind": "person", "id": "1", "force": True}),
        ("revoke", {"vendor": "personio"}),
        ("revoke", {"vendor": "personal", "permission": "x"}),
        ("grant", {"permission": "x"}),
        ("expire-tokens", {"vendor": "x"}),
        ("allow-list", {"vendor": "personio", "attribute": "persons.email", "allowed": "no"}),
        ("links", {"vendor": "personio", "path": "/v2/persons", "style": "odd"}),
        ("mode", {"vendor": "personio", "path": "/v2/nothing", "mode": "normal"}),
        ("mode", {"vendor": "personio", "path": 5}),
        ("mode", {"vendor": "personio", "path": "/v2/persons", "mode": "normal", "more": 1}),
        ("mode", {"vendor": "factorial", "path": "teams/teams", "mode": "unpaged", "id": "1"}),
        ("mode", {"vendor": "cornerstone", "path": "employees", "mode": "bare", "id": "1"}),
        ("mode", {"vendor": "personio", "path": "/v1/company/time-offs", "mode": "odd"}),
        ("fault", {"path": "/v2/persons"}),
        ("fault", {"kind": "drop"}),
        ("duplicate", {"vendor": "personio", "stream": "x"}),
        ("counts?start_date=x", {}),
        ("counts?first=2024-01-01", {}),
        ("counts?vendor=x", {}),
        ("counts?=http://elsewhere.example", {}),
        ("records?vendor=personio&stream=persons&=http://elsewhere.example", {}),
        ("expire-tokens", {"": "http://elsewhere.example"}),
        ("fault", {"path": "/personio/v2/persons", "kind": "retry-after", "form": "date", "seconds": 1e15}),
        ("counts?end_date=9999-12-31", {}),
        ("records?vendor=personio", {}),
        ("records?vendor=personio&stream=x", {}),
        ("nothing", {}),
    ],
    ids=str,
)
def test_invalid_controls_are_rejected_with_a_sentence(shared_sandbox: Any, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        shared_sandbox.control(path, **body)


@pytest.fixture(scope="module")
def shared_sandbox() -> Any:
    with running(employees=10, requests_per_minute=60_000_000) as sandbox:
        yield sandbox


def test_a_body_that_is_not_an_object(shared_sandbox: Any) -> None:
    for body in (b"{", b"[]", b"1"):
        answer = requests.post(f"{shared_sandbox.url}/_control/hire", data=body, timeout=TIMEOUT)
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(".")
    assert requests.get(f"{shared_sandbox.url}/_control/hire", timeout=TIMEOUT).status_code == 404
    assert requests.get(f"{shared_sandbox.url}/factorial", timeout=TIMEOUT).status_code == 404


def test_faults_apply_to_their_path_until_cleared(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    url = f"{sandbox.url}/personio/v2/persons"
    fault = {"path": "/personio/v2/persons"}

    assert sandbox.control("fault", **fault, status=502, after=1)["fault"]["kind"] == "status"
    assert [get(url, headers).status_code for _ in range(3)] == [200, 502, 200]

    sandbox.control("fault", **fault, kind="truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(url, headers)
    sandbox.control("fault", **fault, kind="drop")
    with pytest.raises(requests.exceptions.ConnectionError):
        get(url, headers)
    sandbox.control("fault", **fault, kind="html")
    assert get(url, headers).headers["content-type"] == "text/html"
    sandbox.control("fault", **fault, kind="slow", seconds=0.01)
    assert get(url, headers).status_code == 200

    sandbox.control("fault", **fault, kind="retry-after", seconds=2)
    answer = get(url, headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    sandbox.control("fault", **fault, kind="retry-after", seconds=2, form="date", status=503)
    answer = get(url, headers)
    assert answer.status_code == 503
    assert parsedate_to_datetime(answer.headers["retry-after"]).tzinfo

    sandbox.control("fault", **fault, times=None)
    assert get(url, headers).status_code == 503
    assert sandbox.control("fault", method="DELETE") == {"cleared": 1}
    assert get(url, headers).status_code == 200


def test_a_fault_applies_to_a_declared_path(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    person = sandbox.records("personio", "persons")[0]["id"]
    sandbox.control("fault", path="/personio/v2/persons/{person_id}/employments", kind="status", status=500)
    assert get(f"{sandbox.url}/personio/v2/persons/{person}/employments", headers).status_code == 500


def test_random_faults_occur_only_with_a_rate(get_token: Any) -> None:
    with running(employees=10, requests_per_minute=60_000_000) as calm:
        headers = get_token(calm)
        assert all(get(f"{calm.url}/personio/v2/persons", headers).status_code == 200 for _ in range(30))
    with running(employees=10, requests_per_minute=60_000_000, fault_rate=1) as stormy:
        kinds: set[int | str] = set()
        for _ in range(40):
            try:
                kinds.add(get(f"{stormy.url}/personio/v2/persons", {}).status_code)
            except requests.exceptions.RequestException as error:
                kinds.add(type(error).__name__)
        assert {429, 500, 502, 503, "ConnectionError", "ChunkedEncodingError"} <= kinds


def test_the_log_contains_method_path_query_and_headers(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    sandbox.clear_requests()
    url = f"{sandbox.url}/personio/v2/persons?limit=5&limit=6&id=1"
    requests.get(url, headers={**headers, "User-Agent": "test/1"}, timeout=TIMEOUT)
    (entry,) = sandbox.requests()
    assert entry.pop("time") > 0
    assert entry == {
        "method": "GET",
        "path": "/personio/v2/persons",
        "query": {"limit": ["5", "6"], "id": "1"},
        "status": 400,
        "in_flight": 1,
        "fault": None,
        "headers": {"user-agent": "test/1"},
    }


def test_latency_does_not_block_other_requests(get_token: Any) -> None:
    with running(employees=10, requests_per_minute=60_000_000, latency_ms=300) as sandbox:
        headers = get_token(sandbox)
        with ThreadPoolExecutor(8) as pool:
            url = f"{sandbox.url}/personio/v2/persons"
            statuses = list(pool.map(lambda _: get(url, headers).status_code, range(8)))
        assert statuses == [200] * 8
        assert max(entry["in_flight"] for entry in sandbox.requests()) > 1


def test_one_limit_can_replace_those_of_the_vendors(get_token: Any) -> None:
    with running(employees=10, requests_per_minute=30) as sandbox:
        headers = get_token(sandbox)
        paths = ("persons", "absence-types", "absence-periods")
        answers = [get(f"{sandbox.url}/personio/v2/{path}", headers) for path in paths]
        assert [answer.status_code for answer in answers] == [429] * 3
        assert "retry-after" not in answers[0].headers
        assert answers[0].headers["x-ratelimit-requested-tokens"] == "60"


def test_the_career_site_and_v1_are_served(sandbox: Any, get_token: Any) -> None:
    feed = f"{sandbox.url}/personio-careers/xml"
    assert get(feed, {}, language="de").text.startswith("<?xml")
    assert get(feed, {}).status_code == 400
    sandbox.control("fault", path="/personio-careers/xml", status=503)
    assert get(feed, {}, language="de").status_code == 503
    answer = requests.post(
        f"{sandbox.url}/personio/v1/auth",
        json={"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
        timeout=TIMEOUT,
    )
    headers = {"Authorization": f"Bearer {answer.json()['data']['token']}"}
    people = get(f"{sandbox.url}/personio/v1/company/employees", headers).json()["data"]
    assert people == sandbox.records("personio", "employees")
    picture = next(row["url"] for row in sandbox.records("personio", "profile_pictures"))
    assert get(picture, headers).headers["content-type"] == "image/png"
    sandbox.control("fault", path="/personio/v1/company/employees/{id}", status=500)
    failed = get(f"{sandbox.url}/personio/v1/company/employees/{people[0]['attributes']['id']['value']}", headers)
    assert (failed.status_code, failed.json()["success"]) == (500, False)


def test_changes_by_a_control_create_events(sandbox: Any, get_token: Any) -> None:
    headers = get_token(sandbox)
    webhook = sandbox.records("personio", "webhooks")[0]["id"]
    absence = sandbox.records("personio", "absence_periods")[0]["id"]
    sandbox.control("delete", kind="absence_period", id=absence)
    url = f"{sandbox.url}/personio/v2/webhooks/{webhook}/events"
    events = get(url, headers, event_name="absence-period.deleted", limit="200").json()["_data"]
    assert events[-1]["data"] == {"id": absence}
