"""The REST families: all streams, and all errors."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from hr_sandbox.cornerstone.rest import Rest
from hr_sandbox.cornerstone.rows.learning import APPLICANT_STATUSES

V1, V2 = "/services/api/x/users/v1/employees", "/services/api/x/users/v2/employees"
UNITS, SKILLS = "/services/api/x/organizations/v1", "/services/api/x/skills/v1"
SEARCH, CATALOG = "/services/api/LOTranscript/TranscriptSearch", "/services/api/Catalog/GlobalSearch"
DETAILS, ROSTER = "/services/api/LO/GetDetails", "/services/api/SessionRoster/GetSessionRoster"
RECRUITING, LOADS = "/services/api/Recruiting", "/services/api/x/bulk-api/v1"
FIRST, LAST = date(2026, 5, 18), date(2026, 6, 17)
FROM, UNTIL = "ModificationStartDate", "ModificationEndDate"


def rows_by_token(api: Any, path: str, member: str, size: str, **query: str) -> list[Any]:
    rows: list[Any] = []
    token: str | None = ""
    while token is not None:
        status, body = api.get(path, {"pageSize": size, **query, **({"nextPageToken": token} if token else {})})
        assert status == 200, body
        assert body["count"] == len(body["data"])
        rows += body["data"]
        token = body[member]
    return rows


def rows_by_number(api: Any, path: str, name: str = "pageNumber", **query: str) -> list[Any]:
    rows: list[Any] = []
    number = 1
    while True:
        status, body = api.get(path, {name: str(number), **query})
        assert status == 200, body
        page = body["data"] if isinstance(body["data"], list) else [body["data"]]
        if not page:
            return rows
        rows += page
        number += 1
        api.vendor.rest.context.busy_until = 0


def read_stream(api: Any, stream: str) -> list[Any]:  # noqa: PLR0911  one per stream
    """Reads a stream in full, as a client would."""
    people = [row["id"] for row in rows_by_token(api, V2, "nextpagetoken", "50")]
    units = rows_by_token(api, f"{UNITS}/ous", "nextPageToken", "100", includeInactive="true")
    children = {
        "employee_groups": "groups",
        "employee_custom_fields": "customfields",
    }
    if stream in children:
        found = [(who, api.get(f"{V2}/{who}/{children[stream]}")[1]["data"]) for who in people]
        return [{"_employee_id": who, **row} for who, rows in found for row in rows]
    if stream == "employee_employment_status":
        return [{"_employee_id": who, **api.get(f"{V2}/{who}/employment-status")[1]} for who in people]
    if stream == "ou_localizations":
        return [row for unit in units for row in api.get(f"{UNITS}/ous/{unit['id']}/localizations")[1]["data"]]
    if stream == "employee_skills":
        return [row for who in people for row in api.get(f"{SKILLS}/employees/{who}/skills")[1]["data"]]
    if stream == "transcripts":
        return read_transcripts(api)
    if stream in {"training_details", "session_roster"}:
        ids = [(row["ObjectId"], row["Type"]) for row in rows_by_number(api, CATALOG)]
        if stream == "training_details":
            return [api.get(DETAILS, {"ObjectID": key})[1]["data"][0]["trainingItem"] for key, _ in ids]
        chosen = [key for key, kind in ids if kind == "Session"]
        return [row for key in chosen for row in api.get(ROSTER, {"sessionLOID": key})[1]["data"]]
    if stream == "job_applicants":
        path = f"{RECRUITING}/JobApplicant"
        return [
            {"_CurrentStatus": status, **row}
            for status in APPLICANT_STATUSES
            for row in rows_by_number(api, path, "page", CurrentStatus=status)
        ]
    if stream.startswith("bulk"):
        return read_bulk_loads(api, stream)
    return {
        "employees": lambda: rows_by_token(api, V2, "nextpagetoken", "7"),
        "organizational_units": lambda: units,
        "termination_reasons": lambda: api.get(f"{V2}/termination-reasons")[1]["data"],
        "employment_statuses": lambda: api.get(f"{V2}/employment-status")[1]["data"],
        "ou_types": lambda: api.get(f"{UNITS}/types")[1]["data"],
        "catalog": lambda: rows_by_number(api, CATALOG),
        "skills": lambda: rows_by_number(api, f"{SKILLS}/skills", "page"),
        "skill_categories": lambda: rows_by_number(api, f"{SKILLS}/skill-categories", "page"),
        "skill_category_links": lambda: [
            {"_skill_id": skill["id"], **row}
            for skill in rows_by_number(api, f"{SKILLS}/skills", "page")
            for row in api.get(f"{SKILLS}/skills/{skill['id']}/categories")[1]["data"]
        ],
        "job_requisitions": lambda: rows_by_number(api, f"{RECRUITING}/JobRequisitionDetails", "page", pageSize="3"),
    }[stream]()


def read_bulk_loads(api: Any, stream: str) -> list[Any]:
    jobs = [row for page in ("1", "2") for row in api.get(f"{LOADS}/jobs", {"page_number": page})[1]["jobs"]]
    if stream == "bulk_jobs":
        return jobs
    if stream == "bulk_permissions":
        return list(api.get(f"{LOADS}/permissions")[1]["permissions"])
    imports = [
        {"_job_id": job["id"], **row} for job in jobs for row in api.get(f"{LOADS}/jobs/{job['id']}")[1]["imports"]
    ]
    if stream == "bulk_imports":
        return imports
    return [
        {"_import_id": row["id"], "_row_number": number, **line}
        for row in imports
        for number, line in enumerate(csv.DictReader(io.StringIO(api.get(f"{LOADS}/imports/{row['id']}/report")[1])), 1)
    ]


def read_transcripts(api: Any) -> list[Any]:
    found = []
    day = datetime(2026, 5, 18)  # noqa: DTZ001  written without a zone
    while day.date() <= LAST:
        window = {FROM: day.isoformat(), UNTIL: (day + timedelta(1)).isoformat()}
        for row in rows_by_number(api, SEARCH, **window):
            item = row["TranscriptItem"]
            found += [{"_UserId": item["UserId"], **line} for line in item["Transcripts"]]
        day += timedelta(1)
    return found


@pytest.mark.parametrize("stream", Rest.streams)
def test_every_stream_is_read_in_full(cornerstone: Any, stream: str) -> None:
    cornerstone.controls["reset-downloads"]({})
    expected = cornerstone.vendor.list_records(stream, FIRST, LAST, "")
    rows = read_stream(cornerstone, stream)
    assert len(rows) == len(expected) == cornerstone.vendor.count_rows(stream, FIRST, LAST)
    assert sorted(map(str, rows)) == sorted(map(str, expected))
    assert rows


def test_a_page_token_is_valid_only_encoded_for_its_query_and_300_seconds(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    _, body = api.get(V2, {"pageSize": "3"})
    token = body["nextpagetoken"]
    assert len(body["data"]) == 3
    assert api.get(V2, {"pageSize": "3", "nextPageToken": token})[0] == 200
    unquoted = f"http://h/cornerstone{V2}?pageSize=3&nextPageToken={token}"
    assert api.get(unquoted)[0] == 400
    assert api.get(f"http://h/cornerstone{V2}?pageSize=3&nextPageToken={quote(token, safe='')}")[0] == 200
    for query in ({"pageSize": "4"}, {}, {"pageSize": "3", "lastName": "x"}):
        assert api.get(V2, {**query, "nextPageToken": token})[0] == 400
    api.controls["clock"]({"seconds": 301})
    status, body = api.get(V2, {"pageSize": "3", "nextPageToken": token})
    assert (status, body["error"][0]) == (400, {"field": "nextPageToken", "message": "has expired"})


def test_modes_rename_the_token_or_remove_the_envelope_of_employees(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.set_mode("employees", "camel")
    assert "nextPageToken" in api.get(V2)[1]
    api.vendor.set_mode(V2, "bare")
    assert len(api.get(V2)[1]) == api.vendor.count_rows("employees", None, None)


def test_employees_are_found_by_identifier_status_and_modification_date(cornerstone: Any) -> None:
    rows = cornerstone.vendor.list_records("employees", None, None, "")
    who = rows[3]
    for name in ("externalId", "userName", "guid"):
        assert cornerstone.get(V2, {name: who[name]})[1]["data"] == [who]
    assert len(cornerstone.get(V2, {"ids": f"{rows[0]['id']},{rows[1]['id']}"})[1]["data"]) == 2
    found = {
        status: rows_by_token(cornerstone, V2, "nextpagetoken", "50", status=status)
        for status in ("active", "inactive")
    }
    assert sum(map(len, found.values())) == len(rows)
    assert {row["workerStatus"]["active"] for row in found["inactive"]} == {False}
    timestamp = sorted(row["employeeMetaData"]["modifiedDate"] for row in rows)[-5]
    late = [row for row in rows if row["employeeMetaData"]["modifiedDate"] >= timestamp]
    assert cornerstone.get(V2, {"modifiedDate": timestamp})[1]["data"] == late


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (V2, {"pageSize": "51"}),
        (V2, {"pageSize": "0"}),
        (V2, {"pagesize": "5"}),
        (V2, {"nextPageToken": "x"}),
        (V2, {"modifiedDate": "yesterday"}),
        (V2, {"status": "all"}),
        (V2, {"ids": "one"}),
        (V2, [("pageSize", "5"), ("pageSize", "6")]),
        (V1, {"pagesize": "51"}),
        (V1, {"pagenumber": "0"}),
        (V1, {"pageNumber": "1"}),
        (f"{UNITS}/ous", {"pageSize": "101"}),
        (f"{UNITS}/ous", {"typeId": "3"}),
        (f"{UNITS}/ous", {"includeInactive": "yes"}),
        (f"{UNITS}/types", {"page": "1"}),
        (f"{SKILLS}/skills", {"page": "0"}),
        (f"{SKILLS}/skills", {"pageSize": "101"}),
    ],
)
def test_newer_services_name_the_invalid_field(cornerstone: Any, path: str, query: Any) -> None:
    status, body = cornerstone.get(path, query)
    assert (status, body["status"]) == (400, "Failed")
    assert body["error"][0]["field"]


def test_missing_records_are_not_found(cornerstone: Any) -> None:
    for path in (f"{V2}/1", f"{V2}/x/groups", f"{UNITS}/ous/1", f"{SKILLS}/skills/1", f"{LOADS}/jobs/1"):
        assert cornerstone.get(path)[0] == 404, path
    assert cornerstone.request(V2, method="POST").status == 405


def test_single_records_are_found_by_id(cornerstone: Any) -> None:
    who = cornerstone.vendor.list_records("employees", None, None, "")[0]
    assert cornerstone.get(f"{V2}/{who['id']}")[1] == who
    status = cornerstone.get(f"{V2}/{who['id']}/employment-status")[1]
    assert cornerstone.get(f"{V2}/{who['id']}/employment-status/effective-date/2026-01-01")[1] == status
    assert cornerstone.get(f"{V2}/{who['id']}/employment-status/effective-date/1999-01-01")[0] == 404
    assert cornerstone.get(f"{V2}/{who['id']}/employment-status/effective-date/soon")[0] == 400
    assert len(cornerstone.get(f"{V2}/termination-reasons")[1]["data"]) == 4
    unit = cornerstone.vendor.list_records("organizational_units", None, None, "")[0]
    assert cornerstone.get(f"{UNITS}/ous/{unit['id']}")[1] == unit
    assert cornerstone.get(f"{UNITS}/types/2")[1]["name"] == "Division"
    assert cornerstone.get(f"{SKILLS}/skill-categories/41/children")[1]["data"][0]["parentId"] == 41


def test_version_1_pages_by_number_and_finds_employees_by_several_ids(cornerstone: Any) -> None:
    _, body = cornerstone.get(V1, {"pagenumber": "2", "pagesize": "5", "includeInactive": "true"})
    assert (body["status"], body["data"]["size"], body["data"]["start"]) == ("Success", 5, 6)
    assert body["data"]["total"] == cornerstone.vendor.count_rows("employees", None, None)
    active = cornerstone.get(V1)[1]["data"]["total"]
    assert active < body["data"]["total"]
    who = body["data"]["employees"][0]
    assert (who["groups"], who["customFields"]) == (None, None)
    for key in (who["id"], f"userid-{who['userId']}", f"guid-{who['guid']}"):
        one = cornerstone.get(f"{V1}/{key}")[1]["data"]
        assert (one["id"], isinstance(one["groups"], list)) == (who["id"], True)
    for name, member in (
        ("customfields", "userCustomFields"),
        ("groups", "groups"),
        ("employmentstatus", "employmentStatus"),
    ):
        assert len(cornerstone.get(f"{V1}/{name}")[1]["data"][member]) == min(active, 50)


def test_units_are_only_active_ones_by_default_and_filtered_by_type(cornerstone: Any) -> None:
    units = cornerstone.vendor.list_records("organizational_units", None, None, "")
    active = rows_by_token(cornerstone, f"{UNITS}/ous", "nextPageToken", "9")
    assert active == [row for row in units if row["active"]]
    assert len(active) < len(units)
    teams = rows_by_token(cornerstone, f"{UNITS}/ous", "nextPageToken", "9", typeId="524291", includeInactive="true")
    assert teams == [row for row in units if row["typeId"] == 524291]
    assert {row["id"] for row in units} < {row["ou_id"] for row in cornerstone.rows("ou_core")}


def test_xml_is_returned_unless_json_is_accepted(cornerstone: Any) -> None:
    for accept in ("*/*", "application/xml", ""):
        answer = cornerstone.request(f"{RECRUITING}/JobRequisitionDetails", {"pageSize": "2"}, accept=accept)
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        document = ET.fromstring(answer.body)  # noqa: S314  written by the sandbox
        assert (document.tag, document.findtext("validations/status")) == ("cornerstoneapi", "200")
        assert len(document.findall("validations/data/item")) == 2
    refused = cornerstone.request(f"{RECRUITING}/JobApplicant", accept="*/*")
    assert (refused.status, refused.headers["content-type"]) == (400, "application/xml; charset=utf-8")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (SEARCH, {FROM: "2026-06-01T00:00:00", UNTIL: "2026-06-02T00:00:01"}),
        (SEARCH, {FROM: "2026-06-02T00:00:00", UNTIL: "2026-06-01T00:00:00"}),
        (SEARCH, {FROM: "2026-06-01T00:00:00"}),
        (SEARCH, {FROM: "2026-06-01", UNTIL: "2026-06-02"}),
        (SEARCH, {"pageNumber": "0"}),
        (SEARCH, {"pageSize": "500"}),
        (CATALOG, {"page": "1"}),
        (DETAILS, {}),
        (ROSTER, {}),
        (f"{RECRUITING}/JobApplicant", {}),
        (f"{RECRUITING}/JobApplicant", {"CurrentStatus": "Hired", "StatusDate": "1.2.2026"}),
        (f"{RECRUITING}/JobRequisitionDetails", {"pageSize": "101"}),
        (f"{RECRUITING}/JobRequisitionDetails", {"lastModifiedSince": "2026-06-01"}),
        (f"{RECRUITING}/JobRequisitionDetails", {"lastModifiedSince": "2026-06-01T00:00:00Z"}),
        (f"{LOADS}/jobs", {"page_size": "101"}),
        (f"{LOADS}/jobs", {"page_number": "0"}),
        (f"{LOADS}/jobs", {"job_create_from_date": "2026-06-01T00:00:00"}),
        (f"{LOADS}/jobs", {"job_create_to_date": "20260601"}),
        (f"{LOADS}/jobs", {"page": "1"}),
    ],
)
def test_older_services_reject_invalid_windows(cornerstone: Any, path: str, query: Any) -> None:
    status, body = cornerstone.get(path, query)
    assert (status, body["error"]["code"]) == (400, "400")


def test_the_default_window_is_the_last_day(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    assert api.get(SEARCH)[1]["data"] == []


def test_only_active_users_have_transcripts_by_day(cornerstone: Any) -> None:
    refs = {row["externalId"]: row for row in cornerstone.vendor.list_records("employees", None, None, "")}
    rows = cornerstone.vendor.list_records("transcripts", date(2020, 1, 1), LAST, "")
    assert {refs[row["_UserId"]]["workerStatus"]["active"] for row in rows} == {True}
    assert len(rows) < cornerstone.vendor.count_rows("transcript_core", None, None)


def test_a_second_catalog_search_at_the_same_time_is_rejected(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    first = api.request(CATALOG)
    assert (first.status, first.seconds > 0) == (200, True)
    assert api.request(CATALOG).status == 429
    api.vendor.rest.context.busy_until = 0
    assert api.request(CATALOG).status == 200


def test_missing_trainings_and_sessions_are_not_found(cornerstone: Any) -> None:
    training = cornerstone.vendor.list_records("catalog", None, None, "")[0]["ObjectId"]
    assert cornerstone.get(DETAILS, {"ObjectID": training.upper()})[0] == 200
    assert cornerstone.get(DETAILS, {"objectid": "x"})[0] == 404
    assert cornerstone.get(ROSTER, {"sessionLOID": training})[0] == 404


def test_a_single_requisition_is_not_a_list(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    path = f"{RECRUITING}/JobRequisitionDetails"
    rows = api.vendor.list_records("job_requisitions", None, None, "")
    _, body = api.get(path, {"ReqId": rows[0]["Ref"]})
    assert (body["data"], body["totalRecords"]) == (rows[0], 1)
    assert {"CanAppy", "ReferalBonus"} <= rows[0].keys()
    api.vendor.set_mode("job_requisitions", "list")
    assert api.get(path, {"reqid": rows[0]["Ref"]})[1]["data"] == [rows[0]]
    assert api.get(path, {"Page": "99"})[1]["data"] == []


def test_requisitions_and_applicants_are_filtered_by_date_and_status(cornerstone: Any) -> None:
    path = f"{RECRUITING}/JobRequisitionDetails"
    rows = cornerstone.vendor.list_records("job_requisitions", None, None, "")
    timestamp = sorted(row["LastModificationDate"] for row in rows)[-3][:19]
    found = rows_by_number(cornerstone, path, "page", lastModifiedSince=timestamp)
    assert found == [row for row in rows if row["LastModificationDate"][:19] >= timestamp]
    day = sorted(row["CreateDateLocal"] for row in rows)[2][:10]
    found = rows_by_number(cornerstone, path, "page", ToDate=day)
    assert found == [row for row in rows if row["CreateDateLocal"][:10] <= day]
    people = cornerstone.vendor.list_records("job_applicants", None, None, "")
    for row in people:
        del row["_CurrentStatus"]
    closed = [row for row in people if row["Status"] == "Closed"]
    day = sorted(row["StatusDate"] for row in closed)[-4]
    applicants = f"{RECRUITING}/JobApplicant"
    found = rows_by_number(cornerstone, applicants, "page", CurrentStatus="Closed", StatusDate=day)
    assert found == [row for row in closed if row["StatusDate"] >= day]
    assert rows_by_number(cornerstone, applicants, "page", CurrentStatus="Elsewhere") == []


def test_a_report_can_be_downloaded_five_times(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    import_id = api.vendor.list_records("bulk_imports", None, None, "")[0]["id"]
    path = f"{LOADS}/imports/{import_id}/report"
    assert [api.request(path).status for _ in range(6)] == [200] * 5 + [410]
    assert api.get(path)[1] == {"error": {"code": "410", "message": "Report download limit reached."}}
    assert api.request(path.replace("/report", "/errors")).headers["content-type"] == "text/csv"
    assert api.controls["reset-downloads"]({}) == {"forgotten": 6}
    assert api.request(path).status == 200
    assert api.request(f"{LOADS}/imports/x/report").status == 404


def test_reports_of_one_import_are_served(cornerstone: Any) -> None:
    rows = cornerstone.vendor.list_records("bulk_imports", None, None, "")
    load = next(row for row in rows if row["error_records"] and row["successful_records_with_warnings"])
    many = {}
    for kind in ("report", "warnings", "errors"):
        text = cornerstone.get(f"{LOADS}/imports/{load['id']}/{kind}")[1]
        many[kind] = len(list(csv.DictReader(io.StringIO(text))))
    assert many == {
        "report": load["total_records"],
        "warnings": load["successful_records_with_warnings"],
        "errors": load["error_records"],
    }


def test_a_window_returns_the_jobs_created_in_it(cornerstone: Any) -> None:
    query = {"job_create_from_date": "2026-06-01", "job_create_to_date": "2026-06-02"}
    _, body = cornerstone.get(f"{LOADS}/jobs", query)
    assert body["total_count"] == len(body["jobs"]) == 8
    assert {row["created_date"][:10] for row in body["jobs"]} == set(query.values())
    oldest = cornerstone.vendor.list_records("bulk_jobs", None, None, "")[-1]["created_date"]
    assert oldest >= "2026-05-17"
    assert cornerstone.get(f"{LOADS}/permissions")[1]["permissions"][0]["type"] == "chr.employee"
