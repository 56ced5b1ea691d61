"""``python -m tests.attack``: random attacks on specgen, each judged row by row by an oracle of its own."""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
from collections import Counter
from random import Random

from specgen.database.embedded import EmbeddedProvider
from tests.attack.rounds import FINDING, KINDS, REFUSED, WEIGHTS, Arena, Report, open_arena, play

SERVER = {"deadlock_timeout": "30ms", "max_connections": "60", "restart_after_crash": "on"}


def main(arguments: list[str]) -> int:
    """Play rounds, print what was found; 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next one has the next")
    parser.add_argument(
        "--only", choices=list(KINDS), action="append", help="kinds of rounds; more than once"
    )
    parser.add_argument("--postgres", type=int, help="the server's major version")
    parser.add_argument("--brief", action="store_true", help="of a finding, its differences only")
    parser.add_argument(
        "--mild", action="store_true", help="nothing raises what looks like a fault of the system"
    )
    options = parser.parse_args(arguments)
    reports = []
    provider = EmbeddedProvider(postgres=options.postgres, in_memory=True, settings=SERVER)
    with provider as server:
        arena = open_arena(server, provider, mild=options.mild)
        for seed in range(options.seed, options.seed + options.rounds):
            began = time.monotonic()
            report = _round(arena, seed, kind_of(seed, options.only))
            reports.append(report)
            _print(report, time.monotonic() - began, options)
    _summarize(reports)
    return 1 if any(report.verdict == FINDING for report in reports) else 0


def kind_of(seed: int, only: list[str] | None) -> str:
    """The kind of the round with a seed."""
    kinds = only or list(KINDS)
    return Random(f"kind {seed}").choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]


def _round(arena: Arena, seed: int, kind: str) -> Report:
    try:
        return play(arena, seed, kind)
    except Exception:
        return Report(seed, kind, FINDING, "".join(traceback.format_exc()))


def _print(report: Report, seconds: float, options: argparse.Namespace) -> None:
    print(f"{report.seed:>6}  {report.kind:<11} {report.verdict:<8} {seconds:5.1f} s", flush=True)
    if report.verdict != FINDING:
        return
    print(report.text)
    version = f" --postgres {options.postgres}" if options.postgres else ""
    version += " --mild" if options.mild else ""
    if not options.brief:
        for name, text in report.facts.items():
            print(f"--- {name}\n{text.strip()}")
    print(
        f"--- again: python -m tests.attack --rounds 1 --seed {report.seed} --only {report.kind}{version}",
        flush=True,
    )


def _summarize(reports: list[Report]) -> None:
    print()
    counts = Counter((report.kind, report.verdict) for report in reports)
    for kind in KINDS:
        parts = [f"{counts[kind, verdict]} {verdict}" for verdict in ("right", REFUSED, FINDING)]
        print(f"{kind:<11} {', '.join(parts)}")
    reasons = Counter(_reason(report) for report in reports if report.verdict == REFUSED)
    for reason, count in reasons.most_common():
        print(f"refused {count} times: {reason}")
    found = [f"{report.seed} ({report.kind})" for report in reports if report.verdict == FINDING]
    print(f"{len(reports)} rounds, {len(found)} findings{': ' if found else ''}{', '.join(found)}")


def _reason(report: Report) -> str:
    """A refusal without what differs from round to round."""
    lines = [line for line in report.text.splitlines() if "error" in line] or report.text.splitlines() or [""]
    return re.sub(r"thing\.yaml:\d+:\d+", "thing.yaml", lines[0])[:150]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
