"""What a change costs or saves: another checkout of the project against this one, in one run.

    python benchmarks/versions.py --before FOLDER [--quick] [--only TEXT] [--postgres MAJOR] [--write]
    python benchmarks/versions.py --before FOLDER --lines

Each checkout generates the same specs with its own code, by this interpreter, into a database of its own
in one server; both get the same rows. The statement by hand and the operation run in turn, in the one
database and in the other, and who begins changes: what the machine does meanwhile meets all of them.
``after / before`` is the median of the turns, with the least and the greatest beside it; ``least`` is the
ratio of the quickest of each, which other work on the machine moves least. Two checkouts of the same commit
show how far a figure can be trusted; a busy machine can make it worthless. Only what people call is called:
OP, OP_submit, batch_work, batch_step, and the command line.

Three tables: the lines that are generated for the examples; calls in a warm session over a few records, and
batches of ten (milliseconds over the statement by hand); and operations over many records, as in
operations.py, imports.py and failing.py (seconds). --quick takes two minutes, a whole run about fifteen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import failing
import imports
import lines
import operations
import small
from common import CHECKOUT, deploy

from specgen.database import databases
from specgen.database.embedded import EmbeddedProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.server import Server

PAGE = CHECKOUT / "docs/benchmarks-engine.md"
FAILING_RECORDS = 10_000
EVERY = 100  # one record of how many fails
FAILING = (
    ("insert_things", "unique"),
    ("upsert_things", "foreign key"),
    ("update_things", "value"),
    ("change_things", "check"),
    ("delete_owners", "foreign key"),
)
OUTCOME = """
SELECT operation, status, count(*), sum(total_records), sum(processed_records)
  FROM batch_operations
 GROUP BY operation, status
 ORDER BY operation, status
"""
SECONDS = [
    "| what | hand, s | before, s | after, s | before/hand | after/hand | after / before | turns | least |",
    "|---|---|---|---|---|---|---|---|---|",
]
OVER = [
    "| what | by hand, ms | before, ms over | after, ms over | after - before, ms | parts of the run |",
    "|---|---|---|---|---|---|",
]


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout's operations, in a database."""

    checkout: Path
    dsn: str
    folder: Path
    bench: operations.Bench


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to compare; each function does it in a database and returns the seconds."""

    name: str
    by_hand: Callable[[Side, int], float]
    operation: Callable[[Side, int], float]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn took, in seconds: by hand and by operation, before and after."""

    hand_before: float
    before: float
    hand_after: float
    after: float


@dataclass(frozen=True, slots=True)
class Run:
    """The server, what to compare in it, and how often."""

    server: Server
    before: Path
    only: str
    rows: int
    pairs: int
    calls: int

    def wants(self, name: str) -> bool:
        """Say whether a row of the tables was asked for."""
        return self.only in name

    @contextmanager
    def sides(self, spec: str) -> Iterator[tuple[Side, Side]]:
        """Give a database with the operations of ``spec`` to each checkout."""
        with ExitStack() as stack:
            made = []
            for checkout in (self.before, CHECKOUT):
                dsn = stack.enter_context(databases.database(self.server))
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                deploy(dsn, spec, checkout, folder)
                bench = operations.Bench(dsn, self.pairs)
                stack.callback(bench.connection.close)
                made.append(Side(checkout, dsn, folder, bench))
            yield made[0], made[1]


def taken(measure: Measure, sides: tuple[Side, Side], count: int, warm: int = 1) -> list[Turn]:
    """Return what ``count`` turns took; some more before them fill caches and are not counted.

    What does less than the other is no quicker: both must come to the same.
    """
    turns = []
    for number in range(warm + count):
        took = {}
        for side in sides if number % 2 == 0 else sides[::-1]:
            took[side.dsn] = measure.by_hand(side, number), measure.operation(side, number)
        turns.append(Turn(*took[sides[0].dsn], *took[sides[1].dsn]))
    then, now = (side.bench.connection.execute(OUTCOME).fetchall() for side in sides)
    if then != now:
        raise SystemExit(f"{measure.name}: before {then}, after {now}")
    return turns[warm:]


