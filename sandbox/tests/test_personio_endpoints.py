"""Pages, filters, links and errors of every list endpoint."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hr_sandbox.http.messages import Request
from hr_sandbox.personio.endpoint import ALL, ListEndpoint
from hr_sandbox.personio.endpoints import ENDPOINTS

ROOT = "http://127.0.0.1:1/personio"
FIRST, LAST = date(2021, 1, 1), date(2026, 6, 30)
LISTS = {
    "/v2/persons": (10, 50, {}),
    "/v2/absence-types": (100, 100, {}),
    "/v2/absence-periods": (100, 100, {}),
    "/v2/compensations": (100, 100, {}),
    "/v2/compensations/types": (100, 100, {}),
    "/v2/org-units": (20, 100, {"type": "team"}),
    "/v2/cost-centers": (50, 100, {}),
    "/v2/workplaces": (50, 100, {}),
    "/v2/legal-entities": (20, 100, {}),
    "/v2/jobs": (50, 100, {}),
    "/v2/salary-bands": (50, 100, {}),
    "/v2/attendance-periods": (100, 100, {}),
    "/v2/projects": (200, 200, {}),
    "/v2/recruiting/applications": (100, 200, {}),
    "/v2/recruiting/candidates": (100, 200, {}),
    "/v2/recruiting/jobs": (100, 200, {}),
    "/v2/recruiting/categories": (100, 200, {}),
    "/v2/document-management/documents": (100, 200, {"owner_id": "9603"}),
    "/v2/webhooks": (100, 200, {}),
}
UNPROCESSABLE = {"/v2/attendance-periods", "/v2/projects"}
LIST_STREAMS = [row.stream for row in ENDPOINTS if isinstance(row, ListEndpoint)]


def busiest_person(api: Any) -> str:
    """Returns the person with the most employments."""
    return str(max(api.company.people, key=lambda row: len(api.company.employments.find_by_owner(row.id))).id)


def read_stream(api: Any, stream: str) -> list[Any]:
    """Reads a stream in full, as a client must."""
    endpoint = api.vendor._list_endpoints[stream]
    rows: list[Any] = []
    for values in endpoint.slices(api.company, FIRST, LAST):
        texts = {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in values.items()}
        query = {name: text for name, text in texts.items() if f"{{{name}}}" not in endpoint.path}
        if endpoint.paged and endpoint.max_limit < ALL:
            query["limit"] = str(endpoint.max_limit)
        rows += api.read_all(endpoint.path.format(**texts), **query)
    return rows


@pytest.mark.parametrize("stream", sorted(LIST_STREAMS))
def test_a_full_read_returns_what_is_counted(api: Any, stream: str) -> None:
    rows = read_stream(api, stream)
    truth = api.vendor.list_records(stream, FIRST, LAST, ROOT)
    assert len(rows) == api.vendor.count_rows(stream, FIRST, LAST) > 0
    marks = [{name for name in body if name.startswith("_") and name != "_meta"} for body in truth]
    plain = [{name: body[name] for name in body if name not in some} for body, some in zip(truth, marks, strict=True)]
    assert rows == [row.get("cells", row) for row in plain]


def test_a_compensation_is_unique_in_its_month(api: Any) -> None:
    pay = api.vendor.list_records("compensations", FIRST, LAST, ROOT)
    ids = [row["id"] for row in pay]
    assert len(ids) > len(set(ids))
    assert len({(row["id"], row["_month"]) for row in pay}) == len(pay)


@pytest.mark.parametrize("path", sorted(LISTS))
def test_pages_have_the_default_or_requested_size(api: Any, path: str) -> None:
    default, largest, required = LISTS[path]
    rows = len(api.read_all(path, **required))
    for limit, size in ((None, default), (str(largest), largest), ("1", 1)):
        _, body, _ = api.get(path, required if limit is None else {**required, "limit": limit})
        assert len(body["_data"]) == min(size, rows)


@pytest.mark.parametrize("path", sorted(LISTS))
@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", "10001", "9" * 5000, "+5", "\u0665", "max+1"])
def test_invalid_page_sizes_are_rejected(api: Any, path: str, limit: str) -> None:
    _, largest, required = LISTS[path]
    status, body, headers = api.get(path, {**required, "limit": limit.replace("max+1", str(largest + 1))})
    assert status == (422 if path in UNPROCESSABLE else 400)
    assert body["errors"][0]["title"] == ("Unprocessable entity" if path in UNPROCESSABLE else "Bad request")
    assert headers["content-type"] == "application/problem+json"


REFUSED = [
    ("/v2/persons", {"updated_at.gte": "2024-01-01T00:00:00Z"}),
    ("/v2/persons", {"updated_at.gt": "2024-01-01T00:00:00"}),
    ("/v2/persons", {"updated_at.gt": "2024-01-01"}),
    ("/v2/persons", {"updated_at.gt": ""}),
    ("/v2/persons", {"updated_after": "2024-01-01T00:00:00Z"}),
    ("/v2/persons", {"status": "active"}),
    ("/v2/persons", {"offset": "0"}),
    ("/v2/persons", {"cursor": ""}),
    ("/v2/persons", {"cursor": "cur_invented"}),
    ("/v2/persons", (("limit", "5"), ("limit", "6"))),
    ("/v2/absence-types", {"id": "1"}),
    ("/v2/absence-periods", {"updated_at.gt": "2024-01-01T00:00:00Z"}),
    ("/v2/absence-periods", {"updated_at": "2024-01-01T00:00:00Z"}),
    ("/v2/absence-periods", {"updated_at.gte": "2024-01-01T00:00:00"}),
    ("/v2/absence-periods", {"starts_from.date_time.gt": "2024-01-01T00:00:00"}),
    ("/v2/absence-periods", {"starts_from.date_time.gte": "2024-01-01"}),
    ("/v2/absence-periods", {"person.id": "1,,2"}),
    ("/v2/compensations", {"start_date": "2024-01-01"}),
    ("/v2/compensations", {"end_date": "2024-01-01"}),
    ("/v2/compensations", {"start_date": "2024-01-01", "end_date": "2024-02-01"}),
    ("/v2/compensations", {"start_date": "2024-01-31", "end_date": "2024-03-01"}),
    ("/v2/compensations", {"start_date": "2024-01-02", "end_date": "2024-01-01"}),
    ("/v2/compensations", {"start_date": "2024-1-1", "end_date": "2024-01-31"}),
    ("/v2/compensations", {"start_date": "2024-01-01T00:00:00Z", "end_date": "2024-01-31T00:00:00Z"}),
    ("/v2/compensations", {"updated_at.gt": "2024-01-01T00:00:00Z"}),
    ("/v2/cost-centers", {"sort": "size"}),
    ("/v2/cost-centers", {"country": "DE"}),
    ("/v2/workplaces", {"id": ","}),
    ("/v2/legal-entities", {"id": "one"}),
    ("/v2/legal-entities", {"sort": "id"}),
    ("/v2/jobs", {"updated_at.gt": "2024-01-01T00:00:00Z"}),
    ("/v2/salary-bands", {"name": "x"}),
    ("/v2/recruiting/applications", {"updated_at.gt": "2024-01-01T00:00:00"}),
    ("/v2/recruiting/applications", {"updated_at.gte": "2024-01-01T00:00:00Z"}),
    ("/v2/recruiting/applications", {"email": "x"}),
    ("/v2/recruiting/candidates", {"candidate.email": "x"}),
    ("/v2/recruiting/jobs", {"email": "x"}),
    ("/v2/recruiting/categories", {"updated_at.gt": "2024-01-01T00:00:00Z"}),
    ("/v2/document-management/documents", {}),
    ("/v2/document-management/documents", {"owner_id": "x"}),
    ("/v2/document-management/documents", {"owner_id": "9603", "created_at.gt": "2024-01-01"}),
    ("/v2/document-management/documents", {"owner_id": "9603", "created_at.gte": "2024-01-01T00:00:00Z"}),
    ("/v2/reports", {"locale": "de"}),
    ("/v2/reports", {"limit": "some"}),
    ("/v2/reports/attributes", {"limit": "5"}),
    ("/v2/webhooks", {"status": "enabled"}),
    ("/v2/org-units", {}),
    ("/v2/org-units", {"type": "squad"}),
    ("/v2/org-units", {"type": "department,team"}),
    ("/v2/org-units", {"type": "team", "sort": "size"}),
    ("/v2/org-units", {"type": "team", "include_parent_chain": "yes"}),
]


@pytest.mark.parametrize(("path", "query"), REFUSED, ids=str)
def test_invalid_requests_are_rejected(api: Any, path: str, query: Any) -> None:
    status, body, headers = api.get(path, query)
    assert status == 400
    assert body["errors"][0]["title"] == "Bad request"
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("start", "end"), [("2024-01-01", "2024-01-31"), ("2024-01-15", "2024-02-14"), ("2024-01-31", "2024-02-29")]
)
def test_a_window_is_at_most_a_month(api: Any, start: str, end: str) -> None:
    assert api.get("/v2/compensations", {"start_date": start, "end_date": end})[0] == 200


def test_the_current_month_is_the_default_window(api: Any) -> None:
    june = api.read_all("/v2/compensations", start_date="2026-06-01", end_date="2026-06-30")
    assert june == api.read_all("/v2/compensations")


def test_a_compensation_is_listed_in_every_month_of_its_window(api: Any) -> None:
    row = next(row for row in api.company.compensations if row.effective_to and row.effective_from.day > 1)
    day, last = row.effective_from.isoformat(), row.effective_to.isoformat()
    before = (row.effective_from - timedelta(1)).isoformat()

    def is_listed(start: str, end: str) -> bool:
        return row.uuid in {body["id"] for body in api.read_all("/v2/compensations", start_date=start, end_date=end)}

    assert [is_listed(before, before), is_listed(day, day), is_listed(last, last)] == [False, True, True]


def test_filters_of_persons_return_the_matching_rows(api: Any) -> None:
    everyone = api.read_all("/v2/persons", limit="50")
    some = everyone[3]
    for name in ("id", "email", "first_name", "preferred_name", "updated_at", "created_at"):
        found = api.read_all("/v2/persons", **{name: some[name]})
        assert found == [row for row in everyone if row[name] == some[name]]
    assert len(api.read_all("/v2/persons", id=f"{some['id']},{everyone[0]['id']},1")) == 2
    stamp = max(row["updated_at"] for row in everyone)
    assert api.read_all("/v2/persons", **{"updated_at.gt": stamp}) == []
    earlier = api.read_all("/v2/persons", **{"updated_at.lt": stamp})
    assert [row["id"] for row in earlier] == [row["id"] for row in everyone if row["updated_at"] != stamp]
    assert len(earlier) <= len(everyone) - 4
    states = [api.read_all("/v2/persons", status=status) for status in ("ACTIVE", "INACTIVE")]
    assert sum(map(len, states)) == len(everyone)
    assert all(states)


def test_filters_of_absences_return_the_matching_rows(api: Any) -> None:
    everything = api.read_all("/v2/absence-periods")
    stamp = sorted(row["updated_at"] for row in everything)[-5]
    later = api.read_all("/v2/absence-periods", **{"updated_at.gte": stamp})
    assert [row["id"] for row in later] == [row["id"] for row in everything if row["updated_at"] >= stamp]
    kind = everything[0]["absence_type"]["id"]
    assert {row["absence_type"]["id"] for row in api.read_all("/v2/absence-periods", **{"absence_type.id": kind})} == {
        kind
    }
    person = everything[0]["person"]["id"]
    assert {row["person"]["id"] for row in api.read_all("/v2/absence-periods", **{"person.id": person})} == {person}


def test_a_window_matches_overlapping_absences(api: Any) -> None:
    row = next(row for row in api.read_all("/v2/absence-periods") if row["ends_at"] and row["starts_from"]["type"])
    start, end = row["starts_from"]["date_time"], row["ends_at"]["date_time"]

    def is_listed(after: str, before: str) -> bool:
        window = {"starts_from.date_time.gte": after, "ends_at.date_time.lte": before}
        return row["id"] in {body["id"] for body in api.read_all("/v2/absence-periods", **window)}

    last_day = f"{date.fromisoformat(end[:10]) - timedelta(1)}T00:00:00"
    assert is_listed(last_day, "2030-01-01T00:00:00")
    assert not is_listed(end, "2030-01-01T00:00:00")  # the end is exclusive
    assert is_listed("2000-01-01T00:00:00", start)
    assert not is_listed("2000-01-01T00:00:00", f"{date.fromisoformat(start[:10]) - timedelta(1)}T00:00:00")


def test_employments_are_newest_first(api: Any) -> None:
    person = busiest_person(api)
    path = f"/v2/persons/{person}/employments"
    rows = api.read_all(path, limit="50")
    assert len(rows) > 50
    starts = [row["employment_start_date"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert {row["person"]["id"] for row in rows} == {person}
    assert [row["id"] for row in rows] == [row["id"] for row in api.get(f"/v2/persons/{person}")[1]["employments"]]
    assert api.read_all(path, id=rows[4]["id"]) == [rows[4]]
    assert api.get("/v2/persons/1/employments")[0] == 404


def test_org_units_are_sorted_and_include_their_parents(api: Any) -> None:
    departments, teams = (api.read_all("/v2/org-units", type=kind) for kind in ("department", "team"))
    assert {row["id"] for row in departments} & {row["id"] for row in teams}
    assert "parent_chain" not in teams[0]
    chained = api.read_all("/v2/org-units", type="department", include_parent_chain="true", sort="-id")
    assert [int(row["id"]) for row in chained] == sorted((int(row["id"]) for row in departments), reverse=True)
    assert chained[0]["parent_chain"][-1] == {"id": "401", "type": "department"}
    query = {"type": "department", "include_parent_chain": "true"}
    _, one, _ = api.get(f"/v2/org-units/{chained[0]['id']}", query)
    assert set(one["parent_chain"][0]) == {"id", "type", "name", "description", "abbreviation"}
    assert [row["id"] for row in one["parent_chain"]] == [row["id"] for row in chained[0]["parent_chain"]]
    names = [row["name"] for row in api.read_all("/v2/org-units", type="team", sort="name")]
    assert names == sorted(names)


@pytest.mark.parametrize("above", [402, 405, 1])
def test_parents_cannot_form_a_cycle(make_api: Any, above: int) -> None:
    api = make_api()
    lower, upper = api.company.departments[402], api.company.departments[405]
    upper.parent_id, lower.parent_id = lower.id, above
    query = {"type": "department", "include_parent_chain": "true"}
    chain = [row["id"] for row in api.get("/v2/org-units/405", query)[1]["parent_chain"]]
    assert chain == ["402"]


def test_single_records_are_found_by_id(api: Any) -> None:
    for path in ("/v2/persons", "/v2/absence-types", "/v2/absence-periods"):
        row = api.get(path)[1]["_data"][1]
        assert api.get(f"{path}/{row['id']}")[:2] == (200, row)
        status, body, _ = api.get(f"{path}/0")
        assert (status, body["errors"][0]["title"]) == (404, "Resource not found")
    person = api.get("/v2/persons")[1]["_data"][1]
    employment = person["employments"][0]["id"]
    other = api.get("/v2/persons")[1]["_data"][0]["id"]
    assert api.get(f"/v2/persons/{person['id']}/employments/{employment}")[1]["id"] == employment
    assert api.get(f"/v2/persons/{other}/employments/{employment}")[0] == 404
    assert api.get("/v2/org-units/401")[0] == 400
    assert api.get("/v2/org-units/401", {"type": "team"})[1]["type"] == "team"
    assert api.get("/v2/persons/9603", {"limit": "1"})[0] == 400


def test_unknown_paths_and_methods_are_rejected(api: Any) -> None:
    for path in ("/v2/employments", "/v2/nothing", "/v2/persons/", "/v3/persons"):
        status, body, _ = api.get(path)
        assert status == 404
        assert body["errors"][0]["detail"] == f"The endpoint with {path} was not found"
    assert api.post("/v2/persons", {})[0] == 405


def test_headers_are_checked_and_report_the_rate(api: Any) -> None:
    partner = "x-personio-partner-id"
    assert api.get("/v2/persons", **{partner: "MY_COMPANY"})[0] == 200
    assert api.get("/v2/persons", **{partner: "my company"})[0] == 400
    assert api.get("/v2/persons", origin="https://browser.example")[0] == 403
    _, _, headers = api.get("/v2/persons")
    assert {name for name in headers if name.startswith("x-ratelimit-")} == {
        "x-ratelimit-replenish-rate",
        "x-ratelimit-burst-capacity",
        "x-ratelimit-requested-tokens",
        "x-ratelimit-remaining",
    }


@pytest.mark.parametrize(
    ("status", "method", "path", "headers"),
    [
        (200, "GET", "/v2/persons", {}),
        (400, "GET", "/v2/org-units", {}),
        (400, "GET", "/v2/persons", {"x-personio-app-id": "lower"}),
        (401, "GET", "/v2/persons", {"authorization": "Bearer x"}),
        (403, "GET", "/v2/persons", {"origin": "https://browser.example"}),
        (404, "GET", "/v2/persons/0", {}),
        (404, "GET", "/v2/nothing", {}),
        (405, "PUT", "/v2/persons", {}),
    ],
    ids=str,
)
def test_every_response_contains_the_rate(
    api: Any, status: int, method: str, path: str, headers: dict[str, str]
) -> None:
    answered, _, said = api.send(Request(method, path, headers={**api.headers, **headers}))
    assert answered == status
    assert sum(name.startswith("x-ratelimit-") for name in said) == 4


def test_rejected_requests_count_for_the_limit(make_api: Any) -> None:
    api = make_api(requests_per_minute=None)
    remaining = [int(api.get("/v2/nothing")[2]["x-ratelimit-remaining"]) for _ in range(3)]
    assert remaining[0] == 99 > remaining[2]
    assert api.get("/v2/persons")[2]["x-ratelimit-remaining"] == "99"


def test_each_endpoint_has_its_documented_limit(make_api: Any) -> None:
    api = make_api(requests_per_minute=None)
    statuses = [api.get("/v2/absence-periods", {"limit": "1"}) for _ in range(30)]
    _, body, headers = next(answer for answer in statuses if answer[0] == 429)
    assert body["errors"][0]["title"]
    assert headers["x-ratelimit-replenish-rate"] == "10"
    assert headers["x-ratelimit-remaining"] == "0"
    assert "retry-after" not in headers
    assert api.get("/v2/persons")[2]["x-ratelimit-replenish-rate"] == "30"
