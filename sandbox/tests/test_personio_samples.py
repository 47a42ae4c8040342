"""Response bodies have the fields and types of the vendor's samples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

SAMPLES = os.environ.get("VENDOR_SAMPLES")

pytestmark = pytest.mark.skipif(not SAMPLES, reason="VENDOR_SAMPLES does not say where the vendors' bodies are")


def read_sample(name: str, version: int = 2) -> Any:
    return json.loads((Path(SAMPLES or "") / "personio" / f"v{version}_{name}.json").read_text())


def shape_of(value: Any) -> Any:
    """Returns a body with types instead of values. A list has one shape per element type."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [json.loads(text) for text in sorted({json.dumps(shape_of(inner), sort_keys=True) for inner in value})]
    return "number" if isinstance(value, int | float) else type(value).__name__


def has_shape_of(ours: Any, theirs: Any) -> bool:
    """Returns whether a value has the shape of the published one. Either may be null, and lists may be empty."""
    if ours is None or theirs is None:
        return True
    if isinstance(theirs, dict):
        return (
            isinstance(ours, dict)
            and ours.keys() == theirs.keys()
            and all(has_shape_of(ours[k], theirs[k]) for k in theirs)
        )
    if isinstance(theirs, list):
        return isinstance(ours, list) and (not theirs or all(has_shape_of(inner, theirs[0]) for inner in ours))
    return bool(shape_of(ours) == shape_of(theirs))


def without_attributes(body: Any) -> Any:
    """Removes custom attributes, which differ by company and are compared separately."""
    return {key: value for key, value in body.items() if key != "custom_attributes"}


def test_persons_match_the_samples(api: Any) -> None:
    theirs = read_sample("persons_page_1")
    _, ours, _ = api.get("/v2/persons")
    assert shape_of(ours["_meta"]) == shape_of(theirs["_meta"])
    for row in api.read_all("/v2/persons"):
        assert has_shape_of(without_attributes(row), without_attributes(theirs["_data"][0]))
    keys = {tuple(sorted(part)) for row in ours["_data"] for part in row["custom_attributes"]}
    assert tuple(sorted(theirs["_data"][0]["custom_attributes"][0])) in keys
    last = list(api.pages("/v2/persons"))[-1]
    assert shape_of(last["_meta"]) == shape_of(read_sample("persons_last_page")["_meta"])


def test_a_person_matches_the_sample(api: Any) -> None:
    _, ours, _ = api.get(f"/v2/persons/{next(iter(api.company.people)).id}")
    assert has_shape_of(without_attributes(ours), without_attributes(read_sample("person_by_id")))


def test_employments_match_the_samples(api: Any) -> None:
    theirs = read_sample("employments_page_1")
    person = max(api.company.people, key=lambda row: len(api.company.employments.find_by_owner(row.id))).id
    pages = list(api.pages(f"/v2/persons/{person}/employments"))
    assert shape_of(pages[0]["_meta"]) == shape_of(theirs["_meta"])
    assert shape_of(pages[-1]["_meta"]) == shape_of(read_sample("employments_last_page")["_meta"])
    everyone = [row.id for row in api.company.people if row.id != api.company.employments[30001].person_id]
    rows = [row for number in everyone for row in api.read_all(f"/v2/persons/{number}/employments", limit="50")]
    assert all(has_shape_of(row, theirs["_data"][0]) for row in rows)
    assert any(row["termination"] for row in rows)


def test_token_responses_match_the_samples(api: Any) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    assert shape_of(api.post("/v2/auth/token", form)[1]) == shape_of(read_sample("auth_token"))
    missing = api.post("/v2/auth/token", {key: text for key, text in form.items() if key != "grant_type"})[1]
    theirs = read_sample("auth_error_missing_parameter")
    assert shape_of(missing) == shape_of(theirs)
    for same in ("error", "error_uri", "meta"):
        assert missing[same] == theirs[same]


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("error_invalid_filter_format", "/v2/persons", {"updated_at.gte": "2024-01-01T00:00:00Z"}),
        ("error_invalid_filter_value", "/v2/persons", {"updated_at.gt": "yesterday"}),
        ("error_resource_not_found", "/v2/persons/1", {}),
    ],
)
def test_errors_match_the_samples(api: Any, name: str, path: str, query: dict[str, str]) -> None:
    theirs = read_sample(name)
    _, ours, _ = api.get(path, query)
    assert shape_of(ours) == shape_of(theirs)
    for same in ("title", "type"):
        assert ours["errors"][0][same] == theirs["errors"][0][same]


