"""Cornerstone's webhooks: endpoints, batches of records, heartbeats and retries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

EVENTS = ["TrainingCompleted", "TrainingAssigned", "EmployeeCreated"]


@pytest.fixture
def start(pushing: Any, receiver: Any) -> Any:
    """Returns a function that verifies an endpoint and starts a webhook. It returns both."""

    def create(tier: str = "Large", **members: Any) -> tuple[Any, Any]:
        endpoint = pushing.control("cornerstone/endpoint", url=receiver.url, **members)
        assert endpoint["verified"]
        return endpoint, pushing.control("cornerstone/webhook", endpoint=endpoint["id"], events=EVENTS, tier=tier)

    return create


def train(sandbox: Any, **members: Any) -> Any:
    person = sandbox.records("personio", "persons")[0]["id"]
    return sandbox.control("cornerstone/training", person_id=person, **members)


def test_an_endpoint_must_be_verified(pushing: Any, receiver: Any) -> None:
    receiver.answer = lambda *_: 500
    endpoint = pushing.control("cornerstone/endpoint", url=receiver.url)
    assert not endpoint["verified"]
    with pytest.raises(ValueError, match="verified"):
        pushing.control("cornerstone/webhook", endpoint=endpoint["id"], events=EVENTS)
    receiver.answer = lambda *_: 200
    endpoint = pushing.control("cornerstone/endpoint", url=receiver.url, x_api_key="mine")
    assert endpoint["verified"]
    assert [headers["x-api-key"] for _, headers, _ in receiver.requests][1] == "mine"
    for body in (
        {"events": []},
        {"events": ["Other"]},
        {"events": EVENTS, "tier": "Huge"},
        {"events": EVENTS, "custom_headers": {f"X-{index}": "1" for index in range(5)}},
    ):
        with pytest.raises(ValueError, match=r"\.$"):
            pushing.control("cornerstone/webhook", endpoint=endpoint["id"], **body)


@pytest.mark.parametrize(
    ("gzip", "signature"),
    [
        (True, {"header": "x-sign", "encoding": "hex", "over": "compressed"}),
        (True, {"encoding": "base64", "over": "plain"}),
        (False, None),
    ],
    ids=str,
)
def test_records_are_compressed_and_signed(
    pushing: Any, receiver: Any, start: Any, settle: Any, *, gzip: bool, signature: Any
) -> None:
    endpoint, webhook = start(gzip=gzip, hmac=signature)
    train(pushing)
    settle(pushing, 2)
    _, headers, body = receiver.requests[1]
    raw = receiver.raw[1]
    assert headers["x-api-key"] == endpoint["x_api_key"]
    assert headers.get("content-encoding") == ("gzip" if gzip else None)
    assert (body["subscriptionId"], body["attemptNumber"]) == (webhook["id"], 1)
    if signature is None:
        assert "x-signature" not in headers
        return
    signed = (
        raw
        if signature["over"] == "compressed"
        else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    )
    digest = hmac.digest(base64.b64decode(endpoint["security_token"]), signed, hashlib.sha256)
    if signature["encoding"] == "hex":
        assert headers["x-sign"] == digest.hex()
    else:
        assert headers["x-signature"] == base64.b64encode(digest).decode()


def test_events_have_full_data_and_are_on_the_transcript(pushing: Any, receiver: Any, start: Any, settle: Any) -> None:
    start()
    before = pushing.counts("cornerstone")["transcript_core"]
    assigned = train(pushing, event="TrainingAssigned")
    done = train(pushing)
    assert (done["training"], done["reg_num"]) == (assigned["training"], assigned["reg_num"])
    person = pushing.control("hire")["changed"][0]["number"]
    wait_for(lambda: len(records_of(receiver)) == 3)
    first, second, hired = records_of(receiver)
    assert [row["offset"] for row in (first, second, hired)] == [0, 1, 2]
    value = second["value"]
    data = value["trainingCompleted"]["data"]
    assert (value["lmsEventsCase"], data["trainingId"]) == ("TrainingCompleted", done["training"])
    assert data["eventId"] == value["headers"]["messageId"]
    assert isinstance(data["targetUserId"], int)
    assert set(first["value"]) == {"headers", "lmsEventsCase", "trainingAssigned"}
    assert set(hired["value"]) == {"headers", "employeeCreated"}
    assert hired["value"]["employeeCreated"]["employeeId"] == person
    assert hired["value"]["employeeCreated"]["createEmployeeOus"]["changes"]
    rows = pushing.records("cornerstone", "transcript_core")
    row = next(
        row
        for row in rows
        if row["transc_object_id"] == done["training"]
        and row["reg_num"] == done["reg_num"]
        and row["transc_user_id"] == data["targetUserId"]
    )
    assert row["user_lo_status_id"] == 16  # completed
    assert pushing.counts("cornerstone")["transcript_core"] > before


def records_of(receiver: Any) -> list[Any]:
    return [row for body in receiver.bodies() for row in body.get("records", ())]


def wait_for(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_heartbeats_come_every_five_minutes(pushing: Any, receiver: Any, start: Any, settle: Any) -> None:
    _, webhook = start()
    pushing.control("push-clock", seconds=299)
    pushing.control("push-clock", seconds=1)
    settle(pushing, 2)
    (beat,) = receiver.bodies()[1:]
    assert (beat["records"], beat["subscriptionId"]) == ([], webhook["id"])
    if "VENDOR_SAMPLES" in os.environ:
        sample = json.loads((Path(os.environ["VENDOR_SAMPLES"]) / "cornerstone" / "webhook_heartbeat.json").read_text())
        assert beat.keys() == sample["response"]["body"].keys()
    pushing.control("cornerstone/webhook-status", id=webhook["id"], status="Stopped")
    pushing.control("push-clock", seconds=3_000)
    train(pushing)
    assert settle(pushing, 2)["requests"] == 2


@pytest.mark.parametrize(("tier", "tries"), [("Starter", 2), ("Small", 11)])
def test_a_webhook_fails_after_the_tries_of_its_tier(
    pushing: Any, receiver: Any, start: Any, *, tier: str, tries: int
) -> None:
    _, webhook = start(tier)
    receiver.answer = lambda number, _path: (408, 500, 502, 503, 504, None)[number % 6]
    train(pushing)
    wait_for(lambda: len(receiver.requests) > 1)
    pushing.control("push-settings", time_scale=20_000)  # not before: heartbeats would come first
    wait_for(lambda: status_of(pushing, webhook) == "Failed")
    assert [body["attemptNumber"] for body in receiver.bodies()[1:]] == list(range(1, tries + 1))
    receiver.answer = lambda *_: 200
    pushing.control("push-settings", time_scale=1)
    assert pushing.control("cornerstone/webhook-status", id=webhook["id"], status="Started")["status"] == "Started"
    train(pushing)
    wait_for(lambda: status_of(pushing, webhook) == "Running")


def status_of(sandbox: Any, webhook: Any) -> str:
    return str(sandbox.control("cornerstone/webhook-status", id=webhook["id"])["status"])


@pytest.mark.parametrize("status", [301, 400, 401, 429, 501])
def test_other_statuses_lose_the_batch(pushing: Any, receiver: Any, start: Any, status: int) -> None:
    _, webhook = start()
    receiver.answer = lambda *_: status
    train(pushing)
    wait_for(lambda: status_of(pushing, webhook) == "Failing")
    receiver.answer = lambda *_: 200
    train(pushing)
    wait_for(lambda: status_of(pushing, webhook) == "Running")
    assert [row["offset"] for row in records_of(receiver)] == [0, 1]


def test_records_may_be_repeated_or_lost(pushing: Any, receiver: Any, start: Any, settle: Any) -> None:
    start()
    pushing.control("push-settings", duplicates=1)
    train(pushing)
    wait_for(lambda: len(records_of(receiver)) == 2)
    first, second = records_of(receiver)
    assert (first["value"], first["offset"]) == (second["value"], second["offset"])
    pushing.control("push-settings", duplicates=0, missing=1)
    train(pushing)
    assert settle(pushing, 4)["missing"] == 1
    assert len(records_of(receiver)) == 2


def test_records_of_a_batch_may_be_shuffled(pushing: Any, receiver: Any) -> None:
    pushing.control("push-settings", reorder_seconds=1)
    endpoint = pushing.control("cornerstone/endpoint", url=receiver.url)["id"]
    pushing.control("cornerstone/webhook", endpoint=endpoint, events=EVENTS, custom_headers={"X-Tenant": "acme"})
    receiver.answer = lambda number, _path: 503 if number == 2 else 200
    train(pushing)
    wait_for(lambda: len(receiver.requests) == 2)
    for _ in range(11):
        train(pushing)  # they wait behind the one that is retried
    pushing.control("push-clock", seconds=30)
    wait_for(lambda: len(receiver.requests) == 4)
    _, headers, body = receiver.requests[3]
    offsets = [row["offset"] for row in body["records"]]
    assert headers["x-tenant"] == "acme"
    assert offsets != sorted(offsets) == list(range(1, 12))


def test_records_wait_behind_a_batch_that_is_retried(pushing: Any, receiver: Any, start: Any) -> None:
    start()
    receiver.answer = lambda number, _path: 503 if number == 2 else 200
    for _ in range(3):
        train(pushing)
    # The wait for the retry begins as soon as the status is reported.
    wait_for(lambda: [row["status"] for row in pushing.control("pushes")["deliveries"]] == [200, 503])
    assert len(receiver.requests) == 2
    pushing.control("push-clock", seconds=30)
    wait_for(lambda: len(records_of(receiver)) == 4)
    assert [row["offset"] for row in records_of(receiver)] == [0, 0, 1, 2]
    assert [body["attemptNumber"] for body in receiver.bodies()[1:]] == [1, 2, 1]
