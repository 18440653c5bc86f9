"""One table of good and bad services, fed to the API server and to `wakala validate`: both must say the same."""

import dataclasses
import functools
import json
import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from tests.apiserver.cases import HEAD, Case, table
from tests.apiserver.cases.edges import Edge, Field, fields
from tests.support.api import Api, Refused
from wakala_api.base import Model, Rule
from wakala_api.crd import crd
from wakala_cli.documents import UnreadableError, documents
from wakala_cli.verdict import judge

CASES = table()
JARGON = re.compile(
    r"\n|Input should be|validation error|type=|errors\.pydantic|https?://errors|Traceback|<class|RE2|None\b"
)
SECRETS = ("hunter2", "p4ssw0rd")


def offline(directory: Path, text: str) -> tuple[str, list[str], list[Any]]:
    """The verdict of `wakala validate`, its sentences, and the objects."""
    file = directory / "service.yaml"
    file.write_text(text)
    try:
        (verdict,) = map(judge, documents([str(file)]))
    except UnreadableError as error:
        return "refused", [str(error)], []
    return verdict.state, [str(problem) for _, problem in verdict.problems], list(verdict.objects)


def server(cluster: Cluster, text: str) -> str:
    """What the API server says against making it; "" if nothing. It gets the text itself, as kubectl would read it."""
    path = Api(cluster).path("WakalaService")
    request = urllib.request.Request(
        f"{cluster.server}/{path}?fieldValidation=Strict&dryRun=All",
        data=text.encode(),
        headers={
            "Authorization": f"Bearer {cluster.token}",
            "Content-Type": "application/yaml",
            "Accept": "application/json",
        },
    )
    context = ssl.create_default_context(cafile=str(cluster.ca))
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return str(json.load(error)["message"])
    return ""


def plain(text: str) -> str:
    return " ".join(text.split())


