"""Responses, cursors, parameters, filters and flags of list endpoints."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hr_sandbox.factorial.tables import load_newest

EVERYBODY = {"only_active": "false"}


def ids_of(body: Any) -> list[str]:
    return [row["id"] for row in body["data"]]


def test_pages_by_cursor_contain_every_row_once(factorial: Any) -> None:
    pages = list(factorial.pages("employees/employees", {**EVERYBODY, "limit": "50"}))
    assert [len(page["data"]) for page in pages] == [50, 50, 30]
    first, last = pages[0]["meta"], pages[-1]["meta"]
    assert set(first) == {"has_next_page", "has_previous_page", "limit", "total", "start_cursor", "end_cursor"}
    assert (first["limit"], first["total"], first["has_previous_page"], last["has_previous_page"]) == (
        50,
        130,
        False,
        True,
    )
    assert base64.b64decode(first["end_cursor"]).decode() == pages[0]["data"][-1]["id"]
    numbers = [int(key) for page in pages for key in ids_of(page)]
    assert numbers == sorted(set(numbers))
    assert min(numbers) > 2**53


def test_pages_can_be_read_backwards(factorial: Any) -> None:
    first, second, *_ = factorial.pages("employees/employees", {**EVERYBODY, "limit": "30"})
    before = {**EVERYBODY, "limit": "30", "before_id": second["meta"]["start_cursor"]}
    assert ids_of(factorial.get("employees/employees", before)[1]) == ids_of(first)


@pytest.mark.parametrize(("limit", "served"), [("100", 100), ("101", 100), ("100000", 100), ("7", 7)])
def test_a_page_has_at_most_a_hundred_rows(factorial: Any, limit: str, served: int) -> None:
    _, body = factorial.get("employees/employees", {**EVERYBODY, "limit": limit})
    assert (len(body["data"]), body["meta"]["limit"]) == (served, served)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "-1"}, {"limit": "many"}, {"page": "0"}, {"page": "x"}])
def test_invalid_page_sizes_are_rejected(factorial: Any, query: dict[str, str]) -> None:
    assert factorial.get("employees/employees", query)[0] == 400


def test_an_unencoded_id_is_not_a_cursor(factorial: Any) -> None:
    body = factorial.get("employees/employees", {"limit": "5"})[1]
    key, good = body["data"][0]["id"], body["meta"]["end_cursor"]
    for name in ("after_id", "before_id"):
        for text in (key, "1234", "%%%", "", f"{good[:4]}!{good[4:]}", base64.b64encode(b"abc").decode()):
            status, body = factorial.get("employees/employees", {name: text})
            assert (status, "errors" in body) == (400, True)


def test_a_cursor_stays_valid_when_its_row_is_deleted(make_factorial: Any) -> None:
    api = make_factorial()
    _, body = api.get("banking/transactions", {"limit": "3"})
    api.controls["delete"]({"stream": "banking_transactions", "id": ids_of(body)[-1]})
    following = api.get("banking/transactions", {"limit": "3", "after_id": body["meta"]["end_cursor"]})[1]
    assert ids_of(following)[0] > ids_of(body)[-1]
    assert api.vendor.count_rows("banking_transactions", None, None) == body["meta"]["total"] - 1


def test_pages_by_number_contain_every_row_once(factorial: Any) -> None:
    rows = [ids_of(factorial.get("employees/employees", {**EVERYBODY, "page": str(page)})[1]) for page in (1, 2, 3)]
    assert [len(row) for row in rows] == [100, 30, 0]
    assert len({key for row in rows for key in row}) == 130


def test_a_single_page_has_no_cursors(factorial: Any) -> None:
    meta = factorial.get("locations/locations")[1]["meta"]
    assert (meta["start_cursor"], meta["end_cursor"], meta["limit"], meta["has_next_page"]) == (None, None, 100, False)


def test_pages_of_allowance_stats_count_employees(factorial: Any) -> None:
    pages = list(factorial.pages("timeoff/allowance_stats", {"limit": "40"}))
    people = {row["employee_id"] for page in pages for row in page["data"]}
    assert pages[0]["meta"]["total"] == len(people)
    assert len(pages[0]["data"]) == 80
    assert len({row["employee_id"] for row in pages[0]["data"]}) == 40
    by_number = factorial.get("timeoff/allowance_stats", {"limit": "40", "page": "2"})[1]
    assert by_number == pages[0]
    row = factorial.get("timeoff/allowance_stats", {"reference_date": "2025-03-01"})[1]["data"][0]
    assert row["id"] == f"{row['employee_id']}/{row['allowance_id']}/2025-03-01"
    assert isinstance(row["total"], str)
    assert factorial.get(f"timeoff/allowance_stats/{row['id'].partition('/')[0]}")[0] == 404


def test_allowance_stats_accept_at_most_25_employees(factorial: Any) -> None:
    people = ids_of(factorial.get("employees/employees")[1])
    ask = lambda some: factorial.get("timeoff/allowance_stats", [("employee_ids[]", key) for key in some])  # noqa: E731
    assert {row["employee_id"] for row in ask(people[:25])[1]["data"]} <= set(people[:25])
    assert ask(people[:26])[0] in {400, 422}


def test_the_email_is_that_of_the_company_and_another_is_personal(factorial: Any) -> None:
    rows = factorial.rows("employees/employees", EVERYBODY)
    assert all(row["email"] == row["login_email"] for row in rows)
    assert any(row["personal_email"] not in {None, row["email"]} for row in rows)


def test_open_shifts_have_a_time_without_a_day(factorial: Any) -> None:
    rows = factorial.rows("attendance/open_shifts")
    assert rows
    assert {row["clock_in"][:11] for row in rows} == {"2000-01-01T"}


@pytest.mark.parametrize("name", ["teams/teams", "ats/candidates", "attendance/shifts", "timeoff/allowance_stats"])
def test_a_short_page_counts_its_missing_rows(make_factorial: Any, name: str) -> None:
    api = make_factorial()
    query = {"start_on": "2026-06-01", "end_on": "2026-06-17"} if name == "attendance/shifts" else {}
    totals, rows = {page["meta"]["total"] for page in api.pages(name, query)}, api.rows(name, query)
    api.vendor.set_mode(name, "short")
    assert {page["meta"]["total"] for page in api.pages(name, query)} == totals
    assert 0 < len(api.rows(name, query)) < len(rows)
    api.vendor.set_mode(name, "short-once")
    assert len(api.rows(name, query)) < len(rows)
    assert api.rows(name, query) == rows


def test_modes_remove_keys_or_return_errors_of_null(make_factorial: Any) -> None:
    api = make_factorial()
    rows = api.rows("teams/teams")
    api.vendor.set_mode("teams/teams", "keyless")
    odd = api.rows("teams/teams")
    assert ["id" in row for row in odd] == [bool(index % 5) for index in range(len(rows))]
    api.vendor.set_mode("teams/teams", "null-errors")
    assert api.get("teams/teams") == (200, {"errors": None})
    assert api.vendor.describe_permissions()["odd"] == {"teams/teams": "null-errors"}
    api.vendor.set_mode("teams/teams", "normal")
    assert api.rows("teams/teams") == rows


def test_arrays_are_repeated_with_brackets(factorial: Any) -> None:
    one, two = ids_of(factorial.get("employees/employees")[1])[:2]
    ask = lambda *query: ids_of(factorial.get("employees/employees", [*EVERYBODY.items(), *query])[1])  # noqa: E731
    assert ask(("ids[]", one), ("ids[]", two)) == [one, two]
    assert ask(("ids[]", f"{one},{two}")) == []
    assert len(ask(("ids", one))) == 100  # unknown without brackets


def test_unknown_filters_are_ignored(factorial: Any) -> None:
    everything = factorial.get("timeoff/leaves")[1]
    assert (
        factorial.get("timeoff/leaves", {"filter[date][gte]": "2099-01-01", "updated_after": "2099-01-01"})[1]
        == everything
    )


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "1700000000"])
def test_invalid_values_are_rejected(factorial: Any, value: str) -> None:
    assert factorial.get("employees/employees", {"updated_at_gteq": value})[0] in {400, 422}
    assert factorial.get("employees/employees", {"only_active": value})[0] in {400, 422}
    assert factorial.get("finance/contacts", {"contact_type": value})[0] in {400, 422}


def test_missing_required_parameters_are_rejected(factorial: Any) -> None:
    shapes = set()
    for name, resource in load_newest().items():
        if resource.needs:
            status, body = factorial.get(name)
            assert status in {400, 422}, name
            shapes.add((next(iter(body)), type(next(iter(body.values()))).__name__))
    assert len(shapes) == 4
    assert sum(bool(resource.needs) for resource in load_newest().values()) == 18
    bounded = ("attendance/worked_times", "compensations/additional_compensations", "timeoff/french_leave_day_counts")
    for name in bounded:
        assert factorial.get(name)[0] in {400, 422}
    assert factorial.get("attendance/worked_times", {"start_on": "2026-01-01"})[0] in {400, 422}
    two = [("performance_review_process_ids[]", "1"), ("performance_review_process_ids[]", "2")]
    assert factorial.get("performance/target_managers", two)[0] in {400, 422}
    assert factorial.get("job_catalog/tree_nodes", {"node_type": "tree"})[0] in {400, 422}
    assert factorial.get("attendance/estimated_times", {"employee_ids[]": "", "start_on": "", "end_on": ""})[0] != 200


@pytest.mark.parametrize(
    ("name", "flag", "shown"),
    [
        ("employees/employees", "only_active", "false"),
        ("finance/cost_center_memberships", "only_active", "false"),
        ("timeoff/leaves", "include_deleted_leaves", "true"),
        ("compensations/cycles", "include_archived", "true"),
        ("expenses/expensables", "include_grouped", "true"),
        ("expenses/expenses", "include_manual_drafts", "true"),
        ("locations/work_areas", "only_non_archived", "false"),
        ("shift_management/shifts", "only_published", "false"),
        ("finance/budget_options", "include_inactive", "true"),
    ],
)
def test_rows_are_hidden_without_their_flag(factorial: Any, name: str, flag: str, shown: str) -> None:
    other = {"true": "false", "false": "true"}[shown]
    count = {value: factorial.get(name, {flag: value})[1]["meta"]["total"] for value in (shown, other)}
    assert count[shown] > count[other]
    assert factorial.get(name)[1]["meta"]["total"] == count[other]


@pytest.mark.parametrize(
    ("name", "flag", "field", "without"),
    [
        ("project_management/projects", "include_costs", "labor_cost_cents", 0),
        ("project_management/projects", "include_inputed_minutes", "inputed_minutes", 0),
        ("project_management/subprojects", "include_cost", "labor_cost_cents", 0),
        ("project_management/project_workers", "include_labor_cost", "labor_cost_cents", 0),
        ("project_management/project_workers", "include_cost", "spending_cost_cents", 0),
        ("timeoff/leaves", "include_duration", "duration_attributes", None),
        ("timeoff/leaves", "include_leave_type", "leave_type_name", None),
        ("work_schedule/schedules", "with_periods", "periods", []),
    ],
)
def test_values_are_empty_without_their_flag(factorial: Any, name: str, flag: str, field: str, without: Any) -> None:
    assert all(row[field] == without for row in factorial.get(name)[1]["data"])
    assert any(row[field] for row in factorial.get(name, {flag: "true"})[1]["data"])


def test_views_are_disjoint(factorial: Any) -> None:
    usual = factorial.rows("documents/documents")
    trash = factorial.rows("documents/documents", {"by_trash_bin": "true"})
    pending = factorial.rows("documents/documents", {"by_pending_assignment": "true"})
    assert trash
    assert pending
    assert all(row["deleted_at"] for row in trash)
    assert not any(row["deleted_at"] or row["is_pending_assignment"] for row in usual)
    assert not any(row["employee_id"] for row in pending)
    vendors = factorial.rows("finance/contacts")
    assert vendors == factorial.rows("finance/contacts", {"contact_type": "vendor"})
    clients = factorial.rows("finance/contacts", {"contact_type": "client"})
    assert clients
    assert {row["id"] for row in clients}.isdisjoint(row["id"] for row in vendors)


def test_pending_leaves_can_be_selected(factorial: Any) -> None:
    states = {row["approved"] for row in factorial.rows("timeoff/leaves")}
    assert states == {True, False, None}
    ask = lambda **query: {row["approved"] for row in factorial.rows("timeoff/leaves", query)}  # noqa: E731
    assert ask(include_pending="true") == {None}
    assert ask(approved="true") == {True}
    assert ask(approved="true", include_pending="true") == {True, None}
    assert ask(include_pending="false") == states


def test_expenses_require_both_ends_of_a_window(factorial: Any) -> None:
    total = lambda **query: factorial.get("expenses/expenses", query)[1]["meta"]["total"]  # noqa: E731
    assert total(**{"from": "2099-01-01"}) == total(to="2000-01-01") == total() > 0
    assert total(**{"from": "2099-01-01", "to": "2099-02-01"}) == 0


def test_the_source_of_memberships_requires_a_single_employee(factorial: Any) -> None:
    row = factorial.rows("teams/memberships")[0]
    assert (row["direct"], row["source_team_ids"]) == (None, None)
    one = [("employee_ids[]", row["employee_id"]), ("with_source_attribution", "true")]
    assert factorial.rows("teams/memberships", one)[0]["source_team_ids"] == [row["team_id"]]


def test_one_record_is_found_by_its_id(factorial: Any) -> None:
    row = factorial.get("employees/employees")[1]["data"][3]
    assert factorial.get(f"employees/employees/{row['id']}") == (200, row)
    for key in ("1", "abc", f"{row['id']}0"):
        assert factorial.get(f"employees/employees/{key}")[0] == 404
    assert factorial.get(f"teams/teams/{factorial.get('teams/teams')[1]['data'][0]['id']}")[0] == 200
    assert factorial.get("attendance/worked_times/1")[0] == 404  # it has no single records


def test_some_values_have_undocumented_types(factorial: Any) -> None:
    incidence = factorial.rows("timeoff/allowance_incidences")[0]
    assert isinstance(incidence["created_at"], int)
    assert isinstance(incidence["updated_at"], int)
    assert all(row["challenge"] for row in factorial.rows("api_public/webhook_subscriptions"))
    processes = factorial.rows("performance/review_processes")
    assert any(isinstance(row["reviewer_strategies"], list) for row in processes)
    assert any(isinstance(row["duration"], float) for row in factorial.rows("trainings/sessions"))
    leaves = factorial.rows("timeoff/leaves", {"include_duration": "true"})
    assert isinstance(leaves[0]["duration_attributes"], dict)
    assert any(row["finish_on"] is None for row in leaves)
    forms = {
        factorial.rows(name)[0]["created_at"][19:]
        for name in ("timeoff/leaves", "ats/candidates", "contracts/contract_versions")
    }
    assert len(forms) > 1
    kinds = load_newest()["expenses/expensables"].fields["status"].choices
    states = {row["status"] for name in ("expenses/expensables", "expenses/expenses") for row in factorial.rows(name)}
    assert states - set(kinds)


def test_persons_are_the_same_as_at_other_vendors(factorial: Any) -> None:
    people = {row["login_email"]: row for row in factorial.rows("employees/employees", EVERYBODY)}
    assert set(people) == {row.email for row in factorial.company.people}
    hours = {row["id"]: row["working_hours"] for row in factorial.rows("contracts/contract_versions")}
    assert set(hours.values()) >= {4000}  # hundredths
    shifts = factorial.get("attendance/shifts", {"start_on": "2026-06-01", "end_on": "2026-06-07"})[1]["data"]
    kept = [row for row in factorial.company.attendances if "2026-06-01" <= row.day.isoformat() <= "2026-06-07"]
    assert len(shifts) == len(kept) > 0
