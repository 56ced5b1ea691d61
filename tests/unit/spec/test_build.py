"""From files to the model: what a spec means once it is read."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from specgen.diagnostics import Severity
from specgen.plan import naming
from specgen.spec.build import load_project
from specgen.spec.collisions import DERIVED_SUFFIXES
from specgen.spec.fragments import SqlFragment
from specgen.spec.model import (
    BatchOperation,
    Entity,
    ErrorHandling,
    Expression,
    FieldType,
    ItemField,
    KeySource,
    Literal,
    MaxErrors,
    OperationType,
    Project,
    RecordSource,
    Reference,
    RowSource,
    SingleSource,
    Steps,
)

if TYPE_CHECKING:
    from pathlib import Path

USER = """\
name: user
fields:
  id: uuid
  email: {type: string, unique: true, nullable: false}
  status: enum(new, active, inactive)
  amount: decimal(10,2)
  data: jsonb
  tags: text[]
  updated_at: timestamp
indexes: [{columns: [status, amount], unique: true}]
patterns:
"""


def load(root: Path, *texts: str, settings: str | None = None) -> Project:
    for number, text in enumerate(texts):
        (root / f"{number}.yaml").write_text(text, encoding="utf-8")
    if settings is not None:
        (root / "specgen.yaml").write_text(settings, encoding="utf-8")
    loaded = load_project([root], root=root)
    assert loaded.project is not None, loaded.findings
    assert not loaded.findings
    return loaded.project


def entity(root: Path, text: str) -> Entity:
    return load(root, text).entities[0]


def operation(root: Path, body: str, *, settings: str | None = None) -> BatchOperation:
    lines = ["- name: batch_operations", "  operation: change", *(f"  {line}" for line in body.splitlines())]
    text = USER + "".join(f"  {line}\n" for line in lines)
    return load(root, text, settings=settings).entities[0].operations[0]


def test_the_source_documents_example(tmp_path: Path) -> None:
    found = operation(
        tmp_path,
        'description: "Bulk update user statuses"\ntarget_entity: user\n'
        'batch_size: 100\ntimeout: "30 minutes"\n'
        'operation_type: update\nupdate_data:\n  status: :new_status\n  updated_at: "NOW()"\n'
        'where_condition: "id = ANY(:user_ids)"\nerror_handling: continue_on_error\nmax_errors: 10\n'
        "progress_tracking: true",
    )
    assert found.type is OperationType.UPDATE
    assert found.limits.batch_size == 100
    assert found.limits.timeout_ms == 1_800_000
    assert found.errors.max_errors == MaxErrors(count=10)
    assert isinstance(found.source, KeySource)
    assert (found.source.parameter, found.source.column, found.source.remainder) == ("user_ids", "id", None)
    status, updated_at = found.data
    assert isinstance(status.value, Reference)
    assert isinstance(updated_at.value, Expression)


def test_fields_in_all_their_forms(tmp_path: Path) -> None:
    found = entity(
        tmp_path,
        "name: product\nschema: shop\ntable: products\nmanaged: false\ndescription: Things\nfields:\n"
        "  id: bigint\n"
        '  price: {type: "decimal(10,2)", nullable: false, default: 0, check: "price > 0",\n'
        "    examples: [1, 2.5]}\n"
        "  state: {type: string, enum: [new, old], default: new}\n"
        '  total: {type: numeric, generated: "price * 2", description: Twice}\n'
        '  made_at: {type: timestamp, default: "NOW()"}\n'
        "  parent: {type: ref(product), on_delete: set null}\n"
        "  kind: app.kind[]\n",
    )
    assert (found.schema, found.table, found.managed, found.description) == (
        "shop",
        "products",
        False,
        "Things",
    )
    price, state, total = found.field("price"), found.field("state"), found.field("total")
    assert price.type == FieldType("numeric(10,2)", "numeric")
    assert not price.nullable
    assert isinstance(price.default, Literal)
    assert isinstance(price.check, SqlFragment)
    assert [item.value for item in price.examples] == [1, 2.5]
    assert state.type.enum == ("new", "old")
    assert total.generated is not None
    assert total.description == "Twice"
    assert isinstance(found.field("made_at").default, Expression)
    parent = found.field("parent")
    assert parent.type.base == "bigint"
    assert parent.references is not None
    assert (parent.references.column, parent.references.on_delete) == ("id", "set null")
    assert found.field("kind").type == FieldType("app.kind[]", "app.kind", array=True)
    assert not found.field("id").nullable


def test_references_cross_files_in_any_order(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        "name: line\nfields: {order: ref(order), number: int, buyer: {type: text, references: user.email}}\n"
        "primary_key: [order, number]\n",
        "name: order\nfields: {id: ref(user)}\n",
        "name: user\nfields: {id: uuid, email: {type: text, unique: true}}\n",
    )
    line = project.entity("line")
    assert line.primary_key == ("order", "number")
    assert line.field("order").type.base == "uuid"
    assert line.field("buyer").references is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("status: active", "active"),
        ("status: :s", Reference),
        ("status: :item.s", Reference),
        ('updated_at: "NOW()"', Expression),
        ('updated_at: "CURRENT_TIMESTAMP"', Expression),
        ('email: "lower(:email)"', Expression),
        ('email: "DEFAULT"', Expression),
        ('email: {value: "NOW()"}', "NOW()"),
        ("email: {sql: \"email || 'x'\"}", Expression),
        ("email: 2.50", "2.50"),
        ("email: 010", "010"),
        ("amount: 3", 3),
        ('amount: "3.5"', "3.5"),
        ("amount: 12345678.123456789012345678", "12345678.123456789012345678"),
        ("amount: null", None),
        ("data: {a: [1, null]}", {"a": (1, None)}),
        ("data: {value: {sql: x}}", {"sql": "x"}),
        ("data: '{\"a\": 1}'", {"a": 1}),
        ("tags: [a, b]", ("a", "b")),
        ("updated_at: 2025-01-31", "2025-01-31"),
        ("email: current_user", "current_user"),
    ],
)
def test_values(tmp_path: Path, text: str, value: object) -> None:
    source = "\ndata_source: :records" if ":item" in text else ""
    found = operation(tmp_path, f'update_data: {{{text}}}\nwhere_condition: "true"{source}').data[0].value
    if isinstance(value, type):
        assert isinstance(found, value)
    else:
        assert isinstance(found, Literal)
        assert found.value == value
        assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (":item.straße", "straße"),
        (":item.Größe", "Größe"),
        (':item."first name"', "first name"),
        (':item."a ""b"""', 'a "b"'),
    ],
)
def test_fields_of_records_are_called_as_files_call_them(tmp_path: Path, value: str, field: str) -> None:
    source = operation(
        tmp_path,
        f"insert_data: {{email: {json.dumps(value)}, amount: {{sql: {json.dumps(value)}}}}}\ndata_source: :records",
    ).source
    assert isinstance(source, RecordSource)
    assert [item.name for item in source.fields] == [field]


