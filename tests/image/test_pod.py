"""The operator's image on a real API server, over the file system and with the rights that a pod gives it.

With a kubeconfig: a pod's ServiceAccount is looked for at kubernetes.default.svc, a name that needs the DNS of a cluster.
"""

import base64
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.image.unpacked import Image
from tests.support.api import CHILDREN, Api, condition, service
from tests.support.until import until

pytestmark = pytest.mark.timeout(900)  # the first may build the images
CLASS = "image"
"""So that the operator of other tests leaves this service alone."""
GROUP = "rbac.authorization.k8s.io"


@pytest.fixture
def given(api: Api, tmp_path):
    """A folder with a kubeconfig of a ServiceAccount of its own."""
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "wakala"}})
    subject = {"kind": "ServiceAccount", "name": "wakala", "namespace": api.namespace}
    binding = {
        "metadata": {"name": f"image-{api.namespace}"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject],
    }
    bindings = f"apis/{GROUP}/v1/clusterrolebindings"
    api.call("POST", bindings, binding)
    path = api.path("ServiceAccount", "wakala")
    asked = api.call("POST", f"{path}/token", {"spec": {"expirationSeconds": 3600}})
    folder = tmp_path / "given"
    folder.mkdir()
    trusted = base64.b64encode(api.cluster.ca.read_bytes()).decode()
    server = {"server": api.cluster.server, "certificate-authority-data": trusted}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": asked["status"]["token"]}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    yield folder
    api.call("DELETE", f"{bindings}/image-{api.namespace}")


def test_the_image_looks_after_a_service(api: Api, operator_image: Image, given, tmp_path):
    """From nothing to Ready, and it ends when asked: with exit code 0 and no fault in its log."""
    env = {
        "WAKALA_KUBECONFIG": "/mnt/kubeconfig",
        "WAKALA_HEALTH_PORT": "0",
        "WAKALA_OPERATOR_CLASS": CLASS,
        "WAKALA_WATCH_NAMESPACES": api.namespace,
    }
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            operator_image.command(env=env, given=given), stdout=said, stderr=said
        )
    try:
        api.create(service("a", operatorClass=CLASS))
        until(lambda: condition(api.get("WakalaService", "a"), "Ready").get("status") == "True")
        assert {kind for kind in CHILDREN if api.list(kind)} >= {"Deployment", "Service"}
        # As the kubelet does: a signal to the container's process 1, which unshare keeps from itself.
        (program,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(program), signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()
    faults = [
        line for line in log.read_text().splitlines() if "Traceback" in line or " ERROR " in line
    ]
    assert faults == []
