"""OpenTelemetry: a span per run and stream, and metrics, sent by OTLP if its environment variables say so.

Its packages are an extra of the tap, and are imported only then. Nothing global is set, as a program that runs the tap
may use OpenTelemetry, too.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from singer_rest.telemetry.numbers import STREAM_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span

    from singer_rest.telemetry.numbers import RunNumbers, RunResult, StreamNumbers

logger = logging.getLogger(__name__)

SCOPE = "singer_rest"
PROTOCOL = "http/protobuf"


def start_tracing(tap: str, version: str, numbers: Callable[[], RunNumbers]) -> Tracing | None:
    """Starts to send spans and metrics, if environment variables say where to.

    Args:
        tap: Name of the tap.
        version: Its version.
        numbers: Returns the numbers of the run so far. Called from another thread.

    Returns:
        The run's telemetry. None: it is off, or cannot be sent, which a warning explains.
    """
    signals = [signal for signal in ("TRACES", "METRICS") if _is_on(signal)]
    if not signals:
        return None
    protocols = {_setting("PROTOCOL", signal) or PROTOCOL for signal in signals}
    if protocols != {PROTOCOL}:
        logger.warning("OpenTelemetry is off: set OTEL_EXPORTER_OTLP_PROTOCOL to %s, or leave it out.", PROTOCOL)
        return None
    try:
        return Tracing(tap, version, numbers, signals)
    except ImportError:
        logger.warning(
            "OpenTelemetry is off: its packages are missing. Install the tap with its extra `otel`, such as "
            "`pip install '%s[otel]'`, or set OTEL_SDK_DISABLED=true.",
            tap,
        )
    except Exception as error:  # noqa: BLE001 - the run matters more
        logger.warning("OpenTelemetry is off (%s). Check the variables OTEL_*.", type(error).__name__)
    return None


def _is_on(signal: str) -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get(f"OTEL_{signal}_EXPORTER")
    return exporter == "otlp" or (exporter is None and bool(_setting("ENDPOINT", signal)))


def _setting(name: str, signal: str) -> str | None:
    """Returns an environment variable of the exporter: that of the signal, or of both."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}")


class Tracing:
    """The spans and metrics of a run.

    Args:
        tap: Name of the tap.
        version: Its version.
        numbers: Returns the numbers of the run so far.
        signals: What to send: TRACES, METRICS.

    Raises:
        ImportError: If OpenTelemetry is not installed.
    """

    def __init__(self, tap: str, version: str, numbers: Callable[[], RunNumbers], signals: Iterable[str]) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - few runs need it
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415

        # Its messages contain headers with tokens, and addresses. `end` says what went wrong.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        resource = Resource({"service.name": tap, "service.version": version}).merge(OTELResourceDetector().detect())
        self._trace = trace
        self._numbers = numbers
        self._result: RunResult | None = None
        self._providers: list[Any] = []
        self._failed: set[str] = set()
        self._streams: dict[str, Span] = {}
        if "METRICS" in signals:
            self._start_metrics(resource)
        tracer = self._start_traces(resource) if "TRACES" in signals else trace.NoOpTracer()
        self._tracer = tracer
        self._run = tracer.start_span(f"{tap} run", _parent())

    def _start_traces(self, resource: Resource) -> Any:  # noqa: ANN401 - a tracer of a package that may be missing
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult  # noqa: PLC0415

        failed = self._failed

        class Exporter(OTLPSpanExporter):
            def export(self, spans: Any) -> SpanExportResult:  # noqa: ANN401
                result = super().export(spans)
                if result is not SpanExportResult.SUCCESS:
                    failed.add("spans")
                return result

        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(Exporter()))
        self._providers.append(provider)
        return provider.get_tracer(SCOPE)

    def _start_metrics(self, resource: Resource) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.metrics import Observation  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader  # noqa: PLC0415

        failed = self._failed

        class Exporter(OTLPMetricExporter):
            def export(self, *args: Any, **kwargs: Any) -> MetricExportResult:
                result = super().export(*args, **kwargs)
                if result is not MetricExportResult.SUCCESS:
                    failed.add("metrics")
                return result

        readers = [PeriodicExportingMetricReader(Exporter())]
        provider = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        self._providers.append(provider)
        meter = provider.get_meter(SCOPE)

        def observe(values: Callable[[], Mapping[str, float]], attribute: str) -> Any:  # noqa: ANN401
            def callback(_options: CallbackOptions) -> Iterable[Observation]:
                return [Observation(value, {attribute: name} if name else {}) for name, value in values().items()]

            return [callback]

        numbers = self._numbers
        for name, unit, text, attribute, values in (
            ("singer.rows", "{row}", "Records emitted", "singer.stream", lambda: numbers().rows),
            ("singer.requests", "{request}", "Requests sent", "", lambda: {"": numbers().requests}),
            ("singer.retries", "{request}", "Requests sent again", "singer.stream", lambda: numbers().retries),
            ("singer.wait", "s", "Waits for rate limits", "singer.limit", lambda: numbers().waits),
            ("singer.received", "By", "Response bodies as sent", "", lambda: {"": numbers().received_bytes}),
            ("singer.streams", "{stream}", "Streams that have ended", "singer.outcome", self._outcomes),
        ):
            meter.create_observable_counter(name, observe(values, attribute), unit, text)

    def _outcomes(self) -> Mapping[str, float]:
        streams = self._result.streams if self._result else ()
        return {one: sum(stream.outcome == one for stream in streams) for one in STREAM_OUTCOMES}

    def start_stream(self, name: str) -> None:
        """Starts the span of a stream."""
        context = self._trace.set_span_in_context(self._run)
        self._streams[name] = self._tracer.start_span(name, context, attributes={"singer.stream": name})

    def end_stream(self, stream: StreamNumbers) -> None:
        """Ends the span of a stream."""
        if span := self._streams.pop(stream.name, None):
            span.set_attributes(
                {"singer.outcome": stream.outcome, "singer.rows": stream.rows, "singer.requests": stream.requests}
            )
            self._end(span, succeeded=stream.outcome in {"read", "skipped"})

    def end(self, result: RunResult) -> None:
        """Ends the run's span, and sends what was not sent yet. A warning says what could not be sent."""
        self._result = result
        for stream in result.streams:
            self.end_stream(stream)
        numbers = result.numbers
        self._run.set_attributes(
            {
                "singer.streams": len(result.streams),
                "singer.rows": sum(numbers.rows.values()),
                "singer.requests": numbers.requests,
                "singer.retries": sum(numbers.retries.values()),
                "singer.wait": result.waited,
                "singer.received": numbers.received_bytes,
            }
        )
        self._end(self._run, succeeded=result.succeeded)
        for provider in self._providers:
            try:
                provider.shutdown()
            except Exception:  # noqa: BLE001 - the run matters more
                self._failed.add("some of it")
        if self._failed:
            logger.warning(
                "The OpenTelemetry collector did not accept everything (%s). Check OTEL_EXPORTER_OTLP_ENDPOINT and "
                "OTEL_EXPORTER_OTLP_HEADERS. The data is not affected.",
                ", ".join(sorted(self._failed)),
            )

    def _end(self, span: Span, *, succeeded: bool) -> None:
        status = self._trace.StatusCode.OK if succeeded else self._trace.StatusCode.ERROR
        span.set_status(self._trace.Status(status))
        span.end()


def _parent() -> Any:  # noqa: ANN401 - a context of a package that may be missing
    """Returns the context of the span that started this process, which an orchestrator names in TRACEPARENT."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")})
