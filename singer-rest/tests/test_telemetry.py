"""What monitoring learns of a run, by OpenTelemetry and the metrics file: no value, id or secret."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from singer_rest.http.activity import Activity
from singer_rest.singer.monitor import RunMonitor
from singer_rest.singer.progress import Progress
from singer_rest.singer.sdk import SIGNAL_EXIT
from singer_rest.telemetry import prometheus
from singer_rest.testing import Response, capture_output, host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from singer_rest.testing import Host, Output

SECRET = "c0llector-s3cret"
OK, ERROR = 1, 2
VALUES = (b"owner 3", b"2026-01-01", b"2026-01-03", b"fish", b"k3y")
"""Values of records, of settings and of the state."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without settings of OpenTelemetry."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "TRACEPARENT"))]:
        monkeypatch.delenv(name)
    return monkeypatch


class Collector:
    """What an OpenTelemetry collector has received."""

    def __init__(self, server: Host) -> None:
        self._server = server
        self.url = server.url

    @property
    def raw(self) -> bytes:
        return b"".join(
            received_request.body + repr(sorted(received_request.headers.items())).encode()
            for received_request in self._server.requests
        )

    def _bodies(self, path: str) -> Iterator[bytes]:
        return (request.body for request in self._server.requests if request.path == path)

    def spans(self) -> dict[str, Any]:
        """The spans by name."""
        return {
            span.name: span
            for body in self._bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    def resource(self) -> dict[str, str]:
        body = next(self._bodies("/v1/traces"))
        return attributes_of(ExportTraceServiceRequest.FromString(body).resource_spans[0].resource)

    def metrics(self) -> dict[str, dict[str, float]]:
        """The last values by metric and attribute."""
        found: dict[str, dict[str, float]] = {}
        for body in self._bodies("/v1/metrics"):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        found[metric.name] = {
                            "".join(attributes_of(point).values()): point.as_double or point.as_int
                            for point in metric.sum.data_points
                        }
        return found


def attributes_of(item: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in item.attributes}


@pytest.fixture
def collector(environment: pytest.MonkeyPatch) -> Iterator[Collector]:
    with host(lambda received_request: Response(b"")) as server:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{SECRET}")
        yield Collector(server)


def test_run_and_streams_are_spans(run: Callable[..., Output], shop: Any, collector: Collector) -> None:
    shop.refusals["/kinds"] = Response({}, 403)
    output = run("owners", "pets", "kinds")
    spans = collector.spans()
    assert set(spans) == {"tap-pets run", "owners", "pets", "kinds"}
    whole = spans.pop("tap-pets run")
    assert {span.parent_span_id for span in spans.values()} == {whole.span_id}
    assert {span.status.code for span in (whole, *spans.values())} == {OK}
    assert all(whole.start_time_unix_nano <= span.start_time_unix_nano for span in spans.values())
    assert attributes_of(spans["pets"]) == {
        "singer.stream": "pets",
        "singer.outcome": "read",
        "singer.rows": 6,
        "singer.requests": 3,
    }
    assert attributes_of(spans["kinds"])["singer.outcome"] == "skipped"
    numbers = attributes_of(whole)
    assert numbers["singer.streams"] == 3
    assert numbers["singer.rows"] == sum(output.counts().values()) == 9
    assert numbers["singer.requests"] >= 6
    assert collector.resource()["service.name"] == "tap-pets"


def test_numbers_are_metrics(run: Callable[..., Output], shop: Any, collector: Collector) -> None:
    failures = iter([Response({}, 503), Response({}, 503)])
    shop.before = lambda request: next(failures, None) if request.path == "/kinds" else None
    run("owners", "kinds", requests_per_minute=6000)
    metrics = collector.metrics()
    assert metrics["singer.rows"] == {"owners": 3, "kinds": 3}
    assert metrics["singer.retries"] == {"kinds": 2}
    assert metrics["singer.streams"] == {"read": 2, "skipped": 0, "failed": 0, "unfinished": 0}
    assert metrics["singer.requests"][""] == 6
    assert metrics["singer.received"][""] > 100
    assert list(metrics["singer.wait"]) == ["requests_per_minute"]
    assert metrics["singer.wait"]["requests_per_minute"] > 0


def test_failed_stream_is_an_error_without_a_message(
    run: Callable[..., Output], shop: Any, collector: Collector
) -> None:
    shop.refusals["/kinds"] = Response({"secret": "owner 1"}, 400)
    errors: list[Exception] = []
    run("owners", "kinds", fails=errors)
    assert errors
    spans = collector.spans()
    assert {name: span.status.code for name, span in spans.items()} == {
        "tap-pets run": ERROR,
        "owners": OK,
        "kinds": ERROR,
    }
    assert {span.status.message for span in spans.values()} == {""}
    assert not any(span.events for span in spans.values())
    assert collector.metrics()["singer.streams"]["failed"] == 1


def test_run_that_is_stopped_sends_its_spans(
    make_tap: Callable[..., Any], collector: Collector, environment: pytest.MonkeyPatch
) -> None:
    tap = make_tap("owners", "kinds")
    environment.setattr(Progress, "is_due", True)
    environment.setattr(tap, "_log_progress", lambda _: tap._handle_termination(signal.SIGTERM, None))
    stopped: list[int] = []

    def sync() -> None:
        with pytest.raises(SystemExit) as ended:
            tap.sync_all()
        stopped.append(int(ended.value.code or 0))

    capture_output(sync)
    assert stopped == [SIGNAL_EXIT + signal.SIGTERM]
    spans = collector.spans()
    assert set(spans) == {"tap-pets run", "owners", "kinds"}
    assert spans["tap-pets run"].status.code == ERROR
    assert "unfinished" in {attributes_of(span).get("singer.outcome") for span in spans.values()}


def test_no_value_id_or_secret_is_sent(
    cli: Callable[..., Any], collector: Collector, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "otlp")
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-01T00:00:00Z"}}
    }
    code, output, log = cli(state=state, config={"metrics_file": str(tmp_path / "pets.prom")})
    assert code == 0
    assert "owner 3" in output
    assert SECRET not in output + log
    exported = collector.raw + (tmp_path / "pets.prom").read_bytes()
    assert b"owners" in exported
    assert [value for value in VALUES if value in exported] == []


