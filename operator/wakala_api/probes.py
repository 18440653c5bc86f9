"""How the kubelet asks a pod whether it has started, whether it may get traffic, and whether it is alive.

Start-up and readiness are the guide's. Liveness is opt-in: a probe that looks at the database kills every pod at once
when the database blinks (trap T20), so it is for people who have a page that says nothing but "this process works".
"""

from typing import Annotated

from pydantic import Field

from wakala_api.base import Model, text

__all__ = ["LivenessProbe", "Probes", "ReadinessProbe", "StartupProbe"]

HttpPath = Annotated[str, text(pattern=r"^/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*$", most=512)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
Delay = Annotated[int, Field(ge=0, le=3600)]
Tries = Annotated[int, Field(ge=1, le=1000)]


class StartupProbe(Model):
    """Asked until it answers once; the other probes wait for it."""

    path: HttpPath = "/health"
    """Page asked by HTTP GET on `port`; /health is the guide's."""
    initial_delay_seconds: Delay = 10
    """Seconds before the first question; 10 is the guide's."""
    period_seconds: Seconds = 5
    """Seconds between questions; 5 is the guide's."""
    timeout_seconds: Seconds = 1
    """Seconds an answer may take; 1 is Kubernetes' own."""
    failure_threshold: Tries = 30
    """Failures before the container is started anew; 30 is the guide's: with the period, 150 s to start."""


class ReadinessProbe(Model):
    """Asked all the time; a pod that fails it gets no traffic and is not killed."""

    path: HttpPath = "/ready"
    """Page asked by HTTP GET on `port`; /ready is the guide's. If it asks the database, all pods leave together."""
    initial_delay_seconds: Delay = 5
    """Seconds before the first question; 5 is the guide's."""
    period_seconds: Seconds = 5
    """Seconds between questions; 5 is the guide's."""
    timeout_seconds: Seconds = 1
    """Seconds an answer may take; 1 is Kubernetes' own."""
    success_threshold: Tries = 1
    """Answers in a row before traffic comes; 1 is the guide's."""
    failure_threshold: Tries = 3
    """Failures in a row before traffic stops; 3 is the guide's."""


class LivenessProbe(Model):
    """Asked all the time; a container that fails it is killed and started anew."""

    path: HttpPath
    """Page asked by HTTP GET on `port`; it must not depend on the database or the cache."""
    initial_delay_seconds: Delay = 0
    """Seconds before the first question, after the start-up probe has passed."""
    period_seconds: Seconds = 10
    """Seconds between questions; 10 is Kubernetes' own."""
    timeout_seconds: Seconds = 5
    """Seconds an answer may take; generous, since a busy worker is not a dead one."""
    failure_threshold: Tries = 3
    """Failures in a row before the container is killed; 3 is Kubernetes' own."""


class Probes(Model):
    """The three probes of the service's container."""

    startup: StartupProbe = Field(default_factory=StartupProbe)
    """Start-up; absent, the guide's."""
    readiness: ReadinessProbe = Field(default_factory=ReadinessProbe)
    """Readiness; absent, the guide's."""
    liveness: LivenessProbe | None = None
    """Liveness; absent, none (see the module's reason: trap T20)."""
