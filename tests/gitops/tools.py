"""Argo CD's and Flux's own code, each as a program that is built once and answers a line for a line."""

import hashlib
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devcluster.binaries import Component, binary

HERE = Path(__file__).parent
SECONDS = {"argocd": 200, "flux": 80}


class Tool:
    """One of the two programs, running."""

    def __init__(self, name: str, kubeconfig: Path, *words: str) -> None:
        module = HERE / name
        source = hashlib.sha256((module / "main.go").read_bytes()).hexdigest()[:12]
        # The linker passes over a variable that is not there; named here, another source is another file in the cache.
        component = Component(module, ".", SECONDS[name], f"-s -w -X main.source={source}")
        program = binary(f"gitops-{name}", components={f"gitops-{name}": component})
        self._process = subprocess.Popen(
            [str(program), str(kubeconfig), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, obj: Any, **more: Any) -> dict[str, Any]:
        """Its answer; an error is an answer too."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": do, "object": obj} | more) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"it ended with {process.wait(timeout=10)}"
        return dict(json.loads(line))

    def told(self, do: str, obj: Any, **more: Any) -> dict[str, Any]:
        """Its answer, which is no error."""
        answer = self.ask(do, obj, **more)
        assert "error" not in answer, answer["error"]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._process.__exit__(None, None, None)
