"""The command that builds: what it is asked for again it does not build again, and a failure is one sentence.

A program in docker's place answers here; the images themselves are built for the other tests.
"""

import os
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest

from image.lend import secrets
from tests.image.conftest import built
from tests.support.until import until

pytestmark = pytest.mark.timeout(900)  # the first builds the images
DOCKER = """#!/bin/sh
cd "{here}"
case $1 in
info) exit 0 ;;
build)
    echo "$*" >> built
    [ ! -e slow ] || exec sleep 30
    sleep 0.2
    for word; do
        case $word in id=pip.conf,src=*) cat "${{word#*src=}}" >> pip.conf ;; esac
    done
    [ ! -e broken ] || {{ echo "no space left" >&2; exit 1; }} ;;
save) echo image > "${{2#--output=}}" ;;
*) exit 64 ;;
esac
"""


@pytest.fixture
def command(checkout) -> str:
    return str(checkout / "image" / "build")


@pytest.fixture
def docker(tmp_path, monkeypatch) -> Path:
    """A docker that answers, and a cache of its own; the folder where it notes what it was asked."""
    here = tmp_path / "docker"
    here.mkdir()
    program = here / "docker"
    program.write_text(DOCKER.format(here=here))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    monkeypatch.setenv("WAKALA_CACHE", str(tmp_path / "cache"))
    return here


@pytest.fixture
def run(command) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command with arguments, to its end."""
    return lambda *arguments: subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False
    )


def test_what_is_built_is_named_again(archives, checkout):
    """The same files, untouched by a second run."""
    before = {target: path.stat() for target, path in archives.items()}
    assert set(before) == {"operator", "cli"}
    assert built(checkout) == archives
    for target, path in archives.items():
        assert path.stat().st_ino == before[target].st_ino
        assert path.stat().st_size == before[target].st_size > 10e6


def test_docker_builds_where_it_answers(docker, run):
    """Each target once, on the base named, with pip's settings lent and gone afterwards."""
    ran = run("--base", "registry.example/python:3.11")
    assert ran.returncode == 0, ran.stderr
    asked = (docker / "built").read_text().splitlines()
    assert len(asked) == 2
    for line, target in zip(asked, ("operator", "cli"), strict=True):
        assert f"--target={target} --tag=docker.io/wakala/{target}:" in line
        assert "--build-arg=BASE=registry.example/python:3.11" in line
        (lent,) = (word for word in line.split() if word.startswith("id=pip.conf,"))
        assert not Path(lent.split("src=")[1]).exists()
    assert (docker / "pip.conf").read_text().count("[global]") == 2
    again = run("--base", "registry.example/python:3.11")
    assert again.stdout == ran.stdout
    assert len((docker / "built").read_text().splitlines()) == 2


def test_two_runs_at_once_build_once(docker, command):
    """The second waits for the first, says so, and names the same archives."""
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [one.communicate(timeout=60) for one in runs]
    assert answers[0][0] == answers[1][0] != ""
    waited = ["another run builds; waiting for it" in said for _, said in answers]
    assert sorted(waited) == [False, True]
    assert len((docker / "built").read_text().splitlines()) == 2


def test_a_broken_build_is_one_sentence(docker, run, tmp_path):
    """It names the log and the builder's words, leaves no archive, and the next try works."""
    (docker / "broken").touch()
    ran = run()
    assert (ran.returncode, ran.stdout) == (1, "")
    log = tmp_path / "cache" / "image" / "log"
    last = ran.stderr.splitlines()[-1]
    assert last == f"image: building operator: failed, see {log}: no space left"
    assert "no space left" in log.read_text()
    assert {path.name for path in log.parent.iterdir()} == {"lock", "log"}
    (docker / "broken").unlink()
    assert run().returncode == 0


def test_who_is_ended_takes_back_what_was_lent(docker, command):
    """A build that was called off leaves no index's password in /tmp."""
    (docker / "slow").touch()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    asked = until(lambda: (docker / "built").exists() and (docker / "built").read_text())
    (lent,) = (word for word in asked.split() if word.startswith("id=pip.conf,"))
    assert Path(lent.split("src=")[1]).exists()
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said.splitlines()[-1]) == (1, "image: interrupted")
    assert not Path(lent.split("src=")[1]).exists()


def test_another_base_is_another_image_and_old_ones_go(docker, run):
    """Three of a target stay: a cache that only grows fills the disk."""
    archives = [Path(run("--base", name).stdout.split("\t")[1]) for name in "abcd"]
    assert len(set(archives)) == 4
    assert [archive.exists() for archive in archives] == [False, True, True, True]


def test_pip_is_lent_its_settings_but_no_paths(monkeypatch, tmp_path):
    """An index with its password is readable for its owner only, while the build lasts."""
    trusted = tmp_path / "ca.pem"
    trusted.touch()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CERT", str(trusted))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@registry.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example https://b.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere/else")
    with secrets() as options:
        assert options[:2] == ["--secret", f"id=ca.pem,src={trusted}"]
        file = Path(options[-1].removeprefix("id=pip.conf,src="))
        settings = ConfigParser(interpolation=None)
        settings.read(file)
        assert file.parent.stat().st_mode & 0o077 == 0
        given = dict(settings["global"])
    assert not file.exists()
    assert given.pop("extra-index-url").split() == ["https://a.example", "https://b.example"]
    assert given.pop("index-url") == "https://user:secret@registry.example/simple"
    assert given.pop("cert") == "/run/secrets/ca.pem"
    assert set(given) <= {"timeout", "retries"}
