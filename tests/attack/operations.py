"""Random operations: the YAML of one, its arguments, and what the oracle does for each of its records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.attack.records import Handed, hand_in

if TYPE_CHECKING:
    from random import Random

    import psycopg

    from tests.attack.tables import Table

OPERATION = "attack_it"
PARAMETERS = {
    "step": "7",
    "most": "30",
    "rest": "1",
    "moment": "timestamptz '2024-10-27 01:30+00'",
    "codes": "ARRAY['12', 'dd', NULL, 'NULL']::text[]",
}
CONDITIONS = (
    "true",
    "mark < :most",
    "mark % 3 = :rest",
    "mark = :rest",
    r"code ~ '^\d+$'",
    r"code = 'a\d' OR code = '\' OR mark < 9",
    "amount = NULL OR mark > 20",
    "flag IS NOT TRUE",
    "at < :moment",
    "at < '2024-10-27 02:30:00'",
    "at + interval '1 day' > timestamptz '2024-10-28 03:00:00' OR mark < 5",
    "code = ANY(:codes)",
    "label <> 'old' AND coalesce(amount, 0) < 1000",
    "to_char(at, 'MM') = '10'",
)
VALUES: dict[str, tuple[Any, ...]] = {
    "amount": ({"sql": "coalesce(amount, 0) + :step"}, 17, None, {"sql": "length(code) + :step"}),
    "label": ("it's \\d", {"sql": r"coalesce(code, '') || '\'"}, {"sql": r"'\n' || coalesce(label, '')"},
              {"sql": "coalesce(label, '') || '+'"}, {"sql": "CASE WHEN amount = NULL THEN 'x' ELSE 'y' END"}),
    "flag": (True, {"sql": "NOT flag"}),
    "at": ({"sql": "at + interval '1 day'"}, {"sql": "date_trunc('day', at)"}, "2024-10-27 02:30:00+02"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation.

    Attributes:
        kind: ``update``, ``insert`` …
        drive: ``rows``, ``keys``, ``records``, ``file``, ``relation`` or ``steps``.
        pattern: Its YAML.
        arguments: SQL for each argument.
        units: A query for the oracle: n, label, fate, rid, record.
        statement: What the oracle executes for each of them, ``$1`` is rid and ``$2`` the record.
        outputs: Columns that ``batch_output`` should have.
        handed: What is handed in.
        options: The call's options.
        one_key: What tells one row from another for whoever stops early.
    """

    kind: str
    drive: str
    pattern: dict[str, Any]
    arguments: dict[str, str]
    units: str
    statement: str
    outputs: tuple[str, ...] = ()
    handed: Handed | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def strict(self) -> bool:
        """Whether every record is tried, so that everything can be compared."""
        keys = self.pattern | self.options
        return (
            keys.get("error_handling") != "stop_on_error"
            and keys.get("error_isolation") != "batch"
            and "max_errors" not in keys
        )

    @property
    def labelled_by_number(self) -> bool:
        return self.drive in ("records", "file")


def make_operation(
    random: Random, connection: psycopg.Connection[Any], table: Table, drive: str, kind: str | None = None
) -> Operation:
    """A random operation over the table, which is there and filled."""
    makers = {"rows": _over_rows, "keys": _over_keys, "steps": _in_steps, "relation": _over_relation}
    if drive in makers:
        return makers[drive](random, connection, table, kind)
    return _over_records(random, connection, table, drive, kind)


def used(text: Any) -> dict[str, str]:
    """The parameters that a YAML value names, with their arguments."""
    names = re.findall(r"(?<![:\w]):([a-z]\w*)(?!\.)\b", str(text))
    return {name: PARAMETERS[name] for name in names if name in PARAMETERS}


def literal(text: str) -> str:
    """SQL with its parameters' values in their place."""
    return re.sub(r"(?<![:\w]):([a-z]\w*)", lambda found: f"({PARAMETERS.get(found[1], found[0])})", text)


