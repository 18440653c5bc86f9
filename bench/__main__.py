"""`python -m bench [services|idle|profile]`; without a word, services."""

import argparse
import json
import sys
from pathlib import Path

from bench import idle, profile, services
from bench.client import BenchError
from bench.operators import ROOT
from bench.scene import say

__all__ = ["main"]


def main() -> int:
    """Run one measurement; 1 when it can't be made or compares two different things."""
    args = _arguments()
    try:
        return int(args.run(args))
    except BenchError as error:
        say(f"bench: {error}")
        return 1


def _services(args: argparse.Namespace) -> int:
    found = services.measure(
        services.Plan(args.services, args.rounds, args.edits, args.restarts, args.idle)
    )
    print(json.dumps(found, indent=1) if args.output == "json" else services.table(found))
    for path in found["objectsDiffer"]:
        say(f"bench: the objects of the two differ at {path}")
    return 1 if found["objectsDiffer"] else 0


def _idle(args: argparse.Namespace) -> int:
    found = idle.measure(idle.Plan(args.services, args.step, args.minutes))
    idle.write(found, args.output)
    idle.draw(found, args.plot)
    fit = found["fit"]
    print(
        f"{fit['mibWithoutServices']:.0f} MiB + {fit['mibPerThousandServices']:.1f} MiB per 1,000 services"
    )
    return 0


def _profile(args: argparse.Namespace) -> int:
    print(profile.measure(profile.Plan(args.services, args.stacks, args.most, start=args.start)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parsers = parser.add_subparsers(required=True)

    beside = parsers.add_parser("services", help="our operator beside one on controller-runtime")
    beside.add_argument("--services", type=int, default=1000)
    beside.add_argument("--rounds", type=int, default=1, help="the order alternates")
    beside.add_argument("--edits", type=int, default=100, help="edits at rest")
    beside.add_argument("--restarts", type=int, default=3, help="restarts with an edit")
    beside.add_argument("--idle", type=float, default=20, help="seconds of rest")
    beside.add_argument("--output", choices=("table", "json"), default="table")
    beside.set_defaults(run=_services)

    rest = parsers.add_parser("idle", help="memory of our operator with ever more services at rest")
    rest.add_argument("--services", type=int, default=5000)
    rest.add_argument("--step", type=int, default=1000)
    rest.add_argument("--minutes", type=float, default=10, help="rest at the end")
    rest.add_argument("--output", type=Path, default=ROOT / "bench" / "idle.json")
    rest.add_argument("--plot", type=Path, default=ROOT / "docs" / "performance.svg")
    rest.set_defaults(run=_idle)

    where = parsers.add_parser("profile", help="where our operator's time goes; needs py-spy")
    where.add_argument("--services", type=int, default=300)
    where.add_argument("--stacks", type=Path, default=Path("stacks.txt"))
    where.add_argument("--most", type=int, default=40, help="rows of a table")
    where.add_argument("--start", action="store_true", help="a start with all services there")
    where.set_defaults(run=_profile)

    return parser.parse_args(sys.argv[1:] or ["services"])


if __name__ == "__main__":
    sys.exit(main())
