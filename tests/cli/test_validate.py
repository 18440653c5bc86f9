"""`wakala validate`: the cluster's verdict, offline, with the line of each problem."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run import BAD, EXAMPLES, GOOD, HEAD, ROOT, environment, one_sentence, run, wakala

MARKED = """\
# a file with a comment and another object before the service
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---

apiVersion: wakala.com/v1alpha1
kind: WakalaService
metadata:
  name: api
spec:
  image: wakala/api:1.0.0
  port: 0  # <- spec.port
  replica: 3  # <- spec.replica
  autoscaling:  # <- spec.autoscaling
    minReplicas: 5
    maxReplicas: 3
  env:
    - name: A
      value: "1"
    - name: B
      value: 2  # <- spec.env[1].value
    - name: C
      nope: 1  # <- spec.env[2].nope
  sysctls:
    net.ipv4.tcp_syncookies: "1"
    net.ipv4.tcp_fin_timeout: 30  # <- spec.sysctls.net.ipv4.tcp_fin_timeout
  scheduling:
    nodeSelector: {kubernetes.io/os: linux}
    tolerations:
      - {key: a, operator: Exists}
      - {key: b, operator: In}  # <- spec.scheduling.tolerations[1].operator
  probes:
    liveness:  # <- spec.probes.liveness.path
      periodSeconds: 5
  resources:
    limits:
      memory: 1GB  # <- spec.resources.limits.memory
