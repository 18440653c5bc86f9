"""The nodes kwok plays: what a cloud's nodes say of themselves, and room for any number of pods."""

import uuid
from typing import Any

__all__ = ["node"]

ROOM = {"cpu": "1000", "memory": "1Ti", "ephemeral-storage": "10Ti", "pods": "10000"}
"""Far more than such a machine has: no test of ours is about a full cluster."""


def node(number: int) -> dict[str, Any]:
    """Node `number`: three zones in turn, every second one of the instance type the guide prefers."""
    name = f"node-{number}"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "c5.xlarge" if number % 2 == 0 else "m5.xlarge",
        "topology.kubernetes.io/zone": f"zone-{'abc'[number % 3]}",
        "topology.kubernetes.io/region": "region-1",
    }
    status = {
        "capacity": ROOM,
        "allocatable": ROOM,
        # A kernel of its own: two nodes of one boot ID are one machine.
        "nodeInfo": {"bootID": str(uuid.uuid4()), "machineID": uuid.uuid4().hex},
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": status,
    }
