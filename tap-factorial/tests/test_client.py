"""Which requests the tap sends, and how it handles unexpected responses."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from singer_rest.fetch import loop_guard
from singer_rest.testing import Host, ReceivedRequest, Response, host
from singer_sdk.exceptions import ConfigValidationError
from tap_factorial.table import load_table, stream_name
from tap_factorial.tap import TapFactorial
from tap_factorial.versions import has_ids_of_other_version

if TYPE_CHECKING:
    from collections.abc import Callable

    Start = Callable[[Callable[[ReceivedRequest], Response]], Host]

LISTS = "/api/2026-10-01/resources/"
LAST = {"has_next_page": False, "has_previous_page": False, "limit": 100}
EMPTY = Response({"data": [], "meta": {**LAST, "total": 0}})


def make_page(*rows: dict[str, Any], **meta: Any) -> Response:
    return Response({"data": list(rows), "meta": {**LAST, **meta}})


def respond_by_list(**by_list: Response) -> Callable[[ReceivedRequest], Response]:
    """Responds by list. All other lists are empty."""
    known = {LISTS + name.replace("__", "/"): response for name, response in by_list.items()}
    return lambda request: known.get(request.path, EMPTY)


STARTED = datetime(2026, 3, 12, 8, 30, 15, 250_000, timezone.utc)


@pytest.fixture
def set_start(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Let the runs that follow begin at a moment."""
    return lambda moment: monkeypatch.setattr(TapFactorial, "started", moment)


@pytest.mark.slow
def test_every_parameter_that_reveals_rows_or_amounts_is_sent(run: Callable[..., Any], factorial: Start) -> None:
    vendor = factorial(respond_by_list())
    run(vendor.url)
    queries = {request.path.removeprefix(LISTS): request.query_text.split("&") for request in vendor.requests}
    assert queries["employees/employees"] == ["limit=100", "only_active=false", "only_managers=false"]
    assert queries["timeoff/leaves"] == [
        "limit=100",
        "include_deleted_leaves=true",
        "include_duration=true",
        "include_duration_by_day=true",
        "include_leave_type=true",
    ]
    assert queries["ats/answers"] == ["limit=100"]
    assert queries["time_planning/planning_versions"] == ["limit=100", "only_active=false"]
    assert queries["finance/categories"] == [
        "limit=100",
        "category_level=all",
        "type=all",
        "statuses%5B%5D=deleted",
        "statuses%5B%5D=disabled",
        "statuses%5B%5D=enabled",
    ]


UNSENT = {
    "contracts/contract_versions": {"job_catalog_tree_node_uuids[]"},
    "contracts/reference_contracts": {"job_catalog_tree_node_uuids[]"},
    "payroll/supplements": {"policy_period_ids[]"},
    "project_management/project_tasks": {
        "client_ids[]",
        "due_status",
        "ids[]",
        "project_ids[]",
        "search",
        "subproject_ids[]",
    },
    "project_management/subprojects": {"include_no_subproject"},
    "time_planning/planned_breaks": {
        "day_configuration_ids[]",
        "default_shift_ids[]",
        "ids[]",
        "shift_configuration_ids[]",
        "shift_ids[]",
    },
    "trainings/training_memberships": {"due_date"},
}
"""What is left out on purpose: but for that of subprojects, filters that are said to be required."""


def test_filters_documented_as_required_are_not_sent(run: Callable[..., Any], factorial: Start) -> None:
    lists = load_table().rows_of_version("2026-10-01")
    assert {path: set(row.unsent) for path, row in lists.items() if row.unsent} == UNSENT
    vendor = factorial(respond_by_list())
    run(vendor.url, *map(stream_name, UNSENT))
    queries = {path: vendor.queries(f"{LISTS}{path}") for path in UNSENT}
    assert [set(query) for query in queries.pop("project_management/subprojects")] == [
        {"limit", "include_cost", "include_inputed_minutes"}
    ]
    assert queries == {path: [{"limit": "100"}] for path in queries}


