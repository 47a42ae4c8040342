"""The proxy of the trials, and the bad answers that it gives."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Answer, Host, host

from faults.kinds import KINDS, Kind
from faults.wire import Asked, End, Proxy, Reply, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = {
    "data": [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}],
    "meta": {"total": 2, "has_next_page": True, "end_cursor": "Mg==", "limit": 2},
}
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 7200}
TABLE = b"a,b\n1,2\n3,4\n5,6\n7,8\n"


@pytest.fixture
def vendor() -> Iterator[Host]:
    with host(lambda asked: Answer(TOKENS if asked.method == "POST" else PAGE)) as running:
        yield running


@pytest.fixture
def proxy(vendor: Host) -> Iterator[Proxy]:
    with Proxy(vendor.url) as running:
        yield running


def get(proxy: Proxy, target: str = "/a/17/b?limit=2") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.upstream if target is None else proxy.url.removeprefix("http://"))
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_nobody_meddles_with_passes_and_is_counted(proxy: Proxy, vendor: Host) -> None:
    assert json.loads(get(proxy)[1]) == PAGE
    get(proxy, "/a/18/b?after_id=Mg==")
    assert proxy.asked() == {"GET /a/{}/b": 2}
    assert proxy.opened() == {"GET /a/{}/b": 1}
    assert [asked.query_text for asked in vendor.asked] == ["limit=2", "after_id=Mg=="]
    proxy.clear()
    assert proxy.asked() == {}


def test_a_request_is_answered_in_the_vendors_place(proxy: Proxy, vendor: Host) -> None:
    proxy.meddle = lambda asked, _ask: [Reply(410).whole()] if asked.number == 1 else None
    assert [get(proxy)[0] for _ in range(3)] == [200, 410, 200]
    assert len(vendor.asked) == 2


def test_the_vendor_is_asked_once_though_its_answer_is_looked_at(proxy: Proxy, vendor: Host) -> None:
    def looking(_asked: Asked, ask: Any) -> None:
        ask()

    proxy.meddle = looking
    assert get(proxy)[0] == 200
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("end", End)
def test_a_connection_ends(proxy: Proxy, end: End) -> None:
    proxy.meddle = lambda _asked, _ask: [b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nabc", end]
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        get(proxy)


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


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.group}: {kind.name}")
def test_each_kind_can_be_made_of_some_answer(kind: Kind) -> None:
    asked = Asked("GET", "/a/b?limit=2&after_id=MQ==", (("Host", "127.0.0.1:1"),), b"", "GET /a/b")
    replies = [
        Reply(200, (("Content-Type", "application/json"),), json.dumps(PAGE).encode()),
        Reply(200, (("Content-Type", "application/json"),), json.dumps(TOKENS).encode()),
        Reply(200, (("Content-Type", "text/csv"),), TABLE),
    ]
    made = [steps for reply in replies if (steps := kind.make(asked, lambda reply=reply: reply)) is not None]
    assert made
    whole = [reply.whole() for reply in replies]
    assert all(list(steps)[:1] not in ([one] for one in whole) for steps in made) or kind.paged or kind.harmless
    assert len({other.name for other in KINDS if other.group == kind.group}) == sum(
        other.group == kind.group for other in KINDS
    )
