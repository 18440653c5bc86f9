"""Rendered examples against what is checked in, and the guide's example against the guide."""

import yaml

from tests.golden.render import EXPECTED, HERE, rendered
from wakala_operator.judge.difference import differences


def test_every_example_renders_to_what_is_checked_in_and_nothing_is_left_over() -> None:
    """`make golden` writes them anew; the change is then read in the commit."""
    there = {path.name: path.read_text() for path in EXPECTED.iterdir()}
    assert rendered() == there


def test_the_guides_deployment_is_kept_to_the_letter() -> None:
    """Each value of the guide's YAML stands in the rendering of examples/guide.yaml, in its own place."""
    guide = yaml.safe_load((HERE / "guide.yaml").read_text())
    objects = yaml.safe_load_all(rendered()["guide.yaml"])
    deployment = next(obj for obj in objects if obj["kind"] == "Deployment")
    assert differences(guide, deployment) == []
    guide["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["periodSeconds"] = 6
    assert len(differences(guide, deployment)) == 1, "the comparison sees what differs"
