"""How many pods a drain may take at once."""

from wakala_operator.build.context import Build, Object

__all__ = ["disruption_budget"]


def disruption_budget(build: Build) -> Object:
    """The PodDisruptionBudget: counted from above, so that it never blocks a drain, also of a single pod (trap G17c).

    Pods that are not ready may always be evicted: a broken service must not keep a node from being drained.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": build.metadata(),
        "spec": {
            "maxUnavailable": build.spec.disruption.max_unavailable,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": build.selector},
        },
    }
