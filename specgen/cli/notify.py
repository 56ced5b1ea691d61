"""``specgen notify``: delivers the messages of operations that have ended."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from specgen.cli.commands import Command
from specgen.cli.interrupt import interrupted, stopping
from specgen.cli.options import json_option, project_option, url_option
from specgen.cli.printing import indented, say, visible
from specgen.cli.target import settings_or_exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from specgen.cli.interrupt import Interruption
    from specgen.runtime.outbox import Delivery, Message, Outbox, Policy, Waiting
    from specgen.spec.model import Settings

APPLICATION = "specgen notify"
SHOWN_DEAD = 20
POLL = 10.0
# Messages that stay due, of a channel where nobody answers, must not make the wait none at all.
LEAST_WAIT = 1.0
LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class Addresses:
    """Where messages go.

    Attributes:
        usable: Channel → URL.
        problems: Channel → why it has none, of those that ``specgen.yaml`` names.
    """

    usable: dict[str, str] = field(default_factory=dict, repr=False)
    problems: dict[str, str] = field(default_factory=dict)

    def problem(self, channel: str) -> tuple[str, str | None]:
        """Return why a channel's messages cannot be delivered, and what would help."""
        from specgen.spec.suggest import did_you_mean

        if channel in self.problems:
            return self.problems[channel], None
        near = did_you_mean(channel, self.usable)
        return (
            f'specgen.yaml does not say where channel "{channel}" leads',
            near or f"add it: notifications: {{{channel}: {{env: VARIABLE}}}}",
        )


