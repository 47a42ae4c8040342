"""Factorial's webhook subscriptions, and the records that are sent to them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import requests
from hr_sandbox.company.fields import ChangeError
from hr_sandbox.company.model.company import key_of
from hr_sandbox.factorial.webhooks.catalogue import KINDS, TYPES
from hr_sandbox.http.messages import Request, to_json

TIMEOUT = 30
NAME = "api_public/webhook_subscriptions"
UPDATE, LEAVE = "employees/employee/update", "timeoff/leave/create"
KEY = {"x-api-key": "sandbox-api-key"}
NEWEST, NUMBERS = "2026-10-01", "2026-04-01"  # the latter has ids as integers


@pytest.fixture
def write(make_factorial: Any) -> Any:
    api = make_factorial(employees=12)
    company_id = api.rows(NAME)[0]["company_id"]

    def call(method: str, key: str = "", body: Any = None, version: str = NEWEST, **headers: str) -> tuple[int, Any]:
        path = f"/api/{version}/resources/{NAME}{key and '/'}{key}"
        raw = b"" if body is None else to_json(body).encode()
        named = {"content-type": "application/json", **(headers or KEY)}
        answer = api.vendor.handle(Request(method, path, (), named, raw))
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(answer.body) if is_json else None

    call.usual = {"subscription_type": UPDATE, "target_url": "https://hooks.example/f", "company_id": company_id}  # type: ignore[attr-defined]
    return call


@pytest.fixture
def subscribe(pushing: Any, receiver: Any) -> Any:
    """Returns a function that subscribes to a type at an address of its own, and returns the subscription's URL."""

    def create(kind: str, version: str = NEWEST, **members: Any) -> str:
        path = f"{pushing.url}/factorial/api/{version}/resources/{NAME}"
        company_id = requests.get(path, headers=KEY, timeout=TIMEOUT).json()["data"][0]["company_id"]
        body = {"subscription_type": kind, "target_url": f"{receiver.url}/{kind}", "company_id": company_id, **members}
        answer = requests.post(path, json=body, headers=KEY, timeout=TIMEOUT)
        assert answer.status_code == 201, answer.text
        return f"{path}/{answer.json()['id']}"

    return create


def test_there_are_137_types() -> None:
    assert len(TYPES) == 137
    assert {name for name, resource in TYPES.items() if resource is None} == {
        "banking/bank_account_number/upsert",
        "payroll/policy_period/change_status",
        *(f"contracts/contract_version_request/{event}" for event in ("approve", "create_promote_request")),
        *(f"contracts/contract_version_request/{event}" for event in ("delete", "reject")),
    }


@pytest.mark.skipif("VENDOR_SAMPLES" not in os.environ, reason="VENDOR_SAMPLES is not set")
def test_the_types_are_those_of_the_vendor() -> None:
    specs = Path(os.environ["VENDOR_SAMPLES"]).parent / "specs" / "factorial"
    assert sorted(TYPES) == sorted(json.loads((specs / "webhook_subscription_types_2026-10-01.json").read_text()))


def test_a_subscription_is_created_changed_and_deleted(write: Any) -> None:
    status, row = write("POST", body={**write.usual, "challenge": "c", "name": "n", "api_version": NUMBERS})
    assert status == 201
    assert row == {
        "id": row["id"],
        "target_url": "https://hooks.example/f",
        "type": UPDATE,
        "company_id": write.usual["company_id"],
        "enabled": True,
        "api_version": NUMBERS,
        "name": "n",
        "challenge": "c",
    }
    assert isinstance(row["id"], str)
    assert write("GET", row["id"]) == (200, row)
    old = write("GET", row["id"], version=NUMBERS)[1]
    assert (old["id"], old["company_id"]) == (int(row["id"]), int(row["company_id"]))
    status, changed = write("PUT", row["id"], {"challenge": "d", "enabled": False})
    assert (status, changed) == (200, {**row, "challenge": "d", "enabled": False})
    assert write("DELETE", row["id"]) == (200, changed)
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        assert write(method, row["id"], body)[0] == 404


