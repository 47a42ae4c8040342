"""Streams that differ from the others, with bodies in the documented format."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import ReceivedRequest, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def respond_by_path(**bodies: Any) -> Callable[[ReceivedRequest], Response]:
    """Responds to paths (with - for /) by their records; anything else is empty."""
    by_path = {f"/v2/{path.replace('__', '/').replace('_', '-')}": records for path, records in bodies.items()}
    return lambda request: Response({"_data": by_path.get(request.path, []), "data": []})


def long_list(request: ReceivedRequest) -> Response | None:
    """Responds with the first of many pages if a list is requested without a window or a bookmark."""
    is_narrowed = any("." in name or name.endswith("_date") for name in request.query)
    return None if is_narrowed else Response({"_data": [{"id": "x"}], "_meta": {"links": {"next": "?cursor=2"}}})


def make_state(stream: str, key: str, value: str) -> dict[str, Any]:
    return {"bookmarks": {stream: {"replication_key": key, "replication_key_value": value, "version": 1}}}


def test_custom_attribute_details_have_their_own_column(run: Callable[..., Any], personio: Any) -> None:
    attributes = [
        {"id": "dynamic_1", "type": "string", "global_id": "IBAN", "value": "DE98"},
        {"id": "dynamic_1", "value": "again"},
        {"id": None, "value": 1},
        "odd",
    ]
    (record,) = run(
        personio(respond_by_path(persons=[{"id": "1", "custom_attributes": attributes}])).url, "persons"
    ).records("persons")
    assert record["custom_attributes"] == {"dynamic_1": "DE98"}
    assert record["custom_attribute_details"] == {"dynamic_1": {"type": "string", "global_id": "IBAN"}}
    assert record["_extra"] == {"custom_attributes_without_id": attributes[1:]}


@pytest.mark.parametrize("following", [7, ["?cursor=2"], {"href": 7}])
def test_unreadable_next_link_fails_its_stream(
    run: Callable[..., Any], personio: Any, following: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = personio(lambda request: Response({"_data": [], "_meta": {"links": {"next": following}}}))
    run(vendor.url, "absence_types", fails=[])
    assert "the link to the next page cannot be read" in caplog.text


def test_attendances_are_requested_without_a_time_zone(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(respond_by_path())
    run(vendor.url, "attendance_periods", state=make_state("attendance_periods", "updated_at", "2026-03-01T12:00:00Z"))
    assert vendor.queries("/v2/attendance-periods")[0]["updated_at.gte"] == "2026-02-28T12:00:00"


def test_attendances_keep_local_times_and_open_ends(run: Callable[..., Any], personio: Any) -> None:
    running = {"id": "a", "type": "WORK", "start": {"date_time": "2026-03-01T09:00:00"}, "end": None}
    vendor = personio(respond_by_path(attendance_periods=[running]))
    assert run(vendor.url, "attendance_periods").records("attendance_periods") == [running]
    assert len(vendor.queries("/v2/attendance-periods")) == 1


def test_attendances_are_first_read_by_month_and_later_in_one_slice(
    run: Callable[..., Any], personio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("singer_rest.fetch.tasks.MAX_PAGES_WHOLE", 1)
    vendor = personio(
        lambda request: long_list(request) or Response({"_data": [{"id": "a", "updated_at": "2026-03-01T00:00:00Z"}]})
    )
    first = run(vendor.url, "attendance_periods")
    all_at_once, *queries = vendor.queries("/v2/attendance-periods")
    assert all_at_once == {"limit": "100"}
    queries.sort(key=lambda query: query.get("start.date_time.gte", ""))
    assert "start.date_time.gte" not in queries[0]
    assert "start.date_time.lte" not in queries[-1]
    for earlier, later in itertools.pairwise(queries):
        assert earlier["start.date_time.lte"] == later["start.date_time.gte"]
    vendor.requests.clear()
    run(vendor.url, "attendance_periods", state=first.state)
    assert vendor.queries("/v2/attendance-periods") == [{"limit": "100", "updated_at.gte": "2026-02-28T00:00:00"}]


@pytest.mark.parametrize(
    ("stream", "after", "time"),
    [
        ("attendance_periods", "start.date_time.gte", "T00:00:00"),
        ("compensations", "start_date", ""),
    ],
)
def test_interrupted_first_read_resumes_with_the_missing_months(
    run: Callable[..., Any], personio: Any, monkeypatch: pytest.MonkeyPatch, *, stream: str, after: str, time: str
) -> None:
    monkeypatch.setattr("singer_rest.fetch.tasks.MAX_PAGES_WHOLE", 1)
    month = f"{datetime.now(timezone.utc).year - 1}-05-01{time}"
    broken = {month}

    def respond(request: ReceivedRequest) -> Response:
        first = request.query.get(after, "")
        if first in broken:
            return Response({}, 422)
        covers_a_year = first[5:10] == "01-01" and "-01-01" in request.query.get("start.date_time.lte", "")
        return long_list(ReceivedRequest("GET", "", {}, {}, b"") if covers_a_year else request) or Response(
            {"_data": [{"id": first}]}
        )

    vendor = personio(respond)
    fails: list[Exception] = []
    first = run(vendor.url, stream, fails=fails)
    assert f"1 of 1 streams failed: {stream}" in str(fails[0])
    there = set(first.ids()[stream])
    assert month not in there
    assert "replication_key_value" not in first.state["bookmarks"][stream]

    broken.clear()
    vendor.requests.clear()
    second = run(vendor.url, stream, state=first.state)
    asked_for = {query.get(after, "") for query in vendor.queries(f"/v2/{stream.replace('_', '-')}")}
    kept = first.state["bookmarks"][stream]["finished_slices"][1:]
    assert month in asked_for
    assert not any(name.startswith(first_day[:10]) for name in kept for first_day in asked_for if first_day)
    assert set(second.ids()[stream]) | there >= asked_for
    versions = {message["version"] for output in (first, second) for message in output.messages_of("RECORD")}
    assert versions == {message["version"] for message in second.messages_of("ACTIVATE_VERSION")}
    assert second.state["bookmarks"][stream]["finished_slices"] is None


def test_project_members_are_read_for_projects_that_list_them(run: Callable[..., Any], personio: Any) -> None:
    projects = [
        {"id": "1", "assigned_to_all": False, "parent_project": None},
        {"id": "2", "assigned_to_all": True},
        {"id": "3", "assigned_to_all": "1", "parent_project": {"id": "1"}},
        {"id": "4", "assigned_to_all": "true"},
    ]
    vendor = personio(respond_by_path(projects=projects, projects__1__members=[{"person": {"id": "77"}}]))
    output = run(vendor.url, "projects", "project_members")
    assert output.records("project_members") == [{"project_id": "1", "person_id": "77", "person": {"id": "77"}}]
    assert vendor.paths() == {"/v2/auth/token": 1, "/v2/projects": 1, "/v2/projects/1/members": 1}
    assert vendor.queries("/v2/projects")[0]["include"].count(",") == 3


@pytest.mark.parametrize("parent", ["1", ["1"], 7, {"id": None}, {}])
def test_project_parent_of_any_shape_stops_nothing(run: Callable[..., Any], personio: Any, parent: Any) -> None:
    vendor = personio(
        respond_by_path(projects=[{"id": "1", "parent_project": parent}], projects__1__members=[{"person": None}])
    )
    (record,) = run(vendor.url, "project_members").records("project_members")
    assert (record["project_id"], record["person_id"]) == ("1", None)


def test_rows_of_one_day_of_an_absence_are_numbered_across_pages(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/absence-periods":
            return Response({"_data": [{"id": "1"}, {"id": "2"}]})
        if "cursor" in request.query:
            return Response({"_data": [hours("2026-04-02", 1), hours("2026-04-03", 3)]})
        return Response(
            {"_data": [hours("2026-04-01", 4), hours("2026-04-02", 2)], "_meta": {"links": {"next": "?cursor=2"}}}
        )

    def hours(day: str, value: int) -> dict[str, Any]:
        return {"date": day, "effective_duration": {"unit": "HOUR", "value": value}}

    output = run(personio(respond).url, "absence_period_breakdowns", optional_streams=["*"])
    for absence in ("1", "2"):  # both are read at the same time
        own = [row for row in output.records("absence_period_breakdowns") if row["absence_period_id"] == absence]
        assert [(row["date"], row["number"]) for row in own] == [
            ("2026-04-01", 1),
            ("2026-04-02", 1),
            ("2026-04-02", 2),
            ("2026-04-03", 1),
        ]


def test_breakdowns_are_off_unless_named(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(respond_by_path(absence_periods=[{"id": "1"}]))
    run(vendor.url)
    assert "/v2/absence-periods/1/breakdowns" not in vendor.paths()


def test_breakdowns_are_read_for_changed_absences(run: Callable[..., Any], personio: Any) -> None:
    absences = [{"id": str(day), "updated_at": f"2026-03-0{day}T00:00:00Z"} for day in (1, 2, 3)]
    bodies = {f"absence_periods__{day}__breakdowns": [{"date": f"2026-04-0{day}"}] for day in (1, 2, 3)}
    vendor = personio(respond_by_path(absence_periods=absences, **bodies))
    options = {"optional_streams": ["*_breakdowns"]}
    first = run(vendor.url, "absence_period_breakdowns", **options)
    assert sorted(record["date"] for record in first.records("absence_period_breakdowns")) == [
        "2026-04-01",
        "2026-04-02",
        "2026-04-03",
    ]
    assert {query["limit"] for query in vendor.queries("/v2/absence-periods/1/breakdowns")} == {"28"}
    vendor.requests.clear()
    second = run(vendor.url, "absence_period_breakdowns", state=first.state, **options)
    assert second.records("absence_period_breakdowns") == [
        {
            "date": "2026-04-03",
            "number": 1,
            "absence_period_id": "3",
            "absence_period_updated_at": "2026-03-03T00:00:00Z",
        }
    ]
    assert vendor.queries("/v2/absence-periods") == [{"limit": "100", "updated_at.gte": "2026-03-02T23:55:00Z"}]


def test_absences_read_incrementally_serve_breakdowns_with_the_same_bookmark(
    run: Callable[..., Any], personio: Any
) -> None:
    absences = [{"id": "1", "updated_at": "2026-03-01T00:00:00Z"}]
    vendor = personio(
        respond_by_path(absence_periods=absences, absence_periods__1__breakdowns=[{"date": "2026-04-01"}])
    )
    streams = ("absence_periods", "absence_period_breakdowns")
    first = run(vendor.url, *streams, optional_streams=["*"])
    vendor.requests.clear()
    run(vendor.url, *streams, optional_streams=["*"], state=first.state)
    assert len(vendor.queries("/v2/absence-periods")) == 1
    # Breakdowns that are new to the state need all absences, whatever the bookmark of absences is.
    del first.state["bookmarks"]["absence_period_breakdowns"]
    vendor.requests.clear()
    run(vendor.url, *streams, optional_streams=["*"], state=first.state)
    assert {"limit": "100"} in vendor.queries("/v2/absence-periods")


MOMENT = {"date-time": "2026-03-01T10:00:00Z", "timezone": "Europe/Berlin"}


def local_time(text: str, zone: Any) -> dict[str, Any]:
    return {"date-time": text, "timezone": zone}


@pytest.mark.parametrize(
    ("said", "timestamp"),
    [
        (local_time("2026-07-01T10:00:00", "Europe/Berlin"), "2026-07-01T08:00:00Z"),
        ({"date_time": "2026-07-01T10:00:00", "timezone": "Europe/Berlin"}, "2026-07-01T08:00:00Z"),
        ({"dateTime": "2026-07-01 10:00", "timeZone": "America/New_York"}, "2026-07-01T14:00:00Z"),
        (local_time("2026-07-01T10:00:00Z", "Europe/Berlin"), "2026-07-01T10:00:00Z"),
        (local_time("2026-07-01T10:00:00+0530", "Europe/Berlin"), "2026-07-01T04:30:00Z"),
        (local_time("2026-07-01T10:00:00", "+02:00"), "2026-07-01T08:00:00Z"),
        ("2026-07-01T10:00:00+02:00[Europe/Berlin]", "2026-07-01T08:00:00Z"),
        # An hour that comes twice is the first of the two, one that never comes is an hour later.
        (local_time("2026-10-25T02:30:00", "Europe/Berlin"), "2026-10-25T00:30:00Z"),
        (local_time("2026-03-29T02:30:00", "Europe/Berlin"), "2026-03-29T01:30:00Z"),
    ],
)
def test_recruiting_timestamp_is_in_its_zone_unless_it_has_an_offset(
    run: Callable[..., Any], personio: Any, said: Any, timestamp: str, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = personio(respond_by_path(recruiting__applications=[{"id": "1", "created_at": said}]))
    (record,) = run(vendor.url, "recruiting_applications").records("recruiting_applications")
    assert record["created_at"] == timestamp
    assert "taken as UTC" not in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        "2026-07-01T10:00:00",
        local_time("2026-07-01T10:00:00", "Mars/Olympus_Mons"),
        local_time("2026-07-01T10:00:00", None),
        {"date-time": "2026-07-01T10:00:00"},
    ],
)
def test_local_time_in_an_unknown_zone_is_utc_and_logged_once(
    run: Callable[..., Any], personio: Any, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": str(number), "updated_at": said} for number in range(3)]
    output = run(personio(respond_by_path(recruiting__candidates=rows)).url, "recruiting_candidates")
    assert {record["updated_at"] for record in output.records("recruiting_candidates")} == {"2026-07-01T10:00:00Z"}
    assert caplog.text.count("taken as UTC") == 1


def test_other_properties_of_a_timestamp_object_are_kept(run: Callable[..., Any], personio: Any) -> None:
    said = {"date-time": "2026-07-01T10:00:00Z", "timezone": "UTC", "precision": 3}
    vendor = personio(respond_by_path(recruiting__jobs=[{"id": "1", "created_at": said, "updated_at": {"seconds": 7}}]))
    (record,) = run(vendor.url, "recruiting_jobs").records("recruiting_jobs")
    assert record["created_at"] == "2026-07-01T10:00:00Z"
    assert record["_extra"]["created_at_details"] == {"precision": 3}
    assert '"seconds":7' in str(record).replace("'", '"').replace(" ", "")


@pytest.mark.parametrize("stream", ["applications", "candidates", "jobs"])
def test_recruiting_timestamps_are_flattened_and_used_as_replication_key(
    run: Callable[..., Any], personio: Any, stream: str
) -> None:
    row = {"id": "1", "created_at": "2026-01-01T00:00:00Z", "updated_at": MOMENT}
    vendor = personio(respond_by_path(**{f"recruiting__{stream}": [row]}))
    first = run(vendor.url, f"recruiting_{stream}")
    assert first.records(f"recruiting_{stream}") == [
        {
            "id": "1",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-03-01T10:00:00Z",
            "updated_at_timezone": "Europe/Berlin",
        }
    ]
    vendor.requests.clear()
    run(vendor.url, f"recruiting_{stream}", state=first.state)
    query = vendor.queries(f"/v2/recruiting/{stream}")[0]
    assert query == {"limit": "200", "updated_at.gt": "2026-03-01T09:54:59Z"}


def test_transitions_are_read_for_changed_applications(run: Callable[..., Any], personio: Any) -> None:
    applications = [{"id": "old", "updated_at": "2026-01-01T00:00:00Z"}, {"id": "new", "updated_at": MOMENT}]
    transitions = {"recruiting__applications__new__stage_transitions": [{"entered_at": MOMENT, "stage": {"id": None}}]}
    vendor = personio(respond_by_path(recruiting__applications=applications, **transitions))
    first = run(vendor.url, "recruiting_stage_transitions")
    assert first.records("recruiting_stage_transitions") == [
        {
            "application_id": "new",
            "application_updated_at": "2026-03-01T10:00:00Z",
            "entered_at": "2026-03-01T10:00:00Z",
            "entered_at_timezone": "Europe/Berlin",
            "stage": {"id": None},
        }
    ]
    vendor.requests.clear()
    run(vendor.url, "recruiting_stage_transitions", state=first.state)
    assert "/v2/recruiting/applications/old/stage-transitions" not in vendor.paths()
    assert "/v2/recruiting/applications/new/stage-transitions" in vendor.paths()


def test_documents_are_requested_by_owner_and_later_by_day(run: Callable[..., Any], personio: Any) -> None:
    documents = [{"id": "d", "created_at": "2026-03-01T10:00:00Z", "owner": {"id": "1"}}]
    vendor = personio(respond_by_path(persons=[{"id": "1"}], document_management__documents=documents))
    first = run(vendor.url, "documents")
    assert first.records("documents") == [{**documents[0], "owner_id": "1"}]
    run(vendor.url, "documents", state=first.state)
    assert vendor.queries("/v2/document-management/documents") == [
        {"limit": "200", "owner_id": "1"},
        {"limit": "200", "owner_id": "1", "created_at.gte": "2026-02-28"},
    ]


def report_page(rows: list[Any], cursor: str | None = None) -> dict[str, Any]:
    columns = [{"name": name, "type": "x"} for name in ("Name", "Days", "Tags")]
    links = {"next": {"href": f"?cursor={cursor}&locale=en"}} if cursor else None
    return {"report_config": {}, "_meta": {"columns": columns, "links": links}, "_data": rows}


def make_cells(name: str, days: float) -> list[dict[str, Any]]:
    return [
        {"attribute_id": "a", "string_value": {"value": name}},
        {"attribute_id": "b", "numeric_value": {"number": days}},
        {"attribute_id": "c", "options_value": {"options": [{"key": "k", "value": "x"}, {"key": "l", "value": "y"}]}},
        {"attribute_id": "d", "monetary_value": {"amount": 1, "currency": "EUR"}},
    ]


def test_report_rows_are_numbered_and_keyed_by_column_name(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/reports":
            return Response({"_data": [{"id": "r"}, {"id": "grouped"}, {"id": "s"}]})
        if request.path == "/v2/reports/grouped":
            return Response({"errors": [{"detail": "Unsupported nested type: null"}]}, 400)
        if "cursor" in request.query:
            return Response(report_page([make_cells("Ünï", 3)]))
        return Response(
            report_page([make_cells("Ada", 1.5), make_cells("Bob", 2)], "2" if request.path.endswith("r") else None)
        )

    vendor = personio(respond)
    rows = sorted(run(vendor.url, "report_rows").records("report_rows"), key=lambda row: row["report_id"])
    assert [(row["report_id"], row["row_number"]) for row in rows] == [
        ("r", 1),
        ("r", 2),
        ("r", 3),
        ("s", 1),
        ("s", 2),
    ]
    assert rows[0]["values"] == {
        "Name": "Ada",
        "Days": 1.5,
        "Tags": [{"key": "k", "value": "x"}, {"key": "l", "value": "y"}],
        "d": {"monetary_value": {"amount": 1, "currency": "EUR"}},
    }
    assert vendor.queries("/v2/reports/r") == [{"limit": "1000"}, {"cursor": "2"}]


ODD_CELLS = [
    ({"attribute_id": "a", "monetary_value": {"value": 100, "currency": "EUR"}}, None),
    ({"attribute_id": "a", "boolean_value": True}, None),
    ({"attribute_id": "a", "string": "x"}, None),
    ({"attribute_id": "a", "percentage_value": {"number": 0.5}}, 0.5),
    ({"attribute_id": "a", "string_value": None}, "nothing"),
    ({"attribute_id": "a"}, "nothing"),
    (None, "nothing"),
    ("bare", "bare"),
]


@pytest.mark.parametrize(("cell", "value"), ODD_CELLS, ids=range(len(ODD_CELLS)))
def test_cell_of_a_new_kind_or_with_more_properties_is_kept_unchanged(
    run: Callable[..., Any], personio: Any, cell: Any, value: Any
) -> None:
    if value is None:
        value = {name: content for name, content in cell.items() if name != "attribute_id"}
    body = {"_meta": {"columns": [{"name": "Name"}], "links": None}, "_data": [[cell]]}
    vendor = personio(lambda request: Response({"_data": [{"id": "r"}]} if request.path == "/v2/reports" else body))
    (row,) = run(vendor.url, "report_rows").records("report_rows")
    assert row["values"] == {"Name": None if value == "nothing" else value}


def test_columns_with_the_same_name_are_numbered_on_every_page(run: Callable[..., Any], personio: Any) -> None:
    names = [{"name": "Tage"}, {"name": "Tage"}, {"type": "x"}]

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/reports":
            return Response({"_data": [{"id": "r"}]})
        links = None if "cursor" in request.query else {"next": "?cursor=2"}
        meta = {"links": links} if "cursor" in request.query else {"columns": names, "links": links}
        return Response({"_meta": meta, "_data": [[1, 2, 3, 4]]})

    rows = run(personio(respond).url, "report_rows").records("report_rows")
    assert [row["values"] for row in rows] == [{"Tage": 1, "Tage_2": 2, "column_3": 3, "column_4": 4}] * 2


def test_grouped_report_is_named(run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture) -> None:
    refused = Response({"errors": [{"detail": "Unsupported nested type: null"}]}, 400)
    run(
        personio(lambda request: Response({"_data": [{"id": "r9"}]}) if request.path == "/v2/reports" else refused).url,
        "report_rows",
    )
    assert "report_rows: report r9 is grouped or a chart and has no rows." in caplog.text
    assert "API access" in caplog.text


UNREADABLE = [
    Response({"error": {"message": "Array contains no element matching the predicate."}}, 400),
    Response({"errors": [{"status": "400", "title": "Bad Request", "detail": "Report with r2 not found."}]}, 400),
    Response({"errors": [{"title": "geheim"}]}, 422),
    Response({"errors": [{"title": "Forbidden"}]}, 403),
    Response({"errors": [{"title": "Resource not found"}]}, 404),
]


@pytest.mark.parametrize("refused", UNREADABLE, ids=["no element", "not found", "422", "403", "404"])
def test_unreadable_report_is_named_keeps_its_rows_and_stops_no_other(
    run: Callable[..., Any], personio: Any, refused: Response, caplog: pytest.LogCaptureFixture
) -> None:
    readable = {"r1", "r2", "r3"}

    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/reports":
            return Response({"_data": [{"id": name} for name in ("r1", "r2", "r3")]})
        is_readable = request.path.rpartition("/")[2] in readable
        return Response(report_page([make_cells("Ada", 1)])) if is_readable else refused

    vendor = personio(respond)
    first = run(vendor.url, "report_rows")
    assert len(first.messages_of("ACTIVATE_VERSION")) == 1
    readable.remove("r2")
    second = run(vendor.url, "report_rows", state=first.state)
    assert {row["report_id"] for row in second.records("report_rows")} == {"r1", "r3"}
    assert second.messages_of("ACTIVATE_VERSION") == []
    assert re.search(r"report_rows: .* of the reports.*no row is marked as deleted in this run.*: r2\.", caplog.text)
    assert "start_date" not in caplog.text
    assert "geheim" not in caplog.text


def test_report_temporarily_not_found_is_read_in_the_end(run: Callable[..., Any], personio: Any) -> None:
    answers = [
        Response({"errors": [{"title": "Resource not found"}]}, 404),
        Response(report_page([make_cells("Ada", 1)])),
    ]
    vendor = personio(
        lambda request: Response({"_data": [{"id": "r1"}]}) if request.path == "/v2/reports" else answers.pop(0)
    )
    output = run(vendor.url, "report_rows")
    assert len(output.records("report_rows")) == 1
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("columns", [{"name": "x"}, "x", [None, 7, ["x"]], None])
def test_report_columns_and_rows_of_any_shape_lose_nothing(
    run: Callable[..., Any], personio: Any, columns: Any
) -> None:
    body = {"_meta": {"columns": columns, "links": None}, "_data": [[1, 2], None, {"a": 1}]}
    vendor = personio(lambda request: Response({"_data": [{"id": "r"}]} if request.path == "/v2/reports" else body))
    rows = run(vendor.url, "report_rows").records("report_rows")
    assert [row["values"] for row in rows] == [
        {"column_1": 1, "column_2": 2},
        {"column_1": None},
        {"column_1": {"a": 1}},
    ]


def test_status_400_means_a_missing_permission_for_reports(run: Callable[..., Any], personio: Any) -> None:
    fails: list[Exception] = []
    run(
        personio(lambda request: Response({"errors": [{"title": "Unauthorized token"}]}, 400)).url,
        "reports",
        fails=fails,
    )
    assert "Nothing could be read" in str(fails[0])


@pytest.mark.parametrize(("stream", "key"), [("events", "occurred_at"), ("activity", "completed_at")])
def test_rows_that_the_api_drops_are_not_deleted(run: Callable[..., Any], personio: Any, stream: str, key: str) -> None:
    rows = [{"id": "e", key: "2026-03-01T10:00:00Z"}]
    vendor = personio(respond_by_path(webhooks=[{"id": "w"}], **{f"webhooks__w__{stream}": rows}))
    name = f"webhook_{stream}"
    first = run(vendor.url, name)
    assert first.records(name) == [{**rows[0], "webhook_id": "w"}]
    assert first.messages_of("ACTIVATE_VERSION") == []
    assert all("version" not in message for message in first.messages_of("RECORD"))
    run(vendor.url, name, state=first.state)
    assert vendor.queries(f"/v2/webhooks/w/{stream}")[1][f"{key}.gte"] == "2026-03-01T09:55:00Z"


def test_attribute_without_an_id_is_identified_by_its_name(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(respond_by_path(reports__attributes=[{"name": "first_name"}, {"id": "7", "name": "x"}]))
    assert [row["id"] for row in run(vendor.url, "report_attributes").records("report_attributes")] == [
        "first_name",
        "7",
    ]


def test_company_defined_names_are_not_treated_as_secrets(run: Callable[..., Any], personio: Any) -> None:
    person = {"id": "1", "custom_attributes": [{"id": "token", "value": "blue", "label": "Key fob token"}]}
    report = {"_data": [["yes"]], "_meta": {"columns": [{"name": "Access token"}]}}
    others = respond_by_path(persons=[person], reports=[{"id": "r"}])
    vendor = personio(lambda request: Response(report) if request.path == "/v2/reports/r" else others(request))
    output = run(vendor.url, "persons", "report_rows")
    assert [row["values"] for row in output.records("report_rows")] == [{"Access token": "yes"}]
    (record,) = output.records("persons")
    assert record["custom_attributes"] == {"token": "blue"}
    assert record["custom_attribute_details"] == {"token": {"label": "Key fob token"}}


SPELLINGS = """
    token Token authToken auth_token custom_headers customHeaders Custom-Headers CUSTOM_HEADERS customheaders
    custom_header http_headers auth_header authorization Authorization bearer_token secret signingSecret challenge
    webhookChallenge
