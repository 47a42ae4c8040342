"""Both OData services: all views and objects, and all errors."""

from __future__ import annotations

from typing import Any

import pytest
from hr_sandbox.cornerstone.tables import EXPORTER, REPORTING, TOUCHED, list_entity_sets, load_entity_sets
from hr_sandbox.cornerstone.timestamps import format_timestamp, parse_timestamp

OBJECTS, VIEWS = "/services/api/x/dataexporter/api/objects", "/services/api/x/odata/api/views"
SKIP, TOP, FILTER, COUNT, ORDER, SELECT = "$skip", "$top", "$filter", "$count", "$orderby", "$select"


def test_all_known_tables_are_served() -> None:
    assert (len(list_entity_sets(REPORTING)), len(list_entity_sets(EXPORTER))) == (235, 140)


@pytest.mark.parametrize("service", [REPORTING, EXPORTER])
def test_every_table_is_read_in_full(cornerstone: Any, service: str) -> None:
    for table in list_entity_sets(service):
        rows = cornerstone.rows(table.name, prefer="odata.maxpagesize=900")
        assert len(rows) == cornerstone.vendor.count_rows(table.name, None, None)
        assert rows == cornerstone.vendor.list_records(table.name, None, None, ""), table.name
        if table.key:
            assert len({tuple(row[name] for name in table.key) for row in rows}) == len(rows)


def test_some_tables_are_empty_some_have_pages_and_some_have_identical_rows(cornerstone: Any) -> None:
    counts = {name: cornerstone.vendor.count_rows(name, None, None) for name in load_entity_sets()}
    assert counts["vw_rpt_nasd"] == 0
    assert sum(count > 1000 for count in counts.values()) >= 5
    keyless = [table.name for table in list_entity_sets(REPORTING) if not table.key]
    alike = 0
    for name in keyless:
        rows = cornerstone.rows(name, prefer="odata.maxpagesize=10000")
        alike += len(rows) - len({tuple(row.values()) for row in rows})
    assert alike > 5


def test_service_documents_list_the_entity_sets(cornerstone: Any) -> None:
    for root, name in ((OBJECTS, "users_core"), (VIEWS, "vw_rpt_user")):
        _, body = cornerstone.get(root)
        assert {"name": name, "kind": "EntitySet", "url": name} in body["value"]
        assert body["@odata.context"] == f"{cornerstone.root}{root}/$metadata"


def test_values_have_the_types_of_their_columns(cornerstone: Any) -> None:
    kinds = {
        "Edm.Int32": int,
        "Edm.Int64": int,
        "Edm.Byte": int,
        "Edm.Boolean": bool,
        "Edm.String": str,
        "Edm.Guid": str,
        "Edm.DateTimeOffset": str,
    }
    for table in load_entity_sets().values():
        for row in cornerstone.vendor.list_records(table.name, None, None, "")[:20]:
            for name, column in table.columns.items():
                value = row[name]
                assert value is None or type(value) is kinds.get(column.type, type(value)), (table.name, name, value)
                assert value is not None or name not in {*table.key, TOUCHED}
                if column.type == "Edm.DateTimeOffset" and value is not None:
                    assert value.endswith("+00:00" if table.service == EXPORTER else "Z")
                    assert parse_timestamp(value) is not None
                if isinstance(value, str) and column.is_padded:
                    assert len(value) == column.max_length


def test_timestamps_have_seven_digits() -> None:
    for text in ("2019-03-14T17:07:16.0033333Z", "2019-03-14T17:07:16Z", "1969-12-31T23:59:59.9999999Z"):
        ticks = parse_timestamp(text)
        assert ticks is not None
        assert format_timestamp(ticks) == text
    assert parse_timestamp("2019-03-14T19:07:16+02:00") == parse_timestamp("2019-03-14T17:07:16Z")
    assert parse_timestamp("2019-13-14T19:07:16Z") is None


def test_most_timestamps_are_the_same(cornerstone: Any) -> None:
    stamps = [row[TOUCHED] for row in cornerstone.rows("user_ou_core")]
    assert max(map(stamps.count, set(stamps))) > len(stamps) / 2


