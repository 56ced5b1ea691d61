"""Keys that are none, and what was probably meant: other programs' words, and slips of the hand.

Each part of a spec has a table of the words that stand elsewhere for what a key says here. A word leads to a
key, or to a sentence that says where the thing is said. What no table has is compared letter by letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.spec.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from specgen.spec.documents import DataPath

DATA = "*_data"
"""Stands for the key that holds an operation's values, which depends on what it does."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an unknown key was probably meant to say.

    Attributes:
        key: The key of the language that says it in the same place, if one does.
        advice: The help of the finding.
        value: What the key would say, where that is not what the unknown key says.
    """

    key: str | None
    advice: str
    value: str | None = None


def _words(said: Mapping[str, str]) -> dict[str, str]:
    """Turn ``what it means: words that are written for it`` into a dictionary of the words."""
    return {word: meaning for meaning, words in said.items() for word in words.split()}


_ENTITY = _words(
    {
        "fields": "columns attributes properties props schema_fields cols",
        "patterns": "operations batch_operations ops jobs actions commands functions batch",
        "primary_key": "pk key keys primary primarykey id_column",
        "indexes": "index indices idx",
        "name": "entity model class entity_name",
        "table": "table_name tablename relation",
        "description": "desc comment doc docs title note notes",
        "managed|did you mean managed: false, for a table that is there already?": (
            "unmanaged external exists existing create read_only"
        ),
        "say it at the field, {type: text, unique: true}, or indexes: [{columns: [a, b], unique: true}]": (
            "unique uniques unique_together unique_constraints"
        ),
        'say it at a field: {type: integer, check: "price > 0"}': "check checks constraints constraint",
        "a field refers to an entity by its type, ref(other), or by references: other.column": (
            "foreign_keys foreign_key relations relationships refs references belongs_to has_many"
        ),
        "an enum is a field's type: status: enum(open, done)": "enum enums types",
    }
)
_OPERATION = _words(
    {
        "where_condition": (
            "where condition conditions filter filters predicate when criteria where_clause "
            "selector match_condition"
        ),
        DATA: (
            "set sets values value data updates changes assign assignments update insert upsert "
            "payload new_values "
            "set_data row_data columns fields"
        ),
        "select_fields": "select projection",
        "batch_size": (
            "batch size chunk chunk_size chunks page_size pagesize bulk_size rows_per_batch step_size"
        ),
        "max_records": "limit max_rows max_row max top row_limit limit_rows max_count",
        "conflict_target": (
            "on_conflict conflict conflicts conflict_columns conflict_key conflict_keys unique_key "
            "on_duplicate "
            "upsert_key"
        ),
        "match_on": (
            "key keys match match_by match_key match_columns on join_on join key_columns id_column "
            "ids identity"
        ),
        "returning": "returns return return_columns returned",
        "retry|did you mean retry: {max_attempts: 3}?": (
            "retries max_retries retry_count attempts max_attempts retry_attempts backoff retry_policy"
        ),
        "max_workers": (
            "workers threads concurrency parallelism worker_count num_workers processes n_workers degree"
        ),
        "operation": "operation_name op_name operationname",
        "operation_type": "type op kind action op_type method verb mode command",
        "target_entity": "table entity target target_table model into table_name",
        "data_source": "source from input_data using data_from sources records items rows",
        "data_source|write data_source: csv_file; specgen run OPERATION --input FILE names the file": (
            "file csv csv_file path filename file_name input_file file_path"
        ),
        "field_mapping": (
            "mapping map mappings column_mapping columns_mapping csv_mapping headers column_map field_map"
        ),
        "csv_delimiter": "delimiter separator sep",
        "csv_encoding": "encoding charset",
        "csv_quote": "quote quotechar quote_char",
        "csv_escape": "escape escapechar",
        "csv_has_header": "header has_header csv_header with_header",
        "csv_null": "null null_value null_string",
        "validation_rules": (
            "validations rules rule validate validation validators checks check constraints"
        ),
        "preconditions": "precondition pre requires require guards guard assert assertions preconditon",
        "requires_confirmation": "confirm confirmation require_confirmation needs_confirmation",
        "atomic": "transaction all_or_nothing transactional single_transaction",
        "error_handling": (
            "on_error errors error_mode error_policy continue_on_error stop_on_error ignore_errors "
            "on_failure error"
        ),
        "max_errors": "max_failures error_limit error_threshold allowed_errors",
        "parameters": "params param args arguments parameter variables vars inputs arg",
        "steps": "stages pipeline tasks workflow phases",
        "notify_on_completion": "notify notification on_complete on_completion on_success callback",
        "notification_channels": "channels notifications channel webhooks webhook",
        "notification_message": "message",
        "progress_tracking": "progress track_progress",
        "logging_level": "log logging log_level loglevel verbose verbosity",
        "collect_metrics": "metrics stats statistics",
        "parallel_runs": "lock exclusive singleton concurrent allow_concurrent unique_run",
        "skip_invalid_rows": "skip_invalid skip_errors ignore_invalid",
        "reject_file": "rejects rejected reject rejects_file error_file",
        "function": "call procedure func fn callable function_name",
        "heartbeat_interval": "heartbeat",
        "grants": "grant roles permissions role access",
        "description": "desc comment doc docs title note notes",
        'timeout|did you mean timeout: "30 seconds"?': (
            "timeout_seconds timeout_ms timeout_s time_limit max_time deadline max_duration timeout_minutes "
            "timeout_in_seconds time_out"
        ),
        "no key takes a whole statement: where_condition takes a condition, update_data values such as "
        '{sql: "price * 2"}, data_source {query: "SELECT ..."}': "sql query statement sql_query raw_sql",
        "an operation goes through its rows in the order of their key; leave it out": (
            "order_by order sort orderby sort_by"
        ),
        "a dry run is asked for when an operation is run: specgen run OPERATION --dry-run": "dry_run dryrun",
        "nothing here starts an operation by itself: let cron, or what you have, call specgen run": (
            "schedule cron interval every trigger triggers"
        ),
    }
)
_STEP = {
    **_OPERATION,
    **_words(
        {
            "depends_on": (
                "depends needs after requires require dependencies dependency wait_for run_after previous"
            ),
            "output": "output_name outputs as save_as store_as result results",
            "name": "step step_name id operation operation_name",
        }
    ),
}
_FIELD = _words(
    {
        "type": "datatype data_type kind sql_type dtype",
        "nullable": "null optional allow_null allows_null nullible",
        "nullable|did you mean nullable: false?": "not_null notnull required mandatory non_null non_nullable",
        "default": "default_value initial default_expression",
        "references": "fk foreign_key ref reference foreign relation belongs_to",
        "on_delete": "ondelete cascade delete_rule",
        "the key is said at the entity: primary_key: [id]": "primary_key pk primary key is_primary",
        "a key of type integer or bigint numbers its rows by itself; leave it out": (
            "auto_increment autoincrement identity serial auto auto_now"
        ),
        "enum": "values choices options allowed allowed_values one_of members in",
        'a check says it, with the column\'s name: check: "price >= 0"': (
            "min max minimum maximum range pattern regex format validate validation constraint "
            "constraints min_value "
            "max_value min_length gt ge lt le"
        ),
        "the type says it: varchar(200)": "length maxlength max_length size len limit",
        "the type says it: decimal(10,2)": "precision scale digits decimals decimal_places max_digits",
        "the type says it: text[]": "array list repeated many multiple",
        "the entity says it: indexes: [name]": "index indexed db_index",
        "generated": "computed generated_as expression calculated formula",
        "description": "desc comment doc docs title note notes label",
        "examples": "example sample samples",
        "a field's name is its column's; rename the field": "column column_name name db_column",
        "there is no key for it: a trigger of yours, or update_data, sets it": "on_update",
    }
)
_INDEX = _words(
    {
        "columns": "fields column field on keys cols",
        "where": "condition filter where_condition predicate partial",
        "method": "type using kind",
        "unique": "is_unique uniq",
        "name": "index_name",
    }
)
_PARAMETER = _words(
    {
        "type": "datatype data_type kind sql_type",
        "default": "default_value value initial",
        "description": "desc comment doc docs help title",
        "a parameter without a default is required; leave it out": ("required mandatory optional nullable"),
    }
)
_RELATION = _words(
    {
        "table": "name from relation table_name view",
        "query": "sql select statement",
        "a file is data_source: csv_file, and is named when it is run: specgen run OPERATION --input FILE": (
            "file csv csv_file path"
        ),
    }
)
_SETTINGS = _words(
    {
        "paths: {entities: entities, sql: generated, tests: tests/generated}": (
            "entities output out sql generated tests path folders directories output_dir migrations dirs"
        ),
        "no file names a database: pass --database-url, or set SPECGEN_DATABASE_URL": (
            "database database_url url dsn connection db host connection_string"
        ),
        "setup_sql": "setup sql_setup setup_files functions extensions init_sql",
        "postgres": "version pg postgres_version postgresql pg_version server_version",
        "runtime_schema": "runtime batch_schema log_schema",
        "notifications": "notify channels notification",
        "defaults": "default operation_defaults",
    }
)
_PATHS = _words(
    {
        "entities": "entity specs spec yaml models input source",
        "sql": "output out generated generate target",
        "tests": "test",
        "migrations": "migration",
    }
)
_OF_SETTINGS: Mapping[DataPath, Mapping[str, str]] = {
    (): _SETTINGS,
    ("defaults",): _OPERATION,
    ("paths",): _PATHS,
}
_FINDS = (
    'where_condition says which rows, such as "id = ANY(:ids)"; match_on is for the records of a data_source'
)
_VALUES = {
    "operation_type": _words(
        {
            "update": "modify change set patch",
            "insert": "create add new append",
            "upsert": "merge replace insert_or_update sync",
            "delete": "remove drop purge destroy",
            "select": "read get fetch find list",
            "custom_function": "function call procedure custom func",
        }
    ),
    "error_handling": _words(
        {
            "continue_on_error": "continue skip ignore skip_errors resume",
            "stop_on_error": "stop abort fail fail_fast raise halt",
            "collect_errors": "collect report gather",
        }
    ),
    "on_delete": _words({"set null": "null set_null nullify", "no action": "none nothing no_action"}),
}
_DATA_KEYS = {
    "insert": "insert_data",
    "upsert": "upsert_data",
    "select": "select_fields",
    "update": "update_data",
}


def meaning(
    key: str, path: DataPath, known: Collection[str], owner: Any, *, settings: bool = False
) -> Meaning | None:
    """Return what an unknown key was probably meant to say, if that can be told.

    Args:
        key: The unknown key.
        path: What it stands in.
        known: The keys that may stand there.
        owner: The map that it stands in.
        settings: Whether that is in ``specgen.yaml``.
    """
    torn = _torn(key, known, owner)
    if torn is not None:
        return Meaning(None, torn)
    word = _plain(key)
    same = next((name for name in known if _bare(name) == _bare(word)), None)
    if same is not None:
        return Meaning(same, f'did you mean "{same}"?')
    said = _table(path, settings=settings).get(word)
    if said is not None:
        return _said(said, known, owner)
    whole = [name for name in known if word in name.split("_")]
    near = closest(word, known, within=_slips(word)) or (whole[0] if len(whole) == 1 else None)
    return Meaning(near, f'did you mean "{near}"?') if near else None


def _torn(key: str, known: Collection[str], owner: Any) -> str | None:
    """Return what is right where YAML has made a key of a part of something."""
    name, colon, value = key.partition(":")
    if colon and name in known:
        return f"a blank is missing behind the colon: {name}: {value}"
    if key.endswith(")") and "(" not in key and isinstance(owner, dict):
        before = list(owner)[: list(owner).index(key)] if key in owner else []
        first = owner[before[-1]] if before else None
        if isinstance(first, str) and first.count("(") > first.count(")"):
            return f'in braces a comma ends a value: write {before[-1]}: "{first},{key}"'
    return None


def value_meant(key: str, value: str, allowed: Collection[str]) -> str | None:
    """Return which of the values that a key may have was probably meant.

    Args:
        key: The key.
        value: The value that it has.
        allowed: Those that it may have.
    """
    word = _plain(value)
    said = _VALUES.get(key, {}).get(word)
    by_lower = {item.lower(): item for item in allowed}
    return by_lower.get(said or "") or closest(word, allowed, within=_slips(word))


def _said(said: str, known: Collection[str], owner: Any) -> Meaning:
    if said == DATA:
        said = _data_key(owner)
    if said == "match_on" and isinstance(owner, dict) and owner.get("operation_type") == "upsert":
        said = "conflict_target"
    if said == "match_on" and isinstance(owner, dict) and "data_source" not in owner:
        return Meaning(None, _FINDS)
    if said in known:
        return Meaning(said, f'did you mean "{said}"?')
    key, form, advice = said.partition("|")
    if not form:
        return Meaning(None, said)
    return Meaning(key, advice, "csv_file" if key == "data_source" else None)


def _data_key(owner: Any) -> str:
    """Return the key that holds the values of an operation."""
    kind = owner.get("operation_type", owner.get("type")) if isinstance(owner, dict) else None
    if kind == "delete":
        return "a delete has no values; leave it out"
    if kind == "custom_function":
        return "input"
    return _DATA_KEYS.get(str(kind), "update_data")


def _table(path: DataPath, *, settings: bool) -> Mapping[str, str]:
    if settings:
        return _OF_SETTINGS.get(path, {})
    match path:
        case ():
            return _ENTITY
        case ("patterns", int()):
            return _OPERATION
        case ("patterns", int(), "steps", int()):
            return _STEP
        case ("fields", _):
            return _FIELD
        case ("indexes", int()):
            return _INDEX
        case (*_, "parameters", _):
            return _PARAMETER
        case (*_, "data_source"):
            return _RELATION
        case _:
            return {}


def _plain(key: str) -> str:
    """Return a key in the language's way of writing: ``batchSize`` and ``Batch-Size`` are ``batch_size``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return re.sub(r"[\s.-]+", "_", parted).lower().strip("_")


def _bare(word: str) -> str:
    return word.replace("_", "")


def _slips(word: str) -> int:
    """Return how many slips of the hand a word of its length may hold."""
    return 1 if len(word) <= 5 else 2 if len(word) <= 9 else 3