"""


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_accepted(file: Path) -> None:
    ran = wakala("validate", file)
    first = ran.out.splitlines()[0]
    assert (ran.code, ran.err) == (0, "")
    assert first.startswith(f"{file}:")
    assert first.endswith(": accepted")
    assert "change-me" not in ran.out


def test_each_verdict_has_its_line_and_its_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    stalls = GOOD + "  podTemplatePatch: {spec: {hostPID: true}}\n"
    file.write_text(f"{GOOD}---\n{BAD}---\n{stalls}")
    ran = wakala("validate", file)
    assert (ran.code, ran.err) == (1, "")
    lines = ran.out.splitlines()
    assert f"{file}:1: api: accepted" in lines
    assert f"{file}:7: api: refused" in lines
    assert f"  {file}:12: spec.port: seen 0, wanted at least 1" in lines
    assert f"{file}:14: api: stalled" in lines


def test_json_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(f"{BAD}---\n{GOOD.replace(':1.0.0', ':latest')}")
    ran = wakala("validate", "-o", "json", file)
    bad, good = json.loads(ran.out)
    problem = {"line": 6, "path": "spec.port", "sentence": "seen 0, wanted at least 1"}
    assert (ran.code, ran.err) == (1, "")
    assert bad == {
        "file": str(file),
        "line": 1,
        "name": "api",
        "verdict": "refused",
        "problems": [problem],
        "notes": [],
    }
    assert (good["line"], good["verdict"], good["problems"]) == (8, "accepted", [])
    assert ["rollback" in note for note in good["notes"]] == [True]


def marks() -> list[tuple[int, str]]:
    """Line and path of every mark in the text."""
    lines = enumerate(MARKED.splitlines(), 1)
    return [(number, line.partition("# <- ")[2]) for number, line in lines if "# <- " in line]


@pytest.mark.parametrize(("line", "path"), marks())
def test_a_problem_stands_at_its_line(line: int, path: str) -> None:
    (answer,) = json.loads(wakala("validate", "-o", "json", "-", stdin=MARKED).out)
    assert answer["line"] == 7
    assert {problem["path"]: problem["line"] for problem in answer["problems"]}[path] == line


def test_no_problem_stands_at_a_line_without_a_mark() -> None:
    (answer,) = json.loads(wakala("validate", "-o", "json", "-", stdin=MARKED).out)
    assert {problem["path"] for problem in answer["problems"]} == {path for _, path in marks()}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no WakalaService"),
        ("---\n---\n", "no WakalaService"),
        ("# nothing\n", "no WakalaService"),
        ("kind: Secret\n", "no WakalaService"),
        ("a: [\n", "-:2: "),
        ("a: b: c\n", "-:1: "),
        ("a:\n\t- b\n", "-:2: "),
        ("a: &a {b: *c}\n", "-:1: "),
        ("{[]: 1}\n", "-:1: "),
        ("kind: WakalaService\nimage: !!python/object:os.system {}\n", "python/object"),
        (b"\x80\x81\x82", "-"),
        (b"\0\0\0", "-"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 40, "-"),
        ("[" * 20_000, "-"),
        ("{a: " * 20_000, "-"),
    ],
    ids=[
        "nothing", "empty-documents", "a-comment", "another-kind", "half-a-list", "two-colons", "a-tab", "no-such-anchor",
        "a-list-as-key", "an-object-of-python", "no-text", "nulls", "a-picture", "deep-lists", "deep-maps",
    ],
)  # fmt: skip
def test_what_is_no_service_is_said_in_one_sentence(text: str | bytes, part: str) -> None:
    assert part in one_sentence(wakala("validate", "-", stdin=text))


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_cant_be_read_is_named(kind: str, tmp_path: Path) -> None:
    file = tmp_path / kind
    if kind == "folder":
        file.mkdir()
    if kind == "binary":
        file.write_bytes(os.urandom(100_000))
    assert one_sentence(wakala("validate", file)).startswith(f"{file}")


def test_the_good_file_beside_one_that_cant_be_read_is_not_judged(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    assert "missing.yaml" in one_sentence(wakala("validate", file, tmp_path / "missing.yaml"))


def test_a_mark_of_byte_order_and_ends_of_lines_from_elsewhere_are_fine() -> None:
    text = "\ufeff" + GOOD.replace("\n", "\r\n")
    assert wakala("validate", "-", stdin=text).out.endswith(": accepted\n")


def test_the_language_of_the_terminal_does_not_matter() -> None:
    text = GOOD + "  env: [{name: GREETING, value: 'Здравствуй, ünïcode'}]\n  ünknown: 1\n"
    for language in ("C", "POSIX", "C.UTF-8"):
        ran = wakala("validate", "-", stdin=text, env=environment(LC_ALL=language, LANG=language))
        assert ran.code == 1
        assert "spec.ünknown: unknown field" in ran.out


@pytest.mark.parametrize("words", [["validate"], ["render"], ["diff"], ["explain"], ["nope"]])
def test_a_wrong_call_shows_how_it_is_called(words: list[str]) -> None:
    ran = wakala(*words)
    assert ran.code == 2
    assert "Usage:" in ran.err


@pytest.mark.parametrize(
    "words", [["-h"], ["render", "-h"], ["validate", "--help"], ["diff", "-h"], ["status", "-h"]]
)
def test_each_command_says_what_it_is_for(words: list[str]) -> None:
    ran = wakala(*words)
    assert (ran.code, ran.err) == (0, "")
    assert "Usage:" in ran.out


@pytest.mark.parametrize(
    "words",
    [
        ["render", "FILE"],
        ["validate", "FILE"],
        ["explain", "Stalled"],
        ["crd"],
        ["version"],
        ["-h"],
    ],
    ids=lambda words: words[0],
)
def test_an_offline_command_loads_no_client(words: list[str]) -> None:
    """Neither the operator's framework: they cost half a second, and a laptop need not have them."""
    told = [str(ROOT / "examples" / "full.yaml") if word == "FILE" else word for word in words]
    program = (
        "import sys\nfrom wakala_cli.__main__ import main\nsys.argv = ['wakala', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ran = run(sys.executable, "-c", program, *told)
    loaded = set(ran.err.split())
    assert ran.code == 0, ran.err
    assert {"wakala_cli", "pydantic"} <= loaded
    assert loaded & {"kubernetes", "kopf", "aiohttp", "asyncpg", "psycopg", "redis"} == set()


@pytest.mark.parametrize(
    "words", [["crd"], ["validate", *map(str, EXAMPLES)], ["render", *map(str, EXAMPLES)]]
)
def test_a_reader_that_goes_away_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "wakala_cli", *words]
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_hostile_name_stays_in_its_line() -> None:
    text = (HEAD + "  image: a:1\n").replace("{name: api}", r'{name: "a\nb\e[2J: accepted"}')
    ran = wakala("validate", "-", stdin=text)
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    assert "\x1b" not in ran.out
