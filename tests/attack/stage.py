"""The stage of a round: its databases, how specgen gets into them, and how a scene is played and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner

from specgen.cli.main import main
from specgen.database import databases
from tests.attack import ways
from tests.attack.disturb import Disturber
from tests.attack.oracle import Outcome, compare, contents, expect, observe, observer
from tests.attack.settings import SHARED, statements

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path
    from random import Random

    from specgen.database.embedded import EmbeddedProvider
    from specgen.database.server import Server
    from tests.attack.operations import Operation
    from tests.attack.tables import Ground, Table

RIGHT, REFUSED, FINDING = "right", "refused", "finding"


@dataclass(frozen=True, slots=True)
class Arena:
    """Where rounds take place.

    Attributes:
        provider: The handle to hurt the server.
        ground: What the server has, and how hard the attack is.
    """

    server: Server
    provider: EmbeddedProvider
    ground: Ground


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
    """What a kind of round has decided, before it is run.

    Attributes:
        after: SQL that changes the database once specgen is deployed.
    """

    table: Table
    operation: Operation
    settings: dict[str, str]
    way: str
    workers: int
    disturbances: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


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
        if "internal error" in result.output:
            raise ways.StuckError(result.output)
        return result.output

    def clone(self) -> str:
        """A copy of the database as it is, for the round."""
        name = databases.name_of(self.base)
        return self.stack.enter_context(databases.clone(self.arena.server, name))


def build(stage: Stage, table: Table, report: Report) -> None:
    report.facts["DDL"] = ";\n".join(table.ddl[1:])
    with observer(stage.base) as connection:
        for statement in table.ddl:
            connection.execute(statement.encode())


def prepare(stage: Stage, scene: Scene, entity: dict[str, Any]) -> tuple[str, Outcome]:
    """Deploy; the database to attack, and what the oracle expects.

    Raises:
        RefusedError: It is not deployed.
    """
    refusal = stage.deploy(entity, stage.base)
    if refusal is not None:
        raise ways.RefusedError(refusal)
    if scene.after:
        with observer(stage.base) as connection:
            for statement in scene.after:
                connection.execute(statement.encode())
    twin, dsn = stage.clone(), stage.clone()
    give_settings(stage, dsn, scene.settings)
    shared = {name: value for name, value in scene.settings.items() if name in SHARED}
    return dsn, expect(twin, scene.operation, scene.table, shared)


def run_scene(random: Random, stage: Stage, report: Report, scene: Scene) -> None:
    """Deploy, let the oracle do it on a copy, run and disturb it, and compare."""
    entity = scene.table.entity([scene.operation.pattern])
    describe(report, scene, entity)
    dsn, expected = prepare(stage, scene, entity)
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
    judge(report, compare(expected, found, scene.operation), job)


def judge(report: Report, problems: list[str], job: ways.Job) -> None:
    """Make the differences the round's finding."""
    if problems:
        said = [f"said: {text}" for text in dict.fromkeys(job.said[-3:])]
        report.verdict, report.text = FINDING, "\n".join(problems + said)


def give_settings(stage: Stage, dsn: str, settings: dict[str, str]) -> None:
    with observer(stage.arena.server.dsn) as connection:
        for statement in statements(databases.name_of(dsn), settings):
            connection.execute(statement)


def describe(report: Report, scene: Scene, entity: dict[str, Any]) -> None:
    report.facts |= {
        "YAML": yaml.safe_dump(entity, sort_keys=False, allow_unicode=True, width=110),
        "settings": str(scene.settings),
        "options": str(scene.operation.options),
        "way": f"{scene.way}, {scene.workers} workers, disturbed by {', '.join(scene.disturbances) or 'nobody'}",
        "rows": f"{scene.table.rows}, key {[c.type.real for c in scene.table.key]}, {', '.join(scene.table.traits)}",
        "after": "; ".join(scene.after) or "nothing",
    }