def test_employees_of_v1_match_the_sample(api: Any) -> None:
    theirs = read_sample("employees_list", 1)
    _, ours, _ = api.get("/v1/company/employees")
    assert ours.keys() == theirs.keys()
    assert shape_of(ours["metadata"]) == shape_of(theirs["metadata"])
    known = theirs["data"][0]["attributes"]
    for row in ours["data"]:
        for key, part in row["attributes"].items():
            if key in known:
                assert part.keys() == known[key].keys()
                assert (part["type"], part["universal_id"]) == (known[key]["type"], known[key]["universal_id"])
                assert not part["value"] or has_shape_of(part["value"], known[key]["value"])
    assert set(known) - {key for key in known if key.startswith("dynamic")} == set(ours["data"][0]["attributes"]) - {
        key for key in ours["data"][0]["attributes"] if key.startswith("dynamic")
    }


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("employees_attributes", "employees/attributes"),
        ("absence_balance", "employees/{}/absences/balance"),
        ("document_categories", "document-categories"),
        ("employee_404", "employees/1"),
    ],
)
def test_other_bodies_of_v1_match_the_samples(api: Any, name: str, path: str) -> None:
    person = next(iter(api.company.people)).id
    assert has_shape_of(api.get(f"/v1/company/{path.format(person)}")[1], read_sample(name, 1))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("attendances_list", "attendances?start_date=2026-01-01&end_date=2026-12-31&includePending=true"),
        ("projects_list", "attendances/projects"),
        ("time_off_types", "time-off-types"),
        ("time_offs_list", "time-offs"),
        ("time_off_by_id", "time-offs/{time_off}"),
        ("absence_periods_list", "absence-periods"),
        ("custom_reports_list", "custom-reports/reports"),
        ("custom_report_columns", "custom-reports/columns"),
        ("custom_report_by_id", "custom-reports/reports/{report}"),
        ("custom_reports_error", "custom-reports/reports/nothing"),
    ],
)
def test_endpoints_of_v1_match_the_samples(api: Any, name: str, path: str) -> None:
    theirs = read_sample(name, 1)
    kinds = {row.id for row in api.company.absence_types if row.unit == "DAILY"}
    time_off = next(row.id for row in api.company.absences if row.type_id in kinds)
    report = next(iter(api.company.custom_reports)).uuid
    path, _, query = path.format(time_off=time_off, report=report).partition("?")
    ours = api.get(f"/v1/company/{path}", tuple(parse_qsl(query)))[1]
    if name == "attendances_list":  # the published examples contradict each other
        theirs["offset"], theirs["limit"] = "", ""
        theirs["data"][0]["attributes"]["is_on_time_off"] = False
    if name == "custom_report_by_id":  # cells differ by type: the first is a text, as in the sample
        items = ours["data"][0]["attributes"]["items"]
        assert len(items) == 10
        for item in items:
            del item["attributes"][1:]
    assert has_shape_of(without_new_ids(ours), theirs)


def without_new_ids(body: Any) -> Any:
    """Removes the ids of v2, which are newer than the samples."""
    if isinstance(body, list):
        return [without_new_ids(row) for row in body]
    if isinstance(body, dict):
        return {key: without_new_ids(row) for key, row in body.items() if key != "id_v2"}
    return body


def test_relative_links_of_attendances_match_the_sample(api: Any) -> None:
    theirs = read_sample("attendance_links_relative")
    _, ours, _ = api.get("/v2/attendance-periods", {"limit": "1"})
    second = api.get("/v2/attendance-periods", {"cursor": ours["_meta"]["links"]["next"]["href"].partition("=")[2]})[1]
    assert shape_of(second["_meta"]) == shape_of(theirs["_meta"])
    for name in ("self", "next"):
        begins = theirs["_meta"]["links"][name]["href"].partition("...")[0]
        assert second["_meta"]["links"][name]["href"].startswith(begins)
