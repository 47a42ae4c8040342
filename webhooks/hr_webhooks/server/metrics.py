"""What the receiver counts, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.registry import Collector

    from hr_webhooks.heard import Heard

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)  # Personio waits three seconds


class Metrics:
    """The metrics of one receiver.

    Args:
        heard: When something last came.
        position: Returns the position of the journal's last entry.
        free: Returns the free bytes of the journal's disk.
    """

    def __init__(self, heard: Heard, position: Callable[[], int], free: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hr_webhooks_requests",
            "Requests by vendor and outcome; the vendor is empty where the address is unknown.",
            ["vendor", "outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hr_webhooks_answer_seconds",
            "Time from the headers of a request with a known address to its answer.",
            ["vendor"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.bytes = Counter(
            "hr_webhooks_body_bytes", "Bytes of bodies that were journaled.", ["vendor"], registry=self.registry
        )
        self.in_progress = Gauge(
            "hr_webhooks_requests_in_progress",
            "Requests whose bodies are received or stored now.",
            registry=self.registry,
        )
        self.refused_connections = Counter(
            "hr_webhooks_refused_connections", "Connections beyond the limit.", registry=self.registry
        )
        self.registry.register(_State(heard, position, free))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)


class _State:
    """What is read when it is asked for."""

    def __init__(self, heard: Heard, position: Callable[[], int], free: Callable[[], int]) -> None:
        self._heard = heard
        self._position = position
        self._free = free

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the values of now."""
        yield GaugeMetricFamily("hr_webhooks_journal_position", "The last position.", value=self._position())
        yield GaugeMetricFamily("hr_webhooks_journal_free_bytes", "Free bytes of its disk.", value=self._free())
        last = GaugeMetricFamily(
            "hr_webhooks_last_timestamp_seconds",
            "When the last event, heartbeat or verification request came to an address.",
            labels=["vendor", "tenant", "type", "kind"],
        )
        for part, kinds in self._heard.times.items():
            vendor, tenant, *event_type = part.removeprefix("/").split("/", 2)
            for kind, time in kinds.items():
                last.add_metric([vendor, tenant, "".join(event_type), kind], time)
        yield last


if TYPE_CHECKING:
    _: type[Collector] = _State