"""


@pytest.mark.parametrize("way", ["whole pages", "single records", "batch files"])
def test_webhook_secrets_are_never_emitted(
    run: Callable[..., Any], personio: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    secrets = {name: {"X-Key": "geheim"} if "eader" in name else "geheim" for name in SPELLINGS.split()}
    shown = {"id": "w", "description": "Payroll", "auth_type": "BEARER", "url": "https://x.example/hook"}
    delivery = {"id": "a", "data": {"request": {"headers": {"Authorization": "geheim"}, **secrets}}, **secrets}
    body = {**shown, **secrets, "auth": {"type": "TOKEN", **secrets}, "list": [secrets]}
    vendor = personio(
        respond_by_path(
            webhooks=[body], webhooks__w__activity=[delivery], webhooks__w__events=[{**delivery, "id": "e"}]
        )
    )
    batches = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": tmp_path.as_uri()}}
    streams = ("webhooks", "webhook_activity", "webhook_events")
    config = {
        "whole pages": {},
        "single records": {"stream_maps": {name: {"copy": "id"} for name in streams}},
        "batch files": {"batch_config": {**batches, "batch_size": 10}},
    }[way]
    output = run(vendor.url, *streams, **config)
    files = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    written = "".join([output.raw.decode(), caplog.text, *files])
    assert "https://x.example/hook" in written
    assert '"TOKEN"' in written
    assert "geheim" not in written


@pytest.mark.parametrize("word", ["false", "0", "", 0, None], ids=repr)
def test_flag_of_any_form_hides_no_project_members(run: Callable[..., Any], personio: Any, word: Any) -> None:
    members = [{"person": {"id": "77"}}]
    vendor = personio(respond_by_path(projects=[{"id": "1", "assigned_to_all": word}], projects__1__members=members))
    assert run(vendor.url, "project_members").counts() == {"project_members": 1}


def test_report_rows_continue_if_the_link_has_no_cursor(run: Callable[..., Any], personio: Any) -> None:
    def respond(request: ReceivedRequest) -> Response:
        if request.path == "/v2/reports":
            return Response({"_data": [{"id": "r"}]})
        if request.query.get("offset") == "1":
            return Response({"_data": [["b"]]})
        links = {"next": {"href": "/v2/reports/r?offset=1"}}
        return Response({"_data": [["a"]], "_meta": {"columns": [{"name": "N"}], "links": links}})

    records = run(personio(respond).url, "report_rows").records("report_rows")
    assert [(record["row_number"], record["values"]) for record in records] == [(1, {"N": "a"}), (2, {"N": "b"})]
