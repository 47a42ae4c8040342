"""The bodies that the vendor published, through the tap; and bodies of our own in the same shapes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from singer_rest.testing import Answer, Asked, host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Start = "Callable[[Callable[[Asked], Answer]], Host]"

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


def two_pages(first: Any, last: Any) -> Callable[[Asked], Answer]:
    return lambda asked: Answer(last if "cursor" in asked.query else first)


def test_a_person_in_the_documented_shape(run: Callable[..., Any], personio: Any) -> None:
    vendor = personio(two_pages(own_page("/v2/persons", "cur_2"), own_page("/v2/persons", None)))
    record = run(vendor.url, "persons").records("persons")[0]
    assert record["custom_attributes"] == {"dynamic_1": "L", "dynamic_2": 3, "city": []}
    assert record["_extra"] == {"favourite_colour": "green"}
    assert record["_meta"] == OWN_PERSON["_meta"]
    assert vendor.queries("/v2/persons") == [{"limit": "50"}, {"cursor": "cur_2", "limit": "50"}]


def test_custom_attributes_of_another_shape_are_left_as_they_are(run: Callable[..., Any], personio: Any) -> None:
    odd = [{"label": "no id", "value": 1}]
    vendor = personio(lambda asked: Answer({"_data": [{"id": "1", "custom_attributes": odd}]}))
    assert run(vendor.url, "persons").records("persons") == [{"id": "1", "custom_attributes": odd}]


def test_published_persons(run: Callable[..., Any], personio: Any, samples: Path) -> None:
    first, last = (json.loads((samples / f"v2_persons_{name}.json").read_text()) for name in ("page_1", "last_page"))
    vendor = personio(two_pages(first, last))
    records = run(vendor.url, "persons").records("persons")
    assert len(records) == 2
    published = first["_data"][0]
    assert {**records[0], "custom_attributes": None} == {**published, "custom_attributes": None}
    assert records[0]["custom_attributes"] == {item["id"]: item["value"] for item in published["custom_attributes"]}
    assert len(vendor.queries("/v2/persons")) == 2


def test_published_employments_whose_links_lead_to_a_wrong_path(
    run: Callable[..., Any], personio: Any, samples: Path
) -> None:
    first, last = (
        json.loads((samples / f"v2_employments_{name}.json").read_text()) for name in ("page_1", "last_page")
    )

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v2/persons":
            return Answer({"_data": [{"id": "5005"}]})
        return two_pages(first, last)(asked)

    vendor = personio(answer)
    records = run(vendor.url, "employments").records("employments")
    assert [{**record, "person_id": "5005"} for record in [*first["_data"], *last["_data"]]] == records
    assert set(vendor.paths()) == {"/v2/auth/token", "/v2/persons", "/v2/persons/5005/employments"}


def test_published_relative_links_are_followed(run: Callable[..., Any], personio: Any, samples: Path) -> None:
    first = json.loads((samples / "v2_attendance_links_relative.json").read_text())
    vendor = personio(two_pages(first, {"_data": [{"id": "1"}]}))
    assert run(vendor.url, "absence_periods").counts() == {"absence_periods": 1}
    assert vendor.queries("/v2/absence-periods")[1]["cursor"] == "..."


@pytest.mark.parametrize("name", ["invalid_filter_format", "invalid_filter_value", "resource_not_found"])
def test_published_errors_show_nothing_of_their_body(
    run: Callable[..., Any], personio: Any, samples: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.loads((samples / f"v2_error_{name}.json").read_text())
    vendor = personio(lambda asked: Answer(body, 400, {"Content-Type": "application/problem+json"}))
    fails: list[Exception] = []
    run(vendor.url, "org_units", fails=fails)
    assert "org_units" in str(fails[0])
    assert "status 400" in caplog.text
    assert body["errors"][0]["detail"] not in caplog.text
    assert body["personio_trace_id"] not in caplog.text


def test_the_published_token_is_sent_as_it_is(run: Callable[..., Any], samples: Path) -> None:
    token = json.loads((samples / "v2_auth_token.json").read_text())
    answer = lambda asked: Answer(token if asked.method == "POST" else {"_data": []})  # noqa: E731
    with host(answer) as vendor:
        run(vendor.url, "absence_types")
    asked = vendor.asked[1]
    assert asked.headers["Authorization"] == f"Bearer {token['access_token']}"


def test_the_published_token_error_is_a_sentence(run: Callable[..., Any], samples: Path) -> None:
    body = json.loads((samples / "v2_auth_error_missing_parameter.json").read_text())
    with host(lambda asked: Answer(body, 400)) as vendor, pytest.raises(RunError, match="Check `client_id`"):
        run(vendor.url, "absence_types")