def value(item: Any) -> str:
    """SQL of a value as the YAML writes it."""
    if isinstance(item, dict):
        return literal(item["sql"])
    if item is None or isinstance(item, bool | int):
        return {None: "NULL", True: "true", False: "false"}.get(item, str(item))
    return "'" + item.replace("'", "''") + "'"


def _label(table: Table, alias: str = "thing") -> str:
    parts = ", ".join(f"'{name}', {alias}.{name}" for name in table.key_names)
    return f"jsonb_build_object({parts})::text"


def _order(table: Table) -> str:
    return ", ".join(f"thing.{name}" for name in table.key_names)


def _common(random: Random) -> dict[str, Any]:
    """Keys of every operation."""
    keys: dict[str, Any] = {"batch_size": random.choice((1, 2, 7, 50, 100, 200, 500))}
    if random.random() < 0.5:
        keys |= {"parallel": True, "max_workers": 4}
    if random.random() < 0.25:
        keys["error_handling"] = random.choice(("stop_on_error", "collect_errors", "continue_on_error"))
    if random.random() < 0.12:
        keys["error_isolation"] = "batch"
    if random.random() < 0.12:
        keys["max_errors"] = random.choice((0, 1, 5, "10%"))
    if random.random() < 0.1:
        keys["max_errors_per_worker"] = 1000000
    if random.random() < 0.2:
        keys["logging_level"] = random.choice(("none", "detailed"))
    if random.random() < 0.15:
        keys["collect_metrics"] = True
    keys["retry"] = {"max_attempts": 9, "backoff": "10ms"}
    return keys


def _changes(random: Random, table: Table) -> dict[str, Any]:
    names = random.sample(list(VALUES), random.choice((1, 1, 2, 3)))
    changes = {name: random.choice(VALUES[name]) for name in names}
    if table.cast:
        changes["label"] = {"sql": table.cast}
    return changes


