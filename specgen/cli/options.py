"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

PROVIDERS = ("auto", "url", "container", "embedded")


class SpecPath(click.Path):
    """A path to spec files; of one that is not there, the file that was probably meant is named."""

    def fail(
        self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None
    ) -> NoReturn:
        """Say that it is no such path."""
        match = re.search(r"'(.*)' does not exist", message)
        stem = Path(match[1]).stem if match else ""
        found = sorted(Path().glob(f"*/{stem}.y*ml")) if re.fullmatch(r"[\w-]+", stem) else []
        super().fail(f"{message} Did you mean '{found[0]}'?" if found else message, param, ctx)


def project_option(function: F) -> F:
    """``--project DIR``: the folder of ``specgen.yaml``, as ``project: Path``."""
    return click.option(
        "--project",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="Folder of specgen.yaml.  [default: this folder]",
    )(function)


def paths_argument(function: F) -> F:
    """``PATHS``: spec files or folders, as ``paths: tuple[Path, ...]``; none means the project's."""
    return click.argument("paths", nargs=-1, type=SpecPath(exists=True, path_type=Path))(function)


def json_option(function: F) -> F:
    """``--json``: the result for programs, as ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def url_option(function: F) -> F:
    """``--database-url URL``, as ``database_url: str | None``; by itself it never starts a database."""
    return click.option(
        "--database-url",
        metavar="URL",
        help="The database; else SPECGEN_DATABASE_URL, else libpq's own variables, such as PGHOST, PGSERVICE "
        "and PGDATABASE.",
    )(function)


def test_server_options(function: F) -> F:
    """Which server to make databases for tests on: what ``specgen.database.provider.choose`` takes.

    ``database_url: str | None``, ``provider: str | None`` (None for ``auto``), ``postgres: int | None``.
    """
    for decorate in (
        click.option(
            "--postgres", type=click.IntRange(min=15), metavar="N", help="Major version of the server."
        ),
        click.option(
            "--provider",
            type=click.Choice(PROVIDERS),
            default="auto",
            callback=lambda _context, _parameter, value: None if value == "auto" else value,
            help="Where the server comes from; auto: a URL, else Docker, else the embedded one."
            "  [default: auto]",
        ),
        click.option(
            "--database-url",
            metavar="URL",
            help="A server to make databases for tests on, and drop them; else SPECGEN_TEST_DATABASE_URL.",
        ),
    ):
        function = decorate(function)
    return function
