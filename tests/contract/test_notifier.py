"""Messages arrive, or it is said why not, in time and without what is secret."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.host.commands import RealCommands
from mcc.host.notify.child import without_address
from mcc.host.notify.notifier import RealNotifier
from mcc.host.ports import Notifier
from postboxes import mail_server, silent_server, web_hook

TOKEN = "T0k3nOfTheChat"
TITLE = "mcc: shop on server1: deploy prod failed"
TEXT = "deploy prod failed.\n\nwhere:     /srv/shop, süß\n"


def send(*addresses: str, limit: float = 20.0) -> tuple[str, ...]:
    return (*RealNotifier(RealCommands()).send(addresses, TITLE, TEXT, "failure", limit).values(),)


@pytest.mark.slow
def test_a_web_hook_gets_title_text_and_weight() -> None:
    with web_hook() as box:
        assert send(f"json://127.0.0.1:{box.port}/{TOKEN}") == ()
    (message,) = box.messages
    assert message["title"] == TITLE
    assert message["message"].splitlines() == TEXT.rstrip().splitlines()
    assert message["type"] == "failure"


@pytest.mark.slow
def test_a_mail_server_gets_a_mail() -> None:
    with mail_server() as box:
        where = f"mailto://127.0.0.1:{box.port}/?from=mcc@example.com&to=ops@example.com&mode=insecure"
        assert send(where) == ()
    (message,) = box.messages
    read = email.message_from_string(message, policy=email.policy.default)
    assert read["Subject"] == TITLE
    assert "ops@example.com" in read["To"]
    body = read.get_body(("plain",))
    assert body is not None
    assert "/srv/shop, süß" in body.get_content()


@pytest.mark.slow
def test_each_address_is_answered_for_by_its_number_and_without_what_is_secret() -> None:
    with web_hook() as good, web_hook(status=500) as bad:
        problems = send(
            f"json://127.0.0.1:{bad.port}/{TOKEN}?+X-Key={TOKEN}",
            f"json://127.0.0.1:{good.port}/",
            f"json://{TOKEN}.invalid/",
            f"nothing://{TOKEN}/x",
        )
    assert [problem.partition(":")[0] for problem in problems] == [
        "NOTIFY[1] (json)", "NOTIFY[3] (json)", "NOTIFY[4] (nothing)",
    ]  # fmt: skip
    assert TOKEN.lower() not in " ".join(problems).lower()
    assert "500" in problems[0]
    assert problems[2].endswith("apprise does not know such an address")
    assert len(good.messages) == 1


@pytest.mark.slow
def test_a_server_that_says_nothing_is_given_up_when_the_time_is_over() -> None:
    with silent_server() as port:
        (problem,) = send(f"json://127.0.0.1:{port}/{TOKEN}", limit=1.0)
    assert problem == "NOTIFY[1] (json): nothing came of it within 1 s"


def a_sendmail(folder: Path, code: int = 0) -> Path:
    """A program of that name that keeps what it gets."""
    program = folder / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/words\ncat > {folder}/mail\necho no route >&2\nexit {code}\n')
    program.chmod(0o755)
    return program


def test_mail_goes_to_the_machines_own_mail_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_sendmail(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert send("mail:ops@example.com") == ()
    assert (tmp_path / "words").read_text() == "-i -- ops@example.com\n"
    read = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=email.policy.default)
    assert (read["To"], read["Subject"]) == ("ops@example.com", TITLE)
    assert read.get_content() == TEXT


def test_mail_that_is_not_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_sendmail(tmp_path, 75)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    problem = "NOTIFY[1] (mail): sendmail ended with exit code 75: no route"
    assert send("mail:ops@example.com") == (problem,)


def test_a_machine_without_sendmail_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("mcc.host.notify.notifier._SENDMAIL", str(tmp_path / "sendmail"))
    port = RealNotifier(RealCommands())
    assert port.lacks(["json://127.0.0.1/"]) == ()
    (lack,) = port.lacks(["mail:ops@example.com", "json://127.0.0.1/"])
    assert lack.startswith("this machine has no sendmail")
    (problem,) = send("mail:ops@example.com")
    assert problem.startswith("NOTIFY[1] (mail): this machine has no sendmail; install a mail server")


def test_parts_of_an_address_are_hidden_also_as_they_are_decoded() -> None:
    text = without_address("no answer from xoxb-1234 for a/b c and k%20ey", "slack://xoxb-1234/a%2Fb%20c/k%20ey")
    assert text == "no answer from *** for *** and ***"


def test_the_fake_takes_messages_as_the_real_one_does() -> None:
    world = FakeWorld()
    world.notifier.broken = {"json://b": "NOTIFY[2] (json): no"}
    port: Notifier = world.host().notifier
    assert port.send(("json://a", "json://b"), TITLE, TEXT, "failure", 1.0) == {"json://b": "NOTIFY[2] (json): no"}
    assert [sent.address for sent in world.notifier.sent] == ["json://a"]
