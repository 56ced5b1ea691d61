"""``specgen explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.completing import complete_operation
from specgen.cli.options import json_option, project_option
from specgen.cli.printing import print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from specgen.plan.explain import Explanation


@click.command(
    cls=Command,
    examples=(
        "specgen explain bulk_update_user_status",
        "specgen explain deactivate_inactive_users --json",
    ),
)
@click.argument("operation", shell_complete=complete_operation)
@project_option
@json_option
def explain(*, operation: str, project: Path, as_json: bool) -> None:
    """Tell everything about OPERATION: parameters and why, what it walks through, the SQL that writes.

    No database is needed; which strategy a run took, and why, stands in its row.
    """
    from specgen.cli.pipeline import operation_or_exit, shadow_folder
    from specgen.plan.explain import explain as explained
    from specgen.render.engine import render_statements

    planned = operation_or_exit(operation, project=project)[1]
    explanation = explained(planned)
    shadow = shadow_folder(project)
    of_steps = {step.name: render_statements(step, shadow=shadow) for step in planned.steps}
    statements = {
        f"{name}, {form}" if explanation.has_steps else form: statement
        for name, found in of_steps.items()
        for form, statement in found.items()
    }
    if as_json:
        from dataclasses import asdict

        print_json(asdict(explanation) | {"statements": statements})
    else:
        say("\n".join(_text(explanation, statements)))


def _text(about: Explanation, statements: dict[str, str]) -> Iterator[str]:
    yield f"{about.operation}: {about.type} of {about.entity} ({about.table}), from {about.origin}"
    if about.description:
        yield about.description.strip()
    yield from _section("Signature", [about.signature, f"RETURNS {about.returns}"])
    yield from _section(
        "Parameters",
        _columns(
            (item.name, item.type, "; ".join(filter(None, (item.reason, item.description))))
            for item in about.parameters
        ),
    )
    yield from _section("Works through", [about.source])
    yield from _section("Steps", _steps(about) if about.has_steps else ())
    if about.condition:
        yield from _section("Condition", about.condition.splitlines())
    yield from _section("Batches", about.strategies)
    yield from _section("Preconditions", about.preconditions)
    yield from _section("Settings", _columns((name, str(value)) for name, value in about.settings.items()))
    yield from _section("Functions", [f"{item.signature}\n    {item.purpose}" for item in about.functions])
    for form, statement in statements.items():
        name = "Statement" if len(statements) == 1 else f"Statement, batches of {form}"
        yield from _section(name, statement.splitlines())


def _steps(about: Explanation) -> Iterator[str]:
    """Draw the steps in their order: an arrow from what each waits for, and below it what it reads."""
    for number, step in enumerate(about.steps, 1):
        if step.waits_for:
            yield f"  ↓ after {', '.join(step.waits_for)}"
        yield f"{number} {step.name}: {step.calls or f'{step.type} {step.table}'}"
        yield f"    goes through  {step.source}"
        if step.condition:
            yield f"    where         {' '.join(step.condition.split())}"
        names = [f":{item.name}" for item in step.bindings]
        width = max(map(len, names), default=0)
        for name, item in zip(names, step.bindings, strict=True):
            yield f"    reads         {name.ljust(width)}  {item.type}, of {item.step}: {item.reason}"
        own = [item for item in step.settings.items() if item not in about.settings.items()]
        if own:
            yield f"    with          {', '.join(f'{name} {value}' for name, value in own)}"
        if step.kept:
            yield "    keeps         its rows, for the steps that read them and batch_step_output()"


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield f"\n{name}"
        yield from (f"  {line}".replace("\n", "\n  ").rstrip() for line in lines)


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
