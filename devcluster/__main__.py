"""A real Kubernetes for trying things: `python -m devcluster up`, and `down` when done."""

import argparse
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

from devcluster import cluster
from devcluster.binaries import COMPONENTS, BuildError, binary, cache, locked
from devcluster.choose import choose, let_go

__all__ = ["main"]


def _arguments() -> argparse.Namespace:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--directory",
        type=Path,
        default=cache() / "up",
        help="where the cluster keeps its data (%(default)s)",
    )
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up", parents=[where], help="start a cluster, or take the one that was named or runs"
    )
    up.add_argument("--nodes", type=int, default=3, help="kwok nodes to make (%(default)s)")
    up.add_argument(
        "--kubeconfig", type=Path, help="use this cluster instead of starting one ($KUBECONFIG)"
    )
    up.add_argument(
        "--yes-this-cluster",
        action="store_true",
        help="also if its context does not look like a test cluster",
    )
    commands.add_parser("down", parents=[where], help="end the cluster that `up` started")
    commands.add_parser("status", parents=[where], help="say whether it runs (exit code 1: no)")
    commands.add_parser("kubeconfig", parents=[where], help="print the path of its kubeconfig")
    one = commands.add_parser("binary", help="print a program's path, built first if need be")
    one.add_argument("name", help=", ".join(COMPONENTS))
    return parser.parse_args()


def main() -> int:
    """Run one command; a failure is one sentence and exit code 1."""
    try:
        return _run(_arguments())
    except (BuildError, cluster.ClusterError, OSError) as error:
        print(f"devcluster: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("devcluster: interrupted", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "binary":
            print(binary(arguments.name))
        case "up":
            with _alone():
                _up(arguments)
        case "down":
            with _alone():
                ended = let_go(arguments.directory)
            print("ended" if ended else "no cluster was running", file=sys.stderr)
        case "status":
            running = cluster.load(arguments.directory)
            print(f"running at {running.server}" if running else "not running")
            return 0 if running else 1
        case "kubeconfig":
            running = cluster.load(arguments.directory)
            if running is None:
                raise cluster.ClusterError("no cluster is running; `up` starts one")
            print(running.kubeconfig)
    return 0


def _up(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    chosen = choose(
        arguments.directory,
        kubeconfig=arguments.kubeconfig,
        yes_this_cluster=arguments.yes_this_cluster,
        nodes=arguments.nodes,
    )
    print(f"using {chosen.how}, after {time.monotonic() - began:.1f} s", file=sys.stderr)
    print(chosen.kubeconfig)


def _alone() -> AbstractContextManager[None]:
    """One `up` or `down` at a time."""
    return locked(cache() / "up.lock", "another run starts or ends a cluster; waiting for it")


if __name__ == "__main__":
    sys.exit(main())
