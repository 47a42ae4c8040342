"""Slow senders, too many of them, TLS, signatures, and a receiver that must not start."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import http.client
import io
import signal
import ssl
import time
from contextlib import ExitStack, redirect_stderr
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme
from hr_webhooks.cli import main
from hr_webhooks.private_files import write_private
from hr_webhooks.testing import SECRETS, TENANTS, Running, running, wait_until, write_config

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

BODY = b'{"records": [{"offset": 1}]}'
TOKEN = b"a-token-of-the-endpoint"


def half_a_request(receiver: Running) -> bytes:
    lines = [f"POST {receiver.path('personio')} HTTP/1.1", "Host: a", f"Authorization: {SECRETS['personio']}"]
    return "\r\n".join([*lines, "Content-Length: 1000", "", "1"]).encode()


def dribble(connection: socket.socket) -> bytes:
    """Sends a byte now and then until the receiver answers or closes, and returns the answer."""
    connection.settimeout(0.05)
    while True:
        try:
            connection.sendall(b"x")
            return connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver with low limits."""
    config = write_config(
        tmp_path_factory.mktemp("hasty"), server={"receive_seconds": 0.5, "max_concurrent_requests": 2}
    )
    with running(config) as started:
        yield started


def test_a_slow_body_ends(hasty: Running) -> None:
    with hasty.connect() as connection:
        connection.sendall(half_a_request(hasty))
        assert dribble(connection).startswith(b"HTTP/1.1 503 ")
    assert hasty.journal.last_position() == 0


@pytest.mark.parametrize("begin", [b"", b"POST / HTTP/1.1\r\nX: "])
def test_slow_headers_end(hasty: Running, begin: bytes) -> None:
    with hasty.connect() as connection:
        connection.sendall(begin)
        assert dribble(connection) == b""


