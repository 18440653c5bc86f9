"""The pods: the guide's container, made valid and safe, and the patch laid over it.

The guide's values are its "Container Resource Optimization". Beyond them: seccomp, no token, no service links, spread over
zones and hosts, network settings that are safe in a pod, and an end that loses no request: a leaving pod serves on while
proxies learn of it, then finishes what runs.
"""

from typing import Final

from wakala_api.names import (
    ANNOTATION_RUNTIME,
    CONTAINER,
    RUNTIME_DIRECTORY,
)
from wakala_api.probes import LivenessProbe, ReadinessProbe, StartupProbe
from wakala_api.resources import CacheVolume, TmpVolume
from wakala_operator.build import template_rules
from wakala_operator.build.context import Build, Object
from wakala_operator.build.environment import environment
from wakala_operator.build.patch import lay_over
from wakala_operator.build.runtime import CA_FILES, config_map_name, content_hash

__all__ = ["pod_template"]

USER: Final = 1000
"""User and group of the service's process; the guide's."""
MARGIN: Final = 5
"""Seconds between the last request's time and the kill: what gunicorn needs to leave."""


def pod_template(build: Build) -> Object:
    """The pod template with the patch laid over it, checked, and with the digest that makes a changed setting roll out.

    Raises:
        Refused: the patch asks for what a writer of services may not have, or memory does not fit.
    """
    template: Object = {
        "metadata": {"labels": build.metadata()["labels"], "annotations": {}},
        "spec": _spec(build),
    }
    if build.spec.pod_template_patch is not None:
        template = lay_over(template, build.spec.pod_template_patch)
        template_rules.check(template, build)
    template["metadata"]["annotations"] |= {ANNOTATION_RUNTIME: content_hash(build)}
    return template


def _spec(build: Build) -> Object:
    spec, scheduling = build.spec, build.spec.scheduling
    optional = {
        "affinity": _affinity(scheduling.preferred_instance_types),
        "nodeSelector": scheduling.node_selector,
        "tolerations": [
            t.model_dump(by_alias=True, exclude_none=True) for t in scheduling.tolerations or ()
        ],
        "priorityClassName": scheduling.priority_class_name,
        "imagePullSecrets": [{"name": secret.name} for secret in spec.image_pull_secrets or ()],
    }
    return {
        "serviceAccountName": build.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": spec.rollout.pre_stop_seconds
        + spec.runtime.request_timeout_seconds
        + MARGIN,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            **_sysctls(build),
        },
        "containers": [_container(build)],
        "volumes": [
            {"name": "tmp", "emptyDir": _scratch(spec.volumes.tmp)},
            {"name": "cache", "emptyDir": _scratch(spec.volumes.cache)},
            {"name": "runtime", "projected": {"sources": _runtime_sources(build)}},
        ],
        "dnsPolicy": spec.dns.policy,
        "dnsConfig": {"options": [{"name": "ndots", "value": str(spec.dns.ndots)}]},
        "topologySpreadConstraints": [
            _spread(build, key) for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
    } | {name: value for name, value in optional.items() if value}


def _container(build: Build) -> Object:
    spec, probes = build.spec, build.spec.probes
    optional = {
        "command": spec.command,
        "args": spec.args,
        "envFrom": [e.model_dump(by_alias=True, exclude_none=True) for e in spec.env_from or ()],
        "livenessProbe": _probe(probes.liveness, spec.port) if probes.liveness else None,
        "lifecycle": _pre_stop(spec.rollout.pre_stop_seconds),
    }
    return {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": spec.image_pull_policy,
        "ports": [{"name": "http", "containerPort": spec.port, "protocol": "TCP"}],
        "resources": {
            "requests": spec.resources.requests.model_dump(by_alias=True),
            "limits": spec.resources.limits.model_dump(by_alias=True),
        },
        "env": environment(build),
        "startupProbe": _probe(probes.startup, spec.port),
        "readinessProbe": _probe(probes.readiness, spec.port),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the pod
            {"name": "cache", "mountPath": "/app/.cache"},
            {"name": "runtime", "mountPath": RUNTIME_DIRECTORY, "readOnly": True},
        ],
    } | {name: value for name, value in optional.items() if value}


def _probe(probe: StartupProbe | ReadinessProbe | LivenessProbe, port: int) -> Object:
    numbers = probe.model_dump(by_alias=True, exclude={"path"})
    return {"httpGet": {"path": probe.path, "port": port}} | numbers


def _pre_stop(seconds: int) -> Object | None:
    """The kubelet's own sleep: the image may have no shell (trap G17c)."""
    return {"preStop": {"sleep": {"seconds": seconds}}} if seconds else None


def _scratch(volume: TmpVolume | CacheVolume) -> Object:
    medium = {"medium": "Memory"} if volume.medium == "Memory" else {}
    return medium | {"sizeLimit": volume.size_limit}


def _runtime_sources(build: Build) -> list[Object]:
    """The settings, and beside them the certificate authorities of the database and the cache."""
    sections = {"database": build.spec.database, "cache": build.spec.cache}
    authorities = [
        {
            "secret": {
                "name": section.connection.secret_name,
                "items": [{"key": section.connection.ca_key, "path": CA_FILES[name]}],
            }
        }
        for name, section in sections.items()
        if section is not None and section.connection.ca_key is not None
    ]
    return [{"configMap": {"name": config_map_name(build)}}, *authorities]


def _sysctls(build: Build) -> Object:
    """Settings of the pods' own network; the guide's that are safe there (trap G6) unless the spec gives others.

    The guide's port range takes in the service's own port, which is therefore kept from outgoing connections (trap G7).
    """
    guide = {
        "net.ipv4.ip_local_port_range": "1024 65535",
        "net.ipv4.ip_local_reserved_ports": str(build.spec.port),
        "net.ipv4.tcp_fin_timeout": "30",
        "net.ipv4.tcp_keepalive_intvl": "60",
        "net.ipv4.tcp_keepalive_probes": "10",
        "net.ipv4.tcp_keepalive_time": "600",
        "net.ipv4.tcp_syncookies": "1",
    }
    wanted = guide if build.spec.sysctls is None else build.spec.sysctls
    listed = [{"name": name, "value": value} for name, value in sorted(wanted.items())]
    return {"sysctls": listed} if listed else {}


def _affinity(instance_types: list[str]) -> Object | None:
    """Preferred, never required: elsewhere required ones would leave the pods pending (trap T21)."""
    if not instance_types:
        return None
    expression = {
        "key": "node.kubernetes.io/instance-type",
        "operator": "In",
        "values": instance_types,
    }
    term = {"weight": 100, "preference": {"matchExpressions": [expression]}}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}


def _spread(build: Build, key: str) -> Object:
    """Evenly over zones or hosts, counted for each template on its own, so that a rollout ends up even too."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": build.spec.scheduling.spread,
        "labelSelector": {"matchLabels": build.selector},
        "matchLabelKeys": ["pod-template-hash"],
    }
