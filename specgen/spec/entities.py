"""Entities: fields, keys, indexes and references.

Entities are read in two rounds. The first reads what each says about itself; the second resolves what
they say about one another, so that files may stand in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from specgen.spec.documents import EntityDocument, Node
from specgen.spec.fragments import Scope, SqlFragment, parse_fragment
from specgen.spec.keytypes import check_keys
from specgen.spec.model import Field, FieldType, ForeignKey, Index, Settings
from specgen.spec.names import check_name, warn_of_dot
from specgen.spec.suggest import did_you_mean
from specgen.spec.types import TypeProblem, parse_type, referenced_entity
from specgen.spec.values import read_literal, read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specgen.diagnostics import Findings, Span


@dataclass(slots=True)
class Draft:
    """An entity whose own words are read, and whose references may still be open.

    Attributes:
        types: The columns' types; a reference's is filled in by the second round.
        pending: Columns whose type is that of another entity's key.
    """

    node: Node
    name: str
    schema: str
    table: str
    managed: bool
    types: dict[str, FieldType] = field(default_factory=dict)
    pending: dict[str, Node] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    indexes: tuple[Index, ...] = ()

    @property
    def document(self) -> EntityDocument:
        """The YAML document it stands in."""
        return self.node.document

    @property
    def bases(self) -> dict[str, str]:
        """The columns and the base of each one's type, as fragments want them."""
        return {name: kind.base if not kind.array else kind.sql for name, kind in self.types.items()}

    @property
    def qualifiers(self) -> tuple[str, ...]:
        """Names that stand for the table before a dot."""
        return (self.name,) if self.name == self.table else (self.name, self.table)

    def scope(
        self, what: str, *, condition: bool = True, aggregates: bool = False, parameters: bool = True
    ) -> Scope:
        """Return a scope in which the entity's columns can be named."""
        return Scope(
            self.bases,
            self.qualifiers,
            condition=condition,
            aggregates=aggregates,
            parameters=parameters,
            # What cannot have parameters is part of the table, and cannot look at others.
            subqueries=parameters,
            what=what,
            enums={name: item.enum for name, item in self.types.items() if item.enum and not item.array},
        )


Catalog = dict[str, Draft]


def draft_entity(document: EntityDocument, settings: Settings, findings: Findings) -> Draft:
    """Read what an entity says about itself."""
    node = Node.root(document)
    name_node = node["name"]
    check_name(name_node.value, name_node.span, "entity name", findings)
    draft = Draft(
        node=node,
        name=name_node.value,
        schema=_text(node, "schema", settings.schema, findings),
        table=_text(node, "table", name_node.value, findings),
        managed=bool(node.value.get("managed", True)),
    )
    if node.get("schema") is None:
        warn_of_dot(draft.table, draft.schema, (node.get("table") or name_node).span, findings)
    for name, field_node in node["fields"].items():
        check_name(name, field_node.key_span, "field name", findings)
        _draft_type(draft, name, field_node, findings)
    draft.primary_key = _primary_key(draft, findings)
    return draft


def _text(node: Node, key: str, default: str, findings: Findings) -> str:
    found = node.get(key)
    if found is None:
        return default
    check_name(found.value, found.span, key, findings)
    return str(found.value)


def _draft_type(draft: Draft, name: str, node: Node, findings: Findings) -> None:
    type_node = node["type"] if isinstance(node.value, dict) else node
    if referenced_entity(type_node.value) is not None:
        draft.pending[name] = type_node
        draft.types[name] = _UNRESOLVED
        return
    parsed = parse_type(type_node.value)
    if isinstance(parsed, TypeProblem):
        findings.error(parsed.code, type_node.span, parsed.message, parsed.help)
        draft.types[name] = _UNRESOLVED
        return
    allowed = node.get("enum") if isinstance(node.value, dict) else None
    if allowed is not None:
        values = tuple(item.value if isinstance(item.value, str) else item.raw for item in allowed.each())
        for item in allowed.each():
            read_literal(item, parsed, findings)
        parsed = replace(parsed, enum=values)
    draft.types[name] = parsed


# Stands in for a type that was reported already, so that nothing more is said about it.
_UNRESOLVED = FieldType("text", "?")


def _primary_key(draft: Draft, findings: Findings) -> tuple[str, ...]:
    node = draft.node.get("primary_key")
    if node is None:
        if "id" in draft.types:
            return ("id",)
        patterns = draft.node.get("patterns")
        if patterns is not None and patterns.value:
            findings.error(
                "no-primary-key",
                draft.node["name"].span,
                f'entity "{draft.name}" has operations, but no key to go through its rows by',
                "add a field named id, or say which columns are the key: primary_key: [order_id, line]",
            )
        return ()
    return read_columns(node, draft, findings)