def test_a_text_that_begins_like_a_parameter_is_never_written_without_a_word(tmp_path: Path) -> None:
    text = USER + (
        '  - name: batch_operations\n    operation: change\n    where_condition: "true"\n'
        '    update_data: {email: ":item.first name", status: new, tags: [":smile:"]}\n'
        '  - name: batch_operations\n    operation: meant\n    where_condition: "true"\n'
        '    update_data: {email: {value: ":old mail"}}\n'
        '  - name: batch_operations\n    operation: smile\n    where_condition: "true"\n'
        '    update_data: {email: ":smile:"}\n'
    )
    (tmp_path / "user.yaml").write_text(text, encoding="utf-8")
    loaded = load_project([tmp_path], root=tmp_path)
    assert [(item.code, item.severity) for item in loaded.findings] == [("looks-like-sql", Severity.WARNING)]
    assert '":item.first name" begins like the parameter :item' in loaded.findings[0].message


def test_a_literal_that_reads_like_sql_is_a_warning(tmp_path: Path) -> None:
    text = USER + (
        '  - name: batch_operations\n    operation: change\n    where_condition: "true"\n'
        '    update_data: {email: "now() - interval \'1 day\'", data: {value: "[1]"}}\n'
    )
    (tmp_path / "user.yaml").write_text(text, encoding="utf-8")
    loaded = load_project([tmp_path], root=tmp_path)
    assert loaded.project is not None
    (finding,) = loaded.findings
    assert (finding.code, finding.severity) == ("looks-like-sql", Severity.WARNING)
    assert finding.help is not None
    assert "{sql:" in finding.help
    assert "{value:" in finding.help


