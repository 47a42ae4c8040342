"""Cost centers, workplaces, legal entities, jobs and salary bands."""

from __future__ import annotations

from typing import Any

import pytest


def test_references_are_valid(api: Any) -> None:
    ids = {
        path: {row["id"] for row in api.read_all(path)} for path in ("/v2/cost-centers", "/v2/workplaces", "/v2/jobs")
    }
    for person in api.read_all("/v2/persons", limit="50")[:30]:
        for row in api.read_all(f"/v2/persons/{person['id']}/employments", limit="50"):
            assert row["office"]["id"] in ids["/v2/workplaces"]
            assert row["job"] is None or row["job"]["id"] in ids["/v2/jobs"]
            assert {part["id"] for part in row["cost_centers"]} <= ids["/v2/cost-centers"]


def test_jobs_refer_to_salary_bands_that_the_token_may_read(make_api: Any) -> None:
    api = make_api()
    bands = {row["id"]: row for row in api.read_all("/v2/salary-bands")}
    jobs = api.read_all("/v2/jobs")
    assert any(not row["salary_band_ids"] for row in jobs)
    assert any(row["level"] is None for row in jobs)
    for row in jobs:
        assert {bands[key]["job"]["id"] for key in row["salary_band_ids"]} <= {row["id"]}
    api.vendor.access.revoke(permission="personio:salary-bands:read", endpoint=None, status=None)
    assert api.get("/v2/salary-bands")[0] == 403
    assert {tuple(row["salary_band_ids"]) for row in api.read_all("/v2/jobs")} == {()}
    assert api.get(f"/v2/jobs/{jobs[0]['id']}")[1]["salary_band_ids"] == []


def test_legal_entities_are_newest_first(api: Any) -> None:
    rows = api.read_all("/v2/legal-entities", limit="2")
    stamps = [row["created_at"] for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    assert [row["id"] for row in api.read_all("/v2/legal-entities", id=f"{rows[0]['id']},1")] == [rows[0]["id"]]
    assert {row["country"] for row in api.read_all("/v2/legal-entities", country="DE,FR")} == {"DE", "FR"}


@pytest.mark.parametrize("path", ["/v2/cost-centers", "/v2/workplaces", "/v2/jobs"])
def test_rows_are_filtered_by_name_and_ordered(api: Any, path: str) -> None:
    rows = api.read_all(path)
    some = rows[1]
    assert api.read_all(path, name=some["name"], id=some["id"]) == [some]
    names = [row["name"] for row in api.read_all(path, sort="-name", limit="3")]
    assert names == sorted((row["name"] for row in rows), reverse=True)
    ids = [row["id"] for row in api.read_all(path, sort="id")]
    assert ids == sorted(row["id"] for row in rows)


@pytest.mark.parametrize("path", ["/v2/legal-entities", "/v2/jobs", "/v2/salary-bands"])
def test_single_records_are_found_by_id(api: Any, path: str) -> None:
    row = api.read_all(path)[0]
    assert api.get(f"{path}/{row['id']}")[:2] == (200, row)
    assert api.get(f"{path}/nothing")[0] == 404
