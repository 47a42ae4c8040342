"""A portal with 100,000 users and 20 million transcripts, which are not kept in memory."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hr_sandbox.cornerstone.bulk import FIRST
from hr_sandbox.cornerstone.tables import TOUCHED

ROWS, USERS = 20_000_000, 100_000
LARGE = "odata.maxpagesize=10000"
KEY = ("transc_user_id", "transc_object_id", "reg_num")
CHOSEN = {"$select": ",".join((*KEY, TOUCHED))}


def test_a_few_generated_rows_follow_those_of_the_company(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    own = api.rows("transcript_core")
    assert api.controls["bulk"]({"transcripts": 3000, "users": 7})["users"] == 7
    for name in ("transcript_core", "vw_rpt_transcript", "users_core", "vw_rpt_user"):
        rows = api.rows(name, prefer="odata.maxpagesize=700")
        assert rows == api.vendor.list_records(name, None, None, "")
        assert len(rows) == api.vendor.count_rows(name, None, None)
    rows = api.rows("transcript_core")
    assert rows[: len(own)] == own
    assert len({tuple(row[name] for name in KEY) for row in rows}) == len(own) + 3000
    users = {row["user_id"] for row in api.rows("users_core")}
    assert {row["transc_user_id"] for row in rows} <= users
    assert {row["transc_object_id"] for row in rows} <= {row["object_id"] for row in api.rows("training_core")}


def test_pages_of_twenty_million_rows_continue_without_a_gap(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["bulk"]({"transcripts": ROWS, "users": USERS})
    total = api.vendor.count_rows("transcript_core", None, None)
    own = total - ROWS
    _, body = api.get("transcript_core", {**CHOSEN, "$count": "true"}, prefer=LARGE)
    assert (len(body["value"]), body["@odata.count"]) == (10_000, total)
    _, second = api.get(body["@odata.nextLink"], prefer=LARGE)
    first = body["value"][own]
    assert first["transc_user_id"] == FIRST
    assert second["value"][0]["transc_user_id"] == FIRST + 10_000 - own
    # Many rows share a timestamp.
    assert len({row[TOUCHED] for row in second["value"]}) <= 11


def test_rows_touched_since_are_found_without_a_full_scan(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["bulk"]({"transcripts": ROWS, "users": USERS})
    rows = api.get(
        "transcript_core", {**CHOSEN, "$filter": f"{TOUCHED} ge 2026-06-16T12:00:00Z", "$count": "true"}, prefer=LARGE
    )[1]
    assert min(row[TOUCHED] for row in rows["value"]) >= "2026-06-16T12:00:00"
    assert 6_000 < rows["@odata.count"] < 11_000
    earlier = {**CHOSEN, "$filter": f"{TOUCHED} ge 2026-06-16T00:00:00Z and {TOUCHED} lt 2026-06-16T12:00:00Z"}
    assert max(row[TOUCHED] for row in api.rows("transcript_core", earlier, prefer=LARGE)) < "2026-06-16T12:00:00"
    _, body = api.get("transcript_core", {"$filter": f"{TOUCHED} ge 2099-01-01T00:00:00Z", "$count": "true"})
    assert body["@odata.count"] == 0


def test_generated_users_and_transcripts_are_found_by_key(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["bulk"]({"transcripts": ROWS, "users": USERS})
    assert api.get(f"users_core({FIRST + 99_999})")[1]["user_login"] == "bulk.99999"
    assert api.get(f"users_core({FIRST + 100_000})")[0] == 404
    rows = api.get("transcript_core", CHOSEN, prefer=LARGE)[1]["value"]
    key = rows[-1]
    found = api.get(f"transcript_core({key[KEY[0]]},{key[KEY[1]]},{key[KEY[2]]})")[1]
    assert {name: found[name] for name in KEY} == {name: key[name] for name in KEY}


def test_other_filters_time_out_on_large_tables_only(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["bulk"]({"transcripts": 1_000_000})
    assert api.get("transcript_core", {"$filter": f"transc_user_id eq {FIRST}"})[0] == 500
    assert api.get("vw_rpt_transcript", {"$orderby": "reg_num"})[0] == 500
    api.controls["bulk"]({"transcripts": 20_000, "users": 10})
    assert len(api.rows("transcript_core", {"$filter": f"transc_user_id eq {FIRST}"})) == 2_000


def test_a_server_serves_generated_rows_and_failures(sandbox: Any) -> None:
    url = f"{sandbox.url}/cornerstone"
    given = {
        "clientId": "sandbox-client",
        "clientSecret": "sandbox-secret",
        "grantType": "client_credentials",
        "scope": "all",
    }
    token = requests.post(f"{url}/services/api/oauth2/token", json=given, timeout=60).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Prefer": "odata.maxpagesize=500"}
    counts = sandbox.counts("cornerstone")
    assert len(counts) == 375 + 23
    assert sandbox.control("cornerstone/bulk", users=900) == {
        "users": 900,
        "transcripts": 0,
        "tables": ["transcript_core", "users_core", "vw_rpt_transcript", "vw_rpt_user"],
    }
    rows = []
    link = f"{url}/services/api/x/dataexporter/api/objects/users_core"
    while link:
        body = requests.get(link, headers=headers, timeout=60, allow_redirects=False).json()
        rows += body["value"]
        link = body.get("@odata.nextLink")
    assert len(rows) == counts["users_core"] + 900
    assert rows == sandbox.records("cornerstone", "users_core")
    logged = sandbox.requests()[-1]
    assert logged["headers"]["prefer"] == "odata.maxpagesize=500"
    path = "/cornerstone/services/api/x/dataexporter/api/objects/users_core"
    sandbox.control("fault", path=path, kind="truncated")
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(f"{sandbox.url}{path}", headers=headers, timeout=60).json()
    sandbox.control("revoke", vendor="cornerstone", permission="obj_users_core:read")
    assert requests.get(f"{sandbox.url}{path}", headers=headers, timeout=60).status_code == 401
    with pytest.raises(ValueError, match="There is no stream"):
        sandbox.control("cornerstone/failure", stream="nothing")
