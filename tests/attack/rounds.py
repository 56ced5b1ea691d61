"""A round: a database, an operation and a disturbance made from a seed, run, and judged."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner

from specgen.cli.main import main
from specgen.database import databases
from tests.attack import ways
from tests.attack.disturb import CRASH, CUTTING, HARMLESS, Disturber
from tests.attack.operations import Operation, make_operation
from tests.attack.oracle import compare, contents, expect, observe, observer
from tests.attack.settings import SHARED, make_settings, statements
from tests.attack.tables import KEYS, Table, make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.embedded import EmbeddedProvider
    from specgen.database.server import Server

RIGHT, REFUSED, FINDING = "right", "refused", "finding"


@dataclass(frozen=True, slots=True)
class Arena:
    """Where rounds take place: the server, and the handle to hurt it."""

    server: Server
    provider: EmbeddedProvider


@dataclass
class Report:
    """How a round ended.

    Attributes:
        verdict: ``right``, ``refused`` or ``finding``.
        text: The reason of a refusal, or the differences.
    """

    seed: int
    kind: str
    verdict: str
    text: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass
class Scene:
    """What a kind of round has decided, before it is run."""

    table: Table
    operation: Operation
    settings: dict[str, str]
    way: str
    workers: int
    disturbances: tuple[str, ...] = ()


@dataclass
class Stage:
    """The databases of a round: the one that is attacked and the oracle's copy."""

    arena: Arena
    folder: Path
    base: str
    stack: ExitStack

    def deploy(self, entity: dict[str, Any], dsn: str) -> str | None:
        """Deploy as users do; what is said against it, or nothing."""
        entities = self.folder / "entities"
        entities.mkdir(exist_ok=True)
        text = yaml.safe_dump(entity, sort_keys=False, allow_unicode=True, width=110)
        (entities / "thing.yaml").write_text(text, encoding="utf-8")
        (self.folder / "specgen.yaml").write_text("search_path: [public]\n", encoding="utf-8")
        result = CliRunner().invoke(main, ["deploy", "--project", str(self.folder), "--database-url", dsn])
        if result.exit_code == 0:
            return None
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    def clone(self) -> str:
        """A copy of the database as it is, for the round."""
        name = databases.name_of(self.base)
        return self.stack.enter_context(databases.clone(self.arena.server, name))


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
    most: int = 3000,
) -> None:
    """A round of the usual course."""
    table = table or make_table(random, key=random.choice(list(KEYS)) if drive == "keys" else None, most=most)
    _build(stage, table, report)
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
    scene = Scene(table, operation, settings, way, workers, disturbances)
    _run(random, stage, report, scene)


def _build(stage: Stage, table: Table, report: Report) -> None:
    report.facts["DDL"] = ";\n".join(table.ddl[1:])
    with observer(stage.base) as connection:
        for statement in table.ddl:
            connection.execute(statement.encode())


def _options(random: Random, way: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.1:
        options["batch_size"] = random.randint(1, 300)
    if way != ways.CALL and random.random() < 0.1:
        options["timeout"] = random.choice(("40ms", "150ms"))
    if random.random() < 0.1:
        options["idempotency_key"] = "May"
    return options


def _run(random: Random, stage: Stage, report: Report, scene: Scene) -> None:
    """Deploy, let the oracle do it on a copy, run and disturb it, and compare."""
    entity = scene.table.entity([scene.operation.pattern])
    _describe(report, scene, entity)
    refusal = stage.deploy(entity, stage.base)
    if refusal is not None:
        report.verdict, report.text = REFUSED, refusal
        return
    twin, dsn = stage.clone(), stage.clone()
    _set(stage, dsn, scene.settings)
    shared = {name: value for name, value in scene.settings.items() if name in SHARED}
    expected = expect(twin, scene.operation, scene.table, shared)
    untouched = contents(dsn)
    job = ways.Job(dsn, stage.folder, scene.operation, scene.way, scene.workers)
    seed = random.randrange(10**9)
    try:
        with Disturber(seed, job, scene.disturbances, scene.table.rows, stage.arena.provider):
            operation_id = job.run()
    except ways.RefusedError as refused:
        report.verdict, report.text = REFUSED, str(refused)
        if contents(dsn) != untouched:
            report.verdict, report.text = FINDING, f"refused, and rows were written: {refused}"
        return
    found = observe(dsn, operation_id, scene.operation, scene.table)
    problems = compare(expected, found, strict=scene.operation.strict)
    if problems:
        said = [f"said: {text}" for text in dict.fromkeys(job.said[-3:])]
        report.verdict, report.text = FINDING, "\n".join(problems + said)


def _set(stage: Stage, dsn: str, settings: dict[str, str]) -> None:
    with observer(stage.arena.server.dsn) as connection:
        for statement in statements(databases.name_of(dsn), settings):
            connection.execute(statement)


def _describe(report: Report, scene: Scene, entity: dict[str, Any]) -> None:
    report.facts |= {
        "YAML": yaml.safe_dump(entity, sort_keys=False, allow_unicode=True, width=110),
        "settings": str(scene.settings),
        "options": str(scene.operation.options),
        "way": f"{scene.way}, {scene.workers} workers, disturbed by {', '.join(scene.disturbances) or 'nobody'}",
        "rows": f"{scene.table.rows}, key {[c.type.real for c in scene.table.key]}, {', '.join(scene.table.traits)}",
    }


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
    key = random.choice(list(KEYS)) if drive == "keys" else None
    table = make_table(random, key=key, most=300, calm=True)
    _play(random, stage, report, drive=drive, table=table, many_settings=True)


def _crash(random: Random, stage: Stage, report: Report) -> None:
    drive = random.choice(("rows", "records"))
    _play(random, stage, report, drive=drive, crash=True, table=make_table(random, most=3000))


def _mistyped(random: Random, stage: Stage, report: Report) -> None:
    table = make_table(random, mistyped=True, most=400, calm=random.random() < 0.7)
    _play(random, stage, report, drive=random.choice(("rows", "keys")), table=table)


def _not_unique(random: Random, stage: Stage, report: Report) -> None:
    table = make_table(random, unique=False, most=400, calm=random.random() < 0.7)
    _play(random, stage, report, drive="rows", table=table)


def _sameness(random: Random, stage: Stage, report: Report) -> None:
    key = random.choice([name for name, type_ in KEYS.items() if type_.other != "{t}"])
    table = make_table(random, key=key, most=300, calm=random.random() < 0.5)
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
}
WEIGHTS = {"rows": 6, "keys": 4, "records": 5, "file": 2, "relation": 2, "steps": 2, "settings": 5, "crash": 1,
           "mistyped": 3, "not-unique": 2, "sameness": 3}  # fmt: skip
