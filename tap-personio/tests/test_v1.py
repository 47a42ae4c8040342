"""The lists of v1 and their peculiarities, with bodies in the documented format."""

from __future__ import annotations

import itertools
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import running
from singer_rest import TapError
from singer_rest.http.rate_limits import RateLimiter
from singer_rest.testing import ReceivedRequest, Response, capture_output, host
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable

EMPLOYEES, DICTIONARY = "/v1/company/employees", "/v1/company/employees/attributes"


def make_attribute(value: Any, kind: str = "standard", **more: Any) -> dict[str, Any]:
    return {"label": "Bezeichnung", "value": value, "type": kind, "universal_id": None, **more}


def make_employee(number: int, **attributes: Any) -> dict[str, Any]:
    return {"type": "Employee", "attributes": {"id": make_attribute(number, "integer"), **attributes}}


def v1_response(data: Any, **more: Any) -> Response:
    metadata = {"metadata": {"total_elements": len(data)}} if isinstance(data, list) else {}
    return Response({"success": True, "data": data, **metadata, **more})


def respond_by_path(**bodies: Any) -> Callable[[ReceivedRequest], Response]:
    """Responds to paths below /v1/company/ (with _ for - and __ for /) by their data; anything else is empty."""
    by_path = {f"/v1/company/{path.replace('__', '/').replace('_', '-')}": data for path, data in bodies.items()}
    return lambda request: v1_response(by_path.get(request.path, []), _data=[])


def make_state(stream: str, key: str, value: str) -> dict[str, Any]:
    return {"bookmarks": {stream: {"replication_key": key, "replication_key_value": value, "version": 1}}}


