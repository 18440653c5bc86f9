"""`wakala diff` against a real cluster on which the operator runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster import Cluster
from tests.cli.conftest import Here, kubeconfig
from tests.cli.run import COLOUR, EXAMPLES, on_a_terminal, one_sentence, wakala
from tests.support.api import Api

Written = Callable[..., Path]


def service_in(file: Path) -> Any:
    """The WakalaService of a file."""
    documents = yaml.safe_load_all(file.read_text())
    return next(obj for obj in documents if obj["kind"] == "WakalaService")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_differs_until_it_is_applied(file: Path, here: Here) -> None:
    name = service_in(file)["metadata"]["name"]
    before = here.wakala("diff", file)
    assert (before.code, before.err) == (1, "")
    for kind in ("WakalaService", "Deployment", "Service", "NetworkPolicy"):
        assert f"+++ wanted/{kind}/{name}" in before.out.splitlines()
    assert not re.search(r"^-(?!-- )", before.out, re.MULTILINE)
    here.kubectl("apply", "-f", file)
    here.settled(name)
    after = here.wakala("diff", file)
    assert (after.code, after.out, after.err) == (0, "", "")


@pytest.mark.parametrize("how", ["apply", "apply --server-side", "create"])
def test_whoever_applied_it_there_is_no_difference(how: str, here: Here, written: Written) -> None:
    file = written("a", env=[{"name": "A", "value": "1"}], resources={"limits": {"cpu": "2000m"}})
    here.kubectl(*how.split(), "-f", file)
    here.settled("a")
    ran = here.wakala("diff", file)
    assert (ran.code, ran.out) == (0, "")


def test_a_change_is_shown_where_it_is_and_where_it_goes(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ran = here.wakala("diff", written("a", image="wakala/api:2.0.0"))
    assert (ran.code, ran.err) == (1, "")
    files = [line for line in ran.out.splitlines() if line.startswith("+++ ")]
    assert files == ["+++ wanted/WakalaService/a", "+++ wanted/Deployment/a"]
    changed = re.findall(r"^([-+])\s+(image: .*)$", ran.out, re.MULTILINE)
    assert changed == [("-", "image: wakala/api:1.0.0"), ("+", "image: wakala/api:2.0.0")] * 2


def test_nothing_is_written_by_a_diff(here: Here, written: Written) -> None:
    assert here.wakala("diff", written("a")).code == 1
    assert here.api.get("WakalaService", "a") is None
    assert here.api.get("Deployment", "a") is None


def test_a_field_that_is_taken_out_is_a_difference(here: Here, written: Written) -> None:
    """Of the service and of its objects, whoever has it applied before."""
    here.kubectl("apply", "-f", written("a", env=[{"name": "A", "value": "1"}]))
    here.settled("a")
    ran = here.wakala("diff", written("a"))
    assert ran.code == 1
    assert re.search(r"^-\s+- name: A$", ran.out, re.MULTILINE)
    assert "+++ wanted/Deployment/a" in ran.out.splitlines()


def test_a_terminal_has_colours_and_a_pipe_has_none(here: Here, written: Written) -> None:
    words = ("diff", "-n", here.api.namespace, "--kubeconfig", here.kubeconfig, written("a"))
    seen = on_a_terminal(*words, code=1)
    assert "\x1b[32m+  image: wakala/api:1.0.0" in seen
    assert not COLOUR.search(on_a_terminal(*words, code=1, NO_COLOR="1"))
    assert "\x1b" not in wakala(*words).out


def test_drift_of_an_object_is_shown(here: Here, written: Written) -> None:
    """While the operator is paused: else it would have put it right."""
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    file = written("a", paused=True)
    here.kubectl("apply", "-f", file)
    here.settled("a")
    here.api.patch("Deployment", "a", {"spec": {"replicas": 7}})
    ran = here.wakala("diff", file)
    assert ran.code == 1
    assert re.findall(r"^[-+]\s+replicas: \d+$", ran.out, re.MULTILINE) == [
        "-  replicas: 7",
        "+  replicas: 2",
    ]


def test_an_object_that_would_go_is_shown(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ran = here.wakala("diff", written("a", networkPolicy={"enabled": False}))
    assert ran.code == 1
    assert "--- live/NetworkPolicy/a" in ran.out.splitlines()


def test_two_services_are_compared_at_once(here: Here, written: Written) -> None:
    here.kubectl("apply", "-f", written("a"))
    here.settled("a")
    ran = here.wakala("diff", written("a"), written("b"))
    assert ran.code == 1
    assert "/a" not in "".join(re.findall(r"^\+\+\+ .*$", ran.out, re.MULTILINE))
    assert "+++ wanted/WakalaService/b" in ran.out.splitlines()


def test_a_changed_secret_is_not_shown(here: Here, tmp_path: Path) -> None:
    example = next(file for file in EXAMPLES if file.stem == "full")
    here.kubectl("apply", "-f", example)
    here.settled("full")
    file = tmp_path / "full.yaml"
    file.write_text(example.read_text().replace("change-me", "hunter2").replace(":1.0.0", ":2.0.0"))
    ran = here.wakala("diff", file)
    assert ran.code == 1
    assert not re.search("hunter2|change-me|made up", ran.out + ran.err)


def test_a_refused_service_is_one_sentence_with_its_place(here: Here, written: Written) -> None:
    file = written("a", port=0)
    said = one_sentence(here.wakala("diff", file))
    assert said.startswith(f"{file}:")
    assert "spec.port: seen 0, wanted at least 1" in said


def test_what_the_api_server_alone_refuses_is_one_sentence(here: Here, written: Written) -> None:
    file = written("a", podTemplatePatch={"spec": {"nope": 1}})
    assert "nope" in one_sentence(here.wakala("diff", file))


def test_without_a_right_it_is_one_sentence(stranger: Path, api: Api, written: Written) -> None:
    ran = wakala("diff", "-n", api.namespace, "--kubeconfig", stranger, written("a"))
    said = one_sentence(ran)
    assert "forbidden" in said.lower()
    assert "wakalaservices" in said


def test_in_a_namespace_that_is_not_there_it_is_one_sentence(
    cluster: Cluster, written: Written
) -> None:
    ran = wakala("diff", "-n", "nowhere", "--kubeconfig", cluster.kubeconfig, written("a"))
    assert "nowhere" in one_sentence(ran)


@pytest.mark.parametrize(
    "state", ["no-file", "no-yaml", "empty", "no-server", "no-certificate", "no-context"]
)
@pytest.mark.parametrize("command", ["diff", "status"])
def test_without_a_cluster_it_is_one_sentence(
    command: str, state: str, tmp_path: Path, cluster: Cluster, written: Written
) -> None:
    file, more = tmp_path / "kubeconfig", []
    match state:
        case "no-yaml":
            file.write_text("a: [")
        case "empty":
            file.write_text("")
        case "no-server":
            kubeconfig(tmp_path, "https://127.0.0.1:9", str(cluster.ca), "t")
        case "no-certificate":
            other = tmp_path / "ca.crt"
            other.write_text("no certificate")
            kubeconfig(tmp_path, cluster.server, str(other), "t")
        case "no-context":
            file, more = cluster.kubeconfig, ["--context", "nowhere"]
    words = [written("a")] if command == "diff" else []
    said = one_sentence(wakala(command, "--kubeconfig", file, *more, *words))
    assert said


def test_a_token_that_is_none_is_one_sentence(
    tmp_path: Path, cluster: Cluster, written: Written
) -> None:
    file = kubeconfig(tmp_path, cluster.server, str(cluster.ca), "hunter2")
    ran = wakala("diff", "--kubeconfig", file, written("a"))
    assert "hunter2" not in one_sentence(ran)


def test_a_namespace_in_the_file_wins(here: Here, tmp_path: Path) -> None:
    here.api.call("POST", "api/v1/namespaces", {"metadata": {"name": f"{here.api.namespace}-b"}})
    file = tmp_path / "a.yaml"
    content = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": "a", "namespace": f"{here.api.namespace}-b"},
        "spec": {"image": "wakala/api:1.0.0"},
    }
    file.write_text(json.dumps(content))
    ran = here.wakala("diff", file)
    assert ran.code == 1
    assert set(re.findall(r"^\+ +namespace: (.*)$", ran.out, re.MULTILINE)) == {
        f"{here.api.namespace}-b"
    }
