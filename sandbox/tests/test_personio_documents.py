"""Documents, reports and webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hr_sandbox.personio.endpoints import ENDPOINTS

DOCUMENTS, REPORTS, WEBHOOKS = "/v2/document-management/documents", "/v2/reports", "/v2/webhooks"


def cursor_of(body: Any) -> dict[str, str]:
    return {"cursor": dict(parse_qsl(urlsplit(body["_meta"]["links"]["next"]["href"]).query))["cursor"]}


def owner_of_many(api: Any) -> str:
    return str(max(api.company.people, key=lambda row: len(api.company.documents.find_by_owner(row.id))).id)


def test_documents_are_listed_and_filtered_by_owner(api: Any) -> None:
    owner = owner_of_many(api)
    rows = api.read_all(DOCUMENTS, owner_id=owner)
    assert {row["owner"]["id"] for row in rows} == {owner}
    _, first, _ = api.get(DOCUMENTS, {"owner_id": owner, "limit": "2"})
    assert api.get(DOCUMENTS, cursor_of(first))[1]["_data"] == rows[2:4]  # the cursor contains the owner
    category = rows[0]["category"]["id"]
    assert {row["category"]["id"] for row in api.read_all(DOCUMENTS, owner_id=owner, category_id=category)} == {
        category
    }
    day = rows[1]["created_at"][:10]
    later = api.read_all(DOCUMENTS, **{"owner_id": owner, "created_at.gte": day})
    earlier = api.read_all(DOCUMENTS, **{"owner_id": owner, "created_at.lt": day})
    assert rows[1] in later
    assert sorted(row["id"] for row in (*later, *earlier)) == sorted(row["id"] for row in rows)
    assert api.read_all(DOCUMENTS, owner_id="1") == []


def report_id(api: Any, name: str) -> str:
    return str(next(row.uuid for row in api.company.reports if name in row.name))


def test_reports_are_filtered_by_name_and_paged(api: Any) -> None:
    rows = api.read_all(REPORTS)
    assert not any("Vertraulich" in row["name"] for row in rows)
    assert api.get(f"{REPORTS}/{report_id(api, 'Vertraulich')}")[0] == 404
    assert api.read_all(REPORTS, name="gehälter") == [row for row in rows if "Gehälter" in row["name"]]
    for limit in ("0", "-1", "1000"):
        assert api.get(REPORTS, {"limit": limit})[1]["_data"] == rows
    _, first, _ = api.get(REPORTS, {"limit": "2"})
    assert api.get(REPORTS, cursor_of(first))[1]["_data"] == rows[2:4]
    for beside in ({"limit": "2"}, {"name": "a"}):
        assert api.get(REPORTS, {**cursor_of(first), **beside})[0] == 400


def test_rows_of_a_report_have_its_columns(api: Any) -> None:
    path = f"{REPORTS}/{report_id(api, 'Mitarbeiterliste')}"
    _, whole, _ = api.get(path)
    columns = [column["name"] for column in whole["_meta"]["columns"]]
    assert len(whole["_data"]) == len(api.company.people)
    assert whole["_meta"]["links"] is None
    assert all([cell["attribute_id"] for cell in row] == columns for row in whole["_data"])
    kinds = {member for row in whole["_data"] for cell in row for member in cell} - {"attribute_id"}
    assert kinds == {"numeric_value", "string_value", "options_value", "percentage_value"}
    assert set(columns) <= {row["id"] for row in api.read_all(f"{REPORTS}/attributes")}
    _, first, _ = api.get(path, {"limit": "50", "locale": "de"})
    assert first["_meta"]["columns"][1]["display"] == "Nachname"
    _, second, _ = api.get(path, cursor_of(first))
    assert second["_data"] == whole["_data"][50:100]
    assert second["_meta"]["columns"] == first["_meta"]["columns"]
    for wrong in ({**cursor_of(first), "locale": "de"}, {**cursor_of(first), "limit": "50"}, {"limit": "0"}):
        assert api.get(path, wrong)[0] == 400
    assert api.get(path, {"locale": "xx"})[0] == 400
    pay = api.get(f"{REPORTS}/{report_id(api, 'Gehälter')}")[1]["_data"]
    assert set(pay[0][1]) == {"attribute_id", "monetary_value"}
    empty = api.get(f"{REPORTS}/{report_id(api, 'leer')}")[1]
    assert empty["_data"] == []
    assert empty["_meta"]["columns"]


def test_grouped_reports_cannot_be_read(api: Any) -> None:
    status, body, _ = api.get(f"{REPORTS}/{report_id(api, 'Headcount')}")
    assert (status, body["errors"][0]["title"]) == (400, "Unsupported nested type: null")


def test_webhooks_are_filtered_and_have_events_and_activity(api: Any) -> None:
    rows = api.read_all(WEBHOOKS)
    assert {row["status"] for row in rows} == {"ENABLED", "DISABLED"}
    assert api.read_all(WEBHOOKS, status="DISABLED") == [row for row in rows if row["status"] == "DISABLED"]
    name = "document.deleted"
    assert api.read_all(WEBHOOKS, enabled_events=name) == [row for row in rows if name in row["enabled_events"]]
    assert api.get(f"{WEBHOOKS}/{rows[0]['id']}")[1] == rows[0]
    assert {row["auth_type"] for row in rows} == {"TOKEN", "CUSTOM"}
    assert all(
        row["description"] and bool(row["token"] or row["custom_headers"]) for row in rows
    )  # secrets are visible
    since = f"{api.company.today - timedelta(30)}"
    for row in rows:
        events = api.read_all(f"{WEBHOOKS}/{row['id']}/events", limit="200")
        assert {event["event_name"] for event in events} <= set(row["enabled_events"])
        assert all(event["occurred_at"] >= since for event in events)
        assert bool(events) == (row["status"] == "ENABLED")
        ids = {event["id"] for event in events}
        tried = api.read_all(f"{WEBHOOKS}/{row['id']}/activity", limit="200")
        assert {attempt["event"]["id"] for attempt in tried} == ids
    assert api.get(f"{WEBHOOKS}/nothing/events")[0] == 404


def test_events_and_activity_are_filtered(api: Any) -> None:
    path = f"{WEBHOOKS}/{api.read_all(WEBHOOKS)[0]['id']}"
    events = api.read_all(f"{path}/events", limit="200")
    stamp = sorted(row["occurred_at"] for row in events)[-30]
    later = api.read_all(f"{path}/events", **{"occurred_at.gte": stamp})
    assert later == [row for row in events if row["occurred_at"] >= stamp]
    named = api.read_all(f"{path}/events", event_name="person.created,document.created")
    assert {row["event_name"] for row in named} <= {"person.created", "document.created"}
    tried = api.read_all(f"{path}/activity")
    failed = api.read_all(f"{path}/activity", is_delivered="false")
    assert failed == [row for row in tried if not row["is_delivered"]] != []
    again = next(row for row in tried if row["redelivery_id"])
    assert api.read_all(f"{path}/activity", redelivery_id=again["redelivery_id"]) == [again]
    for child, wrong in (
        ("events", {"occurred_at.gt": "2026-06-01T00:00:00Z"}),
        ("events", {"completed_at.gte": "2026-06-01T00:00:00Z"}),
        ("events", {"occurred_at.gte": "2026-06-01"}),
        ("activity", {"is_delivered": "yes"}),
        ("activity", {"limit": "201"}),
    ):
        assert api.get(f"{path}/{child}", wrong)[0] == 400


def test_changes_create_events(make_api: Any) -> None:
    api = make_api()
    api.changes.listeners.append(api.vendor.announce)
    path = f"{WEBHOOKS}/{api.read_all(WEBHOOKS)[0]['id']}/events"
    before = len(api.read_all(path))
    absence = next(iter(api.company.absences)).uuid
    period = next(iter(api.company.attendances)).uuid
    api.changes.delete("absence_period", absence)
    api.changes.delete("attendance_period", period)
    person = api.changes.hire()[0].id
    api.changes.terminate(person)
    api.changes.edit("person", person, "last_name", "Ω")
    events = [(row["event_name"], row["data"]["id"]) for row in api.read_all(path)[before:]]
    assert ("absence-period.deleted", absence) in events
    assert ("attendance-period.deleted", period) in events
    assert {("person.created", person), ("person.updated", person)} <= set(events)
    assert "employment.terminated" in {name for name, _ in events}


@pytest.mark.parametrize(("path", "status"), [(DOCUMENTS, 403), (REPORTS, 400), (WEBHOOKS, 403)])
def test_missing_permissions_are_rejected(make_api: Any, path: str, status: int) -> None:
    api = make_api(employees=12)
    permission = next(row.permission for row in ENDPOINTS if row.path == path)
    api.vendor.access.revoke(permission=permission, endpoint=None, status=None)
    answered, body, _ = api.get(path, {"owner_id": "9603"} if path == DOCUMENTS else {})
    assert answered == status
    if status == 400:
        assert body["errors"][0]["title"] == "Unauthorized token"


def test_pictures_are_those_of_persons_with_one(api: Any) -> None:
    day = api.company.today
    shown = [row for row in api.read_all("/v2/persons", limit="50") if row["profile_picture"]]
    assert api.vendor.count_rows("profile_pictures", day, day) == len(shown)
    root = "http://127.0.0.1:1/personio"
    urls = {row["url"] for row in api.vendor.list_records("profile_pictures", day, day, root)}
    assert urls == {row["profile_picture"]["url"] for row in shown}
