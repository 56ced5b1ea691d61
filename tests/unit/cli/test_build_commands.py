"""init, validate, generate and explain, as they are called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from specgen.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

OPERATION = """
patterns:
  - name: batch_operations
    operation: set_{name}
    operation_type: update
    update_data: {{label: :label}}
    where_condition: "id = ANY(:ids)"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two entities, the second of which refers to the first; it is the current folder."""
    monkeypatch.chdir(tmp_path)
    entity(tmp_path, "a", "label: text")
    entity(tmp_path, "b", "label: text, a_id: ref(a)")
    return tmp_path


def entity(folder: Path, name: str, fields: str) -> Path:
    path = folder / "entities" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: {name}\nfields: {{id: bigint, {fields}}}\n" + OPERATION.format(name=name))
    return path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_init_makes_a_project_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", "shop").exit_code == 0
    monkeypatch.chdir(tmp_path / "shop")
    assert run("validate").stdout == "1 entity, 2 operations: valid\n"
    assert run("generate").exit_code == 0
    assert run("generate", "--check").exit_code == 0
    assert run("explain", "complete_tasks").exit_code == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "specgen.yaml").write_text("schema: mine\n")
    result = run("init", str(tmp_path))
    assert result.exit_code == 0
    assert f"     skip  {tmp_path / 'specgen.yaml'}\n" in result.stdout
    assert (tmp_path / "specgen.yaml").read_text() == "schema: mine\n"


def test_validate_in_every_form(project: Path) -> None:
    entity(project, "a", "label: text, extra: strng")
    for form in ("text", "json", "sarif", "github"):
        result = run("validate", "--format", form)
        assert result.exit_code == 1
        assert result.stderr.endswith("1 error in 1 file\n")
        assert "entities/a.yaml" in (result.stderr if form == "text" else result.stdout)
        if form in ("json", "sarif"):
            json.loads(result.stdout)


def test_code_review_tools_get_paths_from_where_they_look(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity(project, "a", "label: text, extra: strng")
    monkeypatch.chdir(project.parent)
    for form in ("sarif", "github"):
        result = run("validate", "--project", project.name, "--format", form)
        assert f"{project.name}/entities/a.yaml" in result.stdout


def test_warnings_alone_are_no_failure(project: Path) -> None:
    path = project / "entities" / "a.yaml"
    path.write_text(path.read_text().replace(":label}", "'label || 1'}"))
    result = run("validate")
    assert result.exit_code == 0
    assert result.stderr.endswith("1 warning in 1 file\n")


def test_validate_is_about_the_files_it_was_given(project: Path) -> None:
    entity(project, "c", "label: text, x: strng")
    other = run("validate", "entities/c.yaml")
    assert other.exit_code == 1
    assert "entities/c.yaml" in other.stderr


def test_generate_writes_once(project: Path) -> None:
    first = run("generate")
    assert first.exit_code == 0
    assert names(project / "generated") == ["00_runtime.sql", "10_a.sql", "11_b.sql"]
    assert "   create  generated/11_b.sql\n" in first.stdout
    second = run("generate")
    assert (second.stdout, second.exit_code) == ("", 0)


def test_generate_part_of_a_project(project: Path) -> None:
    run("generate")
    (project / "generated" / "12_b.sql").write_text((project / "generated" / "11_b.sql").read_text())
    (project / "generated" / "11_b.sql").unlink()
    result = run("generate", "entities/b.yaml")
    assert result.exit_code == 0
    assert names(project / "generated") == ["00_runtime.sql", "10_a.sql", "11_b.sql"]


def test_check_names_every_file(project: Path) -> None:
    run("generate")
    generated = project / "generated"
    (generated / "10_a.sql").write_text((generated / "10_a.sql").read_text() + "-- by hand\n")
    (generated / "11_b.sql").rename(generated / "13_old.sql")
    before = names(generated)
    result = run("generate", "--check")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "  differs  generated/10_a.sql",
        "  missing  generated/11_b.sql",
        "    stale  generated/13_old.sql",
    ]
    assert names(generated) == before


def test_diff_and_dry_run_write_nothing(project: Path) -> None:
    different = run("generate", "--diff")
    assert "+++ b/10_a.sql" in different.stdout
    assert different.exit_code == 1
    assert "create  generated/10_a.sql" in run("generate", "--dry-run").stdout
    assert not (project / "generated").exists()


def test_diff_of_what_is_up_to_date_is_empty_and_no_failure(project: Path) -> None:
    run("generate")
    same = run("generate", "--diff")
    assert (same.stdout, same.exit_code) == ("", 0)


def test_a_file_of_somebody_else_is_not_overwritten(project: Path) -> None:
    (project / "generated").mkdir()
    (project / "generated" / "10_a.sql").write_text("SELECT 1;\n")
    result = run("generate")
    assert result.exit_code == 1
    assert "[not-generated]" in result.stderr
    assert names(project / "generated") == ["10_a.sql"]


def test_nothing_is_written_when_there_is_an_error(project: Path) -> None:
    entity(project, "b", "label: text, a_id: ref(c)")
    assert run("generate").exit_code == 1
    assert not (project / "generated").exists()


def test_a_broken_template_of_the_project_is_told(project: Path) -> None:
    (project / "templates" / "entity").mkdir(parents=True)
    (project / "templates" / "entity" / "entity.sql.j2").write_text("CREATE TABEL;\n")
    result = run("generate")
    assert result.exit_code == 1
    assert "10_a.sql:1:8: error[broken-sql]" in result.stderr
    assert not (project / "generated").exists()


def test_forms_of_generate(project: Path) -> None:
    assert run("generate", "tests", "entities/a.yaml", "--dry-run").exit_code == 0
    folder = project / "tests"
    folder.mkdir()
    (folder / "c.yaml").write_text("name: c\nfields: {id: bigint}\n")
    result = run("generate", "./tests", "--dry-run")
    assert result.exit_code == 0
    assert "10_c.sql" in result.stdout


def test_explain(project: Path) -> None:
    text = run("explain", "set_a").stdout
    assert "public.set_a(ids bigint[], label text, dry_run boolean DEFAULT false" in text
    assert "UPDATE public.a" in text
    data = json.loads(run("explain", "set_a", "--json").stdout)
    assert [item["name"] for item in data["parameters"]] == ["ids", "label", "dry_run", "options"]
    assert list(data["statements"]) == ["items"]
    unknown = run("explain", "set_c")
    assert unknown.exit_code == 2
    assert "set_a" in unknown.stderr or "set_b" in unknown.stderr


def test_explain_tells_what_a_step_has_of_its_own(project: Path) -> None:
    (project / "entities/a.yaml").write_text(
        "name: a\nfields: {id: bigint, label: text}\npatterns:\n"
        "  - name: batch_operations\n    operation: tidy_a\n    batch_size: 100\n    steps:\n"
        '      - {name: find_empty, select_fields: [id], where_condition: "label IS NULL", batch_size: 500}\n'
        '      - {name: drop_empty, operation_type: delete, where_condition: "id IN (:empty_ids)"}\n'
    )
    lines = run("explain", "tidy_a").stdout.splitlines()
    steps = lines[lines.index("Steps") + 1 : lines.index("Settings")]
    assert [line.split() for line in steps if line.lstrip().startswith("with ")] == [
        ["with", "batch_size", "500"]
    ]


def test_explain_calls_an_output_as_the_spec_does(project: Path) -> None:
    (project / "entities/a.yaml").write_text(
        "name: a\nfields: {id: bigint, label: text}\npatterns:\n"
        "  - name: batch_operations\n    operation: copy_a\n    steps:\n"
        '      - {name: find_old, output: old_rows, select_fields: [label], where_condition: "id < 5"}\n'
        "      - {name: add_new, operation_type: insert, insert_data: {label: :old_rows.label}}\n"
    )
    assert "reads         :old_rows.label  text, of find_old" in run("explain", "copy_a").stdout


def test_running_an_operation_repeats_no_warnings_about_the_spec(project: Path) -> None:
    spec = project / "entities" / "a.yaml"
    spec.write_text(spec.read_text().replace("label: :label", 'label: "now() - interval"'))
    assert "warning[looks-like-sql]" in run("validate").stderr
    done = run(
        "run", "set_b", "-p", "label=x", "-p", "ids={1}", "--database-url", "postgresql://127.0.0.1:1/x"
    )
    assert done.exit_code == 3
    assert "warning" not in done.stderr
