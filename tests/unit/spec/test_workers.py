"""What a spec says of workers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from specgen.spec.build import load_project
from specgen.spec.model import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.spec.build import Loaded

SPEC = """
name: user
fields: {id: uuid, email: string}
patterns:
  - name: batch_operations
    operation: touch
    operation_type: update
    update_data: {email: :email}
    where_condition: "id = ANY(:ids)"
"""
INTERVALS = ("timeout", "lock_timeout", "statement_timeout", "heartbeat_interval")


def load(folder: Path, keys: str, defaults: str = "") -> Loaded:
    lines = textwrap.indent(textwrap.dedent(keys).strip(), "    ")
    (folder / "user.yaml").write_text(SPEC + lines + "\n", encoding="utf-8")
    if defaults:
        (folder / "specgen.yaml").write_text(f"defaults: {defaults}\n", encoding="utf-8")
    return load_project([folder / "user.yaml"], root=folder)


def workers(folder: Path, keys: str, defaults: str = "") -> Workers:
    loaded = load(folder, keys, defaults)
    assert loaded.project, loaded.findings
    return loaded.project.entities[0].operations[0].workers


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("batch_size: 10", Workers()),
        ("parallel: true", Workers(parallel=True, max_workers=4)),
        ("parallel: false", Workers(max_workers=1)),
        ("parallel: true\nmax_workers: 2", Workers(parallel=True, max_workers=2)),
        (
            "parallel: true\nworker_batch_size: 250",
            Workers(parallel=True, max_workers=4, batch_size=250),
        ),
        (
            'max_errors_per_worker: 5\nheartbeat_interval: "10 seconds"',
            Workers(max_errors=5, heartbeat_ms=10_000),
        ),
        ("max_errors_per_worker: 0", Workers(max_errors=0)),
    ],
)
def test_what_is_said_is_read(keys: str, expected: Workers, tmp_path: Path) -> None:
    assert workers(tmp_path, keys) == expected


@pytest.mark.parametrize("key", ["max_workers: 4", "worker_batch_size: 250"])
@pytest.mark.parametrize("parallel", ["", "parallel: false\n"])
def test_a_number_of_workers_without_parallel_is_refused_where_it_stands(
    key: str, parallel: str, tmp_path: Path
) -> None:
    (finding,) = load(tmp_path, parallel + key).findings
    name = key.partition(":")[0]
    assert (finding.code, finding.message) == (
        "wrong-mix",
        f"{name} only says something with parallel: true",
    )
    line = (tmp_path / "user.yaml").read_text().splitlines()[finding.span.start.line - 1]
    assert line[finding.span.start.column - 1 :] == key


def test_a_default_of_the_project_speaks_to_the_operations_that_are_parallel(tmp_path: Path) -> None:
    defaults = "{max_workers: 3, worker_batch_size: 50}"
    assert workers(tmp_path, "batch_size: 10", defaults) == Workers()
    assert workers(tmp_path, "parallel: true", defaults) == Workers(
        parallel=True, max_workers=3, batch_size=50
    )
    assert workers(tmp_path, "parallel: false", "{parallel: true, max_workers: 3}") == Workers(max_workers=1)


@pytest.mark.parametrize("key", ["parallel: true", 'heartbeat_interval: "1s"'])
def test_an_atomic_operation_has_no_workers_to_speak_of(key: str, tmp_path: Path) -> None:
    (finding,) = load(tmp_path, f"atomic: true\n{key}").findings
    assert "one transaction" in finding.message
    assert load(tmp_path, "atomic: true\nparallel: false").project


@pytest.mark.parametrize(
    "wrong",
    ["max_workers: 0", "max_workers: 65", "max_workers: many", "worker_batch_size: 0", "parallel: 4",
     "max_errors_per_worker: -1", 'max_errors_per_worker: "5%"'],
)  # fmt: skip
def test_a_wrong_value_is_refused_where_it_stands(wrong: str, tmp_path: Path) -> None:
    parallel = "" if wrong.startswith("parallel") else "parallel: true\n"
    (finding,) = load(tmp_path, parallel + wrong).findings
    line = (tmp_path / "user.yaml").read_text().splitlines()[finding.span.start.line - 1]
    assert line.strip() == wrong


@pytest.mark.parametrize("wrong", ["10 secs ago", "soon", "5 parsecs", "-1s", "1:2"])
@pytest.mark.parametrize("key", INTERVALS)
def test_an_interval_that_does_not_parse_has_its_line_and_column(
    key: str, wrong: str, tmp_path: Path
) -> None:
    (finding,) = load(tmp_path, f'{key}: "{wrong}"').findings
    assert finding.code == "bad-interval"
    assert wrong in finding.message
    assert (finding.span.start.line, finding.span.start.column) == (10, len(key) + 7)


@pytest.mark.parametrize("key", INTERVALS)
def test_an_interval_that_does_not_parse_is_found_in_the_defaults(key: str, tmp_path: Path) -> None:
    (finding,) = load(tmp_path, "batch_size: 10", f'{{{key}: "soon"}}').findings
    assert (finding.code, finding.span.file) == ("bad-interval", "specgen.yaml")


def test_a_backoff_that_does_not_parse_has_its_line_and_column(tmp_path: Path) -> None:
    (finding,) = load(tmp_path, 'retry: {max_attempts: 2, backoff: "soon"}').findings
    assert finding.code == "bad-interval"
    assert (finding.span.start.line, finding.span.start.column) == (10, 39)