def test_v1_calls_use_a_v1_token_and_v2_calls_a_v2_token(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(respond_by_path())
    run(vendor.url)
    tokens = {
        (request.path[:3], request.headers["Authorization"])
        for request in vendor.requests
        if "Authorization" in request.headers
    }
    assert tokens == {("/v1", "Bearer eyJ-secret"), ("/v2", "Bearer papi-secret")}
    (login,) = [request for request in vendor.requests if request.path == "/v1/auth"]
    assert login.headers["Content-Type"] == "application/json"
    assert json.loads(login.body) == {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    assert not login.query


def refusing_v1(response: Response) -> Callable[[ReceivedRequest], Response]:
    """Returns a vendor that issues a token for v2 only."""

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/auth/token":
            return Response({"access_token": "papi-secret", "expires_in": 86400})
        return response if request.path == "/v1/auth" else v1_response([], _data=[{"id": "1"}])

    return respond


@pytest.mark.parametrize("status", [403, 404, 410, 200])
def test_v1_lists_are_skipped_without_a_v1_token_and_v2_is_read(
    run: Callable[..., Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Response({"success": False, "error": {"code": 0, "message": "Nein"}}, status)
    with host(refusing_v1(refused)) as vendor:
        output = run(vendor.url, "document_categories", "employees", "workplaces", discover=True)
    assert output.counts() == {"workplaces": 1}
    assert "document_categories: the v1 API did not issue a token." in caplog.text
    assert "Nein" not in caplog.text


def test_v1_lists_fail_if_v1_is_down_and_v2_is_read(run: Callable[..., Any]) -> None:
    fails: list[Exception] = []
    with host(refusing_v1(Response({}, 500))) as vendor:
        output = run(vendor.url, "document_categories", "workplaces", fails=fails)
    assert output.counts() == {"workplaces": 1}
    assert "1 of 2 streams failed: document_categories" in str(fails[0])


def test_v1_token_is_renewed_if_a_list_that_worked_returns_403(run: Callable[..., Any], personio: Any) -> None:
    asked_for = []

    def respond(request: ReceivedRequest) -> Response:
        asked_for.append(request.query.get("offset"))
        if asked_for == ["0", "100"]:
            return Response({"success": False, "error": {"code": 403, "message": "-"}}, 403)
        return numbered_list(150, METADATA["complete"])(request)  # type: ignore[no-any-return]

    vendor = personio(respond)
    assert len(run(vendor.url, "employees", max_concurrency=1).records("employees")) == 150
    assert vendor.paths()["/v1/auth"] == 2


def test_attribute_dictionary_is_not_requested_if_a_catalog_is_given(personio: Any) -> None:
    vendor = personio(
        respond_by_path(employees=[make_employee(1, first_name=make_attribute("Ada"), last_name=make_attribute("L"))])
    )
    catalog = TapPersonio(config={"api_url": vendor.url}, validate_config=False).catalog_dict
    entry = next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == "employees")
    for item in entry["metadata"]:
        item["metadata"]["selected"] = item["breadcrumb"] != ["properties", "last_name"]
    catalog["streams"] = [entry]
    config = {"api_url": vendor.url, "client_id": "a", "client_secret": "b"}
    output = capture_output(TapPersonio(config=config, catalog=catalog).sync_all)
    assert output.records("employees") == [{"id": 1, "first_name": "Ada"}]
    assert DICTIONARY not in vendor.paths()


@pytest.mark.parametrize("attributes", [[], "text", None])
def test_employee_of_another_shape_is_kept_unchanged(run: Callable[..., Any], personio: Any, attributes: Any) -> None:
    vendor = personio(respond_by_path(employees=[{"id": 7, "attributes": attributes}]))
    (record,) = run(vendor.url, "employees").records("employees")
    assert record == {"id": 7, "_extra": {"attributes": attributes}}


DEFINITIONS = [
    {"key": "first_name", "label": "Vorname", "type": "standard"},
    {"key": "dynamic_1", "label": "IBAN", "type": "standard"},
    {"key": "dynamic_2", "label": "Kinder", "type": "integer"},
    {"key": "dynamic_3", "label": "Quote", "type": "decimal"},
    {"key": "dynamic_4", "label": "Jahrestag", "type": "date"},
    {"key": "dynamic_5", "label": "Sprachen", "type": "tags"},
    {"key": "dynamic_6", "label": "Neu", "type": "hologram"},
]


def respond_with_employees(*employees: dict[str, Any]) -> Callable[[ReceivedRequest], Response]:
    return lambda request: v1_response(DEFINITIONS if request.path == DICTIONARY else list(employees))


def test_each_custom_attribute_is_a_typed_column_named_by_its_key(run: Callable[..., Any], personio: Any) -> None:
    attributes = {
        "dynamic_1": make_attribute("DE98"),
        "dynamic_2": make_attribute("3", "integer"),
        "dynamic_3": make_attribute("0.25", "decimal"),
        "dynamic_4": make_attribute("2021-01-01 00:00:00+01:00", "date"),
        "dynamic_5": make_attribute('["a, b", "c"]', "tags"),
        "dynamic_6": make_attribute("x", "hologram"),
    }
    output = run(personio(respond_with_employees(make_employee(1, **attributes))).url, "employees", discover=True)
    properties = output.messages_of("SCHEMA", "employees")[0]["schema"]["properties"]
    own = {name: (definition["type"][0], definition.get("format")) for name, definition in properties.items()}
    assert {name: own[name] for name in own if name.startswith("dynamic_")} == {
        "dynamic_1": ("string", None),
        "dynamic_2": ("integer", None),
        "dynamic_3": ("number", None),
        "dynamic_4": ("string", "date"),
        "dynamic_5": ("array", None),
        "dynamic_6": ("string", None),
    }
    assert output.records("employees") == [
        {
            "id": 1,
            "dynamic_1": "DE98",
            "dynamic_2": 3,
            "dynamic_3": 0.25,
            "dynamic_4": "2021-01-01",
            "dynamic_5": ["a, b", "c"],
            "dynamic_6": "x",
        }
    ]


def test_catalog_without_credentials_has_no_custom_attributes(
    personio: Any,
) -> None:
    vendor = personio(respond_with_employees())
    tap = TapPersonio(config={"api_url": vendor.url}, validate_config=False)
    assert not any(name.startswith("dynamic_") for name in tap.streams["employees"].schema["properties"])
    assert vendor.requests == []


def test_attributes_missing_from_the_catalog_are_kept_typed_in_extra(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(
        respond_with_employees(
            make_employee(1, dynamic_5=make_attribute("a,b", "tags"), dynamic_2=make_attribute("3", "integer"))
        )
    )
    (record,) = run(vendor.url, "employees").records("employees")
    assert record == {"id": 1, "_extra": {"dynamic_5": ["a", "b"], "dynamic_2": 3}}
    assert DICTIONARY not in vendor.paths()


def test_attributes_are_kept_in_extra_without_permission_for_the_dictionary(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        return (
            Response({}, 403)
            if request.path == DICTIONARY
            else v1_response([make_employee(1, dynamic_1=make_attribute("x"))])
        )

    records = run(personio(respond).url, "employees", discover=True).records("employees")
    assert records == [{"id": 1, "_extra": {"dynamic_1": "x"}}]
    assert caplog.text.count("are written to the column `_extra` of the stream `employees`") == 1


def test_unreadable_dictionary_raises_an_error_instead_of_losing_columns(
    run: Callable[..., Any], personio: Any
) -> None:
    with pytest.raises(TapError, match="contains no list of records"):
        run(personio(lambda request: v1_response("no list")).url, "employees", discover=True)


@pytest.mark.parametrize(
    ("sent", "column", "emitted"),
    [
        ("2014-11-09 00:00:00+01:00", "hire_date", "2014-11-09"),
        ("2014-11-09T00:00:00+0100", "hire_date", "2014-11-09"),
        ("2014-11-09T00:00:00", "hire_date", "2014-11-09"),
        ("2014-11-09", "hire_date", "2014-11-09"),
        ("", "hire_date", None),
        ([], "hire_date", None),
        ("2020-11-18T17:33:55+01:00", "last_modified_at", "2020-11-18T16:33:55Z"),
        ("2020-11-18 17:33:55+0100", "last_modified_at", "2020-11-18T16:33:55Z"),
        ("40", "weekly_working_hours", 40),
        ("38.5", "weekly_working_hours", 38.5),
        (12.25, "weekly_working_hours", 12.25),
        ("", "weekly_working_hours", None),
        ("", "team", None),
        ([], "team", None),
        (None, "team", None),
        ("", "cost_centers", []),
        (None, "cost_centers", []),
        ("", "status", None),
        (7, "position", "7"),
        ({"type": "Team", "attributes": {"id": 5, "name": "T"}}, "team", {"id": 5, "name": "T"}),
        (
            {
                "type": "Employee",
                "attributes": {"id": make_attribute(2), "fix_salary": make_attribute(5, currency="EUR")},
            },
            "supervisor",
            {"id": 2, "fix_salary": {"value": 5, "currency": "EUR"}},
        ),
    ],
)
def test_untidy_values_are_normalized(
    run: Callable[..., Any], personio: Any, sent: Any, column: str, emitted: Any
) -> None:
    vendor = personio(respond_by_path(employees=[make_employee(1, **{column: make_attribute(sent)})]))
    (record,) = run(vendor.url, "employees").records("employees")
    assert record == {"id": 1, column: emitted}


@pytest.mark.parametrize(
    ("sent", "column"),
    [
        ("2014-11-09T13:30:00+01:00", "hire_date"),
        ("viel", "weekly_working_hours"),
        ("NaN", "weekly_working_hours"),
        ("1E9999999", "weekly_working_hours"),
        ("1_000", "weekly_working_hours"),
        (["[" * 100_000], "cost_centers"),
    ],
)
def test_value_that_its_column_cannot_hold_is_kept_in_extra(
    run: Callable[..., Any], personio: Any, sent: Any, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = personio(respond_by_path(employees=[make_employee(1, **{column: make_attribute(sent)})]))
    (record,) = run(vendor.url, "employees").records("employees")
    assert record == {"id": 1, column: None, "_extra": {column: sent}}
    assert f"are kept in `_extra`, and the columns are null: {column}" in caplog.text


def test_currencies_are_keyed_by_attribute(run: Callable[..., Any], personio: Any) -> None:
    salaries = {
        "fix_salary": make_attribute(3000, "decimal", currency="EUR"),
        "hourly_salary": make_attribute(0, "decimal"),
    }
    (record,) = run(personio(respond_by_path(employees=[make_employee(1, **salaries)])).url, "employees").records(
        "employees"
    )
    assert record == {"id": 1, "fix_salary": 3000, "hourly_salary": 0, "currencies": {"fix_salary": "EUR"}}


def numbered_list(total: int, metadata: Callable[[int], Any], cap: int = 200, *, by_page: bool = False) -> Any:
    """Responds with a list of numbers, by record or by page, with unusual metadata."""

    def respond(request: ReceivedRequest) -> Response:
        if "offset" not in request.query:
            return v1_response([])
        size, offset = min(int(request.query["limit"]), cap), int(request.query["offset"])
        start = (max(offset, 1) - 1) * size if by_page else offset
        rows = [{"type": "X", "attributes": {"id": number}} for number in range(total)[start : start + size]]
        told = metadata(total)
        return v1_response(rows, metadata=told)

    return respond


METADATA = {
    "complete": lambda total: {"total_elements": total, "current_page": 0, "total_pages": 9},
    "text": lambda total: {"total_elements": str(total), "current_page": "0", "total_pages": "3"},
    "wrong number of pages": lambda total: {"total_elements": total, "current_page": 1, "total_pages": 0},
    "too small": lambda total: {"total_elements": min(total, 70)},
    "missing": lambda total: None,
    "null": lambda total: {"total_elements": None},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
@pytest.mark.parametrize("stream", ["employees", "time_offs", "attendances"])
@pytest.mark.parametrize("total", [0, 1, 200, 201, 450])
@pytest.mark.slow
def test_paging_by_record_or_by_number_reads_every_record_once(
    run: Callable[..., Any], personio: Any, metadata: Any, stream: str, total: int
) -> None:
    vendor = personio(numbered_list(total, metadata, by_page=stream == "time_offs"))
    bookmark = make_state(stream, "updated_at", "2026-01-01T00:00:00Z")  # one slice of attendances
    records = run(vendor.url, stream, legacy_v1_streams=True, state=bookmark).records(stream)
    assert sorted(record["id"] for record in records) == list(range(total))


def test_offsets_count_records_for_employees_and_pages_for_time_offs(run: Callable[..., Any], personio: Any) -> None:
    for stream, path, offsets in (
        ("employees", EMPLOYEES, {"0", "100", "200"}),
        ("time_offs", "/v1/company/time-offs", {"1", "2", "3"}),
    ):
        by_page = stream == "time_offs"
        vendor = personio(numbered_list(500 if by_page else 250, METADATA["complete"], by_page=by_page))
        run(vendor.url, stream, legacy_v1_streams=True)
        assert {query["offset"] for query in vendor.queries(path)} == offsets


@pytest.mark.parametrize("metadata", ["complete", "missing", "too small"])
@pytest.mark.parametrize("stream", ["employees", "time_offs"])
def test_page_size_capped_by_the_vendor_leaves_no_gap(
    run: Callable[..., Any], personio: Any, metadata: str, stream: str
) -> None:
    vendor = personio(numbered_list(230, METADATA[metadata], cap=50, by_page=stream == "time_offs"))
    records = run(vendor.url, stream, legacy_v1_streams=True).records(stream)
    assert [record["id"] for record in records] == list(range(230))


@pytest.mark.parametrize("total", [None, 2, 100])
def test_list_is_read_once_if_vendor_ignores_page_number(
    run: Callable[..., Any], personio: Any, total: int | None
) -> None:
    rows = [{"type": "X", "attributes": {"id": number}} for number in range(100)]
    vendor = personio(lambda request: v1_response(rows, metadata={"total_elements": total}))
    assert len(run(vendor.url, "employees").records("employees")) == 100


def test_list_that_grows_during_a_read_is_read_to_its_new_end(run: Callable[..., Any], personio: Any) -> None:
    for cap in (200, 30):
        totals = iter([150] + [250] * 20)

        def respond(request: ReceivedRequest, totals: Any = totals, cap: int = cap) -> Response:
            return numbered_list(next(totals), METADATA["complete"], cap=cap)(request)  # type: ignore[no-any-return]

        records = run(personio(respond).url, "employees", max_concurrency=1).records("employees")
        assert [record["id"] for record in records] == list(range(250))


def test_changed_employees_are_requested_with_a_lookback(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(
        respond_by_path(
            employees=[make_employee(1, last_modified_at=make_attribute("2026-03-01T13:00:00+01:00", "date"))]
        )
    )
    first = run(vendor.url, "employees")
    assert first.state["bookmarks"]["employees"]["replication_key_value"] == "2026-03-01T12:00:00Z"
    run(vendor.url, "employees", state=first.state)
    assert vendor.queries(EMPLOYEES) == [
        {"limit": "100", "offset": "0"},
        {"limit": "100", "offset": "0", "updated_since": "2026-02-28T11:59:59"},
    ]


def test_disallowed_last_modified_at_causes_a_full_table_and_one_warning(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = personio(respond_by_path(employees=[make_employee(1), make_employee(2)]))
    first = run(vendor.url, "employees")
    assert caplog.text.count("2 of 2 records have no last_modified_at") == 1
    assert "full read again. Allow the credential to read this attribute to read only what changed." in caplog.text
    run(vendor.url, "employees", state=first.state)
    assert all("updated_since" not in query for query in vendor.queries(EMPLOYEES))


def test_balances_have_the_employee_id_and_deleted_employees_have_none(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == EMPLOYEES:
            return v1_response([make_employee(1), make_employee(2)])
        if request.path == f"{EMPLOYEES}/1/absences/balance":
            return v1_response([{"id": 7, "name": "Urlaub", "balance": 10.5}])
        return Response({"success": False, "error": {"code": 404, "message": "Es ist ein Problem aufgetreten"}}, 404)

    records = run(personio(respond).url, "absence_balances").records("absence_balances")
    assert records == [{"employee_id": 1, "id": 7, "name": "Urlaub", "balance": 10.5}]


def test_pictures_are_off_unless_named_and_only_existing_ones_are_read(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            picture = {"profile_picture": {"url": "https://x.example/p"}}
            return Response({"_data": [{"id": "1", **picture}, {"id": "2"}, {"id": "3", **picture}]})
        if request.path == f"{EMPLOYEES}/1/profile-picture":
            return Response(b"\x89PNG-bytes", headers={"Content-Type": "image/png"})
        return Response({"success": False}, 404)

    vendor = personio(respond)
    assert "profile_pictures" not in TapPersonio(validate_config=False).streams
    output = run(vendor.url, "profile_pictures", optional_streams=["profile_*"])
    assert output.records("profile_pictures") == [
        {
            "person_id": "1",
            "url": f"{vendor.url}{EMPLOYEES}/1/profile-picture",
            "content_type": "image/png",
            "size": 10,
            "sha256": "7c5ee53a6e64484323669b54acb74e5008e1c94fbe4e8457b253d426c995c6d9",
        }
    ]
    assert f"{EMPLOYEES}/2/profile-picture" not in vendor.paths()


def test_document_categories_are_unwrapped(run: Callable[..., Any], personio: Any) -> None:
    data = [{"id": 5, "type": "DocumentCategory", "attributes": {"name": "Zeugnisse"}}]
    records = run(personio(respond_by_path(document_categories=data)).url, "document_categories").records(
        "document_categories"
    )
    assert records == [{"id": 5, "name": "Zeugnisse"}]


ERRORS = {
    "v1": {"success": False, "error": {"code": 0, "message": "geheim"}},
    "custom reports": [{"status": 400, "errors": [{"title": "geheim", "details": "geheim"}]}],
    "v2": {"personio_trace_id": "", "errors": [{"title": "geheim", "detail": "geheim"}]},
}


@pytest.mark.parametrize("body", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("stream", ["employees", "custom_reports", "persons"])
def test_errors_of_any_shape_are_reported_without_their_content(
    run: Callable[..., Any], personio: Any, body: Any, stream: str, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    run(personio(lambda request: Response(body, 400)).url, stream, legacy_v1_streams=True, fails=fails)
    assert f"{stream} refused" in caplog.text or "status 400" in caplog.text
    assert "geheim" not in caplog.text + str(fails[0])


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_forbidden_or_disabled_v1_list_is_skipped(
    run: Callable[..., Any], personio: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        return Response({}, status) if request.path == "/v1/company/time-offs" else v1_response([])

    output = run(personio(respond).url, "time_offs", "time_off_types", legacy_v1_streams=True)
    said = (
        "the company's plan does not include this stream" if status == 410 else "the credential cannot read this stream"
    )
    assert f"time_offs: {said}" in caplog.text
    assert "absences:read" in caplog.text
    assert [message["stream"] for message in output.messages_of("SCHEMA")] == ["time_off_types"]


def test_legacy_lists_are_available_only_if_enabled() -> None:
    without, having = (
        set(TapPersonio(config={"legacy_v1_streams": wanted}, validate_config=False).streams)
        for wanted in (False, True)
    )
    assert having - without == {
        "attendances",
        "attendance_projects",
        "time_offs",
        "time_off_types",
        "absence_periods_v1",
        "custom_reports",
        "custom_report_rows",
        "custom_report_columns",
    }


def test_attendances_are_read_by_whole_days_since_1970_each_day_once(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        is_all = request.query.get("start_date") == "1970-01-01" and not request.query["end_date"].endswith("-12-31")
        total = {"metadata": {"total_elements": rows}} if is_all else {}
        return v1_response([attendance(number) for number in range(200 if is_all else 0)], **total)

    def attendance(number: int) -> dict[str, Any]:
        return {"id": number, "type": "AttendancePeriod", "attributes": {"updated_at": "2026-03-01T10:00:00Z"}}

    rows = 400
    vendor = personio(respond)
    run(vendor.url, "attendances", legacy_v1_streams=True)
    assert {query["start_date"] for query in vendor.queries("/v1/company/attendances")} == {"1970-01-01"}
    rows = 20_000
    vendor = personio(respond)
    run(vendor.url, "attendances", legacy_v1_streams=True)
    first, *queries = vendor.queries("/v1/company/attendances")
    assert first["start_date"] == "1970-01-01"
    queries.sort(key=lambda query: query["start_date"])
    assert queries[0]["start_date"] == "1970-01-01"
    assert queries[0]["end_date"].endswith("-12-31")
    assert queries[1]["start_date"].endswith("-01-01")
    assert queries[1]["end_date"].endswith("-12-31")
    for earlier, later in itertools.pairwise(queries):
        last_day, next_day = date.fromisoformat(earlier["end_date"]), date.fromisoformat(later["start_date"])
        assert next_day.toordinal() - last_day.toordinal() == 1
    assert all(query["includePending"] == "true" for query in [first, *queries])
    vendor = personio(respond_by_path())
    run(
        vendor.url,
        "attendances",
        legacy_v1_streams=True,
        state=make_state("attendances", "updated_at", "2026-03-01T12:00:00Z"),
    )
    (query,) = vendor.queries("/v1/company/attendances")
    assert query["start_date"] == "1970-01-01"
    assert query["updated_from"] == "2026-02-28T12:00:00"


@pytest.mark.parametrize(
    ("stream", "path", "since"),
    [
        ("time_offs", "time-offs", "2026-02-28"),
        ("absence_periods_v1", "absence-periods", "2026-03-01T11:55:00Z"),
    ],
)
def test_changed_legacy_absences_are_requested_by_day_or_timestamp(
    run: Callable[..., Any], personio: Any, stream: str, path: str, since: str
) -> None:
    vendor = personio(respond_by_path())
    run(vendor.url, stream, legacy_v1_streams=True, state=make_state(stream, "updated_at", "2026-03-01T12:00:00Z"))
    assert vendor.queries(f"/v1/company/{path}") == [{"limit": "200", "offset": "1", "updated_from": since}]


def test_legacy_values_are_unwrapped_and_boolean_strings_are_converted(run: Callable[..., Any], personio: Any) -> None:
    row = {
        "id": 9,
        "type": "AttendancePeriod",
        "attributes": {
            "employee": 3,
            "is_on_time_off": "false,",
            "updated_at": "2017-01-17T16:41:08+01:00",
            "project": {"id": 5, "type": "Project", "attributes": {"name": "P", "active": True}},
        },
    }
    vendor = personio(lambda request: v1_response([row] if request.query.get("start_date") == "1970-01-01" else []))
    (record,) = run(vendor.url, "attendances", legacy_v1_streams=True).records("attendances")
    assert record == {
        "id": 9,
        "employee": 3,
        "is_on_time_off": False,
        "updated_at": "2017-01-17T15:41:08Z",
        "project": {"id": 5, "name": "P", "active": True},
    }


@pytest.mark.parametrize(("first", "told"), [(0, 0), (1, 1), (1, 0), (0, 1), (0, None)])
def test_custom_report_rows_are_read_wherever_page_numbers_start(
    run: Callable[..., Any], personio: Any, first: int, told: int | None
) -> None:
    def item(employee: int, *values: str) -> list[dict[str, Any]]:
        return [{"employee_id": employee, "attributes": [{"attribute_id": "a", "value": value}]} for value in values]

    pages = [item(1, "x", "y"), item(2, "z"), item(3, "w"), []]

    def respond(request: ReceivedRequest) -> Response:
        if not request.path.endswith("/r1"):
            return v1_response([{"type": "Report", "attributes": {"id": "r1"}}])
        place = int(request.query.get("page", first)) - first
        metadata = {} if told is None else {"metadata": {"current_page": place + told, "total_elements": 1}}
        report = {"id": "r1", "type": "point_in_time", "items": pages[place]}
        return v1_response([{"type": "Report", "attributes": report}], limit=1, **metadata)

    output = run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True)
    found = [
        (row["employee_id"], row["row_number"], row["attributes"][0]["value"], row["report_id"])
        for row in output.records("custom_report_rows")
    ]
    assert sorted(set(found)) == [(1, 1, "x", "r1"), (1, 2, "y", "r1"), (2, 1, "z", "r1"), (3, 1, "w", "r1")]


def test_custom_report_with_fewer_employees_than_its_total_deletes_nothing(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if not request.path.endswith("/r1"):
            return v1_response([{"type": "Report", "attributes": {"id": "r1"}}])
        report = {"id": "r1", "items": [{"employee_id": 1, "attributes": []}]}
        return v1_response(
            [{"type": "Report", "attributes": report}], metadata={"current_page": 0, "total_elements": total}
        )

    total = 2
    output = run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True)
    assert not output.messages_of("ACTIVATE_VERSION")
    assert "fewer records than the vendor reports" in caplog.text
    total = 1
    assert run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True).messages_of("ACTIVATE_VERSION")


def test_custom_report_page_with_an_employee_without_rows_is_not_the_last(
    run: Callable[..., Any], personio: Any
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if not request.path.endswith("/r1"):
            return v1_response([{"type": "Report", "attributes": {"id": "r1"}}])
        page = int(request.query.get("page", 0))
        employees = [number for number in range(page * 2, page * 2 + 2) if number < 6 and number != 1]
        report = {"id": "r1", "items": [{"employee_id": number, "attributes": []} for number in employees]}
        metadata = {"current_page": page, "total_elements": 6}
        return v1_response([{"type": "Report", "attributes": report}], limit=2, metadata=metadata)

    output = run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True)
    assert {row["employee_id"] for row in output.records("custom_report_rows")} == {0, 2, 3, 4, 5}


@pytest.mark.parametrize("odd", [None, {"attributes": {"items": [None, {"employee_id": 1}]}}], ids=["report", "item"])
def test_null_in_a_custom_report_is_not_an_empty_list(run: Callable[..., Any], personio: Any, odd: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("/reports"):
            return v1_response([{"attributes": {"id": name}} for name in "ab"])
        return v1_response([odd if request.path.endswith("/a") else {"attributes": {"items": [{"employee_id": 2}]}}])

    output = run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True)
    assert {row["employee_id"] for row in output.records("custom_report_rows")} == ({1, 2} if odd else {2})
    assert not output.messages_of("ACTIVATE_VERSION")


def test_custom_report_columns_can_be_in_an_object(run: Callable[..., Any], personio: Any) -> None:
    data = {"type": "Column", "attributes": [{"attribute_id": "first_name", "human_readable": "Vorname"}]}
    output = run(
        personio(respond_by_path(custom_reports__columns=data)).url, "custom_report_columns", legacy_v1_streams=True
    )
    assert output.records("custom_report_columns") == data["attributes"]


def test_v1_is_paced_as_documented() -> None:
    rate_limiter = RateLimiter(TapPersonio.rates, clock=lambda: 0.0)
    assert [rate_limiter.acquire(EMPLOYEES) > 0 for _ in range(16)] == [False] * 15 + [True]
    balance = "/v1/company/employees/{employee_id}/absences/balance"
    rate_limiter = RateLimiter(TapPersonio.rates, clock=lambda: 0.0)
    taken = sum(not rate_limiter.acquire(path) for path in (EMPLOYEES, balance) * 100)
    assert taken == int(2000 / 60)  # one second's share, of both together


@pytest.mark.parametrize(
    ("sent", "value"),
    [(0, False), (1, True), ("1", True), (True, True), (None, None)],
    ids=["0", "1", "text", "true", "null"],
)
def test_half_days_in_any_form_are_booleans(run: Callable[..., Any], personio: Any, sent: Any, value: Any) -> None:
    row = {"type": "TimeOffPeriod", "attributes": {"id": 1, "half_day_start": sent, "half_day_end": 0}}
    output = run(personio(respond_by_path(time_offs=[row])).url, "time_offs", legacy_v1_streams=True)
    (record,) = output.records("time_offs")
    assert record["half_day_start"] is value
    assert record["half_day_end"] is False


def test_v1_token_without_a_lifetime_is_used(run: Callable[..., Any]) -> None:
    with running(employees=10, requests_per_minute=600_000) as sandbox:
        sandbox.control("mode", vendor="personio", path="/v1/auth", mode="no-expiry")
        output = run(f"{sandbox.url}/personio", "employee_attributes", "document_categories")
        assert set(output.counts()) == {"employee_attributes", "document_categories"}
        assert [row["path"] for row in sandbox.requests()].count("/personio/v1/auth") == 1


def test_picture_that_is_not_found_is_not_deleted_while_the_vendor_lists_it(
    run: Callable[..., Any], personio: Any
) -> None:
    missing, listed = ["2"], ["1", "2"]

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            people = [{"id": number, "profile_picture": {"url": "u"} if number in listed else None} for number in "12"]
            return Response({"_data": people})
        return Response({"success": False}, 404) if request.path.split("/")[4] in missing else Response(b"PNG")

    vendor = personio(respond)
    output = run(vendor.url, "profile_pictures", optional_streams=["*"])
    assert [record["person_id"] for record in output.records("profile_pictures")] == ["1"]
    assert not output.messages_of("ACTIVATE_VERSION")
    listed.remove("2")
    assert run(vendor.url, "profile_pictures", optional_streams=["*"]).messages_of("ACTIVATE_VERSION")


@pytest.mark.parametrize(
    "odd",
    [
        {"attributes": ["x"]},
        {"attributes": {"items": {"0": {"employee_id": 1}}}},
        {"attributes": {"items": [1]}},
        {},
    ],
)
def test_custom_report_of_an_invalid_shape_stops_no_other_and_is_not_empty(
    run: Callable[..., Any], personio: Any, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reports = "/v1/company/custom-reports/reports"
    good = {"attributes": {"items": [{"employee_id": 1}, {"employee_id": [2]}, {"employee_id": "1"}]}}

    def respond(request: ReceivedRequest) -> Response:
        if request.path == reports:
            return v1_response([{"attributes": {"id": name}} for name in "ab"])
        return v1_response([odd if request.path.endswith("/a") else good])

    fails: list[Exception] = []
    output = run(personio(respond).url, "custom_report_rows", legacy_v1_streams=True, fails=fails)
    numbers = [(record["employee_id"], record["row_number"]) for record in output.records("custom_report_rows")]
    assert numbers == [(1, 1), (None, 1), (1, 2)]
    assert fails
    assert "contains no list of records" in caplog.text
    assert not output.messages_of("ACTIVATE_VERSION")


@pytest.mark.parametrize(("data", "count"), [({}, 0), ({"1": {"id": 7}, "3": {"id": 8}}, 2), ([], 0)])
def test_list_written_as_an_object_is_read_as_a_list(
    run: Callable[..., Any], personio: Any, data: Any, count: int
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        return (
            v1_response([make_employee(1), make_employee(2)])
            if request.path == EMPLOYEES
            else v1_response(data if "/1/" in request.path else [{"id": 9}])
        )

    assert run(personio(respond).url, "absence_balances").counts() == {"absence_balances": count + 1}


def test_response_that_reports_a_failure_is_not_an_empty_list(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == EMPLOYEES:
            return v1_response([make_employee(1), make_employee(2)])
        return Response({"success": False, "data": []}) if "/1/" in request.path else v1_response([{"id": 9}])

    fails: list[Exception] = []
    output = run(personio(respond).url, "absence_balances", fails=fails)
    assert fails
    assert "reported a failure. Run again later." in caplog.text
    assert not output.messages_of("ACTIVATE_VERSION")


def test_attribute_is_described_with_or_without_its_label(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == DICTIONARY:
            return v1_response(
                [
                    {"key": "dynamic_1", "type": "standard"},
                    {"key": "dynamic_2", "type": "integer", "label": "Kinder"},
                    {"key": "dynamic_3", "type": "integer", "label": 5},
                ]
            )
        return v1_response([make_employee(1, dynamic_1=make_attribute("x"))])

    (schema,) = run(personio(respond).url, "employees", discover=True).messages_of("SCHEMA")
    properties = schema["schema"]["properties"]
    assert properties["dynamic_1"] == {
        "type": ["string", "null"],
        "description": "Attribute without a label; see `employee_attributes`.",
        "x-protection": "unclassified",
    }
    assert properties["dynamic_2"] == {
        "type": ["integer", "null"],
        "description": 'Attribute with the label "Kinder"; see `employee_attributes`.',
        "x-protection": "unclassified",
    }
    assert properties["dynamic_3"]["description"] == properties["dynamic_1"]["description"]
