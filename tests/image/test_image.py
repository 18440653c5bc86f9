"""What is in the images, and that their programs run as a pod runs them."""

import hashlib
import os
import re
import stat
import subprocess
import sys
import tomllib
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from tests.image.unpacked import Image

pytestmark = pytest.mark.timeout(900)  # the first builds the images
TOOLS = {"ar", "as", "c++", "cc", "clang", "cpp", "curl", "g++", "gcc", "go", "ld", "make", "rustc"}
USER = 10001
ADDED = 190e6
"""Bytes over the base. Measured: 161 MB operator, 171 MB cli, 23 MB packed; 126 MB of it is the package kubernetes."""


def files(image: Image) -> list[Path]:
    return [path for path in image.files() if path.is_file() and not path.is_symlink()]


def environment(image: Image) -> Path:
    return image.root / "opt" / "wakala"


def test_the_config_says_who_runs_what(image, images, checkout):
    """A number for the user, so that the kubelet's runAsNonRoot can check it; the chart says the same number."""
    assert image.config["User"] == f"{USER}:{USER}"
    program = {"operator": "wakala-operator", "cli": "wakala"}
    (target,) = (name for name, known in images.items() if known is image)
    assert image.config["Entrypoint"] == [program[target]]
    assert not image.config.get("Cmd")
    assert "PYTHONDONTWRITEBYTECODE=1" in image.config["Env"]
    version = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    assert image.config["Labels"]["org.opencontainers.image.version"] == version
    template = checkout / "charts" / "wakala-operator" / "templates" / "deployment.yaml"
    assert f"runAsUser: {USER}\n" in template.read_text()


def test_nothing_makes_its_caller_another_user(image):
    """The base has such files, the image has none."""
    marked = [m.name for m in image.layers[0].members if m.isfile() and m.mode & 0o6000]
    assert "usr/bin/su" in [name.removeprefix("./") for name in marked]
    assert [path for path in files(image) if path.lstat().st_mode & 0o6000] == []


def test_the_user_can_write_only_what_everybody_can(image):
    """Also where the root file system is not read-only; nothing is its own, least of all the program."""
    free = {"run/lock", "tmp", "var/tmp"}
    found = set()
    for path in image.files():
        there = path.lstat()
        assert USER not in (there.st_uid, there.st_gid), path
        # Links have no mode of their own, and a container has its own devices.
        kept = stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode)
        if kept and there.st_mode & 0o002:
            assert there.st_mode & stat.S_ISVTX, path
            found.add(str(path.relative_to(image.root)))
    assert found <= free
    ours = [environment(image), *environment(image).rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in ours} == {(0, 0)}
    assert not [path for path in ours if not path.is_symlink() and path.stat().st_mode & 0o022]


def test_a_program_runs_as_that_user_over_a_read_only_file_system(image):
    """No capability, no way to one, and a write is refused for the file system's sake."""
    look = (
        "id -u; id -G; grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status; touch /opt/wakala/x"
    )
    ran = image.run("-c", look, entrypoint=["sh"])
    uid, groups, *rest = ran.stdout.splitlines()
    assert (uid, groups) == (str(USER), str(USER))
    assert {line.split()[1].lstrip("0") for line in rest} == {"", "1"}
    assert "Read-only file system" in ran.stderr


def test_the_operator_without_a_cluster_says_so(operator_image):
    """It starts, and its last word is the one sentence."""
    ran = operator_image.run()
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1].startswith("wakala-operator: no cluster to work on: ")
    assert "Traceback" not in ran.stderr


def test_the_operator_reads_its_settings(operator_image):
    """The environment reaches it, and settings without sense end it."""
    ran = operator_image.run(env={"WAKALA_WORKERS": "none"})
    assert ran.returncode == 2
    assert ran.stderr.startswith("wakala-operator: WAKALA_WORKERS: ")


