"""``specgen notify``: every message arrives, whatever a channel or a notifier does meanwhile."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import TYPE_CHECKING

import hostile
import peers
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peers import Mailbox, Webhook

    from .conftest import Notifier

TEXT = "Did 10 of 10 — 100% <ok>"
QUICK = ("--backoff", "0", "--timeout", "5")


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_messages_arrive_at_the_webhook_and_in_the_mailbox(
    notify: Notifier, webhook: Webhook, mailbox: Mailbox
) -> None:
    notify.configure(email=mailbox.url, webhook=webhook.url)
    notify.ended()
    code, out, err = notify()
    assert (code, err) == (0, "")
    assert out == (
        "delivered 1 to email: large_data_import: completed\n"
        "delivered 2 to webhook: large_data_import: completed\n"
    )
    ((path, headers, body),) = webhook.requests
    assert path == "/hooks/batches"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    ((payload, operation_id),) = notify.rows("SELECT payload, operation_id FROM batch_outbox WHERE id = 2")
    assert body == payload
    assert headers["Idempotency-Key"] == f"{operation_id}-2"
    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"]) == ("batches@example.org", "ops@example.org")
    assert mail["Subject"] == "large_data_import: completed"
    assert mail.get_content().strip() == TEXT
    assert notify.outbox("status, attempts, last_error, delivered_at >= created_at") == [
        ("delivered", 1, None, True),
        ("delivered", 1, None, True),
    ]


def test_what_is_delivered_is_not_sent_again(notify: Notifier, webhook: Webhook) -> None:
    notify.configure(email=webhook.url, webhook=webhook.url)
    notify.ended()
    assert notify()[0] == 0
    assert notify() == (0, "", "")
    assert len(webhook.requests) == 2


def test_an_address_from_the_environment_is_never_shown(
    notify: Notifier, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.status, webhook.body = 403, b"no entry for hunter22 by tok3n-of-mine"
    address = webhook.url.replace("//", "//deploy:hunter22@") + "?token=tok3n-of-mine"
    monkeypatch.setenv("HOOK", address)
    notify.configure(webhook={"env": "HOOK"})
    notify.ended("hook_only")
    code, out, err = notify()
    assert code == 1
    ((path, headers, _body),) = webhook.requests
    assert path.endswith("?token=tok3n-of-mine")
    assert headers["Authorization"] == "Basic ZGVwbG95Omh1bnRlcjIy"
    assert "answered 403 Forbidden: no entry for *** by ***" in out
    assert "hunter22" not in out + err + repr(notify.outbox())
    assert "tok3n" not in out + err + repr(notify.outbox())


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "answered 500 Internal Server Error: out of order"),
        (404, "answered 404 Not Found: out of order"),
        (302, "answered 302 Found, which redirects; redirects are not followed"),
    ],
)
def test_a_webhook_that_refuses_is_tried_again_later(
    notify: Notifier, webhook: Webhook, mailbox: Mailbox, status: int, reason: str
) -> None:
    webhook.status, webhook.body, webhook.headers = status, b"out of\n order", {}
    if status == 302:
        webhook.headers = {"Location": "/elsewhere"}
    notify.configure(email=mailbox.url, webhook=webhook.url)
    notify.ended()
    code, out, _err = notify()
    assert code == 1
    assert f"failed 2 to webhook: large_data_import: completed: 127.0.0.1:{webhook.port} {reason}" in out
    assert "(attempt 1 of 10, again in " in out
    assert [row[:3] for row in notify.outbox()] == [("email", "delivered", 1), ("webhook", "pending", 1)]
    assert notify.outbox("next_attempt_at > now() + interval '5 seconds'")[1] == (True,)
    assert notify() == (0, "", "")  # not due yet
    webhook.status = 200
    notify.make_due()
    assert notify()[0] == 0
    ((_, status_now, attempts, last_error),) = notify.outbox()[1:]
    assert (status_now, attempts) == ("delivered", 2)
    assert reason in last_error


def test_a_channel_that_never_answers_holds_up_no_other(
    notify: Notifier, webhook: Webhook, mailbox: Mailbox
) -> None:
    webhook.silent = True
    notify.configure(email=mailbox.url, webhook=webhook.url)
    notify.ended(times=5)
    code, out, _err = notify("--timeout", "3")
    assert code == 1
    assert out.count("no answer within 3 s") == 1  # the others of that channel wait for the next call
    assert len(mailbox.mails) == 5
    assert notify.rows("SELECT channel, status, count(*) FROM batch_outbox GROUP BY 1, 2 ORDER BY 1") == [
        ("email", "delivered", 5),
        ("webhook", "pending", 5),
    ]


def test_nobody_at_home(notify: Notifier, mailbox: Mailbox) -> None:
    port = peers.free_port()
    notify.configure(
        email=f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org",
        webhook=f"http://127.0.0.1:{port}/",
    )
    notify.ended()
    code, out, _err = notify()
    assert code == 1
    email, hook = out.splitlines()
    assert 'Connection error while submitting email to "127.0.0.1"; [Errno 111] Connection refused' in email
    assert f"127.0.0.1:{port}: Connection refused" in hook


def test_a_mail_server_that_never_speaks(notify: Notifier, webhook: Webhook) -> None:
    with peers.nobody_answers() as port:
        notify.configure(
            email=f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org", webhook=webhook.url
        )
        notify.ended()
        code, out, _err = notify("--timeout", "3")
    assert code == 1
    assert "failed 1 to email: large_data_import: completed: " in out
    assert len(webhook.requests) == 1


def test_a_mail_server_that_refuses_says_why(notify: Notifier, webhook: Webhook, mailbox: Mailbox) -> None:
    mailbox.refusal = "550 no such user here"
    notify.configure(email=mailbox.url, webhook=webhook.url)
    notify.ended()
    code, out, _err = notify()
    assert code == 1
    assert "no such user here" in out


def test_a_channel_without_an_address_is_named_and_its_messages_wait(
    notify: Notifier, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    notify.configure(webhok=webhook.url, email={"env": "NO_SUCH_VARIABLE"})
    notify.ended()
    code, out, err = notify()
    assert (code, out) == (1, "")
    assert err == (
        'error: 1 message cannot be delivered: channel "email": the environment variable '
        "NO_SUCH_VARIABLE is not set\n"
        'error: 1 message cannot be delivered: specgen.yaml does not say where channel "webhook" leads\n'
        '   help: did you mean "webhok"?\n'
    )
    assert notify.outbox("status, attempts") == [("pending", 0), ("pending", 0)]


def test_an_address_that_leads_nowhere_is_named(notify: Notifier) -> None:
    notify.configure(webhook="http:///x", email="pigeon://home")
    notify.ended()
    code, _out, err = notify()
    assert code == 1
    assert 'channel "webhook": its address names no host' in err
    assert 'channel "email": its address is of no service that apprise knows' in err


def test_after_too_many_attempts_a_message_is_dead_and_can_be_raised(
    notify: Notifier, webhook: Webhook
) -> None:
    webhook.status = 500
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only")
    for attempt in (1, 2):
        code, out, err = notify("--max-attempts", "3", *QUICK)
        assert code == 1
        assert f"(attempt {attempt} of 3, again in 0 s)" in out
        assert "dead" not in err
    code, out, err = notify("--max-attempts", "3", *QUICK)
    assert code == 1
    assert "(attempt 3 of 3, dead)" in out
    assert "1 to webhook: hook_only: completed: 127.0.0.1" in err
    assert notify.outbox("status, attempts") == [("dead", 3)]

    code, out, err = notify()
    assert (code, out) == (0, "")
    assert "--retry-dead" in err
    assert len(webhook.requests) == 3

    webhook.status = 200
    code, out, err = notify("--retry-dead")
    assert (code, err) == (0, "1 message from the dead\n")
    assert out == "delivered 1 to webhook: hook_only: completed\n"
    assert notify.outbox("status, attempts") == [("delivered", 1)]


def test_two_notifiers_send_each_message_once(notify: Notifier, webhook: Webhook) -> None:
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only", times=60)
    webhook.on_request = lambda: time.sleep(0.01)
    processes = [notify.start() for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(webhook.ids) == len(set(webhook.ids)) == 60
    assert sum(out.count("delivered") for out, _err in outputs) == 60


def test_a_notifier_killed_between_sending_and_marking_loses_nothing(
    notify: Notifier, webhook: Webhook
) -> None:
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only", times=3)
    received = threading.Event()
    webhook.on_request = received.set
    webhook.silent = True
    process = notify.start()
    assert received.wait(60)
    process.kill()
    process.communicate(timeout=60)
    webhook.hang.set()
    webhook.silent = False
    assert notify.outbox("status, attempts") == [("pending", 0)] * 3

    def unlocked() -> bool:
        return len(notify.rows("SELECT id FROM batch_outbox FOR UPDATE SKIP LOCKED")) == 3

    wait_until(unlocked)
    assert notify()[0] == 0
    assert len(webhook.requests) == 4
    assert len(set(webhook.ids)) == 3  # the one that came twice says so
    assert notify.outbox("status") == [("delivered",)] * 3


def test_watching_delivers_as_operations_end_until_interrupted(notify: Notifier, webhook: Webhook) -> None:
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only")
    process = notify.start("--watch")
    try:
        wait_until(lambda: len(webhook.requests) == 1)
        for count in (2, 3):
            notify.ended("hook_only")
            wait_until(lambda count=count: len(webhook.requests) == count)  # type: ignore[misc]
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.count("delivered") == 3
    assert "listening" in err


def test_watching_tries_again_when_the_wait_is_over(notify: Notifier, webhook: Webhook) -> None:
    webhook.status = [500, 500, 200]
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only")
    process = notify.start("--watch", "--backoff", "0.1")
    try:
        wait_until(lambda: notify.outbox("status, attempts") == [("delivered", 3)])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_watching_survives_the_loss_of_its_connection(notify: Notifier, webhook: Webhook) -> None:
    notify.configure(webhook=webhook.url)
    process = notify.start("--watch")
    killed = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'specgen notify'"
    )
    try:
        assert process.stderr
        assert "listening" in process.stderr.readline()
        assert notify.rows(killed) == [(True,)]
        notify.ended("hook_only")
        wait_until(lambda: len(webhook.requests) == 1)
    finally:
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "trying again in 1 s" in err


def test_the_report_for_programs(notify: Notifier, webhook: Webhook, mailbox: Mailbox) -> None:
    webhook.status = 500
    notify.configure(email=mailbox.url, webhook=webhook.url)
    notify.ended()
    notify.rows(
        "INSERT INTO batch_outbox (operation_id, channel, subject, message, payload, status, attempts, last_error)"
        " SELECT operation_id, channel, 'old', 'm', '{}', v.status, 7, 'gone'"
        " FROM batch_outbox, (VALUES ('dead'), ('pending')) AS v (status) WHERE id = 1"
    )
    notify.rows("UPDATE batch_outbox SET channel = 'pager' WHERE subject = 'old' AND status = 'pending'")
    code, out, _err = notify("--json")
    assert code == 1
    report = json.loads(out)
    assert [item["id"] for item in report["delivered"]] == [1]
    (failed,) = report["failed"]
    assert (failed["id"], failed["attempts"], failed["dead"]) == (2, 1, False)
    assert 7 < failed["retry_in_seconds"] < 13
    assert "answered 500" in failed["error"]
    assert [(item["channel"], item["problem"] is None) for item in report["waiting"]] == [
        ("pager", False),
        ("webhook", True),
    ]
    assert [(item["subject"], item["error"], item["attempts"]) for item in report["dead"]] == [
        ("old", "gone", 7)
    ]


def test_a_database_without_an_outbox(notify: Notifier, database: str) -> None:
    notify.dsn = database
    notify.configure()
    code, out, err = notify()
    assert (code, out) == (2, "")
    assert "no batch operations in schema public" in err
    assert "specgen deploy" in err


def test_a_database_that_does_not_answer(notify: Notifier) -> None:
    notify.dsn = f"postgresql://127.0.0.1:{peers.free_port()}/none"
    notify.configure()
    for options in ((), ("--watch",)):
        assert notify(*options)[0] == 3


def test_watch_goes_not_with_json(notify: Notifier) -> None:
    notify.configure()
    assert notify("--watch", "--json")[0] == 2


def test_interrupting_finishes_the_message_at_hand(
    notify: Notifier, webhook: Webhook, tmp_path: Path
) -> None:
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only", times=3)
    said = tmp_path / "stderr"

    def interrupt() -> None:
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping after the current message" in said.read_text(encoding="utf-8"))

    webhook.on_request = interrupt
    with said.open("w") as stderr:
        process = notify.start(stderr=stderr)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(webhook.requests) == 1
    assert notify.rows("SELECT status, count(*) FROM batch_outbox GROUP BY 1 ORDER BY 1") == [
        ("delivered", 1),
        ("pending", 2),
    ]


def test_what_a_message_says_of_itself_does_nothing_to_a_terminal(notify: Notifier) -> None:
    notify.configure(email="json://127.0.0.1:1/")
    notify.ended()
    text = hostile.TEXT.replace("'", "")
    notify.rows(f"UPDATE batch_outbox SET subject = '{text}', message = '{text}' WHERE channel = 'email'")
    notify.rows(f"UPDATE batch_outbox SET channel = '{text}' WHERE channel = 'webhook'")
    for arguments in ((), ("--json",), ("--max-attempts", "1"), ()):
        code, out, err = notify(*arguments)
        assert code == 1, err
        hostile.check_harmless(out)
        hostile.check_harmless(err)
        notify.make_due()
    notify.rows(f"UPDATE batch_outbox SET status = 'dead', last_error = '{text}' WHERE channel = 'email'")
    code, out, err = notify()
    hostile.check_shown(err)


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_messages_arrive_whatever_the_database_writes_times_like(
    notify: Notifier, webhook: Webhook, style: str
) -> None:
    (name,) = notify.rows("SELECT current_database()")[0]
    notify.rows(f"ALTER DATABASE {name} SET DateStyle = '{style}'")
    notify.configure(webhook=webhook.url)
    notify.ended("hook_only")
    code, _, err = notify()
    assert code == 0, err
    assert len(webhook.requests) == 1
