"""The operator as a process: what it says of itself, how it starts and ends, and what it never tells."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from tests.support.api import Api, condition, service
from tests.support.operator import Operator
from tests.support.until import until

ROOT = Path(__file__).parents[2]
KEPT_SECRET = "k33p-this-to-yourself"  # noqa: S105 - it is what must not be found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


def page(port: int, path: str) -> int:
    """The status of one page; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def ready(api: Api, name: str) -> bool:
    return condition(api.get("WakalaService", name), "Ready").get("status") == "True"


def test_a_life_in_json_lines_with_its_key_and_without_its_secrets(
    api: Api, cluster: Cluster, tmp_path: Path
) -> None:
    """Each line is one JSON object that names the service; a Secret's value is in no line, status, Event or argument."""
    operator = Operator(
        cluster.kubeconfig,
        tmp_path / "log",
        log_format="json",
        log_level="DEBUG",
        operator_class="json",
        watch_namespaces=api.namespace,
    )
    try:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
        api.create(secret | {"stringData": {"url": KEPT_SECRET, "rest": KEPT_SECRET}})
        variable = {"name": "TOKEN", "value": KEPT_SECRET}
        spec = {
            "operatorClass": "json",
            "database": {"connection": {"secretName": "db"}},
            "env": [variable],
        }
        api.create(service("a", **spec))
        until(lambda: ready(api, "a"))
        (container,) = api.get("Deployment", "a")["spec"]["template"]["spec"]["containers"]
        drift = [
            e | ({"value": f"{KEPT_SECRET}2"} if e["name"] == "TOKEN" else {})
            for e in container["env"]
        ]
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": drift}]
        api.call("PATCH", api.path("Deployment", "a"), change, kind="application/json-patch+json")
        until(lambda: [e for e in api.list("Event") if e["reason"] == "Corrected"])
        wrong = {
            "spec": {
                "containers": [{"name": "api", "env": [{"name": "X", "value": {"v": KEPT_SECRET}}]}]
            }
        }
        api.patch("WakalaService", "a", {"spec": {"podTemplatePatch": wrong}})
        until(lambda: condition(api.get("WakalaService", "a"), "Stalled"))
        api.patch("Secret", "db", {"stringData": {"url": f"{KEPT_SECRET}3"}})
        api.patch("WakalaService", "a", {"spec": {"podTemplatePatch": None}})
        until(
            lambda: [
                d
                for d in api.get("WakalaService", "a")["status"]["decisions"]
                if d["reason"] == "RolledOut"
            ]
        )
        arguments = Path(f"/proc/{operator.process.pid}/cmdline").read_text()
    finally:
        operator.stop()
    lines = [json.loads(line) for line in operator.lines()]
    about = [line for line in lines if line["service"] == f"{api.namespace}/a"]
    assert {"level", "logger", "message", "time"} <= set(about[0])
    assert any("Created" in line["message"] for line in about)
    told = "\n".join(
        [
            *operator.lines(),
            json.dumps(api.get("WakalaService", "a")["status"]),
            json.dumps(api.list("Event")),
            arguments,
        ]
    )
    assert KEPT_SECRET not in told


def test_text_lines_carry_the_key(api: Api, cluster: Cluster, tmp_path: Path) -> None:
    operator = Operator(
        cluster.kubeconfig, tmp_path / "log", operator_class="text", watch_namespaces=api.namespace
    )
    try:
        api.create(service("a", operatorClass="text"))
        until(lambda: ready(api, "a"))
    finally:
        assert operator.stop() == 0
    assert [
        line for line in operator.lines() if f"[{api.namespace}/a]" in line and "Created" in line
    ]


def test_another_class_of_services_is_left_alone(
    api: Api, cluster: Cluster, tmp_path: Path
) -> None:
    operator = Operator(
        cluster.kubeconfig, tmp_path / "log", operator_class="mine", watch_namespaces=api.namespace
    )
    try:
        api.create(service("theirs", operatorClass="other"))
        api.create(service("mine", operatorClass="mine"))
        until(lambda: ready(api, "mine"))
        assert api.get("WakalaService", "theirs")["status"] == {"observedGeneration": -1}
    finally:
        operator.stop()


def test_alive_at_once_and_ready_after_the_first_lists(
    cluster: Cluster, tmp_path: Path, port: int
) -> None:
    """Ready although the API server then goes away: the pages never ask it."""
    operator = Operator(
        cluster.kubeconfig, tmp_path / "log", health_port=str(port), operator_class="health"
    )
    try:
        until(lambda: page(port, "/healthz") == 200)
        until(lambda: page(port, "/readyz") == 200)
    finally:
        operator.stop()


