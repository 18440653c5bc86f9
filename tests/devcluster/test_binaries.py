"""Programs are found, built once, and named after their pins."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.binaries import COMPONENTS, KUBERNETES, BuildError, Component, binary, cache

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
from pathlib import Path
from devcluster.binaries import Component, binary
print(binary("tiny", components={"tiny": Component(Path(sys.argv[1]), ".", 1)}))
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Component:
    """A Go program that says what it is, and a cache folder of its own."""
    monkeypatch.setenv("WAKALA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    module = tmp_path / "tiny"
    module.mkdir()
    (module / "go.mod").write_text("module example.com/tiny\n\ngo 1.21\n")
    (module / "go.sum").write_text("")
    (module / "main.go").write_text('package main\n\nfunc main() { println("tiny") }\n')
    return Component(module, ".", 1)


def test_two_runs_at_once_build_once(tiny, tmp_path):
    """The second waits for the first, says so, and gets the same file."""
    real = shutil.which("go")
    assert real is not None
    wrapped = tmp_path / "bin" / "go"
    wrapped.parent.mkdir()
    wrapped.write_text(f'#!/bin/sh\necho called >> "{tmp_path}/calls"\nsleep 1\nexec {real} "$@"\n')
    wrapped.chmod(0o755)
    env = os.environ | {"PATH": f"{wrapped.parent}:{os.environ['PATH']}"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, str(tiny.module)],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [run.communicate(timeout=120) for run in runs]
    paths = {out.strip() for out, _ in answers}
    assert len(paths) == 1, answers
    said = sorted(err.splitlines()[0] for _, err in answers)
    assert said[0] == "another run builds tiny; waiting for it"
    assert said[1].startswith("building tiny: 0 s")
    assert (tmp_path / "calls").read_text() == "called\n"
    ran = subprocess.run([paths.pop()], capture_output=True, text=True, check=True)
    assert ran.stderr == "tiny\n"


def test_another_pin_is_another_file(tiny):
    """A bumped go.mod does not find the old program."""
    old = binary("tiny", components={"tiny": tiny}, say=lambda _: None)
    assert binary("tiny", components={"tiny": tiny}, say=pytest.fail) == old
    (tiny.module / "go.mod").write_text("module example.com/tiny\n\ngo 1.22\n")
    new = binary("tiny", components={"tiny": tiny}, say=lambda _: None)
    assert new != old
    assert old.exists()


def test_a_broken_build_is_one_sentence(tiny):
    """It names the log and the compiler's words, leaves nothing behind, and the next try works."""
    source = tiny.module / "main.go"
    good = source.read_text()
    source.write_text("package main\n\nfunc main() { nothing() }\n")
    with pytest.raises(BuildError) as caught:
        binary("tiny", components={"tiny": tiny}, say=lambda _: None)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "undefined: nothing" in sentence
    log = re.search(r"see (\S+\.log)", sentence)
    assert log is not None
    assert "main.go:3" in Path(log[1]).read_text()
    assert {path.suffix for path in (cache() / "bin").iterdir()} == {".log", ".lock"}
    source.write_text(good)
    assert binary("tiny", components={"tiny": tiny}, say=lambda _: None).is_file()


def test_given_programs_win(tiny, tmp_path, monkeypatch):
    """What lies in KUBEBUILDER_ASSETS is taken as it is; what does not is built."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "kubectl").write_text("")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert binary("kubectl", say=pytest.fail) == assets / "kubectl"
    assert binary("tiny", components={"tiny": tiny}, say=lambda _: None).parent == cache() / "bin"


def test_an_unknown_program_is_named():
    """A slip of the pen is answered with what there is."""
    with pytest.raises(BuildError, match=r"kubectll is not a known program.*kubectl"):
        binary("kubectll")


def test_the_pins_are_of_one_release():
    """All of Kubernetes is built from one release, under the version it tells."""
    text = (COMPONENTS["kubectl"].module / "go.mod").read_text()
    assert f"k8s.io/kubernetes {KUBERNETES}\n" in text
    replaced = re.findall(r"^\s*(?:replace )?(k8s\.io/\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) > 25
    staging = KUBERNETES.replace("v1.", "v0.")
    assert {(to == name, version) for name, to, version in replaced} == {(True, staging)}
    for component in COMPONENTS.values():
        assert component.package.split("/cmd/")[0] in (component.module / "go.mod").read_text()
