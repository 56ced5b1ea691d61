"""The kinds of rounds, and how one is played."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from specgen.database import databases
from tests.attack import special, ways
from tests.attack.disturb import CRASH, CUTTING, HARMLESS
from tests.attack.operations import make_operation
from tests.attack.oracle import observer
from tests.attack.settings import make_settings
from tests.attack.stage import FINDING, REFUSED, RIGHT, Arena, Report, Scene, Stage, build, run_scene
from tests.attack.tables import KEYS, WIDER, Ground, Table, make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.embedded import EmbeddedProvider
    from specgen.database.server import Server


def open_arena(server: Server, provider: EmbeddedProvider, *, mild: bool) -> Arena:
    """Look at what a server has."""
    with observer(server.dsn) as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')"
        ).fetchone()
    assert row is not None
    return Arena(server, provider, Ground(icu=row[0], mild=mild))


def play(arena: Arena, seed: int, kind: str) -> Report:
    """Play a round."""
    random = Random(f"{seed} {kind}")
    report = Report(seed, kind, RIGHT)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="specgen-attack-")))
        base = stack.enter_context(databases.database(arena.server))
        stage = Stage(arena, folder, base, stack)
        try:
            KINDS[kind](random, stage, report)
        except ways.RefusedError as refused:
            report.verdict, report.text = REFUSED, str(refused)
        except ways.StuckError as stuck:
            report.verdict, report.text = FINDING, f"stuck: {stuck}"
    return report


def _play(
    random: Random,
    stage: Stage,
    report: Report,
    *,
    drive: str,
    kind: str | None = None,
    table: Table | None = None,
    many_settings: bool = False,
    crash: bool = False,
    after: tuple[str, ...] = (),
    most: int = 3000,
) -> None:
    """A round of the usual course."""
    table = table or make_table(
        random,
        ground=stage.arena.ground,
        key=random.choice(stage.arena.ground.kinds(KEYS)) if drive == "keys" else None,
        most=most,
    )
    build(stage, table, report)
    with observer(stage.base) as connection:
        operation = make_operation(random, connection, table, drive, kind)
    way = random.choice((ways.CALL, ways.SQL, ways.SQL, ways.RUNNER, ways.RUNNER, ways.CLI))
    if drive == "file":
        way = ways.CLI
    elif crash and way == ways.CALL:
        way = ways.RUNNER
    operation.options.update(_options(random, way))
    settings = make_settings(random, many=many_settings)
    if crash:
        settings["synchronous_commit"] = "on"
    parallel = operation.pattern.get("parallel")
    workers = random.randint(1, 4) if parallel or way == ways.SQL else 1
    disturbances = (*random.sample(HARMLESS, random.choice((0, 0, 0, 1, 2))),)
    if random.random() < 0.25:
        disturbances += (random.choice(CUTTING),)
    if crash:
        disturbances += (CRASH,)
    scene = Scene(table, operation, settings, way, workers, disturbances, after)
    run_scene(random, stage, report, scene)


def _options(random: Random, way: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.1:
        options["batch_size"] = random.randint(1, 300)
    if way != ways.CALL and random.random() < 0.1:
        options["timeout"] = random.choice(("40ms", "150ms"))
    if random.random() < 0.1:
        options["idempotency_key"] = "May"
    return options


def _rows(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="rows")


def _keys(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="keys")


def _records(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="records")


def _file(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="file", most=800)


def _relation(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="relation", kind="update", most=1000)


def _steps(random: Random, stage: Stage, report: Report) -> None:
    _play(random, stage, report, drive="steps", most=1000)


def _settings(random: Random, stage: Stage, report: Report) -> None:
    drive = random.choice(("rows", "rows", "keys", "records"))
    key = random.choice(stage.arena.ground.kinds(KEYS)) if drive == "keys" else None
    table = make_table(random, ground=stage.arena.ground, key=key, most=300, calm=True)
    _play(random, stage, report, drive=drive, table=table, many_settings=True)


def _crash(random: Random, stage: Stage, report: Report) -> None:
    drive = random.choice(("rows", "records"))
    _play(
        random,
        stage,
        report,
        drive=drive,
        crash=True,
        table=make_table(random, ground=stage.arena.ground, most=3000),
    )


def _mistyped(random: Random, stage: Stage, report: Report) -> None:
    table = make_table(random, ground=stage.arena.ground, mistyped=True, most=400, calm=random.random() < 0.7)
    after: tuple[str, ...] = ()
    if random.random() < 0.3:
        kind, real = random.choice((("timestamptz", "timestamp"), ("text", "char(60)"), ("float", "real"),
                                    ("text", "public.citext"), ("bigint", "numeric"), ("date", "timestamp")))  # fmt: skip
        plain = make_table(random, ground=stage.arena.ground, key=kind, most=400, calm=True, traits=())
        (column,) = plain.key
        after = ("CREATE EXTENSION IF NOT EXISTS citext", f"ALTER TABLE thing ALTER id TYPE {real}")
        table = replace(plain, key=(replace(column, type=replace(column.type, real=real)),), ddl=plain.ddl)
    _play(random, stage, report, drive="rows", table=table, after=after)


def _not_unique(random: Random, stage: Stage, report: Report) -> None:
    if random.random() < 0.6:
        table = make_table(
            random, ground=stage.arena.ground, unique=False, most=400, calm=random.random() < 0.7
        )
        _play(random, stage, report, drive="rows", table=table)
        return
    table = make_table(random, ground=stage.arena.ground, most=400, calm=True, traits=())
    names = ", ".join([*table.key_names, "rid", "mark", "amount", "label", "code", "at", "flag"])
    after = ("ALTER TABLE thing DROP CONSTRAINT thing_pkey",
             f"INSERT INTO thing ({names}) SELECT {names.replace('rid', 'rid + 10000')} FROM thing WHERE rid % 5 = 1",
             "TRUNCATE attack.writes")  # fmt: skip
    _play(random, stage, report, drive="rows", table=table, after=after)


def _sameness(random: Random, stage: Stage, report: Report) -> None:
    key = random.choice(
        [*(name for name in stage.arena.ground.kinds(KEYS) if KEYS[name].other != "{t}"), *WIDER]
    )
    table = make_table(random, ground=stage.arena.ground, key=key, most=300, calm=random.random() < 0.5)
    drive = random.choice(("records", "records", "file"))
    kind = random.choice(("update", "upsert", "upsert", "delete"))
    _play(random, stage, report, drive=drive, kind=kind, table=table)


KINDS: dict[str, Callable[[Random, Stage, Report], None]] = {
    "rows": _rows,
    "keys": _keys,
    "records": _records,
    "file": _file,
    "relation": _relation,
    "steps": _steps,
    "settings": _settings,
    "crash": _crash,
    "mistyped": _mistyped,
    "not-unique": _not_unique,
    "sameness": _sameness,
    **special.KINDS,
}
WEIGHTS = {"rows": 6, "keys": 4, "records": 5, "file": 2, "relation": 2, "steps": 2, "settings": 5, "crash": 1,
           "mistyped": 3, "not-unique": 2, "sameness": 3, **special.WEIGHTS}  # fmt: skip