def test_sources(tmp_path: Path) -> None:
    assert operation(tmp_path, "insert_data: {email: :email}").source == SingleSource()
    where = 'operation_type: delete\nwhere_condition: "status = :s"'
    assert operation(tmp_path, where).source == RowSource()
    both = 'operation_type: select\nselect_fields: [email]\nwhere_condition: "id IN (:ids) AND amount > 3"'
    keys = operation(tmp_path, both).source
    assert isinstance(keys, KeySource)
    assert keys.remainder is not None
    assert keys.remainder.source == "amount > 3"


def test_an_array_that_is_used_twice_is_a_plain_parameter(tmp_path: Path) -> None:
    body = (
        'update_data: {tags: {sql: "array_append(tags, f(:ids)::text)"}}\nwhere_condition: "id = ANY(:ids)"'
    )
    assert operation(tmp_path, body).source == RowSource()


def test_records_to_insert(tmp_path: Path) -> None:
    source = operation(
        tmp_path,
        "insert_data: {email: :user.email, amount: :item.price,\n"
        "  data: {sql: \"jsonb_build_object('n', :item.n::int)\"}}\n"
        "data_source: :records",
    ).source
    assert isinstance(source, RecordSource)
    assert source.parameter == "records"
    assert source.match_on == ()
    assert source.fields == (
        ItemField("email", FieldType("text", "text")),
        ItemField("price", FieldType("numeric(10,2)", "numeric")),
        ItemField("n", FieldType("integer", "integer")),
    )


def test_records_to_update_are_matched_by_key_or_by_match_on(tmp_path: Path) -> None:
    by_key = operation(tmp_path, "update_data: {amount: :item.amount}\ndata_source: :records").source
    assert isinstance(by_key, RecordSource)
    assert [item.name for item in by_key.fields] == ["id", "amount"]
    by_mail = operation(tmp_path, "operation_type: delete\ndata_source: :records\nmatch_on: email").source
    assert isinstance(by_mail, RecordSource)
    assert by_mail.match_on == ("email",)


def test_an_upsert_updates_what_is_given_but_the_conflict(tmp_path: Path) -> None:
    found = operation(
        tmp_path,
        "upsert_data: {id: :id, email: :email, amount: 1, status: new}\n"
        "conflict_target: email\nreturning: [amount]",
    )
    assert found.conflict_target == ("email",)
    assert found.update_columns == ("amount", "status")
    assert found.returning == ("id", "amount")
    by_index = operation(
        tmp_path, "upsert_data: {amount: 1, status: new, email: e}\nconflict_target: [amount, status]"
    )
    assert by_index.update_columns == ("email",)


def test_everything_else_an_operation_says(tmp_path: Path) -> None:
    found = operation(
        tmp_path,
        'operation_type: delete\nwhere_condition: "updated_at < :since"\n'
        "parameters: {since: {type: timestamp, default: \"now() - interval '1 day'\"}, why: text}\n"
        "preconditions: [\"COUNT(*) FILTER (WHERE status = 'new') > 0\", \"allowed('x')\"]\n"
        "max_records: 10\non_limit: fail\nlock_timeout: 5s\nstatement_timeout: 1h\n"
        "requires_confirmation: true\n"
        "parallel_runs: exclusive\natomic: true\nerror_handling: collect_errors\nerror_isolation: batch\n"
        'max_errors: "5%"\nretry: {max_attempts: 5, backoff: 50ms}\nlogging_level: detailed\nlog_table: l\n'
        'metrics_table: m\ncollect_metrics: true\ngrants: [app, "a b"]',
    )
    since, why = found.parameters
    assert since.default is not None
    assert why.type == FieldType("text", "text")
    assert [item.aggregate for item in found.preconditions] == [True, False]
    assert (found.limits.lock_timeout_ms, found.limits.statement_timeout_ms) == (5000, 3_600_000)
    assert found.errors.handling is ErrorHandling.COLLECT_ERRORS
    assert found.errors.max_errors == MaxErrors(percent=5.0)
    assert (found.errors.retry.max_attempts, found.errors.retry.backoff_ms) == (5, 50)
    assert found.grants == ("app", "a b")


def test_the_projects_defaults_stand_in_for_what_an_operation_leaves_out(tmp_path: Path) -> None:
    settings = 'schema: app\ndefaults: {batch_size: 500, max_errors: 3, preconditions: ["may()"]}\n'
    found = operation(
        tmp_path, 'operation_type: delete\nwhere_condition: "true"\nmax_errors: 4', settings=settings
    )
    assert found.limits.batch_size == 500
    assert found.errors.max_errors == MaxErrors(count=4)
    assert found.preconditions[0].fragment.span.file == "specgen.yaml"


