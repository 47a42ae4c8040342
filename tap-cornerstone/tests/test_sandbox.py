"""Whole runs over the OData services of the sandbox: rows, values, increments, deletions, failures, scopes."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import running
from singer_rest.testing import Output, differing_fields
from tap_cornerstone.odata.stream import ODataStream
from tap_cornerstone.tap import DEFAULT_OBJECTS, DEFAULT_VIEWS, TapCornerstone
from tap_cornerstone.testing import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

ALL = {"objects": ["*"], "views": ["*"]}


def requests_of(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [request for request in sandbox.requests() if request["path"].rpartition("/")[2].partition("(")[0] == name]


def odata_keys(output: Output) -> dict[str, tuple[str, ...]]:
    """Keys of the views and objects that were read."""
    found = {message["stream"]: tuple(message["key_properties"]) for message in output.messages_of("SCHEMA")}
    return {name: key for name, key in found.items() if name.startswith("vw_") or "_core" in name or "scorm" in name}


def assert_same_rows(output: Output, sandbox: Sandbox) -> int:
    """Asserts that every row and value of every view and object arrived. Returns the number of rows."""
    rows = 0
    for stream, key in odata_keys(output).items():
        sent = sandbox.records("cornerstone", stream)
        records = output.records(stream)
        assert len(records) == len(sent), stream
        rows += len(sent)
        if not key:
            continue
        found = {key_of(key, record): record for record in records}
        assert len(found) == len(records), stream
        for body in sent:
            record = found[key_of(key, body)]
            wrong = differing_fields(body, record)
            assert {name: (body[name], record.get(name)) for name in wrong} == {}, stream
    return rows


def test_every_row_and_value_of_every_view_and_object_arrives(run: Any, sandbox: Sandbox, url: str) -> None:
    output = run(url, **ALL)
    assert len(odata_keys(output)) == 375
    assert assert_same_rows(output, sandbox) > 10_000


def test_people_units_training_and_transcripts_are_available_by_default(url: str) -> None:
    assert DEFAULT_OBJECTS
    assert DEFAULT_VIEWS
    tap = TapCornerstone(config={"api_url": url, "client_id": "sandbox-client", "client_secret": "sandbox-secret"})
    for name in ("users_core", "users_cf_core", "ou_core", "training_core", "transcript_core", "vw_rpt_user_cf"):
        assert name in tap.streams
    assert "goal_core" not in tap.streams


def test_second_run_requests_modified_rows_and_tracked_changes(run: Any, sandbox: Sandbox, url: str) -> None:
    streams = ("users_core", "user_ou_core", "vw_rpt_transcript", "vw_rpt_user_cf")
    config = {"objects": ["user*_core"], "views": ["vw_rpt_transcript", "vw_rpt_user_cf"]}
    first = run(url, *streams, **config)
    sandbox.clear_requests()
    second = run(url, *streams, state=first.state, **config)
    assert "$filter" in requests_of(sandbox, "users_core")[0]["query"]
    assert "$filter" in requests_of(sandbox, "vw_rpt_transcript")[0]["query"]
    assert "deltatoken" in requests_of(sandbox, "user_ou_core")[0]["query"]
    assert "$filter" not in requests_of(sandbox, "vw_rpt_user_cf")[0]["query"]
    assert second.counts().get("user_ou_core", 0) == 0
    assert second.counts()["users_core"] < first.counts()["users_core"]


@pytest.mark.parametrize("shape", ["entity", "removed", "removed-id"])
def test_deletions_are_emitted_with_their_key_if_changes_are_tracked(
    run: Any, sandbox: Sandbox, url: str, shape: str
) -> None:
    config: dict[str, Any] = {"objects": ["user_ou_core"], "views": []}
    first = run(url, "user_ou_core", **config)
    record = first.records("user_ou_core")[3]
    sandbox.control("cornerstone/delta-shape", shape=shape)
    address = f"{record['user_id']},{record['ou_id']}"
    sandbox.control("cornerstone/delete", stream="user_ou_core", id=address)
    second = run(url, "user_ou_core", state=first.state, **config)
    (gone,) = second.records("user_ou_core")
    assert (gone["user_id"], gone["ou_id"]) == (record["user_id"], record["ou_id"])
    assert gone["_sdc_deleted_at"]
    assert run(url, "user_ou_core", state=second.state, **config).counts() == {}


def test_deletions_are_found_after_an_expired_delta_link_and_tracked_again(
    run: Any, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    config: dict[str, Any] = {"objects": ["user_ou_core"], "views": []}
    first = run(url, "user_ou_core", **config)
    addresses = [f"{record['user_id']},{record['ou_id']}" for record in first.records("user_ou_core")[3:5]]
    sandbox.control("cornerstone/delete", stream="user_ou_core", id=addresses[0])
    sandbox.control("cornerstone/expire-links", kind="delta")
    second = run(url, "user_ou_core", state=first.state, **config)
    assert "falling back to a full read, which also detects" in caplog.text
    assert assert_same_rows(second, sandbox) == first.counts()["user_ou_core"] - 1
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1
    sandbox.control("cornerstone/delete", stream="user_ou_core", id=addresses[1])
    (gone,) = run(url, "user_ou_core", state=second.state, **config).records("user_ou_core")
    assert f"{gone['user_id']},{gone['ou_id']}" == addresses[1]
    assert gone["_sdc_deleted_at"]


FORMS = ["error", "html", "cut", "only-error", "page", "json-500", "xml-500", "html-500", "timeout"]


@pytest.mark.parametrize("form", FORMS)
def test_large_pages_that_fail_are_read_in_smaller_ones(run: Any, sandbox: Sandbox, url: str, form: str) -> None:
    sandbox.control("cornerstone/failure", stream="transcript_core", form=form, times=None, above=400)
    output = run(url, "transcript_core", objects=["transcript_core"], views=[])
    assert assert_same_rows(output, sandbox) > 100
    sizes = [request["headers"].get("prefer") for request in requests_of(sandbox, "transcript_core")]
    assert "odata.maxpagesize=250" in str(sizes)


def test_rows_that_move_during_a_read_are_repeated_and_none_is_missing(
    run: Any, sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("cornerstone/short-pages", stream="user_ou_core", rows=100)
    key = ("user_id", "ou_id")
    expected = {key_of(key, row) for row in sandbox.records("cornerstone", "user_ou_core")}
    parse, moved = ODataStream.parse, []

    def moving(self: ODataStream, body: Any, request: Any) -> Any:
        if not moved:
            moved.extend(body["value"][:3])
            for row in moved:
                sandbox.control("cornerstone/touch", stream="user_ou_core", id=f"{row['user_id']},{row['ou_id']}")
        return parse(self, body, request)

    monkeypatch.setattr(ODataStream, "parse", moving)
    output = run(url, "user_ou_core", objects=["user_ou_core"], views=[])
    records = output.records("user_ou_core")
    assert {key_of(key, record) for record in records} == expected
    assert len(records) == len(expected) + 3
    assert "3 records repeat the key of an earlier one" in caplog.text


def test_missing_scope_skips_only_its_view(
    run: Any, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("revoke", vendor="cornerstone", permission="obj_users_core:read")
    output = run(url, "users_core", "ou_core", objects=["users_core", "ou_core"], views=[])
    assert set(output.counts()) == {"ou_core"}
    assert "users_core: the credential cannot read this stream; it needs the scope obj_users_core:read" in caplog.text


@pytest.mark.usefixtures("documented_limits")
def test_documented_limits_are_kept(run: Any) -> None:
    with running(employees=20) as limited:
        config: dict[str, Any] = {"objects": ["ou_*core"], "views": ["vw_rpt_transcript_c*"]}
        streams = ("ou_core", "ou_cf_core", "ou_hierarchy_core", "vw_rpt_transcript_curricula", "vw_rpt_transcript_cf")
        output = run(f"{limited.url}/cornerstone", *streams, **config)
        assert assert_same_rows(output, limited)
        assert not [request for request in limited.requests() if request["status"] == 429]


def test_expired_tokens_are_renewed(run: Any) -> None:
    with running(employees=20, requests_per_minute=600_000, token_ttl=1) as short:
        output = run(f"{short.url}/cornerstone", "users_core", "ou_core", objects=["users_core", "ou_core"], views=[])
        assert assert_same_rows(output, short)


def test_wrong_credentials_are_reported_in_one_sentence(run: Any, url: str) -> None:
    fails: list[Exception] = []
    run(url, client_secret="wrong", fails=fails)
    run(url, access_token="dead", views=[], objects=["users_core"], fails=fails)
    assert "Cornerstone rejects the credentials" in str(fails[0])
    assert "scope obj_metadata:read" in str(fails[1])


def test_records_and_credentials_reach_neither_log_nor_state(
    run: Callable[..., Any], sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    output = run(url, "users_core", objects=["users_core"], views=[])
    people = output.records("users_core")
    secrets = {str(person[name]) for person in people for name in ("user_name_last", "user_email")} - {
        "None",
        "User",
        "",
    }
    texts = caplog.text + json.dumps(output.state)
    assert "sandbox-secret" not in texts
    assert not [secret for secret in secrets if secret in texts]