@pytest.mark.parametrize("status", [400, 422])
def test_list_that_does_require_its_filters_fails_with_its_children_only(
    run: Callable[..., Any], factorial: Start, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    refused = {path.replace("/", "__"): Response({"errors": ["is missing"]}, status) for path in UNSENT}
    vendor = factorial(respond_by_list(**refused, teams__teams=make_page({"id": "1"})))
    fails: list[Exception] = []
    streams = [*map(stream_name, UNSENT), "contracts_contract_version_meta_data", "teams_teams"]
    output = run(vendor.url, *streams, fails=fails)
    assert "8 of 9 streams failed" in str(fails[0])
    assert output.counts() == {"teams_teams": 1}
    assert [message["stream"] for message in output.messages_of("ACTIVATE_VERSION")] == ["teams_teams"]
    for path in UNSENT:
        assert f"{stream_name(path)}: {LISTS}{path} refused the request with status {status}." in caplog.text
    assert (
        "contracts_contract_version_meta_data: its parent stream contracts_contract_versions was not read completely"
        in caplog.text
    )


WINDOWS = {
    "attendance/shifts": 7,
    "attendance/worked_times": 31,
    "attendance/estimated_times": 31,
    "attendance/reviews": 31,
    "project_management/exportable_expenses": 366,
}


@pytest.mark.slow
def test_lists_by_date_are_requested_in_windows_from_five_years_ago_to_next_year(
    run: Callable[..., Any], factorial: Start, set_start: Callable[[datetime], None]
) -> None:
    set_start(STARTED)
    one = make_page({"id": "1"})
    vendor = factorial(respond_by_list(employees__employees=one, project_management__projects=one))
    run(vendor.url, *map(stream_name, WINDOWS), optional_streams=["*"])
    lists = {path: row.window for path, row in load_table().rows_of_version("2026-10-01").items() if row.window}
    assert lists.keys() == WINDOWS.keys()
    for path, days in WINDOWS.items():
        first, last = lists[path]
        queries = vendor.queries(f"{LISTS}{path}")
        spans = sorted((date.fromisoformat(query[first]), date.fromisoformat(query[last])) for query in queries)
        assert (spans[0][0], spans[-1][1]) == (date(2021, 1, 1), date(2027, 3, 12)), path
        lengths = [(end - start).days + 1 for start, end in spans]
        assert set(lengths[1:-1]) == {days}, path
        assert max(lengths) == days, path
        ends = [end + timedelta(days=1) for _, end in spans]
        assert ends[:-1] == [start for start, _ in spans[1:]], path
    assert {frozenset(query) for query in vendor.queries(f"{LISTS}attendance/shifts")} == {
        frozenset({"limit", "start_on", "end_on"})
    }


def test_parents_are_requested_together_in_repeated_parameters(run: Callable[..., Any], factorial: Start) -> None:
    posts = make_page(*({"id": str(number)} for number in range(70)))
    vendor = factorial(respond_by_list(posts__posts=posts))
    run(vendor.url, "posts_comments")
    queries = [request.query_text for request in vendor.requests if request.path == f"{LISTS}posts/comments"]
    assert sorted(query.count("post_ids%5B%5D=") for query in queries) == [20, 50]
    assert all("%2C" not in query for query in queries)


def test_requested_values_are_columns(run: Callable[..., Any], factorial: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("job_catalog/tree_nodes"):
            return make_page({"uuid": "n-1"}) if request.query["node_type"] == "jobcatalog_treeroot" else EMPTY
        return make_page(
            {"id": f"{request.path[-5:]}-{request.query.get('archived') or request.query.get('node_uuid')}"}
        )

    output = run(
        factorial(respond).url,
        "job_catalog_node_attributes",
        "contracts_german_contract_types",
        "marketplace_installation_settings",
        integration_uuid="u-1",
    )
    assert [record["node_uuid"] for record in output.records("job_catalog_node_attributes")] == ["n-1"]
    archived = {record["id"]: record["archived"] for record in output.records("contracts_german_contract_types")}
    assert archived == {"types-true": True, "types-false": False}
    settings = output.records("marketplace_installation_settings")
    assert [(record["company_id"], record["integration_uuid"]) for record in settings] == [("1", "u-1")]


def test_values_declared_as_text_become_text(run: Callable[..., Any], factorial: Start) -> None:
    row = {
        "id": 18446744073709551617,
        "employee_id": 7,
        "value": True,
        "custom_field_identifier": None,
        "new_in_some_version": {"id": 5},
    }
    contract = {"id": 1, "job_title": 12.50, "version_data": {"country_data": {"country": "es"}}}
    team = {"id": 1, "employee_ids": [1, 2, None]}
    output = run(
        factorial(
            respond_by_list(
                custom_fields__values=make_page(row),
                contracts__contract_versions=make_page(contract),
                teams__teams=make_page(team),
            )
        ).url,
        "custom_fields_values",
        "contracts_contract_versions",
        "teams_teams",
    )
    value = output.records("custom_fields_values")[0]
    assert (value["id"], value["value"], value["custom_field_identifier"]) == ("18446744073709551617", "true", None)
    assert value["_extra"] == {"employee_id": "7", "new_in_some_version": {"id": "5"}}
    assert output.records("contracts_contract_versions")[0]["job_title"] == "12.5"
    assert output.records("teams_teams")[0]["employee_ids"] == ["1", "2", None]


def test_ids_become_text_without_a_schema_too(run: Callable[..., Any], factorial: Start) -> None:
    duration = {"id": 1, "leave_ids": [2, None, "3"], "days": 4, "parts": [{"uuid": 5, "half_id": True, "hours": 6}]}
    leave = {"id": 7, "duration_attributes": duration, "new_ids": [8], "new_count": 9}
    output = run(factorial(respond_by_list(timeoff__leaves=make_page(leave))).url, "timeoff_leaves")
    assert output.records("timeoff_leaves") == [
        {
            "id": "7",
            "duration_attributes": {
                "id": "1",
                "leave_ids": ["2", None, "3"],
                "days": 4,
                "parts": [{"uuid": "5", "half_id": True, "hours": 6}],
            },
            "_extra": {"new_count": 9, "new_ids": ["8"]},
        }
    ]


TYPES = [
    # A decimal as text, as a number, and what is none.
    ("timeoff_allowance_stats", "total", {"0.0": "0.0", 2.5: "2.5", 3: "3", "": ""}, {}),
    ("trainings_sessions", "duration", {2.5: "2.5", "2:30": "2:30"}, {}),
    ("expenses_mileages", "origin_latitude", {47.1: "47.1"}, {}),
    # Seconds since 1970.
    ("timeoff_allowance_incidences", "created_at", {1767225600: 1767225600, "1767225600": 1767225600}, {}),
    ("timeoff_allowance_incidences", "updated_at", {}, {"2026-01-01T00:00:00Z": "2026-01-01T00:00:00Z"}),
    # A time of day on 2000-01-01; alone it is no timestamp.
    (
        "attendance_open_shifts",
        "clock_in",
        {"2000-01-01T08:30:00.000Z": "2000-01-01T08:30:00.000Z"},
        {"08:30": "08:30"},
    ),
    ("attendance_shifts", "clock_in", {"08:30": "08:30"}, {}),
    (
        "payroll_supplements",
        "created_at",
        {"2026-01-01T10:00:00+01:00": "2026-01-01T09:00:00Z", "": None},
        {True: True},
    ),
    # Dates and enumerations that are empty.
    ("employees_employees", "terminated_on", {"": None, "2024-02-29": "2024-02-29"}, {"soon": "soon"}),
    ("employees_employees", "gender", {"": ""}, {}),
    # Amounts in cents, and numbers in fields of text.
    ("contracts_contract_versions", "working_hours", {4000: 4000, "4000": 4000}, {}),
    ("employees_employees", "postal_code", {8001: "8001"}, {}),
    ("custom_fields_values", "value", {True: "true", 5: "5", 2.5: "2.5"}, {}),
]


@pytest.mark.parametrize(("stream", "field", "fits", "misfits"), TYPES, ids=[f"{case[0]}.{case[1]}" for case in TYPES])
def test_values_of_undescribed_types_fit_or_are_kept_in_extra(
    run: Callable[..., Any], factorial: Start, *, stream: str, field: str, fits: dict[Any, Any], misfits: dict[Any, Any]
) -> None:
    sent = [*fits, *misfits]
    rows = make_page(*({"id": str(number), field: value} for number, value in enumerate(sent)), total=len(sent))
    day = {"start_date": "2026-03-02", "end_date": "2026-03-02"} if stream == "attendance_shifts" else {}
    records = run(factorial(lambda request: rows).url, stream, **day).records(stream)
    assert [record[field] for record in records] == [*fits.values(), *(None for _ in misfits)]
    assert [record["_extra"][field] for record in records[len(fits) :]] == [*misfits.values()]
    assert not any(record.get("_extra") for record in records[: len(fits)])


def test_days_and_hours_without_a_described_type_are_unchanged(run: Callable[..., Any], factorial: Start) -> None:
    by_day = {"used_units_by_day": {"days": {"2026-03-02": 1.0}, "hours": 8}, "workable_units_by_day": None}
    vendor = factorial(respond_by_list(timeoff__leaves=make_page({"id": "1", "duration_by_day_attributes": by_day})))
    output = run(vendor.url, "timeoff_leaves")
    assert output.records("timeoff_leaves") == [{"id": "1", "duration_by_day_attributes": by_day}]


def test_estimated_times_without_an_id_have_employee_and_date_as_key(run: Callable[..., Any], factorial: Start) -> None:
    rows = make_page(*({"employee_id": 7, "date": f"2026-03-0{day}", "minutes": 480} for day in (2, 3)))
    vendor = factorial(respond_by_list(employees__employees=make_page({"id": "7"}), attendance__estimated_times=rows))
    span = {"start_date": "2026-03-02", "end_date": "2026-03-03", "optional_streams": ["attendance_estimated_times"]}
    output = run(vendor.url, "attendance_estimated_times", **span)
    (schema,) = output.messages_of("SCHEMA", "attendance_estimated_times")
    assert schema["key_properties"] == ["employee_id", "date"]
    assert {(record["employee_id"], record["date"]) for record in output.records("attendance_estimated_times")} == {
        ("7", "2026-03-02"),
        ("7", "2026-03-03"),
    }
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_undescribed_ids_are_found_at_any_depth(run: Callable[..., Any], factorial: Start) -> None:
    deep: Any = {"id": 7}
    for _ in range(90):
        deep = {"part": [deep]}
    vendor = factorial(respond_by_list(timeoff__leaves=make_page({"id": "1", "duration_attributes": deep})))
    output = run(vendor.url, "timeoff_leaves")
    found = output.records("timeoff_leaves")[0]["duration_attributes"]
    for _ in range(90):
        (found,) = found["part"]
    assert found == {"id": "7"}


def test_webhook_secret_is_never_emitted(run: Callable[..., Any], factorial: Start) -> None:
    hook = {"id": "1", "challenge": "s3cr3t", "target_url": "https://example.test"}
    output = run(
        factorial(respond_by_list(api_public__webhook_subscriptions=make_page(hook))).url,
        "api_public_webhook_subscriptions",
    )
    assert output.records("api_public_webhook_subscriptions") == [{"id": "1", "target_url": "https://example.test"}]
    assert b"challenge" not in output.raw
    assert b"s3cr3t" not in output.raw


def test_expense_token_is_never_emitted(run: Callable[..., Any], factorial: Start) -> None:
    expense = {"id": "1", "access_token": "s3cr3t", "status": "paid"}
    output = run(factorial(respond_by_list(expenses__expenses=make_page(expense))).url, "expenses_expenses")
    assert output.records("expenses_expenses") == [{"id": "1", "status": "paid"}]
    assert b"access_token" not in output.raw


FILTERS = {
    "banking/bank_accounts": "updated_from",
    "banking/transactions": "updated_from",
    "contracts/contract_version_histories": "changes_gteq",
    "contracts/contract_versions": "updated_at_gteq",
    "custom_fields/values": "updated_at_gteq",
    "employees/employees": "updated_at_gteq",
    "finance/accounting_settings": "updated_from",
    "finance/accounts": "updated_from",
    "finance/contacts": "updated_from",
    "finance/financial_documents": "updated_from",
    "finance/journal_entries": "updated_from",
    "finance/journal_lines": "updated_from",
    "finance/ledger_account_resources": "updated_from",
    "finance/tax_rates": "updated_from",
    "finance/tax_types": "updated_from",
    "integrations/sync_runs": "created_at_gteq",
    "project_management/expense_records": "updated_after",
    "project_management/project_workers": "updated_after",
    "project_management/projects": "updated_after",
    "project_management/subprojects": "updated_after",
    "project_management/time_records": "updated_after",
}


@pytest.mark.parametrize(
    ("bookmark", "lower_bounds"),
    [
        ("2026-03-10T08:30:15.250Z", ("2026-03-09", "2026-03-10T08:25:14Z", "2026-03-03T08:30:14Z")),
        ("2026-03-10T23:59:59Z", ("2026-03-09", "2026-03-10T23:54:58Z", "2026-03-03T23:59:58Z")),
        ("2026-03-10T00:00:00Z", ("2026-03-08", "2026-03-09T23:54:59Z", "2026-03-02T23:59:59Z")),
    ],
)
def test_changes_are_requested_from_a_lookback_before_the_bookmark(
    run: Callable[..., Any],
    factorial: Start,
    set_start: Callable[[datetime], None],
    bookmark: str,
    lower_bounds: tuple[str, str, str],
) -> None:
    set_start(STARTED)
    assert {
        path for path, row in load_table().rows_of_version("2026-10-01").items() if row.changed_since
    } == FILTERS.keys()
    vendor = factorial(respond_by_list())
    state = {"bookmarks": {stream_name(path): {"replication_key_value": bookmark} for path in FILTERS}}
    run(vendor.url, *state["bookmarks"], state=state, integration_uuid="u-1")
    since = {path: {query[name] for query in vendor.queries(f"{LISTS}{path}")} for path, name in FILTERS.items()}
    a_day, some_minutes, a_week = lower_bounds
    assert since.pop("contracts/contract_versions") == {some_minutes}
    assert since.pop("integrations/sync_runs") == {a_week}
    assert since == {path: {a_day} for path in since}


@pytest.mark.parametrize(("changed", "heeded"), [("2026-03-10T00:30:00Z", True), ("2026-03-08T00:00:00Z", False)])
def test_timestamp_filter_may_use_the_date_only(
    run: Callable[..., Any],
    factorial: Start,
    set_start: Callable[[datetime], None],
    caplog: pytest.LogCaptureFixture,
    changed: str,
    *,
    heeded: bool,
) -> None:
    set_start(STARTED)
    vendor = factorial(respond_by_list(contracts__contract_versions=make_page({"id": "1", "updated_at": changed})))
    state = {"bookmarks": {"contracts_contract_versions": {"replication_key_value": "2026-03-10T08:30:15Z"}}}
    output = run(vendor.url, "contracts_contract_versions", state=state)
    assert ("falling back to a full read" not in caplog.text) == heeded
    assert (output.messages_of("ACTIVATE_VERSION") == []) == heeded


def test_sync_runs_are_read_from_the_beginning_then_with_a_weeks_lookback(
    run: Callable[..., Any], factorial: Start, set_start: Callable[[datetime], None]
) -> None:
    created = {"1": "2026-03-01T00:00:00Z", "2": "2026-03-10T00:00:00Z"}
    ended = {"1": "2026-03-01T01:00:00Z", "2": None}

    def respond(request: ReceivedRequest) -> Response:
        runs = [key for key, moment in created.items() if moment >= request.query["created_at_gteq"]]
        return make_page(*({"id": key, "finished_at": ended[key]} for key in runs))

    vendor = factorial(respond)
    state: dict[str, Any] | None = None
    came = []
    for days in (0, 4, 5):
        set_start(STARTED + timedelta(days=days))
        output = run(vendor.url, "integrations_sync_runs", state=state, integration_uuid="u-1")
        came.append([(row["id"], row["finished_at"]) for row in output.records("integrations_sync_runs")])
        state = output.state
        ended["2"] = "2026-03-14T00:00:00Z"
    assert [query["created_at_gteq"] for query in vendor.queries(f"{LISTS}integrations/sync_runs")] == [
        "1999-12-31T23:59:59Z",
        "2026-03-05T08:30:14Z",
        "2026-03-09T08:30:14Z",
    ]
    again = ("2", "2026-03-14T00:00:00Z")
    assert came == [[("1", "2026-03-01T01:00:00Z"), ("2", None)], [again], [again]]


def test_balances_are_requested_without_a_day_and_replace_earlier_days(
    run: Callable[..., Any], factorial: Start, set_start: Callable[[datetime], None]
) -> None:
    vendor = factorial(lambda request: make_page({"id": f"1/2/{today}"}))
    state: dict[str, Any] | None = None
    came = []
    for days in (0, 1):
        moment = STARTED + timedelta(days=days)
        today = moment.date().isoformat()
        set_start(moment)
        output = run(vendor.url, "timeoff_allowance_stats", state=state)
        (version,) = (message["version"] for message in output.messages_of("ACTIVATE_VERSION"))
        came.append(
            (version, [(message["version"], message["record"]["id"]) for message in output.messages_of("RECORD")])
        )
        state = output.state
    (first, rows), (second, later_rows) = came
    assert first < second
    assert (rows, later_rows) == ([(first, "1/2/2026-03-12")], [(second, "1/2/2026-03-13")])
    assert vendor.queries(f"{LISTS}timeoff/allowance_stats") == [{"limit": "100"}] * 2


def test_cursors_are_sent_unchanged(run: Callable[..., Any], factorial: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if "after_id" not in request.query:
            return make_page({"id": "1"}, has_next_page=True, end_cursor="MTY=/+")
        return make_page({"id": "2"})

    vendor = factorial(respond)
    output = run(vendor.url, "teams_teams")
    assert [record["id"] for record in output.records("teams_teams")] == ["1", "2"]
    assert vendor.queries(f"{LISTS}teams/teams")[1] == {"limit": "100", "after_id": "MTY=/+"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "1"}]},
        {"data": [{"id": "1"}], "meta": None},
        {"data": [{"id": "1"}], "meta": {"has_next_page": None, "limit": None, "total": None}},
        {"data": [{"id": str(number)} for number in range(250)], "meta": {**LAST, "limit": None}},
    ],
)
def test_body_without_page_information_is_the_last_page(
    run: Callable[..., Any], factorial: Start, body: dict[str, Any]
) -> None:
    output = run(factorial(respond_by_list(teams__teams=Response(body))).url, "teams_teams")
    assert output.counts() == {"teams_teams": len(body["data"])}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"data": [{"id": str(number)} for number in range(100)]}, "does not say whether another follows"),
        (
            {"data": [{"id": str(number)} for number in range(100)], "meta": {"has_next_page": None, "total": True}},
            "does not say whether another follows",
        ),
        (
            {"data": [{"id": "1"}], "meta": {"has_next_page": True, "end_cursor": None}},
            "that another page follows, but has no token for it",
        ),
        ({"data": {"id": "1"}}, "contains no list of records"),
        ({"data": [{"id": "1"}], "meta": "none"}, "contains no list of records"),
        ({"data": [{"id": "1"}], "meta": [1]}, "contains no list of records"),
        ({"data": ["1"]}, "none of the 1 items received is a record"),
        ({"data": [{"id": "1"}], "meta": {"limit": 1, "end_cursor": "MQ=="}}, "does not say whether another follows"),
        ([{"id": "1"}], "contains no list of records"),
        (
            {"data": [{"id": "1"}], "meta": {"has_next_page": True, "end_cursor": "MQ=="}},
            "leads back to a page already read",
        ),
    ],
)
def test_body_that_could_hide_rows_fails_the_stream(
    run: Callable[..., Any], factorial: Start, body: Any, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    output = run(factorial(respond_by_list(teams__teams=Response(body))).url, "teams_teams", fails=fails)
    assert "1 of 1 streams failed: teams_teams" in str(fails[0])
    assert sentence in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []


def pages_of_teams(first: Response, *later: Response) -> Callable[[ReceivedRequest], Response]:
    """Responds with a list of teams. Its first page is always the same; later pages are returned in the given order."""
    left = [*later]
    return lambda request: EMPTY if request.path != f"{LISTS}teams/teams" else _next(request, first, left)


def _next(request: ReceivedRequest, first: Response, left: list[Response]) -> Response:
    return left.pop(0) if "after_id" in request.query else first


GOES_ON = {"has_next_page": True, "end_cursor": "MQ=="}


def test_row_that_is_not_an_object_stops_no_other_and_deletes_none(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Response({"data": [{"id": "1"}, None, {"id": "2"}], "meta": {**LAST, "total": 3}})
    output = run(factorial(respond_by_list(teams__teams=rows)).url, "teams_teams")
    assert {record["id"] for record in output.records("teams_teams")} == {"1", "2"}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "teams_teams: 1 items are missing because the vendor reported an error" in caplog.text


def test_page_without_rows_does_not_stop_later_pages(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Response({"data": ["no row", None], "meta": {**GOES_ON, "end_cursor": "Mg=="}})
    first, last = make_page({"id": "1"}, **GOES_ON), make_page({"id": "2"})

    def respond(request: ReceivedRequest) -> Response:
        return {"MQ==": broken, "Mg==": last}.get(request.query.get("after_id", ""), first)

    output = run(factorial(respond).url, "teams_teams")
    assert {record["id"] for record in output.records("teams_teams")} == {"1", "2"}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "teams_teams: 2 items are missing" in caplog.text


@pytest.mark.parametrize("status", [204, 408, 425])
def test_no_content_in_place_of_a_later_page_does_not_end_the_list(
    run: Callable[..., Any], factorial: Start, status: int
) -> None:
    vendor = factorial(pages_of_teams(make_page({"id": "1"}, **GOES_ON), Response(b"", status), make_page({"id": "2"})))
    output = run(vendor.url, "teams_teams")
    assert [record["id"] for record in output.records("teams_teams")] == ["1", "2"]
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("cursors", ["new", "two"])
@pytest.mark.parametrize("rows", [[{"id": "1"}], []])
def test_circular_or_endless_cursors_fail_the_stream(
    run: Callable[..., Any],
    factorial: Start,
    *,
    rows: list[Any],
    cursors: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loop_guard, "MAX_EMPTY_PAGES", 100)

    def respond(request: ReceivedRequest) -> Response:
        before = request.query.get("after_id", "c")
        following = f"{before}c" if cursors == "new" else {"a": "b"}.get(before, "a")
        return make_page(*rows, has_next_page=True, end_cursor=following)

    vendor = factorial(respond)
    fails: list[Exception] = []
    run(vendor.url, "teams_teams", fails=fails)
    assert "1 of 1 streams failed: teams_teams" in str(fails[0])
    assert (
        "teams_teams: the vendor sends the same pages over and over" in caplog.text
        or "leads back to a page" in caplog.text
    )
    assert len(vendor.requests) < 110


def test_page_information_may_have_other_types(run: Callable[..., Any], factorial: Start) -> None:
    last = make_page(*({"id": str(number)} for number in range(2, 102)), has_next_page="false", total="101")
    vendor = factorial(pages_of_teams(make_page({"id": "1"}, has_next_page=1, end_cursor=16, total="101"), last))
    output = run(vendor.url, "teams_teams")
    assert output.counts() == {"teams_teams": 101}
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1
    assert vendor.queries(f"{LISTS}teams/teams")[1]["after_id"] == "16"


def test_total_in_a_string_is_used(run: Callable[..., Any], factorial: Start) -> None:
    output = run(factorial(respond_by_list(teams__teams=make_page({"id": "1"}, total="3"))).url, "teams_teams")
    assert output.messages_of("ACTIVATE_VERSION") == []


def test_repeated_row_does_not_replace_a_missing_one(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    twice = [{"id": "1"}, {"id": "1"}, {"id": "2"}]
    vendor = factorial(
        respond_by_list(teams__teams=make_page(*twice, total=3), locations__locations=make_page(*twice, total=2))
    )
    output = run(vendor.url, "teams_teams", "locations_locations")
    assert [message["stream"] for message in output.messages_of("ACTIVATE_VERSION")] == ["locations_locations"]
    assert "teams_teams: 1 lists have fewer records than the vendor reports" in caplog.text


def test_single_rejection_of_the_credential_does_not_end_the_run(run: Callable[..., Any]) -> None:
    refusals = [Response({"errors": None}, 401)]
    known = respond_by_list(teams__teams=make_page({"id": "1"}))
    with host(
        lambda request: (
            refusals.pop() if refusals and request.path.endswith("/api_public/credentials") else known(request)
        )
    ) as vendor:
        assert run(vendor.url, "teams_teams").counts() == {"teams_teams": 1}
    assert not refusals


def test_hundred_shifts_are_not_a_full_page(run: Callable[..., Any], factorial: Start) -> None:
    shifts = Response({"data": [{"id": str(number)} for number in range(100)], "meta": None})
    window = {"start_date": "2026-10-05", "end_date": "2026-10-05"}
    output = run(factorial(respond_by_list(attendance__shifts=shifts)).url, "attendance_shifts", **window)
    assert output.counts() == {"attendance_shifts": 100}


def test_credential_without_a_company_is_reported_as_nothing_to_request(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    credentials = make_page({"id": "access-0", "company_id": None})
    with host(lambda request: credentials if request.path.endswith("/credentials") else EMPTY) as vendor:
        run(vendor.url, "contracts_materialized_templates", "teams_teams")
    assert "contracts_materialized_templates: nothing was requested: none of the api_public_credentials" in caplog.text
    assert "has a company_id" in caplog.text


def test_empty_list_can_be_sent_as_null_errors(run: Callable[..., Any], factorial: Start) -> None:
    output = run(factorial(respond_by_list(teams__teams=Response({"errors": None}))).url, "teams_teams")
    assert output.counts() == {}
    assert output.messages_of("ACTIVATE_VERSION") == []


def test_empty_list_sent_as_null_errors_marks_no_row_as_deleted(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        return Response({"errors": None}) if request.query["contact_type"] == "vendor" else make_page({"id": "1"})

    output = run(factorial(respond).url, "finance_contacts")
    assert output.counts() == {"finance_contacts": 1}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "1 lists have fewer records than the vendor reports, or were not confirmed to be empty" in caplog.text


def test_forbidden_parent_does_not_stop_the_children_of_others(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("tasks/tasks"):
            return make_page({"id": "1"}, {"id": "2"})
        return (
            Response({"message": "no"}, 403)
            if request.query["task_id"] == "1"
            else make_page({"id": "9", "task_id": "2"})
        )

    output = run(factorial(respond).url, "tasks_task_files")
    assert [record["id"] for record in output.records("tasks_task_files")] == ["9"]
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "the credential cannot read 1 of the tasks_tasks" in caplog.text


def test_list_that_is_not_found_is_skipped_by_name(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = factorial(
        respond_by_list(posts__posts=Response({"message": "no"}, 404), teams__teams=make_page({"id": "1"}))
    )
    output = run(vendor.url, "posts_posts", "posts_comments", "posts_groups", "teams_teams")
    assert output.counts() == {"teams_teams": 1}
    assert {message["stream"] for message in output.messages_of("SCHEMA")} == {"posts_groups", "teams_teams"}
    assert "posts_posts: the credential cannot read this stream; it needs the scope posts" in caplog.text
    assert f"(status 404 from {LISTS}posts/posts)" in caplog.text
    assert "posts_comments: its parent stream posts_posts" in caplog.text
    assert vendor.paths()[f"{LISTS}posts/posts"] == 1


@pytest.mark.parametrize("status", [402, 410, 428])
def test_unlicensed_list_is_skipped_by_name_with_its_children(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    refusal = Response({"errors": [{"code": "payment_required", "message": "s3cret", "field": None}]}, status)
    vendor = factorial(respond_by_list(posts__posts=refusal, teams__teams=make_page({"id": "1"})))
    output = run(vendor.url, "posts_posts", "posts_comments", "teams_teams")
    assert output.counts() == {"teams_teams": 1}
    assert {message["stream"] for message in output.messages_of("SCHEMA")} == {"teams_teams"}
    assert (
        "posts_posts: the company's plan does not include this stream, or the vendor has switched it off" in caplog.text
    )
    assert "It needs the scope posts, and a plan that includes the module posts" in caplog.text
    assert "posts_comments: its parent stream posts_posts" in caplog.text
    assert "api_url" not in caplog.text
    assert "s3cret" not in caplog.text
    assert vendor.paths()[f"{LISTS}posts/posts"] == 1


def test_unlicensed_module_is_not_requested_for_every_parent(run: Callable[..., Any], factorial: Start) -> None:
    tasks = make_page(*({"id": str(number)} for number in range(40)))
    vendor = factorial(respond_by_list(tasks__tasks=tasks, tasks__task_files=Response(b"", 402)))
    output = run(vendor.url, "tasks_tasks", "tasks_task_files", max_concurrency=1)
    assert output.counts() == {"tasks_tasks": 40}
    assert vendor.paths()[f"{LISTS}tasks/task_files"] <= 2  # two slices are open at a time


@pytest.mark.parametrize("status", [409, 428])
def test_parent_with_unavailable_children_does_not_stop_those_of_others(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("tasks/tasks"):
            return make_page({"id": "1"}, {"id": "2"})
        return Response(b"", status) if request.query["task_id"] == "1" else make_page({"id": "9", "task_id": "2"})

    output = run(factorial(respond).url, "tasks_task_files")
    assert [record["id"] for record in output.records("tasks_task_files")] == ["9"]
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "1 of the tasks_tasks" in caplog.text


def test_unconfirmed_empty_list_does_not_move_the_bookmark(run: Callable[..., Any], factorial: Start) -> None:
    """Of two slices only one says what it holds: the rows of the other must not fall behind the bookmark."""

    def respond(request: ReceivedRequest) -> Response:
        if request.query["contact_type"] == "vendor":
            return Response({"errors": None})
        return make_page({"id": "1", "updated_at": "2026-03-11T00:00:00Z"})

    vendor = factorial(respond)
    place = {"replication_key": "updated_at", "replication_key_value": "2026-03-01T00:00:00Z", "version": 7}
    output = run(vendor.url, "finance_contacts", state={"bookmarks": {"finance_contacts": place}})
    assert output.counts() == {"finance_contacts": 1}
    assert output.state["bookmarks"]["finance_contacts"]["replication_key_value"] == "2026-03-01T00:00:00Z"
    assert [query["contact_type"] for query in vendor.queries(f"{LISTS}finance/contacts")].count("vendor") == 2


def test_null_errors_in_place_of_a_later_page_do_not_end_the_list(run: Callable[..., Any], factorial: Start) -> None:
    odd = [Response({"errors": None})] * 2

    def respond(request: ReceivedRequest) -> Response:
        if "after_id" not in request.query:
            return make_page({"id": "1"}, has_next_page=True, end_cursor="MQ==")
        return odd.pop() if odd else make_page({"id": "2"})

    assert run(factorial(respond).url, "teams_teams").counts() == {"teams_teams": 2}


@pytest.mark.parametrize(("total", "whole"), [(1, True), (3, True), (100, True), (101, False)])
def test_total_of_balances_counts_employees_at_a_hundred_per_page(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture, total: int, *, whole: bool
) -> None:
    """An employee may have no balance or several, so only a missing page of 100 employees can be detected."""
    rows = [{"id": f"1/{number}/2026-03-12"} for number in range(2)]
    output = run(
        factorial(respond_by_list(timeoff__allowance_stats=make_page(*rows, total=total))).url,
        "timeoff_allowance_stats",
    )
    assert bool(output.messages_of("ACTIVATE_VERSION")) == whole
    assert ("fewer records than the vendor reports" not in caplog.text) == whole


def test_list_that_shrinks_during_a_read_is_read_again_and_is_complete(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    totals = [3, 2]

    def respond(request: ReceivedRequest) -> Response:
        if "after_id" not in request.query:
            return make_page({"id": "1"}, has_next_page=True, end_cursor="MQ==", total=totals.pop(0))
        return make_page({"id": "3"}, total=2)  # the second was deleted

    output = run(factorial(respond).url, "teams_teams")
    assert {record["id"] for record in output.records("teams_teams")} == {"1", "3"}
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_full_page_is_the_last_if_the_total_says_so(run: Callable[..., Any], factorial: Start) -> None:
    rows = [{"id": str(number)} for number in range(100)]
    meta = {"has_next_page": None, "total": 100}
    assert run(factorial(lambda request: make_page(*rows, **meta)).url, "teams_teams").counts() == {"teams_teams": 100}


def test_children_of_a_deleted_parent_are_omitted(run: Callable[..., Any], factorial: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("tasks/tasks"):
            return make_page({"id": "1"}, {"id": "2"})
        return (
            Response({"message": "no"}, 404)
            if request.query["task_id"] == "1"
            else make_page({"id": "9", "task_id": "2"})
        )

    output = run(factorial(respond).url, "tasks_task_files")
    assert [record["id"] for record in output.records("tasks_task_files")] == ["9"]


def test_batch_that_is_not_found_keeps_children_of_existing_parents(run: Callable[..., Any], factorial: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("posts/posts"):
            return make_page(*({"id": str(number)} for number in range(50)))
        ids = [part.partition("=")[2] for part in request.query_text.split("&") if part.startswith("post_ids")]
        return Response({"message": "no"}, 404) if "7" in ids else make_page(*({"id": f"c{post}"} for post in ids))

    vendor = factorial(respond)
    output = run(vendor.url, "posts_comments")
    assert len(output.records("posts_comments")) == 49
    assert vendor.paths()[f"{LISTS}posts/comments"] < 15


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"api_version": "next"}, "Set `api_version` to a version of the API, such as 2026-10-01."),
        ({"api_version": "2026-02-01"}, "Set `api_version` to a version of the API"),
        ({"api_version": "2030-01-01"}, "Set `api_version` to 2026-10-01, the newest that this tap knows"),
        ({"date_window_days": 0}, "Set `date_window_days` to a number from 1 to 366."),
        ({"date_window_days": "week"}, "date_window_days"),
        ({"api_key": ""}, "Set `api_key`"),
        ({"api_key": "two words"}, "Set `api_key` to the credential alone"),
        ({"access_token": "t"}, "keep one of them"),
        ({"api_url": "nowhere"}, "Set `api_url`"),
    ],
)
def test_invalid_settings_are_reported(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapFactorial(config={"api_key": "k", **config})
    assert sentence in " ".join(error.value.errors)


def test_catalog_needs_neither_credentials_nor_network() -> None:
    tap = TapFactorial(config={"api_url": "http://127.0.0.1:9"}, validate_config=False)
    names = {stream["tap_stream_id"] for stream in tap.catalog_dict["streams"]}
    offered = [
        row for row in load_table().rows_of_version("2026-10-01").values() if not row.optional and not row.setting
    ]
    assert len(names) == len(offered)
    assert {"trainings_sessions", "performance_review_processes", "finance_accounts"} <= names
    everything = {"optional_streams": ["*"], "integration_uuid": "u"}
    assert len(TapFactorial(config=everything, validate_config=False).streams) == len(
        load_table().rows_of_version("2026-10-01")
    )


@pytest.mark.parametrize(
    ("version", "row", "said"),
    [
        ("2026-10-01", {"id": 7}, True),
        ("2026-07-01", {"id": "7"}, False),
        ("2026-04-01", {"id": 7}, False),
        ("2026-04-01", {"id": "7"}, True),
        ("2026-04-01", {"id": "7/8"}, False),
        ("2026-04-01", {"name": "without"}, False),
    ],
)
def test_responses_of_another_api_version_are_reported_once(
    run: Callable[..., Any],
    factorial: Start,
    caplog: pytest.LogCaptureFixture,
    version: str,
    row: dict[str, Any],
    *,
    said: bool,
) -> None:
    vendor = factorial(lambda request: make_page(row))
    run(vendor.url, "teams_teams", "locations_locations", api_version=version)
    assert caplog.text.count(f"seems to serve a different API version than {version}") == said


@pytest.mark.parametrize(
    ("version", "years", "said"), [("2026-10-01", 0, False), ("2026-10-01", 1, True), ("2026-01-01", 0, False)]
)
def test_version_older_than_a_year_is_reported(
    set_start: Callable[[datetime], None], caplog: pytest.LogCaptureFixture, version: str, years: int, *, said: bool
) -> None:
    set_start(STARTED.replace(year=STARTED.year + years, month=11))
    TapFactorial(config={"api_key": "k", "api_version": version}).catalog_dict  # noqa: B018
    assert caplog.text.count(f"{version} is older, so it may serve another one instead") == said


def test_ids_that_used_to_be_text_do_not_indicate_another_version() -> None:
    assert not has_ids_of_other_version("2026-04-01", "it_management/it_assets", [{"id": "7"}])
    assert has_ids_of_other_version("2026-10-01", "it_management/it_assets", [{"id": 7}])


def test_invalid_key_is_reported_in_one_sentence(run: Callable[..., Any]) -> None:

    with (
        host(lambda request: Response({"errors": None}, 401)) as vendor,
        pytest.raises(RunError, match="rejects the API key"),
    ):
        run(vendor.url)


def dated_lists(*days: str) -> Callable[[ReceivedRequest], Response]:
    """Lists by dates that have a row on each of some days, none of which has changed lately."""

    def respond(request: ReceivedRequest) -> Response:
        first, last = request.query.get("start_on", ""), request.query.get("end_on", "")
        return make_page(*({"id": day, "updated_at": "2020-01-01T00:00:00Z"} for day in days if first <= day <= last))

    return respond


def test_removed_end_date_deletes_no_row_after_the_default_end(
    run: Callable[..., Any], factorial: Start, set_start: Callable[[datetime], None], caplog: pytest.LogCaptureFixture
) -> None:
    set_start(STARTED)
    vendor = factorial(dated_lists("2026-01-01", "2028-06-01"))
    first = run(vendor.url, "attendance_worked_times", start_date="2026-01-01", end_date="2028-12-31")
    assert len(first.records("attendance_worked_times")) == 2
    set_start(STARTED + timedelta(days=1))
    second = run(vendor.url, "attendance_worked_times", start_date="2026-01-01", state=first.state)
    assert len(second.records("attendance_worked_times")) == 1
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert "leaves out a part of what was loaded before, so no row is marked as deleted" in caplog.text
    assert second.state["bookmarks"]["attendance_worked_times"]["window_end"] == "2028-12-31T00:00:00Z"

    caplog.clear()
    set_start(STARTED + timedelta(days=800))
    third = run(vendor.url, "attendance_worked_times", start_date="2026-01-01", state=second.state)
    assert len(third.messages_of("ACTIVATE_VERSION")) == 1
    assert "was loaded before" not in caplog.text


@pytest.mark.parametrize(
    ("dates", "is_said"),
    [
        ({"start_date": "2025-06-01", "end_date": "2026-12-31"}, False),
        ({"start_date": "2025-07-01", "end_date": "2026-11-30"}, False),
        ({"start_date": "2025-05-31", "end_date": "2026-12-31"}, True),
        ({"start_date": "2025-06-01", "end_date": "2027-01-01"}, True),
        ({"start_date": "2025-06-01"}, True),
        ({"end_date": "2026-12-31"}, True),
    ],
)
def test_dates_that_a_later_run_does_not_read_are_reported(
    run: Callable[..., Any],
    factorial: Start,
    set_start: Callable[[datetime], None],
    *,
    dates: dict[str, str],
    is_said: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_start(STARTED)
    vendor = factorial(dated_lists("2026-01-01"))
    first = run(vendor.url, "attendance_shifts", start_date="2025-06-01", end_date="2026-12-31")
    assert "now includes dates" not in caplog.text
    set_start(STARTED + timedelta(days=1))
    run(vendor.url, "attendance_shifts", state=first.state, **dates)
    assert ("`start_date` or `end_date` now includes dates that were not read before" in caplog.text) == is_said


OLD_SHIFT = {"id": "2019", "date": "2019-02-01", "updated_at": "2026-03-12T10:00:00Z"}
"""A shift before the default start, of which every run but the first can be sent a change."""


@pytest.mark.slow
@pytest.mark.parametrize("refused", [Response({}, 500), make_page({**OLD_SHIFT, "updated_at": "2019-02-02T00:00:00Z"})])
def test_a_full_read_in_place_of_changes_deletes_no_shift_outside_of_its_dates(
    run: Callable[..., Any],
    factorial: Start,
    set_start: Callable[[datetime], None],
    refused: Response,
    caplog: pytest.LogCaptureFixture,
) -> None:
    by_dates, changes = dated_lists("2026-02-01"), {"2026-03-12": make_page(OLD_SHIFT)}
    vendor = factorial(
        lambda request: changes.get(day, EMPTY) if (day := request.query.get("updated_at")) else by_dates(request)
    )
    set_start(STARTED)
    first = run(vendor.url, "attendance_shifts")
    assert (first.ids(), len(first.messages_of("ACTIVATE_VERSION"))) == ({"attendance_shifts": ["2026-02-01"]}, 1)
    set_start(STARTED + timedelta(days=1))
    second = run(vendor.url, "attendance_shifts", state=first.state)
    assert second.ids() == {"attendance_shifts": ["2019"]}

    changes["2026-03-14"] = refused
    set_start(STARTED + timedelta(days=2))
    third = run(vendor.url, "attendance_shifts", state=second.state)
    assert "falling back to a full read" in caplog.text
    assert third.ids()["attendance_shifts"][-1] == "2026-02-01"
    assert third.messages_of("ACTIVATE_VERSION") == []
    refreshed = run(vendor.url, "attendance_shifts")
    assert len(refreshed.messages_of("ACTIVATE_VERSION")) == 1
