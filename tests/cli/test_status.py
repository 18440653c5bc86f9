"""`wakala status` and `wakala explain NAME` against a real cluster on which the operator runs."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devcluster.binaries import binary
from tests.cli.conftest import Here
from tests.cli.run import (
    BIN,
    COLOUR,
    EXAMPLES,
    environment,
    on_a_terminal,
    one_sentence,
    run,
    wakala,
)
from tests.support.api import Api, condition
from tests.support.until import until

Written = Callable[..., Path]


def lines(text: str) -> list[str]:
    """The lines of a tree, without what draws it."""
    return [re.sub(r"^[\s│├└─]+", "", line).rstrip() for line in text.splitlines()]


def test_a_service_that_is_ready_is_a_tree_of_what_is_true(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ran = here.wakala("status", "a")
    told = lines(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert told[0] == f"WakalaService {here.api.namespace}/a"
    assert told[1] == "image wakala/api:1.0.0"
    assert any(
        re.fullmatch(
            r"Ready True  RolledOut for \d+[smhd]: 2 of 2 pods are available, all of this template",
            line,
        )
        for line in told
    )
    assert any(line.startswith("Healthy Unknown  NothingMeasured for ") for line in told)
    assert "Deployment a  2 of 2 available, 2 up to date" in told
    for child in ("ServiceAccount a", "ConfigMap a-runtime", "Service a", "NetworkPolicy a"):
        assert child in told
    assert any(line.startswith("PodDisruptionBudget a  ") for line in told)
    assert any(re.match(r"\d+[smhd] ago  Created: made: .*Deployment a", line) for line in told)
    assert told[-1] == "→ nothing to do"


def test_a_service_that_is_stalled_shows_its_sentence_and_the_next_step(
    here: Here, written: Written
) -> None:
    patch = {"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}
    here.kubectl("apply", "-f", written("a", podTemplatePatch=patch))
    here.settled("a")
    told = lines(here.wakala("status", "a").out)
    sentence = "spec.podTemplatePatch may not mount a hostPath (volume host)"
    assert any(
        line.startswith("Stalled True  TemplateRefused for ") and sentence in line for line in told
    )
    assert any(line.startswith("Ready False  TemplateRefused for ") for line in told)
    assert told[-1] == "→ wakala explain Stalled a says what it means and what to do"
    explained = here.wakala("explain", "Stalled", "a")
    assert (explained.code, explained.err) == (0, "")
    assert explained.out.startswith("a: Stalled is True, TemplateRefused: ")
    assert sentence in explained.out


def test_a_list_has_a_line_for_each_service(here: Here, written: Written) -> None:
    """A line, also for a long sentence: it is what `grep` and a person count."""
    patch = {"spec": {"hostNetwork": True, "hostPID": True, "hostIPC": True, "nodeName": "n"}}
    here.kubectl("apply", "-f", written("good"), "-f", written("stuck", podTemplatePatch=patch))
    for name in ("good", "stuck"):
        here.settled(name)
    ran = here.wakala("status")
    head, good, stuck = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert head.split() == ["NAMESPACE", "NAME", "READY", "HEALTHY", "PODS", "SINCE", "WHY"]
    assert good.split()[:5] == [here.api.namespace, "good", "True", "Unknown", "2/2"]
    assert re.search(r"\d+[smhd] +RolledOut: 2 of 2 pods are available", good)
    assert stuck.split()[:5] == [here.api.namespace, "stuck", "False", "Unknown", "0/0"]
    assert "TemplateRefused: spec.podTemplatePatch" in stuck
    assert "hostIPC" in stuck


def test_a_list_of_all_namespaces_has_those_of_others(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    reach = ("--kubeconfig", here.kubeconfig)
    everywhere = wakala("status", "-A", *reach).out.splitlines()
    elsewhere = wakala("status", "-n", "default", *reach)
    assert any(line.split()[:2] == [here.api.namespace, "a"] for line in everywhere)
    assert elsewhere.out == "no services\n"


def test_json_is_what_the_api_server_has(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    live = here.settled("a")
    found = json.loads(here.wakala("status", "-o", "json", "a").out)
    assert set(found) == {"service", "children", "pods"}
    assert found["service"]["metadata"]["uid"] == live["metadata"]["uid"]
    assert condition(found["service"], "Ready")["status"] == "True"
    kinds = {child["kind"] for child in found["children"]}
    assert kinds == {
        "ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy",
    }  # fmt: skip
    assert len(found["pods"]) == 2
    (listed,) = json.loads(here.wakala("status", "-o", "json").out)
    assert listed["metadata"]["uid"] == live["metadata"]["uid"]


def test_no_secret_is_shown(here: Here) -> None:
    example = next(file for file in EXAMPLES if file.stem == "full")
    here.kubectl("apply", "-f", example)
    here.settled("full")
    for words in (["status", "full"], ["status"], ["status", "-o", "json", "full"]):
        ran = here.wakala(*words)
        assert ran.code == 0
        assert "full" in ran.out
        assert not re.search("change-me|made up", ran.out)


def test_a_service_nobody_looks_after_is_told_so(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a", operatorClass="of-nobody"))
    told = lines(here.wakala("status", "a").out)
    assert any("generation 1 has not been looked at yet" in line for line in told)
    assert told[-1].startswith("→ the operator has not looked at it yet")
    (line,) = [line for line in here.wakala("status").out.splitlines() if " a " in line]
    assert "not seen" in line


def test_a_paused_service_is_told_how_to_go_on(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a", paused=True))
    here.settled("a")
    told = lines(here.wakala("status", "a").out)
    assert any(line.startswith("Ready Unknown  Paused for ") for line in told)
    assert told[-1] == "→ set spec.paused to false to go on"


def test_pods_that_are_not_ready_are_named(here: Here, written: Written, cluster: Any) -> None:
    """No node has the label that is asked for, so that the pods stay pending."""
    here.kubectl("apply", "-f", written("a", scheduling={"nodeSelector": {"no.such/label": "x"}}))
    until(lambda: len(here.api.list("Pod")) == 2)
    until(lambda: condition(here.api.get("WakalaService", "a"), "Reconciling"))
    told = lines(here.wakala("status", "a").out)
    assert len([line for line in told if re.fullmatch(r"Pod a-\S+  Pending", line)]) == 2
    assert told[-1] == "→ wakala explain Reconciling a says what it means and what to do"


def test_a_service_that_is_not_there_is_one_sentence(here: Here) -> None:
    said = one_sentence(here.wakala("status", "nope"))
    assert "nope" in said


def test_without_a_right_it_is_one_sentence(stranger: Path, api: Api) -> None:
    for words in (["status"], ["status", "a"], ["explain", "Ready", "a"]):
        ran = wakala(words[0], "-n", api.namespace, "--kubeconfig", stranger, *words[1:])
        assert "forbidden" in one_sentence(ran).lower()


def test_without_a_right_on_an_object_the_rest_is_shown(
    here: Here, written: Written, stranger: Path
) -> None:
    """Somebody who may read services and pods sees which of the objects is closed to them."""
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    rules = [
        {"apiGroups": ["wakala.com"], "resources": ["wakalaservices"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]
    who = {"kind": "ServiceAccount", "name": "default", "namespace": here.api.namespace}
    group = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reader"}}
    here.api.create(group | {"kind": "Role", "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    here.api.create(group | {"kind": "RoleBinding", "roleRef": role, "subjects": [who]})

    def ask() -> Any:
        ran = wakala("status", "-n", here.api.namespace, "--kubeconfig", stranger, "a")
        return ran if ran.code == 0 else None

    told = lines(until(ask, within=10).out)
    assert any(line.startswith("Ready True  RolledOut") for line in told)
    assert any(line.startswith("Deployment a  ") and "forbidden" in line for line in told)


def test_a_terminal_has_colours_and_a_pipe_has_none(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    words = ("status", "-n", here.api.namespace, "--kubeconfig", here.kubeconfig)
    for command in ((*words, "a"), words):
        assert COLOUR.search(on_a_terminal(*command))
        assert not COLOUR.search(on_a_terminal(*command, NO_COLOR="1"))
        assert "\x1b" not in wakala(*command).out


def test_good_is_green_and_bad_is_red(here: Here, written: Written) -> None:
    patch = {"spec": {"hostNetwork": True}}
    here.kubectl("apply", "-f", written("good"), "-f", written("bad", podTemplatePatch=patch))
    for name in ("good", "bad"):
        here.settled(name)
    words = ("status", "-n", here.api.namespace, "--kubeconfig", here.kubeconfig)
    assert "\x1b[32mReady True" in on_a_terminal(*words, "good")
    bad = on_a_terminal(*words, "bad")
    assert "\x1b[31mReady False" in bad
    assert "\x1b[31mStalled True" in bad


def test_what_the_cluster_says_moves_no_cursor(here: Here, written: Written) -> None:
    """A name under podTemplatePatch is repeated in a sentence; whoever wrote it does not own the reader's terminal."""
    containers = [{"name": "\x1b[2Jx", "image": "p:1", "securityContext": {"privileged": True}}]
    here.kubectl("apply", "-f", written("a", podTemplatePatch={"spec": {"containers": containers}}))
    here.settled("a")
    words = ("status", "-n", here.api.namespace, "--kubeconfig", here.kubeconfig, "a")
    assert "\x1b[2J" not in on_a_terminal(*words)
    assert "\x1b" not in wakala(*words).out


def test_kubectl_shows_the_same(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ran = run(
        binary("kubectl"), "wakala", "status", "a", "-n", here.api.namespace,
        env=environment(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}", KUBECONFIG=str(here.kubeconfig)),
    )  # fmt: skip
    assert ran.code == 0
    assert lines(ran.out)[0] == f"WakalaService {here.api.namespace}/a"


def test_explain_shows_what_is_true_now(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ready = json.loads(here.wakala("explain", "-o", "json", "Ready", "a").out)
    assert ready["now"]["status"] == "True"
    absent = here.wakala("explain", "Stalled", "a").out
    assert absent.startswith("a: Stalled is not there, so it does not apply\n")
