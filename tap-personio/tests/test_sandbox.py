"""Whole runs against the sandbox: counts, values, increments, permissions, faults."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest import RunError
from singer_rest.testing import capture_stdout
from tap_personio.tap import TapPersonio
from tap_personio.testing import BY_DEFAULT, KEYS, differing_fields, index_by_key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

SOME = ("persons", "employments", "org_units")
PERSONS, EMPLOYMENTS = "/personio/v2/persons", "/personio/v2/persons/"


def personio_url(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/personio"


def requests_for(sandbox: Sandbox, path: str) -> list[dict[str, Any]]:
    return [request["query"] for request in sandbox.requests() if request["path"].startswith(path)]


def expected_counts(sandbox: Sandbox, *streams: str) -> dict[str, int]:
    """Returns the number of rows of the given streams, or of the default ones."""
    return {stream: rows for stream, rows in sandbox.counts("personio").items() if stream in (streams or BY_DEFAULT)}


def all_settings(sandbox: Sandbox) -> dict[str, Any]:
    """Returns the settings that turn on all optional streams."""
    return {
        "optional_streams": ["*"],
        "careers_url": f"{sandbox.url}/personio-careers",
        "legacy_v1_streams": True,
    }


def test_every_row_and_value_of_every_stream_arrives(run: Callable[..., Any], sandbox: Sandbox) -> None:
    output = run(personio_url(sandbox), discover=True, **all_settings(sandbox))
    counts = sandbox.counts("personio")
    assert set(counts) == set(KEYS), f"add to the sandbox or the tap: {sorted(set(counts) ^ set(KEYS))}"
    assert output.counts() == {stream: count for stream, count in counts.items() if count}
    for stream, count in counts.items():
        records = {key_of(stream, record): record for record in output.records(stream)}
        assert len(records) == count
        for key, row in index_by_key(stream, sandbox.records("personio", stream)).items():
            if key not in records:  # only months before the default window may be missing
                assert stream == "compensations"
                assert row["month"] < "2021-12-31"
                continue
            assert differing_fields(stream, row, records[key]) == set(), stream


def test_employments_have_the_person_id(run: Callable[..., Any], sandbox: Sandbox) -> None:
    for record in run(personio_url(sandbox), "employments").records("employments"):
        assert record["person_id"] == record["person"]["id"]


def test_second_run_requests_changes_with_a_lookback(run: Callable[..., Any], sandbox: Sandbox) -> None:
    first = run(personio_url(sandbox))
    sandbox.clear_requests()
    second = run(personio_url(sandbox), state=first.state)
    persons = [query for query in requests_for(sandbox, PERSONS) if "updated_at.gt" in query]
    employments = requests_for(sandbox, EMPLOYMENTS)
    people = expected_counts(sandbox)["persons"]
    assert persons
    assert len(employments) >= people
    assert all("updated_at.gt" in query for query in employments)
    assert all(
        "updated_at.gte" in query or "cursor" in query
        for query in requests_for(sandbox, "/personio/v2/absence-periods")
    )
    months = {
        query["start_date"] for query in requests_for(sandbox, "/personio/v2/compensations") if "start_date" in query
    }
    assert len(months) == 4
    assert max(months) == first.state["bookmarks"]["compensations"]["replication_key_value"][:10]
    assert second.counts().get("persons", 0) < people
    for stream in ("persons", "employments", "absence_periods", "compensations"):
        assert second.state["bookmarks"][stream] == first.state["bookmarks"][stream]
        assert second.messages_of("ACTIVATE_VERSION", stream) == []


def test_rows_within_the_second_of_the_bookmark_are_repeated(run: Callable[..., Any], sandbox: Sandbox) -> None:
    first = run(personio_url(sandbox), "persons")
    latest = first.state["bookmarks"]["persons"]["replication_key_value"]
    sharing = {record["id"] for record in first.records("persons") if record["updated_at"] == latest}
    second = run(personio_url(sandbox), "persons", state=first.state)
    assert sharing
    assert sharing <= {record["id"] for record in second.records("persons")}


def test_only_changes_are_read_and_the_bookmark_advances(run: Callable[..., Any], sandbox: Sandbox) -> None:
    first = run(personio_url(sandbox), "persons", "employments")
    person = first.records("persons")[0]
    employment = first.records("employments")[0]
    sandbox.control("edit", kind="person", id=person["id"], field="last_name", value="Changed")
    sandbox.control("edit", kind="employment", id=employment["id"], field="title", value="Astronaut")
    second = run(personio_url(sandbox), "persons", "employments", state=first.state)
    assert {"Changed"} == {row["last_name"] for row in second.records("persons") if row["id"] == person["id"]}
    assert {"Astronaut"} == {
        row["position"]["title"] for row in second.records("employments") if row["id"] == employment["id"]
    }
    for stream in ("persons", "employments"):
        before, after = (output.state["bookmarks"][stream]["replication_key_value"] for output in (first, second))
        assert after > before


def test_start_date_requests_later_changes_only(run: Callable[..., Any], sandbox: Sandbox) -> None:
    output = run(personio_url(sandbox), "persons", start_date="2026-01-01")
    assert all(record["updated_at"] >= "2026-01-01" for record in output.records("persons"))
    assert requests_for(sandbox, PERSONS)[0]["updated_at.gt"] == "2025-12-31T23:59:59Z"


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_missing_permission_of_any_form_skips_its_streams(
    run: Callable[..., Any], sandbox: Sandbox, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("revoke", vendor="personio", endpoint="/v2/absence-periods", status=status)
    output = run(personio_url(sandbox), "absence_periods", *SOME)
    assert output.counts() == expected_counts(sandbox, *SOME)
    refusals = [record.getMessage() for record in caplog.records if "cannot read" in record.getMessage()]
    assert len(refusals) == 1
    assert "personio:absences:read" in refusals[0]


def test_employments_are_skipped_without_the_permission_for_persons(run: Callable[..., Any], sandbox: Sandbox) -> None:
    sandbox.control("revoke", vendor="personio", permission="personio:persons:read")
    counts = run(personio_url(sandbox)).counts()
    assert "persons" not in counts
    assert "employments" not in counts
    assert counts["org_units"] == expected_counts(sandbox)["org_units"]


def test_disallowed_updated_at_causes_a_full_table_and_one_warning(
    run: Callable[..., Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("allow-list", vendor="personio", attribute="persons.updated_at", allowed=False)
    first = run(personio_url(sandbox), "persons")
    assert caplog.text.count("have no updated_at") == 1
    sandbox.clear_requests()
    second = run(personio_url(sandbox), "persons", state=first.state)
    assert second.counts() == first.counts()
    assert not any("updated_at.gt" in query for query in requests_for(sandbox, PERSONS))


def test_wrong_credentials_are_reported_in_one_sentence(run: Callable[..., Any], sandbox: Sandbox) -> None:
    with pytest.raises(RunError, match="rejects the credentials") as error:
        run(personio_url(sandbox), client_secret="wr0ng")
    assert "wr0ng" not in str(error.value)
    assert len(requests_for(sandbox, "/personio/v2/auth")) == 1


def test_tokens_that_expire_during_a_run_are_renewed(run: Callable[..., Any]) -> None:
    with running(employees=10, requests_per_minute=600_000, token_ttl=1, latency_ms=50) as sandbox:
        assert run(personio_url(sandbox), max_concurrency=2).counts() == expected_counts(sandbox)
        assert len(requests_for(sandbox, "/personio/v2/auth/token")) > 1


def test_token_revoked_by_the_vendor_is_renewed_once(run: Callable[..., Any], sandbox: Sandbox) -> None:
    sandbox.control("fault", path=PERSONS, kind="status", status=401, times=1)
    assert run(personio_url(sandbox), *SOME).counts() == expected_counts(sandbox, *SOME)
    assert len(requests_for(sandbox, "/personio/v2/auth/token")) == 2


def test_one_failure_in_ten_requests_loses_nothing(run: Callable[..., Any]) -> None:
    with running(employees=20, requests_per_minute=600_000, fault_rate=0.1) as sandbox:
        output = run(personio_url(sandbox))
        assert output.counts() == expected_counts(sandbox)
        assert len({row["id"] for row in output.records("persons")}) == output.counts()["persons"]


@pytest.mark.parametrize("kind", ["truncated", "drop", "html"])
def test_truncated_page_is_requested_again_and_emitted_once(
    run: Callable[..., Any], sandbox: Sandbox, kind: str
) -> None:
    sandbox.control("fault", path="/personio/v2/compensations", kind=kind, times=3, after=5)
    assert run(personio_url(sandbox), "compensations").counts() == expected_counts(sandbox, "compensations")


def test_stream_that_fails_on_page_two_keeps_its_bookmark(run: Callable[..., Any], sandbox: Sandbox) -> None:
    first = run(personio_url(sandbox), "absence_periods", *SOME)
    state = json.loads(json.dumps(first.state))
    state["bookmarks"]["absence_periods"]["replication_key_value"] = "2020-01-01T00:00:00Z"
    sandbox.control("fault", path="/personio/v2/absence-periods", kind="status", status=422, times=None, after=1)
    fails: list[Exception] = []
    second = run(personio_url(sandbox), "absence_periods", *SOME, state=state, fails=fails)
    assert "absence_periods" in str(fails[0])
    assert len(second.records("absence_periods")) == 100
    assert second.state["bookmarks"]["absence_periods"] == state["bookmarks"]["absence_periods"]
    assert second.counts()["org_units"] == first.counts()["org_units"]


@pytest.mark.parametrize("style", ["absolute", "relative", "cursor-only", "wrong-path", "other-domain"])
@pytest.mark.parametrize("stream", ["persons", "employments", "absence_periods", "compensations", "org_units"])
def test_next_links_of_every_style_lead_to_every_row(
    run: Callable[..., Any], sandbox: Sandbox, style: str, stream: str
) -> None:
    paths = {
        "persons": "/v2/persons",
        "employments": "/v2/persons/{person_id}/employments",
        "absence_periods": "/v2/absence-periods",
        "compensations": "/v2/compensations",
        "org_units": "/v2/org-units",
    }
    sandbox.control("links", vendor="personio", path=paths[stream], style=style)
    assert run(personio_url(sandbox), stream).counts() == {stream: expected_counts(sandbox)[stream]}


@pytest.mark.parametrize(("style", "sentence"), [("foreign", "another host"), ("repeated", "leads back")])
def test_disallowed_next_links_fail_their_stream(
    run: Callable[..., Any], sandbox: Sandbox, style: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("links", vendor="personio", path="/v2/absence-periods", style=style)
    fails: list[Exception] = []
    output = run(personio_url(sandbox), "absence_periods", *SOME, fails=fails)
    assert "1 of 4 streams failed: absence_periods" in str(fails[0])
    assert sentence in caplog.text
    counts = output.counts()
    assert {stream: counts[stream] for stream in SOME} == expected_counts(sandbox, *SOME)


def test_record_on_two_pages_is_counted(
    run: Callable[..., Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("duplicate", vendor="personio", stream="absence_periods")
    run(personio_url(sandbox), "absence_periods")
    assert "absence_periods: 1 records repeat the key" in caplog.text


def test_many_persons_cause_one_schema_per_stream_and_a_small_state(run: Callable[..., Any]) -> None:
    sizes = []
    for persons in (10, 60):
        with running(employees=persons, requests_per_minute=600_000) as sandbox:
            output = run(personio_url(sandbox))
            assert output.counts() == expected_counts(sandbox)
            assert len(output.messages_of("SCHEMA")) == len(BY_DEFAULT)
            sizes.append(len(json.dumps(output.state)))
    assert sizes[1] <= sizes[0] + 100


def test_secrets_and_persons_reach_neither_log_nor_state(
    run: Callable[..., Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.control("fault", path="/personio/v2/org-units", kind="status", status=422, times=None)
    sandbox.control("revoke", vendor="personio", endpoint="/v2/absence-types")
    output = run(personio_url(sandbox), fails=[])
    shown = caplog.text + json.dumps(output.state)
    assert "sandbox-secret" not in shown
    assert "papi-" not in shown
    assert not any(row["email"] in shown or f" {row['last_name']} " in shown for row in output.records("persons"))


def test_connection_test_sends_few_requests_and_a_signal_is_no_success(sandbox: Sandbox) -> None:
    config = {"api_url": personio_url(sandbox), "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    tap = TapPersonio(config={**config, **all_settings(sandbox)})
    with capture_stdout():
        assert tap.run_connection_test()
    assert len(sandbox.requests()) < 3 * len(KEYS)
    with pytest.raises(SystemExit) as stopped:
        tap._handle_termination(15, None)
    assert stopped.value.code == 143
