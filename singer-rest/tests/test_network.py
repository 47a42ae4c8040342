"""Proxies, authorities of a company's own, and what is said when they are wrong."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from singer_rest import RateLimiter, Request, RunError
from singer_rest.diagnose import connection
from singer_rest.errors import RetryableError
from singer_rest.http.transport import Transport
from singer_rest.testing import Response, host
from singer_rest.testing.network import password_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.testing import Host

REQUEST = Request("/a", (), "/a")
PASSWORD = "s3cret"
LOGIN = f"jane:{PASSWORD}"
UNUSED = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without the proxies and authorities of this machine."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "company.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def encrypt(server: Host, authority: trustme.CA, name: str = "127.0.0.1") -> str:
    """Lets a host speak TLS. Returns its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    inner = server._server
    inner.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that do not trust it hang up
    inner.socket = context.wrap_socket(inner.socket, server_side=True, do_handshake_on_connect=False)
    return server.url.replace("http:", "https:")


@pytest.fixture
def vendor(authority: trustme.CA) -> Iterator[Host]:
    """A host that speaks TLS, with a certificate of the company's authority."""
    with host(lambda received_request: Response({"ok": True})) as server:
        server.url = encrypt(server, authority)
        yield server


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real proxy that wants a password. Its host and port."""
    with password_proxy(tmp_path_factory.mktemp("proxy"), LOGIN) as address:
        yield address


@contextmanager
def answering_proxy(answer: bytes) -> Iterator[str]:
    """A proxy that sends the same bytes to each client. Its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def make_transport(url: str) -> Transport:
    return Transport(url, {}, 5, RateLimiter({}))


def send(transport: Transport) -> list[Any]:
    """Sends a request in both ways: as pages are requested, and as tokens are."""
    return [transport.send(REQUEST, None).json(), transport.post("/token", json={}).json()]


def error_of(transport: Transport) -> Exception:
    """The same error in both ways."""
    with pytest.raises((RunError, RetryableError)) as first:
        transport.send(REQUEST, None)
    with pytest.raises((RunError, RetryableError)) as second:
        transport.post("/token", json={})
    assert (type(first.value), str(first.value)) == (type(second.value), str(second.value))
    assert PASSWORD not in str(first.value)
    return first.value


def checks(transport: Transport) -> dict[str, Any]:
    """What --doctor says about the connection."""
    tap: Any = SimpleNamespace(transport=transport, api_url=transport.api_url)
    return {"proxy": connection._check_proxy(tap), "encryption": connection._check_encryption(tap)}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authority_of_the_company_is_trusted(
    vendor: Host, authority_file: str, environment: pytest.MonkeyPatch, variable: str
) -> None:
    environment.setenv(variable, authority_file)
    transport = make_transport(vendor.url)
    assert send(transport) == [{"ok": True}] * 2
    encryption = checks(transport)["encryption"]
    assert encryption.status == "ok"
    assert variable in encryption.detail


def test_folder_of_the_system_with_the_authority_is_trusted(
    vendor: Host, authority_file: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "company.pem").write_bytes(Path(authority_file).read_bytes())
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    environment.setenv("SSL_CERT_DIR", str(tmp_path))
    assert send(make_transport(vendor.url)) == [{"ok": True}] * 2


def test_unknown_authority_is_not_trusted(vendor: Host) -> None:
    transport = make_transport(vendor.url)
    error = error_of(transport)
    assert isinstance(error, RunError)
    assert "certificate cannot be trusted" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert vendor.requests == []
    encryption = checks(transport)["encryption"]
    assert encryption == ("failed", "no trusted connection (the system's authorities)")


