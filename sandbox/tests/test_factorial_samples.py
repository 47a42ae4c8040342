"""Response bodies have the fields of the vendor's samples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SAMPLES = os.environ.get("VENDOR_SAMPLES")

pytestmark = pytest.mark.skipif(not SAMPLES, reason="VENDOR_SAMPLES does not say where the vendors' bodies are")

# Members that are newer than the published version, or occur in one example only.
NEWER = {"contracts_contract_id", "salary_currency"}
CHANGED = {"id", "role_id"}


def read_sample(name: str) -> Any:
    return json.loads((Path(SAMPLES or "") / "factorial" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("api_public_credentials", "api_public/credentials", {}),
        ("attendance_shifts", "attendance/shifts", {"start_on": "2026-06-01", "end_on": "2026-06-17"}),
        ("contracts_contract_versions", "contracts/contract_versions", {}),
        ("employees_employees", "employees/employees", {}),
    ],
)
def test_endpoints_have_the_fields_and_types_of_the_samples(
    factorial: Any, name: str, path: str, query: dict[str, str]
) -> None:
    theirs, (_, ours) = read_sample(name), factorial.get(path, query)
    assert set(ours["meta"]) == set(theirs["meta"])
    published = theirs["data"][0]
    for row in ours["data"]:
        assert set(row) - NEWER == set(published)
    for key, value in published.items():
        kinds = {type(row[key]) for row in ours["data"]} - {type(None)}
        assert kinds <= ({int, float} if isinstance(value, int | float) and value is not True else {type(value)}) | {
            bool
        }, key


def test_rows_of_an_older_version_match_its_sample(factorial: Any) -> None:
    theirs = read_sample("job_catalog_level_2024-10-01")
    _, ours = factorial.get("job_catalog/levels", {}, "2024-10-01")
    for row in ours["data"]:
        assert set(row) == set(theirs)
        assert all(isinstance(row[key], int) for key in CHANGED)


def test_the_page_matches_the_sample(factorial: Any) -> None:
    theirs = read_sample("pagination_meta_example")["meta"]
    _, ours = factorial.get("employees/employees", {"limit": "10"})
    assert {key: type(value) for key, value in ours["meta"].items()} == {
        key: type(value) for key, value in theirs.items()
    }
    assert ours["meta"]["limit"] == theirs["limit"]


def test_a_token_matches_the_sample(make_factorial: Any) -> None:
    api = make_factorial()
    login = api.controls["login"]({})
    form = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "grant_type": "refresh_token"}
    _, ours = api.form("/oauth/token", **form, refresh_token=login["refresh_token"])
    theirs = read_sample("oauth_token_response")
    assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in theirs.items()}
    assert {key: len(ours[key]) for key in ("access_token", "refresh_token")} == {
        "access_token": 64,
        "refresh_token": 64,
    }
    assert (ours["expires_in"], ours["scope"]) == (theirs["expires_in"], theirs["scope"])
