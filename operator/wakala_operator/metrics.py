"""What the operator tells Prometheus about itself, served at /metrics.

Names begin with `wakala_`; times are in seconds. Services and their conditions are read from the store at each scrape, so
that a service that is gone leaves no series behind, and only by the process that leads, so that none is told twice.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = [
    "LEADER",
    "QUEUE_AGE",
    "QUEUE_DEPTH",
    "REGISTRY",
    "asked",
    "heard",
    "passed",
    "watch_services",
]

REGISTRY = CollectorRegistry()
"""Ours alone: the default one is everybody's."""

_PASSES = Histogram(
    "wakala_reconcile_seconds",
    "Time of a pass over one service, by how it ended: done, wait, stalled, gone, failed.",
    ["outcome"],
    registry=REGISTRY,
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_REASONS = Counter(
    "wakala_reconcile_outcomes",
    "Passes that did not end well, by outcome and reason.",
    ["outcome", "reason"],
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge(
    "wakala_queue_depth", "Services that are due and wait for a worker.", registry=REGISTRY
)
QUEUE_AGE = Gauge(
    "wakala_queue_oldest_seconds",
    "How long the service that waits longest has been due.",
    registry=REGISTRY,
)
_REQUESTS = Counter(
    "wakala_api_requests",
    "Requests to the API server but for watches, by verb and status code (none: no answer).",
    ["verb", "code"],
    registry=REGISTRY,
)
_REQUEST_SECONDS = Histogram(
    "wakala_api_request_seconds",
    "Time of a request to the API server.",
    ["verb"],
    registry=REGISTRY,
)
_WATCH_EVENTS = Counter(
    "wakala_watch_events", "Events that the watches brought, by kind.", ["kind"], registry=REGISTRY
)
_WATCH_AGE = Gauge(
    "wakala_watch_heard_timestamp_seconds",
    "When a watch of this kind last brought something or a list showed that it had nothing to bring.",
    ["kind"],
    registry=REGISTRY,
)
LEADER = Gauge(
    "wakala_leader", "1 where this process holds the Lease and writes, else 0.", registry=REGISTRY
)
Info("wakala_build", "Versions of the operator and of what it runs on.", registry=REGISTRY).info(
    {
        "version": version("wakala"),
        "python": platform.python_version(),
        "kopf": version("kopf"),
        "kubernetes": version("kubernetes"),
    }
)


def asked(verb: str, code: str, seconds: float) -> None:
    """Count one request to the API server."""
    _REQUESTS.labels(verb, code).inc()
    _REQUEST_SECONDS.labels(verb).observe(seconds)


def passed(outcome: str, reason: str, seconds: float) -> None:
    """Count one pass; `reason` is "" where there is nothing to say."""
    _PASSES.labels(outcome).observe(seconds)
    if reason:
        _REASONS.labels(outcome, reason).inc()


def heard(kind: str, events: int) -> None:
    """Note a sign of life of a kind's watch, with so many events."""
    _WATCH_EVENTS.labels(kind).inc(events)
    _WATCH_AGE.labels(kind).set_to_current_time()


class _Services(Collector):
    """The conditions of all services, at the time of the scrape."""

    def __init__(self, services: Callable[[], Iterable[dict[str, Any]]]) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "wakala_service_condition",
            "A condition of a service: 1 True, 0 False, -1 Unknown.",
            labels=["namespace", "service", "condition"],
        )
        values = {"True": 1, "False": 0}
        for service in self._services():
            metadata = service["metadata"]
            for condition in service.get("status", {}).get("conditions", []):
                key = [metadata["namespace"], metadata["name"], condition["type"]]
                family.add_metric(key, values.get(condition["status"], -1))
        yield family


def watch_services(services: Callable[[], Iterable[dict[str, Any]]]) -> None:
    """Tell the conditions of what `services` answers, at each scrape."""
    REGISTRY.register(_Services(services))
