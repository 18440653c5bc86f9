"""The five programs of a cluster and the flags they get."""

from collections.abc import Sequence
from pathlib import Path

from devcluster.binaries import HERE, binary
from devcluster.credentials import ca_file, kubeconfig_of
from devcluster.stages import stages

__all__ = ["control_plane", "workers"]


def control_plane(
    directory: Path, ports: tuple[int, int, int], etcd: Sequence[str] = ()
) -> dict[str, list[str]]:
    """What starts first, etcd and the API server; the latter waits for the former by itself.

    Args:
        directory: of the cluster.
        ports: of etcd's clients, etcd's peers (it wants one even alone) and the API server.
        etcd: more flags for etcd.
    """
    client, peer = (f"http://127.0.0.1:{port}" for port in ports[:2])
    key = directory / "service-account.key"
    return {
        "etcd": [
            str(binary("etcd")),
            "--name=devcluster",
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=devcluster={peer}",
            "--unsafe-no-fsync",  # the data need not outlive the processes
            "--logger=zap",
            "--log-level=warn",
            *etcd,
        ],
        "kube-apiserver": [
            str(binary("kube-apiserver")),
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint
            f"--secure-port={ports[2]}",
            f"--cert-dir={ca_file(directory).parent}",
            f"--token-auth-file={directory / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--audit-policy-file={HERE / 'audit.yaml'}",
            f"--audit-log-path={directory / 'audit.log'}",
        ],
    }


def workers(directory: Path) -> dict[str, list[str]]:
    """What starts when the API server is ready: both controllers, and kwok in place of the nodes."""
    return {
        "kube-controller-manager": [
            str(binary("kube-controller-manager")),
            f"--kubeconfig={kubeconfig_of(directory, 'kube-controller-manager')}",
            f"--service-account-private-key-file={directory / 'service-account.key'}",
            f"--root-ca-file={ca_file(directory)}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=1000",  # at the default of 20 its controllers take 5 s to start
            "--kube-api-burst=1000",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--horizontal-pod-autoscaler-downscale-stabilization=1s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
            "--node-monitor-grace-period=10m",  # a machine that was suspended loses no node
        ],
        "kube-scheduler": [
            str(binary("kube-scheduler")),
            f"--kubeconfig={kubeconfig_of(directory, 'kube-scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
        ],
        "kwok": [
            str(binary("kwok")),
            f"--kubeconfig={kubeconfig_of(directory, 'kwok')}",
            "--manage-all-nodes=true",
            "--cidr=10.200.0.0/16",
            "--node-ip=127.0.0.1",
            "--node-lease-duration-seconds=200",
            *(f"--config={path}" for path in stages()),
        ],
    }