def test_parent_of_the_orchestrator_is_the_parent_of_the_run(
    run: Callable[..., Output], collector: Collector, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    run("kinds")
    spans = collector.spans()
    assert spans["tap-pets run"].parent_span_id.hex() == "b7ad6b7169203331"
    assert {span.trace_id.hex() for span in spans.values()} == {"0af7651916cd43dd8448eb211c80319c"}


def test_name_and_attributes_of_the_service_can_be_set(
    run: Callable[..., Output], collector: Collector, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("OTEL_SERVICE_NAME", "hr-nightly")
    environment.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")
    run("kinds")
    assert collector.resource()["service.name"] == "hr-nightly"
    assert collector.resource()["deployment.environment"] == "prod"


@pytest.mark.parametrize(
    ("variables", "paths"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, set()),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
    ],
)
def test_signals_can_be_turned_off(
    run: Callable[..., Output],
    collector: Collector,
    environment: pytest.MonkeyPatch,
    variables: dict[str, str],
    paths: set[str],
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    run("kinds")
    assert set(collector._server.paths()) == paths


def test_nothing_is_imported_without_the_variables(
    run: Callable[..., Output], environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setitem(sys.modules, "opentelemetry", None)
    assert run("kinds").counts() == {"kinds": 3}
    assert "OpenTelemetry" not in caplog.text


def test_missing_packages_are_a_warning(
    run: Callable[..., Output],
    collector: Collector,
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment.setitem(sys.modules, "opentelemetry", None)
    assert run("kinds").counts() == {"kinds": 3}
    assert "pip install 'tap-pets[otel]'" in caplog.text


def test_another_protocol_is_a_warning(
    run: Callable[..., Output],
    collector: Collector,
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert run("kinds").counts() == {"kinds": 3}
    assert "set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf" in caplog.text
    assert collector.raw == b""


@pytest.mark.parametrize("is_dead", [True, False])
def test_collector_that_accepts_nothing_is_a_warning(
    run: Callable[..., Output],
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_dead: bool,  # noqa: FBT001
) -> None:
    with host(lambda received_request: Response(SECRET.encode(), 401)) as server:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9" if is_dead else server.url)
        environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"{SECRET}, authorization={SECRET}")
        environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        assert run("kinds").counts() == {"kinds": 3}
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("The OpenTelemetry collector did not accept everything (metrics, spans).")
    assert SECRET not in caplog.text


def read_metrics(path: Path) -> dict[str, float]:
    """The samples by name and labels."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_file_has_the_numbers_of_the_run(run: Callable[..., Output], shop: Any, tmp_path: Path) -> None:
    path = tmp_path / "acme.prom"
    shop.refusals["/kinds"] = Response({}, 403)
    run("owners", "kinds", metrics_file=str(path))
    labels = 'run="acme",tap="tap-pets"'
    found = read_metrics(path)
    assert found[f"singer_run_success{{{labels}}}"] == 1
    assert found[f'singer_run_streams{{{labels},outcome="skipped"}}'] == 1
    assert found[f'singer_stream_rows{{{labels},stream="owners"}}'] == 3
    assert found[f'singer_stream_success{{{labels},stream="kinds"}}'] == 0
    assert found[f"singer_run_requests{{{labels}}}"] == 3
    assert found[f"singer_run_end_timestamp_seconds{{{labels}}}"] > 1.7e9
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]
    names = re.findall(r"^(\w+)\{", path.read_text(), re.MULTILINE)
    types = re.findall(r"^# TYPE (\w+) gauge$", path.read_text(), re.MULTILINE)
    assert types == list(dict.fromkeys(names))


def test_failed_run_keeps_the_time_of_the_last_success(
    run: Callable[..., Output], shop: Any, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "acme.prom"
    environment.setattr(prometheus.time, "time", lambda: 1_000_000_000.5)
    run("kinds", metrics_file=str(path))
    environment.setattr(prometheus.time, "time", lambda: 1_000_086_400.5)
    shop.refusals["/kinds"] = Response({}, 400)
    run("kinds", metrics_file=str(path), fails=[])
    found = {name.partition("{")[0]: value for name, value in read_metrics(path).items()}
    assert found["singer_run_success"] == 0
    assert found["singer_run_last_success_timestamp_seconds"] == 1_000_000_000.5
    assert found["singer_run_end_timestamp_seconds"] == 1_000_086_400.5


def test_single_records_leave_the_metrics_file_alone(cli: Callable[..., Any], tmp_path: Path) -> None:
    cli("--only", "owners=1", config={"metrics_file": str(tmp_path / "pets.prom")})
    assert not (tmp_path / "pets.prom").exists()


def test_metrics_file_that_cannot_be_written_is_a_warning(
    run: Callable[..., Output], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("kinds", metrics_file=str(tmp_path / "nowhere" / "pets.prom")).counts() == {"kinds": 3}
    assert "`metrics_file` cannot be written (no such file or directory)" in caplog.text


def test_labels_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / 'a"b\\c.prom'
    RunMonitor("tap-pets", "1", [], Activity(), metrics_file=str(path)).end(succeeded=True)
    assert 'run="a\\"b\\\\c"' in path.read_text()


def test_waits_are_counted_by_limit() -> None:
    now = [100.0]
    activity = Activity(lambda: now[0])
    with activity.count_wait(["a"]):
        now[0] += 1
        with activity.count_wait(["a", "b"]):
            now[0] += 2
        now[0] += 4
    assert activity.waits() == {"a": 7, "b": 2}
    assert activity.waited == 7
