"""The escape hatch: how a patch is laid over, and what it may not make of a pod."""

import pytest

from tests.unit.builds import build, built, container, pod
from wakala_operator.build.context import Refused
from wakala_operator.build.desired import desired


def patched(**spec):
    return {"podTemplatePatch": {"spec": spec}}


def api(**fields):
    """A patch of the service's own container."""
    return patched(containers=[{"name": "api"} | fields])


def test_maps_are_merged_and_null_takes_away():
    changed = container(
        **api(
            resources={"limits": {"cpu": None, "memory": "2Gi"}},
            securityContext={"runAsUser": 2000},
        )
    )
    assert changed["resources"]["limits"] == {"memory": "2Gi", "ephemeral-storage": "2Gi"}
    assert changed["securityContext"]["runAsUser"] == 2000
    assert changed["securityContext"]["readOnlyRootFilesystem"] is True
    assert "startupProbe" not in container(**api(startupProbe=None))


def test_containers_are_merged_by_name_and_others_added():
    names = [
        c["name"]
        for c in pod(**patched(containers=[{"name": "side", "image": "s:1"}]))["containers"]
    ]
    assert names == ["api", "side"]
    assert container(**patched(containers=[{"name": "side", "image": "s:1"}])) == container()


@pytest.mark.parametrize(
    ("fields", "where", "expected"),
    [
        ({"env": [{"name": "PYTHONMALLOC", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}, "env", {"name": "PYTHONMALLOC", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        ({"volumeMounts": [{"name": "cache", "mountPath": "/tmp"}]}, "volumeMounts", {"name": "cache", "mountPath": "/tmp"}),
        ({"ports": [{"name": "http", "containerPort": 9000}]}, "ports", {"name": "http", "containerPort": 9000}),
    ],
)  # fmt: skip
def test_an_entry_of_the_same_name_is_replaced_as_a_whole(fields, where, expected):
    """Half of one variable and half of another would be neither."""
    found = container(**api(**fields))[where]
    assert found.count(expected) == 1
    assert len(found) == len(container()[where])


def test_a_volume_of_the_same_name_is_replaced_as_a_whole():
    claim = {"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}
    assert claim in pod(**patched(volumes=[claim]))["volumes"]


def test_other_lists_are_replaced():
    assert container(**api(command=["x"]))["command"] == ["x"]
    options = [{"name": "ndots", "value": "5"}]
    assert pod(**patched(dnsConfig={"options": options}))["dnsConfig"]["options"] == options


def test_labels_and_annotations_are_added():
    patch = {
        "podTemplatePatch": {"metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}}}
    }
    metadata = built(**patch)["Deployment"]["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "x"
    assert metadata["labels"]["wakala.com/service"] == "a"
    assert metadata["annotations"]["note"] == "y"
    assert "wakala.com/runtime-hash" in metadata["annotations"]


SIDE = {"name": "side", "image": "s:1"}
MISUSES = {
    "hostNetwork": patched(hostNetwork=True),
    "hostPID": patched(hostPID=True),
    "hostIPC": patched(hostIPC=True),
    "nodeName": patched(nodeName="n1"),
    "another ServiceAccount": patched(serviceAccountName="admin"),
    "(serviceAccount)": patched(serviceAccount="admin"),
    "(serviceAccountName)": patched(serviceAccountName=None),
    "serviceAccountToken": patched(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
    "pods' seccompProfile away": patched(securityContext=None),
    "token": patched(automountServiceAccountToken=True),
    "hostPath": patched(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    "nfs": patched(volumes=[{"name": "h", "nfs": {"server": "s", "path": "/"}}]),
    "container api privileged": api(securityContext={"privileged": True}),
    "container side privileged": patched(containers=[SIDE | {"securityContext": {"privileged": True}}]),
    "container init privileged": patched(initContainers=[{"name": "init", "securityContext": {"privileged": True}}]),
    "capabilities to container api": api(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
    "procMount": api(securityContext={"procMount": "Unmasked"}),
    "seccompProfile": patched(securityContext={"seccompProfile": {"type": "Unconfined"}}),
    "appArmorProfile": api(securityContext={"appArmorProfile": {"type": "Unconfined"}}),
    "hostProcess": patched(securityContext={"windowsOptions": {"hostProcess": True}}),
    "hostPort": api(ports=[{"name": "http", "containerPort": 8000, "hostPort": 80}]),
    "sysctl kernel.msgmax": patched(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    "take the container api away": patched(containers=None),
    "directive": patched(containers=[{"name": "api", "$patch": "delete"}]),
    "containers[0] wants": patched(containers=[{"image": "nameless:1"}]),
    "labels and annotations (wakala.com/service)": {"podTemplatePatch": {"metadata": {"labels": {"wakala.com/service": "b"}}}},
    "annotations (wakala.com/runtime-hash)": {"podTemplatePatch": {"metadata": {"annotations": {"wakala.com/runtime-hash": "x"}}}},
}  # fmt: skip


@pytest.mark.parametrize("word", MISUSES)
def test_a_way_up_is_refused_in_a_sentence_that_names_it(word):
    with pytest.raises(Refused) as refused:
        desired(build(**MISUSES[word]))
    assert refused.value.reason == "TemplateRefused"
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_misuses_are_told_together():
    with pytest.raises(Refused) as refused:
        desired(build(**patched(hostNetwork=True, nodeName="n1")))
    assert "hostNetwork" in str(refused.value)
    assert "nodeName" in str(refused.value)


@pytest.mark.parametrize(
    "harmless",
    [{"hostNetwork": False}, {"volumes": [{"name": "v", "emptyDir": {}}]}, {"hostAliases": []}],
)
def test_what_reaches_nothing_is_taken(harmless):
    assert pod(**patched(**harmless))


def deep(levels):
    found = 1
    for _ in range(levels):
        found = {"a": found}
    return found


def test_a_patch_nested_beyond_reason_is_refused_before_it_is_walked():
    with pytest.raises(Refused, match="nested"):
        desired(build(podTemplatePatch={"spec": {"x": deep(900)}}))
    desired(build(podTemplatePatch={"spec": {"x": deep(30)}}))


IN_MEMORY = {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "600Mi"}}
MOUNT = {"name": "fast", "mountPath": "/fast"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (patched(volumes=[IN_MEMORY], containers=[{"name": "api", "volumeMounts": [MOUNT]}]), "requests.memory 512Mi + volume tmp 100Mi + volume fast 600Mi of container api is more than its limits.memory 1Gi"),
        (api(resources={"limits": {"memory": "600Mi"}}), "requests.memory 512Mi + volume tmp 100Mi of container api"),
        (patched(volumes=[{"name": "tmp", "emptyDir": {"medium": "Memory"}}]), "volume tmp in memory of container api has no sizeLimit"),
        (patched(volumes=[IN_MEMORY], containers=[SIDE | {"resources": {"limits": {"memory": "100Mi"}}, "volumeMounts": [MOUNT]}]), "volume fast 600Mi of container side is more than its limits.memory 100Mi"),
    ],
)  # fmt: skip
def test_memory_that_does_not_fit_after_the_patch_is_refused_with_the_sum(spec, words):
    with pytest.raises(Refused) as refused:
        desired(build(**spec))
    assert refused.value.reason == "MemoryDoesNotFit"
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "spec",
    [
        patched(volumes=[IN_MEMORY]),
        patched(volumes=[IN_MEMORY], containers=[SIDE | {"volumeMounts": [MOUNT]}]),
        api(resources={"limits": None}),
    ],
)
def test_only_what_a_limited_container_mounts_counts(spec):
    assert pod(**spec)
