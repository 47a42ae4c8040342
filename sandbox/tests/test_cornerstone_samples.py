"""Bodies have the structure of the vendor's published ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hr_sandbox.http.messages import Request

SAMPLES = os.environ.get("VENDOR_SAMPLES")
V2 = "/services/api/x/users/v2/employees"
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"

pytestmark = pytest.mark.skipif(not SAMPLES, reason="VENDOR_SAMPLES does not say where the vendors' bodies are")


def read_sample(name: str) -> Any:
    return json.loads((Path(SAMPLES or "") / "cornerstone" / f"{name}.json").read_text())


def repeat_request(api: Any, theirs: Any, path: str | None = None, **more: str) -> Any:
    """Returns the sandbox's response to the request of a sample."""
    asked = theirs["request"]
    parts = urlsplit(asked["url"])
    given = {name: text for name, text in asked.get("headers", {}).items() if name != "Authorization"}
    headers = {**api.headers, **{name.lower(): text for name, text in given.items()}, **more}
    query = tuple(parse_qsl(parts.query))
    return api.vendor.handle(Request("GET", path or parts.path, query, headers, root="https://corpname.csod.com"))


def shape_of(value: Any) -> Any:
    """Returns names and types. A list is described by its first element."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize(
    "name",
    [
        "dataexporter_track_changes_unsupported",
        "reporting_404_unknown_view",
        "employee_v1_error",
    ],
)
def test_error_responses_match_the_samples(cornerstone: Any, name: str) -> None:
    theirs = read_sample(name)
    ours = repeat_request(cornerstone, theirs)
    assert ours.status == theirs["response"]["status"]
    assert shape_of(json.loads(ours.body)) == shape_of(theirs["response"]["body"])
    kind = theirs["response"]["headers"]["Content-Type"]
    assert ours.headers["content-type"] == kind


def test_rejected_requests_match_the_samples(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    theirs = read_sample("reporting_401")
    ours = repeat_request(api, theirs, authorization="Bearer none")
    assert (ours.status, shape_of(json.loads(ours.body))) == (401, shape_of(theirs["response"]["body"]))
    assert json.loads(ours.body)["error"]["message"] == theirs["response"]["body"]["error"]["message"]
    api.vendor.access.revoke(permission="vw_rpt_user:read", endpoint=None, status=403)
    ours, theirs = repeat_request(api, read_sample("reporting_403")), read_sample("reporting_403")
    assert (ours.status, shape_of(json.loads(ours.body))) == (403, shape_of(theirs["response"]["body"]))
    api.controls["throttling"]({"on": True, "stream": "vw_rpt_user", "per_minute": 0})
    ours, theirs = repeat_request(api, read_sample("reporting_429")), read_sample("reporting_429")
    assert (ours.status, shape_of(json.loads(ours.body))) == (429, shape_of(theirs["response"]["body"]))
    assert {name.lower() for name in theirs["response"]["headers"]} <= ours.headers.keys()


def test_token_responses_match_the_samples(cornerstone: Any) -> None:
    theirs = read_sample("oauth2_token_ok")
    assert theirs["request"]["body"].keys() == {"clientId", "clientSecret", "grantType", "scope"}
    assert shape_of(json.loads(cornerstone.sign_in().body)) == shape_of(theirs["response"]["body"])
    refused = cornerstone.sign_in(clientSecret="x")
    theirs = read_sample("oauth2_token_bad_credentials")["response"]
    assert (refused.status, json.loads(refused.body)) == (theirs["status"], theirs["body"])


@pytest.mark.parametrize("name", ["reporting_service_document", "reporting_count"])
def test_documents_match_the_samples(cornerstone: Any, name: str) -> None:
    theirs = read_sample(name)
    ours = repeat_request(cornerstone, theirs)
    assert shape_of(json.loads(ours.body)) == shape_of(theirs["response"]["body"])
    assert ours.headers["content-type"] == theirs["response"]["headers"]["Content-Type"]
    assert ours.headers["odata-version"] == theirs["response"]["headers"]["OData-Version"]


@pytest.mark.parametrize("name", ["reporting_metadata", "dataexporter_metadata"])
def test_metadata_contains_that_of_the_samples(cornerstone: Any, name: str) -> None:
    theirs = read_sample(name)
    ours = ET.fromstring(repeat_request(cornerstone, theirs).body)  # noqa: S314  written by the sandbox
    published = ET.fromstring(theirs["response"]["body_text"])  # noqa: S314  known
    assert ours.tag == published.tag
    mine = {row.attrib["Name"]: row for row in ours.iter(f"{EDM}EntityType")}
    for row in published.iter(f"{EDM}EntityType"):
        other = mine[row.attrib["Name"]]
        keys = [[part.attrib["Name"] for part in tree.iter(f"{EDM}PropertyRef")] for tree in (row, other)]
        assert keys[0] == keys[1]
        columns = {part.attrib["Name"]: part.attrib for part in other.iter(f"{EDM}Property")}
        for part in row.iter(f"{EDM}Property"):
            found = columns[part.attrib["Name"]]
            # Numbers of unknown type are decimals.
            assert found["Type"] == part.attrib["Type"] or part.attrib["Type"] == "Edm.Decimal"
            assert found.get("Nullable") == part.attrib.get("Nullable")
    terms = [
        {
            (row.attrib["Target"], note.attrib["Term"], note.attrib.get("Bool") or note.attrib["String"])
            for row in tree.iter(f"{EDM}Annotations")
            for note in row
        }
        for tree in (published, ours)
    ]
    assert terms[0] <= terms[1]


def test_changes_match_the_samples(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    theirs = read_sample("dataexporter_track_changes_first")
    ours = repeat_request(api, theirs)
    body = json.loads(ours.body)
    assert shape_of(body) == shape_of(theirs["response"]["body"])
    assert body["@odata.context"] == theirs["response"]["body"]["@odata.context"]
    assert ours.headers["preference-applied"] == theirs["response"]["headers"]["Preference-Applied"]
    theirs = read_sample("dataexporter_delta")["response"]["body"]
    row, other = body["value"][:2]
    api.controls["delete"]({"stream": "user_ou_core", "id": f"{row['user_id']},{row['ou_id']}"})
    api.controls["touch"]({"stream": "user_ou_core", "id": f"{other['user_id']},{other['ou_id']}"})
    _, found = api.get(body["@odata.deltaLink"])
    assert [shape_of(part) for part in found["value"]] == [shape_of(part) for part in theirs["value"]]
    assert set(found) == set(theirs)


@pytest.mark.parametrize(("name", "form"), [("midstream_error_json", "error"), ("midstream_error_html", "html")])
def test_truncated_responses_end_like_the_samples(make_cornerstone: Any, name: str, form: str) -> None:
    api = make_cornerstone()
    api.controls["failure"]({"stream": "vw_rpt_transcript", "form": form})
    theirs = read_sample(f"reporting_{name}")
    ours = repeat_request(api, theirs)
    end = theirs["response"]["body_text"].rpartition('0033333Z"}')[2]
    assert ours.body.decode().endswith(f"}}{end}")
    assert ours.status == theirs["response"]["status"]


def test_lowercase_links_and_html_pages_match_the_samples(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.set_links("vw_rpt_user", "lowercase")
    theirs = read_sample("reporting_page_nextlink_lowercase")
    ours = json.loads(repeat_request(api, theirs, prefer="odata.maxpagesize=1").body)
    assert set(ours) == set(theirs["response"]["body"])
    theirs = read_sample("reporting_302_missing_question_mark")
    asked = urlsplit(theirs["request"]["url"]).path
    answer = repeat_request(api, theirs, asked)
    assert (answer.status, answer.headers["location"]) == (302, theirs["response"]["headers"]["Location"])
    for name, form in (("reporting_500_json", "json-500"), ("reporting_500_xml", "xml-500")):
        api.controls["failure"]({"stream": "vw_rpt_transcript", "form": form})
        theirs, ours = read_sample(name)["response"], repeat_request(api, read_sample(name))
        assert (ours.status, ours.headers["content-type"]) == (500, theirs["headers"]["Content-Type"])
        if "body" in theirs:
            assert shape_of(json.loads(ours.body)) == shape_of(theirs["body"])
        else:
            assert ours.body.decode() == theirs["body_text"]


def test_employees_have_the_fields_of_the_samples(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    theirs = read_sample("employee_v2_page1")["response"]["body"]
    ours = json.loads(repeat_request(api, read_sample("employee_v2_page1")).body)
    assert set(ours) == set(theirs)
    assert set(theirs["data"][0]) <= set(ours["data"][0])
    last = json.loads(repeat_request(api, {"request": {"url": "https://x/?status=active&lastName=nobody"}}, V2).body)
    assert last["nextpagetoken"] is read_sample("employee_v2_page2_last")["response"]["body"]["nextpagetoken"]
    api.vendor.set_mode("employees", "bare")
    bare = read_sample("employee_v2_bare_array")["response"]["body"]
    ours = json.loads(repeat_request(api, {"request": {"url": "https://x/"}}, V2).body)
    assert set(bare[0]) <= set(ours[0])


def test_employees_of_version_1_have_the_fields_of_the_samples(cornerstone: Any) -> None:
    theirs = read_sample("employee_v1_bulk")["response"]["body"]
    ours = json.loads(repeat_request(cornerstone, read_sample("employee_v1_bulk")).body)
    assert set(ours["data"]) == set(theirs["data"])
    assert set(ours["data"]["employees"][0]) == set(theirs["data"]["employees"][0])
    number = ours["data"]["employees"][0]["id"]
    theirs = read_sample("employee_v1_single")
    ours = json.loads(repeat_request(cornerstone, theirs, f"/services/api/x/users/v1/employees/{number}").body)
    published = theirs["response"]["body"]["data"]
    assert set(ours["data"]) == set(published)
    assert set(ours["data"]["customFields"][0]) == set(published["customFields"][0])
    assert set(ours["data"]["ous"][0]) == set(published["ous"][0])


def test_units_have_the_fields_of_the_samples(cornerstone: Any) -> None:
    theirs = read_sample("ous_page")["response"]["body"]
    ours = json.loads(repeat_request(cornerstone, read_sample("ous_page")).body)
    assert set(ours) == set(theirs)
    assert set(theirs["data"][0]) | {"customFields"} == set(ours["data"][0])


def test_bulk_jobs_and_reports_match_the_samples(cornerstone: Any) -> None:
    theirs = read_sample("bulk_jobs_page")
    ours = repeat_request(
        cornerstone, {"request": {"url": "https://x/?page_size=100"}}, urlsplit(theirs["request"]["url"]).path
    )
    assert shape_of(json.loads(ours.body)) == shape_of(theirs["response"]["body"])
    ours = repeat_request(cornerstone, read_sample("bulk_permissions"))
    assert shape_of(json.loads(ours.body)) == shape_of(read_sample("bulk_permissions")["response"]["body"])
    import_id = cornerstone.vendor.list_records("bulk_imports", None, None, "")[1]["id"]
    path = f"/services/api/x/bulk-api/v1/imports/{import_id}/errors"
    theirs = read_sample("bulk_report_csv")["response"]
    ours = repeat_request(cornerstone, {"request": {"url": "https://x/"}}, path)
    assert ours.headers["content-type"] == theirs["headers"]["Content-Type"]
    assert ours.body.decode().splitlines()[0] == theirs["body_text"].splitlines()[0]


def test_older_services_return_xml(cornerstone: Any) -> None:
    theirs = read_sample("rest_xml_by_default")
    ours = repeat_request(cornerstone, theirs, accept="*/*")
    assert ours.headers["content-type"] == theirs["response"]["headers"]["Content-Type"]
    trees = [ET.fromstring(text) for text in (ours.body.decode(), theirs["response"]["body_text"])]  # noqa: S314
    assert {row.tag for row in trees[1].iter()} <= {row.tag for row in trees[0].iter()}
