"""One step as its tests describe it, and how its records can fail: from plan and model to plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.sqltext import constant, ident
from specgen.spec.model import (
    Field,
    ForeignKey,
    ListRows,
    Literal,
    OperationType,
    QueryRows,
    Reference,
    RelationSource,
    StepRows,
    TableRows,
)
from specgen.testing.candidates import refuses_words
from specgen.testing.subject import (
    REFUSAL,
    RULE,
    Called,
    Column,
    ElementsOf,
    ItemField,
    OutputOf,
    Parameter,
    ResultOf,
    RowsOf,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Entity, Project
    from specgen.testing.parts import Part


def _invalid(part: Part) -> tuple[str, ...]:
    """The ways a record can be invalid: a rule that it breaks, a value that cannot be read."""
    if not part.planned.validates:
        return ()
    return (*(RULE + item.condition for item in part.rules), *_unreadable(part))


def _shadowed(failure: str, operation: BatchOperation, target: Entity) -> bool:
    """Whether a rule says the same as a constraint, so that no record comes as far as to break that."""
    rules = operation.validation.rules
    if failure.startswith("NOT NULL "):
        # Of what a rule compares, NULL is hardly ever true.
        return failure.removeprefix("NOT NULL ") in {item.name for rule in rules for item in rule.columns}
    said = {_plain(rule.source) for rule in rules}
    checks = {
        naming.constraint(target.table, (field.name,), "check"): field.check.source
        for field in target.fields
        if field.check
    }
    return failure in checks and _plain(checks[failure]) in said


def _plain(text: str) -> str:
    return "".join(text.lower().split())


def _unreadable(part: Part) -> list[str]:
    fields = [item.name for item in part.planned.fields if refuses_words(item.type)]
    return [f"unreadable {name}" for name in fields[:1]]


def step_of(part: Part, whole: PlannedOperation, target: Entity, failures: tuple[str, ...]) -> Step:
    """Describe a step of an operation.

    Args:
        part: What the spec says of it, and what was decided about it.
        whole: The operation that it belongs to.
        target: The entity that it works on.
        failures: The ways a record of it can fail.
    """
    operation, planned = part.operation, part.planned
    read, called = (*part.written, part.handed_in), part.call
    return Step(
        name=planned.name,
        type=str(operation.type),
        source=part.source,
        table=f"{ident(planned.table.schema)}.{ident(planned.table.name)}",
        alias=planned.table.name,
        key=target.primary_key,
        number=planned.number,
        depends_on=planned.waits_for,
        through=through_of(part),
        handed_in=_handed_in(part),
        parameters=_read(part, whole),
        lists={
            ident(item.variable): Column(
                item.output.step, item.output.column, item.output.element, keys=item == part.handed_in
            )
            for item in planned.parameters
            if item.output and item in read
        },
        item=part.item,
        fields=_fields(part),
        condition=part.condition,
        sets={item.column: item.value for item in part.assignments},
        match_on=tuple(item.column for item in part.matches),
        conflict=part.conflict_target,
        updates=part.update_columns,
        returning=() if called else part.returning,
        rules=tuple(item.condition for item in part.rules),
        rule_columns={item.condition: item.column for item in part.rules if item.column},
        skips_invalid=operation.validation.skip_invalid,
        fallback=next(iter(failures), None) if operation.validation.skip_invalid else None,
        examples={
            field.name: tuple(constant(example.value, field.type) for example in field.examples)
            for field in target.fields
            if field.examples
        },
        calls=Called(called.function, called.arguments, called.collected) if called else None,
        kept=planned.keeps,
    )


def through_of(part: Part) -> OutputOf | RowsOf | ResultOf | ElementsOf | None:
    """What a step goes through, where that is neither rows of its table nor records passed by callers."""
    match part.operation.source:
        case RelationSource(relation=StepRows(step)):
            return OutputOf(step)
        case RelationSource(relation=TableRows(schema, table, order_by)):
            return RowsOf(f"{ident(schema)}.{ident(table)}", order_by)
        case RelationSource(relation=QueryRows()):
            return ResultOf(part.query.sql if part.query else "")
        case RelationSource(relation=ListRows(parameter, records=False)):
            return ElementsOf(parameter)
        case _:
            return None


def _handed_in(part: Part) -> str | None:
    match part.operation.source:
        case RelationSource(relation=ListRows(parameter, records=True)):
            return parameter
        case _:
            return part.handed_in.name if part.handed_in else None


def _fields(part: Part) -> tuple[ItemField, ...]:
    """The fields of its records; where it writes them, or hands them to a function, by their own names."""
    named = part.operation.type in (OperationType.INSERT, OperationType.UPSERT) or part.call
    item = ident(part.item)
    return tuple(
        ItemField(field.name, field.type, f"{item}.{ident(field.name if named else field.alias)}")
        for field in part.planned.fields
    )


def _read(part: Part, whole: PlannedOperation) -> dict[str, Parameter]:
    """The parameters that a step's expressions name, and those of the preconditions."""
    taken = (part.handed_in, *part.queried)
    named = {item.name for item in (*part.written, *part.judged)}
    conditions = " ".join(item.condition for item in whole.preconditions)
    named |= {item.name for item in whole.parameters if item.variable in conditions}
    read = (item for item in part.planned.parameters if item.name in named and item.output is None)
    return {item.name: Parameter(item.type, item.variable) for item in read if item not in taken}