def test_only_the_named_authorities_are_trusted_with_requests_ca_bundle(
    vendor: Host, authority_file: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    environment.setenv("REQUESTS_CA_BUNDLE", str(other))
    environment.setenv("SSL_CERT_FILE", authority_file)
    transport = make_transport(vendor.url)
    assert "certificate cannot be trusted" in str(error_of(transport))
    assert checks(transport)["encryption"].detail == "no trusted connection (authorities of REQUESTS_CA_BUNDLE)"


def test_certificate_of_another_host_is_not_trusted(
    authority: trustme.CA, authority_file: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SSL_CERT_FILE", authority_file)
    with host(lambda received_request: Response({})) as other:
        assert "certificate cannot be trusted" in str(
            error_of(make_transport(encrypt(other, authority, "vendor.example")))
        )


def test_missing_file_of_authorities_is_named(vendor: Host, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SSL_CERT_FILE", "/nowhere/company.pem")
    transport = make_transport(vendor.url)
    assert "SSL_CERT_FILE" in str(error_of(transport))
    assert checks(transport)["encryption"] == (
        "failed",
        "no trusted connection (SSL_CERT_FILE names nothing that exists)",
    )


def test_interrupted_handshake_is_no_untrusted_certificate() -> None:
    with answering_proxy(b"") as address:
        error = error_of(make_transport(f"https://{address}"))
    assert isinstance(error, RetryableError)
    assert "certificate" not in str(error)


def test_requests_go_through_the_proxy_with_its_password(
    vendor: Host, authority_file: str, environment: pytest.MonkeyPatch, proxy: str
) -> None:
    environment.setenv("SSL_CERT_FILE", authority_file)
    environment.setenv("HTTPS_PROXY", f"http://{LOGIN}@{proxy}")
    transport = make_transport(vendor.url)
    assert send(transport) == [{"ok": True}] * 2
    assert checks(transport) == {
        "proxy": ("ok", f"{proxy}, from HTTPS_PROXY"),
        "encryption": ("ok", "the host's certificate is trusted (the system's authorities, with SSL_CERT_FILE)"),
    }


def test_exempted_host_is_reached_without_the_proxy(
    vendor: Host, authority_file: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SSL_CERT_FILE", authority_file)
    environment.setenv("HTTPS_PROXY", f"http://{LOGIN}@{UNUSED}")
    environment.setenv("NO_PROXY", "127.0.0.1")
    transport = make_transport(vendor.url)
    assert send(transport) == [{"ok": True}] * 2
    assert checks(transport)["proxy"] == ("ok", f"none: NO_PROXY exempts the host from {UNUSED}")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", "jane:wr0ng@"])
def test_wrong_password_of_the_proxy_ends_the_run(
    vendor: Host, environment: pytest.MonkeyPatch, proxy: str, scheme: str, login: str
) -> None:
    variable = f"{scheme}_proxy"
    environment.setenv(variable, f"http://{login}{proxy}")
    transport = make_transport(vendor.url.replace("https", scheme))
    error = error_of(transport)
    assert isinstance(error, RunError)
    assert str(error).startswith(f"The proxy {proxy} rejects the user name or password, or needs one (status 407).")
    assert f"Check {variable}" in str(error)
    assert "wr0ng" not in str(error)
    assert checks(transport)["proxy"] == ("failed", f"{proxy}, from {variable}")


@pytest.mark.parametrize("url", ["https://vendor.example", "http://vendor.example"])
def test_dead_proxy_is_named(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("ALL_PROXY", f"http://{LOGIN}@{UNUSED}")
    transport = make_transport(url)
    error = error_of(transport)
    assert isinstance(error, RetryableError)
    assert str(error) == f"the proxy {UNUSED} cannot be reached; check ALL_PROXY"
    assert checks(transport)["proxy"].status == "failed"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", RunError, "refuses connections to the host (status 403)"),
        (b"HTTP/1.1 503 Unavailable\r\n\r\n", RetryableError, "cannot reach the host (status 503)"),
    ],
)
def test_proxy_that_does_not_connect_is_named(
    environment: pytest.MonkeyPatch, answer: bytes, kind: type[Exception], words: str
) -> None:
    with answering_proxy(answer) as address:
        environment.setenv("HTTPS_PROXY", f"http://{LOGIN}@{address}")
        transport = make_transport("https://vendor.example")
        error = error_of(transport)
    assert isinstance(error, kind)
    assert f"proxy {address} {words}" in str(error)
    assert checks(transport) == {
        "proxy": ("failed", f"{address}, from HTTPS_PROXY"),
        "encryption": ("unknown", "not checked (the system's authorities)"),
    }


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"socks5://{LOGIN}@{UNUSED}", "a kind that is not supported"),
        ("http://", "HTTPS_PROXY is not a valid address"),
    ],
)
def test_unusable_address_of_a_proxy_is_named(environment: pytest.MonkeyPatch, address: str, words: str) -> None:
    environment.setenv("HTTPS_PROXY", address)
    error = error_of(make_transport("https://vendor.example"))
    assert isinstance(error, RunError)
    assert words in str(error)


def test_proxy_without_tls_is_named_if_its_address_begins_with_https(environment: pytest.MonkeyPatch) -> None:
    with answering_proxy(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        environment.setenv("HTTPS_PROXY", f"https://{LOGIN}@{address}")
        error = error_of(make_transport("https://vendor.example"))
    assert isinstance(error, RunError)
    assert f"No encrypted connection to the proxy {address}" in str(error)
