"""What the nodes shall have that this service runs on: kernel settings, disk queues, CPU governor, huge pages, limits.

The values are the guide's ("System-Level Tuning"). Which nodes is said here and nowhere else; it is never derived from
where pods run. Nothing acts on this section yet: a service that sets it gets `NodesTuned=Unknown, NotActedOnYet`.
"""

from typing import Annotated, Literal

from pydantic import Field

from wakala_api.base import Model, Rule, keyed, text
from wakala_api.workload import LabelMap

__all__ = ["BlockDevices", "NodeLimits", "NodeTuningSpec", "Sysctl", "TransparentHugePages"]

SysctlName = Annotated[str, text(pattern=r"^[a-z0-9_]+([./][A-Za-z0-9_*-]+)+$", most=128)]
SysctlValue = Annotated[str, text(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_ ,.-]*$", most=256)]


class Sysctl(Model):
    """One kernel setting of the host. Network settings of the host do not reach pods: see spec.sysctls."""

    name: SysctlName
    """Its name, such as vm.swappiness."""
    value: SysctlValue
    """The wanted value, as text."""
    rule: Literal["exactly", "atLeast"] | None = None
    """exactly (when not given), or atLeast: a higher value is left alone."""


class BlockDevices(Model):
    """Queues of the nodes' disks."""

    devices: (
        Annotated[
            list[Annotated[str, text(pattern=r"^[a-z0-9][a-z0-9*?!-]*$", most=64)]],
            Field(max_length=32),
        ]
        | None
    ) = None
    """Device names or patterns; absent: every real disk, whatever its name (trap G1)."""
    scheduler: Literal["none", "mq-deadline", "bfq", "kyber"] = "none"
    """I/O scheduler. none is today's name of the guide's noop, which modern kernels refuse (trap G1)."""
    nr_requests: Annotated[int, Field(ge=1, le=65536)] = 256
    """Requests in a queue; 256 is the guide's. Set after the scheduler, which resets it (trap G2)."""
    add_random: bool = False
    """Whether the disk's timing feeds the random pool; false is the guide's."""


class TransparentHugePages(Model):
    """Kernel's transparent huge pages."""

    enabled: Literal["always", "madvise", "never"] = "never"
    """never is the guide's."""
    defrag: Literal["always", "defer", "defer+madvise", "madvise", "never"] = "never"
    """never is the guide's."""


class NodeLimits(Model):
    """Limits of logins on the nodes. Containers get theirs from the runtime (trap G8), so this is off unless asked."""

    nofile: Annotated[int, Field(ge=1024, le=1073741816)] = 1048576
    """Open files; 1048576 is the guide's."""
    nproc: Annotated[int, Field(ge=1024, le=4194304)] = 65535
    """Processes; 65535 is the guide's."""


class NodeTuningSpec(Model):
    """What the chosen nodes shall have; nodeSelector alone means the guide's values."""

    constraints = (
        Rule(
            cel="self.nodeSelector.size() > 0",
            holds=lambda tuning: bool(tuning.node_selector),
            message="nodeTuning.nodeSelector wants at least one label: tuning every node of the cluster must be said, "
            "for instance with kubernetes.io/os: linux",
        ),
    )

    node_selector: LabelMap
    """Labels of the nodes to tune."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Among services that want different values on one node the highest wins; then the older."""
    sysctls: Annotated[
        list[Sysctl] | None, Field(max_length=100, json_schema_extra=keyed("name"))
    ] = None
    """Kernel settings; absent, the guide's; [] none."""
    block_devices: BlockDevices | None = None
    """Disk queues; absent, the guide's."""
    cpu_governor: Annotated[str, text(pattern=r"^[a-z]+$", most=32)] = "performance"
    """CPU frequency governor; performance is the guide's. Most virtual machines have none (trap G9)."""
    transparent_huge_pages: TransparentHugePages | None = None
    """Transparent huge pages; absent, the guide's."""
    limits: NodeLimits | None = None
    """Limits of logins; absent: left alone."""
    reapply: Literal["always", "once", "report"] = "always"
    """What is done when somebody else changes a value: put it back, leave it after the first time, or only say so."""
    audit: bool = False
    """true: nothing is written; what would change is reported."""
    persist: bool = False
    """true: the settings also stand in a file of the host, for the time between boot and the first pod."""
