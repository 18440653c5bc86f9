"""`wakala render`: the objects that services become, offline, the same each time."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from devcluster.cluster import Cluster
from tests.cli.run import BAD, EXAMPLES, GOOD, HEAD, environment, one_sentence, run, wakala

KINDS = [
    "ServiceAccount",
    "ConfigMap",
    "NetworkPolicy",
    "Service",
    "Deployment",
    "PodDisruptionBudget",
]


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_two_runs_give_the_same_bytes(output: str) -> None:
    words = ("render", "-o", output, *EXAMPLES)
    runs = [wakala(*words, env=environment(PYTHONHASHSEED=seed)) for seed in ("1", "2")]
    assert runs[0].out == runs[1].out != ""
    assert [ran.code for ran in runs] == [0, 0]


def test_yaml_and_json_hold_the_same_objects() -> None:
    file = EXAMPLES[0]
    listed = json.loads(wakala("render", "-o", "json", file).out)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert list(yaml.safe_load_all(wakala("render", file).out)) == listed["items"]


def test_every_object_of_a_service_is_there() -> None:
    ran = wakala("render", "-", stdin=GOOD)
    objects = list(yaml.safe_load_all(ran.out))
    assert (ran.code, ran.err) == (0, "")
    assert [obj["kind"] for obj in objects] == KINDS
    assert {obj["metadata"]["namespace"] for obj in objects} == {"default"}
    assert all("ownerReferences" not in obj["metadata"] for obj in objects)


def test_a_namespace_is_that_of_the_file_or_else_the_one_given() -> None:
    text = f"{GOOD}---\n{GOOD.replace('name: api', 'name: other, namespace: theirs')}"
    objects = yaml.safe_load_all(wakala("render", "-n", "ours", "-", stdin=text).out)
    names = {(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in objects}
    assert names >= {("ours", "api"), ("theirs", "other")}
    assert {namespace for namespace, _ in names} == {"ours", "theirs"}


def test_services_of_several_documents_and_files_come_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(f"{GOOD}---\n{GOOD.replace('name: api', 'name: b')}")
    second.write_text(GOOD.replace("name: api", "name: a"))
    objects = yaml.safe_load_all(wakala("render", first, second).out)
    names = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Deployment"]
    assert names == ["api", "b", "a"]


def test_other_kinds_are_passed_over_and_never_shown() -> None:
    other = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    ran = wakala("render", "-", stdin=f"{other}---\n{GOOD}")
    assert [obj["kind"] for obj in yaml.safe_load_all(ran.out)] == KINDS
    assert "hunter2" not in ran.out + ran.err


def test_a_refused_service_is_one_sentence_with_its_place(tmp_path: Path) -> None:
    """Nothing is printed of the good one beside it: half an answer would be applied."""
    file = tmp_path / "services.yaml"
    file.write_text(f"{GOOD}---\n{BAD}")
    ran = wakala("render", file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"{file}:12: spec.port: seen 0, wanted at least 1\n"


def test_a_service_that_would_stall_is_not_rendered() -> None:
    ran = wakala("render", "-", stdin=GOOD + "  podTemplatePatch: {spec: {hostNetwork: true}}\n")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("-:6: ")
    assert "TemplateRefused: spec.podTemplatePatch may not enter the host's namespaces" in ran.err


def test_an_output_that_is_none_is_refused() -> None:
    ran = wakala("render", "-o", "toml", "-", stdin=GOOD)
    assert (ran.code, ran.out) == (2, "")
    assert "toml" in ran.err


def test_a_file_without_a_service_has_nothing_to_render() -> None:
    ran = wakala("render", "-", stdin="apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
    assert "no WakalaService" in one_sentence(ran)


def test_a_service_that_grows_beyond_measure_is_refused() -> None:
    """Ten aliases of ten aliases, nine times: a thousand million entries, were they unfolded."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    text = HEAD + "  image: a:1\n  podTemplatePatch:\n    spec:\n"
    ran = wakala(
        "render", "-", stdin=text + "".join(f"      {line}\n" for line in lines), timeout=20
    )
    assert ran.code in {1, 2}
    assert ran.out == ""
    assert "alias" in ran.err


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_kubectl_reads_what_is_rendered(output: str, cluster: Cluster) -> None:
    """Two readers of YAML differ about plain words: `y`, `08`, `1e3` and `0o7` are texts for Python and none for kubectl."""
    texts = [
        "y",
        "N",
        "off",
        "08",
        "1e3",
        "0o7",
        ".5",
        "+.5e3",
        "13:20",
        "2027-03-31",
        "=",
        "<<",
        "~",
        "null",
        "0x1F",
        "a\nb",
    ]
    env = [{"name": f"V{number}", "value": text} for number, text in enumerate(texts)]
    spec = json.dumps({"image": "wakala/api:1.0.0", "env": env})
    rendered = wakala(
        "render", "-o", output, "-", stdin=f"{HEAD.replace('spec:', 'spec: ' + spec)}"
    )
    ran = run(
        binary("kubectl"), "--kubeconfig", cluster.kubeconfig, "create", "--dry-run=client", "-o", "json", "-f", "-",
        stdin=rendered.out,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    kinds = {obj["kind"]: obj for obj in _objects(ran.out)}
    container = kinds["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    read = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert [read[entry["name"]] for entry in env] == texts


def _objects(text: str) -> list[dict[str, Any]]:
    """JSON documents one after the other, or a list of them."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        obj, end = decoder.raw_decode(text)
        found += obj["items"] if obj["kind"] == "List" else [obj]
        text = text[end:]
    return found
