"""kube-score over the guide's example: no critical finding but the two that are the guide's own choice."""

import json
import subprocess

from devcluster.binaries import binary
from tests.golden.render import HERE, rendered

CRITICAL = 1
GUIDE = {
    "container-image-pull-policy": "IfNotPresent starts fastest, and the tag is fixed",
    "container-security-context-user-group-id": "the guide's uid 1000",
}
"""Accepted findings, and why."""


def criticals(text: str) -> dict[str, list[str]]:
    """Failed critical checks by their id, with the objects they fail on."""
    ran = subprocess.run(
        [str(binary("kube-score")), "score", "--output-format", "json", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, list[str]] = {}
    for scored in json.loads(ran.stdout):
        for check in scored["checks"]:
            if check["grade"] == CRITICAL and not check["skipped"]:
                found.setdefault(check["check"]["id"], []).append(scored["object_name"])
    return found


def test_the_guides_example_has_no_critical_finding_but_the_guides_own() -> None:
    assert set(criticals(rendered()["guide.yaml"])) == set(GUIDE)


def test_the_guides_own_yaml_has_more() -> None:
    """What the operator adds is what makes the difference."""
    found = criticals((HERE / "guide.yaml").read_text())
    assert len(found) > len(GUIDE), found