def test_relations_are_consistent(cornerstone: Any) -> None:
    users = {row["user_id"]: row for row in cornerstone.rows("users_core")}
    units = {row["ou_id"] for row in cornerstone.rows("ou_core")}
    trainings = {row["object_id"] for row in cornerstone.rows("training_core")}
    types = {row["object_type"].rstrip() for row in cornerstone.rows("training_type_core")}
    assert min(users) < 0
    assert {row["user_mgr_id"] for row in users.values()} - {None} <= users.keys()
    assert {row["ou_id"] for row in cornerstone.rows("user_ou_core")} <= units
    assert {row["parent_id"] for row in cornerstone.rows("ou_core")} - {None} <= units
    assert {row["lo_object_type"] for row in cornerstone.rows("training_core")} <= types
    for row in cornerstone.rows("transcript_core"):
        assert row["transc_user_id"] in users
        assert row["transc_object_id"] in trainings
    view = {row["user_id"]: row for row in cornerstone.rows("vw_rpt_user")}
    assert {key: row["user_email"] for key, row in view.items()} == {
        key: row["user_email"] for key, row in users.items()
    }
    assert isinstance(cornerstone.rows("vw_rpt_transcript")[0]["is_latest_reg_num"], int)


# Pages


def test_each_request_sets_the_page_size(cornerstone: Any) -> None:
    _, first = cornerstone.get("user_ou_core", prefer="odata.maxpagesize=7")
    assert len(first["value"]) == 7
    _, second = cornerstone.get(first["@odata.nextLink"], prefer="odata.maxpagesize=3")
    assert len(second["value"]) == 3
    _, third = cornerstone.get(second["@odata.nextLink"])
    assert len(third["value"]) == 1000 or "@odata.nextLink" not in third
    assert first["value"] + second["value"] == cornerstone.rows("user_ou_core")[:10]


@pytest.mark.parametrize("size", ["0", "10001", "50000", "-1", "many", ""])
def test_a_page_size_beyond_the_maximum_is_rejected(cornerstone: Any, size: str) -> None:
    assert cornerstone.get("users_core", prefer=f"odata.maxpagesize={size}")[0] == 400


def test_other_preferences_are_ignored(cornerstone: Any) -> None:
    _, body = cornerstone.get("users_core", prefer="maxpagesize=3, respond-async, odata.maxpagesize=5")
    assert len(body["value"]) == 5


def test_top_count_skip_and_order_are_applied(cornerstone: Any) -> None:
    total = cornerstone.vendor.count_rows("vw_rpt_user", None, None)
    _, counted = cornerstone.get("vw_rpt_user", {TOP: "0", COUNT: "true"})
    assert counted == {
        "@odata.context": f"{cornerstone.root}{VIEWS}/$metadata#vw_rpt_user",
        "@odata.count": total,
        "value": [],
    }
    pages = list(cornerstone.pages("vw_rpt_user", {TOP: "25", COUNT: "true"}, prefer="odata.maxpagesize=10"))
    assert [len(page["value"]) for page in pages] == [10, 10, 5]
    assert {page["@odata.count"] for page in pages} == {total}
    rows = cornerstone.rows("vw_rpt_user")
    assert cornerstone.rows("vw_rpt_user", {SKIP: "100"}, prefer="odata.maxpagesize=20") == rows[100:]
    ordered = cornerstone.rows("vw_rpt_user", {ORDER: "user_name_last desc,user_id"}, prefer="odata.maxpagesize=20")
    expected = sorted(rows, key=lambda row: row["user_id"])
    assert ordered == sorted(expected, key=lambda row: row["user_name_last"] or "", reverse=True)


