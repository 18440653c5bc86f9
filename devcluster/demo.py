"""`make up` and `make down`: a cluster, the CRDs, the operator as a process, the examples, and their status.

The operator runs as a process of this machine with the chart's ServiceAccount and its rights, since kwok's nodes run pods in
name only. The chart's own Deployment is set to no pods, so that two never write on nodes that run containers.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from devcluster import cluster
from devcluster.binaries import BuildError, binary, cache, locked
from devcluster.choose import choose, let_go
from devcluster.credentials import private

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
UP = cache() / "up"
STATE = cache() / "demo.json"
LOG = cache() / "demo-operator.log"
NAMESPACE = "wakala-system"
PATIENCE = 90.0


def _say(line: str) -> None:
    print(f"make: {line}", flush=True)


def _run(*words: str) -> str:
    """Run a program; its output, or one sentence when it fails."""
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip()[-300:]
        raise cluster.ClusterError(f"{Path(words[0]).name} {' '.join(words[3:])} failed: {said}")
    return ran.stdout


def up() -> None:
    """Start or find everything; a second call finds what the first one started."""
    began = time.monotonic()
    chosen = choose(UP, kubeconfig=None, yes_this_cluster=False, nodes=3)
    _say(f"{chosen.how}, ready after {time.monotonic() - began:.1f} s")
    where = ("--kubeconfig", str(chosen.kubeconfig))
    helm = (str(binary("helm")), "upgrade", "--install", *where)
    place = ("-n", NAMESPACE, "--create-namespace")
    for chart in ("wakala-crds", "wakala-operator"):
        _run(*helm, chart, str(ROOT / "charts" / chart), *place)
    _say("charts wakala-crds and wakala-operator are installed")
    kubectl = (str(binary("kubectl")), *where)
    crd = "crd/wakalaservices.wakala.com"
    _run(*kubectl, "wait", "--for=condition=Established", "--timeout=60s", crd)
    _operator(chosen.kubeconfig, kubectl)
    _run(*kubectl, "apply", "-f", str(ROOT / "examples"))
    _say("examples are applied; waiting until they are Ready")
    patience = f"--timeout={PATIENCE:.0f}s"
    _run(*kubectl, "wait", "wakalaservices", "--all", "--for=condition=Ready", patience)
    wakala = (sys.executable, "-m", "wakala_cli", "status", *where)
    print(_run(*wakala) + _run(*wakala, "full"))
    print(
        f"""How to go on:
  export KUBECONFIG={chosen.kubeconfig}
  {kubectl[0]} get ws -o wide
  {Path(sys.executable).parent / "wakala"} status minimal
  tail -f {LOG}
  make down"""
    )


def _operator(kubeconfig: Path, kubectl: tuple[str, ...]) -> None:
    """The operator, as its ServiceAccount; one that runs already is left alone.

    The chart's own Deployment is set to no pods: on nodes that run containers two operators would write.
    """
    _run(*kubectl, "-n", NAMESPACE, "scale", "deployment/wakala-operator", "--replicas=0")
    if _pid() is not None:
        return
    account = (*kubectl, "-n", NAMESPACE, "create", "token", "wakala-operator", "--duration=24h")
    token = _run(*account).strip()
    config = json.loads(_run(*kubectl, "config", "view", "--raw", "--minify", "-o", "json"))
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    own = cache() / "demo-operator.kubeconfig"
    private(own, json.dumps(config))
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wakala_operator"],
            env=os.environ
            | {
                "WAKALA_KUBECONFIG": str(own),
                "WAKALA_HEALTH_PORT": "0",
                "WAKALA_LEASE_NAMESPACE": NAMESPACE,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    STATE.write_text(json.dumps({"pid": process.pid, "kubeconfig": str(kubeconfig)}))
    _say(f"the operator runs as process {process.pid}, with its ServiceAccount's rights")


def _state() -> dict[str, Any]:
    try:
        return dict(json.loads(STATE.read_text()))
    except (OSError, ValueError):
        return {}


def _pid() -> int | None:
    """The operator that was started here, if it still runs: the same process, not one that got its number."""
    pid = int(_state().get("pid", 0))
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return pid if b"wakala_operator" in command else None


def down() -> None:
    """End the operator and the cluster that `up` started; a cluster of somebody's is left as it is."""
    used = _state().get("kubeconfig")
    pid = _pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    STATE.unlink(missing_ok=True)
    ended = let_go(UP)
    if used and not ended and Path(used).exists():
        _say(
            f"the charts and examples stay in the cluster of {used}; docs/uninstall.md removes them"
        )
    _say("ended" if ended or pid is not None else "nothing was running")


def main(arguments: list[str]) -> int:
    """Run `up` or `down`, one at a time; a failure is one sentence and exit code 1."""
    try:
        with locked(cache() / "up.lock", "another run starts or ends a cluster; waiting for it"):
            {"up": up, "down": down}[arguments[0]]()
    except (BuildError, cluster.ClusterError) as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