# How a record can fail


def ways_of(part: Part, target: Entity, project: Project) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the ways in which a record of a step can fail, and those in which it is skipped as invalid.

    Args:
        part: What the spec says of it, and what was decided about it.
        target: The entity that it works on.
        project: All entities, since a row may be referred to from any of them.
    """
    operation = part.operation
    if part.call:
        return (), ()
    invalid = _invalid(part)
    failures = _failures(part, target, project)
    if operation.validation.skip_invalid:
        failures = tuple(name for name in failures if name not in invalid)
    failures = tuple(name for name in failures if not _shadowed(name, operation, target))
    if part.rules and not operation.validation.skip_invalid:
        failures = (*failures, *(name for name in invalid if name.startswith(RULE)))
    possible = _possible(part)
    invalid = tuple(filter(possible, invalid)) if operation.validation.skip_invalid else ()
    return tuple(filter(possible, failures)), invalid


def _possible(part: Part) -> Callable[[str], bool]:
    """Whether what a step goes through can hold such a record."""
    through = through_of(part)
    if not isinstance(through, RowsOf | ElementsOf):
        return lambda _: True
    # A typed column holds nothing that cannot be read, and a key no NULL.
    keys = through.order_by if isinstance(through, RowsOf) else ()
    full = [
        f"NOT NULL {item.column}"
        for item in part.operation.data
        if isinstance(item.value, Reference) and item.value.field in keys
    ]
    return lambda name: not name.startswith("unreadable ") and name not in full


def _failures(part: Part, target: Entity, project: Project) -> tuple[str, ...]:
    operation = part.operation
    if operation.type is OperationType.SELECT:
        return ()
    if operation.type is OperationType.DELETE:
        return (*_children(target, project), REFUSAL)
    values = {item.column: item.value for item in operation.data}
    varying = {name for name, value in values.items() if not isinstance(value, Literal)}
    inserts = operation.type is not OperationType.UPDATE
    result: list[str] = []
    if target.managed:
        for field in target.fields:
            result += _of_field(field, target, operation, values.keys(), varying)
        result += _of_key(target, operation, varying)
    for name in [
        field.name for field in target.fields if not field.nullable or field.name in target.primary_key
    ]:
        value = values.get(name)
        if isinstance(value, Reference) and name not in operation.conflict_target:
            result.append(f"NOT NULL {name}")
    result += _unreadable(part)
    unique = {field.name for field in target.fields if field.unique} | set(target.primary_key)
    if not inserts or any(_from_item(values.get(name)) for name in unique):
        result.append(REFUSAL)
    return tuple(result)


def _of_field(
    field: Field, target: Entity, operation: BatchOperation, written: object, varying: set[str]
) -> list[str]:
    result = []
    if field.type.enum and field.name in varying:
        result.append(naming.constraint(target.table, (field.name,), "enum"))
    if field.check is not None:
        named = {item.name for item in field.check.columns}
        # A check over constants alone holds or does not, for every record alike.
        mixed = operation.type is OperationType.UPDATE and bool(
            named & set(_names(written)) and named - set(_names(written))
        )
        if named & varying or mixed:
            result.append(naming.constraint(target.table, (field.name,), "check"))
    if field.references and field.name in varying and isinstance(_value(operation, field.name), Reference):
        result.append(naming.constraint(target.table, (field.name,), "fkey"))
    alone = operation.conflict_target != (field.name,) and target.primary_key != (field.name,)
    if field.unique and alone and _breaks_unique(operation, field.name):
        result.append(naming.constraint(target.table, (field.name,), "key"))
    return result


def _of_key(target: Entity, operation: BatchOperation, varying: set[str]) -> list[str]:
    inserts = operation.type in (OperationType.INSERT, OperationType.UPSERT)
    if not inserts or set(operation.conflict_target) == set(target.primary_key):
        return []
    if not all(isinstance(_value(operation, name), Reference) for name in target.primary_key):
        return []
    return [naming.constraint(target.table, (), "pkey")] if set(target.primary_key) <= varying else []


def _children(target: Entity, project: Project) -> list[str]:
    """Foreign keys that forbid a row of the target to be deleted."""
    result = []
    for entity in project.entities:
        for field in entity.fields:
            match field.references:
                case ForeignKey(entity=name, on_delete=action) if name == target.name and entity.managed:
                    if action is None or action.lower().replace("_", " ") in ("restrict", "no action"):
                        result.append(
                            "referenced by " + naming.constraint(entity.table, (field.name,), "fkey")
                        )
                case _:
                    pass
    return result


def _breaks_unique(operation: BatchOperation, name: str) -> bool:
    value = _value(operation, name)
    if operation.type is OperationType.UPDATE:
        return _from_item(value)
    return isinstance(value, Reference)


def _value(operation: BatchOperation, name: str) -> object:
    return next((item.value for item in operation.data if item.column == name), None)


def _from_item(value: object) -> bool:
    return isinstance(value, Reference) and value.field is not None


def _names(written: object) -> list[str]:
    return list(written)  # type: ignore[call-overload, no-any-return]
