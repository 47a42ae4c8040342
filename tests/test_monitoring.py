"""A tap and the loader, watched by a log in JSON, an OpenTelemetry collector and a metrics file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import running
from singer_rest.testing import Response, host

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MIN_LETTERS = 5


def texts_of(value: Any) -> Iterator[str]:
    """Yields the texts in a record."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, str):
            yield item
        yield from texts_of(item)


@pytest.mark.slow
def test_log_is_json_and_nothing_that_is_exported_holds_personal_data(tmp_path: Path) -> None:
    database, metrics = tmp_path / "hr.duckdb", tmp_path / "personio.prom"
    with (
        running(employees=12, requests_per_minute=600_000) as sandbox,
        host(lambda received_request: Response(b"")) as collector,
    ):
        environment = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ} | {
            "SINGER_SDK_LOG_CONFIG": str(ROOT / "deploy" / "logging.yaml"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "TAP_PERSONIO_API_URL": f"{sandbox.url}/personio",
            "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
            "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
            "TAP_PERSONIO_METRICS_FILE": str(metrics),
            "TARGET_DUCKDB_PATH": str(database),
        }
        options: dict[str, Any] = {"env": environment, "capture_output": True, "timeout": 300}
        tap = subprocess.run([BIN / "tap-personio", "--config=ENV"], check=True, **options)
        loader = subprocess.run([BIN / "target-duckdb", "--config=ENV"], input=tap.stdout, check=True, **options)
        persons = sandbox.records("personio", "persons")
    logs = [json.loads(line) for line in (tap.stderr + loader.stderr).splitlines()]
    assert {"level", "logger_name", "message", "ts"} <= set.intersection(*map(set, logs))
    assert any(" inserted, " in line["message"] for line in logs)
    assert {request.path for request in collector.requests} == {"/v1/traces", "/v1/metrics"}
    sent = [request.body for request in collector.requests]
    values = {text.encode() for person in persons for text in texts_of(person) if len(text) >= MIN_LETTERS}
    schema_words = {value for value in values if value.decode().islower() and value.isalpha()}  # "active", "female"
    personal = values - schema_words
    assert len(personal) > len(persons)
    assert any(value in tap.stdout for value in personal)
    exported = b"\n".join([tap.stderr, loader.stderr, metrics.read_bytes(), *sent])
    assert b"persons" in metrics.read_bytes()
    assert [value for value in personal if value in exported] == []
