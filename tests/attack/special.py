"""Rounds with a course of their own: deployed anew, cut off, timed out, refused rights, frozen sessions."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from tests.attack import ways
from tests.attack.operations import OPERATION, make_operation
from tests.attack.oracle import Outcome, compare, contents, observe, observer
from tests.attack.proxy import Proxy
from tests.attack.stage import FINDING, REFUSED, Report, Scene, Stage, build, describe, judge, prepare
from tests.attack.tables import Table, make_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PLAIN = {"parallel": True, "max_workers": 4, "retry": {"max_attempts": 9, "backoff": "10ms"}}


def _scene(
    random: Random,
    stage: Stage,
    report: Report,
    table: Table,
    drive: str,
    kind: str | None,
    way: str,
    **keys: Any,
) -> tuple[Scene, str, Outcome, ways.Job]:
    """A scene whose operation has these keys, deployed; where, and what is expected."""
    build(stage, table, report)
    with observer(stage.base) as connection:
        operation = make_operation(random, connection, table, drive, kind)
    for name in ("error_handling", "error_isolation", "max_errors", "max_records", "max_errors_per_worker"):
        if name in operation.pattern and name not in keys:
            del operation.pattern[name]
    operation.pattern.update(PLAIN | keys)
    operation = replace(operation, units=re.sub(r" LIMIT \d+$", "", operation.units))
    scene = Scene(table, operation, {}, way, random.randint(1, 3))
    entity = table.entity([operation.pattern])
    describe(report, scene, entity)
    dsn, expected = prepare(stage, scene, entity)
    return scene, dsn, expected, ways.Job(dsn, stage.folder, operation, way, scene.workers)


def _conclude(
    report: Report, scene: Scene, dsn: str, expected: Outcome, job: ways.Job, operation_id: Any
) -> None:
    found = observe(dsn, operation_id, scene.operation, scene.table)
    judge(report, compare(expected, found, scene.operation), job)


def redeployed(random: Random, stage: Stage, report: Report) -> None:
    """Submitted, deployed anew with other names, and gone on with: refused, or right; never NULL."""
    table = make_table(random, ground=stage.arena.ground, most=400, calm=True)
    drive, kind = random.choice(
        (("records", "insert"), ("records", "update"), ("rows", "update"), ("keys", "update"))
    )
    if drive == "keys":
        table = make_table(random, ground=stage.arena.ground, key="bigint", most=400, calm=True)
    scene, dsn, expected, job = _scene(random, stage, report, table, drive, kind, ways.SQL, batch_size=7)
    operation_id = job.submit()
    with observer(dsn) as connection:
        for _ in range(random.choice((0, 1, 3))):
            connection.execute("SELECT batch_step(%s)", (operation_id,))
    renamed = _renamed(scene.operation.pattern)
    entity = table.entity([renamed])
    report.facts["YAML deployed anew"] = str(renamed)
    refusal = stage.deploy(entity, dsn)
    if refusal is not None:
        raise ways.RefusedError(refusal)
    try:
        job.work(operation_id)
    except ways.StuckError as stuck:
        report.verdict, report.text = REFUSED, re.sub(r"^.*?records done: ", "", str(stuck))
        found = contents(dsn)[1]
        if found - expected.writes:
            report.verdict, report.text = FINDING, f"wrong rows, then {stuck}"
        return
    _conclude(report, scene, dsn, expected, job, operation_id)


def _renamed(value: Any) -> Any:
    """A pattern in which parameters and fields have other names."""
    match value:
        case dict():
            return {key: _renamed(item) for key, item in value.items()}
        case list():
            return [_renamed(item) for item in value]
        case str():
            return re.sub(
                r"(:(?:item\.)?)(amount|label|at|flag|step|most|rest|moment|codes|ids)\b", r"\1new_\2", value
            )
        case _:
            return value


def late(random: Random, stage: Stage, report: Report) -> None:
    """The deadline falls into the batch in which a record fails."""
    table = make_table(random, ground=stage.arena.ground, most=60, calm=True, traits=())
    marks = random.sample(range(60), random.choice((5, 20, 40)))
    rows = ", ".join(f"({mark}, '23514', {0.12 if mark == marks[0] else 0})" for mark in marks)
    table = replace(table, ddl=(*table.ddl[:-1], f"INSERT INTO attack.refusals VALUES {rows}", table.ddl[-1]))
    keys = random.choice(({"error_handling": "stop_on_error"}, {"max_errors": 0}, {"max_errors": 2}, {}))
    way = random.choice((ways.SQL, ways.RUNNER))
    scene, dsn, expected, job = _scene(
        random, stage, report, table, random.choice(("rows", "records")), "update", way,
        batch_size=random.choice((3, 20, 200)), timeout="100ms", **keys,
    )  # fmt: skip
    _conclude(report, scene, dsn, expected, job, job.run())


def cut(random: Random, stage: Stage, report: Report) -> None:
    """The connection is lost between a request and its answer; then whatever the command says is done."""
    table = make_table(random, ground=stage.arena.ground, most=300, calm=True, traits=())
    drive, kind = random.choice((("records", "insert"), ("rows", "update"), ("records", "upsert")))
    scene, dsn, expected, job = _scene(random, stage, report, table, drive, kind, ways.CLI, batch_size=50)
    once = random.random() < 0.5
    arguments = job.first_arguments() + (["--once"] if once else ["--workers", "2"])
    answered = random.random() < 0.75
    function = (
        OPERATION
        if once
        else random.choice((f"{OPERATION}_submit", f"{OPERATION}_submit", "batch_step", "batch_status"))
    )
    report.facts["cut"] = f"{'after' if answered else 'before'} the server answered {function}"
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    with Proxy(int(info["port"]), rf'{function}"?\(|UPDATE.*{function}'.encode(), answered=answered) as proxy:
        through = make_conninfo(
            dsn, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable"
        )
        process = ways.specgen(through, stage.folder, "run", *arguments)
        said = " ".join(process.communicate(timeout=60))
        report.facts["what the command said"] = said
        for _ in range(4):
            if process.returncode in (0, 1):
                break
            known = re.search(r"--resume\W+([0-9a-f-]{36})", said) or re.search(
                r"([0-9a-f]{8}-[0-9a-f-]{27})", said
            )
            again = ["--resume", known[1]] if known else arguments
            process = ways.specgen(dsn, stage.folder, "run", *again)
            said = " ".join(process.communicate(timeout=60))
            if known and "there is no operation" in said:
                said = ""
            report.facts["and then"] = f"{' '.join(again[:2])}: {said}"
    _conclude(report, scene, dsn, expected, job, (job.latest() or (None,))[0])


def exclusive(random: Random, stage: Stage, report: Report) -> None:
    """Submitted twice: a second run is refused, a repeated one is the first."""
    table = make_table(random, ground=stage.arena.ground, most=200, calm=True, traits=())
    key = random.choice((None, "", "", "May"))
    options = {} if key is None else {"idempotency_key": key}
    scene, dsn, expected, job = _scene(
        random, stage, report, table, "rows", "update", ways.SQL, parallel_runs="exclusive"
    )
    scene.operation.options.update(options)
    report.facts["options"] = str(options)
    first = job.submit()
    try:
        second = _submit_again(job)
    except ways.RefusedError:
        second = None
    if second is not None and (second != first or key is None):
        report.verdict, report.text = FINDING, f"two runs at once: {first} and {second}"
        return
    job.work(first)
    _conclude(report, scene, dsn, expected, job, first)


def _submit_again(job: ways.Job) -> Any:
    with psycopg.connect(job.dsn, autocommit=True) as connection:
        query, values = job.statement(f"{OPERATION}_submit")
        try:
            row = connection.execute(f"SELECT {query}".encode(), values or None).fetchone()
        except psycopg.Error as error:
            job.take_for(error)
            raise
    assert row is not None
    return row[0]


def rights(random: Random, stage: Stage, report: Report) -> None:
    """A right is missing: that is nobody's record. Once it is there, the operation goes on."""
    table = make_table(random, ground=stage.arena.ground, most=200, calm=True, traits=("ledger",))
    missing = random.choice(("thing", "attack.ledger"))
    drive = random.choice(("rows", "records"))
    scene, dsn, expected, job = _scene(
        random, stage, report, table, drive, "update", ways.RUNNER, batch_size=20
    )
    with observer(dsn) as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE attack_user LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
            "GRANT USAGE ON SCHEMA attack TO attack_user;"
            "GRANT ALL ON ALL TABLES IN SCHEMA attack, public TO attack_user;"
            f"REVOKE INSERT, UPDATE, DELETE ON {missing} FROM attack_user"
        )
    report.facts["missing right"] = missing
    job.dsn = make_conninfo(dsn, options="-c role=attack_user")
    operation_id = job.submit()
    try:
        job.work(operation_id)
    except ways.StuckError:
        with observer(dsn) as connection:
            connection.execute(f"GRANT ALL ON {missing} TO attack_user")
        job.work(operation_id)
    _conclude(report, scene, dsn, expected, job, operation_id)