def read_columns(node: Node, draft: Draft, findings: Findings) -> tuple[str, ...]:
    """Return the columns that a name or a list names; unknown ones are reported."""
    columns: list[str] = []
    for item in node.each():
        if item.value in draft.types:
            columns.append(item.value)
        else:
            unknown_column(item.value, item.span, draft, findings)
    return tuple(columns)


def unknown_column(name: str, span: Span, draft: Draft, findings: Findings) -> None:
    """Report a column that an entity lacks."""
    column, sign, value = (part.strip() for part in name.partition("="))
    said = f"write {column}: {value}" if sign and column in draft.types else None
    help = said or did_you_mean(name, draft.types) or f"its columns: {', '.join(draft.types)}"
    findings.error("unknown-column", span, f'"{draft.name}" has no column "{name}"', help)


def resolve_entity(
    draft: Draft, catalog: Mapping[str, Draft], broken: frozenset[str], findings: Findings
) -> None:
    """Read the fields of an entity, now that all entities are known."""
    resolver = _Resolver(draft, catalog, broken, findings)
    for name, node in draft.pending.items():
        draft.types[name] = resolver.key_type(node)
    draft.fields = tuple(resolver.field(name, node) for name, node in draft.node["fields"].items())
    check_keys(draft, findings)
    indexes = draft.node.get("indexes")
    draft.indexes = tuple(resolver.index(node) for node in indexes.each()) if indexes else ()


class _Resolver:
    def __init__(
        self, draft: Draft, catalog: Mapping[str, Draft], broken: frozenset[str], findings: Findings
    ) -> None:
        self.draft = draft
        self.catalog = catalog
        self.broken = broken
        self.findings = findings

    def key_type(self, node: Node, seen: frozenset[tuple[str, str]] = frozenset()) -> FieldType:
        """Return the type of ``ref(entity)``: that of the entity's key, through any chain of references."""
        target = self._entity(str(referenced_entity(node.value)), node)
        if target is None:
            return _UNRESOLVED
        column = self._key_column(target, node)
        if column is None or (target.name, column) in seen:
            return _UNRESOLVED
        if column in target.pending:
            return self.key_type(target.pending[column], seen | {(target.name, column)})
        return replace(target.types[column], array=False)

    def _entity(self, name: str, node: Node) -> Draft | None:
        if name in self.catalog:
            return self.catalog[name]
        if name not in self.broken:
            near = did_you_mean(name, self.catalog) or f"known entities: {', '.join(self.catalog)}"
            self.findings.error("unknown-entity", node.span, f'there is no entity "{name}"', near)
        return None

    def _key_column(self, target: Draft, node: Node) -> str | None:
        if len(target.primary_key) == 1:
            return target.primary_key[0]
        if target.primary_key or target.node.get("primary_key") is None:
            words = "a key of several columns" if target.primary_key else "no key"
            self.findings.error(
                "bad-reference",
                node.span,
                f'"{target.name}" has {words}, so one column cannot point to it',
                f"name a column: references: {target.name}.column",
            )
        return None

    def field(self, name: str, node: Node) -> Field:
        """Read one field."""
        kind = self.draft.types[name]
        if not isinstance(node.value, dict):
            return Field(
                name,
                kind,
                node.key_span,
                nullable=name not in self.draft.primary_key,
                references=self._implied(name),
            )
        self._check_mix(name, node)
        examples = node.get("examples")
        literals = [read_literal(item, kind, self.findings) for item in examples.each()] if examples else []
        default = node.get("default")
        return Field(
            name=name,
            type=kind,
            span=node.key_span,
            nullable=bool(node.value.get("nullable", name not in self.draft.primary_key)),
            default=read_value(default, kind, _DEFAULT_SCOPE, self.findings) if default else None,
            unique=bool(node.value.get("unique", False)),
            check=self._fragment(node.get("check"), "check"),
            references=self._reference(name, node),
            generated=self._fragment(node.get("generated"), "generated", condition=False),
            description=node.value.get("description"),
            examples=tuple(literal for literal in literals if literal),
        )

    def _check_mix(self, name: str, node: Node) -> None:
        default = node.get("default")
        if node.get("generated") and default:
            message = f'field "{name}" is generated and cannot have a default'
            self.findings.error("wrong-mix", default.key_span, message, "keep one of the two")
        on_delete = node.get("on_delete")
        if on_delete and not node.get("references") and name not in self.draft.pending:
            message = f'field "{name}" has on_delete, but points nowhere'
            self.findings.error("wrong-mix", on_delete.key_span, message, "add references: entity")
        nullable = node.get("nullable")
        if nullable and nullable.value and name in self.draft.primary_key:
            message = f'"{name}" is part of the primary key and cannot be NULL'
            self.findings.error("wrong-mix", nullable.span, message, "remove nullable")
        if default and default.value is None and node.value.get("nullable") is False:
            message = f'field "{name}" cannot be NULL, so its default cannot be either'
            self.findings.error("null-value", default.span, message, "give a value, or remove the default")

    def _fragment(self, node: Node | None, what: str, *, condition: bool = True) -> SqlFragment | None:
        if node is None:
            return None
        scope = self.draft.scope(what, parameters=False, condition=condition)
        return parse_fragment(node.value, node.locate, scope, self.findings)

    def _implied(self, name: str) -> ForeignKey | None:
        """Return the foreign key of a ``ref(entity)`` type."""
        node = self.draft.pending.get(name)
        if node is None:
            return None
        target = self.catalog.get(str(referenced_entity(node.value)))
        if target is None or len(target.primary_key) != 1:
            return None
        return ForeignKey(target.name, target.primary_key[0], None, node.span)

    def _reference(self, name: str, node: Node) -> ForeignKey | None:
        on_delete = node.value.get("on_delete")
        found = node.get("references")
        if found is None:
            implied = self._implied(name)
            return replace(implied, on_delete=on_delete) if implied else None
        entity, dot, column = found.value.strip().partition(".")
        if found.value.strip() in self.catalog:
            entity, dot, column = found.value.strip(), "", ""
        target = self._entity(entity, found)
        if target is None:
            return None
        if not dot:
            column = self._key_column(target, found) or ""
        elif column not in target.types:
            unknown_column(column, found.span, target, self.findings)
            return None
        if not column:
            return None
        self._check_target(target, column, found)
        return ForeignKey(target.name, column, on_delete, found.span)

    def _check_target(self, target: Draft, column: str, node: Node) -> None:
        if target.managed and not is_unique(target, (column,)):
            self.findings.error(
                "bad-reference",
                node.span,
                f'"{target.name}.{column}" is not unique, so nothing can point to it',
                f"refer to the key of {target.name}, or make the column unique",
            )

    def index(self, node: Node) -> Index:
        """Read one index."""
        if not isinstance(node.value, dict):
            return Index(read_columns(node, self.draft, self.findings), node.span)
        name = node.get("name")
        if name:
            check_name(name.value, name.span, "index name", self.findings)
        return Index(
            columns=read_columns(node["columns"], self.draft, self.findings),
            span=node.span,
            unique=bool(node.value.get("unique", False)),
            where=self._fragment(node.get("where"), "an index's where"),
            method=node.value.get("method"),
            name=node.value.get("name"),
        )