def _write(
    random: Random, table: Table, kind: str | None, condition: str
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """An operation's own keys, the oracle's statement for a row, and its outputs."""
    kind = kind or random.choice(("update", "update", "update", "delete", "select"))
    where = f"WHERE rid = $1 AND (({condition}) IS TRUE)"
    if kind == "select":
        columns = random.sample(["amount", "at", "label", *table.key_names], 3)
        return (
            {"operation_type": kind, "select_fields": columns},
            f"SELECT FROM thing {where}",
            tuple(columns),
        )
    keys: dict[str, Any] = {"operation_type": kind}
    statement = f"DELETE FROM thing {where}"
    if kind == "update":
        keys["update_data"] = _changes(random, table)
        sets = ", ".join(f"{name} = {value(item)}" for name, item in keys["update_data"].items())
        statement = f"UPDATE thing SET {sets} {where}"
    outputs: tuple[str, ...] = ()
    if random.random() < 0.3:
        keys["returning"] = ["amount"]
        outputs = (*table.key_names, "amount")
    return keys, statement, outputs


def _over_rows(random: Random, _: Any, table: Table, kind: str | None) -> Operation:
    condition = random.choice(CONDITIONS)
    keys, statement, outputs = _write(random, table, kind, literal(condition))
    pattern = {"operation": OPERATION, **keys, "where_condition": condition, **_common(random)}
    limit = ""
    if random.random() < 0.12:
        pattern["max_records"] = random.choice((1, 10, 333))
        limit = f" LIMIT {pattern['max_records']}"
    units = (
        f"SELECT row_number() OVER (ORDER BY {_order(table)}), {_label(table)}, 'run', rid, NULL::jsonb"
        f" FROM thing WHERE ({literal(condition)}) ORDER BY 1{limit}"
    )
    found = keys["operation_type"]
    return Operation(found, "rows", pattern, used((condition, keys)), units, statement, outputs)


def _over_keys(
    random: Random, connection: psycopg.Connection[Any], table: Table, kind: str | None
) -> Operation:
    (column,) = table.key
    extra = random.choice(("", "", " AND mark <> :rest"))
    keys, statement, outputs = _write(random, table, kind, literal(f"true{extra}"))
    condition = random.choice(("id = ANY(:ids)", "id IN (:ids)")) + extra
    missing = column.type.value.format(i=f"({table.rows} + 3 * g)")
    seed, share = random.randrange(10**6), random.choice((0.05, 0.5, 1))
    connection.execute(
        f"CREATE TABLE attack.keys (n bigint, id {column.type.real});"
        f"INSERT INTO attack.keys SELECT row_number() OVER (ORDER BY hashint4(source * 31 + {seed})) AS n, id"
        f" FROM (SELECT rid::integer AS source, id FROM thing WHERE abs(hashint4(rid::integer + {seed}) / 2147483648.0) <= {share}"
        f" UNION ALL SELECT rid::integer, id FROM thing WHERE rid % 9 = 2"
        f" UNION ALL SELECT g, {missing} FROM generate_series(1, {random.choice((0, 3, 40))}) AS g"
        f" UNION ALL SELECT 5, NULL FROM generate_series(1, {random.choice((0, 1, 2))})) AS listed".encode()
    )
    pattern = {"operation": OPERATION, **keys, "where_condition": condition, **_common(random)}
    units = (
        "SELECT row_number() OVER (ORDER BY k.id, k.n), jsonb_build_object('id', k.id)::text,"
        " CASE WHEN k.id IS NULL OR t.rid IS NULL OR row_number() OVER (PARTITION BY k.id ORDER BY k.n) > 1"
        " THEN 'skipped' ELSE 'run' END, t.rid, NULL::jsonb"
        " FROM attack.keys AS k LEFT JOIN thing AS t ON t.id = k.id"
    )
    arguments = used((condition, keys)) | {"ids": "ARRAY(SELECT id FROM attack.keys ORDER BY n)"}
    return Operation(keys["operation_type"], "keys", pattern, arguments, units, statement, outputs)


def _over_records(
    random: Random, connection: psycopg.Connection[Any], table: Table, drive: str, kind: str | None
) -> Operation:
    kind = kind or random.choice(("update", "insert", "insert", "upsert", "upsert", "delete"))
    columns = [] if kind == "delete" else random.sample(["amount", "label", "at", "flag"], 2)
    if kind in ("insert", "upsert"):
        columns.append("mark")
    handed = hand_in(random, connection, table, kind, columns, as_text=drive == "file")
    fields = [*table.key_names, *columns]
    given: dict[str, Any] = {name: f":item.{name}" for name in fields}
    pattern: dict[str, Any] = {"operation": OPERATION, "operation_type": kind, "data_source": ":records"}
    if drive == "file":
        pattern["data_source"] = "csv_file"
        pattern["field_mapping"] = {name: name for name in fields}
    if kind == "update":
        pattern["update_data"] = {name: given[name] for name in columns}
    elif kind == "insert":
        pattern["insert_data"] = given
    elif kind == "upsert":
        pattern |= {"upsert_data": given, "conflict_target": table.key_names}
    if drive == "file":
        for name in ("update_data", "insert_data", "upsert_data"):
            pattern.pop(name, None)
    outputs: tuple[str, ...] = ()
    if random.random() < 0.3 and kind != "delete":
        pattern["returning"] = ["amount"]
        outputs = (*table.key_names, "amount")
    pattern |= _common(random)
    units = "SELECT n, label, fate, NULL::bigint, record FROM attack.handed"
    return Operation(
        kind, drive, pattern, {"records": "coalesce((SELECT jsonb_agg(record ORDER BY n) FROM attack.handed), '[]')"},
        units, _record_statement(table, kind, columns), outputs, handed,
    )  # fmt: skip


def _record_statement(table: Table, kind: str, columns: list[str]) -> str:
    types = table.types
    fields = [*table.key_names, *columns]
    collated = {column.name: column.type.real for column in table.key}
    item = ", ".join(f"{name} {collated.get(name, types[name])}" for name in fields)
    source = f"jsonb_to_record($2) AS item({item})"
    same = " AND ".join(f"thing.{name} = item.{name}" for name in table.key_names)
    sets = ", ".join(f"{name} = item.{name}" for name in columns)
    if kind == "update":
        return f"UPDATE thing SET {sets} FROM {source} WHERE {same}"
    if kind == "delete":
        return f"DELETE FROM thing USING {source} WHERE {same}"
    names = ", ".join(fields)
    statement = (
        f"INSERT INTO thing ({names}) SELECT {', '.join(f'item.{name}' for name in fields)} FROM {source}"
    )
    if kind == "upsert":
        sets = ", ".join(f"{name} = excluded.{name}" for name in columns)
        statement += f" ON CONFLICT ({', '.join(table.key_names)}) DO UPDATE SET {sets}"
    return statement


def _over_relation(random: Random, connection: psycopg.Connection[Any], table: Table, _: Any) -> Operation:
    """An update by the rows of another table, whose keys are of the same types."""
    keys = ", ".join(f"thing.{name}" for name in table.key_names)
    seed = random.randrange(10**6)
    connection.execute(
        f"CREATE TABLE attack.staging AS SELECT {keys}, rid + 10 AS fresh, rid FROM thing"
        f" WHERE abs(hashint4(rid::integer + {seed})) % 100 < {random.choice((5, 60, 101))}".encode()
    )
    named = ", ".join(table.key_names)
    source = random.choice(
        ({"table": "attack.staging"}, {"query": f"SELECT {named}, fresh FROM attack.staging"})
    )
    pattern = {"operation": OPERATION, "operation_type": "update", "data_source": source,
               "update_data": {"amount": {"sql": "coalesce(amount, 0) + :item.fresh"}}, **_common(random)}  # fmt: skip
    if "table" in source:
        pattern["data_source"] = {"query": f"SELECT {named}, fresh FROM attack.staging WHERE fresh > 0"}
    units = (
        f"SELECT row_number() OVER (), {_label(table, 's')}, 'run', s.rid, jsonb_build_object('fresh', s.fresh)"
        " FROM attack.staging AS s"
    )
    statement = "UPDATE thing SET amount = coalesce(amount, 0) + ($2 ->> 'fresh')::bigint WHERE rid = $1"
    return Operation("update", "relation", pattern, {}, units, statement)


def _in_steps(random: Random, _: Any, table: Table, kind: str | None) -> Operation:
    """Rows found by one step, and written by another."""
    condition = random.choice(CONDITIONS)
    changes = _changes(random, table)
    write = {"name": "touch_rows", "operation_type": "update", "update_data": changes}
    keyed = len(table.key) == 1 and random.random() < 0.7
    if keyed:
        write["where_condition"] = "id = ANY(:thing_ids)"
    else:
        write |= {"data_source": ":found", "update_data": changes | {"flag": {"sql": ":found.mark > 10"}}}
    find = {"name": "find_thing", "operation_type": "select", "select_fields": [*table.key_names, "mark"],
            "where_condition": condition, "output": "found"}  # fmt: skip
    common = _common(random)
    pattern = {"operation": OPERATION, **common, "steps": [find, write]}
    changed: dict[str, Any] = dict(write["update_data"])  # type: ignore[call-overload]
    if not keyed:
        changed["flag"] = {"sql": "mark > 10"}
    sets = ", ".join(f"{name} = {value(item)}" for name, item in changed.items())
    # the first step reads each row, the second writes it
    units = (
        f"WITH found AS (SELECT row_number() OVER (ORDER BY {_order(table)}) AS n, {_label(table)} AS label, rid"
        f" FROM thing WHERE ({literal(condition)}))"
        " SELECT n, label, 'processed', rid, NULL::jsonb FROM found"
        " UNION ALL SELECT n + 1000000, label, 'run', rid, NULL FROM found"
    )
    arguments = used((condition, changes))
    return Operation("update", "steps", pattern, arguments, units, f"UPDATE thing SET {sets} WHERE rid = $1")