def test_the_table_is_not_thin() -> None:
    """Cases of each verdict, and no two of one name."""
    verdicts = [case.verdict for case in CASES]
    assert len(CASES) >= 75
    assert min(verdicts.count(word) for word in ("accepted", "refused", "stalled")) >= 20
    assert len({str(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_say_the_same(case: Case, cluster: Cluster, tmp_path: Path) -> None:
    verdict, sentences, _ = offline(tmp_path, case.text)
    said = plain(server(cluster, case.text))
    assert verdict == case.verdict, sentences
    assert bool(said) == (case.verdict == "refused"), said
    for part in case.offline:
        assert any(plain(part) in plain(sentence) for sentence in sentences), (part, sentences)
    for part in case.server:
        assert plain(part) in said, (part, said)


@pytest.mark.parametrize("case", [c for c in CASES if c.verdict == "accepted"], ids=str)
def test_what_is_accepted_becomes_objects_that_are_accepted(
    case: Case, cluster: Cluster, tmp_path: Path
) -> None:
    _, _, objects = offline(tmp_path, case.text)
    assert len(objects) >= 4
    for obj in objects:
        try:
            Api(cluster).apply(obj, dryRun="All")
        except Refused as error:
            pytest.fail(f"{obj['kind']}: {error.message}")


@pytest.mark.parametrize("field", fields(), ids=str)
def test_both_agree_at_each_edge(field: Field, cluster: Cluster, tmp_path: Path) -> None:
    """Also where a rule of several fields stands in the way: then both refuse, for that rule."""
    head, wrong = HEAD.removesuffix("spec:\n"), []
    for edge in field.edges():
        text = head + "spec: " + json.dumps(field.spec(edge.value)) + "\n"
        verdict, sentences, _ = offline(tmp_path, text)
        said = server(cluster, text)
        if (verdict == "refused") != (said != "") or not _placed(field, edge, verdict, sentences):
            wrong.append((edge.what, verdict, sentences, said[:300]))
    assert wrong == []


def _placed(field: Field, edge: Edge, verdict: str, sentences: list[str]) -> bool:
    """Outside: refused, at this field or, for a repeated entry, around it. Inside: nothing is said of this field."""
    if edge.inside:
        return not any(line.startswith(f"{field.path}: ") for line in sentences)
    around = field.path.rpartition(".")[0]
    here = [line for line in sentences if line.startswith((field.path, f"{around}: seen"))]
    return verdict == "refused" and bool(here)


def _models() -> list[type[Model]]:
    found, queue = [], [Model]
    while queue:
        model = queue.pop()
        queue += model.__subclasses__()
        if model.__dict__.get("constraints"):
            found.append(model)
    return found


def test_each_rule_has_a_case_in_which_both_say_its_sentence(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, tmp_path: Path
) -> None:
    """A new rule without a bad case fails here."""
    broken: set[tuple[str, str]] = set()
    now: list[tuple[str, str, str]] = []

    def holds(name: str, rule: Rule, value: Any) -> bool:
        fine = rule.holds(value)
        if not fine:
            now.append((name, rule.message, rule.say(value) if rule.say else rule.message))
        return fine

    rules = {(model.__name__, rule.message) for model in _models() for rule in model.constraints}
    for model in _models():
        watched = tuple(
            dataclasses.replace(rule, holds=functools.partial(holds, model.__name__, rule))
            for rule in model.constraints
        )
        monkeypatch.setattr(model, "constraints", watched)
    for case in CASES:
        now.clear()
        verdict, sentences, _ = offline(tmp_path, case.text)
        said = server(cluster, case.text) if now else ""
        broken |= {
            (name, message)
            for name, message, sentence in now
            if verdict == "refused" and sentence in said and any(sentence in s for s in sentences)
        }
    assert rules - broken == set()
    assert len(rules) >= 28


def _validations(schema: Any) -> set[str]:
    """The message of every rule in a schema."""
    if isinstance(schema, list):
        return {text for item in schema for text in _validations(item)}
    if not isinstance(schema, dict):
        return set()
    own = {rule["message"] for rule in schema.get("x-kubernetes-validations", [])}
    return own | {text for inner in schema.values() for text in _validations(inner)}


def test_each_rule_of_the_crd_has_a_case(cluster: Cluster) -> None:
    """Those of maps too, which the schema alone has; the sum of memory is told with its numbers instead."""
    versions = crd()["spec"]["versions"]
    said = [server(cluster, case.text) for case in CASES if case.verdict == "refused"]
    untold = {text for text in _validations(versions) if not any(text in line for line in said)}
    assert {
        text for text in untold if not text.startswith("resources.requests.memory plus")
    } == set()


@pytest.mark.parametrize("case", [c for c in CASES if c.verdict != "accepted"], ids=str)
def test_a_sentence_is_for_people(case: Case, tmp_path: Path) -> None:
    """One line, no words of the library, no page of its documentation."""
    _, sentences, _ = offline(tmp_path, case.text)
    assert sentences
    for sentence in sentences:
        assert not JARGON.search(sentence), sentence
        assert len(sentence) < 700


@pytest.mark.parametrize(
    "spec",
    [
        "env: {PASSWORD: hunter2}",
        "env: [{name: PASSWORD, value: [hunter2]}]",
        "env: [{name: PASSWORD, value: hunter2, value: p4ssw0rd}]",
        "env: [{name: PASSWORD, valueFrom: hunter2}]",
        "env: [{name: PASSWORD, valueFrom: {secretKeyRef: hunter2}}]",
        "env: [hunter2]",
        "envFrom: [{secretRef: hunter2}]",
        "args: --password=hunter2",
        "command: [server, {password: hunter2}]",
        "args: [server, --password=hunter2, 7]",
        "command: api --password=hunter2",
        "database: postgresql://app:hunter2@db.example/app",
        "database: {connection: 'postgresql://app:hunter2@db.example/app'}",
        "database: {connection: {secretName: 'postgresql://app:hunter2@db.example/app'}}",
        "database: {connection: {secretName: db, key: 'postgresql://app:hunter2@db.example/app'}}",
        "cache: {connection: 'rediss://:hunter2@redis.example:6380/0'}",
        "cache: 'rediss://:hunter2@redis.example:6380/0'",
        "podTemplatePatch: hunter2",
        "podTemplatePatch: {spec: {containers: [{env: [{name: A, value: hunter2}]}]}}",
        "podTemplatePatch: {spec: {containers: [{name: api, env: [{value: hunter2}]}]}}",
        "podTemplatePatch: {spec: {hostNetwork: hunter2}}",
        "podTemplatePatch: {metadata: {annotations: {a: [hunter2]}}}",
    ],
)
def test_no_sentence_repeats_what_may_be_a_secret(spec: str, tmp_path: Path) -> None:
    text = HEAD + f"  image: wakala/api:1.0.0\n  {spec}\n"
    verdict, sentences, _ = offline(tmp_path, text)
    assert verdict in {"refused", "stalled"}
    assert not any(secret in sentence for secret in SECRETS for sentence in sentences), sentences


@pytest.mark.parametrize(
    "spec",
    [
        r'"a\nb": 1',
        r'"a\e[31mb": 1',
        r'scheduling: {nodeSelector: {"a\nb": c}}',
        r'podTemplatePatch: {spec: {containers: [{name: "a\nb", securityContext: {privileged: true}}]}}',
        r'podTemplatePatch: {spec: {volumes: [{name: "a\e[31mb", hostPath: {path: /}}]}}',
        r'podTemplatePatch: {spec: {"$a\nb": 1}}',
        r'podTemplatePatch: {spec: {securityContext: {sysctls: [{name: "a\nb", value: "1"}]}}}',
        r'podTemplatePatch: {metadata: {annotations: {"wakala.com/a\nb": "1"}}}',
    ],
)
def test_no_name_breaks_out_of_its_sentence(spec: str, tmp_path: Path) -> None:
    """Nor does one move a terminal's cursor."""
    text = HEAD + f"  image: wakala/api:1.0.0\n  {spec}\n"
    verdict, sentences, _ = offline(tmp_path, text)
    assert verdict in {"refused", "stalled"}
    assert all(sentence.isprintable() for sentence in sentences), sentences
