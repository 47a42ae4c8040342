"""Injected faults: truncated bodies, HTML pages, slow responses, errors on large pages only."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hr_sandbox.http.arguments import ControlError

SIZE = "odata.maxpagesize=40"
EMPLOYEES = "/services/api/x/users/v2/employees"


def complete_body(api: Any) -> str:
    return str(api.request("user_ou_core", prefer=SIZE).body.decode())


@pytest.mark.parametrize(
    ("form", "ending"),
    [
        ("error", '},{"error":{"code":"","message":"An error has occurred."}}'),
        ("html", "}<!DOCTYPE html><html><body>Runtime Error</body></html>"),
    ],
)
def test_a_body_that_fails_midway(make_cornerstone: Any, form: str, ending: str) -> None:
    api = make_cornerstone()
    good = complete_body(api)
    api.controls["failure"]({"stream": "user_ou_core", "form": form})
    answer = api.request("user_ou_core", prefer=SIZE)
    text = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; odata.metadata=minimal")
    assert text.endswith(ending)
    begun = text.removesuffix(ending.removeprefix("}"))
    assert good.startswith(begun.rstrip(","))
    assert 15 < begun.count('"user_id"') < 25
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert json.loads(complete_body(api))["value"] == json.loads(good)["value"]


def test_a_truncated_body_is_the_start_of_the_complete_one(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    good = complete_body(api)
    api.controls["failure"]({"stream": "user_ou_core", "form": "cut"})
    broken = complete_body(api)
    assert good.startswith(broken)
    assert len(broken) < len(good)


def test_an_empty_table_fails_too(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "vw_rpt_nasd", "form": "error"})
    assert (
        api.request("vw_rpt_nasd")
        .body.decode()
        .endswith('"value":[{"error":{"code":"","message":"An error has occurred."}}')
    )


@pytest.mark.parametrize(
    ("form", "status", "media_type"),
    [
        ("only-error", 200, "application/json"),
        ("page", 200, "text/html"),
        ("login", 302, "text/html"),
        ("json-500", 500, "application/json"),
        ("xml-500", 500, "application/xml"),
        ("html-500", 500, "text/html"),
        ("timeout", 504, "text/html"),
    ],
)
def test_a_failure_can_replace_the_response_once(
    make_cornerstone: Any, form: str, status: int, media_type: str
) -> None:
    api = make_cornerstone()
    for stream, path in (("users_core", "users_core"), ("employees", EMPLOYEES)):
        api.controls["failure"]({"stream": stream, "form": form})
        answer = api.request(path)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (status, media_type)
        assert api.request(path).status == 200


def test_a_redirect_leads_to_a_login_page(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "users_core", "form": "login"})
    target = api.request("users_core").headers["location"]
    followed = api.request(target)
    assert (followed.status, b"<form" in followed.body) == (200, True)


def test_large_pages_fail_and_smaller_ones_do_not(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "user_ou_core", "form": "error", "times": None, "above": 100})
    for size, good in ((1000, False), (500, False), (250, False), (100, True), (101, False), (5, True)):
        answer = api.request("user_ou_core", prefer=f"odata.maxpagesize={size}")
        assert (answer.status, b'{"error"' not in answer.body) == (200, good)
    assert len(api.rows("user_ou_core", prefer="odata.maxpagesize=60")) == api.vendor.count_rows(
        "user_ou_core", None, None
    )
    assert api.controls["clear-failures"]({}) == {"cleared": 1}
    assert b'{"error"' not in api.request("user_ou_core").body


def test_a_failure_starts_after_some_requests_and_lasts_for_some(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "users_core", "form": "json-500", "after": 1, "times": 2})
    assert [api.request("users_core").status for _ in range(4)] == [200, 500, 500, 200]


def test_error_responses_do_not_use_up_failures(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    for stream in ("users_core", "employees"):
        api.controls["failure"]({"stream": stream, "form": "json-500"})
    assert api.request("users_core", {"$skip": "1"}).status == 400
    assert api.request(EMPLOYEES, authorization="Bearer none").status == 401
    assert [api.request(path).status for path in ("users_core", EMPLOYEES)] == [500, 500]


def test_a_slow_response_takes_its_seconds_once(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "users_core", "form": "slow", "seconds": 7})
    assert [api.request("users_core").seconds for _ in range(2)] == [7, 0]


def test_invalid_failures_are_rejected(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    for body in (
        {"stream": "nothing", "form": "error"},
        {"stream": "users_core", "form": "other"},
        {"stream": "users_core", "times": 0},
        {"stream": "users_core", "above": -1},
        {"stream": "users_core", "more": 1},
    ):
        with pytest.raises(ControlError):
            api.controls["failure"](body)


CATALOG = "/services/api/Catalog/GlobalSearch"


def test_a_missing_or_failed_row_does_not_change_the_total(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    good = json.loads(api.request(CATALOG).body)
    for form in ("short", "failed-item"):
        api.vendor.rest.context.busy_until = 0  # the previous search has ended
        api.controls["failure"]({"stream": "catalog", "form": form})
        odd = json.loads(api.request(CATALOG).body)
        assert odd["totalRecords"] == good["totalRecords"]
        rows = good["data"][:-1] if form == "short" else [{"Result": "Failure", "Reason": "Not available"}]
        assert odd["data"][: len(rows)] == rows
        assert len(odd["data"]) == len(good["data"]) - (form == "short")


@pytest.mark.parametrize(("form", "status"), [("no-content", 204), ("nothing", 200)])
def test_a_response_can_lack_a_body(make_cornerstone: Any, form: str, status: int) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "employees", "form": form})
    answer = api.request(EMPLOYEES)
    assert (answer.status, answer.body) == (status, b"")


def test_reports_can_be_truncated_or_contain_invalid_bytes(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    jobs = api.vendor.list_records("bulk_jobs", None, None, "")
    one = next(row for job in jobs for row in job["imports"] if row["total_records"] > 3)
    path = f"/services/api/x/bulk-api/v1/imports/{one['id']}/report"
    good = api.request(path).body
    answers = {}
    for form in ("gzip-cut", "line-cut", "stray-byte"):
        api.controls["failure"]({"stream": "bulk_import_reports", "form": form})
        answers[form] = api.request(path)
    assert answers["gzip-cut"].headers["content-encoding"] == "gzip"
    begun = zlib.decompressobj(wbits=31).decompress(answers["gzip-cut"].body)
    assert good.startswith(begun)
    assert len(begun) < len(good)
    assert answers["line-cut"].body == b"".join(good.splitlines(keepends=True)[:-1])
    assert answers["stray-byte"].body == good[:-1] + b"\xe4\n"


def test_a_mode_changes_the_spelling_of_the_trainings_id(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    rows = api.vendor.list_records("transcripts", None, None, "")
    api.vendor.set_mode("transcripts", "LoId")
    others = api.vendor.list_records("transcripts", None, None, "")
    assert [row["LOID"] for row in rows] == [row["LoId"] for row in others]
    assert "LOID" not in others[0]
