"""Which requests the tap sends, and how it handles unexpected responses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from singer_rest import RunError
from singer_rest.testing import ReceivedRequest, Response, host

if TYPE_CHECKING:
    from collections.abc import Callable

EMPTY = Response({"_data": [], "success": True, "data": []})  # of v2, and of v1


def answer_persons(request: ReceivedRequest) -> Response:
    return Response({"_data": [{"id": "1"}], "data": []}) if request.path == "/v2/persons" else EMPTY


def test_page_sizes_are_the_largest_that_each_endpoint_allows(run: Callable[..., Any], personio: Any) -> None:
    parents = {"/v2/persons", "/v2/projects", "/v2/absence-periods", "/v2/webhooks", "/v2/recruiting/applications"}
    vendor = personio(lambda request: Response({"_data": [{"id": "1"}]}) if request.path in parents else EMPTY)
    run(vendor.url, optional_streams=["*"], legacy_v1_streams=True)
    limits = {request.path: request.query.get("limit") for request in vendor.requests if request.method == "GET"}
    assert limits == {
        "/v2/persons": "50",
        "/v2/persons/1/employments": "50",
        "/v2/absence-types": "100",
        "/v2/absence-periods": "100",
        "/v2/absence-periods/1/breakdowns": "28",
        "/v2/attendance-periods": "100",
        "/v2/projects": "200",
        "/v2/projects/1/members": "200",
        "/v2/compensations": "100",
        "/v2/compensations/types": "100",
        "/v2/org-units": "100",
        "/v2/cost-centers": "100",
        "/v2/workplaces": "100",
        "/v2/legal-entities": "100",
        "/v2/jobs": "100",
        "/v2/salary-bands": "100",
        "/v2/recruiting/applications": "200",
        "/v2/recruiting/applications/1/stage-transitions": None,
        "/v2/recruiting/candidates": "200",
        "/v2/recruiting/jobs": "200",
        "/v2/recruiting/categories": None,
        "/v2/document-management/documents": "200",
        "/v2/reports": None,
        "/v2/reports/attributes": None,
        "/v2/webhooks": "200",
        "/v2/webhooks/1/events": "200",
        "/v2/webhooks/1/activity": "200",
        "/v1/company/employees": "100",
        "/v1/company/employees/attributes": None,
        "/v1/company/document-categories": None,
        "/v1/company/attendances": "200",
        "/v1/company/attendances/projects": None,
        "/v1/company/time-offs": "200",
        "/v1/company/time-off-types": "200",
        "/v1/company/absence-periods": "200",
        "/v1/company/custom-reports/reports": None,
        "/v1/company/custom-reports/columns": None,
    }


def test_org_units_are_read_in_two_passes_with_their_chain(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lambda request: Response({"_data": [{"id": "1", "type": request.query["type"]}]}))
    output = run(vendor.url, "org_units")
    assert sorted((record["type"], record["id"]) for record in output.records("org_units")) == [
        ("department", "1"),
        ("team", "1"),
    ]
    assert {query["include_parent_chain"] for query in vendor.queries("/v2/org-units")} == {"true"}


def test_compensations_are_read_by_month_and_keep_repeated_ids(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lambda request: Response({"_data": [{"id": "c1", "amount": {"value": 4000.5}}]}))
    output = run(vendor.url, "compensations", start_date="2026-01-15", end_date="2026-03-02")
    months = sorted(record["month"] for record in output.records("compensations"))
    assert months == ["2026-01-01", "2026-02-01", "2026-03-01"]
    windows = {(query["start_date"], query["end_date"]) for query in vendor.queries("/v2/compensations")}
    assert windows == {("2026-01-01", "2026-01-31"), ("2026-02-01", "2026-02-28"), ("2026-03-01", "2026-03-31")}


def test_token_request_is_a_form_without_scope(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lambda request: EMPTY)
    run(vendor.url, "absence_types")
    token = vendor.requests[0]
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b"grant_type=client_credentials" in token.body
    assert b"scope" not in token.body
    assert "?" not in token.path


def test_all_streams_share_one_token(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(answer_persons)
    run(vendor.url)
    assert vendor.paths()["/v2/auth/token"] == 1
    assert vendor.paths()["/v1/auth"] == 1


def test_partner_headers_are_sent_with_each_request(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lambda request: EMPTY)
    run(vendor.url, "absence_types", partner_id="ACME", app_id="HR_DATA", user_agent="acme/1.0")
    for request in vendor.requests:
        assert request.headers["X-Personio-Partner-ID"] == "ACME"
        assert request.headers["X-Personio-App-ID"] == "HR_DATA"
        assert request.headers["User-Agent"] == "acme/1.0"


@pytest.mark.parametrize("meta", [None, {}, {"links": None}, {"links": {}}, {"links": {"next": None}}])
def test_missing_next_link_of_any_form_ends_the_list(run: Callable[..., Any], personio: Any, meta: Any) -> None:
    vendor = personio(lambda request: Response({"_data": [{"id": "1"}], "_meta": meta}))
    assert run(vendor.url, "absence_types").counts() == {"absence_types": 1}


def test_empty_page_with_a_next_link_is_not_the_last(run: Callable[..., Any], personio: Any) -> None:
    empty = {"_data": [], "_meta": {"links": {"next": {"href": "?cursor=2"}}}}
    vendor = personio(lambda request: Response({"_data": [{"id": "1"}]} if "cursor" in request.query else empty))
    assert run(vendor.url, "absence_types").counts() == {"absence_types": 1}


def test_token_is_sent_to_no_other_host(run: Callable[..., Any], personio: Any) -> None:
    with host(lambda request: EMPTY) as other:
        links = {"_data": [], "_meta": {"links": {"next": {"href": f"{other.url}/v2/absence-types?cursor=2"}}}}
        evil = other.url.replace("127.0.0.1", "127.0.0.2")
        links["_meta"]["links"]["next"]["href"] = f"{evil}/v2/absence-types?cursor=2"  # type: ignore[index]
        vendor = personio(lambda request: Response(links))
        fails: list[Exception] = []
        run(vendor.url, "absence_types", fails=fails)
        assert other.requests == []
    assert "absence_types" in str(fails[0])


@pytest.mark.parametrize(
    "before",
    [
        "https://api.personio.com",
        "http://API.personio.de:8443",
        "//eu.api.personio.com",
        "https://127.0.0.1:1",
        "/v2/absence-types",
        "",
    ],
)
def test_link_may_name_any_vendor_host_but_the_token_goes_to_the_configured_one(
    run: Callable[..., Any], personio: Any, before: str
) -> None:
    first = {"_data": [{"id": "1"}], "_meta": {"links": {"next": {"href": f"{before}?cursor=2"}}}}
    vendor = personio(lambda request: Response({"_data": [{"id": "2"}]} if "cursor" in request.query else first))
    assert run(vendor.url, "absence_types").counts() == {"absence_types": 2}
    assert vendor.queries("/v2/absence-types") == [{"limit": "100"}, {"cursor": "2", "limit": "100"}]


@pytest.mark.parametrize("host", ["personio.example", "api.personio.com.evil.example", "notpersonio.de"])
def test_link_to_a_host_that_resembles_the_vendors_is_not_followed(
    run: Callable[..., Any], personio: Any, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"_data": [], "_meta": {"links": {"next": {"href": f"https://{host}/v2/absence-types?cursor=2"}}}}
    vendor = personio(lambda request: Response(body))
    run(vendor.url, "absence_types", fails=[])
    assert "another host" in caplog.text
    assert vendor.queries("/v2/absence-types") == [{"limit": "100"}]


def test_empty_list_without_content_is_empty(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(
        lambda request: Response(b"", 204) if request.path == "/v2/absence-types" else answer_persons(request)
    )
    output = run(vendor.url, "absence_types", "persons")
    assert output.counts() == {"persons": 1}


@pytest.mark.parametrize("times", [1, 1000])
def test_later_page_without_content_does_not_end_the_list(run: Callable[..., Any], personio: Any, times: int) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if "cursor" not in request.query:
            return Response({"_data": [{"id": "1"}], "_meta": {"links": {"next": {"href": "?cursor=2"}}}})
        is_empty = sum("cursor" in query for query in vendor.queries("/v2/absence-types")) <= times
        return Response(b"", 204) if is_empty else Response({"_data": [{"id": "2"}]})

    vendor = personio(respond)
    fails: list[Exception] = []
    output = run(vendor.url, "absence_types", fails=fails)
    assert output.ids()["absence_types"] == (["1", "2"] if times == 1 else ["1"])
    assert len(output.messages_of("ACTIVATE_VERSION")) == (times == 1)
    assert bool(fails) == (times > 1)


@pytest.mark.parametrize("parent", [7, "a/b", "a b?", "ü"])
def test_parent_id_of_any_form_is_one_path_segment(run: Callable[..., Any], personio: Any, parent: Any) -> None:
    body = {"_data": [{"id": parent}]}
    vendor = personio(lambda request: Response(body if request.path == "/v2/persons" else {"_data": [{"id": "e"}]}))
    (record,) = run(vendor.url, "employments").records("employments")
    assert record["person_id"] == str(parent)
    requested = [request.path for request in vendor.requests if request.path.endswith("/employments")]
    assert [unquote(path) for path in requested] == [f"/v2/persons/{parent}/employments"]
    assert all(path.count("/") == 4 for path in requested)


@pytest.mark.parametrize("parent", [None, {"a": 1}, ["1"], True, ""])
def test_person_without_an_id_stops_no_other(run: Callable[..., Any], personio: Any, parent: Any) -> None:
    persons = {"_data": [{"id": parent}, {"id": "2"}, {"name": "x"}]}
    vendor = personio(lambda request: Response(persons if request.path == "/v2/persons" else {"_data": [{"id": "e"}]}))
    output = run(vendor.url, "persons", "employments")
    assert output.counts() == {"persons": 3, "employments": 1}
    assert [request.path for request in vendor.requests if "employments" in request.path] == [
        "/v2/persons/2/employments"
    ]


def test_redirect_is_not_followed(run: Callable[..., Any], personio: Any) -> None:
    with host(lambda request: EMPTY) as other:
        vendor = personio(lambda request: Response(b"", 302, {"Location": other.url}))
        fails: list[Exception] = []
        run(vendor.url, "absence_types", fails=fails)
        assert other.requests == []
    assert fails


@pytest.mark.parametrize("body", [[], {}, {"_data": None}, {"_data": {}}, "text", None])
def test_body_without_a_list_of_records_fails_its_stream(
    run: Callable[..., Any], personio: Any, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    run(personio(lambda request: Response(body)).url, "absence_types", fails=fails)
    assert "absence_types" in str(fails[0])
    assert "contains no list of records" in caplog.text


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (Response({"error": "invalid_client"}, 400), "rejects the credentials"),
        (Response({}, 401), "rejects the credentials"),
        (Response({}, 404), "status 404 and no token"),
        (Response(b"<html>", 200), "status 200 and no token"),
        (Response({"token": "t"}, 200), "status 200 and no token"),
        (Response({"access_token": "line\nbreak"}, 200), "line break"),
        (Response({}, 503), "did not issue a token"),
    ],
)
def test_missing_token_is_reported(run: Callable[..., Any], response: Response, sentence: str) -> None:
    with host(lambda request: response) as vendor, pytest.raises(RunError, match=sentence):
        run(vendor.url, "absence_types")


def test_404_for_a_deleted_person_means_no_employments(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            return Response({"_data": [{"id": "1"}, {"id": "2"}]})
        if request.path == "/v2/persons/1/employments":
            return Response({"errors": [{"title": "Resource not found"}]}, 404)
        return Response({"_data": [{"id": "e"}]})

    assert run(personio(respond).url, "employments").counts() == {"employments": 1}


def test_404_for_an_endpoint_means_a_missing_permission(run: Callable[..., Any], personio: Any) -> None:
    missing = {"errors": [{"detail": "The endpoint with /v2/persons/1/employments was not found"}]}

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            return Response({"_data": [{"id": "1"}, {"id": "2"}]})
        return Response(missing, 404)

    fails: list[Exception] = []
    run(personio(respond).url, "employments", fails=fails)
    assert "Nothing could be read" in str(fails[0])


NOT_FOUND = {"errors": [{"title": "Not found", "type": "https://example.test/errors#common.resource_not_found"}]}


def respond_with_people(*gone: str) -> Callable[[ReceivedRequest], Response]:
    """Responds with three persons who have an employment each, except for the deleted ones."""

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            return Response({"_data": [{"id": number} for number in "123"]})
        number = request.path.split("/")[3]
        return Response(NOT_FOUND, 404) if number in gone else Response({"_data": [{"id": f"e{number}"}]})

    return respond


def test_deleted_person_has_no_employments_and_is_logged(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    output = run(personio(respond_with_people("2")).url, "employments")
    assert sorted(record["id"] for record in output.records("employments")) == ["e1", "e3"]
    assert (
        "1 of the persons were not found, even on a second request, although the vendor still lists them" in caplog.text
    )


@pytest.mark.parametrize("mode", ["skip", "fail"])
def test_permission_is_missing_if_no_person_is_found(
    run: Callable[..., Any], personio: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    output = run(
        personio(respond_with_people("1", "2", "3")).url, "persons", "employments", on_missing_access=mode, fails=fails
    )
    assert "none of the 3 persons was found" in caplog.text
    assert "personio:persons:read" in caplog.text
    assert output.messages_of("SCHEMA", "employments") == []
    assert bool(fails) == (mode == "fail")


def test_error_of_an_unselected_parent_is_reported_for_its_child(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run(personio(lambda request: Response({}, 422)).url, "employments", fails=[])
    assert "its parent stream persons was not read completely. persons: /v2/persons refused" in caplog.text


def test_numeric_ids_become_text_as_the_schema_says(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lambda request: Response({"_data": [{"id": 5}]}))
    output = run(vendor.url, "persons", "employments", "legal_entities")
    assert output.ids() == {"persons": ["5"], "employments": ["5"], "legal_entities": ["5"]}
    assert output.records("employments")[0]["person_id"] == "5"


def test_records_without_their_key_are_counted(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run(personio(lambda request: Response({"_data": [{"id": "1"}, {"name": "x"}]})).url, "workplaces")
    assert "workplaces: 1 records lack a part of their key (id)" in caplog.text


@pytest.mark.parametrize("moment", ["garbage", 17, None])
def test_parent_with_an_unreadable_timestamp_is_read(run: Callable[..., Any], personio: Any, moment: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/recruiting/applications":
            return Response({"_data": [{"id": "1", "updated_at": moment}]})
        return Response({"_data": [{"entered_at": "2026-01-01T00:00:00Z"}]})

    bookmark = {"replication_key": "application_updated_at", "replication_key_value": "2026-03-01T00:00:00Z"}
    state = {"bookmarks": {"recruiting_stage_transitions": bookmark}}
    output = run(personio(respond).url, "recruiting_stage_transitions", state=state)
    assert len(output.records("recruiting_stage_transitions")) == 1


def test_no_url_with_an_id_is_logged_at_any_level(
    run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run(personio(lambda request: Response({"_data": [{"id": "77001"}]})).url, "persons", "employments", "documents")
    assert "77001" not in caplog.text


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_unlicensed_list_is_skipped_by_name(
    run: Callable[..., Any], personio: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Response({"errors": [{"detail": "geheim"}]}, status)
    vendor = personio(
        lambda request: refused if request.path == "/v2/legal-entities" else Response({"_data": [{"id": "1"}]})
    )
    output = run(vendor.url, "legal_entities", "cost_centers")
    assert output.counts() == {"cost_centers": 1}
    assert "legal_entities: the company's plan does not include this stream" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize(
    "refused",
    [
        Response({"errors": [{"title": "Forbidden"}]}, 403),
        Response({"errors": [{"title": "Unauthorized token"}]}, 400),
        Response({"errors": [{"detail": "The endpoint with /v2/persons/1/employments was not found"}]}, 404),
    ],
    ids=["403", "400", "404"],
)
@pytest.mark.parametrize("passes", [1, 0])
def test_person_with_forbidden_employments_stops_no_other_and_is_retried(
    run: Callable[..., Any], personio: Any, refused: Response, passes: int
) -> None:
    asked_before: list[str] = []

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/persons":
            return Response({"_data": [{"id": number} for number in "123"]})
        number = request.path.split("/")[3]
        is_refused = number == "1" and not (passes and request.path in asked_before)
        asked_before.append(request.path)
        return refused if is_refused else Response({"_data": [{"id": f"e{number}"}]})

    output = run(personio(respond).url, "employments")
    assert sorted(output.ids()["employments"]) == (["e1", "e2", "e3"] if passes else ["e2", "e3"])
    assert len(output.messages_of("ACTIVATE_VERSION")) == passes
    assert asked_before.count("/v2/persons/1/employments") == 2


@pytest.mark.parametrize("odd", [None, "x", 7, []], ids=repr)
def test_item_that_is_not_a_record_stops_no_other_and_deletes_no_row(
    run: Callable[..., Any], personio: Any, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"_data": [{"id": "1"}, odd, {"id": "2"}]}
    output = run(personio(lambda request: Response(body)).url, "absence_types")
    assert set(output.ids()["absence_types"]) == {"1", "2"}
    assert not output.messages_of("ACTIVATE_VERSION")
    assert "1 items are missing because the vendor reported an error" in caplog.text
