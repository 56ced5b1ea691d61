"""What the validator says about a document, turned into findings that tell what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from specgen.spec.meant import value_meant
from specgen.spec.misplaced import DATA_KEYS, converted, elsewhere, inside_data
from specgen.spec.patterns import SCHEMAS
from specgen.spec.precheck import NOT_YET
from specgen.spec.schema import ENTITY, load_schema
from specgen.spec.suggest import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import DataPath
    from specgen.spec.unknown import UnknownKey

_KINDS = {
    "object": "a map of keys and values",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "nothing",
}


_TYPE_WORDS = {
    "update": "an update",
    "insert": "an insert",
    "upsert": "an upsert",
    "delete": "a delete",
    "select": "a select",
    "custom_function": "a custom_function",
}
_EXPECTED = {
    "csv_delimiter": "one character",
    "csv_escape": "one character",
    "csv_quote": "one character, or nothing",
    "data_source": 'the name of a parameter, such as ":records", csv_file, or a map with table or query',
    "input": 'a value such as ":list" or ":row.field", a list of values, or a map of named arguments',
    "max_errors": 'a whole number or a percentage such as "5%"',
    "timeout": 'a time such as "30 minutes"',
}


class Reporter:
    """Turns the validator's errors into findings."""

    def __init__(
        self,
        data: Any,
        key_span: Callable[[DataPath], Span],
        value_span: Callable[[DataPath], Span],
        findings: Findings,
        *,
        settings: bool = False,
    ) -> None:
        self.data = data
        self.settings = settings
        self.key_span = key_span
        self.value_span = value_span
        self.findings = findings

    def report(self, error: Any) -> None:
        """Add the findings of one validation error."""
        path: DataPath = tuple(error.absolute_path)
        validator = error.validator
        if validator == NOT_YET:
            self._not_yet(path, error)
        else:
            getattr(self, "_" + validator, self._other)(path, error)

    def _not_yet(self, path: DataPath, error: Any) -> None:
        what = error.message if error.message != "True" else str(path[-1])
        self.findings.error(
            "not-yet-supported",
            self.key_span(path),
            f'"{what}" is part of the language but not supported yet',
            "remove it; it is refused so that it is not silently ignored",
        )

    def report_unknown(self, unknown: UnknownKey) -> None:
        """Add the finding of a key that there is not."""
        key, path, known = unknown.key, unknown.path, unknown.known
        listed = ", ".join(sorted(name for name, schema in known.items() if not self._is_later(schema)))
        advice = unknown.meant.advice if unknown.meant else f"known keys: {listed}"
        self.findings.error(
            "unknown-key",
            self.key_span((*path, key)),
            f'unknown key "{key}" in {self._where(path)}',
            elsewhere(key, path, settings=self.settings) or advice,
        )

    @staticmethod
    def _is_later(schema: Any) -> bool:
        if "$ref" in schema:
            keys = load_schema(ENTITY)["$defs"]["keys"]
            schema = keys.get(schema["$ref"].rsplit("/", 1)[-1], {})
        return bool(schema.get(NOT_YET))

    def _required(self, path: DataPath, error: Any) -> None:
        missing = next(name for name in error.validator_value if name not in error.instance)
        # jsonschema yields one error for each missing name and only its text tells which.
        for name in error.validator_value:
            if error.message.startswith(repr(name)):
                missing = name
        where = self._where(path)
        help = self._example(missing, error.schema.get("properties", {}).get(missing))
        if missing == "type" and path[:1] == ("fields",) and "references" in error.instance:
            entity = str(error.instance["references"]).partition(".")[0]
            help = f"a field that refers has the type of the key: type: ref({entity})"
        if "match_on" in error.instance and missing == "data_source":
            message = f"{where} has match_on, which only says something with data_source"
        elif missing in (*DATA_KEYS, "conflict_target") and not _has_steps(error.instance):
            message = f"{where} is {self._type_word(error.instance)} and needs {missing}"
        else:
            message = f"{where} has no {missing}"
        self.findings.error("missing-key", self._anchor(path), message, help)

    def _not(self, path: DataPath, _error: Any) -> None:
        # `{"not": {}}` is how the schema forbids a key; for a plain `false` jsonschema loses the path.
        key = str(path[-1])
        owner = path[:-1]
        operation = self._value(owner)
        if _has_steps(operation):
            message = f"{self._where(owner)} has steps, so it cannot have {key} of its own"
            help = "move it into a step"
        else:
            message = f"{self._where(owner)} is {self._type_word(operation)} and cannot have {key}"
            help = self._mix_help(key)
        self.findings.error("wrong-mix", self.key_span(path), message, help)

    @staticmethod
    def _mix_help(key: str) -> str:
        owners = {
            "update_data": "an update has update_data",
            "insert_data": "an insert has insert_data",
            "upsert_data": "an upsert has upsert_data",
            "select_fields": "a select has select_fields",
            "conflict_target": "only an upsert has conflict_target",
            "update_columns": "only an upsert has update_columns",
            "where_condition": "an update, a delete or a select has where_condition",
            "match_on": "an update or a delete over records has match_on",
            "returning": "a select keeps what select_fields names",
            "data_source": "an insert, an upsert, an update or a delete has data_source",
            "function": "a custom_function has function",
            "input": "a custom_function has input",
        }
        return f"{owners[key]}; remove the key or change operation_type"

    def _anyOf(self, path: DataPath, error: Any) -> None:  # noqa: N802
        operation = error.instance
        if "steps" in operation:
            return  # what it says beside them is refused, and what it lacks is theirs
        where = self._where(path)
        inside = inside_data(operation)
        if inside is not None:
            key, data = inside
            self.findings.error(
                "missing-where",
                self.key_span((*path, data, key)),
                f"{key} of {where} stands inside {data}, where only columns stand",
                f"move it to the left, below the beginning of {data}",
            )
        elif "operation_type" in operation or "update_data" in operation:
            word = self._type_word(operation)
            self.findings.error(
                "missing-where",
                self._anchor(path),
                f"{where} is {word} and says neither where_condition nor data_source",
                'say which rows: where_condition: "id = ANY(:ids)", or data_source: :records; '
                'for the whole table say where_condition: "true"',
            )
        else:
            self.findings.error(
                "missing-key",
                self._anchor(path),
                f"{where} does not say what it does",
                "add operation_type: update, insert, upsert, delete, select or custom_function"
                + (", or steps" if path[-2:-1] == ("patterns",) else ""),
            )

    def _type(self, path: DataPath, error: Any) -> None:
        wanted = error.validator_value
        names = [wanted] if isinstance(wanted, str) else wanted
        key = str(path[-1]) if path else ""
        expected = _EXPECTED.get(key) or " or ".join(_KINDS[name] for name in names)
        if not path:
            self.findings.error(
                "wrong-type",
                self.value_span(path),
                f"the file must be a map of keys and values, not {kind_of(error.instance)}",
                "start with `name: ...`" if error.schema.get("$id") == ENTITY else None,
            )
            return
        message = f"{self._label(path)} must be {expected}, not {kind_of(error.instance)}"
        help = converted(key, error.instance, names) or self._example(key, error.schema)
        self.findings.error("wrong-type", self.value_span(path), message, help)

    def _enum(self, path: DataPath, error: Any) -> None:
        allowed = list(error.validator_value)
        label = self._label(path)
        if label == "name" and set(allowed) <= set(SCHEMAS):
            message, code = f"there is no pattern {_quoted(error.instance)}", "unknown-pattern"
        else:
            message, code = f"{label} cannot be {_quoted(error.instance)}", "wrong-value"
        near = value_meant(label, str(error.instance), allowed)
        listed = f"one of: {', '.join(allowed)}"
        help = f'did you mean "{near}"? ({listed})' if near else listed
        self.findings.error(code, self.value_span(path), message, help)

    def _minimum(self, path: DataPath, error: Any) -> None:
        message = f"{self._label(path)} is {error.instance}, but must be at least {error.validator_value}"
        self._range(path, message, error)

    def _maximum(self, path: DataPath, error: Any) -> None:
        message = f"{self._label(path)} is {error.instance}, but may be at most {error.validator_value}"
        self._range(path, message, error)

    def _range(self, path: DataPath, message: str, error: Any) -> None:
        help = self._example(str(path[-1]), error.schema)
        self.findings.error("out-of-range", self.value_span(path), message, help)

    def _pattern(self, path: DataPath, error: Any) -> None:
        label = self._label(path)
        if error.validator_value == "\\S":
            self.findings.error(
                "empty-value", self.value_span(path), f"{label} is empty", self._example(label, error.schema)
            )
        elif label in ("output", "name"):
            self.findings.error(
                "bad-name",
                self.value_span(path),
                f'"{error.instance}" cannot name a step\'s output, since no :name could refer to it',
                "use letters, digits and underscores",
            )
        elif path and path[-1] == "parameters":
            for name in error.instance if isinstance(error.instance, dict) else [error.instance]:
                self._bad_parameter_name(path, str(name))
        else:
            expected = _EXPECTED.get(str(path[-1]), "different")
            message = f"{label} must be {expected}, not {kind_of(error.instance)}"
            help = self._example(str(path[-1]), error.schema)
            self.findings.error("wrong-value", self.value_span(path), message, help)

    def _bad_parameter_name(self, path: DataPath, name: str) -> None:
        self.findings.error(
            "bad-name",
            self.key_span((*path, name)),
            f'"{name}" cannot name a parameter, since no :name could refer to it',
            "use letters, digits and underscores",
        )

    def _empty(self, path: DataPath, error: Any) -> None:
        self.findings.error(
            "empty-value",
            self.value_span(path),
            f"{self._label(path)} is empty",
            self._example(str(path[-1]), error.schema) if path else None,
        )

    _minLength = _minItems = _minProperties = _empty  # noqa: N815 - the keywords

    def _uniqueItems(self, path: DataPath, error: Any) -> None:  # noqa: N802
        seen: list[Any] = []
        for index, item in enumerate(error.instance):
            if item in seen:
                message = f"{self._label(path)} names {_quoted(item)} twice"
                self.findings.error("duplicate-value", self.value_span((*path, index)), message, "keep one")
            seen.append(item)

    def _other(self, path: DataPath, error: Any) -> None:
        self.findings.error("wrong-value", self.value_span(path), error.message)

    def _label(self, path: Sequence[str | int]) -> str:
        """Return the name of a value: its key, or ``an item of`` the list's key."""
        names = [part for part in path if isinstance(part, str)]
        if not names:
            return "the document"
        return f"an item of {names[-1]}" if isinstance(path[-1], int) else f"{names[-1]}"

    def _where(self, path: DataPath) -> str:
        match path:
            case ():
                return "the document" if not isinstance(self.data, dict) else self._document_name()
            case ("patterns", int()):
                name = self._value(path).get("operation")
                return f'operation "{name}"' if isinstance(name, str) else f"pattern {int(path[1]) + 1}"
            case ("patterns", int(), "steps", int()):
                name = self._value(path).get("name")
                return f'step "{name}"' if isinstance(name, str) else f"step {int(path[3]) + 1}"
            case ("fields", name):
                return f'field "{name}"'
            case _:
                return self._label(path)

    def _document_name(self) -> str:
        name = self.data.get("name")
        return f'entity "{name}"' if isinstance(name, str) else "the file"

    def _anchor(self, path: DataPath) -> Span:
        """Return where to point when something is absent: the first key of what it is absent from."""
        value = self._value(path)
        if isinstance(value, dict) and value:
            for key in ("operation", "name"):
                if key in value and path and path[0] == "patterns":
                    return self.key_span((*path, key))
            if path and isinstance(path[-1], str):
                return self.key_span(path)
            return self.key_span((*path, next(iter(value))))
        return self.value_span(path)

    def _value(self, path: DataPath) -> Any:
        value = self.data
        for part in path:
            value = value[part]
        return value

    @staticmethod
    def _type_word(operation: Any) -> str:
        said = operation.get("operation_type") if isinstance(operation, dict) else None
        if said in _TYPE_WORDS:
            return _TYPE_WORDS[said]
        for key in DATA_KEYS:
            if key in operation:
                return _TYPE_WORDS["custom_function" if key == "function" else key.split("_", maxsplit=1)[0]]
        return "an operation"

    @staticmethod
    def _example(key: str, violated: Any) -> str | None:
        """Return an example of the schema that is violated, or else, where that is shared, of the key."""
        schema = load_schema(ENTITY)
        found = violated if isinstance(violated, dict) and "examples" in violated else None
        found = found or schema["$defs"]["keys"].get(key) or schema["properties"].get(key)
        found = found or schema["$defs"]["pattern"]["properties"].get(key)
        if not found or not found.get("examples"):
            return None
        return f"for example: {key}: {_flow(found['examples'][0])}"


def _has_steps(operation: Any) -> bool:
    return isinstance(operation, dict) and "steps" in operation


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else kind_of(value)


def _flow(value: Any) -> str:
    """Return plain data as it would be written in YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case str() if value.isidentifier() or (value[:1] == ":" and value[1:].isidentifier()):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
