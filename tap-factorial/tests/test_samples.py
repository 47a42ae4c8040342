"""The bodies that the vendor published, through the tap."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Reply
from singer_rest.testing import ReceivedRequest, Response, differing_fields
from tap_factorial.auth import read_grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LISTS = "/api/2026-10-01/resources/"


@pytest.mark.parametrize("name", ["attendance/shifts", "contracts/contract_versions", "employees/employees"])
def test_published_rows_are_loaded_completely(
    run: Callable[..., Any], factorial: Any, samples: Path, name: str
) -> None:
    body = json.loads((samples / f"{name.replace('/', '_')}.json").read_text())
    vendor = factorial(lambda request: Response(body))
    settings = {"start_date": "2023-10-01", "end_date": "2023-10-01"}  # a single window
    (record,) = run(vendor.url, name.replace("/", "_"), **settings).records(name.replace("/", "_"))
    assert differing_fields(body["data"][0], record) == set()
    assert record.get("_extra") is None
    assert record["id"] == body["data"][0]["id"]


def test_published_credentials_are_loaded_completely(run: Callable[..., Any], factorial: Any, samples: Path) -> None:
    body = json.loads((samples / "api_public_credentials.json").read_text())
    vendor = factorial(lambda request: Response(body))
    respond = vendor.respond
    vendor.respond = lambda request: Response(body) if request.path.endswith("credentials") else respond(request)
    (record,) = run(vendor.url, "api_public_credentials").records("api_public_credentials")
    assert differing_fields(body["data"][0], record) == set()


def test_published_meta_is_understood(run: Callable[..., Any], factorial: Any, samples: Path) -> None:
    body = json.loads((samples / "pagination_meta_example.json").read_text())
    total, limit = body["meta"]["total"], body["meta"]["limit"]
    rows = [{"id": str(number)} for number in range(total)]
    body["data"] = rows[:limit]
    last = {"data": rows[limit:], "meta": {**body["meta"], "has_next_page": False}}

    def respond(request: ReceivedRequest) -> Response:
        return Response(last if "after_id" in request.query else body)

    vendor = factorial(respond)
    output = run(vendor.url, "teams_teams")
    assert output.counts() == {"teams_teams": total}
    assert len(output.messages_of("ACTIVATE_VERSION")) == 1
    assert vendor.queries(f"{LISTS}teams/teams")[1]["after_id"] == body["meta"]["end_cursor"]


def test_published_row_of_an_old_version_gets_text_ids(run: Callable[..., Any], factorial: Any, samples: Path) -> None:
    row = json.loads((samples / "job_catalog_level_2024-10-01.json").read_text())
    vendor = factorial(lambda request: Response({"data": [row], "meta": {"has_next_page": False}}))
    (record,) = run(vendor.url, "job_catalog_levels", api_version="2024-10-01").records("job_catalog_levels")
    assert (record["id"], record["role_id"]) == (str(row["id"]), str(row["role_id"]))
    assert differing_fields(row, record) == set()


def test_published_token_is_read(samples: Path) -> None:
    text = (samples / "oauth_token_response.json").read_bytes()
    grant = read_grant(Reply(200, {}, text, datetime.now(timezone.utc)), "refused")
    published = json.loads(text)
    assert grant.access_token == published["access_token"]
    assert grant.refresh_token == published["refresh_token"]
    assert grant.lifetime == published["expires_in"]
