"""`wakala`: render, validate and explain offline; diff and status against a cluster.

A problem is one sentence on standard error and an exit code: 1 for a finding (a refused file, a difference), 2 for what
could not be done.
"""

import difflib
import io
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from wakala_api.base import printable
from wakala_api.names import VERSION
from wakala_cli.documents import Document, UnreadableError, documents
from wakala_cli.verdict import Verdict, judge
from wakala_cli.yaml_reading import resolve_as_kubectl

__all__ = ["app", "main"]

WIDEST = 100_000

app = typer.Typer(
    name="wakala",
    help="One object in, a tuned, guarded and truthful service out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Files = Annotated[
    list[str], typer.Argument(help="YAML files with services; - reads standard input.")
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace, where the file or context names none."),
]
TextOrJson = Annotated[
    Literal["text", "json"], typer.Option("--output", "-o", help="How it is written.")
]
Kubeconfig = Annotated[str, typer.Option(help="Path of a kubeconfig; else the usual one.")]
Context = Annotated[str, typer.Option(help="Context in the kubeconfig; else its current one.")]


def _fail(sentence: str, code: int = 2) -> typer.Exit:
    sys.stderr.write(f"wakala: {sentence}\n")
    return typer.Exit(code)


def _all(files: list[str], namespace: str | None) -> list[Document]:
    try:
        return list(documents(files, namespace=namespace))
    except UnreadableError as error:
        raise _fail(str(error)) from None


def _lines(verdict: Verdict) -> list[str]:
    return [f"{verdict.document.file}:{line}: {problem}" for line, problem in verdict.problems]


def _console() -> Console:
    """Colours on a terminal, unless NO_COLOR is set; plain lines of any length elsewhere."""
    return Console(width=None if sys.stdout.isatty() else WIDEST, highlight=False)


class _Readable(yaml.SafeDumper):
    """YAML in which a text of several lines stands as it is, as the program in the ConfigMap is one."""


def _as_it_stands(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _as_it_stands)
resolve_as_kubectl(_Readable)


@app.command()
def render(
    files: Files,
    namespace: Namespace = None,
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="How it is written.")
    ] = "yaml",
) -> None:
    """Print the objects that services become. Asks no cluster; the same input gives the same output."""
    objects: list[dict[str, Any]] = []
    failed = False
    for verdict in map(judge, _all(files, namespace)):
        objects += verdict.objects
        for line in _lines(verdict):
            failed = True
            sys.stderr.write(line + "\n")
    if failed:
        raise typer.Exit(1)
    if output == "json":
        sys.stdout.write(
            json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2) + "\n"
        )
    else:
        sys.stdout.write(yaml.dump_all(objects, Dumper=_Readable, sort_keys=False, width=110))


@app.command()
def validate(
    files: Files,
    namespace: Namespace = None,
    output: TextOrJson = "text",
) -> None:
    """Say whether the cluster would take services, by its own rules. Asks no cluster."""
    verdicts = [judge(document) for document in _all(files, namespace)]
    if output == "json":
        sys.stdout.write(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2) + "\n")
    else:
        for verdict in verdicts:
            name = (
                f"{verdict.document.file}:{verdict.document.line}: {verdict.document.name or '?'}"
            )
            sys.stdout.write(f"{name}: {verdict.state}\n")
            for line in _lines(verdict):
                sys.stdout.write(f"  {line}\n")
            for warning in verdict.warnings:
                sys.stdout.write(f"  note: {warning}\n")
    if any(verdict.state != "accepted" for verdict in verdicts):
        raise typer.Exit(1)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "file": verdict.document.file,
        "line": verdict.document.line,
        "name": verdict.document.name,
        "verdict": verdict.state,
        "problems": [
            {"line": line, "path": problem.path, "sentence": problem.sentence}
            for line, problem in verdict.problems
        ],
        "notes": list(verdict.warnings),
    }


