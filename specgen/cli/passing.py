"""Parameters of an operation on the command line, as they are often passed, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_FLAGS = ("-p", "--parameter", "-o", "--option")


class TakesParameters(Command):
    """A command with ``-p NAME=VALUE`` that says so to who writes it otherwise."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name, _, value = error.option_name.lstrip("-").partition("=")
            if len(name) > 1 and not error.possibilities:
                raise _with(error, f"a parameter is passed as -p {name}={value or 'VALUE'}", ctx) from error
            raise
        except click.UsageError as error:
            hint = _hint(given) if "extra argument" in error.format_message() else None
            if hint:
                raise _with(error, hint, ctx) from error
            raise


def _with(error: click.UsageError, hint: str, ctx: click.Context) -> click.UsageError:
    return click.UsageError(f"{error.format_message().rstrip('.')}: {hint}", ctx)


def _hint(args: Sequence[str]) -> str | None:
    for flag, name, value in zip(args, args[1:], args[2:], strict=False):
        if flag in _FLAGS and "=" not in name and not value.startswith("-"):
            return f"name and value are one word: {flag} {name}={value}"
    for before, word in zip(("", *args), args, strict=False):
        if "=" in word and not word.startswith("-") and not before.startswith("-"):
            return f"a parameter is passed as -p {word}"
        if word.endswith(_FILES) and not before.startswith("-"):
            return f"a file is passed as --input {word}"
    return None
