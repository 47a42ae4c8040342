"""The fault-injecting proxy and its faulty responses."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Host, host
from singer_rest.testing import Response as ScriptedResponse

from faults.faulty_responses import FAULTY_RESPONSES
from faults.wire import ConnectionEnd, Proxy, Request, Response, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.responders import FaultyResponse

PAGE = {
    "data": [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}],
    "meta": {"total": 2, "has_next_page": True, "end_cursor": "Mg==", "limit": 2},
}
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 7200}
TABLE = b"a,b\n1,2\n3,4\n5,6\n7,8\n"


@pytest.fixture
def vendor() -> Iterator[Host]:
    with host(lambda request: ScriptedResponse(TOKENS if request.method == "POST" else PAGE)) as running:
        yield running


@pytest.fixture
def proxy(vendor: Host) -> Iterator[Proxy]:
    with Proxy(vendor.url) as running:
        yield running


def send_get(proxy: Proxy, target: str = "/a/17/b?limit=2") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.upstream if target is None else proxy.url.removeprefix("http://"))
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_requests_are_forwarded_and_counted(proxy: Proxy, vendor: Host) -> None:
    assert json.loads(send_get(proxy)[1]) == PAGE
    send_get(proxy, "/a/18/b?after_id=Mg==")
    assert proxy.request_counts() == {"GET /a/{}/b": 2}
    assert proxy.first_page_counts() == {"GET /a/{}/b": 1}
    assert [request.query_text for request in vendor.requests] == ["limit=2", "after_id=Mg=="]
    proxy.reset_counts()
    assert proxy.request_counts() == {}


def test_a_response_can_be_replaced(proxy: Proxy, vendor: Host) -> None:
    proxy.interceptor = lambda request, _forward: [Response(410).to_bytes()] if request.number == 1 else None
    assert [send_get(proxy)[0] for _ in range(3)] == [200, 410, 200]
    assert len(vendor.requests) == 2


def test_a_forwarded_request_reaches_the_vendor_once(proxy: Proxy, vendor: Host) -> None:
    def inspect(_request: Request, forward: Any) -> None:
        forward()

    proxy.interceptor = inspect
    assert send_get(proxy)[0] == 200
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("end", ConnectionEnd)
def test_a_connection_can_be_closed_within_a_body(proxy: Proxy, end: ConnectionEnd) -> None:
    proxy.interceptor = lambda _request, _forward: [b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nabc", end]
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        send_get(proxy)


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        ("/v2/persons/9603/employments?limit=1", "GET /v2/persons/{}/employments"),
        ("/x/users_core(9603)", "GET /x/users_core()"),
        ("/v2/a/6fb770bf-5be3-46c2-b334-422351d7804f", "GET /v2/a/{}"),
        ("/api/2026-10-01/resources/a/b", "GET /api/2026-10-01/resources/a/b"),
    ],
)
def test_endpoints_are_paths_without_identifiers(target: str, endpoint: str) -> None:
    assert endpoint_of("GET", target) == endpoint


@pytest.mark.parametrize("fault", FAULTY_RESPONSES, ids=lambda fault: f"{fault.group}: {fault.name}")
def test_each_fault_applies_to_some_response(fault: FaultyResponse) -> None:
    request = Request("GET", "/a/b?limit=2&after_id=MQ==", (("Host", "127.0.0.1:1"),), b"", "GET /a/b")
    responses = [
        Response(200, (("Content-Type", "application/json"),), json.dumps(PAGE).encode()),
        Response(200, (("Content-Type", "application/json"),), json.dumps(TOKENS).encode()),
        Response(200, (("Content-Type", "text/csv"),), TABLE),
    ]
    faulty = [
        steps
        for response in responses
        if (steps := fault.respond(request, lambda response=response: response)) is not None
    ]
    assert faulty
    unchanged = [response.to_bytes() for response in responses]
    assert (
        all(list(steps)[:1] not in ([one] for one in unchanged) for steps in faulty)
        or fault.repeats_page
        or fault.harmless
    )
    assert len({other.name for other in FAULTY_RESPONSES if other.group == fault.group}) == sum(
        other.group == fault.group for other in FAULTY_RESPONSES
    )
