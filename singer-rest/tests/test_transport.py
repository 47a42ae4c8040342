"""One request: what is sent along, what may be sent again, what never is."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from singer_rest import Authenticator, Pacer, Request, RunError, Token
from singer_rest.auth import post_for_token
from singer_rest.errors import Retry
from singer_rest.testing import Answer, host
from singer_rest.transport import Transport

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = Request("/a", (("q", "x y"), ("q", "2"), ("empty", "")), "/a")


class Fixed(Authenticator):
    def request_token(self) -> Token:
        return Token("t0ken", 3600)


def transport(url: str, timeout: float = 5) -> Transport:
    return Transport(url, {"User-Agent": "test/1"}, timeout, Pacer({}))


def test_the_query_goes_out_as_it_is_repeated_and_empty_parameters_too() -> None:
    with host(lambda asked: Answer({"ok": True})) as vendor:
        reply = transport(vendor.url).get(REQUEST, Fixed())
        assert vendor.asked[0].query_text == "q=x+y&q=2&empty="
        assert vendor.asked[0].headers["Authorization"] == "Bearer t0ken"
        assert vendor.asked[0].headers["User-Agent"] == "test/1"
    assert reply.json() == {"ok": True}
    assert reply.status == 200


def test_an_authenticator_says_how_its_token_is_sent() -> None:
    class Key(Fixed):
        def headers(self, token: Token) -> dict[str, str]:
            return {"x-api-key": token.value}

    with host(lambda asked: Answer({}, 401)) as vendor:
        transport(vendor.url).get(REQUEST, Key())
        assert [asked.headers["x-api-key"] for asked in vendor.asked] == ["t0ken", "t0ken"]
        assert not any("Authorization" in asked.headers for asked in vendor.asked)


def test_a_token_goes_to_the_configured_host_only_and_follows_no_redirect() -> None:
    with host(lambda asked: Answer({})) as other:
        elsewhere = Answer({}, 302, {"Location": f"{other.url}/a"})
        with host(lambda asked: elsewhere) as vendor:
            assert transport(vendor.url).get(REQUEST, Fixed()).status == 302
            assert len(vendor.asked) == 1
        assert other.asked == []


def test_a_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login jane password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with host(lambda asked: Answer({})) as vendor:
        transport(vendor.url).get(REQUEST, Fixed())
        transport(vendor.url).get(REQUEST, None)
        assert vendor.asked[0].headers["Authorization"] == "Bearer t0ken"
        assert "Authorization" not in vendor.asked[1].headers


@pytest.mark.parametrize(
    ("answer", "reason", "after", "throttled"),
    [
        (Answer({}, 429), "too many requests", None, True),
        (Answer({}, 429, {"Retry-After": "7"}), "too many requests", 7.0, True),
        (Answer({}, 429, {"RateLimit-Reset": "9"}), "too many requests", 9.0, True),
        (Answer({}, 429, {"Retry-After": "7", "RateLimit-Reset": "9"}), "too many requests", 7.0, True),
        (Answer({}, 503, {"RateLimit-Reset": "9"}), "status 503", None, False),
        (Answer({}, 500), "status 500", None, False),
        (Answer({}, 503, {"Retry-After": "3"}), "status 503", 3.0, False),
        (Answer({"a": 1}, cut=True), "the connection broke", None, False),
        (Answer({}, delay=1.0), "no answer in time", None, False),
        (Answer({"a": 1}, stall=1.0), "no answer in time", None, False),
        (Answer({"a": "x" * 100}, drip=0.1), "no answer in time", None, False),
        (
            Answer(b"not gzip at all", headers={"Content-Encoding": "gzip"}),
            "the body could not be unpacked",
            None,
            False,
        ),
    ],
)
def test_what_may_be_sent_again(answer: Answer, reason: str, after: float | None, throttled: bool) -> None:  # noqa: FBT001
    with host(lambda asked: answer) as vendor, pytest.raises(Retry) as raised:
        transport(vendor.url, timeout=0.3).get(REQUEST, Fixed())
    assert (raised.value.reason, raised.value.after, raised.value.throttled) == (reason, after, throttled)


@pytest.mark.parametrize(
    ("answer", "slow"),
    [
        (Answer({}, delay=1.0), True),
        (Answer({"a": 1}, stall=1.0), True),
        (Answer({"a": "x" * 100}, drip=0.1), True),
        (Answer({}, 504), True),
        (Answer({}, 503), False),
        (Answer({}, 429), False),
        (Answer({"a": 1}, cut=True), False),
    ],
)
def test_what_took_too_long_is_told_from_what_broke(answer: Answer, slow: bool) -> None:  # noqa: FBT001
    with host(lambda asked: answer) as vendor, pytest.raises(Retry) as raised:
        transport(vendor.url, timeout=0.3).get(REQUEST, None)
    assert raised.value.slow is slow


def test_an_answer_that_drips_but_comes_in_time_is_whole() -> None:
    with host(lambda asked: Answer({"a": "x" * 10}, drip=0.04)) as vendor:
        assert transport(vendor.url, timeout=0.3).get(REQUEST, None).json() == {"a": "x" * 10}


def test_a_connection_is_used_again_after_every_answer_that_came_whole() -> None:
    large = json.dumps({"a": "x" * 3_000_000}).encode()
    packed = {"Content-Encoding": "gzip"}
    answers = [
        Answer({"a": 1}),
        Answer(large),
        Answer(gzip.compress(large), headers=packed),
        Answer(b""),
        Answer(gzip.compress(b""), headers=packed),
        Answer({}, 404),
        Answer({}, 503),
        Answer({}, 302, {"Location": "/elsewhere"}),
    ]
    left = answers * 2
    with host(lambda asked: left.pop(0)) as vendor:
        way = transport(vendor.url)
        bodies = []
        for answer in answers * 2:
            if answer.status == 503:
                with pytest.raises(Retry):
                    way.get(REQUEST, None)
            else:
                bodies.append(way.get(REQUEST, None).body)
        assert vendor.connections == 1
    assert bodies[:5] == [b'{"a": 1}', large, large, b"", b""]


def test_a_connection_that_takes_too_long_does_not_get_better_by_asking_for_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(*_: object, **__: object) -> None:
        raise requests.ConnectTimeout

    monkeypatch.setattr("requests.Session.request", late)
    with pytest.raises(Retry, match="no answer in time") as raised:
        transport("http://127.0.0.1:9").get(REQUEST, None)
    assert not raised.value.slow


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 409, 422, 501])
def test_what_is_an_answer(status: int) -> None:
    with host(lambda asked: Answer({}, status)) as vendor:
        assert transport(vendor.url).get(REQUEST, Fixed()).status == status


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(Retry, match="the connection broke"):
        transport("http://127.0.0.1:9").get(REQUEST, None)


def test_a_token_is_asked_for_again_but_not_for_ever() -> None:
    answers: list[Any] = [Answer({}, 503), Answer({}, 429, {"Retry-After": "0"}), Answer({"token": 1})]
    with host(lambda asked: answers.pop(0)) as vendor:
        assert post_for_token(transport(vendor.url), "/token", 0.001, data={"a": "b"}).json() == {"token": 1}
    with host(lambda asked: Answer({}, 503)) as vendor, pytest.raises(RunError, match=r"gives no token \(status 503\)"):
        post_for_token(transport(vendor.url), "/token", 0.001, data={"a": "b"})
