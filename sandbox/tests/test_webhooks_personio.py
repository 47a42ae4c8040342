"""Personio's webhooks: how they are managed, and what is sent to them."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from hr_sandbox.http.messages import Request, to_json
from hr_sandbox.personio.webhooks.events import NAMES

TIMEOUT = 30
JOB, COST_CENTER = 502, 26  # numbers of records
WEBHOOKS = "/v2/webhooks"
HOOK = {
    "url": "https://hooks.example/new",
    "description": "New",
    "enabled_events": ["person.created"],
    "token": "s3cret",
}


def call(api: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {**api.headers, "content-type": "application/json"}
    raw = b"" if body is None else to_json(body).encode()
    return api.send(Request(method, path, headers=headers, body=raw))[:2]  # type: ignore[no-any-return]


@pytest.fixture
def write(make_api: Any) -> Any:
    api = make_api(employees=12, http_webhooks=True)
    return lambda *call_: call(api, *call_)


@pytest.fixture
def subscribe(pushing: Any, receiver: Any, get_token: Any) -> Any:
    """Returns a function that creates an enabled webhook and returns its URL and the headers of a client."""
    headers = get_token(pushing)

    def create(*names: str, **members: Any) -> tuple[str, dict[str, str]]:
        body = {**HOOK, "url": receiver.url, "status": "ENABLED", "enabled_events": names or NAMES, **members}
        answer = requests.post(f"{pushing.url}/personio{WEBHOOKS}", json=body, headers=headers, timeout=TIMEOUT)
        assert answer.status_code == 201, answer.text
        return f"{answer.url}/{answer.json()['id']}", headers

    return create


def names_of(receiver: Any) -> list[str]:
    return [body["event_name"] for body in receiver.bodies()]


def test_a_new_webhook_is_disabled_and_has_a_token(write: Any) -> None:
    status, body = write("POST", WEBHOOKS, HOOK)
    assert (status, body["status"], body["auth_type"]) == (201, "DISABLED", "TOKEN")
    assert body.items() >= HOOK.items()
    path = f"{WEBHOOKS}/{body['id']}"
    assert write("GET", path) == (200, body)
    status, changed = write("PATCH", path, {"token": "newer", "status": "ENABLED"})
    assert (status, changed["token"], changed["status"], changed["url"]) == (200, "newer", "ENABLED", HOOK["url"])
    custom = {"auth_type": "CUSTOM", "custom_headers": {"X-Key": "1"}}
    assert write("PATCH", path, custom)[1]["token"] is None
    assert write("DELETE", path) == (204, None)
    for method, body in (("GET", None), ("PATCH", {"token": "x"}), ("DELETE", None)):
        assert write(method, path, body)[0] == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": None}, 400),
        ({"enabled_events": "person.created"}, 400),
        ({"colour": "red"}, 400),
        ({"custom_headers": []}, 400),
        ({"url": "http://hooks.example/new"}, 422),
        ({"url": "ftp://hooks.example"}, 422),
        ({"url": "https://"}, 422),
        ({"enabled_events": []}, 422),
        ({"enabled_events": ["ping"]}, 422),
        ({"enabled_events": ["person.created", "person.created"]}, 422),
        ({"status": "enabled"}, 422),
        ({"auth_type": "BASIC"}, 422),
        ({"token": None}, 422),
        ({"token": "two\nlines"}, 422),
        ({"auth_type": "NONE"}, 422),
        ({"custom_headers": {"X-Key": "1"}}, 422),
        ({"auth_type": "CUSTOM", "token": None}, 422),
        ({"auth_type": "CUSTOM", "token": None, "custom_headers": {f"X-{index}": "1" for index in range(4)}}, 422),
        ({"auth_type": "CUSTOM", "token": None, "custom_headers": {"Content-Type-Of-Mine": "1"}}, 422),
        ({"auth_type": "CUSTOM", "token": None, "custom_headers": {"Tenant": "1"}}, 422),
        ({"auth_type": "CUSTOM", "token": None, "custom_headers": {"X Key": "1"}}, 422),
        ({"auth_type": "CUSTOM", "token": None, "custom_headers": {"X-Key": 1}}, 422),
        ({"url": "https://hooks.example/warehouse"}, 409),
    ],
    ids=str,
)
def test_invalid_webhooks_are_rejected(write: Any, change: dict[str, Any], status: int) -> None:
    before = write("GET", WEBHOOKS)
    assert write("POST", WEBHOOKS, {**HOOK, **change})[0] == status
    assert write("GET", WEBHOOKS) == before
    key = write("POST", WEBHOOKS, HOOK)[1]["id"]
    if change != {"auth_type": "NONE"}:  # which drops the token
        assert write("PATCH", f"{WEBHOOKS}/{key}", change)[0] == status


def test_required_fields_http_addresses_and_methods(make_api: Any, write: Any) -> None:
    for name in ("url", "description", "enabled_events"):
        assert write("POST", WEBHOOKS, {key: value for key, value in HOOK.items() if key != name})[0] == 400
    assert write("POST", WEBHOOKS, {**HOOK, "url": "http://127.0.0.1:1/x"})[0] == 201
    assert call(make_api(employees=12), "POST", WEBHOOKS, {**HOOK, "url": "http://127.0.0.1:1/x"})[0] == 422
    assert write("PUT", WEBHOOKS, HOOK)[0] == 405
    assert write("POST", "/v2/persons", HOOK)[0] == 405
    assert write("GET", f"{WEBHOOKS}/1/ping")[0] == 405
    assert write("POST", WEBHOOKS, [])[0] == 400


def test_writing_needs_its_own_permission(make_api: Any) -> None:
    api = make_api(employees=12)
    api.vendor.access.revoke(permission="personio:webhooks:write", endpoint=None, status=None)
    assert call(api, "POST", WEBHOOKS, HOOK)[0] == 403
    assert call(api, "GET", WEBHOOKS)[0] == 200
    api.headers = {}
    assert call(api, "POST", WEBHOOKS, HOOK)[0] == 401


def test_events_hold_ids_and_the_headers_that_were_chosen(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    subscribe("person.created")
    subscribe(
        "absence-period.created",
        url=f"{receiver.url}/custom",
        auth_type="CUSTOM",
        token=None,
        custom_headers={"X-Key": "k"},
    )
    person = pushing.control("hire")["changed"][0]["id"]
    absence = pushing.control("create", kind="absence_period", person_id=person)["changed"][0]["id"]
    settle(pushing, 2)
    (path, headers, body), (other_path, other, period) = sorted(receiver.requests)
    assert (path, headers["authorization"], headers["content-type"]) == ("/", "s3cret", "application/json")
    assert (body["event_name"], body["payload"]) == ("person.created", {"person": {"id": person}})
    assert set(body) == {"company_id", "event_name", "occurred_at", "payload"}
    assert isinstance(body["company_id"], str)
    assert (other_path, other["x-key"], "authorization" in other) == ("/custom", "k", False)
    assert period["payload"] == {"absence_period": {"id": absence}}


def test_changes_cause_the_documented_events_and_leave_the_known_holes(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    subscribe()
    control = pushing.control
    person, employment = (row["id"] for row in control("hire")["changed"][:2])
    absence = control("create", kind="absence_period", person_id=person)["changed"][0]["id"]
    period = control("create", kind="attendance_period", person_id=person)["changed"][0]["id"]
    document = control("create", kind="document", person_id=person)["changed"][0]["id"]
    for kind, key, field, value in (
        ("person", person, "gender", "DIVERSE"),
        ("person", person, "attributes.city", "Łódź"),
        ("person", person, "has_picture", True),  # causes none
        ("employment", employment, "weekly_working_hours", 20),
        ("employment", employment, "job_id", JOB),  # causes none
        ("employment", employment, "cost_centers", [[COST_CENTER, 100]]),
        ("absence_period", absence, "approval", "REJECTED"),
        ("absence_period", absence, "comment", "moved"),
        ("attendance_period", period, "comment", "late"),
        ("document", document, "comment", "x"),
        ("document", document, "signature", "SIGNED"),
    ):
        control("edit", kind=kind, id=key, field=field, value=value)
    control("terminate", person_id=person)
    for kind, key in (("document", document), ("attendance_period", period)):
        control("delete", kind=kind, id=key)
    control("delete", kind="person", id=person)
    settle(pushing, len(NAMES))
    seen = names_of(receiver)
    assert set(seen) == set(NAMES)
    assert seen.count("person.updated") == 2
    assert seen.count("employment.updated") == 2  # the hours, and the termination
    assert receiver.bodies()[-1]["payload"].keys() <= {"person", "employment"}


def test_time_outs_and_failures_are_retried_up_to_fourteen_requests(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    url, headers = subscribe("person.created")
    pushing.control("push-settings", time_scale=1_000_000, timeout=0.2)
    receiver.answer = lambda number, _path: (500, 503, None, 408)[number % 4 if number % 4 < 3 else 0]
    pushing.control("hire")
    assert settle(pushing)["given_up"] == 1
    (delivery,) = pushing.control("pushes")["deliveries"]
    assert (delivery["tries"], delivery["state"], delivery["acknowledged"]) == (14, "given_up", [])
    activity = requests.get(f"{url}/activity", headers=headers, timeout=TIMEOUT).json()["_data"]
    assert len(activity) == 14
    assert {row["is_delivered"] for row in activity} == {False}
    assert len({row["event"]["id"] for row in activity}) == 1


def test_slow_answers_are_failures(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    subscribe("person.created")
    pushing.control("push-settings", time_scale=1_000_000, timeout=0.1)
    receiver.answer = lambda number, _path: time.sleep(0.4) or 200 if number == 1 else 200  # type: ignore[func-returns-value]
    pushing.control("hire")
    settle(pushing)
    (delivery,) = pushing.control("pushes")["deliveries"]
    assert (delivery["tries"], delivery["state"], len(delivery["acknowledged"])) == (2, "delivered", 1)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 429, 501])
def test_other_statuses_lose_the_event(pushing: Any, receiver: Any, subscribe: Any, settle: Any, status: int) -> None:
    subscribe("person.created")
    receiver.answer = lambda *_: status
    pushing.control("hire")
    counts = settle(pushing)
    assert (counts["given_up"], counts["requests"], len(receiver.requests)) == (1, 1, 1)


def test_nothing_listens(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    subscribe("person.created")
    receiver.stop()
    pushing.control("push-settings", time_scale=1_000_000)
    pushing.control("hire")
    assert settle(pushing)["given_up"] == 1
    assert pushing.control("pushes")["deliveries"][0]["status"] is None


def test_retries_end_with_the_webhook_and_carry_the_first_token(pushing: Any, receiver: Any, subscribe: Any) -> None:
    url, headers = subscribe("person.created")
    receiver.answer = lambda *_: 503
    pushing.control("hire")
    wait_for(lambda: len(receiver.requests) == 1)
    requests.patch(url, json={"token": "second"}, headers=headers, timeout=TIMEOUT)
    wait_for(lambda: len(receiver.requests) == 2)
    assert [row[1]["authorization"] for row in receiver.requests] == ["s3cret", "s3cret"]
    requests.delete(url, headers=headers, timeout=TIMEOUT)
    wait_for(lambda: pushing.control("push-clock", seconds=300) and pushing.control("push-counts")["dropped"] == 1)
    assert len(receiver.requests) == 2


def wait_for(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_log_holds_what_was_pushed(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    url, headers = subscribe("person.created", "person.updated")
    person = pushing.control("hire")["changed"][0]["id"]
    settle(pushing)
    receiver.answer = lambda *_: 400
    pushing.control("edit", kind="person", id=person, field="last_name", value="Ω")
    settle(pushing, 2)

    def read(path: str) -> list[Any]:
        return list(requests.get(f"{url}/{path}", headers=headers, timeout=TIMEOUT).json()["_data"])

    events = read("events")
    assert [(row["event_name"], row["data"]["id"]) for row in events] == [
        ("person.created", person),
        ("person.updated", person),
    ]
    assert [row["occurred_at"] for row in events] == [body["occurred_at"] for body in receiver.bodies()]
    assert [row["is_delivered"] for row in read("activity")] == [True, False]
    assert [row["response_status"] for row in read("activity?is_delivered=false")] == [400]

    receiver.answer = lambda *_: 200
    body = {"occurred_at": {"gte": events[1]["occurred_at"]}}
    again = requests.post(f"{url}/redelivery", json=body, headers=headers, timeout=TIMEOUT)
    assert again.status_code == 200
    settle(pushing, 3)
    assert receiver.bodies()[2] == receiver.bodies()[1]
    (row,) = read(f"activity?redelivery_id={again.json()['redelivery_id']}")
    assert row["is_delivered"]


def test_pings_and_tests_are_sent(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    url, headers = subscribe("person.created", status="DISABLED")

    def post(path: str, **body: Any) -> int:
        return requests.post(f"{url}/{path}", json=body, headers=headers, timeout=TIMEOUT).status_code

    assert post("ping") == 200
    assert post("test-event", event_type="person.created", payload={"person": {"id": "1"}}) == 409
    assert post("redelivery", **{"occurred_at.gte": "2026-06-01T00:00:00Z"}) == 409
    requests.patch(url, json={"status": "ENABLED"}, headers=headers, timeout=TIMEOUT)
    assert post("test-event", event_type="person.created", payload={"person": {"id": "1"}}) == 200
    assert post("test-event", event_type="person.deleted", payload={"person": {"id": "1"}}) == 400
    assert post("test-event", event_type="person.created") == 400
    assert post("ping", loud=True) == 400
    for body in ({}, {"since": "2026-06-01T00:00:00Z"}, {"occurred_at.gte": "yesterday"}, {"occurred_at": "x"}):
        assert post("redelivery", **body) == 400
    settle(pushing, 2)
    assert sorted((body["event_name"], body["payload"]) for body in receiver.bodies()) == [
        ("person.created", {"person": {"id": "1"}}),
        ("ping", {}),
    ]


def test_a_disabled_webhook_gets_nothing(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    url, headers = subscribe("person.created", status="DISABLED")
    pushing.control("hire")
    subscribe("person.updated", url=f"{receiver.url}/other")
    person = pushing.records("personio", "persons")[-1]["id"]
    pushing.control("edit", kind="person", id=person, field="last_name", value="Ω")
    settle(pushing)
    assert names_of(receiver) == ["person.updated"]
    assert requests.get(f"{url}/events", headers=headers, timeout=TIMEOUT).json()["_data"] == []


def test_records_may_be_invisible_when_their_event_arrives(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    _, headers = subscribe("person.created", "document.created")
    pushing.control("push-settings", passing_404s=1, invisible_seconds=600, scan_seconds=600)
    person = pushing.control("hire")["changed"][0]["id"]
    pushing.control("create", kind="document", person_id=person)
    settle(pushing, 2)
    api = f"{pushing.url}/personio/v2"

    def get(path: str) -> requests.Response:
        return requests.get(f"{api}/{path}", headers=headers, timeout=TIMEOUT)

    documents = f"document-management/documents?owner_id={person}"
    assert get(f"persons/{person}").status_code == 404
    assert get(f"persons/{person}/employments").status_code == 404
    assert get(f"persons?id={person}").json()["_data"] == []
    assert get(documents).json()["_data"] == []
    assert person in {row["id"] for row in pushing.records("personio", "persons")}
    pushing.control("push-settings", invisible_seconds=0.05, scan_seconds=0.05)
    other = pushing.control("hire")["changed"][0]["id"]
    wait_for(lambda: get(f"persons/{other}").status_code == 200)
