"""Changes and the filters that find them, slow shifts, and the controls of Factorial."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from hr_sandbox.factorial.filters import BOUNDS
from hr_sandbox.factorial.tables import load_newest, to_api_id
from hr_sandbox.http.arguments import ControlError

EVERYBODY = {"only_active": "false"}
ALL_LEAVES = {"include_deleted_leaves": "true"}
KEY = {"x-api-key": "sandbox-api-key"}
ANY_DAY = "2000-01-01"


def change_parameter(name: str, operators: tuple[str, ...] = (">=", ">", "day>=")) -> str | None:
    """Returns the parameter that filters a resource by change."""
    rows = BOUNDS.get(name, {}).items()
    stamps = {"updated_at", "_updated_at", "_created_at"}
    return next((parameter for parameter, (sign, field) in rows if field in stamps and sign in operators), None)


INCREMENTAL = [name for name in load_newest() if change_parameter(name)]


def test_twenty_one_resources_filter_by_change_and_shifts_by_day() -> None:
    assert len(INCREMENTAL) == 21
    assert BOUNDS["attendance/shifts"]["updated_at"][0] == "day=="


@pytest.mark.parametrize("name", [name for name in INCREMENTAL if not load_newest()[name].needs])
def test_filters_by_change_return_only_changed_rows(make_factorial: Any, name: str) -> None:
    api = make_factorial(employees=20)
    query = [("only_active", "false"), ("include_manual_drafts", "true")]
    parameter, rows = change_parameter(name), api.rows(name, query)
    key = rows[-1]["id"]
    kinds = load_newest()[name].fields.values()
    field = next(row.name for row in kinds if row.type in {"text", "boolean"} and not row.form and row.name != "id")
    assert api.rows(name, [*query, (parameter, "2999-01-01")]) == []
    assert len(api.rows(name, [*query, (parameter, ANY_DAY)])) == len(rows)
    api.controls["edit"]({"stream": load_newest()[name].stream, "id": key, "field": field, "value": None})
    found = api.rows(name, [*query, (parameter, "2026-06-18")])
    assert [(row["id"], row[field]) for row in found] == [(key, None)]


def test_runs_of_an_integration_are_filtered_by_timestamp(factorial: Any) -> None:
    whose = {"marketplace_integration_uuid": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"}
    rows = factorial.rows("integrations/sync_runs", {**whose, "created_at_gteq": ANY_DAY})
    begun = sorted(row["started_at"] for row in rows)
    later = factorial.rows("integrations/sync_runs", {**whose, "created_at_gteq": begun[3]})
    assert sorted(row["started_at"] for row in later) == begun[3:]
    other = {"marketplace_integration_uuid": "x", "created_at_gteq": ANY_DAY}
    assert factorial.rows("integrations/sync_runs", other) == []


def test_only_the_date_of_updated_at_counts_for_employees(factorial: Any) -> None:
    stamps = sorted(row["updated_at"] for row in factorial.rows("employees/employees", EVERYBODY))
    latest = next(stamp for stamp in reversed(stamps) if stamp[11:] < "20:00")

    def ask(timestamp: str) -> list[Any]:
        return list(factorial.rows("employees/employees", {**EVERYBODY, "updated_at_gteq": timestamp}))

    assert ask(f"{latest[:10]}T23:59:59Z") == ask(latest[:10])
    assert latest in {row["updated_at"] for row in ask(f"{latest[:10]}T23:59:59Z")}


def test_shifts_are_those_updated_on_a_day_or_since_it(make_factorial: Any) -> None:
    api = make_factorial()
    days = sorted({row["updated_at"][:10] for row in api.vendor.list_records("attendance_shifts", None, None, "")})
    ask = lambda day: {row["updated_at"][:10] for row in api.get("attendance/shifts", {"updated_at": day})[1]["data"]}  # noqa: E731
    assert ask(days[-3]) == {days[-3]}
    api.vendor.set_mode("/api/{version}/resources/attendance/shifts", "updated-since")
    assert ask(days[-3]) == set(days[-3:])
    with pytest.raises(ControlError):
        api.vendor.set_mode("attendance/shifts", "unpaged")


def test_a_control_makes_a_filter_ignored(make_factorial: Any) -> None:
    api = make_factorial()
    query = {**EVERYBODY, "updated_at_gteq": "2999-01-01"}
    assert api.get("employees/employees", query)[1]["data"] == []
    control = {"endpoint": "employees/employees", "parameter": "updated_at_gteq"}
    assert api.controls["ignore"](dict(control)) == {"endpoint": "employees/employees", "ignored": ["updated_at_gteq"]}
    assert api.get("employees/employees", query)[1]["meta"]["total"] == 40
    api.controls["ignore"]({**control, "ignored": False})
    assert api.get("employees/employees", query)[1]["data"] == []


def test_a_changed_person_is_found_by_its_change(make_factorial: Any) -> None:
    api = make_factorial()
    person = next(iter(api.company.people))
    api.rows("employees/employees", EVERYBODY)
    api.changes.edit("person", str(person.id), "last_name", "Ødegård")
    found = api.rows("employees/employees", {**EVERYBODY, "updated_at_gteq": "2026-06-18"})
    assert [row["last_name"] for row in found] == ["Ødegård"]


def test_a_change_without_its_own_timestamp_gets_one(make_factorial: Any) -> None:
    api = make_factorial()
    before = api.rows("contracts/contract_versions")
    pay = next(row for row in api.company.compensations if row.amount > 1000 and row.interval)
    api.changes.edit("compensation", pay.uuid, "amount", 123.0)
    after = api.rows("contracts/contract_versions", {"updated_at_gteq": "2026-06-18T00:00:00.000Z"})
    assert [row["salary_amount"] for row in after] == [12_300]
    assert len(api.rows("contracts/contract_versions")) == len(before)


def test_a_deleted_absence_remains_with_deleted_at(make_factorial: Any) -> None:
    api = make_factorial()
    before = api.rows("timeoff/leaves", ALL_LEAVES)
    absence = next(row for row in api.company.absences if row.approval == "APPROVED")
    api.changes.delete("absence_period", absence.uuid)
    after = {row["id"]: row for row in api.rows("timeoff/leaves", ALL_LEAVES)}
    assert len(after) == len(before) == api.vendor.count_rows("timeoff_leaves", None, None)
    gone = [row for row in before if row != after[row["id"]]]
    assert len(gone) == 1
    assert after[gone[0]["id"]]["deleted_at"] > "2026-06-18"
    assert gone[0]["id"] not in {row["id"] for row in api.rows("timeoff/leaves")}


def test_the_latest_of_several_timestamps_counts(make_factorial: Any) -> None:
    api = make_factorial()
    absence = next(iter(api.company.absences))
    key = str(to_api_id(absence.id))
    api.rows("timeoff/leaves", ALL_LEAVES)
    api.changes.edit("person", str(absence.person_id), "last_name", "Ødegård")  # also part of the leave
    first = api.get(f"timeoff/leaves/{key}")[1]["updated_at"]
    assert first > "2026-06-18"
    absence.updated_at = datetime(2999, 1, 1, tzinfo=UTC)
    api.company.version += 1
    assert api.get(f"timeoff/leaves/{key}")[1]["updated_at"].startswith("2999-01-01")
    edit = {"stream": "timeoff_leaves", "id": key, "field": "updated_at", "value": "2020-02-02T00:00:00Z"}
    api.controls["edit"](edit)
    assert api.get(f"timeoff/leaves/{key}")[1]["updated_at"].startswith("2020-02-02")


def test_seconds_stay_seconds(make_factorial: Any) -> None:
    api = make_factorial()
    row = api.rows("timeoff/allowance_incidences")[0]
    edit = {"stream": "timeoff_allowance_incidences", "id": row["id"], "field": "description", "value": "x"}
    api.controls["edit"](edit)
    after = api.get(f"timeoff/allowance_incidences/{row['id']}")[1]
    assert after["updated_at"] > row["updated_at"]
    assert isinstance(after["updated_at"], int)


def test_hiring_adds_rows_and_changes_no_others(make_factorial: Any) -> None:
    api = make_factorial()

    def snapshot() -> dict[str, dict[Any, Any]]:
        return {
            name: {
                row[resource.key] if resource.key else place: row
                for place, row in enumerate(api.vendor.list_records(resource.stream, None, None, ""))
            }
            for name, resource in load_newest().items()
        }

    before = snapshot()
    api.changes.hire()
    after = snapshot()
    changed = {name for name, rows in before.items() for key, row in rows.items() if after[name].get(key) != row}
    # The first two count their people; the last one names any of them.
    assert changed <= {"finance/cost_centers", "teams/teams", "project_management/exportable_expenses"}
    grown = {name: len(after[name]) - len(rows) for name, rows in before.items()}
    assert grown["employees/employees"] == grown["contracts/contracts"] == grown["contracts/reference_contracts"] == 1
    assert {
        name for name, count in grown.items() if name.startswith(("banking", "ats", "trainings")) and count
    } == set()


def test_controls_edit_and_delete_any_row(make_factorial: Any) -> None:
    api = make_factorial()
    row = api.rows("trainings/categories")[0]
    api.controls["edit"]({"stream": "trainings_categories", "id": row["id"], "field": "name", "value": None})
    changed = api.get(f"trainings/categories/{row['id']}")[1]
    assert changed["name"] is None
    assert changed["updated_at"] > row["updated_at"]
    api.controls["delete"]({"stream": "trainings_categories", "id": row["id"]})
    assert api.get(f"trainings/categories/{row['id']}")[0] == 404
    for body in (
        {"stream": "trainings_categories", "id": row["id"]},
        {"stream": "nothing", "id": "1"},
        {"stream": "employees_employees", "id": "x"},
        {"stream": "employees_employees"},
    ):
        with pytest.raises(ControlError):
            api.controls["delete"](dict(body))


def test_shifts_are_not_paged_and_slow(make_factorial: Any) -> None:
    api = make_factorial()
    path = "/api/2026-10-01/resources/attendance/shifts"
    seconds = lambda *query: api.request(path, query, **{"x-api-key": "sandbox-api-key"}).seconds  # noqa: E731
    everything = api.get("attendance/shifts", {"limit": "1", "after_id": "x"})[1]
    assert len(everything["data"]) == everything["meta"]["total"] > 100
    assert everything["meta"]["limit"] is None
    assert seconds() == seconds(("start_on", "2026-01-01")) == 300
    assert seconds(("start_on", "2026-05-01"), ("end_on", "2026-06-01")) == 300
    assert seconds(("start_on", "2026-05-01"), ("end_on", "2026-05-31")) == 0
    assert seconds(("updated_at", "2026-05-05")) == 0
    api.controls["shifts"]({"widest_days": 7, "stall_seconds": 5, "seconds_per_row": 0.5})
    rows = api.get("attendance/shifts", {"start_on": "2026-06-01", "end_on": "2026-06-07"})[1]["meta"]["total"]
    assert seconds(("start_on", "2026-06-01"), ("end_on", "2026-06-07")) == rows / 2 > 0
    assert seconds(("start_on", "2026-06-01"), ("end_on", "2026-06-08")) > 5
    for wrong in ({"rows": -1}, {"rows": "1"}, {"nothing": 1}, {"rows": True}, {"halting": 1}):
        with pytest.raises(ControlError):
            api.controls["shifts"](dict(wrong))


def test_a_million_shifts_are_served_by_day_only(make_factorial: Any) -> None:
    api = make_factorial()
    own = api.vendor.count_rows("attendance_shifts", None, None)
    api.controls["shifts"]({"rows": 1_000_000, "stall_seconds": 0})
    assert api.vendor.count_rows("attendance_shifts", None, None) == own + 1_000_000
    assert api.get("attendance/shifts")[0] == 504
    with pytest.raises(ControlError):
        api.vendor.list_records("attendance_shifts", None, None, "")
    bulk = api.vendor.endpoints.store.bulk
    days = [
        bulk.find_indexes(bulk.first_day.replace(month=month), bulk.first_day.replace(month=month)) for month in (1, 2)
    ]
    assert all(400 < len(places) < 600 for places in days)
    for places in days:
        assert {bulk.make_shift(place)["date"] for place in (places[0], places[-1])} == {
            bulk.make_shift(places[0])["date"]
        }
        assert bulk.make_shift(places[-1] + 1)["date"] > bulk.make_shift(places[0])["date"]
    body = api.get("attendance/shifts", {"start_on": "2021-02-01", "end_on": "2021-02-01"})[1]
    assert body["meta"]["total"] == len(days[1])
    for row in (body["data"][0], body["data"][-1]):
        assert api.get(f"attendance/shifts/{row['id']}")[1] == row
    old = api.get("attendance/shifts", {"start_on": "2021-02-01", "end_on": "2021-02-01"}, "2026-04-01")[1]["data"]
    by_id = api.get(f"attendance/shifts/{old[7]['id']}", {}, "2026-04-01")[1]
    assert by_id == old[7]
    filtered = {"start_on": "2021-02-01", "end_on": "2021-02-01", "workable": "true"}
    assert api.get("attendance/shifts", filtered)[1] == body
    for name in ("created_at", "clock_in", "employee_id"):
        api.vendor.allow_attribute(f"attendance_shifts.{name}", allowed=False)
    seen = api.get("attendance/shifts", {"start_on": "2021-02-01", "end_on": "2021-02-01"})[1]["data"]
    assert seen == [{**row, "created_at": None, "clock_in": None, "employee_id": None} for row in body["data"]]
    for name in ("created_at", "clock_in", "employee_id"):
        api.vendor.allow_attribute(f"attendance_shifts.{name}", allowed=True)
    assert set(row) == set(load_newest()["attendance/shifts"].fields)
    touched = api.get("attendance/shifts", {"updated_at": "2021-02-01"})[1]["data"]
    assert {row["id"] for row in touched} == {row["id"] for row in body["data"]}


def test_any_resource_can_be_unpaged(make_factorial: Any) -> None:
    api = make_factorial()
    api.vendor.set_mode("banking/transactions", "unpaged")
    body = api.get("banking/transactions", {"limit": "5"})[1]
    assert (len(body["data"]), body["meta"]["limit"], body["meta"]["has_next_page"]) == (340, None, False)
    api.vendor.set_mode("banking/transactions", "normal")
    assert len(api.get("banking/transactions")[1]["data"]) == 100


def test_requests_beyond_the_limit_are_rejected(make_factorial: Any) -> None:
    api = make_factorial(requests_per_minute=60)
    answers = [
        api.request("/api/2026-10-01/resources/teams/teams", **{"x-api-key": "sandbox-api-key"}) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].headers["ratelimit-remaining"] == "0"
    assert "x-request-id" in answers[0].headers
    assert "ratelimit-limit" not in make_factorial().request("/").headers


def test_login_slow_responses_and_faults_work_over_http(sandbox: Any) -> None:
    root = f"{sandbox.url}/factorial"
    back = {"client_id": "sandbox-client", "redirect_uri": f"{sandbox.url}/nowhere", "response_type": "code"}
    answer = requests.get(f"{root}/oauth/authorize", params=back, allow_redirects=False, timeout=30)
    assert answer.headers["location"].startswith(f"{sandbox.url}/nowhere?code=")
    sandbox.control("factorial/shifts", stall_seconds=0.01, halting=True)
    answer = requests.get(f"{root}/api/2026-10-01/resources/attendance/shifts", headers=KEY, timeout=30)
    assert answer.json()["meta"]["total"] == sandbox.counts("factorial")["attendance_shifts"]
    path = "/factorial/api/{version}/resources/teams/teams"
    sandbox.control("fault", path=path, kind="status", status=503)
    teams = f"{root}/api/2026-10-01/resources/teams/teams"
    assert [requests.get(teams, headers=KEY, timeout=30).status_code for _ in range(2)] == [503, 200]
    assert sandbox.requests()[-1]["path"] == "/factorial/api/2026-10-01/resources/teams/teams"
    person = sandbox.records("personio", "persons")[0]
    sandbox.control("edit", kind="person", id=person["id"], field="last_name", value="Ωmega")
    assert "Ωmega" in {row["last_name"] for row in sandbox.records("factorial", "employees_employees")}
    with pytest.raises(ValueError, match="no links"):
        sandbox.control("links", vendor="factorial", path="/x", style="missing")
    with pytest.raises(ValueError, match="cannot be on two pages"):
        sandbox.control("duplicate", vendor="factorial", stream="teams_teams")
    contacts = sandbox.records("factorial", "finance_contacts")
    assert {row["_contact_type"] for row in contacts} == {"vendor", "client"}
