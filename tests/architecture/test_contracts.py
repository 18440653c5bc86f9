"""The house's rules hold, and would be heard: a planted offence is found by the tool that should find it."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPERATOR = ROOT / "operator" / "wakala_operator"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources and their rules, to plant something in."""
    for name in ("operator", "devcluster"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def contracts(tree: Path) -> str:
    """What import-linter says of a tree."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    path = {"PYTHONPATH": f"{tree / 'operator'}:{tree}", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import site; site.main(); import sys; sys.path[:0] = {path['PYTHONPATH'].split(':')!r}; sys.argv[1:] = ['--no-cache']; {program}",
        ],
        cwd=tree,
        env=path,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("wakala_operator/build/pod.py", "import kopf"),
        ("wakala_operator/build/pod.py", "import time"),
        ("wakala_operator/judge/plan.py", "import kubernetes"),
        ("wakala_operator/judge/plan.py", "from wakala_operator.cluster import apply"),
        ("wakala_operator/reconcile/service.py", "import kopf"),
        ("wakala_operator/cluster/apply.py", "from wakala_operator.reconcile import queue"),
        ("wakala_api/base.py", "from wakala_operator import kinds"),
        ("wakala_operator/observe/store.py", "from wakala_cli import tree"),
    ],
)
def test_an_import_the_wrong_way_is_found(copy: Path, file: str, line: str) -> None:
    path = copy / "operator" / file
    path.write_text(f"{path.read_text()}\n\ndef _planted():\n    {line}\n")
    assert "BROKEN" in contracts(copy)


def test_the_tree_as_it_is_keeps_all_contracts(copy: Path) -> None:
    said = contracts(copy)
    assert "BROKEN" not in said
    assert "KEPT" in said


@pytest.mark.parametrize(
    "call", ["kopf.on.create('x')", "kopf.timer('x')", "kopf.on.delete('x')", "kopf.daemon('x')"]
)
def test_a_kopf_handler_that_writes_by_itself_is_found(copy: Path, call: str) -> None:
    """Nothing but a banned-api rule keeps kopf's own finalizers and annotations out."""
    planted = copy / "operator" / "wakala_operator" / "handlers" / "planted.py"
    planted.write_text(f"import kopf\n\n{call}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", str(planted)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "TID251" in ran.stdout


def test_status_is_written_in_one_place() -> None:
    """Two writers lose each other's conditions (trap T10)."""
    callers = {
        str(path.relative_to(OPERATOR))
        for path in OPERATOR.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "put_status"
    }
    assert callers == {"cluster/status.py"}


def test_writes_are_sent_from_one_package() -> None:
    """Only `cluster` and the acting part of a pass call what writes."""
    verbs = {"apply", "create", "merge", "delete", "put_status"}
    callers = {
        path.parent.name
        for path in OPERATOR.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Await)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in verbs
    }
    assert callers == {"cluster", "reconcile"}


def test_there_is_no_package_that_hides_the_standard_librarys() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
