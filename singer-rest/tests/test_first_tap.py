"""The example tap in the README runs unchanged."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.testing import Output, ReceivedRequest, Response, host, shorten_waits, sync_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest.testing import Host

README = Path(__file__).parents[1] / "README.md"
MAX_LINES = 60

ROWS = {
    "/employees": [{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bo"}, {"id": "3", "name": "Cleo"}],
    "/employees/1/absences": [{"id": "10"}, {"id": "11"}, {"id": "12"}],
    "/employees/2/absences": [],
    "/employees/3/absences": [{"id": "30"}],
    "/applications/search": [{"id": "7", "job": "baker"}, {"id": "8", "job": "cook"}, {"id": "9", "job": "cook"}],
}


@pytest.fixture(scope="module")
def source() -> str:
    (found,) = re.findall(r"<!-- first-tap -->\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def first_tap(source: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("tap_acme")
    monkeypatch.setitem(sys.modules, "tap_acme", module)
    exec(compile(source, str(README), "exec"), vars(module))  # noqa: S102 - the page of this very package
    shorten_waits(monkeypatch, module.TapAcme)
    return module.TapAcme


@pytest.fixture
def vendor() -> Iterator[Host]:
    """A host that responds to any request with two rows per page."""

    def respond(request: ReceivedRequest) -> Response:
        if request.headers.get("X-Api-Key") != "secret":
            return Response({}, 401)
        is_search = request.path == "/applications/search"
        if request.path not in ROWS or request.method != ("POST" if is_search else "GET"):
            return Response({}, 404)
        cursor = request.query.get("after")
        if is_search:
            body = json.loads(request.body)
            if body.pop("state", None) != "all" or request.headers["Content-Type"] != "application/json":
                return Response({}, 400)
            cursor = body.get("page", {}).get("after")
        start = int(cursor or 0)
        rows = ROWS[request.path]
        return Response(
            {"data": rows[start : start + 2], "meta": {"next": str(start + 2) if rows[start + 2 :] else None}}
        )

    with host(respond) as running:
        yield running


def test_example_tap_is_short_and_imports_from_no_submodule(source: str) -> None:
    assert len(source.splitlines()) <= MAX_LINES
    assert re.findall(r"^(?:from|import) (singer_rest[\w.]*)", source, re.MULTILINE) == ["singer_rest"]


def test_example_tap_reads_pages_children_and_a_post_search(first_tap: Any, vendor: Host) -> None:
    output: Output = sync_streams(first_tap(config={"api_url": vendor.url, "api_key": "secret"}))
    assert output.records("employees") == ROWS["/employees"]
    assert sorted((row["id"], row["employee_id"]) for row in output.records("absences")) == [
        ("10", "1"),
        ("11", "1"),
        ("12", "1"),
        ("30", "3"),
    ]
    assert output.records("applications") == ROWS["/applications/search"]
    assert vendor.queries("/employees") == [{"limit": "100"}, {"limit": "100", "after": "2"}]
    assert [json.loads(request.body) for request in vendor.requests if request.method == "POST"] == [
        {"state": "all"},
        {"state": "all", "page": {"after": "2"}},
    ]


def test_wrong_api_key_is_reported_as_a_missing_permission_and_not_retried(
    first_tap: Any, vendor: Host, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    sync_streams(first_tap(config={"api_url": vendor.url, "api_key": "wrong"}), "employees", fails=fails)
    assert fails
    assert "employees:read" in caplog.text
    assert vendor.paths() == {"/employees": 1}
