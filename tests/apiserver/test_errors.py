"""What the API server refuses, in a sentence that names the field and repeats no value."""

import asyncio
import copy
import socket

import pytest

from wakala_operator.cluster import client as client_module
from wakala_operator.cluster.connection import connected
from wakala_operator.cluster.errors import (
    AlreadyThere,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Terminating,
    Unreachable,
)
from wakala_operator.kinds import CONFIG_MAP, DEPLOYMENT, SECRET

HIDDEN = "hunter2"
CONTAINER = '.spec.template.spec.containers[name="api"]'
REFUSED = [
    (
        {"env": [{"name": "P", "value": {"a": HIDDEN}}]},
        f'Deployment d: {CONTAINER}.env[name="P"].value: expected string',
    ),
    ({"env": {"P": HIDDEN}}, f"Deployment d: {CONTAINER}.env: expected list"),
    ({"args": f"a\n  .b: {HIDDEN}"}, f"Deployment d: {CONTAINER}.args: expected list"),
    (
        {"env": [{"name": "P", "value": HIDDEN}, {"name": "P", "value": HIDDEN}]},
        f'Deployment d: {CONTAINER}.env: duplicate entries for key [name="P"]',
    ),
    ({"imag": HIDDEN}, f"Deployment d: {CONTAINER}.imag: field not declared in schema"),
    (
        {"resources": {"limits": {"cpu": HIDDEN}}},
        "Deployment d: quantities must match the regular expression",
    ),
    (
        {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
        'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    ({"ports": [{"containerPort": 99999}]}, "Invalid value: 99999: must be between 1 and 65535"),
]


def deployment(namespace, **container):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"a": "d"}},
            "template": {
                "metadata": {"labels": {"a": "d"}},
                "spec": {"containers": [{"name": "api", "image": "x"} | container]},
            },
        },
    }


@pytest.mark.parametrize(("container", "says"), REFUSED)
async def test_a_refused_object_is_invalid_and_its_field_named(client, api, container, says):
    with pytest.raises(Invalid) as refused:
        await client.apply(deployment(api.namespace, **container))
    assert says in str(refused.value)
    assert HIDDEN not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 400


async def test_a_selector_can_not_change_and_is_not_repeated(client, api):
    obj = deployment(api.namespace)
    await client.apply(obj)
    other = copy.deepcopy(obj)
    other["spec"]["selector"]["matchLabels"] = {"a": HIDDEN}
    other["spec"]["template"]["metadata"]["labels"] = {"a": HIDDEN}
    with pytest.raises(Invalid) as refused:
        await client.apply(other)
    assert str(refused.value) == (
        'Deployment.apps "d" is invalid: spec.selector: Invalid value: field is immutable'
    )


async def test_an_object_made_anew_is_a_conflict_and_not_invalid(client, api):
    """The API server says of another UID that the field is immutable."""
    obj = deployment(api.namespace)
    await client.apply(obj)
    obj["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        await client.apply(obj)
    obj["metadata"]["name"] = "missing"
    with pytest.raises(Conflict):
        await client.apply(obj)


async def test_a_field_that_another_manager_holds_is_a_conflict_that_names_it(client, api):
    obj = deployment(api.namespace)
    await client.apply(obj, manager="somebody")
    with pytest.raises(Conflict, match="somebody"):
        await client.apply(deployment(api.namespace, image="y"), force=False)


async def test_what_is_missing_and_what_is_there(client, api):
    with pytest.raises(NotFound):
        await client.get(DEPLOYMENT, api.namespace, "nobody")
    config = {"metadata": {"name": "c", "namespace": api.namespace}}
    await client.create(CONFIG_MAP, config)
    with pytest.raises(AlreadyThere):
        await client.create(CONFIG_MAP, config)


async def test_a_namespace_that_goes_is_told_from_a_right_that_is_missing(client, api):
    """Both are answered with 403."""
    holding = {"name": "holds", "namespace": api.namespace, "finalizers": ["tests/holds"]}
    await client.create(CONFIG_MAP, {"metadata": holding})
    await asyncio.to_thread(api.call, "DELETE", f"api/v1/namespaces/{api.namespace}")
    with pytest.raises(Terminating):
        await client.apply(deployment(api.namespace))
    await client.merge(CONFIG_MAP, api.namespace, "holds", {"metadata": {"finalizers": None}})


async def test_a_missing_right_is_forbidden_and_says_which(cluster, api, tmp_path):
    asked = f"api/v1/namespaces/{api.namespace}/serviceaccounts/default/token"
    token = await asyncio.to_thread(api.call, "POST", asked, {"spec": {}})
    text = cluster.kubeconfig.read_text().replace(cluster.token, token["status"]["token"])
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)
    async with connected(str(kubeconfig)) as powerless:
        with pytest.raises(Forbidden, match='cannot get resource "secrets"') as refused:
            await powerless.get(SECRET, api.namespace, "s")
    assert token["status"]["token"] not in str(refused.value)


async def test_nobody_there_is_unreachable(cluster, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        text = cluster.kubeconfig.read_text()
        server = f"https://127.0.0.1:{unused.getsockname()[1]}"
        (tmp_path / "kubeconfig").write_text(text.replace(cluster.server, server))
        async with connected(str(tmp_path / "kubeconfig")) as alone:
            with pytest.raises(Unreachable) as refused:
                await alone.get(SECRET, "default", "s")
    assert "Traceback" not in str(refused.value)
    assert cluster.token not in str(refused.value)


async def test_a_server_that_never_answers_is_given_up(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        server = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        text = cluster.kubeconfig.read_text().replace(cluster.server, server)
        (tmp_path / "kubeconfig").write_text(text)
        async with connected(str(tmp_path / "kubeconfig")) as alone:
            async with asyncio.timeout(5):
                with pytest.raises(Unreachable):
                    await alone.get(SECRET, "default", "s")


def test_a_fault_of_ours_is_not_dressed_up_as_the_clusters():
    from wakala_operator.cluster.errors import translated

    with pytest.raises(ZeroDivisionError):
        translated(ZeroDivisionError())
    ours = ClusterError("said")
    assert translated(ours) is ours
