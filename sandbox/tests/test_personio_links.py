"""Cursors and links, including unusual ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

ROOT = "http://127.0.0.1:1/personio"


def next_href(body: Any) -> str:
    return str(body["_meta"]["links"]["next"]["href"])


def cursor_of(body: Any) -> str:
    return dict(parse_qsl(urlsplit(next_href(body)).query))["cursor"]


def test_links_of_persons_contain_only_the_cursor(api: Any) -> None:
    _, body, _ = api.get("/v2/persons", {"limit": "20", "updated_at.gt": "2000-01-01T00:00:00Z"})
    assert body["_meta"]["links"]["self"]["href"] == f"{ROOT}/v2/persons"
    assert next_href(body).startswith(f"{ROOT}/v2/persons?cursor=cur_")
    assert "&" not in next_href(body)
    _, second, _ = api.get("/v2/persons", {"cursor": cursor_of(body)})
    assert len(second["_data"]) == 20


def test_absences_repeat_the_filters(api: Any) -> None:
    query = {"limit": "20", "updated_at.gte": "2000-01-01T00:00:00Z"}
    _, body, _ = api.get("/v2/absence-periods", query)
    assert dict(parse_qsl(urlsplit(next_href(body)).query)) == {**query, "cursor": cursor_of(body)}


def test_employments_link_to_a_missing_path(api: Any) -> None:
    person = max(api.company.people, key=lambda row: len(api.company.employments.find_by_owner(row.id))).id
    _, body, _ = api.get(f"/v2/persons/{person}/employments", {"limit": "1"})
    assert next_href(body).startswith(f"{ROOT}/v2/employments?cursor=")
    assert api.get("/v2/employments", {"cursor": cursor_of(body)})[0] == 404


def test_last_pages_have_no_next_link(api: Any) -> None:
    last = {
        path: list(api.pages(path, **query))[-1].get("_meta", "none")
        for path, query in (
            ("/v2/persons", {"limit": "50"}),
            ("/v2/absence-types", {}),
            ("/v2/compensations", {}),
            ("/v2/org-units", {"type": "team"}),
        )
    }
    assert set(last["/v2/persons"]["links"]) == {"self"}
    assert last["/v2/absence-types"] == "none"
    assert last["/v2/compensations"] == {"links": None}
    assert set(last["/v2/org-units"]["links"]) == {"self"}


def test_the_cursor_contains_the_filters(api: Any) -> None:
    query = {"updated_at.gt": "2010-01-01T00:00:00Z", "status": "ACTIVE"}
    _, first, _ = api.get("/v2/persons", query)
    cursor = {"cursor": cursor_of(first)}
    alone = api.get("/v2/persons", cursor)[1]
    assert alone["_data"] == api.get("/v2/persons", {**cursor, **query})[1]["_data"]
    assert {row["status"] for row in alone["_data"]} == {"ACTIVE"}
    for other in ({"status": "INACTIVE"}, {"updated_at.gt": "2011-01-01T00:00:00Z"}, {"first_name": "X"}):
        assert api.get("/v2/persons", {**cursor, **other})[0] == 400


@pytest.mark.parametrize(("path", "limit"), [("/v2/persons", None), ("/v2/persons", "7"), ("/v2/absence-periods", "7")])
def test_the_cursor_contains_the_limit(api: Any, path: str, limit: str | None) -> None:
    _, first, _ = api.get(path, {} if limit is None else {"limit": limit})
    cursor = {"cursor": cursor_of(first)}
    alone, repeated = api.get(path, cursor)[1], api.get(path, {**cursor, "limit": limit or "10"})[1]
    assert alone["_data"] == repeated["_data"]
    assert len(alone["_data"]) == int(limit or "10")
    for other in ("1", "50", "0"):
        status, body, _ = api.get(path, {**cursor, "limit": other})
        assert (status, "limit" in body["errors"][0]["detail"]) == (400, True)


def test_a_cursor_is_valid_for_one_endpoint(api: Any) -> None:
    cursor = cursor_of(api.get("/v2/persons")[1])
    assert api.get("/v2/absence-periods", {"cursor": cursor})[0] == 400
    assert api.get("/v2/persons", {"cursor": f"{cursor}A"})[0] == 400
    assert api.get("/v2/persons", {"cursor": cursor[:-1]})[0] == 400


@pytest.mark.parametrize(
    ("style", "start"),
    [
        ("normal", f"{ROOT}/v2/persons?cursor="),
        ("absolute", f"{ROOT}/v2/persons?updated_at.gt=2010-01-01T00%3A00%3A00Z&limit=10&cursor="),
        ("relative", "/v2/persons?updated_at.gt=2010-01-01T00%3A00%3A00Z&limit=10&cursor="),
        ("cursor-only", f"{ROOT}/v2/persons?cursor="),
        ("wrong-path", f"{ROOT}/v2/moved/persons?cursor="),
        ("other-domain", "https://api.personio.com/v2/persons?updated_at.gt=2010-01-01T00%3A00%3A00Z&limit=10&cursor="),
        ("foreign", "https://elsewhere.example/v2/persons?cursor="),
    ],
)
def test_next_links_can_have_other_styles(make_api: Any, style: str, start: str) -> None:
    api = make_api()
    api.vendor.set_links("/v2/persons", style)
    _, body, _ = api.get("/v2/persons", {"updated_at.gt": "2010-01-01T00:00:00Z"})
    assert next_href(body).startswith(start)


def test_a_next_link_can_be_repeated(make_api: Any) -> None:
    api = make_api()
    api.vendor.set_links("/v2/persons", "repeated")
    _, first, _ = api.get("/v2/persons")
    _, again, _ = api.get("/v2/persons", {"cursor": cursor_of(first)})
    assert again["_data"] == first["_data"]
    assert next_href(again) == next_href(first)


def test_a_next_link_can_be_missing(make_api: Any) -> None:
    api = make_api()
    api.vendor.set_links("/v2/persons", "missing")
    assert set(api.get("/v2/persons")[1]["_meta"]["links"]) == {"self"}


def test_a_record_can_be_on_two_pages(make_api: Any) -> None:
    api = make_api()
    said = api.vendor.duplicate_record("persons", None)
    ids = [[row["id"] for row in page["_data"]] for page in api.pages("/v2/persons", limit="10")]
    assert [page.count(said["id"]) for page in ids] == [1, 1, 0, 0, 0]
    assert {len(page) for page in ids[:4]} == {10}


def test_pages_continue_while_rows_are_added_and_removed(make_api: Any) -> None:
    api = make_api()
    everyone = [row.id for row in api.company.people]
    _, first, _ = api.get("/v2/persons")
    api.company.people.remove(api.company.people[everyone[2]])
    api.company.version += 1
    _, second, _ = api.get("/v2/persons", {"cursor": cursor_of(first)})
    assert [row["id"] for row in second["_data"]] == [str(number) for number in everyone[10:20]]
    api.company.people.remove(api.company.people[everyone[19]])  # the last row of the previous page
    api.company.version += 1
    _, third, _ = api.get("/v2/persons", {"cursor": cursor_of(second)})
    assert [row["id"] for row in third["_data"]] == [str(number) for number in everyone[20:30]]
