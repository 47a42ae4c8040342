"""The groups of REST endpoints: which requests the tap sends, and how it reads envelopes and unexpected responses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.http.rate_limits import RateLimiter
from singer_rest.testing import Host, Output, ReceivedRequest, Response
from tap_cornerstone.client import per_minute
from tap_cornerstone.streams import STREAMS
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[[Callable[[ReceivedRequest], Response]], Host]

ALL: dict[str, Any] = {"objects": [], "views": [], "optional_streams": ["*"]}
ROOT = "/services/api/"
FAST = {"x-csod-throttling-rate-limit-urilevel": "360000000"}
TOKEN = "t3ueLenNQeeyyrQARio0uaIlm596O4VwtLGcqhaEpno="
STAMP = "2022-09-30T18:29:00+0000"


def ok_response(body: Any, **more: Any) -> Response:
    return Response(body, headers=FAST, **more)


def old_envelope(data: Any, **more: Any) -> Response:
    """Returns a response in the envelope of the older services."""
    return ok_response({"status": "200", "timestamp": STAMP, "data": data, **more})


def new_envelope(data: Any, **more: Any) -> Response:
    """Returns a response in the envelope of the newer services."""
    count = len(data) if isinstance(data, list) else 1
    return ok_response({"timestamp": "2020-01-01T03:30:12.9545447Z", **more, "count": count, "data": data})


def respond_by_name(**by_name: Any) -> Callable[[ReceivedRequest], Response]:
    """Responds by the last part of the path. Only first pages have records."""

    def respond(request: ReceivedRequest) -> Response:
        number = next(
            (request.query[name] for name in ("page", "pageNumber", "page_number") if name in request.query), "1"
        )
        found = by_name.get(request.path.rpartition("/")[2].replace("-", "_"))
        return found if found is not None and number == "1" else old_envelope([])

    return respond


def values_of(output: Output, stream: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(record.get(name) for name in names) for record in output.records(stream)]


def test_json_is_requested_everywhere_and_no_filter_hides_rows(run: Any, portal: Start) -> None:
    vendor = portal(respond_by_name())
    run(vendor.url, **ALL)
    assert {request.headers["Accept"] for request in vendor.requests if request.method == "GET"} == {"application/json"}
    queries = {request.path.removeprefix(ROOT): request.query_text for request in vendor.requests}
    assert queries["x/users/v2/employees"] == "pageSize=50"
    assert queries["x/organizations/v1/ous"] == "pageSize=100&includeInactive=true"
    assert queries["x/organizations/v1/types"] == ""
    assert queries["x/skills/v1/skills"] == "page=1"
    assert queries["Catalog/GlobalSearch"] == "pageNumber=1"
    assert queries["Recruiting/JobRequisitionDetails"] == "page=1&pageSize=100"


@pytest.mark.parametrize("name", ["nextpagetoken", "nextPageToken", "NextPageToken"])
def test_page_tokens_are_found_regardless_of_case_and_sent_encoded(run: Any, portal: Start, name: str) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if "nextPageToken" in request.query:
            return new_envelope([{"id": 3}], **{name: None})
        return new_envelope([{"id": 1}, {"id": 2}], **{name: TOKEN.replace("3", "+/")})

    vendor = portal(respond)
    assert values_of(run(vendor.url, "employees", **ALL), "employees", "id") == [(1,), (2,), (3,)]
    assert (
        vendor.requests[-1].query_text
        == "pageSize=50&nextPageToken=t%2B%2FueLenNQeeyyrQARio0uaIlm596O4VwtLGcqhaEpno%3D"
    )


def test_employees_can_be_a_json_array_without_an_envelope(run: Any, portal: Start) -> None:
    vendor = portal(
        lambda request: ok_response([{"id": 5646543, "externalId": "jswift1822", "address": {"zipCode": "90404"}}])
    )
    (record,) = run(vendor.url, "employees", **ALL).records("employees")
    assert record == {"id": 5646543, "externalId": "jswift1822", "address": {"zipCode": "90404"}}


def test_json_array_that_fills_the_page_fails_the_stream(run: Any, portal: Start) -> None:
    vendor = portal(lambda request: ok_response([{"id": number} for number in range(50)]))
    fails: list[Exception] = []
    run(vendor.url, "employees", fails=fails, **ALL)
    assert "1 of 1 streams failed" in str(fails[0])
    assert (
        len(run(portal(lambda request: ok_response([{"id": n} for n in range(70)])).url, "employees", **ALL).messages)
        > 70
    )


def test_tokens_that_always_expire_fail_the_stream_after_some_restarts(run: Any, portal: Start) -> None:
    vendor = portal(
        lambda request: (
            ok_response({}, status=400)
            if "nextPageToken" in request.query
            else new_envelope([{"id": 1}], nextPageToken="x")
        )
    )
    fails: list[Exception] = []
    run(vendor.url, "employees", fails=fails, **ALL)
    assert fails
    assert len([request for request in vendor.requests if request.method == "GET"]) == 2 * 6


CHILDREN = {
    "employee_groups": ("groups", {"id": 7, "name": "Alle"}),
    "employee_custom_fields": ("customfields", {"id": 7, "name": "Schuhgröße", "value": "43"}),
    "employee_employment_status": ("employment_status", {"id": 7, "effectiveDate": "2024-01-01T00:00:00"}),
    "employee_skills": ("skills", {"id": 7, "name": "Löten"}),
}


@pytest.mark.parametrize("stream", CHILDREN)
@pytest.mark.parametrize("form", ["list", "object", "bare"])
def test_data_of_an_employee_can_be_a_list_or_an_object(run: Any, portal: Start, stream: str, form: str) -> None:
    name, row = CHILDREN[stream]
    body = {"list": new_envelope([row]), "object": new_envelope(row), "bare": ok_response(row)}[form]
    vendor = portal(
        lambda request: (
            new_envelope([{"id": 12}])
            if request.path.endswith("employees")
            else respond_by_name(**{name: body})(request)
        )
    )
    (record,) = run(vendor.url, stream, **ALL).records(stream)
    assert record["employee_id"] == 12
    found = {**record, **(record.get("_extra") or {})}
    assert {key: found[key] for key in row if key != "id"} == {key: row[key] for key in row if key != "id"}


def test_deleted_employee_does_not_fail_and_one_without_data_has_no_rows(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("employees"):
            return new_envelope([{"id": 1}, {"id": 2}, {"id": 3}])
        return {"1": ok_response({}, status=404), "2": ok_response({"timestamp": STAMP, "count": 0})}.get(
            request.path.split("/")[-2], new_envelope([{"id": 9}])
        )

    output = run(portal(respond).url, "employee_groups", **ALL)
    assert values_of(output, "employee_groups", "employee_id", "id") == [(3, 9)]
    assert (
        "1 of the employees were not found, even on a second request, although the vendor still lists them"
        in caplog.text
    )


@pytest.mark.parametrize(
    "odd",
    [
        ok_response({}, status=409),
        ok_response({"status": "Failed", "data": None}),
        ok_response({"data": 1}),
        ok_response("x"),
    ],
    ids=str,
)
def test_invalid_response_for_an_employee_fails_the_stream_after_the_others(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture, odd: Response
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("employees"):
            return new_envelope([{"id": number} for number in range(1, 9)])
        return odd if request.path.split("/")[-2] in {"3", "5"} else new_envelope([{"id": 9}])

    fails: list[Exception] = []
    output = run(portal(respond).url, "employee_groups", fails=fails, **ALL)
    found = values_of(output, "employee_groups", "employee_id")
    assert sorted(found) == [(1,), (2,), (4,), (6,), (7,), (8,)]
    assert "1 of 1 streams failed" in str(fails[0])
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "Other parts of the stream that failed: 1." in caplog.text


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        *((ok_response({}, status=status), "2 of the employees were skipped") for status in (400, 422)),
        *(
            (ok_response({"data": [odd]}), "2 items are missing because the vendor reported an error")
            for odd in (None, 1, "x", [])
        ),
    ],
    ids=str,
)
def test_employee_with_unavailable_groups_is_skipped_with_a_warning(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture, odd: Response, sentence: str
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("employees"):
            return new_envelope([{"id": number} for number in range(1, 9)])
        return odd if request.path.split("/")[-2] in {"3", "5"} else new_envelope([{"id": 9}])

    output = run(portal(respond).url, "employees", "employee_groups", **ALL)
    assert set(values_of(output, "employee_groups", "employee_id")) == {(1,), (2,), (4,), (6,), (7,), (8,)}
    assert [message["stream"] for message in output.messages_of("ACTIVATE_VERSION")] == ["employees"]
    assert f"employee_groups: {sentence}" in caplog.text


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_unlicensed_or_disabled_list_is_skipped_by_name(
    run: Any, portal: Start, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = portal(
        lambda request: ok_response({}, status=status) if "types" in request.path else new_envelope([{"id": 1}])
    )
    output = run(vendor.url, "ou_types", "termination_reasons", **ALL)
    assert output.counts() == {"termination_reasons": 1}
    sentence = (
        f"the company's plan does not include this stream, or the vendor has switched it off (status {status} from "
    )
    assert f"ou_types: {sentence}" in caplog.text
    assert "It needs the scope outype:read. Skipping it; the run continues." in caplog.text


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_list_unlicensed_for_every_employee_is_skipped_by_name(
    run: Any, portal: Start, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    employees = new_envelope([{"id": number} for number in range(1, 5)])
    vendor = portal(lambda request: employees if request.path.endswith("employees") else ok_response({}, status=status))
    output = run(vendor.url, "employees", "employee_groups", **ALL)
    assert output.counts() == {"employees": 4}
    assert "employee_groups: " in caplog.text
    assert "it needs the scope group:read" in caplog.text.replace("It needs", "it needs")
    assert "Skipping it; the run continues." in caplog.text


@pytest.mark.parametrize("workers", [1, 8])
def test_groups_forbidden_for_all_are_skipped_before_all_employees_are_tried(
    run: Any, portal: Start, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    employees = new_envelope([{"id": number} for number in range(1, 501)])
    vendor = portal(lambda request: employees if request.path.endswith("employees") else ok_response({}, status=403))
    output = run(vendor.url, "employees", "employee_groups", max_concurrency=workers, **ALL)
    assert output.counts() == {"employees": 500}
    assert "it needs the scope group:read" in caplog.text
    assert sum(request.path.endswith("groups") for request in vendor.requests) == 15


def test_employee_with_some_failed_groups_keeps_the_others(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    groups = new_envelope([{"id": 7}, {"Result": "Failure", "Reason": "x"}, {"id": 8}])
    output = run(
        portal(respond_by_name(employees=new_envelope([{"id": 1}]), groups=groups)).url, "employee_groups", **ALL
    )
    assert {record["id"] for record in output.records("employee_groups")} == {7, 8}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "1 items are missing because the vendor reported an error" in caplog.text


def test_choices_of_custom_fields_are_in_their_own_column(run: Any, portal: Start) -> None:
    choices = [{"valueId": 1, "title": "M", "isSelected": True}]
    fields = new_envelope([{"id": 1, "name": "Größe", "value": choices}, {"id": 2, "name": "Motto", "value": "M"}])
    output = run(
        portal(respond_by_name(employees=new_envelope([{"id": 1}]), customfields=fields)).url,
        "employee_custom_fields",
        **ALL,
    )
    found = values_of(output, "employee_custom_fields", "id", "value", "choices")
    assert found == [(1, None, choices), (2, "M", None)]


def test_employee_skill_is_identified_by_its_id(run: Any, portal: Start) -> None:
    skills = new_envelope([{"skillId": "a-1", "id": 5}, {"id": 77}, {"skill_id": "5"}, {"id": 9, "skill": {"id": 6}}])
    output = run(
        portal(respond_by_name(employees=new_envelope([{"id": 1}]), skills=skills)).url, "employee_skills", **ALL
    )
    assert values_of(output, "employee_skills", "skill_id") == [("a-1",), ("77",), ("5",), ("6",)]


def make_person(user: str, *trainings: dict[str, Any]) -> dict[str, Any]:
    item = {"UserId": user, "UserName": f"{user}@x", "Transcripts": list(trainings)}
    return {"Result": "Success", "Reason": "", "TranscriptItem": item}


def test_transcripts_are_nested_two_levels_deep(run: Any, portal: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if not request.query["ModificationStartDate"].startswith("2024-02-26"):
            return old_envelope([])
        pages = {
            "1": [make_person("u1", {"LOID": "a", "Title": "Ünï", "CompletionDate": STAMP}, {"LOID": "b"})],
            "2": [make_person("u2", {"LOID": "a", "RegistrationNumber": 2, "Score": "88"})],
        }
        return old_envelope(pages.get(request.query["pageNumber"], []), totalRecords=2)

    vendor = portal(respond)
    output = run(vendor.url, "transcripts", start_date="2024-02-26", end_date="2024-02-27", **ALL)
    found = values_of(output, "transcripts", "UserId", "LOID", "RegistrationNumber", "CompletionDate", "Score")
    assert found == [
        ("u1", "a", 1, "2022-09-30T18:29:00Z", None),
        ("u1", "b", 1, None, None),
        ("u2", "a", 2, None, 88),
    ]
    windows = [
        (query["ModificationStartDate"], query["ModificationEndDate"]) for query in queries_for(vendor, "Search")
    ]
    assert sorted(set(windows)) == [
        ("2024-02-26T00:00:00", "2024-02-27T00:00:00"),
        ("2024-02-27T00:00:00", "2024-02-28T00:00:00"),
    ]
    bookmark = output.state["bookmarks"]["transcripts"]["replication_key_value"]
    assert bookmark == "2024-02-27T00:00:00Z"  # no later than what was read


def queries_for(vendor: Host, name: str) -> list[dict[str, str]]:
    return [request.query for request in vendor.requests if name in request.path]


@pytest.mark.parametrize(
    "item", [{"Result": "Success"}, {"TranscriptItem": None}, {"TranscriptItem": {"Transcripts": 7}}]
)
def test_item_without_a_user_fails_the_stream(run: Any, portal: Start, item: dict[str, Any]) -> None:
    fails: list[Exception] = []
    run(portal(lambda request: old_envelope([item])).url, "transcripts", fails=fails, **ALL)
    assert fails


def test_failed_items_in_a_successful_response_are_counted_without_their_text(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    failed = {"Result": "Failure", "Reason": "Ms Secret has left"}
    good = [{"Id": 1, "Result": "Successful", "Reason": ""}, {"Id": 2, "Result": "", "Reason": ""}]
    output = run(
        portal(
            respond_by_name(
                JobRequisitionDetails=old_envelope(
                    [good[0], failed, {"Result": "Denied", "Reason": "Ms Secret"}, good[1]]
                )
            )
        ).url,
        "job_requisitions",
        **ALL,
    )
    assert sorted(set(values_of(output, "job_requisitions", "Id"))) == [(1,), (2,)]
    assert "job_requisitions: 2 items are missing because the vendor reported an error" in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "Secret" not in caplog.text


def test_failed_user_does_not_stop_transcripts(run: Any, portal: Start) -> None:
    items = [
        {"Result": "Failure", "Reason": "x", "TranscriptItem": None},
        {"TranscriptItem": {"UserId": "u", "Transcripts": None}},
        make_person("v", {"LOID": "a", "Status": "Done", "RegistrationNumber": None}),
    ]
    items[2]["TranscriptItem"]["Status"] = "Active"
    vendor = portal(lambda request: old_envelope(items if request.query["pageNumber"] == "1" else []))
    output = run(vendor.url, "transcripts", start_date="2024-02-26", end_date="2024-02-26", **ALL)
    found = values_of(output, "transcripts", "UserId", "LOID", "RegistrationNumber", "Status")
    assert found == [("v", "a", 1, "Done")] * 2  # failed items are requested again
    assert output.records("transcripts")[0]["_extra"]["UserStatus"] == "Active"
    assert output.state["bookmarks"]["transcripts"]["replication_key_value"]


LACKING: dict[str, Callable[[ReceivedRequest], Response]] = {
    "an empty page though more were told": lambda request: old_envelope(
        [{"ObjectId": str(n)} for n in range(50)] if request.query["pageNumber"] == "1" else [], totalRecords=500
    ),
    "a list that shrinks": lambda request: old_envelope(
        [{"ObjectId": f"{request.query['pageNumber']}-{n}"} for n in range(51 - int(request.query["pageNumber"]))]
        if request.query["pageNumber"] < "3"
        else [],
        totalRecords=101 - int(request.query["pageNumber"]),
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_list_shorter_than_announced_marks_no_row_as_deleted(
    run: Any, portal: Start, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    output = run(portal(LACKING[case]).url, "catalog", **ALL)
    assert len(output.records("catalog")) in {2 * 50, 2 * 99}  # it is requested again
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "have fewer records than the vendor reports" in caplog.text


@pytest.mark.parametrize("body", [{"data": None}, {"data": [], "count": 50}])
def test_empty_response_after_other_pages_marks_no_row_as_deleted(run: Any, portal: Start, body: Any) -> None:
    vendor = portal(
        lambda request: (
            ok_response(body) if "nextPageToken" in request.query else new_envelope([{"id": 1}], nextPageToken="more")
        )
    )
    output = run(vendor.url, "employees", **ALL)
    assert values_of(output, "employees", "id") == [(1,)] * 2  # it is requested again
    assert output.messages_of("ACTIVATE_VERSION") == []


def numbered_rows(request: ReceivedRequest, *sizes: int) -> list[dict[str, str]]:
    """Rows of a page of so many."""
    number = int(request.query["pageNumber"])
    return [{"ObjectId": f"{number}-{row}"} for row in range(sizes[number - 1] if number <= len(sizes) else 0)]


WHOLE: dict[str, Callable[[ReceivedRequest], Response]] = {
    "all at once": lambda _: new_envelope([{"ObjectId": str(n)} for n in range(300)]),
    "as many as a page, and told so": lambda _: old_envelope(
        [{"ObjectId": str(n)} for n in range(50)], totalRecords=50
    ),
    "larger pages": lambda request: old_envelope(numbered_rows(request, 100, 20), totalRecords=120),
    "each page's own total": lambda request: old_envelope(
        rows := numbered_rows(request, 50, 20), totalRecords=len(rows)
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_complete_list_is_complete_however_it_counts(run: Any, portal: Start, case: str) -> None:
    output = run(portal(WHOLE[case]).url, "catalog", **ALL)
    assert len(output.records("catalog")) in {300, 50, 120, 70}
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


def test_last_page_with_a_zero_count_is_the_end(run: Any, portal: Start) -> None:
    last = ok_response({"data": None, "count": 0})
    vendor = portal(
        lambda request: last if "nextPageToken" in request.query else new_envelope([{"id": 1}], nextPageToken="more")
    )
    assert len(run(vendor.url, "employees", **ALL).messages_of("ACTIVATE_VERSION")) == 1


def event_with_sessions(request: ReceivedRequest, many: int) -> Response | None:
    """Responds with a catalogue of one event that has the given number of sessions."""
    if request.path.endswith("GlobalSearch"):
        return old_envelope([{"ObjectId": "e"}] if request.query["pageNumber"] == "1" else [])
    if request.path.endswith("GetDetails"):
        return old_envelope([{"trainingItem": {"ObjectId": "e", "Sessions": [{"LOID": f"s{n}"} for n in range(many)]}}])
    return None


def test_forbidden_rosters_are_skipped_before_all_sessions_are_requested(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = portal(lambda request: event_with_sessions(request, 400) or ok_response({}, status=401))
    run(vendor.url, "session_roster", fails=[], **ALL)
    assert "it needs the scope sessionroster:read" in caplog.text
    assert len(queries_for(vendor, "GetSessionRoster")) < 200


@pytest.mark.parametrize(
    "selected", [("catalog", "session_roster"), ("session_roster",), ("catalog", "training_details", "session_roster")]
)
def test_rosters_are_read_whichever_parent_lists_are_selected(
    run: Any, portal: Start, selected: tuple[str, ...]
) -> None:
    output = run(
        portal(lambda request: event_with_sessions(request, 1) or old_envelope([{"UserId": "u1"}])).url,
        *selected,
        **ALL,
    )
    assert output.counts() == dict.fromkeys(selected, 1)


def test_ignored_page_number_fails_the_stream_if_the_page_is_full(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    run(portal(lambda request: new_envelope([{"id": n} for n in range(50)])).url, "skills", fails=fails, **ALL)
    assert fails
    assert "returns the same full page for every page number" in caplog.text
    assert run(portal(lambda request: new_envelope([{"id": n} for n in range(49)])).url, "skills", **ALL).messages_of(
        "ACTIVATE_VERSION"
    )


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("credential", [{}, {"access_token": "given"}])
def test_forbidden_employee_does_not_stop_the_others(
    run: Any, portal: Start, status: int, credential: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("employees"):
            return new_envelope([{"id": number} for number in range(1, 17)])
        return ok_response({}, status=status) if int(request.path.split("/")[-2]) % 2 else new_envelope([{"id": 7}])

    vendor = portal(respond)
    output = run(vendor.url, "employee_groups", **credential, **ALL)
    assert sorted(values_of(output, "employee_groups", "employee_id")) == [(number,) for number in range(2, 17, 2)]
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "the credential cannot read 8 of the employees" in caplog.text
    assert len([request for request in vendor.requests if request.method == "POST"]) <= 3


def test_expired_given_token_ends_the_run(run: Any, portal: Start) -> None:
    groups = 0

    def respond(request: ReceivedRequest) -> Response:
        nonlocal groups
        if groups >= 10:
            return ok_response({}, status=401)
        if request.path.endswith("employees"):
            return new_envelope([{"id": number} for number in range(40)])
        groups += 1
        return new_envelope([{"id": 7}])

    fails: list[Exception] = []
    vendor = portal(respond)
    run(vendor.url, "employee_groups", access_token="given", max_concurrency=1, fails=fails, **ALL)
    assert "it expired or was revoked" in str(fails[0])
    assert len(vendor.requests) <= 1 + 10 + 2 + 1


WRAPPED = {
    "employee_groups": ("groups", {"id": 1465, "status": "Active", "groups": [{"id": 7}, {"id": 8}]}),
    "employee_custom_fields": ("customfields", {"id": 1465, "customFields": [{"id": 7}, {"id": 8}]}),
}


@pytest.mark.parametrize("stream", WRAPPED)
@pytest.mark.parametrize("framed", [False, True])
def test_data_of_an_employee_can_be_nested_in_the_employee(
    run: Any, portal: Start, stream: str, *, framed: bool
) -> None:
    name, body = WRAPPED[stream]
    vendor = portal(
        respond_by_name(
            employees=new_envelope([{"id": 1465}]), **{name: new_envelope(body) if framed else ok_response(body)}
        )
    )
    assert values_of(run(vendor.url, stream, **ALL), stream, "employee_id", "id") == [(1465, 7), (1465, 8)]


@pytest.mark.parametrize("status", ["500", 503, "429"])
def test_response_with_a_transient_error_in_its_body_is_requested_again(run: Any, portal: Start, status: Any) -> None:
    bodies = [{"status": status, "data": None}, {"status": "200", "data": [{"id": 1}]}]
    assert run(portal(lambda request: ok_response(bodies.pop(0))).url, "ou_types", **ALL).counts() == {"ou_types": 1}


def test_training_with_failed_details_is_missing_and_the_others_are_loaded(run: Any, portal: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("GlobalSearch"):
            return old_envelope([{"ObjectId": "a"}, {"ObjectId": "b"}] if request.query["pageNumber"] == "1" else [])
        if request.query["ObjectID"] == "a":
            return old_envelope([{"Result": "Failure", "Reason": "not available"}])
        return old_envelope(
            [{"Result": "Success", "Reason": None, "trainingItem": {"ObjectId": "b", "Duration": "1.5"}}]
        )

    output = run(portal(respond).url, "training_details", **ALL)
    assert values_of(output, "training_details", "ObjectId", "Duration") == [("b", 1.5)]
    assert output.messages_of("ACTIVATE_VERSION") == []


def test_fields_are_found_regardless_of_case_including_parents(run: Any, portal: Start) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("employees"):
            return new_envelope(
                [{"ID": 5, "externalID": "a", "firstname": "Zoë", "FirstName": None, "FIRSTNAME": "Zoe"}]
            )
        return new_envelope([{"Id": 7, "NAME": "Alle"}])

    output = run(portal(respond).url, "employees", "employee_groups", **ALL)
    (employee,) = output.records("employees")
    assert employee == {
        "id": 5,
        "externalId": "a",
        "firstName": "Zoë",
        "_extra": {"FIRSTNAME": "Zoe", "FirstName": None},
    }
    assert values_of(output, "employee_groups", "employee_id", "id", "name") == [(5, 7, "Alle")]


def test_rosters_are_read_for_sessions_and_for_trainings_that_list_sessions(run: Any, portal: Start) -> None:
    details = {
        "e": {"ObjectId": "e", "Type": "Event", "Sessions": [{"SessionLOID": "S1"}, {"SessionLOID": "s2"}]},
        "f": {"ObjectId": "f", "sessions": {"Session": [{"LOID": "s3"}, "s4"]}},
        "g": {"ObjectId": "s5", "type": "ILT Session"},
        "s1": {"ObjectId": "s1", "Type": "Session"},
        "c": {"ObjectId": "c", "Type": "Curriculum", "Sessions": None},
        "d": {"Type": "Session"},
    }

    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("GlobalSearch"):
            return old_envelope([{"ObjectId": name} for name in details] if request.query["pageNumber"] == "1" else [])
        if request.path.endswith("GetDetails"):
            return old_envelope([{"trainingItem": details[request.query["ObjectID"]]}])
        return old_envelope([{"UserId": "u1", "Attendance": [{"PartName": "Morning"}]}])

    vendor = portal(respond)
    output = run(vendor.url, "session_roster", **ALL)
    assert {*values_of(output, "session_roster", "SessionId", "UserId")} == {
        (f"{'sS'[number == 1]}{number}", "u1") for number in range(1, 6)
    }
    assert len(queries_for(vendor, "GetSessionRoster")) == 5


def test_catalogue_is_requested_one_call_at_a_time(run: Any, portal: Start) -> None:
    under_way: list[int] = []

    def respond(request: ReceivedRequest) -> Response:
        if not request.path.endswith("GlobalSearch"):
            return old_envelope([])
        number = int(request.query["pageNumber"])
        under_way.append(number)
        rows = [{"ObjectId": str(number)}] if number < 6 else []
        return Response({"status": "200", "data": rows, "totalRecords": 5}, headers=FAST, delay=0.01)

    vendor = portal(respond)
    output = run(vendor.url, "catalog", **ALL)
    assert under_way == [1, 2, 3, 4, 5, 6]
    assert len(output.records("catalog")) == 5
    assert vendor.most_at_once == 1


def test_single_requisition_in_place_of_a_list_does_not_repeat(run: Any, portal: Start) -> None:
    vendor = portal(
        lambda request: old_envelope({"Id": 7, "Title": "Löter", "CanAppy": True, "RangeLow": "", "DivisionId": 12})
    )
    output = run(vendor.url, "job_requisitions", **ALL)
    found = values_of(output, "job_requisitions", "Id", "CanAppy", "RangeLow", "DivisionId")
    assert found == [(7, True, None, "12")]
    assert len(queries_for(vendor, "JobRequisition")) == 2


def test_applicants_are_requested_by_status(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: ReceivedRequest) -> Response:
        status = request.query["CurrentStatus"]
        if status == "Gibt es nicht":
            return ok_response({"status": "400", "error": {"message": "CurrentStatus is not valid"}}, status=400)
        applicants = [
            {"Id": 1, "RequisitionId": "req1"},
            {"Id": 1, "RequisitionId": "req2", "CurrentStatus": "In Prüfung"},
            {"Id": 2},
        ]
        return old_envelope(applicants if (status, request.query["page"]) == ("Eingestellt", "1") else [])

    vendor = portal(respond)
    output = run(vendor.url, "job_applicants", applicant_statuses=["Eingestellt", "Gibt es nicht"], **ALL)
    found = values_of(output, "job_applicants", "Id", "RequisitionId", "CurrentStatus")
    assert found == [(1, "req1", "Eingestellt"), (1, "req2", "In Prüfung"), (2, "", "Eingestellt")]
    assert not output.messages_of("ACTIVATE_VERSION")
    assert "the portal has no status named: Gibt es nicht" in caplog.text
    run(portal(respond_by_name()).url, "job_applicants", **ALL)
    assert "no applicant has any of the requested statuses. Set `applicant_statuses` to your portal's" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {"status": "500", "data": []},
        {"status": "Failed", "data": None},
        {"data": [1]},
        {"data": "x"},
        {"rows": []},
        [1],
        None,
        7,
    ],
)
def test_other_shapes_fail_the_stream(run: Any, portal: Start, body: Any, caplog: pytest.LogCaptureFixture) -> None:
    fails: list[Exception] = []
    run(portal(lambda request: ok_response(body)).url, "ou_types", fails=fails, **ALL)
    assert "1 of 1 streams failed: ou_types" in str(fails[0])
    assert "ou_types: " in caplog.text


XML = b"\xef\xbb\xbf<cornerstoneapi><validations><status>200</status><data>Ms Secret</data></validations>"


@pytest.mark.parametrize("body", [XML, XML[3:], b'\r\n<?xml version="1.0"?><Error/>'])
def test_xml_is_reported_as_such(run: Any, portal: Start, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    vendor = portal(lambda request: ok_response(body))
    fails: list[Exception] = []
    run(vendor.url, "job_requisitions", fails=fails, **ALL)
    assert "returned XML although JSON was requested" in caplog.text
    assert "Secret" not in caplog.text
    assert len(queries_for(vendor, "Recruiting")) == 1


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><HTML>", b'{"data":[{"id"', {"error": {"code": ""}}])
def test_transient_failure_in_a_successful_response_is_requested_again(run: Any, portal: Start, body: Any) -> None:
    bodies = [body, new_envelope([{"id": 1}])]
    vendor = portal(
        lambda request: ok_response(bodies.pop(0)) if not isinstance(bodies[0], Response) else bodies.pop(0)
    )
    assert run(vendor.url, "ou_types", **ALL).counts() == {"ou_types": 1}


JOB: dict[str, Any] = {"id": "j1", "label": "Nightly", "status": "COMPLETED"}
COUNTS = {"total_records": 2, "successful_records": 1, "successful_records_with_warnings": 0, "error_records": 1}
IMPORTS = [{"id": "i/1", "label": "Employees", **COUNTS}]
CSV = b'\xef\xbb\xbfUser ID,Status,Message\r\nref12,Error,"Manager ID ""X""\r\nnot found"\r\n\r\nref13,Success,\r\n'


def bulk_portal(
    jobs: list[dict[str, Any]], report: Callable[[ReceivedRequest], Response] = lambda request: ok_response(CSV)
) -> Any:
    def respond(request: ReceivedRequest) -> Response:
        if "/imports/" in request.path:
            return report(request)
        if request.path.endswith("/jobs"):
            days = request.query["job_create_from_date"], request.query["job_create_to_date"]
            found = jobs if days[0] <= "2024-02-26" <= days[1] else []
            return ok_response({"jobs": found, "page_number": 1, "page_size": 100, "total_count": len(found)})
        return ok_response({**JOB, "id": request.path.rpartition("/")[2], "imports": IMPORTS})

    return respond


BULK: dict[str, Any] = {**ALL, "start_date": "2024-02-10", "end_date": "2024-03-09"}


def test_imports_are_read_from_the_job_list_or_from_each_job(run: Any, portal: Start) -> None:
    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}]))
    output = run(vendor.url, "bulk_imports", "bulk_jobs", **BULK)
    assert values_of(output, "bulk_imports", "id", "job_id", "error_records") == [("i/1", "j1", 1)]
    assert output.records("bulk_jobs")[0]["imports"] == IMPORTS
    assert not queries_for(vendor, "/jobs/")
    vendor = portal(bulk_portal([{"job_id": "j/1", "status": "COMPLETED"}, {**JOB, "imports": IMPORTS}]))
    output = run(vendor.url, "bulk_imports", "bulk_jobs", **BULK)
    assert values_of(output, "bulk_jobs", "id") == [("j/1",), ("j1",)]
    assert [request.path for request in vendor.requests if "/jobs/" in request.path] == [
        f"{ROOT}x/bulk-api/v1/jobs/j%2F1"
    ]
    assert values_of(output, "bulk_imports", "id", "job_id") == [("i/1", "j1"), ("i/1", "j%2F1")]


def test_report_truncated_within_a_cell_is_requested_again(run: Any, portal: Start) -> None:
    texts = [CSV, CSV[:60], CSV]
    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}], lambda request: ok_response(texts.pop())))
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    assert len(output.records("bulk_import_reports")) == 4
    assert texts == []


def test_jobs_are_requested_by_creation_date(run: Any, portal: Start) -> None:
    vendor = portal(bulk_portal([]))
    run(vendor.url, "bulk_jobs", **BULK)
    requested = sorted(tuple(query.values()) for query in queries_for(vendor, "/jobs"))
    assert {query[:2] for query in requested} == {("1", "100")}
    assert requested[0][2] == "2024-02-10"
    assert requested[-1][3] == "2024-03-09"


def test_report_rows_contain_cells(run: Any, portal: Start) -> None:
    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}]))
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    records = output.records("bulk_import_reports")
    assert [(record["import_id"], record["kind"], record["row_number"]) for record in records] == [
        ("i/1", "report", 1),
        ("i/1", "report", 2),
        ("i/1", "errors", 1),
        ("i/1", "errors", 2),
    ]
    assert records[0]["cells"] == {"User ID": "ref12", "Status": "Error", "Message": 'Manager ID "X"\r\nnot found'}
    paths = [request.path for request in vendor.requests if "/imports/" in request.path]
    assert paths == [f"{ROOT}x/bulk-api/v1/imports/i%2F1/{kind}" for kind in ("report", "errors")]


def test_cells_with_a_missing_or_repeated_name_are_kept(run: Any, portal: Start) -> None:
    vendor = portal(
        bulk_portal([{**JOB, "imports": IMPORTS}], lambda request: ok_response("Ä,Ä,\nß,2,3,4\n5\n".encode()))
    )
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    cells = [record["cells"] for record in output.records("bulk_import_reports")[:2]]
    assert cells == [{"Ä": "ß", "Ä 2": "2", "column 3": "3", "column 4": "4"}, {"Ä": "5"}]
    vendor = portal(
        bulk_portal([{**JOB, "imports": IMPORTS}], lambda request: ok_response(b"x 3,x,x,column 4,,x\n1,2,3,4,5,6\n"))
    )
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    assert [*output.records("bulk_import_reports")[0]["cells"].values()] == ["1", "2", "3", "4", "5", "6"]


UNFINISHED: list[dict[str, Any]] = [
    {"id": "i2", **COUNTS, "error_records": 0},
    *(
        {"id": status, **COUNTS, "status": status}
        for status in ("IN_PROGRESS", "Not Started", "Incomplete", "Being processed", "NotCompleted", "Cancelling")
    ),
    {"id": "i4", **dict.fromkeys(COUNTS, 0)},
]


@pytest.mark.parametrize("status", [None, "IN_PROGRESS"])
def test_reports_of_unfinished_imports_wait(run: Any, portal: Start, status: str | None) -> None:
    vendor = portal(bulk_portal([{**JOB, "status": status, "imports": UNFINISHED}]))
    first = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    assert not queries_for(vendor, "/imports/")
    over = [{**row, **COUNTS, "total_records": 9, "status": "Completed with errors"} for row in UNFINISHED]
    vendor.respond = portal(bulk_portal([{**JOB, "imports": over}])).respond
    run(vendor.url, "bulk_imports", "bulk_import_reports", state=first.state, **BULK)
    assert len({request.path.split("/")[-2] for request in vendor.requests if "/imports/" in request.path}) == len(
        UNFINISHED
    )


@pytest.mark.parametrize("status", ["Rejected", "Abgeschlossen", "PARTIALLY_COMPLETED", "3", "Timed out", "Failed"])
def test_reports_are_read_if_a_status_or_the_counts_show_a_finished_import(
    run: Any, portal: Start, status: str
) -> None:
    vendor = portal(bulk_portal([{**JOB, "imports": [{**IMPORTS[0], "status": status}]}]))
    assert run(vendor.url, "bulk_import_reports", "bulk_imports", **BULK).records("bulk_import_reports")


def test_imports_unfinished_after_days_log_a_warning(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    made = f"{datetime.now(timezone.utc) - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"
    job = {**JOB, "created_date": made, "imports": [{"id": "i", "status": "In progress"}]}
    run(portal(bulk_portal([job])).url, "bulk_import_reports", "bulk_imports", **BULK)
    assert "1 of the imports have not finished after days" in caplog.text


def test_reports_past_their_retention_are_not_requested(run: Any, portal: Start) -> None:
    now = datetime.now(timezone.utc)
    jobs = [
        {"id": f"j{days}", "status": "COMPLETED", "created_date": f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"}
        for days in (2, 29, 40, 400)
    ]
    jobs = [{**job, "imports": [{"id": job["id"], **COUNTS}]} for job in jobs]
    vendor = portal(bulk_portal(jobs))
    run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    assert {request.path.split("/")[-2] for request in vendor.requests if "/imports/" in request.path} == {"j2", "j29"}


def test_job_without_imports_has_no_rows_and_a_deleted_one_is_no_error(run: Any, portal: Start) -> None:
    listed = [{"id": "queued", "imports": None}, {"id": "gone"}, {"id": "j1"}, {"id": "framed"}]
    one = {
        "queued": ok_response({"id": "queued", "imports": None}),
        "gone": ok_response({}, status=404),
        "framed": ok_response({"job": {"id": "framed", "imports": [{"id": "i2"}]}}),
    }

    def respond(request: ReceivedRequest) -> Response:
        return one.get(request.path.rpartition("/")[2]) or bulk_portal(listed)(request)

    output = run(portal(respond).url, "bulk_imports", **BULK)
    assert values_of(output, "bulk_imports", "id", "job_id", "job_status") == [
        ("i/1", "j1", "COMPLETED"),
        ("i2", "framed", None),
    ]


def test_report_with_unescaped_quotes_is_read(run: Any, portal: Start) -> None:
    text = b'User ID,Message\nx,"Manager "X" not found"\n'
    vendor = portal(
        bulk_portal([{**JOB, "imports": [{**IMPORTS[0], "total_records": 1}]}], lambda request: ok_response(text))
    )
    records = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK).records("bulk_import_reports")
    assert [record["cells"]["User ID"] for record in records] == ["x", "x"]
    assert all("Manager" in record["cells"]["Message"] for record in records)
    assert len(queries_for(vendor, "/imports/")) == 2


def test_throttled_report_waits_and_counts_as_no_download(run: Any, portal: Start) -> None:
    throttled = [Response({}, 429, headers={"Retry-After": "0"}) for _ in range(4)]
    vendor = portal(
        bulk_portal([{**JOB, "imports": IMPORTS}], lambda request: throttled.pop() if throttled else ok_response(CSV))
    )
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", **BULK)
    assert len(output.records("bulk_import_reports")) == 4
    assert [text.partition(" ")[2] for text in output.state["bookmarks"]["bulk_import_reports"]["reports"]] == [
        "i/1/errors",
        "i/1/report",
    ]


def test_missing_report_is_requested_by_the_next_run(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    def report(request: ReceivedRequest) -> Response:
        return ok_response({}, status=404) if request.path.endswith("/errors") else ok_response(CSV)

    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}], report))
    state: dict[str, Any] = {}
    for _ in range(7):
        state = run(vendor.url, "bulk_imports", "bulk_import_reports", state=state, **BULK).state
    kinds = [request.path.rpartition("/")[2] for request in vendor.requests if "/imports/" in request.path]
    assert kinds.count("report") == 1
    assert kinds.count("errors") == 7
    assert "1 of the reports were not found" in caplog.text


@pytest.mark.parametrize("reports", [None, "x", [3], ["2026-99-99 i/1/report"], [None, {"a": 1}]])
def test_unreadable_state_costs_one_more_download(run: Any, portal: Start, reports: Any) -> None:
    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}]))
    state = {"bookmarks": {"bulk_import_reports": {"reports": reports}}}
    output = run(vendor.url, "bulk_imports", "bulk_import_reports", state=state, **BULK)
    assert len(output.records("bulk_import_reports")) == 4


def test_reports_no_longer_listed_are_forgotten(run: Any, portal: Start) -> None:
    vendor = portal(bulk_portal([{**JOB, "imports": IMPORTS}]))
    state = {"bookmarks": {"bulk_import_reports": {"reports": ["2020-01-01 old/report", "2999-01-01 x/report 2"]}}}
    kept = run(vendor.url, "bulk_imports", "bulk_import_reports", state=state, **BULK).state
    texts = kept["bookmarks"]["bulk_import_reports"]["reports"]
    assert sorted(text.partition(" ")[2] for text in texts) == ["i/1/errors", "i/1/report", "x/report 2"]


@pytest.mark.parametrize("limit", [5, 75, 417, 2200])
def test_no_minute_exceeds_the_request_limit(limit: int) -> None:
    now, sent = 0.0, []
    rate_limiter = RateLimiter({"": per_minute(limit)}, clock=lambda: now)
    while now < 60:
        seconds = rate_limiter.acquire("/x")
        sent += [] if seconds else [now]
        now += seconds
    assert limit * 0.95 - 1 < len(sent) <= limit


def test_every_schema_is_plain_and_described() -> None:
    tap = TapCornerstone(config={"corpname": "acme", **ALL}, validate_config=False)
    assert {stream.name for stream in STREAMS} == set(tap.streams)
    for stream in tap.streams.values():
        properties = stream.schema["properties"]
        assert list(properties)[-1] == "_extra"
        assert set(stream.primary_keys) <= set(properties)
        for name, schema in properties.items():
            assert schema["description"].endswith(".")
            assert ("null" in schema.get("type", ["null"])) == (name not in stream.primary_keys), name
            assert not {"enum", "pattern", "oneOf"} & set(schema)
        assert type(stream).permission


SAMPLES = {
    "employee_v2_page1": "employees",
    "employee_v2_page2_last": "employees",
    "employee_v2_bare_array": "employees",
    "ous_page": "organizational_units",
    "bulk_jobs_page": "bulk_jobs",
    "bulk_permissions": "bulk_permissions",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_published_rows_are_loaded_completely(run: Any, portal: Start, samples: Path, name: str) -> None:
    body = json.loads((samples / f"{name}.json").read_text())["response"]["body"]
    later = {"data": [], "count": 0}
    seen: set[str] = set()

    def respond(request: ReceivedRequest) -> Response:
        first = not seen
        seen.add(request.query_text)
        return ok_response(body if first else later)

    vendor = portal(respond)
    stream = SAMPLES[name]
    output = run(vendor.url, stream, start_date="2024-02-20", end_date="2024-02-20", **ALL)
    sent = (
        body if isinstance(body, list) else next(body[name] for name in ("data", "jobs", "permissions") if name in body)
    )
    assert len(output.records(stream)) == len(sent)
    for row, record in zip(sent, output.records(stream), strict=True):
        assert {key: record[key] for key in row} == row
        assert record.get("_extra") is None
    members = {} if isinstance(body, list) else body
    token = next((value for key, value in members.items() if key.lower() == "nextpagetoken"), None)
    pages = [request.query.get("nextPageToken") for request in vendor.requests if request.method == "GET"]
    assert pages == ([None, token] if token else [None])


def test_published_report_and_xml_are_parsed(run: Any, portal: Start, samples: Path) -> None:
    text = json.loads((samples / "bulk_report_csv.json").read_text())["response"]["body_text"].encode()
    gone = json.loads((samples / "bulk_report_gone.json").read_text())["response"]["body"]
    xml = json.loads((samples / "rest_xml_by_default.json").read_text())["response"]["body_text"].encode()

    def report(request: ReceivedRequest) -> Response:
        return ok_response(text) if request.path.endswith("/report") else ok_response(gone, status=410)

    output = run(
        portal(bulk_portal([{**JOB, "imports": IMPORTS}], report)).url, "bulk_imports", "bulk_import_reports", **BULK
    )
    (record,) = output.records("bulk_import_reports")
    assert record["cells"] == {"User ID": "ref12", "Status": "Error", "Message": 'Manager ID "X" not found'}
    fails: list[Exception] = []
    run(portal(lambda request: ok_response(xml)).url, "job_requisitions", fails=fails, **ALL)
    assert fails


def test_item_that_is_not_a_record_does_not_stop_the_others(
    run: Any, portal: Start, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = portal(lambda _: new_envelope([{"id": 1}, None, "x", {"id": 2}]))
    output = run(vendor.url, "termination_reasons", **ALL)
    assert {record["id"] for record in output.records("termination_reasons")} == {1, 2}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert "2 items are missing because the vendor reported an error" in caplog.text


@pytest.mark.parametrize("odd", [None, 5, "x", []])
def test_page_of_invalid_items_does_not_stop_later_pages(
    run: Any, portal: Start, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pages = {
        "": new_envelope([odd], nextPageToken="a"),
        "a": new_envelope([{"id": 1}], nextPageToken="b"),
        "b": new_envelope([odd, odd]),
    }
    vendor = portal(lambda request: pages[request.query.get("nextPageToken", "")])
    output = run(vendor.url, "employees", **ALL)
    assert set(values_of(output, "employees", "id")) == {(1,)}
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert (
        "employees: 3 items are missing because the vendor reported an error for them or sent something other"
        in caplog.text
    )


@pytest.mark.parametrize("odd", [None, 5, "x", []])
def test_numbered_page_of_invalid_items_is_not_the_last(run: Any, portal: Start, odd: Any) -> None:
    pages = {"1": old_envelope([{"Id": 1}]), "2": old_envelope([odd]), "3": old_envelope([{"Id": 2}])}
    vendor = portal(lambda request: pages.get(request.query["page"], old_envelope([])))
    output = run(vendor.url, "job_requisitions", **ALL)
    assert set(values_of(output, "job_requisitions", "Id")) == {(1,), (2,)}
    assert output.messages_of("ACTIVATE_VERSION") == []


@pytest.mark.parametrize("odd", [None, 5, {}, {"Result": "Error", "Reason": "x"}])
@pytest.mark.parametrize("numbers", ["12", "13", "23", "123"])
def test_pages_that_start_with_the_same_invalid_item_are_all_read(
    run: Any, portal: Start, odd: Any, numbers: str, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        number = request.query["page"]
        first = [odd] if number in numbers else []
        return old_envelope(
            [*first, *({"Id": int(number) * 100 + n} for n in range(100 - len(first)))] if number < "4" else []
        )

    output = run(portal(respond).url, "job_requisitions", **ALL)
    assert len({*values_of(output, "job_requisitions", "Id")} - {(None,)}) == 300 - len(numbers)
    if odd != {}:  # an empty object is a record without a key
        assert f"job_requisitions: {len(numbers)} items are missing" in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []


@pytest.mark.parametrize(
    "body",
    [{"Message": "An error has occurred."}, {"status": "Failed", "message": "x"}, {"status": "Error"}, {"status": 503}],
)
def test_error_in_place_of_the_only_child_is_neither_a_row_nor_an_empty_list(
    run: Any, portal: Start, body: Any
) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("/employees"):
            return new_envelope([{"id": 1}, {"id": 2}])
        return ok_response(body if "/2/" in request.path else {"id": 7})

    fails: list[Exception] = []
    output = run(portal(respond).url, "employees", "employee_employment_status", fails=fails, **ALL)
    assert fails
    assert values_of(output, "employee_employment_status", "employee_id", "id") == [(1, 7)]
    assert output.messages_of("ACTIVATE_VERSION", "employee_employment_status") == []


def test_registration_number_zero_differs_from_one(run: Any, portal: Start) -> None:
    day = {"start_date": "2024-02-26", "end_date": "2024-02-26"}
    trainings = [{"LOID": "a", "RegistrationNumber": number} for number in (0, 1)]
    vendor = portal(
        lambda request: old_envelope([make_person("u", *trainings)] if request.query["pageNumber"] == "1" else [])
    )
    assert values_of(run(vendor.url, "transcripts", **day, **ALL), "transcripts", "RegistrationNumber") == [(0,), (1,)]


@pytest.mark.parametrize("odd", [None, 5, "x", []])
@pytest.mark.parametrize("place", ["item", "user", "training"])
def test_invalid_items_among_transcripts_do_not_stop_the_others(
    run: Any, portal: Start, odd: Any, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = make_person("u", {"LOID": "a"})
    bad = {"item": odd, "user": {"TranscriptItem": odd}, "training": make_person("v", odd, {"LOID": "b"})}[place]
    day = {"start_date": "2024-02-26", "end_date": "2024-02-26"}
    vendor = portal(lambda request: old_envelope([good, bad] if request.query["pageNumber"] == "1" else []))
    output = run(vendor.url, "transcripts", **day, **ALL)
    expected = {("u", "a")} | ({("v", "b")} if place == "training" else set())
    assert set(values_of(output, "transcripts", "UserId", "LOID")) == expected
    assert (
        "transcripts: 1 items are missing because the vendor reported an error for them or sent something other"
        in caplog.text
    )


def test_single_transcript_in_place_of_a_list_is_read(run: Any, portal: Start) -> None:
    item = {"TranscriptItem": {"UserId": "u", "Transcripts": {"LOID": "a"}}}
    vendor = portal(lambda request: old_envelope([item] if request.query["pageNumber"] == "1" else []))
    output = run(vendor.url, "transcripts", start_date="2024-02-26", end_date="2024-02-26", **ALL)
    assert values_of(output, "transcripts", "UserId", "LOID") == [("u", "a")]


def test_alternating_tokens_fail_the_stream_by_name(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: ReceivedRequest) -> Response:
        token = request.query.get("nextPageToken")
        return new_envelope([{"id": token}], nextPageToken="b" if token == "a" else "a")

    fails: list[Exception] = []
    vendor = portal(respond)
    run(vendor.url, "employees", fails=fails, **ALL)
    assert "1 of 1 streams failed: employees" in str(fails[0])
    assert "employees: the link to the next page leads back to a page already read" in caplog.text
    assert len(vendor.requests) < 6


def test_no_content_for_a_page_token_does_not_end_the_list(run: Any, portal: Start) -> None:
    met: list[str] = []

    def respond(request: ReceivedRequest) -> Response:
        if "nextPageToken" not in request.query:
            return new_envelope([{"id": 1}], nextPageToken="a")
        met.append(request.query_text)
        return Response(b"", status=204, headers=FAST) if len(met) == 1 else new_envelope([{"id": 2}])

    assert values_of(run(portal(respond).url, "employees", **ALL), "employees", "id") == [(1,), (2,)]


def test_endless_new_tokens_fail_the_stream(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    fails: list[Exception] = []
    vendor = portal(lambda request: new_envelope([{"id": 1}], nextPageToken=f"{request.query_text[-20:]}1"))
    output = run(vendor.url, "employees", fails=fails, **ALL)
    assert fails
    assert "never ends" in caplog.text
    assert output.messages_of("ACTIVATE_VERSION") == []
    assert len(vendor.requests) < 30


def test_list_that_starts_again_after_its_last_page_ends_there(run: Any, portal: Start) -> None:
    pages = [[{"Id": 1}, {"Id": 2}], [{"Id": 3}, {"Id": 4}]]
    vendor = portal(lambda request: old_envelope(pages[(int(request.query["page"]) - 1) % 2]))
    output = run(vendor.url, "job_requisitions", **ALL)
    assert values_of(output, "job_requisitions", "Id") == [(1,), (2,), (3,), (4,)]


def test_unreadable_job_does_not_stop_the_others(run: Any, portal: Start, caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path.endswith("/jobs/odd"):
            return ok_response({"job": {"id": "odd", "imports": "none"}})
        jobs = [{"id": "odd", "imports": {}}, {"status": "x"}, {"id": "j", "imports": [{"id": "i"}, None]}]
        return ok_response({"jobs": jobs if request.query["page_number"] == "1" else []})

    output = run(portal(respond).url, "bulk_imports", **ALL)
    assert {record["id"] for record in output.records("bulk_imports")} == {"i"}
    assert "items are missing because the vendor reported an error" in caplog.text