def test_only_selected_columns_are_returned(cornerstone: Any) -> None:
    rows = cornerstone.rows("users_core", {SELECT: "user_ref, user_id"})
    assert all(list(row) == ["user_ref", "user_id"] for row in rows)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("users_core", {SKIP: "5"}),
        ("users_core", {"$expand": "ou"}),
        ("users_core", {"$search": "x"}),
        ("users_core", {"$format": "json"}),
        ("users_core", {"count": "true"}),
        ("users_core", {COUNT: "yes"}),
        ("users_core", {TOP: "-1"}),
        ("users_core", {TOP: "x"}),
        ("users_core", {SELECT: "user_id,nothing"}),
        ("users_core", {SELECT: ""}),
        ("users_core", {ORDER: "nothing"}),
        ("users_core", {ORDER: "user_id up"}),
        ("users_core", {"$skiptoken": "user_id-1"}),
        ("users_core", {"deltatoken": "xxxx"}),
        ("vw_rpt_user", {"deltatoken": "xxxx"}),
        ("vw_rpt_user", [(TOP, "1"), (TOP, "2")]),
        ("vw_rpt_user", {SKIP: "x"}),
        ("$metadata", {TOP: "1"}),
    ],
)
def test_invalid_query_options_are_rejected(cornerstone: Any, name: str, query: Any) -> None:
    status, body = cornerstone.get(name, query)
    assert (status, body["error"]["code"]) == (400, "400")


def test_a_link_belongs_to_its_own_query_and_table(cornerstone: Any) -> None:
    _, body = cornerstone.get("users_core", {TOP: "50"}, prefer="odata.maxpagesize=5")
    link = body["@odata.nextLink"]
    assert cornerstone.get(link)[0] == 200
    assert cornerstone.get(link.replace("=50", "=60"))[0] == 400
    assert cornerstone.get(link.replace("users_core", "ou_core"))[0] == 400
    assert cornerstone.get(f"{link}&$count=true")[0] == 400
    token = link.partition("skiptoken=")[2]
    assert cornerstone.get("users_core", {TOP: "50", "$skiptoken": f"A{token[1:]}"})[0] == 400


# Filters


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("user_id eq 9610", lambda row: row["user_id"] == 9610),
        ("user_id ne 9610", lambda row: row["user_id"] != 9610),
        ("user_id gt 9610 and user_id le 9640", lambda row: 9610 < row["user_id"] <= 9640),
        ("user_id in (9604, 9605,9610)", lambda row: row["user_id"] in {9604, 9605, 9610}),
        ("not (user_id ge 9610) or user_id eq 9650", lambda row: row["user_id"] < 9610 or row["user_id"] == 9650),
        ("user_mgr_id eq null", lambda row: row["user_mgr_id"] is None),
        ("user_mgr_id ne null", lambda row: row["user_mgr_id"] is not None),
        ("startswith(user_ref, 'NLI-097')", lambda row: row["user_ref"].startswith("NLI-097")),
        ("contains(user_email,'nordlicht')", lambda row: "nordlicht" in (row["user_email"] or "")),
        ("user_email eq 'it''s'", lambda row: False),
        ("user_absent eq true", lambda row: row["user_absent"] is True),
        ("user_hire_dt_last ge cast('2020-01-01', Edm.DateTimeOffset)", lambda row: hire_date(row) >= "2020-01-01"),
        ("user_hire_dt_last lt 2020-01-01T00:00:00Z", lambda row: hire_date(row) and hire_date(row) < "2020-01-01"),
        (
            "user_hire_dt_last lt 2020-01-01T05:30:00+05:30",
            lambda row: hire_date(row) and hire_date(row) < "2020-01-01",
        ),
    ],
)
def test_filters_of_a_view_return_the_matching_rows(cornerstone: Any, text: str, test: Any) -> None:
    rows = cornerstone.rows("vw_rpt_user")
    assert cornerstone.rows("vw_rpt_user", {FILTER: text}, prefer="odata.maxpagesize=10") == [
        row for row in rows if test(row)
    ]


def hire_date(row: Any) -> str:
    return row["user_hire_dt_last"] or ""


def test_a_row_is_found_by_its_guid(cornerstone: Any) -> None:
    row = cornerstone.rows("training_core")[3]
    for literal in (row["object_id"], f"cast('{row['object_id']}',Edm.Guid)", row["object_id"].upper()):
        assert cornerstone.rows("training_core", {FILTER: f"object_id eq {literal}"}) == [row]