def test_slow_headers_of_a_second_request_end(hasty: Running) -> None:
    with hasty.connect() as connection:
        connection.sendall(f"GET {hasty.path('personio')} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.6)  # an idle connection is kept
        connection.sendall(b"POST / ")
        assert dribble(connection) == b""


def test_senders_beyond_the_limit_are_asked_to_try_again(hasty: Running) -> None:
    with hasty.connect() as first, hasty.connect() as second:
        first.sendall(half_a_request(hasty))
        second.sendall(half_a_request(hasty))
        wait_until(lambda: "hr_webhooks_requests_in_progress 2.0" in hasty.read_status("/metrics")[1])
        assert hasty.send(b"1") == 503
        assert hasty.send(b"1", secret="wrong") == 401
    wait_until(lambda: "hr_webhooks_requests_in_progress 0.0" in hasty.read_status("/metrics")[1])
    assert hasty.send(b"1") == 200


def test_connections_beyond_the_limit_are_asked_to_try_again(receiver: Running) -> None:
    with ExitStack() as stack:
        for _ in range(800):
            stack.enter_context(receiver.connect())
        last = stack.enter_context(receiver.connect())
        assert last.recv(65536).startswith(b"HTTP/1.1 503 ")
    wait_until(lambda: receiver.send(b"1") == 200)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def issue(authority: trustme.CA, folder: Path) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    write_private(folder / "chain.pem", "".join(part.bytes().decode() for part in certificate.cert_chain_pems))
    write_private(folder / "key.pem", certificate.private_key_pem.bytes().decode())


def get_certificate(receiver: Running, authority: trustme.CA) -> bytes | None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    host = urlsplit(receiver.url)
    connection = http.client.HTTPSConnection(host.hostname or "", host.port, context=context, timeout=20)
    connection.request("POST", receiver.path("personio"), b"1", {"Authorization": SECRETS["personio"]})
    assert isinstance(connection.sock, ssl.SSLSocket)
    found = connection.sock.getpeercert(binary_form=True)
    assert connection.getresponse().status == 200
    connection.close()
    return found


def test_a_certificate_of_its_own_is_renewed(authority: trustme.CA, tmp_path: Path) -> None:
    issue(authority, tmp_path)
    config = write_config(tmp_path, server={"certificate_file": "chain.pem", "key_file": "key.pem"})
    with running(config) as started:
        assert started.url.startswith("https://")
        first = get_certificate(started, authority)
        with started.connect() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")
        issue(authority, tmp_path)
        started.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificate again" in started.log.read_text())
        second = get_certificate(started, authority)
        assert second != first
        # A certificate without its key is not used.
        key = (tmp_path / "key.pem").read_text()
        issue(authority, tmp_path)
        write_private(tmp_path / "key.pem", key)
        started.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "former certificate" in started.log.read_text())
        assert get_certificate(started, authority) == second
    assert started.journal.last_position() == 3


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver with a tenant for each kind of signature."""
    folder = tmp_path_factory.mktemp("signing")
    write_private(folder / "token", base64.b64encode(TOKEN).decode())
    common = {"header": "X-Signature", "secret_file": "token"}
    settings = {
        f"{encoding}-{over}": {**common, "encoding": encoding, "over": over}
        for encoding in ("base64", "hex")
        for over in ("compressed", "plain")
    }
    tenants = {
        name: {"cornerstone": {"secret_files": ["cornerstone"], "hmac": each}} for name, each in settings.items()
    }
    with running(write_config(folder, tenants=tenants)) as started:
        yield started


@pytest.mark.parametrize("over", ["compressed", "plain"])
@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_signatures_are_checked(signing: Running, over: str, encoding: str) -> None:
    before = signing.journal.last_position()
    sent = gzip.compress(BODY)
    digest = hmac.digest(TOKEN, sent if over == "compressed" else BODY, hashlib.sha256)
    signature = base64.b64encode(digest).decode() if encoding == "base64" else digest.hex()
    path = signing.path("cornerstone", tenant=f"{encoding}-{over}")

    def send(signature: str | None) -> int:
        headers = {"Content-Encoding": "gzip", **({"X-Signature": signature} if signature else {})}
        return signing.send(sent, vendor="cornerstone", path=path, headers=headers)

    assert send(signature) == 200
    assert send(f"sha256={signature}") == 200
    for wrong in (None, "", "x", "ä", signature[:-4], signature[::-1], digest.hex()[:-2] + "00"):
        assert send(wrong) == 401, wrong
    # Two tokens are valid during a rotation.
    folder = signing.config.parent
    write_private(folder / "token", "\n".join(base64.b64encode(each).decode() for each in (TOKEN[::-1], TOKEN)))
    assert send(signature) == 200
    assert signing.journal.last_position() == before + 3


def fail_to_start(config: Path, *options: str) -> str:
    """Returns the sentence with which `hr-webhooks serve` ends."""
    errors = io.StringIO()
    with redirect_stderr(errors):
        assert main(["serve", "--config", str(config), "--listen", "127.0.0.1:0", *options]) == 1
    (line,) = errors.getvalue().splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "0.0.0.0:0"], "without encryption"),
        (["--listen", "127.0.0.1"], "host and a port"),
        (["--listen", "127.0.0.1:99999"], "host and a port"),
        (["--listen", "192.0.2.1:80", "--plain-http"], "Cannot listen on 192.0.2.1"),
        (["--status-listen", "0.0.0.0:0"], "status_token_file"),
        (["--certificate", "chain.pem"], "key_file"),
        (["--certificate", "personio", "--key", "personio"], "not a certificate"),
        (["--certificate", "none", "--key", "personio"], "cannot be read"),
    ],
)
def test_it_does_not_start_with_unsafe_or_wrong_options(tmp_path: Path, options: list[str], message: str) -> None:
    assert message in fail_to_start(write_config(tmp_path), "--status-listen", "127.0.0.1:0", *options)


def test_it_does_not_start_without_a_safe_secret(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "factorial").unlink()
    assert "no secret for tenants.acme.factorial" in fail_to_start(config)
    write_private(tmp_path / "factorial", "short")
    assert "too short" in fail_to_start(config)
    write_private(tmp_path / "factorial", "\n".join(f"a-secret-that-is-long-{n}" for n in range(3)))
    assert "more than 2" in fail_to_start(config)
    write_private(tmp_path / "factorial", SECRETS["factorial"])
    (tmp_path / "factorial").chmod(0o640 if (tmp_path / "factorial").stat().st_uid else 0o644)
    assert "chmod 600" in fail_to_start(config)
    (tmp_path / "factorial").chmod(0o600)
    (tmp_path / "key").unlink()
    assert "hr-webhooks init" in fail_to_start(config)


def test_it_does_not_start_without_a_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used" in fail_to_start(write_config(tmp_path, journal="file/journal"))


def test_an_environment_variable_without_a_secret_is_named(tmp_path: Path) -> None:
    tenants: dict[str, Any] = {"acme": {"personio": {"secret_env": ["NO_SUCH_SECRET"]}}}
    assert "NO_SUCH_SECRET" in fail_to_start(write_config(tmp_path, tenants=tenants))


def test_metrics_beyond_this_machine_need_a_token(tmp_path: Path) -> None:
    write_private(tmp_path / "token", "token-for-metrics\n")
    config = write_config(tmp_path, tenants=TENANTS, server={"status_token_file": "token"})
    with running(config) as started:
        assert started.read_status("/health") == (200, "ok\n")
        assert started.read_status("/metrics") == (401, "")
        assert started.read_status("/metrics", {"Authorization": "Bearer wrong"})[0] == 401
        assert started.read_status("/metrics", {"Authorization": "Bearer token-for-metrics"})[0] == 200
