"""The golden files: what each example renders to. `make golden` writes them, the test compares them both ways."""

from pathlib import Path

from typer.testing import CliRunner

from wakala_cli.__main__ import app

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
EXPECTED = HERE / "expected"


def rendered() -> dict[str, str]:
    """The rendering of every example, by file name."""
    found = {}
    for path in sorted(EXAMPLES.glob("*.yaml")):
        ran = CliRunner().invoke(app, ["render", str(path)])
        assert ran.exit_code == 0, ran.output
        found[path.name] = ran.stdout
    return found


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (EXPECTED / name).write_text(text)
