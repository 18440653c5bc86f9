"""What a spec becomes, decided without a cluster."""

import json

import pytest

from tests.unit.builds import build, built, container, pod
from wakala_operator.build.desired import desired, referred, with_references
from wakala_operator.build.references import Reference


def environment(**spec):
    return {entry.pop("name"): entry for entry in container(**spec)["env"]}


def test_every_child_is_owned_and_labelled():
    for obj in built(autoscaling={"maxReplicas": 3}).values():
        (owner,) = obj["metadata"]["ownerReferences"]
        assert (owner["name"], owner["uid"], owner["controller"]) == ("a", "service-uid", True)
        assert obj["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "wakala-operator"
        assert obj["metadata"]["namespace"] == "n"


def test_the_selector_is_one_label_that_never_changes():
    spec = built(image="b:2", port=9000, replicas=1)["Deployment"]["spec"]
    assert spec["selector"] == {"matchLabels": {"wakala.com/service": "a"}}
    assert spec["template"]["metadata"]["labels"]["wakala.com/service"] == "a"


def test_a_user_variable_replaces_the_guides_and_none_is_doubled():
    given = [
        {"name": "PYTHONMALLOC", "value": "malloc"},
        {"name": "OWN", "value": "$(PYTHONMALLOC)"},
    ]
    names = [entry["name"] for entry in container(env=given)["env"]]
    assert len(names) == len(set(names))
    assert environment(env=given)["PYTHONMALLOC"] == {"value": "malloc"}
    assert names[-1] == "OWN"


def test_the_hash_seed_is_set_only_where_asked_for():
    assert "PYTHONHASHSEED" not in environment()
    assert environment(runtime={"hashSeed": 0})["PYTHONHASHSEED"] == {"value": "0"}


@pytest.mark.parametrize(
    ("workers", "cpu", "expected", "follows"),
    [(4, "1000m", 4, False), ("auto", "1000m", 2, True), ("auto", "1500m", 4, True), ("auto", "0.1", 2, True), ("auto", "8", 16, True)],
)  # fmt: skip
def test_workers_are_as_given_or_two_for_each_core_of_the_limit(workers, cpu, expected, follows):
    spec = {
        "runtime": {"workers": workers},
        "resources": {"limits": {"cpu": cpu}, "requests": {"cpu": "100m"}},
    }
    settings = json.loads(built(**spec)["ConfigMap"]["data"]["runtime.json"])
    assert (settings["workers"], settings["followCpuLimit"]) == (expected, follows)
    assert environment(**spec)["UVICORN_WORKERS"] == {"value": str(expected)}


def test_a_leaving_pod_serves_on_then_finishes_what_runs():
    spec = pod(rollout={"preStopSeconds": 15}, runtime={"requestTimeoutSeconds": 40})
    assert spec["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert spec["terminationGracePeriodSeconds"] == 60
    assert "lifecycle" not in container(rollout={"preStopSeconds": 0})


def test_the_connections_come_whole_from_their_secrets():
    spec = {
        "database": {"connection": {"secretName": "db", "key": "dsn", "caKey": "ca.pem"}},
        "cache": {"connection": {"secretName": "redis"}},
    }
    variables = environment(**spec)
    assert variables["DATABASE_URL"] == {
        "valueFrom": {"secretKeyRef": {"name": "db", "key": "dsn"}}
    }
    assert variables["REDIS_URL"] == {
        "valueFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}
    }
    runtime = next(v for v in pod(**spec)["volumes"] if v["name"] == "runtime")
    assert runtime["projected"]["sources"] == [
        {"configMap": {"name": "a-runtime"}},
        {"secret": {"name": "db", "items": [{"key": "ca.pem", "path": "database-ca.crt"}]}},
    ]
    settings = json.loads(built(**spec)["ConfigMap"]["data"]["runtime.json"])
    assert settings["database"]["caFile"] == "/etc/wakala/database-ca.crt"
    assert settings["cache"]["caFile"] is None


def test_the_count_is_left_out_where_an_autoscaler_owns_it():
    objects = built(
        replicas=7, autoscaling={"minReplicas": 3, "maxReplicas": 9, "targetMemoryUtilization": 80}
    )
    assert "replicas" not in objects["Deployment"]["spec"]
    scaler = objects["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert [m["resource"]["name"] for m in scaler["metrics"]] == ["cpu", "memory"]
    assert built(replicas=7)["Deployment"]["spec"]["replicas"] == 7
    assert "HorizontalPodAutoscaler" not in built()


def test_ports_outward_stand_once():
    spec = {
        "networkPolicy": {
            "egressPorts": [{"port": 443}, {"port": 5432}, {"port": 123, "protocol": "UDP"}]
        },
        "database": {"connection": {"secretName": "db"}},
        "cache": {"connection": {"secretName": "redis"}, "port": 5432},
    }
    (rule,) = built(**spec)["NetworkPolicy"]["spec"]["egress"]
    assert [(p["port"], p["protocol"]) for p in rule["ports"]] == [
        (53, "UDP"), (53, "TCP"), (443, "TCP"), (5432, "TCP"), (123, "UDP"),
    ]  # fmt: skip
    assert "NetworkPolicy" not in built(networkPolicy={"enabled": False})


def test_the_own_port_is_kept_from_outgoing_connections():
    """The guide's range of local ports takes in the port the service listens on (trap G7)."""
    sysctls = {s["name"]: s["value"] for s in pod(port=9000)["securityContext"]["sysctls"]}
    assert sysctls["net.ipv4.ip_local_port_range"] == "1024 65535"
    assert sysctls["net.ipv4.ip_local_reserved_ports"] == "9000"
    assert "sysctls" not in pod(sysctls={})["securityContext"]
    assert pod(sysctls={"net.ipv4.tcp_fin_timeout": "20"})["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.tcp_fin_timeout", "value": "20"}
    ]


def test_a_changed_setting_or_reference_changes_the_template():
    one = build()

    def template(of):
        return next(o for o in desired(of) if o["kind"] == "Deployment")["spec"]["template"]

    assert template(one) == template(build())
    assert template(one) != template(build(runtime={"threads": 51}))
    marked = with_references(desired(one), "d1gest")
    assert desired(one) != marked
    assert [o for o in marked if o["kind"] != "Deployment"] == [
        o for o in desired(one) if o["kind"] != "Deployment"
    ]


def test_references_are_found_wherever_they_stand():
    spec = {
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {
                "name": "B",
                "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
            },
        ],
        "envFrom": [{"secretRef": {"name": "all"}}],
        "database": {"connection": {"secretName": "db", "caKey": "ca", "adminKey": "not-for-pods"}},
        "podTemplatePatch": {
            "spec": {
                "volumes": [
                    {
                        "name": "v",
                        "secret": {"secretName": "mounted", "items": [{"key": "one", "path": "p"}]},
                    },
                    {"name": "w", "projected": {"sources": [{"configMap": {"name": "projected"}}]}},
                ],
                "initContainers": [
                    {"name": "i", "image": "i:1", "envFrom": [{"configMapRef": {"name": "init"}}]}
                ],
            }
        },
    }
    assert referred(desired(build(**spec))) == tuple(
        sorted(
            [
                Reference("Secret", "s", "k"),
                Reference("ConfigMap", "c", "k", optional=True),
                Reference("Secret", "all"),
                Reference("Secret", "db", "url"),
                Reference("Secret", "db", "ca"),
                Reference("Secret", "mounted", "one"),
                Reference("ConfigMap", "projected"),
                Reference("ConfigMap", "init"),
            ]
        )
    )
