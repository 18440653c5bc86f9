"""Who counts the pods, where the count is not fixed."""

from wakala_operator.build.context import Build, Object

__all__ = ["autoscaler"]


def autoscaler(build: Build) -> Object | None:
    """The HorizontalPodAutoscaler; nothing to build when `replicas` is fixed."""
    scaling = build.spec.autoscaling
    if scaling is None:
        return None
    wanted = {"cpu": scaling.target_cpu_utilization, "memory": scaling.target_memory_utilization}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": build.metadata(),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": build.name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": resource,
                        "target": {"type": "Utilization", "averageUtilization": percent},
                    },
                }
                for resource, percent in wanted.items()
                if percent is not None
            ],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": scaling.scale_down_stabilization_seconds
                }
            },
        },
    }
