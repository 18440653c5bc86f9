"""`python -m devcluster up | down | status | binary NAME | kubeconfig`."""

import argparse
import sys
import time
from pathlib import Path

from devcluster import cluster
from devcluster.binaries import BuildError, binary, cache
from devcluster.choose import Chosen, choose

__all__ = ["main"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, default=cache() / "up", help="where the cluster keeps its data"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster, or say which one is used")
    up.add_argument("--nodes", type=int, default=3, help="kwok nodes to make")
    up.add_argument("--kubeconfig", type=Path, help="use this cluster instead of starting one")
    up.add_argument(
        "--yes-this-cluster",
        action="store_true",
        help="also if its context is none of a test cluster",
    )
    commands.add_parser("down", help="end the cluster that `up` started")
    commands.add_parser("status", help="say whether it runs")
    commands.add_parser("kubeconfig", help="print the path of its kubeconfig")
    commands.add_parser(
        "binary", help="print a program's path, built first if need be"
    ).add_argument("name")
    return parser.parse_args()


def main() -> int:
    """Run one command; a failure is one sentence and exit code 1."""
    arguments = _arguments()
    try:
        return _run(arguments)
    except (BuildError, cluster.ClusterError) as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    running = cluster.load(arguments.directory)
    match arguments.command:
        case "binary":
            print(binary(arguments.name))
        case "up":
            print(_up(arguments, running).kubeconfig)
        case "down":
            if running is not None:
                cluster.stop(running)
            cluster.clear(arguments.directory)
            print("ended" if running else "no cluster was running", file=sys.stderr)
        case "status":
            print(f"running: {running.server}" if running else "not running")
            return 0 if running else 1
        case "kubeconfig":
            if running is None:
                raise cluster.ClusterError("no cluster is running; `make up` starts one")
            print(running.kubeconfig)
    return 0


def _up(arguments: argparse.Namespace, running: cluster.Cluster | None) -> Chosen:
    if running is not None:
        print(f"using the cluster that runs already: {running.server}", file=sys.stderr)
        return Chosen("running", running.kubeconfig)
    began = time.monotonic()
    cluster.clear(arguments.directory)
    chosen = choose(
        arguments.directory,
        kubeconfig=arguments.kubeconfig,
        yes_this_cluster=arguments.yes_this_cluster,
        nodes=arguments.nodes,
    )
    print(f"{chosen.how}, ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
    return chosen


if __name__ == "__main__":
    sys.exit(main())