def test_a_second_subscription_of_a_type_is_refused(write: Any) -> None:
    key = write("POST", body=write.usual)[1]["id"]
    status, body = write("POST", body={**write.usual, "target_url": "https://hooks.example/other"})
    assert status == 422
    assert body["errors"][0]["message"].endswith("already been taken")
    assert write("PUT", key, {"subscription_type": UPDATE, "target_url": "https://hooks.example/other"})[0] == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"subscription_type": None}, 422),
        ({"target_url": None}, 422),
        ({"company_id": None}, 422),
        ({"company_id": 1}, 422),
        ({"subscription_type": "employees/employee/create"}, 422),
        ({"type": UPDATE}, 400),
        ({"target_url": "hooks.example"}, 422),
        ({"api_version": "2024-10-01"}, 422),
        ({"enabled": "yes"}, 422),
        ({"challenge": "a\nb"}, 422),
        ({"name": 5}, 422),
    ],
    ids=str,
)
def test_invalid_subscriptions_are_refused(write: Any, change: dict[str, Any], status: int) -> None:
    before = write("GET")
    answered, body = write("POST", body={**write.usual, **change})
    assert (answered, body["errors"][0]["field"]) == (status, next(iter(change)))
    assert write("GET") == before


def test_methods_keys_and_bodies_are_checked(write: Any, factorial: Any) -> None:
    assert write("POST", body=write.usual, x_api_key="wrong")[0] == 401
    assert write("PATCH", "1", {})[0] == 405
    assert write("PUT", body={})[0] == 405
    assert write("POST", "1", write.usual)[0] == 405
    assert write("POST", body=[])[0] == 400
    assert factorial.request("/api/2026-10-01/resources/teams/teams", method="POST").status == 405


def test_200_subscriptions_may_be_requested_in_a_minute(write: Any) -> None:
    answers = [write("POST", body={})[0] for _ in range(201)]
    assert answers == [422] * 200 + [429]


def test_subscriptions_are_filtered(write: Any, make_factorial: Any) -> None:
    api = make_factorial(employees=12)
    rows = api.rows(NAME)
    assert [row["enabled"] for row in rows] == [True, True, False, True]
    assert api.rows(NAME, {"enabled": "false"}) == rows[2:3]
    assert api.rows(NAME, {"type": rows[1]["type"]}) == rows[1:2]
    assert api.rows(NAME, {"id": rows[0]["id"]}) == rows[:1]
    assert api.rows(NAME, {"company_id": "1"}) == []


