"""Whole runs against the sandbox: counts, values, increments, rights, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_factorial.testing import KEYS, by_key, differs, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.testing import Sandbox

EVERYTHING = {"optional_streams": ["*"], "integration_uuid": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"}
LISTS = "/factorial/api/2026-10-01/resources/"


def asked(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [request["query"] for request in sandbox.requests() if request["path"].endswith(f"/resources/{name}")]


def compared(output: Any, sandbox: Sandbox) -> None:
    """Every row and every value of every stream."""
    counts = sandbox.counts()["factorial"]
    assert output.counts() == {stream: count for stream, count in counts.items() if count}
    for stream, count in counts.items():
        records = {key_of(stream, record): record for record in output.records(stream)}
        sent = by_key(stream, sandbox.records("factorial", stream))
        assert records.keys() == sent.keys(), stream
        assert len(records) == count or not KEYS[stream]
        for key, row in sent.items():
            wrong = differs(row, records[key])
            assert {name: (row[name], records[key].get(name)) for name in wrong} == {}, stream


def test_every_row_and_value_of_every_list_arrives(run: Callable[..., Any], sandbox: Sandbox, url: str) -> None:
    output = run(url, **EVERYTHING)
    assert set(sandbox.counts()["factorial"]) == set(KEYS)
    compared(output, sandbox)
    assert all("challenge" not in record for record in output.records("api_public_webhook_subscriptions"))