def test_trailing_blanks_are_ignored(cornerstone: Any) -> None:
    rows = cornerstone.rows("training_type_core", {FILTER: "object_type eq 'AS'"})
    assert [row["object_type"] for row in rows] == ["AS  "]


def test_a_filter_by_modification_time_returns_later_rows(cornerstone: Any) -> None:
    rows = cornerstone.rows("transcript_core")
    timestamp = sorted(row[TOUCHED] for row in rows)[-40]
    written = timestamp.replace("+00:00", "Z")
    found = cornerstone.rows("transcript_core", {FILTER: f"{TOUCHED} ge {written}"}, prefer="odata.maxpagesize=7")
    assert found == [row for row in rows if row[TOUCHED] >= timestamp]


@pytest.mark.parametrize(
    "text",
    [
        "user_email eq 'x'",  # not in an index
        "nothing eq 1",
        "user_id = 1",
        "user_id eq",
        "user_id eq 1 and",
        "(user_id eq 1",
        "user_id eq 1)",
        "user_id eq 'one'",
        "user_id eq true",
        "user_id gt null",
        "1 eq user_id",
        f"{TOUCHED} ge '2020-01-01T00:00:00Z'",
        f"{TOUCHED} ge 2020-01-01",
        f"{TOUCHED} ge 2020-01-01T00:00:00",
        f"{TOUCHED} ge 2020-01-01T00:00:00 05:30",  # an offset that was not encoded
        f"{TOUCHED} ge cast('yesterday', Edm.DateTimeOffset)",
        f"{TOUCHED} ge datetime'2020-01-01T00:00:00'",
        "endswith(user_id, '1')",
        "startswith(user_id, '1')",
        "user_id",
        "",
    ],
)
def test_invalid_filters_are_rejected(cornerstone: Any, text: str) -> None:
    assert cornerstone.get("users_core", {FILTER: text})[0] == 400


# Single rows, other paths


def test_a_single_row_is_found_by_its_key_in_any_order(cornerstone: Any) -> None:
    row = cornerstone.rows("user_ou_core")[5]
    for key in (f"user_id={row['user_id']},ou_id={row['ou_id']}", f"ou_id={row['ou_id']},user_id={row['user_id']}"):
        _, body = cornerstone.get(f"user_ou_core({key})")
        assert body.pop("@odata.context").endswith("$metadata#user_ou_core/$entity")
        assert body == row
    for path in ("user_ou_core(5)", "users_core(1)", "users_core(x)", "vw_rpt_nasd(1)", "users_core(9604"):
        assert cornerstone.get(path)[0] == 404
    assert cornerstone.get("users_core(9604)", {SELECT: "user_id"})[0] == 400


def test_unknown_paths_are_not_found(cornerstone: Any) -> None:
    status, body = cornerstone.get("vw_rpt_usr")
    assert (status, body["error"]["message"]) == (404, "Not found")
    assert cornerstone.get(f"{VIEWS}/users_core")[0] == 404
    assert cornerstone.get(f"{OBJECTS}/vw_rpt_user")[0] == 404
    assert cornerstone.get("vw_rpt_user/$count")[0] == 404
    assert cornerstone.get(f"{VIEWS}/")[0] == 200
    assert cornerstone.get("/services/api/x/other")[0] == 404


def test_a_missing_question_mark_redirects_to_an_html_page(cornerstone: Any) -> None:
    answer = cornerstone.request("vw_rpt_user&$filter=user_id eq 1")
    assert answer.status == 302
    followed = cornerstone.request(answer.headers["location"])
    assert (followed.status, followed.headers["content-type"][:9]) == (200, "text/html")


def test_only_json_bodies_are_served(cornerstone: Any) -> None:
    assert cornerstone.request("users_core", accept="application/xml").status == 406
    assert cornerstone.request("users_core", accept="text/csv, */*;q=0.1").status == 200
    assert cornerstone.request("users_core", method="POST").status == 405
    answer = cornerstone.request("users_core")
    assert answer.headers["content-type"] == "application/json; odata.metadata=minimal"
    assert answer.headers["odata-version"] == "4.0"