def test_a_record_is_sent_as_the_list_returns_it(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    subscribe(LEAVE, challenge="ch4llenge")
    subscribe("timeoff/leave/approve")
    subscribe(UPDATE, version=NUMBERS, api_version=NUMBERS)
    people = pushing.records("personio", "persons")
    absence = pushing.control("create", kind="absence_period", person_id=people[0]["id"], approval="PENDING")
    pushing.control("edit", kind="absence_period", id=absence["changed"][0]["id"], field="approval", value="APPROVED")
    pushing.control("edit", kind="person", id=people[0]["id"], field="last_name", value="Ω")
    settle(pushing, 3)
    found = {path: (headers, body) for path, headers, body in receiver.requests}
    headers, body = found[f"/{LEAVE}"]
    leave = next(row for row in pushing.records("factorial", "timeoff_leaves") if row["id"] == body["id"])
    assert headers["x-factorial-wh-challenge"] == "ch4llenge"
    assert {name: body[name] for name in ("id", "employee_id", "start_on", "leave_type_id")}.items() <= leave.items()
    assert (body["approved"], found["/timeoff/leave/approve"][1]["approved"]) == (None, True)
    assert "x-factorial-wh-challenge" not in found[f"/{UPDATE}"][0]
    person = found[f"/{UPDATE}"][1]
    assert (person["last_name"], isinstance(person["id"], int)) == ("Ω", True)
    assert headers.get("x-factorial-author-type") == "employee"


def test_what_happens_to_people_is_sent(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    kinds = (
        *("employees/employee/create_with_contract", "employees/employee/terminate", "timeoff/leave/bulk_delete"),
        *("contracts/contract_version/update", "attendance/shift/clock_in", "attendance/shift/create"),
        *("attendance/shift/delete", "documents/document/create", "timeoff/leave/delete", UPDATE),
    )
    for kind in kinds:
        subscribe(kind)
    pushing.control("push-settings", bulk="list")
    person = pushing.control("hire")["changed"][0]["id"]
    for start in ("2026-07-01", "2026-08-03"):
        pushing.control("create", kind="absence_period", person_id=person, starts_at=start)
    pushing.control("create", kind="attendance_period", person_id=person, ends_at=None)
    shift = pushing.control("create", kind="attendance_period", person_id=person)["changed"][0]["id"]
    pushing.control("create", kind="document", person_id=person)
    pushing.control("terminate", person_id=person)
    pushing.control("delete", kind="attendance_period", id=shift)
    pushing.control("delete", kind="person", id=person)
    settle(pushing, 8)
    sent = {path[1:]: body for path, _, body in receiver.requests}
    assert len(receiver.requests) == 8
    assert set(kinds) - set(sent) == {"timeoff/leave/delete", UPDATE}  # the person's deletion causes none
    assert len(sent["timeoff/leave/bulk_delete"]) == 2
    clock_in = sent["attendance/shift/clock_in"]
    assert "id" not in clock_in
    assert clock_in["employee_id"] == sent["attendance/shift/create"]["employee_id"]
    assert sent["employees/employee/terminate"]["terminated_on"] == "2026-06-17"


@pytest.mark.skipif("VENDOR_SAMPLES" not in os.environ, reason="VENDOR_SAMPLES is not set")
def test_clocking_in_has_the_members_of_the_published_body(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    sample = Path(os.environ["VENDOR_SAMPLES"]) / "factorial" / "webhook_attendance_shift_clock_in.json"
    subscribe("attendance/shift/clock_in")
    person = pushing.records("personio", "persons")[0]["id"]
    pushing.control("create", kind="attendance_period", person_id=person, ends_at=None)
    settle(pushing)
    published = json.loads(sample.read_text())
    assert list(receiver.bodies()[0]) == list(published.get("response", {}).get("body", published))


def test_every_kind_of_record_has_its_events(make_factorial: Any) -> None:
    api = make_factorial(employees=30)
    api.changes.listeners.append(api.vendor.announce)
    for row in list(api.company.subscriptions):
        api.company.subscriptions.remove(row)
    for index, name in enumerate(TYPES):
        version = ("2025-10-01", NUMBERS, NEWEST)[index % 3]
        api.company.subscriptions.create(None, name, "https://192.0.2.1/x", None, enabled=True, version=version)
    changed = set()
    for table in reversed(api.company.tables()):
        if table.kind in KINDS:
            row = next(iter(table))
            field = next(name for name in ("name", "comment", "title", "last_name", "channel") if hasattr(row, name))
            api.changes.edit(table.kind, key_of(row), field, "changed")
            changed.add(f"{KINDS[table.kind][1]}/update")
            if table.kind != "person":
                try:
                    api.changes.delete(table.kind, key_of(row))
                except ChangeError:  # it is referred to
                    continue
                changed.add(f"{KINDS[table.kind][1]}/delete")
    sent = {row.event for row in api.vendor.sender.deliveries.values()}
    assert sent == {name.replace("cost_center/update", "cost_center/edit") for name in changed} & set(TYPES)
    assert len(sent) > 12
    assert {row.state for row in api.vendor.sender.deliveries.values()} == {"skipped"}


def test_any_type_can_be_sent(pushing: Any, receiver: Any, subscribe: Any, settle: Any) -> None:
    subscribe("tasks/task/update")
    subscribe("payroll/policy_period/change_status")
    task = pushing.records("factorial", "tasks_tasks")[1]["id"]
    pushing.control("factorial/push", type="tasks/task/update", id=task)
    pushing.control("factorial/edit", stream="tasks_tasks", id=task, field="name", value="changed")
    pushing.control("factorial/push", type="payroll/policy_period/change_status", body={"id": "1"})
    settle(pushing, 3)
    assert [body["id"] for body in receiver.bodies("/tasks")] == [task, task]
    assert receiver.bodies("/payroll") == [{"id": "1"}]
    for body in ({"type": "tasks/task/delete"}, {"type": "x"}, {"type": "payroll/policy_period/change_status"}):
        with pytest.raises(ValueError, match=r"^[TE].*\.$"):
            pushing.control("factorial/push", **body)


def test_a_subscription_is_disabled_after_twenty_tries(
    pushing: Any, receiver: Any, subscribe: Any, settle: Any
) -> None:
    url = subscribe(UPDATE)
    person = pushing.records("personio", "persons")[0]["id"]

    def edit(name: str) -> None:
        pushing.control("edit", kind="person", id=person, field="last_name", value=name)

    pushing.control("push-settings", time_scale=1_000_000)
    receiver.answer = lambda number, _path: (404, 500, 302, 401)[number % 4]
    edit("first")
    assert settle(pushing)["given_up"] == 1
    assert len(receiver.requests) == 20
    assert requests.get(url, headers=KEY, timeout=TIMEOUT).json()["enabled"] is False
    receiver.answer = lambda *_: 200
    edit("lost")
    assert requests.put(url, json={"enabled": True}, headers=KEY, timeout=TIMEOUT).json()["enabled"] is True
    edit("later")
    settle(pushing, 2)
    assert [body["last_name"] for body in receiver.bodies()] == ["first"] * 20 + ["later"]