def frozen(random: Random, stage: Stage, report: Report) -> None:
    """A session keeps the last open range and says nothing more; the others must not wait for ever."""
    table = make_table(random, ground=stage.arena.ground, most=200, calm=True, traits=())
    scene, dsn, expected, job = _scene(
        random, stage, report, table, "rows", "update", random.choice((ways.SQL, ways.RUNNER)), batch_size=1000,
        timeout="400ms",
    )  # fmt: skip
    operation_id = job.submit()
    with psycopg.connect(dsn) as holder:
        # Who begins an operation and then says nothing holds its row, which nobody can end; so that is committed.
        holder.execute("SELECT public.batch_step(%s)", (operation_id,))
        holder.commit()
        step = "SELECT s.batch_number FROM public.batch_step(%s) AS s"
        held = holder.execute(step, (operation_id,)).fetchone() != (None,)
        if not held:
            holder.rollback()  # nothing matches, so it would hold the operation's end
        thread = threading.Thread(target=job.attempt, args=(operation_id,), daemon=True)
        thread.start()
        thread.join(15)
        waited = thread.is_alive()
        holder.rollback()
        thread.join(60)
    if waited:
        report.verdict, report.text = (
            FINDING,
            "the others wait beyond the timeout for a session that is frozen",
        )
        return
    job.work(operation_id)
    _conclude(report, scene, dsn, expected, job, operation_id)


KINDS: dict[str, Callable[[Random, Stage, Report], None]] = {
    "redeployed": redeployed,
    "late": late,
    "cut": cut,
    "exclusive": exclusive,
    "rights": rights,
    "frozen": frozen,
}
WEIGHTS = {"redeployed": 2, "late": 2, "cut": 2, "exclusive": 1, "rights": 1, "frozen": 1}
