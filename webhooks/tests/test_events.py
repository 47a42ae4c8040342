"""Events of the vendors' requests, in all the forms that are documented or were seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hr_webhooks.entries import make_entry
from hr_webhooks.events import read_events

if TYPE_CHECKING:
    from hr_webhooks.config import Vendor
    from hr_webhooks.entries import Entry
    from hr_webhooks.events import Event

TIME = "2026-11-30T10:00:00Z"
MESSAGE = "1f6e1b0e-0000-4000-8000-000000000001"


def make(vendor: Vendor, body: Any, event_type: str | None = None, **headers: str) -> Entry:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make_entry(content, tenant="acme", vendor=vendor, event_type=event_type, headers=headers)


def read(vendor: Vendor, body: Any, event_type: str | None = None, **headers: str) -> list[Event]:
    return read_events(make(vendor, body, event_type, **headers))


def personio(name: str, payload: Any, **more: Any) -> Event:
    (event,) = read("personio", {"company_id": 1, "event_name": name, "occurred_at": TIME, "payload": payload, **more})
    return event


def payload_of(event: Event) -> Any:
    assert event.payload is not None
    return msgspec.json.decode(event.payload)


@pytest.mark.parametrize(
    ("name", "payload", "subject", "record_id", "person_id"),
    [
        ("person.created", {"person": {"id": "12"}}, "person", "12", "12"),
        ("person.deleted", {"person": {"id": 12}}, "person", "12", "12"),
        ("employment.updated.cost-centers", {"employment": {"id": "e-1"}}, "employment", "e-1", None),
        ("employment.created", {"employment": {"id": "e-1", "person": {"id": 7}}}, "employment", "e-1", "7"),
        ("employment.started", {"employment": {"id": 1}, "person": {"id": "7"}}, "employment", "1", "7"),
        ("absence-period.created", {"absence-period": {"id": "a-1"}}, "absence_period", "a-1", None),
        ("absence-period.updated.status", {"absence_period": {"id": "a-1"}}, "absence_period", "a-1", None),
        ("absence_period.created", {"absence_period_id": "a-1", "new": [1]}, "absence_period", "a-1", None),
        ("attendance-period.updated", {"id": "t-1", "person_id": "7"}, "attendance_period", "t-1", "7"),
        ("document.signed", {"document": {"id": "d-1", "owner_id": "7"}}, "document", "d-1", "7"),
        ("compensation.created", {}, "compensation", None, None),
        ("compensation.created", None, "compensation", None, None),
    ],
)
def test_ids_of_personio(name: str, payload: Any, subject: str, record_id: str | None, person_id: str | None) -> None:
    event = personio(name, payload, meta={"unknown": True})
    assert (event.subject_type, event.subject_id, event.person_id) == (subject, record_id, person_id)
    assert event.type == name.replace("_", "-")
    assert event.action == name.partition(".")[2]
    assert event.is_deletion is name.endswith(".deleted")
    assert event.happened_at == TIME
    assert event.details == {"company_id": "1"}
    assert payload_of(event)["meta"] == {"unknown": True}


def test_deliveries_of_one_event_of_personio_have_one_id() -> None:
    pushed = personio("absence-period.created", {"absence_period": {"id": 1}}, meta={"attempt": 1})
    again = personio("absence_period.created", {"absence-period": {"id": "1"}}, meta={"attempt": 2})
    (logged,) = read(
        "personio",
        {"event_name": "absence-period.created", "occurred_at": "2026-11-30T11:00:00+01:00"}
        | {"payload": {"absence_period": {"id": "1"}}},
    )
    assert pushed.id == again.id == logged.id
    other = personio("absence-period.created", {"absence_period": {"id": "2"}})
    assert other.id != pushed.id


def test_records_of_factorial() -> None:
    body = {"id": 5, "company_id": 1, "employee_id": 7, "updated_at": "2026-11-30T10:00:00.000Z", "half_day": None}
    headers = {"x-factorial-author-id": "9", "x-factorial-author-type": "employee"}
    (event,) = read("factorial", body, "timeoff/leave/update", **headers)
    assert (event.type, event.action) == ("timeoff/leave/update", "update")
    assert (event.subject_type, event.subject_id, event.person_id) == ("timeoff/leave", "5", "7")
    assert event.happened_at == TIME
    assert event.details == {"company_id": "1", "author_id": "9", "author_type": "employee"}
    assert payload_of(event) == body
    (again,) = read("factorial", dict(reversed(body.items())), "timeoff/leave/update")
    (deleted,) = read("factorial", body, "timeoff/leave/delete")
    assert again.id == event.id != deleted.id
    assert deleted.is_deletion


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows, "meta": {}}], ids=["list", "data"])
def test_several_records_in_one_request_of_factorial(wrap: Any) -> None:
    events = read("factorial", wrap([{"id": 1}, {"id": "2"}]), "tasks/task/bulk_delete")
    assert [(event.subject_id, event.is_deletion, payload_of(event)["id"]) for event in events] == [
        ("1", True, 1),
        ("2", True, "2"),
    ]


def test_ids_alone_are_an_event_each() -> None:
    events = read("factorial", {"ids": [1, 2]}, "timeoff/leave/bulk_delete")
    assert [event.subject_id for event in events] == ["1", "2"]
    assert events[0].id != events[1].id


def test_the_input_of_a_clock_in_has_no_id() -> None:
    (event,) = read("factorial", {"employee_id": 7, "now": TIME, "observations": None}, "attendance/shift/clock_in")
    assert (event.subject_type, event.subject_id, event.person_id) == ("attendance/shift", None, "7")
    assert event.happened_at == TIME


def test_an_employee_is_the_person() -> None:
    (event,) = read("factorial", {"id": 7, "email": None}, "employees/employee/terminate")
    assert (event.subject_id, event.person_id) == ("7", "7")


def test_secrets_of_subscriptions_do_not_leave() -> None:
    body = {"id": "1", "challenge": "s3cret", "target_url": "https://hooks.example.com/code", "type": "tasks/task/copy"}
    (event,) = read("factorial", body, "api_public/webhook_subscription/create")
    assert payload_of(event) == {"id": "1", "type": "tasks/task/copy"}
    assert event.text is None


def training(**value: Any) -> dict[str, Any]:
    return {
        "subscriptionId": "sub",
        "attemptNumber": 1,
        "records": [{"lag": 1, "offset": 3, "timestamp": TIME, "correlationId": "c", "value": value}],
    }


def test_records_of_cornerstone() -> None:
    data = {"trainingId": "t-1", "targetUserId": 7, "isStandaloneOnTranscript": True}
    body = training(
        headers={"messageId": MESSAGE, "actorId": 1},
        lmsEventsCase="TrainingCompleted",
        trainingCompleted={"data": data},
    )
    (event,) = read("cornerstone", body)
    assert (event.id, event.type, event.action) == (MESSAGE, "TrainingCompleted", "completed")
    assert (event.subject_type, event.subject_id, event.person_id) == ("training", "t-1", "7")
    assert event.happened_at == TIME
    assert event.details == {"subscription_id": "sub", "offset": 3}
    assert payload_of(event) == body["records"][0]


def test_an_event_of_cornerstone_without_its_case() -> None:
    body = training(headers={"messageId": MESSAGE}, employeeCreated={"employeeId": 7, "createEmployeeOus": {}})
    (event,) = read("cornerstone", body)
    assert (event.type, event.action, event.subject_type) == ("EmployeeCreated", "created", "employee")
    assert (event.subject_id, event.person_id) == ("7", "7")


def test_unknown_events_of_cornerstone_are_kept() -> None:
    (event,) = read("cornerstone", training(somethingNew={"x": 1}))
    assert event.type == "SomethingNew"
    assert len(event.id) == 64
    events = read("cornerstone", {"records": [1, None, {"value": "text"}]})
    assert [event.type for event in events] == [None] * 3
    assert [payload_of(event) for event in events] == [1, None, {"value": "text"}]


@pytest.mark.parametrize(
    ("vendor", "body"),
    [
        ("personio", {"event_name": "ping", "company_id": 1}),
        ("cornerstone", {"subscriptionId": "s", "records": []}),
        ("cornerstone", b""),
        ("factorial", b"  "),
    ],
)
def test_pings_heartbeats_and_verifications_are_no_events(vendor: Vendor, body: Any) -> None:
    assert read(vendor, body, "tasks/task/create" if vendor == "factorial" else None) == []


@pytest.mark.parametrize("vendor", ["personio", "factorial", "cornerstone"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 5000,
        b'{"event_name": 5, "records": 7, "id": "\\ud800"',
        b"\xff\xfe\x00not UTF-8",
        b'"text"',
        b"17",
        b'{"id": 1e999}',
    ],
)
def test_unreadable_bodies_are_kept_as_text(vendor: Vendor, body: bytes) -> None:
    (event,) = read(vendor, body)
    assert event.type is None
    assert event.payload is None
    assert event.text == body.decode(errors="backslashreplace")


def test_numbers_keep_their_digits_and_payloads_are_on_one_line() -> None:
    body = b'{\n "id": 12345678901234567890123,\n "rate": 1.10000000000000000009,\n "text": "a\\n  b"\n}'
    (event,) = read("factorial", body, "tasks/task/update")
    assert event.payload is not None
    text = bytes(event.payload).decode()
    assert "1.10000000000000000009" in text
    assert "\n" not in text
    assert json.loads(text)["text"] == "a\n  b"
    assert event.subject_id == "12345678901234567890123"


@pytest.mark.parametrize("value", [None, 5, "soon", "2026-13-01", "", "0001-01-01T00:00:00+14:00"])
def test_times_that_are_none_are_left_out(value: Any) -> None:
    (event,) = read("factorial", {"id": 1, "updated_at": value}, "tasks/task/update")
    assert event.happened_at is None
