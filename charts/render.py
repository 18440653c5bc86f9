"""What the charts take from elsewhere, and what they render to, written or checked.

`python -m charts.render` copies the CRD into its chart and renders both charts with their defaults into `charts/rendered/`,
for people who use kustomize and not helm. `--check` fails if what is there is not what would be written, both ways.
"""

import subprocess
import sys
from pathlib import Path

from devcluster.binaries import binary

__all__ = ["main", "wanted"]

HERE = Path(__file__).parent
CRD = HERE.parent / "crds" / "wakala.com_wakalaservices.yaml"
COPY = HERE / "wakala-crds" / "templates" / CRD.name
NAMESPACE = "wakala-system"


def _kept(text: str) -> str:
    """The CRD with the annotation by which helm leaves it at uninstall."""
    head = "metadata:\n  name: wakalaservices.wakala.com\n"
    if head not in text:
        raise ValueError(f"{CRD} does not begin as expected; mend charts/render.py")
    return text.replace(head, head + "  annotations:\n    helm.sh/resource-policy: keep\n", 1)


def _rendered(chart: str) -> str:
    command = [
        str(binary("helm")),
        "template",
        "wakala",
        str(HERE / chart),
        "--namespace",
        NAMESPACE,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f"# Rendered from charts/{chart} by `make crds`; not to be edited.\n{text}"


def wanted() -> dict[Path, str]:
    """Every file and what should stand in it."""
    copy = _kept(CRD.read_text())
    if not COPY.exists() or COPY.read_text() != copy:
        return {COPY: copy}
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    rendered = HERE / "rendered"
    files = {COPY: copy}
    for part, chart in (("crds", "wakala-crds"), ("operator", "wakala-operator")):
        files[rendered / part / f"{part}.yaml"] = _rendered(chart)
        files[rendered / part / "kustomization.yaml"] = f"{kustomization}resources: [{part}.yaml]\n"
    files[rendered / "kustomization.yaml"] = (
        f"{kustomization}resources: [namespace.yaml, crds, operator]\n"
    )
    labels = "".join(
        f"    pod-security.kubernetes.io/{mode}: restricted\n" for mode in ("enforce", "warn")
    )
    files[rendered / "namespace.yaml"] = (
        f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n{labels}"
    )
    return files


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; 1 when something is not fresh."""
    if "--check" not in arguments:
        for _ in range(2):  # the copy first, then what is rendered from it
            for path, text in wanted().items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return 0
    files = wanted()
    there = {COPY: COPY.read_text() if COPY.exists() else ""} | {
        path: path.read_text() for path in (HERE / "rendered").rglob("*.yaml")
    }
    stale = sorted(str(p.relative_to(HERE)) for p in files | there if files.get(p) != there.get(p))
    if stale:
        sys.stderr.write(f"charts/ is not fresh: {', '.join(stale)}; run `make crds`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
