"""Runs on the fake machine: who is told of them, when, and what becomes of it if a message cannot be sent."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import scenes
from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.notifier import FakeNotifier, Sent
from fakes.scenes import Scene
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.deploy.rehearse import rehearse
from mcc.deploy.run import deploy
from mcc.engine.run import Sink
from mcc.errors import Stuck
from mcc.host.event_log import event_line
from mcc.model.conf import Notify
from mcc.model.event import Event, RunEnded, Warned
from mcc.operations.notify import tell_what_is_due
from mcc.runs.notices import Notices, Told, sending
from mcc.runs.recover import recover_all

HOOK = "json://hooks.example.com/T0k3n"


class Recording(FakeHands):
    """Hands that keep the record of each run, as the real ones do."""

    def sink(self, site: Site, run: str, masker: Masker) -> Sink:
        tell = super().sink(site, run, masker)

        def both(event: Event) -> None:
            tell(event)
            path, disk = site.record(run), self.world.disk
            before = disk.read(path) if disk.kind(path) == "file" else b""
            disk.make_folder(path.parent)
            disk.write(path, before + event_line(event, masker.mask_data).encode() + b"\n")

        return both


def told(make: Callable[[], Scene], *addresses: str, **options: object) -> Scene:
    """The scene with somebody who is told."""
    scene = make()
    notify = Notify(addresses or (HOOK,), **options)  # type: ignore[arg-type]
    scene.conf = dataclasses.replace(scene.conf, notify=notify, secrets=frozenset({HOOK, "s3cr3t-word"}))
    return scene


def act(scene: Scene, guardian: bool = False) -> int:
    return deploy(scene.request, Recording(scene.world, guardian=guardian))


def titles(scene: Scene) -> list[str]:
    return [sent.title.rpartition(": ")[2] for sent in scene.world.notifier.sent]


def test_a_release_that_does_not_answer_is_told_as_rolled_back() -> None:
    scene = told(lambda: scenes.broken("answers 500"))
    assert act(scene) == 1
    assert titles(scene) == ["deploy prod failed, and was rolled back"]


def test_a_migration_that_fails_is_a_failure_only() -> None:
    scene = told(scenes.third_migration_fails, on=("rollback", "stuck", "success"))
    assert act(scene) == 1
    assert titles(scene) == []
    scene = told(scenes.third_migration_fails, on=("failure",))
    assert act(scene) == 1
    assert titles(scene) == ["deploy prod failed"]


@pytest.mark.parametrize("how", ["good", "broken"])
def test_it_comes_after_the_last_word_and_when_the_site_is_free(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = told(scenes.second if how == "good" else lambda: scenes.broken("dies"), on=("success", "failure"))
    hands, found = Recording(scene.world), []
    send = FakeNotifier.send

    def look(self: FakeNotifier, *words: object) -> tuple[str, ...]:
        hands.lock(scene.request.site, {}).release()  # raises SiteLocked if somebody holds it
        found.append((isinstance(hands.events[-1], RunEnded), scene.journals()))
        return send(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeNotifier, "send", look)
    deploy(scene.request, hands)
    assert found == [(True, [])]


def test_a_message_that_cannot_be_sent_is_a_warning() -> None:
    scene = told(lambda: scenes.broken("dies"), HOOK, "mail:ops@example.com")
    scene.world.notifier.broken = {HOOK: f"NOTIFY[1] (json): {HOOK} is gone"}
    assert act(scene) == 1
    assert scene.world.listener.warned == ["nobody was told: NOTIFY[1] (json): *** is gone"]
    assert [sent.address for sent in scene.world.notifier.sent] == ["mail:ops@example.com"]


def test_what_the_machine_lacks_is_said_before_anything_happens() -> None:
    scene = told(scenes.second)
    scene.world.notifier.lacking = ("this machine has no sendmail",)
    hands = Recording(scene.world)
    assert deploy(scene.request, hands) == 0
    assert "NOTIFY: this machine has no sendmail" in [e.text for e in hands.events if isinstance(e, Warned)]


def test_a_fault_of_the_notifier_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        raise RuntimeError("unheard of")

    scene = told(scenes.second, on=("success",))
    monkeypatch.setattr(FakeNotifier, "send", raises)
    assert act(scene) == 0
    assert any("unheard of" in text for text in scene.world.listener.warned)


def test_secrets_are_not_in_it() -> None:
    scene = told(scenes.second)
    scene.world.uv.broken = "cannot log in with s3cr3t-word"
    assert act(scene) == 1
    (sent,) = scene.world.notifier.sent
    assert "s3cr3t-word" not in sent.text + sent.title
    assert HOOK not in sent.text


@pytest.mark.parametrize("length", [980, 990, 995])
def test_a_secret_that_stands_where_a_text_is_cut_off_is_not_in_it_in_part(length: int) -> None:
    scene = told(scenes.second)
    hands, notices = Recording(scene.world), Notices()
    notices.ended(scene.request.site, "run", Told(scene.conf.notify, scene.conf.secrets))
    notices.send(hands, Stuck(f"{'x' * length} s3cr3t-word is wrong {'y' * 100}"))
    (sent,) = scene.world.notifier.sent
    assert "s3" not in sent.text


def test_what_a_recovery_says_and_writes_down_is_without_secrets_too() -> None:
    """It knows them from what the dead run has kept."""
    dead = _fork(told(scenes.second), _effects() - 60)
    with pytest.raises(Killed):
        act(dead)
    dead.world.revive()
    hands = Recording(dead.world)
    recover_all(dead.request.site, hands, hands.lock(dead.request.site, {}), "found")
    assert hands.maskers[-1].mask("s3cr3t-word") == "***"


def test_a_killed_runner_is_told_once_by_its_guardian() -> None:
    whole, words = told(scenes.second, on=("failure", "success", "stuck")), set()
    for at in some(15, _effects(), "guardian"):
        scene = _fork(whole, at)
        with contextlib.suppress(Killed):  # the first few effects come before there is a guardian
            act(scene, guardian=True)
        assert len(scene.world.notifier.sent) <= 1, at
        words.update(title.partition(": ")[0].partition(" is live")[0] for title in titles(scene))
    assert "deploy prod died, and was undone" in words
    assert {word for word in words if "vrs-" not in word} <= {
        "deploy prod died, and was undone", "deploy prod died, and was finished",
    }  # fmt: skip


def test_a_run_that_died_is_told_by_the_next_command_with_its_own_conf() -> None:
    """The conf of what is live names nobody."""
    whole, told_of = told(scenes.second), 0
    for at in some(25, _effects(), "next"):
        dead = _fork(whole, at)
        with pytest.raises(Killed):
            act(dead)
        dead.world.revive()
        knows = _open_with_somebody_told(dead)
        sent = recovered(dead)
        assert [one.address for one in sent] == ([HOOK] if knows else []), at
        assert not _kept(dead), at
        told_of += len(sent)
    assert told_of > 15


def recovered(scene: Scene) -> list[Sent]:
    hands, site = Recording(scene.world), scene.request.site
    if scene.world.disk.kind(site.own) == "folder":
        with sending(hands) as notices:
            lock = hands.lock(site, {})
            recover_all(site, hands, lock, "found", notices=notices)
            lock.release()
    return scene.world.notifier.sent


def unsent_scene() -> Scene:
    """A failure that one of two has not been told of."""
    scene = told(lambda: scenes.broken("dies"), HOOK, "mail:ops@example.com")
    scene.world.notifier.broken = {HOOK: "no network"}
    assert act(scene) == 1
    return scene


def again(scene: Scene) -> list[str]:
    notify = Told(scene.conf.notify, scene.conf.secrets)
    host = scene.world.host()
    return tell_what_is_due(scene.request.site, notify, host, host.clock.now())


def test_what_somebody_has_not_taken_is_sent_to_him_again_until_he_has() -> None:
    scene = unsent_scene()
    site, disk = scene.request.site, scene.world.disk
    assert HOOK.encode() not in disk.read(site.unsent)
    assert again(scene) == []
    assert disk.kind(site.unsent) == "file"
    scene.world.notifier.broken = {}
    (title,) = again(scene)
    assert [sent.address for sent in scene.world.notifier.sent] == ["mail:ops@example.com", HOOK]
    assert {sent.title for sent in scene.world.notifier.sent} == {title}
    assert disk.kind(site.unsent) == "absent"
    assert again(scene) == []


def test_after_a_day_it_is_given_up() -> None:
    scene = unsent_scene()
    scene.world.time.pass_by(86401)
    scene.world.notifier.broken = {}
    assert again(scene) == []
    assert scene.world.disk.kind(scene.request.site.unsent) == "absent"


def test_a_look_that_dies_loses_no_message() -> None:
    scene = unsent_scene()
    scene.world.revive()
    scene.world.notifier.broken = {}
    count = _looks(_fork(scene, None))
    for at in range(1, count + 1):
        died = _fork(scene, at)
        with pytest.raises(Killed):
            again(died)
        died.world.revive()
        again(died)
        assert HOOK in [sent.address for sent in died.world.notifier.sent], at


def _looks(scene: Scene) -> int:
    again(scene)
    return scene.world.process.ticks


def test_a_rehearsal_that_fails_is_told_to_nobody() -> None:
    scene = told(scenes.second)
    scene.world.uv.broken = "no"
    assert rehearse(scene.request, Recording(scene.world)) == 1
    assert scene.world.notifier.sent == []


def _effects() -> int:
    scene = told(scenes.second)
    scene = _fork(scene, None)
    act(scene)
    return scene.world.process.ticks


def _fork(scene: Scene, at: int | None) -> Scene:
    twin = scene.fork(kill_at=at)
    twin.conf = scene.conf
    return twin


def _open_with_somebody_told(scene: Scene) -> bool:
    """A run that has kept whom it would tell, and has not ended."""
    disk, site = scene.world.disk, scene.request.site
    journals = [site.journals / name for name in disk.names(site.journals) if name.endswith(".jsonl")]
    told_of = any(disk.kind(folder / "notify.json") == "file" for folder in _kept(scene))
    return told_of and any(b'{"end":' not in disk.read(journal) for journal in journals)


def _kept(scene: Scene) -> list[Path]:
    site = scene.request.site
    return [site.journals / name for name in scene.world.disk.names(site.journals) if name.endswith(".kept")]