def in_seconds(name: str, turns: list[Turn]) -> str:
    """Return a row of the table of long operations."""
    median = statistics.median
    ratios = [turn.after / turn.before for turn in turns]
    columns = (
        name,
        f"{median([time for turn in turns for time in (turn.hand_before, turn.hand_after)]):.2f}",
        f"{median(turn.before for turn in turns):.2f}",
        f"{median(turn.after for turn in turns):.2f}",
        f"{median(turn.before / turn.hand_before for turn in turns):.2f}",
        f"{median(turn.after / turn.hand_after for turn in turns):.2f}",
        f"{median(ratios):.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        f"{min(turn.after for turn in turns) / min(turn.before for turn in turns):.2f}",
    )
    return f"| {' | '.join(columns)} |"


def over(name: str, turns: list[Turn], parts: int, batches: int = 1) -> str:
    """Return a row of the table of short calls: what each adds to the statement by hand."""
    median = statistics.median
    scale = 1000 / batches

    def cost(some: list[Turn]) -> tuple[float, float]:
        return (
            (median(turn.before for turn in some) - median(turn.hand_before for turn in some)) * scale,
            (median(turn.after for turn in some) - median(turn.hand_after for turn in some)) * scale,
        )

    before, after = cost(turns)
    edges = [len(turns) * part // parts for part in range(parts + 1)]
    cut = [cost(turns[first:last]) for first, last in pairwise(edges) if first < last]
    differences = [now - then for then, now in cut]
    columns = (
        name,
        f"{median([time for turn in turns for time in (turn.hand_before, turn.hand_after)]) * scale:.3f}",
        f"{before:.3f}",
        f"{after:.3f}",
        f"{after - before:+.3f}",
        f"{min(differences):+.3f} to {max(differences):+.3f}",
    )
    return f"| {' | '.join(columns)} |"


def long_operations(run: Run) -> Iterator[str]:
    """Compare the cases of operations.py."""
    for cases, prepare, suffix in (
        (operations.FULL, (operations.prepare_full,), ("",)),
        (
            operations.INDEXED,
            (operations.prepare_indexed, lambda bench, _: operations.analyze(bench)),
            (", never analyzed", ", analyzed"),
        ),
    ):
        if not any(run.wants(case.name + end) for case in cases for end in suffix):
            continue
        with run.sides(operations.SPEC) as sides:
            for step, end in zip(prepare, suffix, strict=True):
                for side in sides:
                    step(side.bench, run.rows)
                for case in cases:
                    if run.wants(case.name + end):
                        yield in_seconds(case.name + end, taken(_long(case), sides, run.pairs))


def _long(case: operations.Case) -> Measure:
    return Measure(
        case.name,
        lambda side, _: side.bench.timed(lambda: side.bench.execute(operations.BY_HAND[case.by_hand])),
        lambda side, _: side.bench.timed(lambda: case.run(side.bench)),
    )


def failing_records(run: Run) -> Iterator[str]:
    """Compare some cases of failing.py."""
    cases = {
        f"1 % fail: {case.operation}, {case.kind}": case
        for case in failing.CASES
        if (case.operation, case.kind) in FAILING
    }
    if not any(map(run.wants, cases)):
        return
    with run.sides(failing.SPEC) as sides:
        for side in sides:
            failing.prepare(side.bench.connection, FAILING_RECORDS, EVERY)
        for name, case in cases.items():
            if run.wants(name):
                yield in_seconds(name, taken(_failing(name, case), sides, run.pairs))


def _failing(name: str, case: failing.Case) -> Measure:
    hand = failing.filled_in(case.by_hand, kind=case.kind, every=EVERY)
    call = failing.filled_in(f"SELECT {case.call}", kind=case.kind, every=EVERY)

    def took(side: Side, statement: str, errors: str) -> float:
        seconds, failed = failing.timed(side.bench.connection, statement, errors)
        if failed != FAILING_RECORDS // EVERY:
            raise SystemExit(f"{name}: {side.checkout}: {failed} records failed")
        return seconds

    return Measure(
        name,
        lambda side, _: took(side, hand, "SELECT count(*) FROM by_hand"),
        lambda side, _: took(side, call, "SELECT count(*) FROM batch_operation_errors"),
    )


def imported(run: Run) -> Iterator[str]:
    """Compare the import of imports.py; by hand it is COPY."""
    count = run.rows // 2
    name = f"import of {count:,} lines, two workers"
    if not run.wants(name):
        return
    with run.sides(imports.SPEC) as sides, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.csv"
        imports.write(file, count)
        measure = Measure(
            name,
            lambda side, _: imports.copied(file, side.dsn),
            lambda side, _: imports.imported(side.folder, file, side.dsn, 2, side.checkout)[0],
        )
        yield in_seconds(name, taken(measure, sides, min(run.pairs, 3)))


def short(run: Run) -> Iterator[str]:
    """Compare what small.py has."""
    if not any(run.wants(case.name) for case in (*small.CALLS, *small.IN_TENS)):
        return
    with run.sides(small.SPEC) as sides:
        for side in sides:
            small.prepare(side.bench.connection)
        for case in (*small.CALLS, *small.IN_TENS):
            if not run.wants(case.name):
                continue
            for side in sides:
                side.bench.execute("VACUUM ANALYZE")
            count, warm = (run.calls, 20) if case.tens == 1 else (2 * run.pairs, 1)
            yield over(case.name, taken(_short(case), sides, count, warm), run.pairs, case.tens)


def _short(case: small.Case) -> Measure:
    def took(work: Callable[[], None]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return Measure(
        case.name,
        lambda side, turn: took(lambda: small.by_hand(side.bench.connection, case, turn)),
        lambda side, turn: took(lambda: small.operation(side.bench.connection, case, turn)),
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rows", type=int, help="rows of the long operations; 1,000,000")
    parser.add_argument("--pairs", type=int, help="turns of a long operation, parts of the short ones; 5")
    parser.add_argument("--calls", type=int, help="turns of a short call; 500")
    parser.add_argument("--quick", action="store_true", help="100,000 rows, 3 pairs, 200 calls")
    parser.add_argument("--only", default="", help="rows of the tables whose name contains this text")
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--lines", action="store_true", help="nothing but the lines of the examples")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    given = parser.parse_args()
    rows, pairs, calls = (100_000, 3, 200) if given.quick else (1_000_000, 5, 500)
    given.rows, given.pairs, given.calls = given.rows or rows, given.pairs or pairs, given.calls or calls
    given.before = given.before.resolve()
    if given.write and (given.only or given.lines):
        parser.error("--write is for a whole run")
    return given


def printed(head: list[str], rows: Iterator[str]) -> list[str]:
    """Print a table while it grows; return it."""
    table = []
    for row in chain(head, rows):
        print(row, flush=True)
        table.append(row)
    print()
    return table


def main() -> None:
    """Measure everything."""
    given = arguments()
    counted = lines.table(given.before, CHECKOUT)
    print("\n".join(counted), end="\n\n", flush=True)
    if given.lines:
        return
    with EmbeddedProvider(postgres=given.postgres, durable=True, settings=operations.SERVER) as server:
        run = Run(server, given.before, given.only, given.rows, given.pairs, given.calls)
        calls = printed(OVER, short(run))
        long = printed(SECONDS, chain(failing_records(run), imported(run), long_operations(run)))
    if given.write:
        write(counted, calls, long, given)


def write(counted: list[str], calls: list[str], long: list[str], given: argparse.Namespace) -> None:
    """Write the tables into the docs."""
    parts = [
        "# Benchmarks: before and after the engine",
        "Made by `python benchmarks/versions.py --before FOLDER --write`; see that file for how.\n"
        f"PostgreSQL {given.postgres}, two cores; before and after in turn, in one run.",
        "## Lines that are generated",
        "\n".join(counted),
        "## Calls and batches of few records",
        "What a call, or a batch, adds to the statement by hand: medians in a warm session whose commits\n"
        f"do not wait for the disk, {given.calls:,} calls each, in a database that knows some hundred\n"
        f"operations. The last column is the difference in each of {given.pairs} parts of the run.",
        "\n".join(calls),
        "## Operations over many records",
        f"{given.rows:,} rows, three times as many for the index, {FAILING_RECORDS:,} where some fail;\n"
        f"batch size 1000, medians of {given.pairs} turns. By hand is one statement, for an import COPY,\n"
        "and where records fail a loop that catches each; `least` is the ratio of the quickest turns.",
        "\n".join(long),
    ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
