"""Alerts, scraping and the dashboard of a service.

Nothing acts on this section yet: a service that sets it gets `MonitoringReady=Unknown, NotActedOnYet`.
"""

from typing import Annotated

from pydantic import Field

from wakala_api.base import Model, text
from wakala_api.workload import LabelMap

__all__ = ["Dashboard", "Exporters", "Monitoring", "Rules", "ServiceMonitor"]


class ServiceMonitor(Model):
    """How Prometheus finds the pods' metrics."""

    enabled: bool = True
    """false: no ServiceMonitor is made."""
    labels: LabelMap | None = None
    """Labels by which a Prometheus chooses ServiceMonitors."""
    path: Annotated[str, text(pattern=r"^/[A-Za-z0-9/._~-]*$", most=256)] = "/metrics"
    """Page with the metrics."""
    interval_seconds: Annotated[int, Field(ge=5, le=3600)] = 30
    """Seconds between scrapes; 30 is the guide's."""


class Rules(Model):
    """Thresholds of the alerts; the numbers are the guide's."""

    enabled: bool = True
    """false: no alerts are made."""
    labels: LabelMap | None = None
    """Labels by which a Prometheus chooses rules."""
    response_time_milliseconds: Annotated[int, Field(ge=1, le=600000)] = 500
    """95th percentile of response times that is too slow; 500 is the guide's."""
    error_rate_percent: Annotated[
        str, text(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$", most=6)
    ] = "1"
    """Share of failed requests, in percent; 1 is the guide's."""
    connections_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Share of the database's connections in use; 80 is the guide's."""
    hit_ratio_percent: Annotated[int, Field(ge=0, le=100)] = 80
    """Least share of look-ups answered by the cache; 80 is the guide's alert."""


class Exporters(Model):
    """Which exporters watch this service's database and cache."""

    postgres: LabelMap | None = None
    """Labels of the postgres_exporter's series."""
    redis: LabelMap | None = None
    """Labels of the redis_exporter's series."""


class Dashboard(Model):
    """A Grafana dashboard in a ConfigMap."""

    enabled: bool = True
    """false: no dashboard is made."""
    labels: LabelMap | None = None
    """Labels by which Grafana's sidecar chooses ConfigMaps."""


class Monitoring(Model):
    """Alerts, scraping and the dashboard."""

    service_monitor: ServiceMonitor | None = None
    """How Prometheus finds the pods; absent, the defaults."""
    rules: Rules | None = None
    """Alert thresholds; absent, the guide's."""
    exporters: Exporters | None = None
    """Exporters of this service's database and cache; absent: alerts on them are left out."""
    buckets: Annotated[
        list[Annotated[str, text(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$", most=14)]] | None,
        Field(max_length=50, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = None
    """Bounds of the service's response-time histogram, in seconds; absent: prometheus-client's own."""
    dashboard: Dashboard | None = None
    """Grafana dashboard; absent, the defaults."""
