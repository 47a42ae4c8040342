"""One request: what is sent along, what may be sent again, what never is."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import requests
from singer_rest import ApiKey, Authenticator, RateLimiter, Request, RunError, TapError, Token
from singer_rest.errors import RetryableError
from singer_rest.http.retries import time_budget
from singer_rest.http.token_requests import post_for_token
from singer_rest.http.transport import Transport
from singer_rest.testing import Response, host, run_with_timeout

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = Request("/a", (("q", "x y"), ("q", "2"), ("empty", "")), "/a")


class Fixed(Authenticator):
    def request_token(self) -> Token:
        return Token("t0ken", 3600)


def make_transport(url: str, timeout: float = 5) -> Transport:
    return Transport(url, {"User-Agent": "test/1"}, timeout, RateLimiter({}))


def test_query_is_sent_unchanged_with_repeated_and_empty_parameters() -> None:
    with host(lambda received_request: Response({"ok": True})) as vendor:
        reply = make_transport(vendor.url).send(REQUEST, Fixed())
        assert vendor.requests[0].query_text == "q=x+y&q=2&empty="
        assert vendor.requests[0].headers["Authorization"] == "Bearer t0ken"
        assert vendor.requests[0].headers["User-Agent"] == "test/1"
    assert reply.json() == {"ok": True}
    assert reply.status == 200


def test_body_is_sent_as_json_with_the_method_and_the_query() -> None:
    with host(lambda received_request: Response({"ok": True})) as vendor:
        request = Request("/a", (("v", "1"),), "/a", method="POST", body=b'{"q":"\xc3\xa4"}')
        make_transport(vendor.url).send(request, Fixed())
        (received_request,) = vendor.requests
    assert (received_request.method, received_request.query_text, received_request.body) == (
        "POST",
        "v=1",
        b'{"q":"\xc3\xa4"}',
    )
    assert received_request.headers["Content-Type"] == "application/json"


def test_api_key_is_sent_in_its_header_and_a_401_is_not_retried() -> None:
    with host(lambda received_request: Response({}, 401)) as vendor:
        assert make_transport(vendor.url).send(REQUEST, ApiKey("k", header="X-Key")).status == 401
        assert [received_request.headers["X-Key"] for received_request in vendor.requests] == ["k"]
        assert "Content-Type" not in vendor.requests[0].headers


def test_authenticator_decides_how_its_token_is_sent() -> None:
    class Key(Fixed):
        def headers(self, token: Token) -> dict[str, str]:
            return {"x-api-key": token.value}

    with host(lambda received_request: Response({}, 401)) as vendor:
        make_transport(vendor.url).send(REQUEST, Key())
        assert [received_request.headers["x-api-key"] for received_request in vendor.requests] == ["t0ken", "t0ken"]
        assert not any("Authorization" in received_request.headers for received_request in vendor.requests)


def test_token_goes_to_the_configured_host_only_and_follows_no_redirect() -> None:
    with host(lambda received_request: Response({})) as other:
        elsewhere = Response({}, 302, {"Location": f"{other.url}/a"})
        with host(lambda received_request: elsewhere) as vendor:
            assert make_transport(vendor.url).send(REQUEST, Fixed()).status == 302
            assert len(vendor.requests) == 1
        assert other.requests == []


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login jane password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with host(lambda received_request: Response({})) as vendor:
        make_transport(vendor.url).send(REQUEST, Fixed())
        make_transport(vendor.url).send(REQUEST, None)
        assert vendor.requests[0].headers["Authorization"] == "Bearer t0ken"
        assert "Authorization" not in vendor.requests[1].headers


def test_requests_use_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with host(lambda received_request: Response({})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//jane:pw@"))
        monkeypatch.setenv("no_proxy", "")
        way = make_transport("http://vendor.invalid")
        for _ in range(2):
            way.send(REQUEST, Fixed())
        assert [received_request.headers["Host"] for received_request in proxy.requests] == ["vendor.invalid"] * 2
        assert [received_request.headers["Proxy-Authorization"] for received_request in proxy.requests] == [
            "Basic amFuZTpwdw=="
        ] * 2
        with host(lambda received_request: Response({})) as vendor:
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            make_transport(vendor.url).send(REQUEST, Fixed())
            assert len(vendor.requests) == 1
        assert len(proxy.requests) == 2


def test_cookies_are_sent_back() -> None:
    with host(lambda received_request: Response({}, headers={"Set-Cookie": "gateway=7; Path=/"})) as vendor:
        way = make_transport(vendor.url)
        for _ in range(2):
            way.send(REQUEST, Fixed())
        assert [received_request.headers.get("Cookie") for received_request in vendor.requests] == [None, "gateway=7"]


@pytest.mark.parametrize(
    ("response", "reason", "after", "throttled"),
    [
        (Response({}, 429), "too many requests", None, True),
        (Response({}, 429, {"Retry-After": "7"}), "too many requests", 7.0, True),
        (Response({}, 429, {"RateLimit-Reset": "9"}), "too many requests", 9.0, True),
        (Response({}, 429, {"Retry-After": "7", "RateLimit-Reset": "9"}), "too many requests", 7.0, True),
        (Response({}, 503, {"RateLimit-Reset": "9"}), "status 503", None, False),
        (Response({}, 500), "status 500", None, False),
        (Response({}, 503, {"Retry-After": "3"}), "status 503", 3.0, False),
        (Response({"a": 1}, cut=True), "the connection broke", None, False),
        (Response({}, delay=1.0), "no response in time", None, False),
        (Response({"a": 1}, stall=1.0), "no response in time", None, False),
        (Response({"a": "x" * 100}, drip=0.1), "no response in time", None, False),
        (
            Response(b"not gzip at all", headers={"Content-Encoding": "gzip"}),
            "the body could not be decompressed",
            None,
            False,
        ),
    ],
)
@pytest.mark.slow
def test_retryable_errors_have_reason_delay_and_throttling(
    response: Response,
    reason: str,
    after: float | None,
    throttled: bool,  # noqa: FBT001
) -> None:
    timeout = 0.3 if reason == "no response in time" else 30
    with host(lambda received_request: response) as vendor, pytest.raises(RetryableError) as raised:
        make_transport(vendor.url, timeout).send(REQUEST, Fixed())
    assert (raised.value.reason, raised.value.after, raised.value.throttled) == (reason, after, throttled)


@pytest.mark.parametrize(
    ("response", "slow"),
    [
        (Response({}, delay=1.0), True),
        (Response({"a": 1}, stall=1.0), True),
        (Response({"a": "x" * 100}, drip=0.1), True),
        (Response({}, 504), True),
        (Response({}, 503), False),
        (Response({}, 429), False),
        (Response({"a": 1}, cut=True), False),
    ],
)
@pytest.mark.slow
def test_timeouts_are_distinguished_from_connection_errors(response: Response, slow: bool) -> None:  # noqa: FBT001
    timeout = 0.3 if slow and response.status != 504 else 30
    with host(lambda received_request: response) as vendor, pytest.raises(RetryableError) as raised:
        make_transport(vendor.url, timeout).send(REQUEST, None)
    assert raised.value.slow is slow


@pytest.mark.slow
def test_slow_response_that_ends_in_time_is_complete() -> None:
    with host(lambda received_request: Response({"a": "x" * 10}, drip=0.06)) as vendor:
        assert make_transport(vendor.url, timeout=1).send(REQUEST, None).json() == {"a": "x" * 10}


def test_connection_is_reused_after_every_complete_response() -> None:
    large = json.dumps({"a": "x" * 3_000_000}).encode()
    packed = {"Content-Encoding": "gzip"}
    answers = [
        Response({"a": 1}),
        Response(large),
        Response(gzip.compress(large), headers=packed),
        Response(b""),
        Response(gzip.compress(b""), headers=packed),
        Response({}, 404),
        Response({}, 503),
        Response({}, 302, {"Location": "/elsewhere"}),
    ]
    left = answers * 2
    with host(lambda received_request: left.pop(0)) as vendor:
        way = make_transport(vendor.url)
        bodies = []
        for response in answers * 2:
            if response.status == 503:
                with pytest.raises(RetryableError):
                    way.send(REQUEST, None)
            else:
                bodies.append(way.send(REQUEST, None).body)
        assert vendor.connections == 1
    assert bodies[:5] == [b'{"a": 1}', large, large, b"", b""]


def test_connection_timeout_does_not_split_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(*_: object, **__: object) -> None:
        raise requests.ConnectTimeout

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", late)
    with pytest.raises(RetryableError, match="no response in time") as raised:
        make_transport("http://127.0.0.1:9").send(REQUEST, None)
    assert not raised.value.slow


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 409, 422, 501])
def test_other_statuses_are_returned_as_responses(status: int) -> None:
    with host(lambda received_request: Response({}, status)) as vendor:
        assert make_transport(vendor.url).send(REQUEST, Fixed()).status == status


ROWS = b"[%s]" % b", ".join(b'{"id": %d}' % number for number in range(200))
PACKED = gzip.compress(ROWS)


def raw_response(*headers: bytes, body: bytes, status: bytes = b"200 OK") -> Response:
    return Response(raw=b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"Connection: close", b"", body]))


def chunked_body(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


CHUNKED, GZIP = b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"


@pytest.mark.parametrize(
    "response",
    [
        raw_response(b"Content-Length: %d" % len(ROWS), body=ROWS),
        raw_response(body=ROWS),
        raw_response(CHUNKED, body=chunked_body(ROWS[:100], ROWS[100:])),
        raw_response(GZIP, b"Content-Length: %d" % len(PACKED), body=PACKED),
        raw_response(GZIP, body=PACKED),
        raw_response(GZIP, CHUNKED, body=chunked_body(*(PACKED[place : place + 1] for place in range(len(PACKED))))),
        raw_response(b"Content-Encoding: deflate", body=zlib.compress(ROWS)),
        raw_response(b"Content-Encoding: identity", body=ROWS),
    ],
)
def test_complete_body_is_accepted_in_every_transfer_encoding(response: Response) -> None:
    with host(lambda received_request: response) as vendor:
        assert make_transport(vendor.url).send(REQUEST, None).body == ROWS
        assert vendor.requests[0].headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (raw_response(b"Content-Length: %d" % len(ROWS), body=ROWS[:-1]), "the connection broke"),
        (raw_response(b"Content-Length: %d" % len(ROWS), body=b""), "the connection broke"),
        (raw_response(GZIP, b"Content-Length: %d" % len(PACKED), body=PACKED[:-1]), "the connection broke"),
        (raw_response(GZIP, b"Content-Length: %d" % (len(PACKED) - 9), body=PACKED[:-9]), "the body ended early"),
        (raw_response(GZIP, body=PACKED[:-1]), "the body ended early"),
        (raw_response(GZIP, body=PACKED[:30]), "the body ended early"),
        (raw_response(GZIP, body=b""), "the body ended early"),
        (raw_response(GZIP, CHUNKED, body=chunked_body(PACKED[:100])), "the body ended early"),
        (raw_response(b"Content-Encoding: deflate", body=zlib.compress(ROWS)[:-1]), "the body ended early"),
        (raw_response(CHUNKED, body=chunked_body(ROWS[:100], end=b"")), "the connection broke"),
        (raw_response(CHUNKED, body=chunked_body(ROWS[:100], end=b"5\r\nab")), "the connection broke"),
        (raw_response(CHUNKED, body=b"not a number\r\n"), "the connection broke"),
        (raw_response(CHUNKED, body=b""), "the connection broke"),
        (Response(raw=b"HTTP/1.1 200 OK\r\nContent-Le"), "the body ended early"),
        (Response(raw=b"an echo\r\n"), "the connection broke"),
        (raw_response(*[b"X-%d: x" % number for number in range(200)], body=ROWS), "the connection broke"),
    ],
)
def test_truncated_body_is_requested_again_in_every_transfer_encoding(response: Response, reason: str) -> None:
    with host(lambda received_request: response) as vendor, pytest.raises(RetryableError) as raised:
        make_transport(vendor.url).send(REQUEST, None)
    assert raised.value.reason == reason


def test_conflicting_content_lengths_are_not_blamed_on_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def contradictory(*_: object, **__: object) -> None:  # urllib3 leaves the socket of a real one to be collected
        raise requests.exceptions.InvalidHeader

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", contradictory)
    with pytest.raises(RetryableError, match="the response headers contradict each other"):
        make_transport("http://127.0.0.1:9").send(REQUEST, None)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_response_without_a_body_is_complete_whatever_its_headers(status: bytes) -> None:
    headers = (b"Content-Length: 500", GZIP)
    with host(lambda received_request: raw_response(*headers, body=b"", status=status)) as vendor:
        reply = make_transport(vendor.url).send(REQUEST, None)
    assert (reply.status, reply.body) == (int(status[:3]), b"")


@pytest.mark.parametrize("status", [200, 404])
def test_declared_empty_body_is_complete(status: int) -> None:
    with host(lambda received_request: Response(b"", status, {"Content-Encoding": "gzip"})) as vendor:
        assert make_transport(vendor.url).send(REQUEST, None).body == b""


@pytest.mark.parametrize("status", [429, 503])
def test_error_status_is_used_even_if_its_body_is_broken(status: int) -> None:
    for response in (
        Response({}, status, {"Retry-After": "7"}, cut=True),
        Response(b"?", status, {"Retry-After": "7", "Content-Encoding": "br"}),
    ):
        with (
            host(lambda received_request, response=response: response) as vendor,
            pytest.raises(RetryableError) as raised,
        ):
            make_transport(vendor.url).send(REQUEST, None)
        assert raised.value.after == 7


def test_unrequested_encoding_has_an_error_of_its_own() -> None:
    response = Response(b"\x8b\x00\x80{}\x03", headers={"Content-Encoding": "br"})
    said = r"/a used an encoding that was not requested \(requested: gzip, deflate\)"
    with host(lambda received_request: response) as vendor, pytest.raises(TapError, match=said):
        make_transport(vendor.url).send(REQUEST, None)


@pytest.mark.parametrize(
    "token", ["line\nbreak", "line\r\nX-Other: 1", " begins", "k\u0142ucz", "\u00fc", "\0", "tab\t"]
)
def test_token_that_is_invalid_in_a_header_is_reported(token: str) -> None:
    class Odd(Fixed):
        def request_token(self) -> Token:
            return Token(token, 3600)

    with host(lambda received_request: Response({})) as vendor:
        with pytest.raises(RunError, match="The access token cannot be sent in a header") as raised:
            make_transport(vendor.url).send(REQUEST, Odd())
        assert token.strip() not in str(raised.value)
        with pytest.raises(
            TapError, match="the header Authorization would hold a line break or a character beyond ASCII"
        ):
            make_transport(vendor.url).send_once(REQUEST, {"Authorization": token})
        assert vendor.requests == []


def test_unreadable_hosts_are_not_reported_as_broken_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem")
    with pytest.raises(RunError, match="REQUESTS_CA_BUNDLE"):
        make_transport("https://127.0.0.1:9").send(REQUEST, None)


@pytest.mark.parametrize(
    "head", [b"H", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 9]
)
@pytest.mark.slow
def test_endlessly_slow_headers_time_out(head: bytes) -> None:
    response = Response(raw=head + b"X-Long: " + b"x" * 60_000, drip=0.02)

    def ask() -> None:
        with time_budget(0.3):
            make_transport(vendor.url, timeout=30).send(REQUEST, None)

    with (
        host(lambda received_request: response) as vendor,
        pytest.raises(RetryableError, match="no response in time") as raised,
    ):
        run_with_timeout(ask)
    assert raised.value.slow


@pytest.mark.slow
def test_request_without_remaining_time_is_not_sent_and_others_stop_in_time() -> None:
    with host(lambda received_request: Response({"a": "x" * 400}, drip=0.01)) as vendor:
        for seconds, requests_sent in ((0.0, 0), (0.5, 1)):
            with time_budget(seconds), pytest.raises(RetryableError, match="no response in time") as raised:
                make_transport(vendor.url, timeout=60).send(REQUEST, None)
            assert raised.value.slow
            assert len(vendor.requests) == requests_sent


def test_unreachable_host_is_reported() -> None:
    with pytest.raises(RetryableError, match="the host cannot be reached; check the addresses in the settings"):
        make_transport("http://127.0.0.1:9").send(REQUEST, None)


def test_token_request_is_retried_a_limited_number_of_times() -> None:
    answers: list[Any] = [Response({}, 503), Response({}, 429, {"Retry-After": "0"}), Response({"token": 1})]
    with host(lambda received_request: answers.pop(0)) as vendor:
        assert post_for_token(make_transport(vendor.url), "/token", 0.001, data={"a": "b"}).json() == {"token": 1}
    with (
        host(lambda received_request: Response({}, 503)) as vendor,
        pytest.raises(RunError, match=r"did not issue a token \(status 503\)"),
    ):
        post_for_token(make_transport(vendor.url), "/token", 0.001, data={"a": "b"})
