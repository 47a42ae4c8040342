"""Answers of the receiver, and what it journals."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
import time
import zlib
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.addresses import create_address_key, write_address_keys
from hr_webhooks.heard import read_heard
from hr_webhooks.private_files import write_private
from hr_webhooks.testing import SECRETS, TENANTS, TYPE, running, wait_until, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hr_webhooks.journal import Entry
    from hr_webhooks.testing import Running

EVENT = b'{"company_id": "1", "event_name": "person.updated", "payload": {"person": {"id": "7"}}}'
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
def position(receiver: Running) -> int:
    """The last position before the test."""
    return receiver.journal.last_position()


def new_entries(receiver: Running, after: int) -> list[Entry]:
    return list(receiver.journal.read(after))


def converse(receiver: Running, *parts: bytes) -> bytes:
    """Sends bytes, and returns all bytes of the answer."""
    with receiver.connect() as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def head(receiver: Running, *lines: str, vendor: str = "personio") -> bytes:
    first = f"POST {receiver.path(vendor)} HTTP/1.1"
    return "\r\n".join([first, "Host: a", "Connection: close", *lines, "", ""]).encode("latin-1")


def test_an_event_is_journaled(receiver: Running, position: int) -> None:
    assert receiver.send(EVENT, headers={"User-Agent": "Personio", "Content-Type": "application/json"}) == 200
    (entry,) = new_entries(receiver, position)
    assert (entry.tenant, entry.vendor, entry.type, entry.source) == ("acme", "personio", None, "push")
    assert entry.read_body() == EVENT
    assert entry.headers == {"user-agent": "Personio", "content-type": "application/json"}


def test_factorials_type_is_that_of_the_address(receiver: Running, position: int) -> None:
    headers = {"x-factorial-author-id": "5", "x-factorial-author-type": "employee"}
    path = receiver.path("factorial", event_type="timeoff/leave/create")
    assert receiver.send(b'{"id": 1}', vendor="factorial", path=path, headers=headers) == 200
    (entry,) = new_entries(receiver, position)
    assert entry.type == "timeoff/leave/create"
    assert entry.headers == headers


def test_cornerstones_batch_is_decompressed(receiver: Running, position: int) -> None:
    body = b'{"records": [{"offset": 1}]}'
    assert receiver.send(gzip.compress(body), vendor="cornerstone", headers=GZIP) == 200
    (entry,) = new_entries(receiver, position)
    assert (entry.read_body(), entry.headers) == (body, {})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("vendor", SECRETS)
def test_a_verification_is_answered_and_not_journaled(
    receiver: Running, position: int, vendor: str, method: str
) -> None:
    assert receiver.send(vendor=vendor, method=method) == 200
    assert not new_entries(receiver, position)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_heartbeat_is_noted_and_not_journaled(receiver: Running, position: int, *, compressed: bool) -> None:
    body = json.dumps({"subscriptionId": "1", "sessionId": "2", "attemptNumber": 1, "records": []}).encode()
    sent, headers = (gzip.compress(body), GZIP) if compressed else (body, {})
    assert receiver.send(sent, vendor="cornerstone", headers=headers) == 200
    assert not new_entries(receiver, position)
    assert 'kind="heartbeat",tenant="acme",type="",vendor="cornerstone"' in receiver.read_status("/metrics")[1]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"null", b"a=1", b'{"a": 1}{"b": 2}', b'{"records": []}'])
def test_whatever_has_the_secret_is_journaled(receiver: Running, position: int, body: bytes) -> None:
    assert receiver.send(body) == 200
    assert [entry.read_body() for entry in new_entries(receiver, position)] == [body]


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (gzip.compress(b"ab") + gzip.compress(b"cd"), b"abcd"),
        (gzip.compress(b"ab") + b"\0\0", b"ab"),
        (gzip.compress(b"ab") + b"rest", b"ab"),
        (b'{"plain": 1}', b'{"plain": 1}'),
        (gzip.compress(bytes(5_000_000)), bytes(5_000_000)),
    ],
    ids=["members", "zeros", "rest", "plain", "large"],
)
def test_odd_gzip_is_decompressed(receiver: Running, position: int, sent: bytes, content: bytes) -> None:
    assert receiver.send(sent, vendor="cornerstone", headers=GZIP) == 200
    (entry,) = new_entries(receiver, position)
    assert entry.read_body() == content
    assert "content-encoding" not in entry.headers


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        (gzip.compress(EVENT)[:-3], "gzip"),
        (gzip.compress(EVENT)[:20], "gzip"),
        (gzip.compress(EVENT)[:-5] + b"12345", "gzip"),
        (zlib.compress(EVENT), "deflate"),
    ],
    ids=["no-end", "cut", "checksum", "deflate"],
)
def test_a_body_that_cannot_be_decompressed_is_kept_as_it_is(
    receiver: Running, position: int, sent: bytes, encoding: str
) -> None:
    assert receiver.send(sent, vendor="cornerstone", headers={"Content-Encoding": encoding}) == 200
    (entry,) = new_entries(receiver, position)
    assert entry.read_body() == sent
    assert entry.headers == {"content-encoding": encoding}


@pytest.mark.parametrize(
    "secret", ["", "wrong", SECRETS["personio"][:-1], SECRETS["personio"] + "x", "ä" * 20, "x" * 9000]
)
@pytest.mark.parametrize("vendor", SECRETS)
def test_a_wrong_secret_is_refused(receiver: Running, position: int, vendor: str, secret: str) -> None:
    assert receiver.send(EVENT, vendor=vendor, secret=secret) == 401
    assert not new_entries(receiver, position)


def test_the_secret_of_another_vendor_or_header_is_refused(receiver: Running, position: int) -> None:
    assert receiver.send(EVENT, secret=SECRETS["cornerstone"]) == 401
    assert receiver.send(EVENT, secret="", headers={"x-api-key": SECRETS["personio"]}) == 401
    assert receiver.send(EVENT, secret=f"Bearer {SECRETS['personio']}") == 401
    assert not new_entries(receiver, position)


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_only_the_exact_address_is_known(receiver: Running, position: int, method: str) -> None:
    path = receiver.path("personio")
    code = path.rpartition("/")[2]
    for wrong in (
        path[:-1],
        path + "/",
        path.upper(),
        "/" + path,
        path.replace("/acme/", "//acme/"),
        path.replace("/acme/", "/x/../acme/"),
        path.replace("/acme/", "%2facme%2f"),
        path.replace("acme", "ac%6de"),
        path + "%00",
        path + ";x",
        f"/cornerstone/acme/{code}",
        "/personio/acme/",
        "/personio",
        "/",
        "*",
        f"http://127.0.0.1{path}",
    ):
        assert receiver.send(EVENT, path=wrong, method=method) == 404, wrong
    assert not new_entries(receiver, position)


def test_only_those_who_are_not_refused_may_keep_their_connection(receiver: Running) -> None:
    known = f"GET {receiver.path('personio')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    unknown = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    received = converse(receiver, known, known, unknown)
    assert [line for line in received.split(b"\r\n") if line.startswith(b"HTTP")] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 404 Not Found",
    ]


def test_a_query_is_ignored(receiver: Running, position: int) -> None:
    assert receiver.send(EVENT, path=receiver.path("personio") + "?a=/..%2f") == 200
    assert len(new_entries(receiver, position)) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ODD"])
def test_other_methods_are_refused(receiver: Running, position: int, method: str) -> None:
    assert receiver.send(EVENT, method=method) == 405
    assert not new_entries(receiver, position)


def test_large_bodies_are_refused(receiver: Running, position: int) -> None:
    limit = 1024 * 1024
    assert receiver.send(b" " * (limit - 1) + b"1") == 200
    assert len(new_entries(receiver, position)) == 1
    assert receiver.send(b"1" * (limit + 1)) == 413
    chunked = head(receiver, f"Authorization: {SECRETS['personio']}", "Transfer-Encoding: chunked")
    chunk = b"%x\r\n" % 65536 + b"1" * 65536 + b"\r\n"
    assert b" 413 " in converse(receiver, chunked, *[chunk] * 17)
    assert len(new_entries(receiver, position)) == 1


@pytest.mark.parametrize("members", [1, 12])
def test_a_body_that_decompresses_to_too_much_is_refused(receiver: Running, position: int, members: int) -> None:
    bomb = gzip.compress(bytes(11 * 1024 * 1024 // members)) * members
    assert len(bomb) < 100_000
    assert receiver.send(bomb, vendor="cornerstone", headers=GZIP) == 413
    assert not new_entries(receiver, position)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/9.9\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_what_is_no_http_request_is_refused(receiver: Running, position: int, request_bytes: bytes) -> None:
    status = converse(receiver, request_bytes).split(b" ")[1]
    assert status in {b"400", b"404"}
    assert not new_entries(receiver, position)


@pytest.mark.parametrize("garbage", [b"zz\r\n", b"5\r\nabc", b"-1\r\n"])
def test_a_broken_chunked_body_is_not_journaled(receiver: Running, position: int, garbage: bytes) -> None:
    with receiver.connect() as connection:
        connection.sendall(
            head(receiver, f"Authorization: {SECRETS['personio']}", "Transfer-Encoding: chunked")
            + b"1\r\n1\r\n"
            + garbage
        )
        connection.shutdown(socket.SHUT_WR)
        received = connection.recv(65536)
    assert not received or b" 400 " in received
    assert receiver.send(EVENT) == 200
    assert [entry.read_body() for entry in new_entries(receiver, position)] == [EVENT]


def test_complete_headers_are_limited_too(receiver: Running, position: int) -> None:
    lines = [f"Authorization: {SECRETS['personio']}", "Content-Length: 1", *(f"X-{n}: y" for n in range(5000))]
    assert b" 400 " in converse(receiver, head(receiver, *lines) + b"1")
    assert not new_entries(receiver, position)


@pytest.mark.parametrize("secret", [SECRETS["personio"], "wrong"])
def test_a_flood_of_tiny_chunks_is_cut_off(receiver: Running, position: int, secret: str) -> None:
    request = head(receiver, f"Authorization: {secret}", "Transfer-Encoding: chunked")
    status = converse(receiver, request + b"1\r\nx\r\n" * 1500).split(b" ")[1]
    assert status == b"400"
    assert not new_entries(receiver, position)


def test_a_body_in_small_chunks_is_journaled(receiver: Running, position: int) -> None:
    request = head(receiver, f"Authorization: {SECRETS['personio']}", "Transfer-Encoding: chunked")
    answer = converse(receiver, request + (b"64\r\n" + b"x" * 100 + b"\r\n") * 5000 + b"0\r\n\r\n")
    assert b" 200 " in answer
    assert [len(entry.read_body()) for entry in new_entries(receiver, position)] == [500_000]


def test_a_client_that_goes_away_leaves_nothing(receiver: Running, position: int) -> None:
    with receiver.connect() as connection:
        connection.sendall(head(receiver, f"Authorization: {SECRETS['personio']}", "Content-Length: 100") + b"{")
    assert receiver.send(EVENT) == 200
    assert len(new_entries(receiver, position)) == 1


def test_several_requests_of_a_connection_are_answered(receiver: Running, position: int) -> None:
    lines = [f"POST {receiver.path('personio')} HTTP/1.1", "Host: a", f"Authorization: {SECRETS['personio']}"]
    request = "\r\n".join([*lines, "Content-Length: 1", "", "1"]).encode()
    last = "\r\n".join([*lines, "Content-Length: 1", "Connection: close", "", "2"]).encode()
    received = converse(receiver, request * 3 + last)
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert [entry.body for entry in new_entries(receiver, position)] == ["1", "1", "1", "2"]


def test_concurrent_requests_each_get_a_position(receiver: Running, position: int) -> None:
    statuses: list[int] = []

    def send(number: int) -> None:
        for each in range(10):
            statuses.append(receiver.send(f"{number}-{each}".encode()))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 100
    entries = new_entries(receiver, position)
    assert [entry.n for entry in entries] == list(range(position + 1, position + 101))
    assert {entry.body for entry in entries} == {f"{a}-{b}" for a in range(10) for b in range(10)}


def test_no_secret_payload_or_code_is_logged(receiver: Running) -> None:
    receiver.send(b"private-payload")
    receiver.send(b"private-payload", secret="wrong-secret-of-someone")
    receiver.send(b"private-payload", path="/unknown-path")
    log = receiver.log.read_text()
    codes = [receiver.path(vendor).rpartition("/")[2] for vendor in SECRETS]
    for private in ("private-payload", "wrong-secret", "unknown-path", *SECRETS.values(), *codes):
        assert private not in log
    assert "stored tenant=acme vendor=personio status=200" in log
    assert "Traceback" not in log


def test_health_and_metrics(receiver: Running) -> None:
    assert receiver.send(EVENT) == 200
    assert receiver.read_status("/health") == (200, "ok\n")
    assert receiver.read_status("/")[0] == 404
    status, text = receiver.read_status("/metrics")
    assert status == 200
    assert f"hr_webhooks_journal_position {receiver.journal.last_position()}.0" in text
    assert 'hr_webhooks_requests_total{outcome="stored",vendor="personio"}' in text
    assert 'hr_webhooks_answer_seconds_bucket{le="3.0",vendor="personio"}' in text
    # The vendors' port has none of it.
    assert receiver.send(path="/health", method="GET") == 404
    assert receiver.send(path="/metrics", method="GET") == 404


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def own(config: Path) -> Iterator[Running]:
    """A receiver that only one test uses."""
    with running(config, "--log-format=json") as started:
        yield started


def test_secrets_are_rotated_without_a_restart(own: Running, tmp_path: Path) -> None:
    old, new = SECRETS["personio"], "another-secret-for-tests"
    write_private(tmp_path / "personio-old", old)
    write_private(tmp_path / "personio", new)
    assert [own.send(EVENT, secret=secret) for secret in (old, new)] == [200, 200]
    (tmp_path / "personio-old").unlink()
    assert [own.send(EVENT, secret=secret) for secret in (old, new)] == [401, 200]
    # Mistakes leave the former secrets valid.
    (tmp_path / "personio").write_text("")
    assert own.send(EVENT, secret=new) == 200
    (tmp_path / "personio").write_text("short")
    assert own.send(EVENT, secret=new) == 200
    write_private(tmp_path / "personio", "a-third-secret-for-tests")
    (tmp_path / "personio").chmod(0o644)
    assert own.send(EVENT, secret=new) == 200
    (tmp_path / "personio").chmod(0o600)
    assert own.send(EVENT, secret="a-third-secret-for-tests") == 200
    lines = [json.loads(line) for line in own.log.read_text().splitlines()]
    assert {"error", "info", "warning"} == {line["level"] for line in lines}
    assert "short" not in " ".join(line["message"] for line in lines if "too short" not in line["message"])


def test_a_signal_reads_the_addresses_again(own: Running) -> None:
    types = [TYPE, "ats/candidate/create"]
    changed = {"acme": {**TENANTS["acme"], "factorial": {"secret_files": ["factorial"], "types": types}}}
    path = own.path("factorial", event_type="timeoff/leave/create")
    key = (own.config.parent / "key").read_text()
    write_config(own.config.parent, tenants=changed)
    write_private(own.config.parent / "key", key)
    own.process.send_signal(signal.SIGHUP)
    added = own.path("factorial", event_type="ats/candidate/create")
    wait_until(lambda: own.send(EVENT, vendor="factorial", path=added) == 200)
    assert own.send(EVENT, vendor="factorial", path=path) == 404
    own.config.write_text("tenants: [")
    own.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "former configuration stays valid" in own.log.read_text())
    assert own.send(EVENT, vendor="factorial", path=added) == 200


def test_the_key_of_the_addresses_is_replaced_in_two_steps(own: Running) -> None:
    file, before = own.config.parent / "key", own.path("personio")
    new, old = create_address_key(), file.read_text().strip()
    write_address_keys(file, [new, old])
    own.process.send_signal(signal.SIGHUP)
    after = own.path("personio")
    assert after != before
    wait_until(lambda: own.send(EVENT, path=after) == 200)
    assert own.send(EVENT, path=before) == 200
    write_address_keys(file, [new])
    own.process.send_signal(signal.SIGHUP)
    wait_until(lambda: own.send(EVENT, path=before) == 404)
    assert own.send(EVENT, path=after) == 200


def test_a_request_under_way_is_answered_before_the_end(own: Running) -> None:
    with own.connect() as connection:
        request = head(own, f"Authorization: {SECRETS['personio']}", "Content-Length: 2")
        connection.sendall(request + b"1")
        wait_until(lambda: "hr_webhooks_requests_in_progress 1.0" in own.read_status("/metrics")[1])
        own.process.send_signal(signal.SIGTERM)
        while True:  # until it accepts no more connections
            try:
                own.connect(timeout=60).close()
            except ConnectionError:
                break
            time.sleep(0.01)
        connection.sendall(b"2")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert own.process.wait(60) == 0
    assert [entry.body for entry in own.journal.read(0)] == ["12"]
    assert read_heard(own.config.parent / "journal")["/personio/acme"]["event"] > time.time() - 100


def test_idle_connections_do_not_delay_the_end(own: Running) -> None:
    with own.connect(timeout=60), own.connect(timeout=60) as second:
        second.sendall(b"POST / HT")
        assert own.stop() == 0


def test_two_receivers_share_a_journal(own: Running) -> None:
    with running(own.config) as other:
        for number in range(10):
            assert own.send(f"a{number}".encode()) == other.send(f"b{number}".encode()) == 200
        entries = list(own.journal.read(0))
    assert [entry.n for entry in entries] == list(range(1, 21))
    assert [entry.body for entry in entries] == [f"{name}{n}" for n in range(10) for name in "ab"]


def test_the_journal_is_cut_while_the_receiver_runs(own: Running) -> None:
    assert own.send(b"1") == 200
    assert own.journal.cut(1) == 1
    assert own.send(b"2") == 200
    assert [(entry.n, entry.body) for entry in own.journal.read(0)] == [(2, "2")]


def test_secrets_may_come_from_the_environment(tmp_path: Path) -> None:
    config = write_config(tmp_path, tenants={"acme": {"personio": {"secret_env": ["HOOK_NEW", "HOOK_OLD"]}}})
    secrets = {"HOOK_NEW": "new-secret-" + "é" * 10, "HOOK_OLD": SECRETS["personio"]}
    with running(config, environment=secrets) as started:
        assert [started.send(EVENT, secret=secret) for secret in secrets.values()] == [200, 200]
        utf8 = secrets["HOOK_NEW"].encode().decode("latin-1")
        assert started.send(EVENT, secret=utf8) == 200
        assert started.send(EVENT, secret="wrong") == 401


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(config: Path, signal_number: int) -> None:
    with running(config) as started:
        os.kill(started.process.pid, signal_number)
        assert started.process.wait(60) == 0
