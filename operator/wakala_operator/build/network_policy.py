"""Who may call the pods and what they may call: by port, as a NetworkPolicy can't name hosts.

The lists are written out with the API server's defaults, since they are compared both ways: one peer more is a hole.
"""

from wakala_api.workload import Peer
from wakala_operator.build.context import Build, Object

__all__ = ["network_policy"]

DNS = ((53, "UDP"), (53, "TCP"))


def network_policy(build: Build) -> Object | None:
    """The NetworkPolicy; nothing to build where it is switched off."""
    policy = build.spec.network_policy
    if not policy.enabled:
        return None
    # By name, not by number: while a new port rolls out, old pods listen on the old one.
    ingress: Object = {"ports": [{"port": "http", "protocol": "TCP"}]}
    if policy.from_ is not None:
        ingress["from"] = [_peer(peer) for peer in policy.from_]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": build.metadata(),
        "spec": {
            "podSelector": {"matchLabels": build.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [ingress],
            "egress": [{"ports": _outward(build)}],
        },
    }


def _outward(build: Build) -> list[Object]:
    """DNS, what the spec declares, the database and the cache; each once."""
    spec = build.spec
    declared = [(p.port, p.protocol or "TCP") for p in spec.network_policy.egress_ports or ()]
    behind = [(section.port, "TCP") for section in (spec.database, spec.cache) if section]
    ports = dict.fromkeys([*DNS, *declared, *behind])
    return [{"port": port, "protocol": protocol} for port, protocol in ports]


def _peer(peer: Peer) -> Object:
    """One entry of `from`, as the API server keeps it."""
    return peer.model_dump(by_alias=True, exclude_none=True)