def test_alive_and_not_ready_while_the_api_server_is_away(tmp_path: Path, port: int) -> None:
    kubeconfig = tmp_path / "away.kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "away",
                "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "away", "user": {"token": "t"}}],
                "contexts": [{"name": "away", "context": {"cluster": "away", "user": "away"}}],
            }
        )
    )
    operator = Operator(kubeconfig, tmp_path / "log", health_port=str(port))
    try:
        until(lambda: page(port, "/healthz") == 200)
        until(lambda: any("can't be reached" in line for line in operator.lines()))
        assert page(port, "/readyz") == 503
        assert operator.process.poll() is None
    finally:
        assert operator.stop() == 0
    assert operator.tracebacks() == []


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """The operator with these variables only, until it ends by itself."""
    base = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "operator"),
        "HOME": "/nonexistent",
    }
    return subprocess.run(
        [sys.executable, "-m", "wakala_operator"],
        env=base | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("WAKALA_WORKERS", "0"), ("WAKALA_WORKERS", "many"), ("WAKALA_LOG_FORMAT", "xml"), ("WAKALA_RESYNC_SECONDS", "-1")],
)  # fmt: skip
def test_settings_that_make_no_sense_end_it_with_a_sentence(name: str, value: str) -> None:
    ended = run(**{name: value})
    assert ended.returncode == 2
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_without_a_cluster_it_ends_with_a_sentence() -> None:
    ended = run()
    assert ended.returncode == 1
    assert "no cluster" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked(cluster: Cluster, tmp_path: Path, number: signal.Signals) -> None:
    operator = Operator(
        cluster.kubeconfig, tmp_path / "log", operator_class="ending", log_level="INFO"
    )
    until(lambda: operator.process.poll() is None and len(children_threads(operator)) >= 1)
    operator.process.send_signal(number)
    assert operator.process.wait(timeout=20) == 0
    assert operator.tracebacks() == []


def children_threads(operator: Operator) -> list[str]:
    """Signal handlers of ours are set once the loop runs: SIGTERM is then among the caught signals."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return ["caught"] if int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)) else []


def metrics(port: int) -> dict[str, float]:
    """Every series by its name and labels, as prometheus-client's own parser reads the page."""
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_it_does_is_measured(api: Api, cluster: Cluster, tmp_path: Path, port: int) -> None:
    operator = Operator(
        cluster.kubeconfig,
        tmp_path / "log",
        health_port=str(port),
        operator_class="measured",
        watch_namespaces=api.namespace,
    )
    try:
        api.create(service("a", operatorClass="measured"))
        host = {"spec": {"hostNetwork": True}}
        api.create(service("b", operatorClass="measured", podTemplatePatch=host))
        until(lambda: ready(api, "a"))
        until(lambda: condition(api.get("WakalaService", "b"), "Stalled"))
        mine = [api.namespace]

        def told() -> dict[str, float]:
            found = metrics(port)
            return (
                found if f"wakala_service_condition{sorted([*mine, 'a', 'Ready'])}" in found else {}
            )

        found = until(told)
        assert found["wakala_leader[]"] == 1
        assert found[f"wakala_service_condition{sorted([*mine, 'a', 'Ready'])}"] == 1
        assert found[f"wakala_service_condition{sorted([*mine, 'a', 'Healthy'])}"] == -1
        assert found[f"wakala_service_condition{sorted([*mine, 'b', 'Ready'])}"] == 0
        assert found[f"wakala_service_condition{sorted([*mine, 'b', 'Stalled'])}"] == 1
        assert found["wakala_reconcile_seconds_count['done']"] >= 1
        assert found["wakala_reconcile_outcomes_total['TemplateRefused', 'stalled']"] >= 1
        assert found["wakala_api_requests_total['201', 'patch']"] >= 6
        assert found["wakala_watch_events_total['Deployment']"] >= 1
        assert found["wakala_queue_depth[]"] == 0
        assert found["wakala_queue_oldest_seconds[]"] == 0
        assert any(name.startswith("wakala_build_info") for name in found)
        api.delete("WakalaService", "b")
        gone = f"wakala_service_condition{sorted([*mine, 'b', 'Ready'])}"
        until(lambda: gone not in metrics(port))
        assert page(port, "/debug/profile") == 404, "not served unless asked for"
    finally:
        operator.stop()


def test_a_profile_is_served_where_asked_for(cluster: Cluster, tmp_path: Path, port: int) -> None:
    operator = Operator(
        cluster.kubeconfig,
        tmp_path / "log",
        health_port=str(port),
        operator_class="p",
        profiling="true",
    )
    try:
        until(lambda: page(port, "/readyz") == 200)
        address = f"http://127.0.0.1:{port}/debug/profile?seconds=0.3"
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert "cumulative" in answer.read().decode()
        assert page(port, "/debug/profile?seconds=long") == 400
    finally:
        operator.stop()
