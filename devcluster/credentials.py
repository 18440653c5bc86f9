"""Who may talk to the cluster: static tokens, a kubeconfig for each user, and the key of ServiceAccount tokens.

The API server signs its own certificate into `pki/`, authority included; so nothing here makes certificates, and users are
told apart by token. What lies here is readable by its owner alone.
"""

import json
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["USERS", "ca_file", "kubeconfig_of", "private", "write_credentials"]

USERS = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}
"""Name of a kubeconfig: user name and group. The control plane has its own rights, as in a real cluster."""


def ca_file(directory: Path) -> Path:
    """The API server's certificate with the authority that signed it."""
    return directory / "pki" / "apiserver.crt"


def kubeconfig_of(directory: Path, user: str = "admin") -> Path:
    """Kubeconfig of one of `USERS`."""
    return directory / f"{user}.kubeconfig"


def write_credentials(directory: Path, server: str) -> str:
    """Write tokens, keys and kubeconfigs; returns the admin's token."""
    tokens = {user: secrets.token_urlsafe(24) for user in USERS}
    rows = [f'{tokens[user]},{name},{name},"{group}"' for user, (name, group) in USERS.items()]
    private(directory / "tokens.csv", "\n".join(rows) + "\n")
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    private(directory / "service-account.key", key.decode())
    for user, token in tokens.items():
        private(kubeconfig_of(directory, user), _kubeconfig(directory, server, user, token))
    return tokens["admin"]


def _kubeconfig(directory: Path, server: str, user: str, token: str) -> str:
    reach = {"server": server, "certificate-authority": str(ca_file(directory))}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "devcluster", "cluster": reach}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}],
        "current-context": "devcluster",
    }
    return json.dumps(config, indent=1)


def private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)
