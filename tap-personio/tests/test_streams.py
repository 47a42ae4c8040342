"""The odd streams, each by what makes it odd, over bodies in the documented shapes."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable


def lists(**bodies: Any) -> Callable[[Asked], Answer]:
    """Answer paths (with - for /) by their records; anything else is empty."""
    by_path = {f"/v2/{path.replace('__', '/').replace('_', '-')}": records for path, records in bodies.items()}
    return lambda asked: Answer({"_data": by_path.get(asked.path, []), "data": []})


def state(stream: str, key: str, value: str) -> dict[str, Any]:
    return {"bookmarks": {stream: {"replication_key": key, "replication_key_value": value, "version": 1}}}


def test_what_is_known_of_custom_attributes_stands_beside_their_values_and_odd_ones_are_kept(
    run: Callable[..., Any], personio: Any
) -> None:
    attributes = [
        {"id": "dynamic_1", "type": "string", "global_id": "IBAN", "value": "DE98"},
        {"id": "dynamic_1", "value": "again"},
        {"id": None, "value": 1},
        "odd",
    ]
    (record,) = run(personio(lists(persons=[{"id": "1", "custom_attributes": attributes}])).url, "persons").records(
        "persons"
    )
    assert record["custom_attributes"] == {"dynamic_1": "DE98"}
    assert record["custom_attribute_details"] == {"dynamic_1": {"type": "string", "global_id": "IBAN"}}
    assert record["_extra"] == {"custom_attributes_without_id": attributes[1:]}


@pytest.mark.parametrize("following", [7, ["?cursor=2"], {"href": 7}])
def test_a_link_to_the_next_page_that_cannot_be_read_fails_its_stream(
    run: Callable[..., Any], personio: Any, following: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = personio(lambda asked: Answer({"_data": [], "_meta": {"links": {"next": following}}}))
    run(vendor.url, "absence_types", fails=[])
    assert "the link to the next page cannot be read" in caplog.text


def test_attendances_are_asked_for_without_a_zone(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lists())
    run(vendor.url, "attendance_periods", state=state("attendance_periods", "updated_at", "2026-03-01T12:00:00Z"))
    assert vendor.queries("/v2/attendance-periods")[0]["updated_at.gte"] == "2026-02-28T12:00:00"


def test_attendances_keep_their_local_times_and_open_ends(run: Callable[..., Any], personio: Any) -> None:
    running = {"id": "a", "type": "WORK", "start": {"date_time": "2026-03-01T09:00:00"}, "end": None}
    march = "2026-03-01T00:00:00"
    vendor = personio(
        lambda asked: Answer({"_data": [running] if asked.query.get("start.date_time.gte") == march else []})
    )
    assert run(vendor.url, "attendance_periods").records("attendance_periods") == [running]


def test_attendances_are_read_by_month_at_first_with_all_that_lies_before_and_after_and_in_one_piece_later(
    run: Callable[..., Any], personio: Any
) -> None:
    vendor = personio(lists(attendance_periods=[{"id": "a", "updated_at": "2026-03-01T00:00:00Z"}]))
    first = run(vendor.url, "attendance_periods")
    queries = sorted(vendor.queries("/v2/attendance-periods"), key=lambda query: query.get("start.date_time.gte", ""))
    assert "start.date_time.gte" not in queries[0]
    assert "start.date_time.lte" not in queries[-1]
    for earlier, later in itertools.pairwise(queries):
        assert earlier["start.date_time.lte"] == later["start.date_time.gte"]
    vendor.asked.clear()
    run(vendor.url, "attendance_periods", state=first.state)
    assert vendor.queries("/v2/attendance-periods") == [{"limit": "100", "updated_at.gte": "2026-02-28T00:00:00"}]


@pytest.mark.parametrize(
    ("stream", "after", "time"),
    [
        ("attendance_periods", "start.date_time.gte", "T00:00:00"),
        ("compensations", "start_date", ""),
    ],
)
def test_a_first_read_that_is_interrupted_goes_on_with_the_months_that_are_missing(
    run: Callable[..., Any], personio: Any, stream: str, after: str, time: str
) -> None:
    month = f"{datetime.now(timezone.utc).year - 1}-05-01{time}"
    broken = {month}

    def answer(asked: Asked) -> Answer:
        first = asked.query.get(after, "")
        return Answer({}, 422) if first in broken else Answer({"_data": [{"id": first}]})

    vendor = personio(answer)
    fails: list[Exception] = []
    first = run(vendor.url, stream, fails=fails)
    assert f"1 of 1 streams failed: {stream}" in str(fails[0])
    there = set(first.ids()[stream])
    assert max(there) < month
    assert "replication_key_value" not in first.state["bookmarks"][stream]

    broken.clear()
    vendor.asked.clear()
    second = run(vendor.url, stream, state=first.state)
    asked_for = {query.get(after, "") for query in vendor.queries(f"/v2/{stream.replace('_', '-')}")}
    assert min(asked_for) == month
    assert set(second.ids()[stream]) == asked_for
    versions = {message["version"] for output in (first, second) for message in output.of("RECORD")}
    assert versions == {message["version"] for message in second.of("ACTIVATE_VERSION")}
    assert second.state["bookmarks"][stream]["finished_slices"] is None


def test_members_are_read_of_projects_that_have_a_list_of_their_own(run: Callable[..., Any], personio: Any) -> None:
    projects = [
        {"id": "1", "assigned_to_all": False, "parent_project": None},
        {"id": "2", "assigned_to_all": True},
        {"id": "3", "assigned_to_all": False, "parent_project": {"id": "1"}},
    ]
    vendor = personio(lists(projects=projects, projects__1__members=[{"id": "77"}]))
    output = run(vendor.url, "projects", "project_members")
    assert output.records("project_members") == [{"id": "77", "project_id": "1"}]
    assert vendor.paths() == {"/v2/auth/token": 1, "/v2/projects": 1, "/v2/projects/1/members": 1}
    assert vendor.queries("/v2/projects")[0]["include"].count(",") == 3


def test_breakdowns_are_off_until_they_are_named(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lists(absence_periods=[{"id": "1"}]))
    run(vendor.url)
    assert "/v2/absence-periods/1/breakdowns" not in vendor.paths()


def test_breakdowns_are_read_of_absences_that_changed(run: Callable[..., Any], personio: Any) -> None:
    absences = [{"id": str(day), "updated_at": f"2026-03-0{day}T00:00:00Z"} for day in (1, 2, 3)]
    bodies = {f"absence_periods__{day}__breakdowns": [{"date": f"2026-04-0{day}"}] for day in (1, 2, 3)}
    vendor = personio(lists(absence_periods=absences, **bodies))
    options = {"optional_streams": ["*_breakdowns"]}
    first = run(vendor.url, "absence_period_breakdowns", **options)
    assert [record["date"] for record in first.records("absence_period_breakdowns")] == [
        "2026-04-01",
        "2026-04-02",
        "2026-04-03",
    ]
    assert {query["limit"] for query in vendor.queries("/v2/absence-periods/1/breakdowns")} == {"28"}
    vendor.asked.clear()
    second = run(vendor.url, "absence_period_breakdowns", state=first.state, **options)
    assert second.records("absence_period_breakdowns") == [
        {"date": "2026-04-03", "absence_period_id": "3", "absence_period_updated_at": "2026-03-03T00:00:00Z"}
    ]
    assert vendor.queries("/v2/absence-periods") == [{"limit": "100", "updated_at.gte": "2026-03-02T23:55:00Z"}]


def test_an_absences_own_narrowed_run_serves_breakdowns_that_stand_where_it_stands(
    run: Callable[..., Any], personio: Any
) -> None:
    absences = [{"id": "1", "updated_at": "2026-03-01T00:00:00Z"}]
    vendor = personio(lists(absence_periods=absences, absence_periods__1__breakdowns=[{"date": "2026-04-01"}]))
    streams = ("absence_periods", "absence_period_breakdowns")
    first = run(vendor.url, *streams, optional_streams=["*"])
    vendor.asked.clear()
    run(vendor.url, *streams, optional_streams=["*"], state=first.state)
    assert len(vendor.queries("/v2/absence-periods")) == 1
    # Breakdowns that are new to the state need all absences, whatever the bookmark of absences is.
    del first.state["bookmarks"]["absence_period_breakdowns"]
    vendor.asked.clear()
    run(vendor.url, *streams, optional_streams=["*"], state=first.state)
    assert {"limit": "100"} in vendor.queries("/v2/absence-periods")


MOMENT = {"date-time": "2026-03-01T10:00:00Z", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize("stream", ["applications", "candidates", "jobs"])
def test_moments_of_recruiting_are_flattened_and_serve_as_replication_key(
    run: Callable[..., Any], personio: Any, stream: str
) -> None:
    row = {"id": "1", "created_at": "2026-01-01T00:00:00Z", "updated_at": MOMENT}
    vendor = personio(lists(**{f"recruiting__{stream}": [row]}))
    first = run(vendor.url, f"recruiting_{stream}")
    assert first.records(f"recruiting_{stream}") == [
        {
            "id": "1",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-03-01T10:00:00Z",
            "updated_at_timezone": "Europe/Berlin",
        }
    ]
    vendor.asked.clear()
    run(vendor.url, f"recruiting_{stream}", state=first.state)
    query = vendor.queries(f"/v2/recruiting/{stream}")[0]
    assert query == {"limit": "200", "updated_at.gt": "2026-03-01T09:54:59Z"}


def test_transitions_are_read_of_applications_that_changed(run: Callable[..., Any], personio: Any) -> None:
    applications = [{"id": "old", "updated_at": "2026-01-01T00:00:00Z"}, {"id": "new", "updated_at": MOMENT}]
    transitions = {"recruiting__applications__new__stage_transitions": [{"entered_at": MOMENT, "stage": {"id": None}}]}
    vendor = personio(lists(recruiting__applications=applications, **transitions))
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
    vendor.asked.clear()
    run(vendor.url, "recruiting_stage_transitions", state=first.state)
    assert "/v2/recruiting/applications/old/stage-transitions" not in vendor.paths()
    assert "/v2/recruiting/applications/new/stage-transitions" in vendor.paths()


def test_documents_are_asked_for_by_owner_and_later_by_day(run: Callable[..., Any], personio: Any) -> None:
    documents = [{"id": "d", "created_at": "2026-03-01T10:00:00Z", "owner": {"id": "1"}}]
    vendor = personio(lists(persons=[{"id": "1"}], document_management__documents=documents))
    first = run(vendor.url, "documents")
    assert first.records("documents") == [{**documents[0], "owner_id": "1"}]
    run(vendor.url, "documents", state=first.state)
    assert vendor.queries("/v2/document-management/documents") == [
        {"limit": "200", "owner_id": "1"},
        {"limit": "200", "owner_id": "1", "created_at.gte": "2026-02-28"},
    ]


def report(rows: list[Any], cursor: str | None = None) -> dict[str, Any]:
    columns = [{"name": name, "type": "x"} for name in ("Name", "Days", "Tags")]
    links = {"next": {"href": f"?cursor={cursor}&locale=en"}} if cursor else None
    return {"report_config": {}, "_meta": {"columns": columns, "links": links}, "_data": rows}


def cells(name: str, days: float) -> list[dict[str, Any]]:
    return [
        {"attribute_id": "a", "string_value": {"value": name}},
        {"attribute_id": "b", "numeric_value": {"number": days}},
        {"attribute_id": "c", "options_value": {"options": [{"key": "k", "value": "x"}, {"key": "l", "value": "y"}]}},
        {"attribute_id": "d", "monetary_value": {"amount": 1, "currency": "EUR"}},
    ]


def test_rows_of_reports_are_numbered_and_named_by_column_and_a_cursor_goes_alone(
    run: Callable[..., Any], personio: Any
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/v2/reports":
            return Answer({"_data": [{"id": "r"}, {"id": "grouped"}, {"id": "s"}]})
        if asked.path == "/v2/reports/grouped":
            return Answer({"errors": [{"detail": "Unsupported nested type: null"}]}, 400)
        if "cursor" in asked.query:
            return Answer(report([cells("Ünï", 3)]))
        return Answer(report([cells("Ada", 1.5), cells("Bob", 2)], "2" if asked.path.endswith("r") else None))

    vendor = personio(answer)
    rows = run(vendor.url, "report_rows").records("report_rows")
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
def test_a_cell_of_a_kind_that_is_new_or_holds_more_is_kept_as_it_was_sent(
    run: Callable[..., Any], personio: Any, cell: Any, value: Any
) -> None:
    if value is None:
        value = {name: content for name, content in cell.items() if name != "attribute_id"}
    body = {"_meta": {"columns": [{"name": "Name"}], "links": None}, "_data": [[cell]]}
    vendor = personio(lambda asked: Answer({"_data": [{"id": "r"}]} if asked.path == "/v2/reports" else body))
    (row,) = run(vendor.url, "report_rows").records("report_rows")
    assert row["values"] == {"Name": None if value == "nothing" else value}


def test_columns_with_the_same_name_are_numbered_and_pages_without_columns_have_those_of_the_first(
    run: Callable[..., Any], personio: Any
) -> None:
    names = [{"name": "Tage"}, {"name": "Tage"}, {"type": "x"}]

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v2/reports":
            return Answer({"_data": [{"id": "r"}]})
        links = None if "cursor" in asked.query else {"next": "?cursor=2"}
        meta = {"links": links} if "cursor" in asked.query else {"columns": names, "links": links}
        return Answer({"_meta": meta, "_data": [[1, 2, 3, 4]]})

    rows = run(personio(answer).url, "report_rows").records("report_rows")
    assert [row["values"] for row in rows] == [{"Tage": 1, "Tage_2": 2, "column_3": 3, "column_4": 4}] * 2


def test_a_grouped_report_is_named(run: Callable[..., Any], personio: Any, caplog: pytest.LogCaptureFixture) -> None:
    refused = Answer({"errors": [{"detail": "Unsupported nested type: null"}]}, 400)
    run(
        personio(lambda asked: Answer({"_data": [{"id": "r9"}]}) if asked.path == "/v2/reports" else refused).url,
        "report_rows",
    )
    assert caplog.text.count("report r9 is grouped") == 1


def test_the_right_to_reports_is_missing_with_a_400(run: Callable[..., Any], personio: Any) -> None:
    fails: list[Exception] = []
    run(personio(lambda asked: Answer({"errors": [{"title": "Unauthorized token"}]}, 400)).url, "reports", fails=fails)
    assert "Nothing could be read" in str(fails[0])


@pytest.mark.parametrize(("stream", "key"), [("events", "occurred_at"), ("activity", "completed_at")])
def test_what_the_api_forgets_is_not_taken_for_deleted(
    run: Callable[..., Any], personio: Any, stream: str, key: str
) -> None:
    rows = [{"id": "e", key: "2026-03-01T10:00:00Z"}]
    vendor = personio(lists(webhooks=[{"id": "w"}], **{f"webhooks__w__{stream}": rows}))
    name = f"webhook_{stream}"
    first = run(vendor.url, name)
    assert first.records(name) == [{**rows[0], "webhook_id": "w"}]
    assert first.of("ACTIVATE_VERSION") == []
    assert all("version" not in message for message in first.of("RECORD"))
    run(vendor.url, name, state=first.state)
    assert vendor.queries(f"/v2/webhooks/w/{stream}")[1][f"{key}.gte"] == "2026-03-01T09:55:00Z"


def test_an_attribute_without_an_id_is_known_by_its_name(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(lists(reports__attributes=[{"name": "first_name"}, {"id": "7", "name": "x"}]))
    assert [row["id"] for row in run(vendor.url, "report_attributes").records("report_attributes")] == [
        "first_name",
        "7",
    ]
