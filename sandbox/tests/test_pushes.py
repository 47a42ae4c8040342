"""Bursts, duplicates, losses, order, and addresses of other machines."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
import requests
from hr_sandbox.http.messages import to_json
from hr_sandbox.personio.webhooks.events import NAMES
from hr_sandbox.pushes.client import is_local, split_address

TIMEOUT = 30


@pytest.fixture
def subscribed(pushing: Any, receiver: Any, get_token: Any) -> Any:
    body = {"url": receiver.url, "description": "All", "enabled_events": NAMES, "status": "ENABLED", "token": "t"}
    answer = requests.post(
        f"{pushing.url}/personio/v2/webhooks", json=body, headers=get_token(pushing), timeout=TIMEOUT
    )
    assert answer.status_code == 201
    return pushing


def burst(sandbox: Any, settle: Any, changes: int) -> dict[str, int]:
    sandbox.control("burst", changes=changes, per_second=5_000)
    while sandbox.control("push-counts")["burst"]["done"] < changes:
        time.sleep(0.02)
    return dict(settle(sandbox, changes))


def test_a_burst_is_delivered_and_reported(subscribed: Any, receiver: Any, settle: Any) -> None:
    counts = burst(subscribed, settle, 300)
    assert counts["delivered"] == counts["acknowledged"] == counts["requests"] == len(receiver.requests) == 300
    times = [one["seconds"] for one in subscribed.control("pushes")["deliveries"] if one["state"] == "delivered"]
    assert len(times) == 300
    assert min(times) > 0
    assert counts["idle_seconds"] >= 0
    kinds = {body["event_name"].partition(".")[0] for body in receiver.bodies()}
    assert kinds == {"person", "absence-period", "attendance-period"}
    assert {body["event_name"].rpartition(".")[2] for body in receiver.bodies()} >= {"created", "updated", "deleted"}
    deliveries = subscribed.control("pushes?vendor=personio&state=delivered")["deliveries"]
    sent = sorted(hashlib.sha256(to_json(body).encode()).hexdigest() for body in receiver.bodies())
    assert sorted(row["acknowledged"][0] for row in deliveries) == sent
    assert all(row["subjects"] for row in deliveries)
    assert subscribed.control("pushes", method="DELETE") == {"cleared": 300}
    assert subscribed.control("pushes")["deliveries"] == []
    with pytest.raises(ValueError, match="kinds"):
        subscribed.control("burst", changes=1, kinds=["job"])


def test_events_may_be_sent_twice_or_never(subscribed: Any, receiver: Any, settle: Any) -> None:
    subscribed.control("push-settings", duplicates=0.3, missing=0.2)
    counts = burst(subscribed, settle, 200)
    repeated = [row for row in subscribed.control("pushes")["deliveries"] if row["duplicate_of"]]
    assert 20 < counts["missing"] < 60
    assert 20 < len(repeated) < 80
    assert len(receiver.requests) == 200 - counts["missing"] + len(repeated)
    times = [body["occurred_at"] for body in receiver.bodies()]
    assert len({to_json(body) for body in receiver.bodies()}) < len(times)


def test_events_may_arrive_out_of_order(subscribed: Any, receiver: Any, settle: Any) -> None:
    subscribed.control("push-settings", reorder_seconds=0.5)
    burst(subscribed, settle, 100)
    times = [body["occurred_at"] for body in receiver.bodies()]
    assert times != sorted(times)


def test_a_stopping_sandbox_leaves_nothing_behind(subscribed: Any, receiver: Any) -> None:
    receiver.answer = lambda *_: 503
    subscribed.control("hire")
    while not receiver.requests:
        time.sleep(0.02)
    # The fixture stops the sandbox while the retry waits; a warning would fail this test.


def test_other_machines_get_nothing(pushing: Any, get_token: Any, settle: Any) -> None:
    body = {"url": "https://192.0.2.1/x", "description": "x", "enabled_events": ["person.created"], "status": "ENABLED"}
    headers = get_token(pushing)
    url = f"{pushing.url}/personio/v2/webhooks"
    assert requests.post(url, json={**body, "token": "t"}, headers=headers, timeout=TIMEOUT).status_code == 201
    pushing.control("hire")
    assert settle(pushing)["skipped"] == 1
    assert pushing.control("push-counts")["requests"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"speed": 2},
        {"time_scale": 0},
        {"duplicates": 1.5},
        {"missing": "all"},
        {"timeout": -1},
        {"reorder_seconds": None},
        {"bulk": "both"},
        {"time_scale": 2, "missing": 2},
    ],
    ids=str,
)
def test_invalid_settings_are_rejected(pushing: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        pushing.control("push-settings", **body)
    assert pushing.control("push-settings")["time_scale"] == 1


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:80/x", True),
        ("https://[::1]/", True),
        ("http://localhost", True),
        ("https://127.0.0.1.evil.example", False),
        ("https://example.com", False),
    ],
)
def test_local_addresses_are_recognized(url: str, *, local: bool) -> None:
    assert split_address(url)
    assert is_local(url) is local


@pytest.mark.parametrize("url", ["", "x", "//h/x", "ftp://h", "http://", "http://h:99999", "http://h/a b", None, 5])
def test_other_texts_are_no_addresses(url: object) -> None:
    assert split_address(url) is None
