"""`wakala crd`, `wakala version`, and the same program as a plugin of kubectl."""

import json
import os
import re
import tomllib

import pytest
import yaml

from devcluster.binaries import binary
from tests.cli.run import BIN, ROOT, environment, run, wakala

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
TOLD = f"wakala {VERSION}, API v1alpha1\n"


def test_the_crd_is_the_one_in_the_repository() -> None:
    ran = wakala("crd")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (ROOT / "crds" / "wakala.com_wakalaservices.yaml").read_text()
    assert yaml.safe_load(ran.out)["metadata"]["name"] == "wakalaservices.wakala.com"


@pytest.mark.parametrize("name", ["wakala", "kubectl-wakala"])
def test_each_console_script_is_the_program(name: str) -> None:
    assert run(BIN / name, "version").out == TOLD


def test_the_module_is_the_program() -> None:
    ran = wakala("version")
    assert (ran.code, ran.out, ran.err) == (0, TOLD, "")


@pytest.fixture
def with_plugins() -> dict[str, str]:
    return environment(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")


def test_kubectl_finds_its_plugin(with_plugins: dict[str, str]) -> None:
    ran = run(binary("kubectl"), "wakala", "version", env=with_plugins)
    assert (ran.code, ran.out) == (0, TOLD)
    listed = run(binary("kubectl"), "plugin", "list", env=with_plugins)
    assert str(BIN / "kubectl-wakala") in listed.out


def test_kubectl_hands_over_words_and_exit_code(with_plugins: dict[str, str]) -> None:
    ran = run(
        binary("kubectl"),
        "wakala",
        "validate",
        "-o",
        "json",
        "-",
        stdin="kind: WakalaService",
        env=with_plugins,
    )
    assert ran.code == 1
    assert json.loads(ran.out)[0]["verdict"] == "refused"


def test_the_plugin_names_itself_as_it_was_called(with_plugins: dict[str, str]) -> None:
    ran = run(binary("kubectl"), "wakala", "explain", "xyzzy", env=with_plugins)
    assert ran.code == 2
    assert re.fullmatch(r"wakala: xyzzy is no condition or reason.*\n", ran.err)
