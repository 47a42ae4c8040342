"""Replaying a recording: pages, dates and repeated requests."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hr_sandbox.cli import main
from hr_sandbox.options import OptionError
from hr_sandbox.replay import read_recording
from hr_sandbox.testing import replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JSON = {"content-type": "application/json"}


class Client:
    """A client of a replay. Returns status and body."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> tuple[int, bytes]:
        return self._send(path, None)

    def post(self, path: str, body: Any = None) -> tuple[int, bytes]:
        return self._send(path, json.dumps(body).encode() if body else b"")

    def json(self, path: str) -> Any:
        status, body = self.get(path)
        assert status == 200
        return json.loads(body)

    def _send(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            with urlopen(Request(self.url + path, data=body)) as response:  # noqa: S310  always http
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()


def recorded_response(path: str, query: list[list[str]], **members: Any) -> dict[str, Any]:
    return {"method": "GET", "path": path, "query": query, "members": [], "status": 200, "headers": JSON, **members}


@pytest.fixture
def serve_responses(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Serves some responses."""

    def serve_responses(*answers: dict[str, Any]) -> Client:
        lines = [{"recording": 1, "tap": "tap-personio"}]
        for number, content in enumerate(answers):
            (tmp_path / f"{number}.json").write_text(json.dumps(content))
            lines.append({"file": f"{number}.json", "status": content["status"]})
        (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
        return Client(stack.enter_context(replaying(tmp_path)))

    with ExitStack() as stack:
        yield serve_responses


def test_pages_are_found_by_their_cursors(serve_responses: Callable[..., Client]) -> None:
    link = "https://recorded.invalid/v2/persons?cursor=vwx&limit=50"
    client = serve_responses(
        recorded_response("/v2/persons", [["limit", "50"], ["cursor", "zzz"]], body={"page": 3}),
        recorded_response("/v2/persons", [["limit", "50"], ["cursor", "vwx"]], body={"page": 2}),
        recorded_response("/v2/persons", [["limit", "50"]], body={"page": 1, "next": link}),
    )
    first = client.json("/v2/persons?limit=50")
    assert first == {"page": 1, "next": f"{client.url}/v2/persons?cursor=vwx&limit=50"}
    assert client.json(first["next"].removeprefix(client.url)) == {"page": 2}
    assert client.json("/v2/persons?limit=50") == first


def test_other_dates_get_the_windows_in_their_order(serve_responses: Callable[..., Client]) -> None:
    client = serve_responses(
        *(
            recorded_response("/shifts", [["page", page], ["from", day]], body=[day, page])
            for day in ("1790-01-01", "1790-02-01")
            for page in ("1", "2")
        )
    )
    requested = [("2", "2030-01-01"), ("1", "2030-02-01"), ("1", "2030-01-01"), ("2", "2030-02-01")]
    found = [client.json(f"/shifts?from={day}&page={page}") for page, day in requested]
    assert found == [["1790-01-01", "2"], ["1790-02-01", "1"], ["1790-01-01", "1"], ["1790-02-01", "2"]]
    status, body = client.get("/shifts?from=2030-03-01&page=1")
    assert status == 404
    assert b"has no response to GET /shifts" in body


def test_repeated_requests_get_their_responses_in_order(serve_responses: Callable[..., Client]) -> None:
    client = serve_responses(
        recorded_response("/teams", [], status=401),
        recorded_response("/teams", [], status=429),
        recorded_response("/teams", [], body={"data": []}),
    )
    assert [client.get("/teams")[0] for _ in range(3)] == [401, 200, 200]


def test_unknown_requests_are_not_found(serve_responses: Callable[..., Client]) -> None:
    client = serve_responses(recorded_response("/teams", [], body={}))
    assert client.get("/offices")[0] == 404
    assert client.get("/teams?limit=1")[0] == 404


@pytest.mark.parametrize("path", ["/v2/auth/token", "/v1/auth", "/oauth/token", "/services/api/oauth2/token"])
def test_any_credential_gets_a_token(serve_responses: Callable[..., Client], path: str) -> None:
    assert json.loads(serve_responses().post(path)[1])["access_token"]


def test_searches_are_found_by_their_body(serve_responses: Callable[..., Client]) -> None:
    search = {**recorded_response("/search", []), "method": "POST", "members": [["page.after", "vwx"], ["all", "true"]]}
    client = serve_responses({**search, "body": [1]})
    assert client.post("/search", {"page": {"after": "vwx"}, "all": True}) == (200, b"[1]")
    assert client.post("/search", {"page": {"before": "vwx"}})[0] == 404


def test_xml_and_other_bodies_are_served(serve_responses: Callable[..., Client]) -> None:
    space = "{http://docs.oasis-open.org/odata/ns/edm}"
    xml = {"tag": f"{space}Schema", "attributes": {"Namespace": "a<b"}, "children": [{"tag": "x", "text": "1 & 2"}]}
    client = serve_responses(recorded_response("/metadata", [], xml=xml), recorded_response("/picture", [], length=7))
    assert client.get("/metadata")[1].decode() == (
        f'<n0:Schema xmlns:n0="{space[1:-1]}" Namespace="a&lt;b"><x>1 &amp; 2</x></n0:Schema>'
    )
    assert len(client.get("/picture")[1]) == 7


@pytest.mark.parametrize("index", [None, "", "{", '{"recording": 2, "tap": "x"}', '{"recording": 1, "tap": "x"}\n{}'])
def test_a_folder_without_a_recording_is_refused(tmp_path: Path, index: str | None) -> None:
    if index is not None:
        (tmp_path / "index.jsonl").write_text(index)
    with pytest.raises(OptionError, match="--replay"):
        read_recording(tmp_path)


def test_the_command_reports_a_folder_without_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", "--replay", str(tmp_path)])
    assert ended.value.code == 2
    assert "holds no recording" in capsys.readouterr().err