def test_the_command_line_renders_what_the_checkout_renders(cli_image, checkout):
    """So nothing that rendering reads was left out of the package."""
    example = (checkout / "examples" / "minimal.yaml").read_text()
    ran = cli_image.run("render", "-", say=example)
    assert ran.returncode == 0, ran.stderr
    assert "\nkind: Deployment\n" in ran.stdout
    here = subprocess.run(
        [sys.executable, "-m", "wakala_cli", "render", "-"],
        input=example,
        env=os.environ | {"PYTHONPATH": str(checkout / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == here.stdout


def test_the_command_line_has_its_pages(cli_image, checkout):
    """The CRD, the page of a condition, and its own version."""
    ran = cli_image.run("version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(r"wakala \d+\.\d+\.\d+, API v\w+\n", ran.stdout)
    crd = checkout / "crds" / "wakala.com_wakalaservices.yaml"
    assert cli_image.run("crd").stdout == crd.read_text()
    assert "Ready" in cli_image.run("explain", "Ready").stdout


def test_nothing_can_be_built_or_installed_inside(image):
    """No compiler, and no pip: neither as a command nor as a module nor as a wheel to install it from."""
    programs = {path.name for path in image.files() if path.parent.name in ("bin", "sbin")}
    assert {"python3", "sh"} <= programs
    assert programs & TOOLS == set()
    assert [name for name in programs if re.fullmatch(r"pip[\d.]*|.*-(gcc|ld|as)", name)] == []
    modules = r"(site|dist)-packages/(pip|setuptools|wheel)(-|$)|/ensurepip$|/pip-[^/]*\.whl$"
    assert [path for path in image.files() if re.search(modules, str(path))] == []
    for module in ("pip", "ensurepip"):
        ran = image.run("-m", module, entrypoint=["python3"])
        assert f"No module named {module}" in ran.stderr


def test_each_image_has_its_program_only(images):
    """The operator has no command line that would fail for want of typer, and the reverse."""
    python = {"python", "python3", "python3.11"}
    for target, programs in (
        ("operator", {"wakala-operator"}),
        ("cli", {"kubectl-wakala", "wakala"}),
    ):
        found = {path.name for path in (environment(images[target]) / "bin").iterdir()}
        assert found - python == programs


def test_nothing_of_the_tests_or_the_builder_is_inside(image, checkout):
    """No file of tests/ under any name, no source tree, no cache, nothing lent for the build."""
    tests = {
        hashlib.sha256(file.read_bytes()).digest()
        for file in (checkout / "tests").rglob("*.py")
        if file.stat().st_size
    }
    assert len(tests) > 20
    sizes = {file.stat().st_size for file in (checkout / "tests").rglob("*.py")}
    for path in files(image):
        assert path.name not in ("pip.conf", "ca.pem", "constraints.txt"), path
        if path.stat().st_size in sizes:
            assert path.stat().st_size == 0 or (
                hashlib.sha256(path.read_bytes()).digest() not in tests
            ), path
    for name in ("src", "root/.cache", "run/secrets", "root/.config"):
        assert not (image.root / name).exists(), name
    for name in ("etc/hosts", "etc/resolv.conf"):
        there = image.root / name
        assert not there.exists() or there.read_text() == "", name


def test_what_is_installed_is_what_is_pinned(image, checkout):
    """Each distribution has the version of constraints.txt."""
    pins = dict(
        line.split("==")
        for line in (checkout / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    found = {}
    for path in environment(image).rglob("*.dist-info"):
        name, version = path.name.removesuffix(".dist-info").rsplit("-", 1)
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    assert found.pop("wakala")
    assert {"kubernetes", "pydantic"} <= set(found)
    assert {name: pinned.get(name) for name in found} == found


def test_byte_code_is_there_and_believed(image):
    """A read-only file system takes none later, and Python compares none with the files' times."""
    if sys.version_info[:2] != (3, 11):
        pytest.fail("the images have Python 3.11; so must the tests, to read its byte code")
    sources = list(environment(image).rglob("*.py"))
    assert len(sources) > 1000
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
        head = compiled.read_bytes()[:8]
        assert head == MAGIC_NUMBER + (1).to_bytes(4, "little"), source


def test_little_is_added_to_the_base(image):
    """What a node fetches over the base that it may have."""
    added = sum(layer.size for layer in image.ours())
    assert 100e6 < added < ADDED
    assert environment(image).is_dir()
    assert len(image.ours()) < len(image.layers)
