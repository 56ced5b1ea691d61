"""``specgen run`` when the connection is lost between the call and its answer."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import closing
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from cutting import When, cutter
from gates import GATES, PATIENCE, closed, row_gate, wait_until

if TYPE_CHECKING:
    from pathlib import Path

IDS = tuple(part for number in range(1, 61) for part in ("-p", f"ids={number}"))
IMPATIENT = "from specgen.runtime import lost; lost.RECONNECT_DELAYS = (0.01, 0.02); " + counting.PROGRAM

WAYS = {
    "submitted": (("count_items", *IDS), '"count_items_submit"('),
    "in one call": (("count_items", *IDS, "--once"), '"count_items"('),
    "atomic, with notices": (("count_atomic", *IDS), '"count_atomic"('),
    "a file": (("count_records", "--input", "FILE"), "COMMIT"),
    "a file, its submission": (("count_records", "--input", "FILE"), '"count_records_submit"('),
    "a file in one transaction": (("count_records", "--input", "FILE", "--once"), "COMMIT"),
}
GOES_ON = ("submitted", "a file", "a file, its submission")


@pytest.fixture
def arguments(request: pytest.FixtureRequest, tmp_path: Path, project: Path) -> tuple[str, ...]:
    """The arguments of a way to run."""
    file = tmp_path / "records of today.jsonl"
    file.write_text("".join(f'{{"id": {number}, "n": 1}}\n' for number in range(1, 61)))
    given, _ = WAYS[request.getfixturevalue("way")]
    return ("run", *(str(file) if part == "FILE" else part for part in given), "--project", str(project))


def written(dsn: str) -> list[tuple[int, int]]:
    """The records that are not as they were."""
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT id, n FROM tally WHERE n <> 0 ORDER BY id").fetchall()


ONCE_EACH = [(number, 1) for number in range(1, 61)]


def repeated(dsn: str, told: str) -> tuple[int, str, str]:
    """Give the command that a run has told of; it names the id."""
    found = re.search(r"specgen run .*-o operation_id=\S+.*", told)
    assert found, told
    return counting.run(dsn, *shlex.split(found[0])[1:])


@pytest.mark.parametrize("way", WAYS)
def test_work_whose_answer_was_lost_is_told_and_not_done_again(
    tallies: str, arguments: tuple[str, ...], way: str
) -> None:
    with cutter(tallies, WAYS[way][1], "after") as (proxy, dsn):
        code, out, err = counting.run(dsn, *arguments)
    assert proxy.cuts == 1
    assert code == 0, err
    assert "60 total = 60 processed + 0 skipped + 0 failed" in out
    assert written(tallies) == ONCE_EACH
    with psycopg.connect(tallies) as connection:
        assert connection.execute("SELECT count(*) FROM batch_operations").fetchone() == (1,)


@pytest.mark.parametrize("way", WAYS)
def test_work_that_was_never_begun_is_begun_once(tallies: str, arguments: tuple[str, ...], way: str) -> None:
    with cutter(tallies, WAYS[way][1], "before") as (proxy, dsn):
        code, out, err = counting.run(dsn, *arguments)
        assert proxy.cuts == 1
        if way in GOES_ON:
            assert code == 0, err
        else:
            assert (code, out) == (3, ""), err
            assert "nothing was changed" in err
            assert written(tallies) == []
            code, out, err = repeated(dsn, err)
    assert code == 0, err
    assert "60 total = 60 processed + 0 skipped + 0 failed" in out
    assert written(tallies) == ONCE_EACH


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["submitted", "in one call", "a file in one transaction"])
def test_a_database_that_stays_away_leaves_a_command_that_doubles_nothing(
    tallies: str, arguments: tuple[str, ...], way: str, when: When
) -> None:
    with cutter(tallies, WAYS[way][1], when) as (proxy, dsn):
        proxy.on_cut = proxy.gone.set
        process = counting.specgen(dsn, *arguments, code=IMPATIENT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (3, ""), err
    assert "whether the call was done is not known" in err
    found = re.search(r"specgen status (\S+)", err)
    assert found, err
    code, out, told = counting.run(tallies, "status", found[1], "--project", arguments[-1])
    assert (code, "60" in out) == ((0, True) if when == "after" else (2, False)), told
    for _ in range(2):
        code, out, err = repeated(tallies, err) if "operation_id=" in err else (code, out, err)
        assert code == 0, err
        assert "60 total = 60 processed + 0 skipped + 0 failed" in out
        assert written(tallies) == ONCE_EACH


@pytest.mark.parametrize("way", ["in one call"])
def test_a_call_that_is_still_at_work_is_waited_for(
    tallies: str, arguments: tuple[str, ...], way: str
) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute((GATES + row_gate(1, "tally", 55)).encode())
    with closed(tallies, 1) as gate, cutter(tallies, WAYS[way][1], "meanwhile") as (_, dsn):
        process = counting.specgen(dsn, *arguments)
        with closing(process.stderr) as told:  # type: ignore[type-var]
            assert told is not None
            assert "still at work in the database" in told.readline()
            gate.rollback()
            err = told.read()
        assert process.stdout is not None
        with closing(process.stdout) as shown:
            out = shown.read()
        code = process.wait(PATIENCE)
    assert code == 0, err
    assert "60 total = 60 processed + 0 skipped + 0 failed" in out
    assert written(tallies) == ONCE_EACH


@pytest.mark.parametrize("way", ["in one call"])
def test_a_call_that_works_on_for_long_is_said_to_be_unknown_and_its_repetition_waits(
    tallies: str, arguments: tuple[str, ...], way: str
) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute((GATES + row_gate(1, "tally", 55)).encode())
        with closed(tallies, 1) as gate, cutter(tallies, WAYS[way][1], "meanwhile") as (_, dsn):
            process = counting.specgen(dsn, *arguments, code=IMPATIENT)
            out, err = process.communicate(timeout=PATIENCE)
            assert (process.returncode, out) == (3, "")
            assert "whether the call was done is not known" in err
            found = re.search(r"specgen status (\S+)", err)
            assert found, err
            status = ("status", found[1], "--project", arguments[-1])
            assert "at work, in one call" in counting.run(tallies, *status)[1]
            assert json.loads(counting.run(tallies, *status, "--json")[1])["status"] == "running"
            gate.rollback()
        wait_until(
            lambda: connection.execute("SELECT batch_call_state(%s)", [found[1]]).fetchone() == ("stored",)
        )
    code, out, err = repeated(tallies, err)
    assert code == 0, err
    assert "60 total = 60 processed + 0 skipped + 0 failed" in out
    assert written(tallies) == ONCE_EACH


@pytest.mark.parametrize("way", ["in one call", "a file in one transaction"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dry_run_that_is_cut_off_has_changed_nothing(
    tallies: str, arguments: tuple[str, ...], way: str, when: When
) -> None:
    word = WAYS[way][1].replace("COMMIT", "ROLLBACK")
    given = tuple(part for part in arguments if part != "--once")
    with cutter(tallies, word, when) as (_, dsn):
        code, out, err = counting.run(dsn, *given, "--dry-run")
    if "transaction" in way:  # which has all there is to tell before it is undone
        assert code == 0, err
        assert "60 total = 60 processed + 0 skipped + 0 failed" in out
    else:
        assert (code, out) == (3, ""), err
        assert "nothing was changed by the dry run" in err
    assert written(tallies) == []


def test_a_password_is_not_in_the_command_to_repeat(tallies: str, project: Path) -> None:
    given = ("run", "count_items", "-p", "ids=1", "--once", "--project", str(project))
    with cutter(tallies, '"count_items"(', "before") as (_, dsn):
        _, _, err = counting.run("", *given, "--database-url", dsn)
    assert "operation_id=" in err
    password = str(psycopg.conninfo.conninfo_to_dict(tallies)["password"])
    assert password not in err


def test_the_id_of_a_run_may_be_given(tallies: str, project: Path) -> None:
    given = ("run", "count_items", "-p", "ids=1", "--project", str(project))
    code, _, err = counting.run(tallies, *given, "-o", "operation_id=7")
    assert code == 2
    assert 'option operation_id: "7" is not a UUID' in err
    wanted = "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11"
    for _ in range(2):
        code, _, err = counting.run(tallies, *given, "-o", f"operation_id={wanted}")
        assert (code, f"submitted as {wanted}" in err) == (0, True), err
    assert written(tallies) == [(1, 1)]
