"""What a batch is a list of: keys of rows, or records, and what tells one from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.driving import RecordShape
from specgen.plan.expressions import INSERTING, Expressions, field_names, value_names
from specgen.plan.parameters import parameter_type
from specgen.plan.parts import KeyColumn, Match, PlannedAssignment, PlannedItemField
from specgen.plan.sqltext import ident
from specgen.spec.model import (
    ListRows,
    OperationType,
    RecordSource,
    Reference,
    RelationSource,
    Value,
)

if TYPE_CHECKING:
    from specgen.plan.parts import PlannedParameter


class Records:
    """The keys or records of one operation, or one step."""

    def __init__(self, names: Expressions) -> None:
        self.names = names
        self.operation = names.operation
        self.target = names.target
        fields = self.fields()
        taken = (*names.columns, *(item.name for item in fields), *(item.alias for item in fields))
        self.number_alias = naming.free("item_number", taken)

    def key_columns(self) -> tuple[KeyColumn, ...]:
        """Return the columns of the key that is walked by."""
        names = self.target.primary_key
        return tuple(self._key(name, "" if len(names) == 1 else f"_{n}") for n, name in enumerate(names, 1))

    def _key(self, name: str, suffix: str) -> KeyColumn:
        return KeyColumn(
            column=name,
            column_qualified=f"{ident(self.target.table)}.{ident(name)}",
            type=parameter_type(self.target.field(name).type),
            alias=naming.free(f"batch_key{suffix}", self.names.columns),
            array=f"p_keys{suffix}",
            from_=f"p_from{suffix}",
            upto=f"p_upto{suffix}",
        )

    def fields(self) -> tuple[PlannedItemField, ...]:
        """Return the fields of the records."""
        match self.operation.source:
            case RelationSource(relation=ListRows(parameter, records=False)):
                named = self.names.named(parameter)
                element = named.type.removesuffix("[]") if named else "text"
                return (PlannedItemField("value", element, self.names.item_column("value")),)
            case (
                RecordSource(fields=fields, match_on=match_on)
                | RelationSource(fields=fields, match_on=match_on)
            ):
                # What finds a row is not cut to fit, or it would find another one.
                return tuple(
                    PlannedItemField(
                        item.name,
                        parameter_type(item.type) if item.name in match_on else item.type.sql,
                        self.names.item_column(item.name),
                    )
                    for item in fields
                )
            case _:
                return ()

    def shape(self) -> RecordShape:
        """Return how the records of a batch are read."""
        fields = self.fields()
        # What a relation's rows have as NULL has become a null of JSON on the way.
        handed_in = isinstance(self.operation.source, RecordSource)
        return RecordShape(
            alias=self.names.item_alias,
            number_alias=self.number_alias,
            fields=fields,
            key_fields=self.key_fields(),
            json_fields=tuple(item.name for item in fields if handed_in and item.type in ("json", "jsonb")),
            matches=self.matches(),
            meets_many=self.meets_many(),
        )

    def key_fields(self) -> tuple[str, ...]:
        """Return the fields that tell a record."""
        match self.operation.source:
            case (
                RecordSource(fields=fields, match_on=match_on)
                | RelationSource(fields=fields, match_on=match_on)
            ):
                read = {item.name for item in fields}
                wanted = match_on or self.operation.conflict_target or self.target.primary_key
                return tuple(name for name in wanted if name in read)
            case _:
                return ()

    def matches(self) -> tuple[Match, ...]:
        """Return the columns by which a record finds its row."""
        match self.operation.source:
            case RecordSource(match_on=match_on) | RelationSource(match_on=match_on):
                return tuple(
                    Match(
                        name,
                        f"{ident(self.target.table)}.{ident(name)}",
                        f"{ident(self.names.item_alias)}.{ident(self.names.item_column(name))}",
                    )
                    for name in match_on
                )
            case _:
                return ()

    def meets_many(self) -> bool:
        """Say whether nothing in the spec promises that a record meets one row at most."""
        target = self.target
        match self.operation.source:
            case RecordSource(match_on=columns) | RelationSource(match_on=columns) if columns:
                unique = [target.primary_key, *((item.name,) for item in target.fields if item.unique)]
                unique += [item.columns for item in target.indexes if item.unique and item.where is None]
                return not any(names and set(names) <= set(columns) for names in unique)
            case _:
                return False

    def identity_columns(self) -> tuple[str, ...]:
        """Return the columns that must not repeat among the records; none for an insert."""
        match self.operation.source:
            case RecordSource(match_on=match_on) | RelationSource(match_on=match_on):
                return match_on or self.operation.conflict_target
            case _:
                return ()

    def _identity_values(self) -> tuple[Value, ...]:
        if self.operation.type is not OperationType.UPSERT:
            return ()
        return tuple(item.value for item in self.operation.data if item.column in self.identity_columns())

    def identity_fields(self) -> tuple[PlannedItemField, ...]:
        """Return the fields that tell whether a record comes again."""
        names = set(self.identity_columns()) if self.operation.type is not OperationType.UPSERT else set()
        names |= {name for value in self._identity_values() for name in field_names(value)}
        return tuple(item for item in self.fields() if item.name in names)

    def identity_parameters(self) -> tuple[PlannedParameter, ...]:
        """Return the parameters that tell whether a record comes again."""
        names = {name for value in self._identity_values() for name in value_names(value)}
        return tuple(item for item in self.names.parameters if item.name in names)

    def identity(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[str, ...]:
        """Return the values that must not repeat."""
        columns = self.identity_columns()
        if self.operation.type is OperationType.UPSERT:
            values = {item.column: item.value for item in assignments}
            plain = {item.column for item in self.operation.data if isinstance(item.value, Reference)}
            # As its column will hold it: equal is what is equal there.
            return tuple(
                values[name] if name in plain else f"({values[name]})::{self.target.field(name).type.sql}"
                for name in columns
                if name in values
            )
        return tuple(f"{ident(self.names.item_alias)}.{ident(name)}" for name in columns)

    def kept(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[PlannedAssignment, ...]:
        """Return the assignments of an insert that keeps its rows, with keys drawn beforehand."""
        operation, target = self.operation, self.target
        if not operation.returning or operation.type not in INSERTING or operation.conflict_target:
            return assignments
        given = {item.column for item in assignments}
        drawn = tuple(
            PlannedAssignment(name, self.names.drawn(name))
            for name in target.primary_key
            if name not in given
        )
        return drawn + assignments

    def place(self) -> str:
        """Return a record's place in the batch, counted from 1."""
        keys = self.key_columns()
        match self.operation.source:
            case RecordSource() | RelationSource():
                return f"{ident(self.names.item_alias)}.{ident(self.number_alias)}::integer"
            case _ if len(keys) == 1:
                return f"array_position({keys[0].array}, {keys[0].column_qualified}{keys[0].to_held})"
            case _:
                return "batch_key.n::integer"
