"""What is accepted renders to objects the API server accepts; what is not ends with one sentence."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.strategies import HOSTILE, PLAIN_SPECS, SPECS
from tests.support.api import Api, Refused
from wakala_api.problems import read
from wakala_api.service import WakalaService
from wakala_operator.build.context import Build
from wakala_operator.build.context import Refused as NotBuilt
from wakala_operator.build.desired import desired

CALM = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def document(spec: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    return {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def here(cluster: Any) -> Api:
    """A namespace for dry runs; nothing is ever made in it."""
    Api(cluster).call("POST", "api/v1/namespaces", {"metadata": {"name": "dry"}})
    return Api(cluster, "dry")


def refusal(here: Api, obj: dict[str, Any]) -> str:
    """Why the API server would refuse to make it; "" if it would not."""
    try:
        here.apply(obj, dryRun="All")
    except Refused as error:
        return error.message
    return ""


def test_what_validate_accepts_the_api_server_accepts(here: Api) -> None:
    """Both ways for the service itself; and every object of an accepted service is accepted."""
    verdicts = {True: 0, False: 0}

    @CALM
    @given(PLAIN_SPECS)
    def holds(spec: dict[str, Any]) -> None:
        read_as = read(document(spec, "dry"), strict=True)
        accepted = isinstance(read_as, WakalaService)
        said = refusal(here, document(spec, "dry"))
        assert accepted == (said == ""), (said, read_as)
        verdicts[accepted] += 1
        if not isinstance(read_as, WakalaService):
            assert all(problem.sentence and "\n" not in problem.sentence for problem in read_as)
            return
        for obj in desired(Build(read_as)):
            assert refusal(here, obj) == "", obj["kind"]

    holds()
    assert min(verdicts.values()) > 0, f"only one verdict came up: {verdicts}"


def test_any_patch_ends_with_objects_or_with_a_sentence(here: Api) -> None:
    """Whatever the patch is, it is refused by us in one line, or by the API server in a way that we call final."""
    from wakala_operator.cluster.errors import MISSHAPEN

    ends = {"built": 0, "refused": 0, "invalid": 0}

    @settings(CALM, max_examples=100)
    @given(SPECS.filter(lambda spec: spec.get("podTemplatePatch")))
    def holds(spec: dict[str, Any]) -> None:
        only_patch = {"image": "a:1", "podTemplatePatch": spec["podTemplatePatch"]}
        read_as = read(document(only_patch, "dry"), strict=True)
        if not isinstance(read_as, WakalaService):
            return
        try:
            objects = desired(Build(read_as))
        except NotBuilt as refused:
            assert str(refused)
            assert "\n" not in str(refused)
            ends["refused"] += 1
            return
        for obj in objects:
            try:
                here.apply(obj, dryRun="All")
            except Refused as error:
                final = error.code in {400, 413, 422} or any(
                    words in error.message for words in MISSHAPEN
                )
                assert final, error
                ends["invalid"] += 1
                return
        ends["built"] += 1

    holds()
    assert ends["refused"] > 0, ends


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(value=HOSTILE, name=st.sampled_from(["applicationName", "workerClass", "env"]))
def test_no_value_breaks_out_of_the_rendered_text(value: str, name: str) -> None:
    """The program's text never changes, and what comes out of the data is what went in."""
    from wakala_api.service import WakalaServiceSpec

    spec = WakalaServiceSpec.model_construct(**dict(WakalaServiceSpec(image="a:1")))
    runtime = spec.runtime.model_copy(update={"worker_class": value})
    service = WakalaService.model_validate(document({"image": "a:1"}))
    broken = service.model_copy(update={"spec": spec.model_copy(update={"runtime": runtime})})
    config = next(obj for obj in desired(Build(broken)) if obj["kind"] == "ConfigMap")
    plain = next(obj for obj in desired(Build(service)) if obj["kind"] == "ConfigMap")
    assert config["data"]["gunicorn.conf.py"] == plain["data"]["gunicorn.conf.py"]
    assert json.loads(config["data"]["runtime.json"])["workerClass"] == value


def test_the_rendered_configuration_is_read_as_data(tmp_path: Path) -> None:
    """Executed for real: a hostile value stays a value."""
    hostile = "x\"; raise SystemExit('out') #"
    service = WakalaService.model_validate(document({"image": "a:1"}))
    runtime = service.spec.runtime.model_copy(update={"worker_class": hostile})
    spec = service.spec.model_copy(update={"runtime": runtime})
    config = next(
        obj
        for obj in desired(Build(service.model_copy(update={"spec": spec})))
        if obj["kind"] == "ConfigMap"
    )
    for file, text in config["data"].items():
        (tmp_path / file).write_text(text)
    program = "import runpy,sys; print(runpy.run_path(sys.argv[1])['worker_class'], end='')"
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "gunicorn.conf.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == hostile
