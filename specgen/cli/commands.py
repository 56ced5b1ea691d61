"""The command classes: commands that show examples, and groups that import a command when it is called.

Starting up is what people wait for most often, so nothing here imports more than click.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import click

from specgen.database.argv import hide_secrets, urls, without_logins
from specgen.errors import SpecgenError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""What a shell reports for a program that SIGINT ended: 128 + 2."""


class Command(click.Command):
    """A command whose help ends with examples, each of which a test runs."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class Forms(Command):
    """A command with sub-forms: a word that, standing first, makes it another command.

    ``generate PATHS`` and ``generate tests PATHS``. A click group can't take paths of its own, since it
    takes them for commands.
    """

    def __init__(self, *args: Any, forms: Mapping[str, click.Command], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.forms = dict(forms)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Hand over to the form that the first word names."""
        if args and args[0] in self.forms:
            form = self.forms[args[0]]
            return form.make_context(f"{info_name} {args[0]}", args[1:], parent=parent, **extra)
        near = _near(args[0], list(self.forms)) if args and not os.path.exists(args[0]) else None  # noqa: PTH110
        if near:
            name = f"{parent.command_path} {info_name}" if parent else info_name
            message = f"there is no path {args[0]!r}. Did you mean '{name} {near}'?"
            raise click.UsageError(message, click.Context(self, parent=parent, info_name=info_name))
        return super().make_context(info_name, args, parent=parent, **extra)

    def complete(self, incomplete: str) -> list[CompletionItem]:
        """Offer the forms' words, and leave files to the shell."""
        from click.shell_completion import CompletionItem

        words = [
            CompletionItem(word, help=form.get_short_help_str())
            for word, form in self.forms.items()
            if incomplete and word.startswith(incomplete)
        ]
        return [*words, CompletionItem(incomplete, type="file")]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the forms after the options."""
        super().format_options(ctx, formatter)
        with formatter.section("Forms"):
            formatter.write_dl(
                [(f"{ctx.info_name} {word}", form.get_short_help_str()) for word, form in self.forms.items()]
            )


def _near(word: str, words: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, words, n=1)), None)


class LazyGroup(click.Group):
    """A group whose commands are named by where they stand, ``module:attribute``.

    Args:
        lazy: Where each command stands.
        elsewhere: What other programs call a command, and how it is called here.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str],
        elsewhere: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.lazy = dict(lazy)
        self.elsewhere = dict(elsewhere or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of a first use, not of the alphabet."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute = self.lazy[cmd_name].split(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as missing:
            if missing.name != module:
                raise
            return None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which command was probably meant by a word that is none."""
        word = args[0]
        if not word.startswith("-") and word not in self.list_commands(ctx):
            near = self.elsewhere.get(word) or _near(word, self.list_commands(ctx))
            hint = f" Did you mean {near!r}?" if near else ""
            ctx.fail(f"No such command {word!r}.{hint}")
        return super().resolve_command(ctx, args)


class Program(LazyGroup):
    """The whole program: what is raised below becomes a message and an exit code here, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run, and exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        hide_secrets()
        try:
            result = super().main(arguments, "specgen", standalone_mode=False)
            # Only here can a full disk or a closed pipe still be told.
            sys.stdout.flush()
            code = result if isinstance(result, int) else 0
        except BrokenPipeError:
            # The interpreter would flush once more when it ends, and complain. The code is click's.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 1
        except Exception as error:
            if debugging(arguments):
                _print_traceback(arguments)
            code = tell(error, arguments)
        except KeyboardInterrupt:
            code = tell(click.Abort())
        sys.exit(code)


def debugging(arguments: Sequence[str]) -> bool:
    """Whether tracebacks were asked for; told without parsing, which may be what failed."""
    return "--debug" in arguments[:1] or bool(os.environ.get("SPECGEN_DEBUG"))


def _print_traceback(arguments: Sequence[str]) -> None:
    from specgen.cli.printing import say

    say(_without_secrets(traceback.format_exc(), arguments), err=True, nl=False)


def _without_secrets(text: str, arguments: Sequence[str]) -> str:
    """Return a text that nobody wrote for people without any secret of the databases that were named."""
    if "psycopg" in sys.modules:  # else no connection string has been read yet
        from specgen.database.conninfo import masked, secrets_of

        named = ("SPECGEN_DATABASE_URL", "SPECGEN_TEST_DATABASE_URL")
        for dsn in (*urls(arguments), *(os.environ.get(name, "") for name in named)):
            text = masked(text, secrets_of(dsn, os.environ))
    return without_logins(text)


def tell(error: Exception, arguments: Sequence[str] = ()) -> int:
    """Print an error for people and return the exit code that goes with it."""
    from specgen.cli.printing import indented, say_usage
    from specgen.cli.printing import say as print_text

    def say(text: str, *, err: bool) -> None:
        print_text(without_logins(text), err=err)

    match error:
        case click.ClickException():
            say_usage(error)
            return error.exit_code
        case click.Abort():
            say("Aborted.", err=True)
            return INTERRUPTED
        case SpecgenError():
            say(indented(f"error: {error}"), err=True)
            if error.help:
                say(indented(f"   help: {error.help}"), err=True)
            return error.exit_code
        case OSError() if error.strerror:
            place = f"{error.filename}: " if error.filename else ""
            say(indented(f"error: {place}{error.strerror}"), err=True)
            return 1
        case _:
            what = _without_secrets(f"{type(error).__name__}: {error}", arguments)
            say(indented(f"error: internal error: {what}"), err=True)
            say("   help: this is a defect of specgen; `specgen --debug …` shows where it happened", err=True)
            return 1