def test_settings(tmp_path: Path) -> None:
    settings = (
        "schema: app\nruntime_schema: batch\nsearch_path: [app, ext]\npostgres: 16\n"
        "paths: {sql: out}\nsetup_sql: [sql/f.sql]\n"
    )
    project = load(tmp_path, "name: user\nfields: {id: uuid}\n", settings=settings)
    found = project.settings
    assert (found.schema, found.runtime_schema, found.postgres) == ("app", "batch", 16)
    assert found.search_path == ("app", "ext")
    assert (found.paths.sql.as_posix(), found.paths.entities.as_posix()) == ("out", "entities")
    assert project.entities[0].schema == "app"


@pytest.mark.parametrize(
    "name", ["user", "order", "Group", 'a"b', "x'y", "naïve name", "$$", "-- drop", "a;b", ":x"]
)
def test_hostile_names_are_names(tmp_path: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    found = entity(
        tmp_path,
        f"name: {quoted}\ntable: {quoted}\nschema: {quoted}\nprimary_key: {quoted}\nindexes: [{quoted}]\n"
        f"fields: {{{quoted}: uuid, {quoted[:-1]}2': text}}\npatterns:\n  - name: batch_operations\n"
        f'    operation: {quoted}\n    update_data: {{{quoted[:-1]}2\': x}}\n    where_condition: "true"\n'
        f"    grants: [{quoted}]\n    returning: [{quoted[:-1]}2']\n",
    )
    assert (found.name, found.table, found.schema, found.primary_key) == (name, name, name, (name,))
    assert found.operations[0].name == name


def test_folders_are_walked_in_order_and_files_named_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("b.yaml", "a/z.yml", ".git/x.yaml", "a/.hidden.yaml", "c.txt"):
        (tmp_path / "specs" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "specs" / place).write_text(
            f"name: {place[:1]}\nfields: {{id: uuid}}\n", encoding="utf-8"
        )
    loaded = load_project([tmp_path / "specs", tmp_path / "specs" / "b.yaml"], root=tmp_path)
    assert loaded.project is not None
    assert [item.file for item in loaded.project.entities] == ["specs/a/z.yml", "specs/b.yaml"]


def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    loaded = load_project([tmp_path / "none.yaml", tmp_path / "empty"], root=tmp_path)
    assert loaded.project is None
    assert [item.code for item in loaded.findings] == ["no-spec-files", "unreadable-file"]
    assert load_project([], root=tmp_path).project is None


def test_findings_of_all_files_come_together_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nfields: {id: uid, x: ref(b)}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("name: b\nfields: {id: 3}\n", encoding="utf-8")
    found = load_project([tmp_path / "b.yaml", tmp_path / "a.yaml"], root=tmp_path).findings
    # b is wrong in itself; that a refers to it is not reported on top.
    assert [(item.span.file, item.code) for item in found] == [
        ("a.yaml", "unknown-type"),
        ("b.yaml", "wrong-type"),
    ]


def test_reading_specs_imports_the_heavy_parsers_only_when_needed() -> None:
    heavy = "{'pglast', 'jsonschema', 'jinja2', 'psycopg'}"
    code = f"import specgen.spec.build, sys; print({heavy} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout.strip() == "set()"


def test_the_functions_beside_an_operations_own_are_the_plans(tmp_path: Path) -> None:
    names = naming.operation_names("public", "purge", "public")
    derived = {getattr(names, item.name).name for item in dataclasses.fields(names)} - {"purge"}
    assert {f"purge{suffix}" for suffix in DERIVED_SUFFIXES} == derived


@pytest.mark.parametrize(
    ("default", "sql"),
    [("null", "NULL"), ("true", "true"), ("0o10", "8"), ("2.50", "2.50"), ("CURRENT_DATE", "CURRENT_DATE")],
)
def test_defaults_of_parameters_are_sql(tmp_path: Path, default: str, sql: str) -> None:
    body = f"parameters: {{x: {{type: text, default: {default}}}}}\ninsert_data: {{email: x}}"
    found = operation(tmp_path, body).parameters[0].default
    assert found is not None
    assert found.render(str) == sql


def test_a_step_may_read_what_an_earlier_one_returns_besides_what_it_writes(tmp_path: Path) -> None:
    body = """steps:
  - {name: drop_old, operation_type: delete, where_condition: "amount = 0", returning: [email], output: gone}
  - {name: add_again, insert_data: {email: :gone.email}}"""
    found = operation(tmp_path, body)
    assert found.steps[0].operation.returning == ("id", "email")


def test_the_ids_that_a_select_found_are_called_by_the_singular_too(tmp_path: Path) -> None:
    found = operation(
        tmp_path,
        "steps:\n"
        "- {name: find_new_users, select_fields: [id], where_condition: \"status = 'new'\"}\n"
        '- {name: drop_users, operation_type: delete, where_condition: "id = ANY(:new_user_ids)"}',
    )
    assert isinstance(found.source, Steps)
    lists = found.source.steps[1].operation.lists
    assert [(item.name, item.step, item.column) for item in lists] == [
        ("new_user_ids", "find_new_users", "id")
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "name: user\nfields:\n\tid: uuid\n",
        "name: 'user'  # who\nfields: {id: uuid\n",
        "\x00\x01",
        "nam: user\nfields: {id: uuid}\n",
        "name: user\ncolumns: {id: uuid}\n",
    ],
)
def test_of_a_file_that_cannot_be_read_nobody_is_told_that_its_entity_is_missing(
    tmp_path: Path, broken: str
) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: order\nfields: {id: uuid, user_id: ref(user), other: {type: uuid, references: user.id}}\n"
        "patterns:\n  - {name: batch_operations, operation: x, target_entity: user, update_data: {id: null}, "
        "where_condition: 'true'}\n"
    )
    (tmp_path / "user.yaml").write_text(broken)
    found = load_project([tmp_path], root=tmp_path).findings
    assert [item.span.file for item in found] == ["user.yaml"], found