@app.command()
def diff(
    files: Files, namespace: Namespace = None, kubeconfig: Kubeconfig = "", context: Context = ""
) -> None:
    """Show what applying services would change in the cluster, their objects included. 1: there are differences."""
    from wakala_cli import live  # noqa: PLC0415 - the client costs half a second, which offline commands save

    found = _all(files, namespace)
    reach = (kubeconfig, context)
    try:
        here = namespace or live.namespace_of(reach)
        changed = live.ask(reach, lambda cluster: live.differing(cluster, found, here))
    except live.LiveError as error:
        raise _fail(str(error)) from None
    console = _console()
    for name, before, after in changed:
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"live/{name}", f"wanted/{name}", lineterm=""
        )
        for line in lines:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            console.print(line, style=style, markup=False)
    if changed:
        raise typer.Exit(1)


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(help="A service; without it all are listed.")
    ] = None,
    namespace: Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="List those of all namespaces.")
    ] = False,
    output: TextOrJson = "text",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Show services: one as a tree with its conditions and objects, or all of them line by line."""
    from wakala_cli import live, tree  # noqa: PLC0415

    reach = (kubeconfig, context)
    now = datetime.now(UTC)
    try:
        here = namespace or live.namespace_of(reach)
        if name is None:
            listed = live.ask(
                reach, lambda cluster: live.services(cluster, None if all_namespaces else here)
            )
            if output == "json":
                sys.stdout.write(json.dumps(listed, indent=2) + "\n")
            elif listed:
                tree.show_list(_console(), listed, now=now)
            else:
                sys.stdout.write("no services\n")
            return
        found = live.ask(reach, lambda cluster: live.one_service(cluster, here, name))
    except live.LiveError as error:
        raise _fail(str(error)) from None
    if output == "json":
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        tree.show_one(_console(), found, now=now)


@app.command()
def explain(
    word: Annotated[
        str, typer.Argument(help="A condition or a reason, such as Stalled or NameTaken.")
    ],
    name: Annotated[
        str | None, typer.Argument(help="A service, to show its condition too.")
    ] = None,
    namespace: Namespace = None,
    output: TextOrJson = "text",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Explain a condition: what it means, why it is as it is, what to do."""
    from wakala_cli.pages import page_of  # noqa: PLC0415

    page = page_of(word)
    if isinstance(page, str):
        raise _fail(
            f"{word} is no condition or reason" + (f"; did you mean {page}?" if page else "")
        )
    condition, text = page
    now: dict[str, Any] = {}
    if name is not None:
        from wakala_cli import live, tree  # noqa: PLC0415

        reach = (kubeconfig, context)
        try:
            here = namespace or live.namespace_of(reach)
            found = live.ask(reach, lambda cluster: live.one_service(cluster, here, name))
        except live.LiveError as error:
            raise _fail(str(error)) from None
        now = tree.condition_of(found["service"], condition)
    if output == "json":
        sys.stdout.write(
            json.dumps({"condition": condition, "page": text, "now": now}, indent=2) + "\n"
        )
        return
    console = _console()
    if name is not None:
        told = (
            printable(f"{now['status']}, {now['reason']}: {now['message']}")
            if now
            else "not there, so it does not apply"
        )
        console.print(f"{name}: {condition} is {told}\n", markup=False)
    console.print(Markdown(text) if console.is_terminal else Text(text.rstrip()))


@app.command()
def crd() -> None:
    """Print the CustomResourceDefinition."""
    from wakala_api.crd import text  # noqa: PLC0415

    sys.stdout.write(text())


@app.command()
def version() -> None:
    """Print the versions of this program and of the API it speaks."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    sys.stdout.write(f"wakala {installed('wakala')}, API {VERSION}\n")


class _Out(io.FileIO):
    """Standard output whose reader may go away: what nobody reads is dropped, and the exit code stays."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def main() -> None:
    """Run the command line; a reader that goes away is no error."""
    plain, out = sys.stdout, _Out(sys.stdout.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(out), plain.encoding, plain.errors, line_buffering=out.isatty()
    )
    app()


if __name__ == "__main__":
    main()
