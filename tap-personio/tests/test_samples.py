"""The bodies that the vendor published, through the tap; and bodies of our own in the same shapes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from singer_rest.testing import ReceivedRequest, Response, host
from tap_personio.streams import STREAMS
from tap_personio.testing import differing_fields, expected_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Start = "Callable[[Callable[[ReceivedRequest], Response]], Host]"

OWN_PERSON = {
    "id": "77",
    "email": "ada@example.test",
    "updated_at": "2026-01-02T03:04:05Z",
    "profile_picture": {"url": "https://api.personio.de/v1/company/employees/77/profile-picture"},
    "custom_attributes": [
        {"id": "dynamic_1", "type": "string", "label": "T-Shirt", "value": "L"},
        {"id": "dynamic_2", "type": "int", "label": "T-Shirt", "value": 3},
        {"id": "city", "type": "string_list", "value": []},
    ],
    "employments": [{"id": "e-1"}],
    "_meta": {"links": {"employments": {"href": "https://api.personio.de/v2/persons/77/employments"}}},
    "favourite_colour": "green",
}


def own_page(path: str, cursor: str | None) -> dict[str, Any]:
    links = {"self": {"href": f"https://api.personio.de{path}"}}
    if cursor:
        links["next"] = {"href": f"https://api.personio.de{path}?cursor={cursor}"}
    return {"_data": [OWN_PERSON], "_meta": {"links": links}}


def two_pages(first: Any, last: Any) -> Callable[[ReceivedRequest], Response]:
    return lambda request: Response(last if "cursor" in request.query else first)


def test_documented_person_is_loaded(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(two_pages(own_page("/v2/persons", "cur_2"), own_page("/v2/persons", None)))
    record = run(vendor.url, "persons").records("persons")[0]
    assert record["custom_attributes"] == {"dynamic_1": "L", "dynamic_2": 3, "city": []}
    assert record["_extra"] == {"favourite_colour": "green"}
    assert record["_meta"] == OWN_PERSON["_meta"]
    assert vendor.queries("/v2/persons") == [{"limit": "50"}, {"cursor": "cur_2", "limit": "50"}]


def test_persons_of_the_vendors_samples_are_loaded(run: Callable[..., Any], personio: Any, samples: Path) -> None:
    first, last = (json.loads((samples / f"v2_persons_{name}.json").read_text()) for name in ("page_1", "last_page"))
    vendor = personio(two_pages(first, last))
    records = run(vendor.url, "persons").records("persons")
    assert len(records) == 2
    published = first["_data"][0]
    attributes = published["custom_attributes"]
    details = {item["id"]: {key: item[key] for key in item if key not in {"id", "value"}} for item in attributes}
    assert records[0].pop("custom_attribute_details") == details
    assert {**records[0], "custom_attributes": None} == {**published, "custom_attributes": None}
    assert records[0]["custom_attributes"] == {item["id"]: item["value"] for item in attributes}
    assert len(vendor.queries("/v2/persons")) == 2


def test_published_employments_with_wrong_link_paths_are_read(
    run: Callable[..., Any], personio: Any, samples: Path
) -> None:
    first, last = (
        json.loads((samples / f"v2_employments_{name}.json").read_text()) for name in ("page_1", "last_page")
    )

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            return Response({"_data": [{"id": "5005"}]})
        return two_pages(first, last)(request)

    vendor = personio(respond)
    records = run(vendor.url, "employments").records("employments")
    assert [{**record, "person_id": "5005"} for record in [*first["_data"], *last["_data"]]] == records
    assert set(vendor.paths()) == {"/v2/auth/token", "/v2/persons", "/v2/persons/5005/employments"}


def test_published_relative_links_are_followed(run: Callable[..., Any], personio: Any, samples: Path) -> None:
    first = json.loads((samples / "v2_attendance_links_relative.json").read_text())
    vendor = personio(two_pages(first, {"_data": [{"id": "1"}]}))
    assert run(vendor.url, "absence_periods").counts() == {"absence_periods": 1}
    assert vendor.queries("/v2/absence-periods")[1]["cursor"] == "..."


@pytest.mark.parametrize("name", ["invalid_filter_format", "invalid_filter_value", "resource_not_found"])
def test_published_errors_are_reported_without_their_body(
    run: Callable[..., Any], personio: Any, samples: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.loads((samples / f"v2_error_{name}.json").read_text())
    vendor = personio(lambda request: Response(body, 400, {"Content-Type": "application/problem+json"}))
    fails: list[Exception] = []
    run(vendor.url, "org_units", fails=fails)
    assert "org_units" in str(fails[0])
    assert "status 400" in caplog.text
    assert body["errors"][0]["detail"] not in caplog.text
    assert body["personio_trace_id"] not in caplog.text


def test_published_token_is_sent_unchanged(run: Callable[..., Any], samples: Path) -> None:
    token = json.loads((samples / "v2_auth_token.json").read_text())
    response = lambda request: Response(token if request.method == "POST" else {"_data": []})  # noqa: E731
    with host(response) as vendor:
        run(vendor.url, "absence_types")
    request = vendor.requests[1]
    assert request.headers["Authorization"] == f"Bearer {token['access_token']}"


def test_published_token_error_is_reported(run: Callable[..., Any], samples: Path) -> None:
    body = json.loads((samples / "v2_auth_error_missing_parameter.json").read_text())
    with host(lambda request: Response(body, 400)) as vendor, pytest.raises(RunError, match="Check `client_id`"):
        run(vendor.url, "absence_types")


V1 = {
    "employees": "v1_employees_list",
    "employee_attributes": "v1_employees_attributes",
    "absence_balances": "v1_absence_balance",
    "document_categories": "v1_document_categories",
    "attendances": "v1_attendances_list",
    "attendance_projects": "v1_projects_list",
    "time_offs": "v1_time_offs_list",
    "time_off_types": "v1_time_off_types",
    "absence_periods_v1": "v1_absence_periods_list",
    "custom_reports": "v1_custom_reports_list",
}


@pytest.mark.parametrize(("stream", "name"), V1.items(), ids=V1)
def test_published_v1_lists_are_loaded_with_every_value(
    run: Callable[..., Any], personio: Any, samples: Path, stream: str, name: str
) -> None:
    body = json.loads((samples / f"{name}.json").read_text())
    body.get("metadata", {})["total_elements"] = len(body["data"])  # published pages show one of several
    path = next(declared.path for declared in STREAMS if declared.name == stream).format(employee_id=1)

    def respond(request: ReceivedRequest) -> Response:
        if request.path == path and request.query.get("start_date", "1970-01-01") == "1970-01-01":
            return Response(body)
        first = [{"type": "Employee", "attributes": {"id": {"label": "", "value": 1}}}]
        return Response({"data": first if request.path == "/v1/company/employees" else []})

    records = run(personio(respond).url, stream, legacy_v1_streams=True).records(stream)
    assert len(records) == len(body["data"])
    for sent, record in zip(body["data"], records, strict=True):
        assert differing_fields(stream, expected_row(sent), record) == set()


def test_published_custom_report_rows_and_columns_are_loaded_with_every_value(
    run: Callable[..., Any], personio: Any, samples: Path
) -> None:
    report, columns, reports = (
        json.loads((samples / f"v1_custom_report{name}.json").read_text()) for name in ("_by_id", "_columns", "s_list")
    )

    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("/columns"):
            return Response(columns)
        if request.path.endswith("/reports"):
            return Response(reports)
        return Response({"data": []} if "page" in request.query else report)

    output = run(personio(respond).url, "custom_report_rows", "custom_report_columns", legacy_v1_streams=True)
    items = report["data"][0]["attributes"]["items"]
    report_id = report["data"][0]["attributes"]["id"]
    assert output.records("custom_report_rows") == [{**item, "report_id": report_id, "row_number": 1} for item in items]
    assert output.records("custom_report_columns") == columns["data"]["attributes"]


@pytest.mark.parametrize(
    "name", ["v1_error_401UnauthorizedErrorExample", "v1_error_403ForbiddenErrorExample", "v1_custom_reports_error"]
)
def test_published_v1_errors_are_reported_without_their_body(
    run: Callable[..., Any], personio: Any, samples: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = (samples / f"{name}.json").read_text()
    body = json.loads(text)
    fails: list[Exception] = []
    run(personio(lambda request: Response(body, 400)).url, "custom_reports", legacy_v1_streams=True, fails=fails)
    said = body[0]["errors"][0]["details"] if isinstance(body, list) else body["error"]["message"]
    assert "custom_reports" in caplog.text
    assert said not in caplog.text + str(fails[0])


def test_published_v1_token_is_sent_unchanged(run: Callable[..., Any], samples: Path) -> None:
    token = json.loads((samples / "v1_auth_token.json").read_text())
    with host(lambda request: Response(token if request.method == "POST" else {"data": []})) as vendor:
        run(vendor.url, "document_categories")
    assert vendor.requests[1].headers["Authorization"] == f"Bearer {token['data']['token']}"