def test_what_no_file_defines_is_missing_though_another_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: order\nfields: {id: uuid, user_id: ref(usr)}\n")
    (tmp_path / "user.yaml").write_text("name: user\nfields:\n\tid: uuid\n")
    found = load_project([tmp_path], root=tmp_path).findings
    assert [item.code for item in found] == ["unknown-entity", "yaml-tab"]


@pytest.mark.parametrize(
    ("head", "line"),
    [("name: user\ntable: app.users", 2), ("name: app.users", 1)],
    ids=["table", "name"],
)
def test_a_table_in_another_schema_is_not_looked_for_in_this_one_without_a_word(
    tmp_path: Path, head: str, line: int
) -> None:
    (tmp_path / "user.yaml").write_text(f"{head}\nfields: {{id: uuid}}\n")
    (warning,) = load_project([tmp_path], root=tmp_path).findings
    assert (warning.code, warning.severity, warning.span.start.line) == (
        "dotted-table",
        Severity.WARNING,
        line,
    )
    assert "write schema: app and table: users" in (warning.help or "")
    (tmp_path / "user.yaml").write_text(f"{head}\nschema: public\nfields: {{id: uuid}}\n")
    assert load_project([tmp_path], root=tmp_path).findings == ()


def test_an_assignment_that_is_written_as_in_sql_is_told_in_yaml(tmp_path: Path) -> None:
    operation = (
        "{name: batch_operations, operation: x, update_data: {status = active}, where_condition: 'true'}"
    )
    text = f"name: user\nfields: {{id: uuid, status: text}}\npatterns:\n  - {operation}\n"
    (tmp_path / "user.yaml").write_text(text)
    helps = {item.code: item.help for item in load_project([tmp_path], root=tmp_path).findings}
    assert helps["unknown-column"] == "write status: active"


def test_operations_whose_functions_would_be_called_alike_are_an_error(tmp_path: Path) -> None:
    clear = "{name: batch_operations, operation: %s, operation_type: delete, where_condition: 'true'}"
    (tmp_path / "entities").mkdir()
    for schema, operation in (("a", "b_c"), ("a_b", "c")):
        (tmp_path / "entities" / f"{operation}.yaml").write_text(
            f"name: {operation}\nschema: {schema}\nfields: {{id: bigint}}\npatterns: [{clear % operation}]\n"
        )
    (tmp_path / "entities" / "tidy.yaml").write_text(
        "name: tidy\nfields: {id: bigint}\npatterns:\n"
        "  - {name: batch_operations, operation: tidy, steps: "
        "[{name: up, operation_type: delete, where_condition: 'true'}]}\n"
        f"  - {clear % 'tidy_up'}\n"
    )
    loaded = load_project([tmp_path], root=tmp_path)
    told = [item.message for item in loaded.findings if item.code == "duplicate-operation"]
    assert told == [
        '"b_c" and "c" would both have functions "a_b_c_..."',
        '"tidy" and "tidy_up" would both have functions "tidy_up_..."',
    ]
