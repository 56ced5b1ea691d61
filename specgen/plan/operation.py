"""From one valid batch operation to its plan: what is of the whole, and its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.contract import contract_of
from specgen.plan.driving import Keys
from specgen.plan.driving import Records as HandedIn
from specgen.plan.expressions import Expressions, names_of
from specgen.plan.functions import called, inner_functions, quote_of
from specgen.plan.naming import QualifiedName
from specgen.plan.parameters import typed_parameters
from specgen.plan.parts import Body, OwnTable, PlannedPrecondition, Routine
from specgen.plan.path import fragments, search_path
from specgen.plan.planned import Check, PlannedOperation, kind_of
from specgen.plan.records import Records
from specgen.plan.settings import LOG_TABLE, METRICS_TABLE, settings_of
from specgen.plan.snapshot import texts_of
from specgen.plan.steps import arguments, plan_step
from specgen.plan.writes import kept_columns
from specgen.spec.model import ListRows, RelationSource, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.diagnostics import Findings
    from specgen.plan.naming import OperationNames
    from specgen.plan.parts import PlannedFunction, PlannedParameter
    from specgen.plan.planned import PlannedStep
    from specgen.spec.model import BatchOperation, Project


def plan_operation(operation: BatchOperation, project: Project, findings: Findings) -> PlannedOperation:
    """Decide everything about one operation.

    Args:
        operation: A valid operation.
        project: The project, for its entities and settings.
        findings: Gets parameters whose types cannot be told, and the like.
    """
    return _Planner(operation, project, findings).plan()


def steps_of(operation: BatchOperation) -> tuple[Step, ...]:
    """Return an operation's steps; one without ``steps:`` is a step by itself, named by what it does."""
    itself = Step(name=str(operation.type), span=operation.span, operation=operation, depends_on=())
    return operation.steps or (itself,)


class _Planner:
    def __init__(self, operation: BatchOperation, project: Project, findings: Findings) -> None:
        self.operation = operation
        self.settings = project.settings
        self.said = steps_of(operation)
        others = [item.operation for item in self.said if item.operation is not operation]
        parts = [(item, project.entity(item.entity)) for item in (*others, operation)]
        parameters = typed_parameters(operation, parts, findings)
        numbers = {step.name: number for number, step in enumerate(self.said, 1)}
        runtime = self.settings.runtime_schema
        of_parts = [
            Records(Expressions(part, target, parameters, numbers, runtime)) for part, target in parts
        ]
        self.records = of_parts[-1]
        self.of_steps = of_parts[: len(self.said)]

    def plan(self) -> PlannedOperation:
        """Put it together."""
        operation, target, runtime = self.operation, self.records.target, self.settings.runtime_schema
        steps = tuple(
            plan_step(step, records, self.settings)
            for step, records in zip(self.said, self.of_steps, strict=True)
        )
        parameters = self.records.names.parameters
        names = naming.operation_names(target.schema, operation.name, runtime)
        handed_in = _input(steps) if self._is_one else None
        kept = kept_columns(steps[0].write) if self._is_one else None
        check = self._check(names)
        texts = texts_of((names, target.table, parameters, check))
        return PlannedOperation(
            name=operation.name,
            entity=target.name,
            origin=f"{operation.span.file}:{operation.span.start.line}",
            description=operation.description,
            runtime=runtime,
            table=QualifiedName(target.schema, target.table),
            call=names.call,
            submit=None if operation.limits.atomic else names.submit,
            parameters=parameters,
            input=handed_in,
            handed_in_records=self._handed_in_records(steps),
            check=check,
            requires_confirmation=operation.limits.requires_confirmation,
            atomic=operation.limits.atomic,
            reject_file=operation.validation.reject_file,
            settings=settings_of(operation, runtime, kept),
            own_tables=self._own_tables(),
            grants=operation.grants,
            contract=self._contract(handed_in),
            body=Body(
                search_path(self.records, self.settings),
                quote_of(texts),
                bool(self.records.names.clashing),
            ),
            sources=tuple(item.source for item in fragments(self.records)),
            functions=(*self._called(names, steps), *inner_functions(check, steps)),
            steps=steps,
        )

    @property
    def _is_one(self) -> bool:
        """Whether the spec names no steps, so that what it says of the operation is said of its step."""
        return self.said[0].operation is self.operation

    def _called(self, names: OperationNames, steps: tuple[PlannedStep, ...]) -> Iterator[PlannedFunction]:
        operation, parameters = self.operation, self.records.names.parameters
        what = operation.description or f"{kind_of(steps)} of {self.records.target.name}"
        more = (*(("boolean",) if operation.limits.requires_confirmation else ()), "jsonb")
        runtime = self.settings.runtime_schema
        yield called(names.call, parameters, more=("boolean", *more), comment=what, runtime=runtime)
        if not operation.limits.atomic:
            submitted = f"{what}; submitted, for batch_work()"
            yield called(names.submit, parameters, more=more, comment=submitted, runtime=runtime)

    def _contract(self, handed_in: PlannedParameter | None) -> str:
        parts = [("", self.records)]
        if not self._is_one:
            parts += [(step.name, item) for step, item in zip(self.said, self.of_steps, strict=True)]
        return contract_of((item for item in self.records.names.parameters if item != handed_in), parts)

    def _check(self, names: OperationNames) -> Check | None:
        operation, expressions = self.operation, self.records.names
        if not operation.preconditions:
            return None
        read = frozenset(name for item in operation.preconditions for name in names_of(item.fragment))
        preconditions = tuple(
            PlannedPrecondition(
                condition=expressions.sql(item.fragment),
                aggregate=item.aggregate,
                message=f"{operation.name}: precondition not met: {item.fragment.source.strip()}",
                origin=f"{item.fragment.span.file}:{item.fragment.span.start.line}",
            )
            for item in operation.preconditions
        )
        return Check(Routine(names.check, arguments(expressions.parameters, read), "void"), preconditions)

    def _own_tables(self) -> tuple[OwnTable, ...]:
        reporting, runtime = self.operation.reporting, self.settings.runtime_schema
        chosen = (
            (reporting.log_table, LOG_TABLE),
            (reporting.metrics_table, METRICS_TABLE),
        )
        return tuple(
            OwnTable(QualifiedName(runtime, name), QualifiedName(runtime, standard))
            for name, standard in chosen
            if name not in (None, standard)
        )

    def _handed_in_records(
        self, steps: tuple[PlannedStep, ...]
    ) -> tuple[tuple[PlannedParameter, tuple[str, ...]], ...]:
        """Return what steps read of records handed in; nothing of those that one of them takes whole."""
        fields: dict[str, set[str]] = {}
        whole: set[str] = set()
        for step, planned in zip(self.said, steps, strict=True):
            match step.operation.source:
                case RelationSource(relation=ListRows(parameter, records=True)):
                    names = {field.name for field in planned.fields}
                    fields.setdefault(parameter, set()).update(names)
                    if not names:
                        whole.add(parameter)
                case _:
                    pass
        return tuple(
            (parameter, tuple(sorted(fields[parameter.name])))
            for parameter in self.records.names.parameters
            if parameter.name in fields and parameter.name not in whole
        )


def _input(steps: tuple[PlannedStep, ...]) -> PlannedParameter | None:
    """Return the parameter whose keys or records are handed in beside those that are kept."""
    match steps[0].driving:
        case Keys(parameter=parameter) | HandedIn(parameter=parameter):
            return parameter
        case _:
            return None
