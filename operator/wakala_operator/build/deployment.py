"""The Deployment: how many pods, and how they are replaced without a lost request."""

from wakala_operator.build.context import Build, Object
from wakala_operator.build.pod import pod_template

__all__ = ["deployment"]


def deployment(build: Build) -> Object:
    """The Deployment; without a count where an autoscaler owns it.

    Raises:
        Refused: see `pod_template`.
    """
    spec, rollout = build.spec, build.spec.rollout
    count = {"replicas": spec.replicas} if spec.autoscaling is None else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": build.metadata(),
        "spec": count
        | {
            "selector": {"matchLabels": build.selector},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": rollout.max_surge,
                    "maxUnavailable": rollout.max_unavailable,
                },
            },
            "minReadySeconds": rollout.min_ready_seconds,
            "progressDeadlineSeconds": rollout.progress_deadline_seconds,
            "revisionHistoryLimit": rollout.revision_history_limit,
            "template": pod_template(build),
        },
    }