@click.command(
    "notify",
    cls=Command,
    examples=("specgen notify", "specgen notify --retry-dead", "specgen notify --max-attempts 3 --json"),
)
@click.option("--watch", is_flag=True, help="Keep listening, and deliver as operations end; until Ctrl-C.")
@click.option("--retry-dead", is_flag=True, help="First have all dead messages tried again.")
@click.option(
    "--max-attempts",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="After so many failures a message is dead.",
)
@click.option(
    "--backoff",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="The wait after a first failure; doubled with each further one, up to an hour.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one attempt may take.",
)
@url_option
@project_option
@json_option
def notify(
    *,
    watch: bool,
    retry_dead: bool,
    max_attempts: int,
    backoff: float,
    timeout: float,
    database_url: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Deliver the messages that operations left in the outbox.

    Each goes to the address that specgen.yaml gives its channel under notifications, at least once; it is
    marked in the database when it is delivered. What fails is tried again by the next call that comes
    after its wait, and is dead after too many attempts, until --retry-dead. Exit code 1: something could
    not be delivered.
    """
    from specgen.database.connection import database_url as resolve
    from specgen.runtime.outbox import Policy

    if watch and as_json:
        raise click.UsageError("--json goes not with --watch")
    url = resolve(database_url)
    settings = settings_or_exit(project)
    policy = Policy(max_attempts, backoff, timeout)
    notifier = _Notifier(url, settings.runtime_schema, _addresses(settings), policy)
    if watch:
        notifier.watch(retry_dead=retry_dead)
    else:
        notifier.once(retry_dead=retry_dead, as_json=as_json)


def _addresses(settings: Settings) -> Addresses:
    from specgen.runtime.channels import flaw

    found = Addresses()
    for channel in settings.notifications:
        url = channel.url or os.environ.get(channel.env or "")
        wrong = flaw(url) if url else f"the environment variable {channel.env} is not set"
        if url is None or wrong:
            found.problems[channel.name] = f'channel "{channel.name}": {wrong}'
        else:
            found.usable[channel.name] = url
    return found


@dataclass(slots=True)
class _Notifier:
    """Delivers, and says so."""

    url: str = field(repr=False)
    runtime: str
    addresses: Addresses
    policy: Policy
    _told: set[str] = field(default_factory=set)

    def once(self, *, retry_dead: bool, as_json: bool) -> None:
        """Try each message that is due once.

        Raises:
            click.exceptions.Exit: Something could not be delivered, or somebody interrupted.
        """
        from specgen.cli import show
        from specgen.database.connection import connect, translated

        deliveries: list[Delivery] = []
        with connect(self.url, application=APPLICATION) as connection, translated():
            outbox = self._outbox(connection, retry_dead=retry_dead)
            with _stopping() as interruption:
                for delivery in outbox.deliver(self.addresses.usable, self.policy):
                    deliveries.append(delivery)
                    if not as_json:
                        self._tell(delivery)
                    if interruption.asked:
                        break
            waiting, dead = outbox.waiting(), outbox.dead(SHOWN_DEAD)
        if as_json:
            show.print_json(self._document(deliveries, waiting, dead))
        stuck = self._tell_waiting(waiting)
        _tell_dead(dead)
        if interruption.asked:
            raise interrupted()
        if stuck or any(delivery.error is not None for delivery in deliveries):
            raise click.exceptions.Exit(1)

    def watch(self, *, retry_dead: bool) -> None:
        """Deliver until interrupted; a database that goes away is waited for, once it has been there.

        Raises:
            DatabaseUnavailable: It has never been there.
        """
        from specgen.database.connection import connect, translated
        from specgen.errors import DatabaseUnavailable

        pause = 0.0
        with _stopping() as interruption:
            while not interruption.asked:
                try:
                    with connect(self.url, application=APPLICATION) as connection, translated():
                        outbox = self._outbox(connection, retry_dead=retry_dead)
                        retry_dead, pause = False, LEAST_WAIT
                        outbox.listen()
                        say("listening; Ctrl-C ends it", err=True)
                        while not interruption.asked:
                            self._deliver_and_wait(outbox, interruption)
                except DatabaseUnavailable as error:
                    if not pause:
                        raise
                    say(f"{indented(str(error))}; trying again in {pause:g} s", err=True)
                    _sleep(pause, interruption)
                    pause = min(2 * pause, LONGEST_PAUSE)

    def _deliver_and_wait(self, outbox: Outbox, interruption: Interruption) -> None:
        for delivery in outbox.deliver(self.addresses.usable, self.policy):
            self._tell(delivery)
            if interruption.asked:
                return
        waiting = outbox.waiting()
        self._tell_waiting(waiting)
        due = [item.due_in for item in waiting if item.channel in self.addresses.usable]
        outbox.wait(min(max([LEAST_WAIT, min(due, default=POLL)]), POLL), lambda: interruption.asked)

    def _outbox(self, connection: Any, *, retry_dead: bool) -> Outbox:
        """Return the outbox.

        Raises:
            UsageError: The database has none.
            Refused: It is of another version of the runtime.
        """
        from specgen.database.version import require_version
        from specgen.runtime.outbox import Outbox

        require_version(connection, self.runtime)
        outbox = Outbox(connection, self.runtime)
        if retry_dead:
            say(f"{_messages(outbox.retry_dead())} from the dead", err=True)
        return outbox

    def _tell(self, delivery: Delivery) -> None:
        message = delivery.message
        what = f"{message.id} to {visible(message.channel)}: {visible(message.title)}"
        if delivery.error is None:
            say(f"delivered {what}")
            return
        then = "dead" if delivery.retry_in is None else f"again in {delivery.retry_in:,.0f} s"
        attempt = f"attempt {delivery.attempts} of {self.policy.max_attempts}, {then}"
        say(f"failed {what}: {visible(delivery.error)} ({attempt})")

    def _tell_waiting(self, waiting: Sequence[Waiting]) -> bool:
        """Say what waits for an address, once a channel; return whether anything does."""
        stuck = [item for item in waiting if item.channel not in self.addresses.usable]
        for item in stuck:
            if item.channel not in self._told:
                problem, help = self.addresses.problem(item.channel)
                say(f"error: {_messages(item.messages)} cannot be delivered: {visible(problem)}", err=True)
                if help:
                    say(f"   help: {visible(help)}", err=True)
                self._told.add(item.channel)
        return bool(stuck)

    def _document(
        self, deliveries: Sequence[Delivery], waiting: Sequence[Waiting], dead: Sequence[Message]
    ) -> dict[str, Any]:
        return {
            "delivered": [_facts(item.message, item.attempts) for item in deliveries if item.error is None],
            "failed": [
                {
                    **_facts(item.message, item.attempts),
                    "error": item.error,
                    "dead": item.dead,
                    "retry_in_seconds": item.retry_in,
                }
                for item in deliveries
                if item.error is not None
            ],
            "waiting": [
                {
                    "channel": item.channel,
                    "messages": item.messages,
                    "due_in_seconds": item.due_in,
                    "problem": self._problem(item.channel),
                }
                for item in waiting
            ],
            "dead": [{**_facts(item, item.attempts), "error": item.last_error} for item in dead],
        }

    def _problem(self, channel: str) -> str | None:
        return None if channel in self.addresses.usable else self.addresses.problem(channel)[0]


def _stopping() -> Any:
    return stopping(lambda: None, "stopping after the current message (Ctrl-C again: at once)")


def _sleep(seconds: float, interruption: Interruption) -> None:
    deadline = time.monotonic() + seconds
    while not interruption.asked and time.monotonic() < deadline:
        time.sleep(0.1)


def _tell_dead(dead: Sequence[Message]) -> None:
    if not dead:
        return
    say("dead after too many attempts (--retry-dead tries them again):", err=True)
    for message in dead:
        what = f"{message.id} to {visible(message.channel)}: {visible(message.title)}"
        say(f"   {what}: {visible(message.last_error or '')}", err=True)


def _facts(message: Message, attempts: int) -> Mapping[str, Any]:
    return {
        "id": message.id,
        "operation_id": message.operation_id,
        "channel": message.channel,
        "subject": message.subject,
        "attempts": attempts,
    }


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"
