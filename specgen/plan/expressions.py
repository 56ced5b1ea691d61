"""The user's names and fragments as SQL: what holds a parameter, a record's field, a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.parameters import TypedParameter, parameter_type
from specgen.plan.parts import PlannedOutput, PlannedParameter
from specgen.plan.sqltext import constant, hashed, ident, literal, one_line_strings, qualify
from specgen.spec.model import (
    BatchOperation,
    Defaulted,
    Entity,
    Expression,
    Literal,
    OperationType,
    Reference,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.spec.fragments import ParameterName, SqlFragment
    from specgen.spec.model import OutputList

INSERTING = (OperationType.INSERT, OperationType.UPSERT)
_MAKING = (*INSERTING, OperationType.CUSTOM_FUNCTION)
"""What has no rows of the target in sight, so that a record's fields keep their names."""
_VARIABLES = (
    "p_keys", "p_from", "p_upto", "p_last", "p_records",
    *(f"{name}_{place}" for name in ("p_keys", "p_from", "p_upto") for place in range(1, 33)),
)  # fmt: skip
"""The other arguments of the functions that contain the user's SQL; a key has 32 columns at most."""


class Expressions:
    """The names of one operation, or one step.

    Args:
        operation: A valid operation.
        target: The entity it works on.
        parameters: Its parameters with their types.
        step_numbers: For a step, the number of each step by its name.
        runtime: The schema of the runtime's functions.
    """

    def __init__(
        self,
        operation: BatchOperation,
        target: Entity,
        parameters: tuple[TypedParameter, ...],
        step_numbers: Mapping[str, int],
        runtime: str,
    ) -> None:
        self.operation = operation
        self.target = target
        self.runtime = runtime
        self.step_numbers = step_numbers
        self.columns = tuple(item.name for item in target.fields)
        self.clashing = frozenset(name for name in self.columns if _is_variable(name))
        self.item_alias = naming.free("item", (target.table,))
        self.parameters = (
            *(self._parameter(item) for item in parameters),
            *(self._list(item) for item in operation.lists),
        )

    def _parameter(self, item: TypedParameter) -> PlannedParameter:
        variable = naming.free(f"p_{item.name}", (*self.columns, *_VARIABLES))
        return PlannedParameter(item.name, variable, item.type, item.reason, item.default, item.description)

    def _list(self, item: OutputList) -> PlannedParameter:
        element = parameter_type(item.type)
        number = self.step_numbers[item.step]
        output = PlannedOutput(item.step, number, item.column, element)
        variable = naming.free(f"p_{item.name}", (*self.columns, *_VARIABLES))
        reason = f"the column {item.column} of what the step {item.step} yields"
        return PlannedParameter(item.name, variable, f"{element}[]", reason, None, None, output)

    def named(self, name: str) -> PlannedParameter | None:
        """Return the parameter, or the list of an earlier step, of that name."""
        return next((item for item in self.parameters if item.name == name), None)

    def sql(self, fragment: SqlFragment) -> str:
        """Return a fragment as SQL, its parameters replaced by what holds them."""
        text = one_line_strings(fragment.render(self._variable).strip())
        # What earlier steps yield may be as long as the table: it is looked up in a hash.
        text = hashed(text, {ident(item.variable) for item in self.parameters if item.output})
        return qualify(text, self.clashing, self.target.table)

    def _variable(self, name: ParameterName) -> str:
        return self.reference(name.name, name.field)

    def reference(self, name: str, field: str | None) -> str:
        """Return what holds ``:name``, or ``:name.field`` of the current record."""
        if field is not None:
            alias = field if self.operation.type in _MAKING else self.item_column(field)
            return f"{ident(self.item_alias)}.{ident(alias)}"
        parameter = self.named(name)
        return ident(parameter.variable) if parameter else "NULL"

    def value(self, value: Value, column: str) -> str:
        """Return a value for a column as SQL."""
        match value:
            case Literal(data):
                return constant(data, self.target.field(column).type)
            case Reference(name, field):
                return self.reference(name, field)
            case Defaulted(Reference(name, field)):
                return f"coalesce({self.reference(name, field)}, {self.drawn(column)})"
            case Expression(fragment):
                return self.sql(fragment)

    def origin(self, fragment: SqlFragment, key: str) -> str:
        """Return where a fragment stands, for a comment."""
        return f"{key}, {fragment.span.file}:{fragment.span.start.line}"

    def item_column(self, field: str) -> str:
        """Return the name of a record's field where the target's columns are in sight too."""
        return naming.free(f"item_{field}", self.columns)

    def drawn(self, name: str) -> str:
        """Return what a column is when nothing is given for it: its default, or the next key."""
        field = self.target.field(name)
        table = f"{ident(self.target.schema)}.{ident(self.target.table)}"
        match field.default:
            case _ if not self.target.managed:
                # What the table says counts, and only the database knows it: looked up once a statement.
                runtime = ident(self.runtime)
                said = f"{runtime}.batch_default_expression({literal(table)}, {literal(name)})"
                return f"{runtime}.batch_default((SELECT {said}))::{field.type.sql}"
            case Expression() | Literal():
                return self.value(field.default, name)
            case _ if field.type.base == "uuid":
                return "gen_random_uuid()"
            case _:
                return f"nextval(pg_get_serial_sequence({literal(table)}, {literal(name)}))"


def _is_variable(column: str) -> bool:
    """Whether a column is called as a variable of the generated functions may be, or as PL/pgSQL's own."""
    return (
        column.startswith(("v_", "p_keys_", "p_from_", "p_upto_"))
        or column == "found"
        or column in _VARIABLES
    )


def names_of(fragment: SqlFragment | None) -> frozenset[str]:
    """Return the parameters that a fragment names."""
    if fragment is None:
        return frozenset()
    return frozenset(item.name for item in fragment.parameters if item.field is None)


def value_names(value: Value) -> frozenset[str]:
    """Return the parameters that a value names."""
    match value:
        case Reference(name, None):
            return frozenset({name})
        case Expression(fragment):
            return names_of(fragment)
        case _:
            return frozenset()


def field_names(value: Value) -> frozenset[str]:
    """Return the fields of the current record that a value reads."""
    match value:
        case Reference(_, str(field)) | Defaulted(Reference(_, str(field))):
            return frozenset({field})
        case Expression(fragment):
            return frozenset(item.field for item in fragment.parameters if item.field is not None)
        case _:
            return frozenset()