_DEFAULT_SCOPE = Scope(None, condition=False, parameters=False, subqueries=False, what="a default")


def is_unique(draft: Draft, columns: tuple[str, ...]) -> bool:
    """Say whether an entity's spec promises that no two rows share these columns' values."""
    wanted = set(columns)
    if set(draft.primary_key) == wanted:
        return True
    fields = draft.node["fields"]
    if (
        len(columns) == 1
        and isinstance(fields.value[columns[0]], dict)
        and fields.value[columns[0]].get("unique")
    ):
        return True
    for item in draft.node.value.get("indexes", ()):
        if isinstance(item, dict) and item.get("unique") and "where" not in item:
            named = item["columns"]
            if ({named} if isinstance(named, str) else set(named)) == wanted:
                return True
    return False


def report_cycles(drafts: tuple[Draft, ...], findings: Findings) -> None:
    """Report managed entities that refer to one another in a circle: no order can create them."""
    edges = {
        draft.name: {
            found.references.entity: found.references
            for found in draft.fields
            if found.references and found.references.entity != draft.name
        }
        for draft in drafts
        if draft.managed
    }
    done: set[str] = set()
    for name in edges:
        _walk(name, [], edges, done, findings.error)


def _walk(
    name: str,
    trail: list[str],
    edges: Mapping[str, Mapping[str, ForeignKey]],
    done: set[str],
    error: Callable[..., None],
) -> None:
    if name in trail:
        circle = [*trail[trail.index(name) :], name]
        key = edges[trail[-1]][name]
        message = f"these entities refer to one another in a circle: {' -> '.join(circle)}"
        error(
            "reference-cycle", key.span, message, "drop one of the references; it can be added by a migration"
        )
        return
    if name in done or name not in edges:
        return
    for target in edges[name]:
        _walk(target, [*trail, name], edges, done, error)
    done.add(name)
