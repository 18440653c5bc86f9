"""The charts' own objects, applied by Argo CD and by Flux: no difference either, the CRD and the policies included."""

import json
import subprocess
from typing import Any

import yaml

from devcluster.binaries import binary
from devcluster.cluster import Cluster
from tests.gitops.conftest import EXAMPLES, argo_of
from tests.gitops.test_differences import for_argo, for_flux
from tests.gitops.tools import Tool
from tests.support.api import Api
from tests.support.operator import settle


def test_no_tool_finds_a_difference_in_the_charts(own_cluster: Cluster) -> None:
    api = Api(own_cluster)
    rendered = subprocess.run(
        [str(binary("kubectl")), "kustomize", str(EXAMPLES.parent / "charts" / "rendered")],
        capture_output=True,
        check=True,
    ).stdout
    wanted: list[Any] = list(yaml.safe_load_all(rendered))
    kinds = [document["kind"] for document in wanted]
    assert kinds.index("CustomResourceDefinition") < kinds.index("Deployment")
    with argo_of(own_cluster) as argo, Tool("flux", own_cluster.kubeconfig) as flux:
        marked = [for_argo(document) for document in wanted]
        for document in marked:
            argo.told("apply", document, serverSide=True)
        settle(1)
        for document in marked:
            assert argo.told("compare", document, live=live(api, document)) == {}, document["kind"]
        marked = [for_flux(document) for document in wanted]
        for document in marked:
            flux.told("apply", document)
        settle(1)
        for document in marked:
            assert flux.told("compare", document) == {"action": "unchanged"}, document["kind"]


def live(api: Api, document: Any) -> Any:
    """As `kubectl get` has it: our own client knows not all of these kinds."""
    config = f"--kubeconfig={api.cluster.kubeconfig}"
    got = subprocess.run(
        [str(binary("kubectl")), config, "get", "-f=-", "-o=json", "--show-managed-fields"],
        input=json.dumps(document).encode(),
        capture_output=True,
        check=True,
    ).stdout
    (found,) = json.loads(got)["items"]
    return found
