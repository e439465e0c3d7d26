"""``mcc env``: ``.env`` is as before or as it should be, whatever happens; no value is written down elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fakes.deaths import dead, some
from fakes.files import FakeFiles
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from mcc.core import sudo
from mcc.core.layout import Site
from mcc.core.ledger import live_line
from mcc.core.ownership import variables_acl
from mcc.core.provisioned import marker, start_program
from mcc.errors import RightsError, SiteError, UsageError
from mcc.model.conf import Conf, Ownership, Server, Services
from mcc.model.event import RunEnded
from mcc.model.release import Release
from mcc.operations.variables import Change, change_variables, look_at_variables, readers
from mcc.runs.recover import recover_all

BASE = Path("/srv/site")
SITE = Site(BASE)
BEFORE = b"# ours\nA=1\nDB_PASSWORD=hunter2 # note\n"
CONF = Conf(
    BASE / "conf.yml",
    Server(BASE),
    ownership=Ownership("none"),
    services=Services(names=("app.service",)),
    api_port=8000,
)
PART = "s3cr3t"
SECRET = "s3cr3t with $igns"
CHANGE = Change(SITE, {"DB_PASSWORD": SECRET, "B": "2"})
AFTER = b'# ours\nA=1\nDB_PASSWORD="s3cr3t with \\$igns"\nB=2\n'


@dataclasses.dataclass
class Scene:
    """A machine with a running service that knows ``.env`` as it was when it was started."""

    world: FakeWorld

    @classmethod
    def new(cls, before: bytes | None = BEFORE) -> Scene:
        world = FakeWorld(BASE, services=("app.service",), runs=_what_it_knows)
        world.plant({f"{BASE}/logs/": None, f"{SITE.own}/": None})
        if before is not None:
            world.plant({str(SITE.variables): before})
            world.disk.chmod(SITE.variables, 0o600)
        world.units.broken = {"BROKEN": "ends at once"}
        world.start()
        return cls(world)

    def fork(self, kill_at: int | None = None) -> Scene:
        return Scene(self.world.fork(kill_at))

    def recover(self) -> None:
        hands = FakeHands(self.world)
        recover_all(SITE, hands, hands.lock(SITE, {}), "it died")

    @property
    def text(self) -> bytes | None:
        files = self.world.disk
        return files.read(SITE.variables) if files.kind(SITE.variables) == "file" else None

    def without_env(self) -> str:
        return repr(self.world.snapshot(skip=[str(SITE.variables)]))


def _what_it_knows(files: FakeFiles, base: Path) -> str:
    path = Site(base).variables
    return f"knows {files.read(path).decode()}" if files.kind(path) == "file" else "knows nothing"


def change(scene: Scene, what: Change = CHANGE) -> tuple[int, FakeHands]:
    hands = FakeHands(scene.world)
    return change_variables(what, hands), hands


def test_a_line_is_replaced_where_it_stands_and_the_file_is_closed_to_others() -> None:
    scene = Scene.new()
    scene.world.disk.chmod(SITE.variables, 0o644)
    warnings = look_at_variables(SITE, scene.world.host()).warnings
    assert warnings[0] == f".env can be read or written by its group, others (mode 0644): chmod 600 {SITE.variables}"
    code, _ = change(scene)
    assert (code, scene.text) == (0, AFTER)
    found = look_at_variables(SITE, scene.world.host())
    assert found.access
    assert (found.access.mode, found.warnings) == (0o600, ())
    assert found.values == {"A": "1", "DB_PASSWORD": SECRET, "B": "2"}


def test_it_works_on_a_site_that_nothing_was_deployed_to() -> None:
    scene = Scene(FakeWorld(BASE))
    scene.world.plant({f"{BASE}/": None})
    assert change(scene)[0] == 0
    assert look_at_variables(SITE, scene.world.host()).values == CHANGE.values


def test_no_value_is_in_an_event_or_left_in_a_file_but_env() -> None:
    scene = Scene.new()
    code, hands = change(scene)
    assert code == 0
    assert "DB_PASSWORD" in repr(hands.events)
    for secret in (PART, "hunter2"):
        assert secret not in repr(hands.events)
        assert secret not in scene.without_env()
    assert hands.maskers[-1].mask(f"x {SECRET}") == "x ***"


@pytest.mark.parametrize("before", [BEFORE, None], ids=["a file", "none"])
def test_killed_anywhere_the_file_is_as_before_or_as_wanted_and_nothing_secret_is_left(before: bytes | None) -> None:
    scene = Scene.new(before)
    whole = scene.fork()
    change(whole)
    for at in some(60, whole.world.process.ticks, "variables"):
        died = dead(scene, change, at)
        journals = "".join(
            died.world.disk.read(SITE.journals / name).decode()
            for name in died.world.disk.names(SITE.journals) if name.endswith(".jsonl")
        )  # fmt: skip
        assert PART not in journals
        died.world.revive()
        died.recover()
        assert died.text in (before, whole.text), at
        assert PART not in died.without_env(), at


class TestReader:
    """Services that root's program starts read ``.env`` as their own user, who is named in its list."""

    READ = (0o640, variables_acl("www-data"))

    def scene(self, before: bytes | None = BEFORE) -> Scene:
        scene = Scene.new(before)
        scene.world.plant({str(start_program(BASE)): f"{marker(BASE)}\n".encode()})
        return scene

    def rights(self, scene: Scene) -> tuple[int, tuple[str, ...]]:
        access = scene.world.host().rights.look(SITE.variables)
        return (access.mode, access.acl) if access else (0, ())

    def test_it_is_named_with_the_new_text_and_stays_so_if_no_conf_names_it(self) -> None:
        scene = self.scene()
        assert change(scene, dataclasses.replace(CHANGE, reader="www-data"))[0] == 0
        assert (scene.text, self.rights(scene)) == (AFTER, self.READ)
        found = look_at_variables(SITE, scene.world.host(), "www-data")
        assert (found.warnings, found.reader) == ((), "www-data")
        assert change(scene, Change(SITE, {"C": "3"}))[0] == 0
        assert self.rights(scene) == self.READ

    @pytest.mark.parametrize("before", [BEFORE, None], ids=["a file", "none"])
    def test_killed_anywhere_text_and_rights_are_both_old_or_both_new(self, before: bytes | None) -> None:
        scene, what = self.scene(before), dataclasses.replace(CHANGE, reader="www-data")
        whole, old = scene.fork(), (scene.text, self.rights(scene))
        change(whole, what)
        new = (whole.text, self.rights(whole))
        assert new[1] == self.READ
        for at in some(60, whole.world.process.ticks, "reader"):
            died = dead(scene, lambda one: change(one, what), at)
            assert (died.text, self.rights(died)) in (old, new), at
            died.world.revive()
            died.recover()
            assert (died.text, self.rights(died)) in (old, new), at
            assert PART not in died.without_env(), at

    def test_nobody_is_named_where_the_units_are_not_ours(self) -> None:
        scene = Scene.new()
        assert change(scene, dataclasses.replace(CHANGE, reader="www-data"))[0] == 0
        assert self.rights(scene) == (0o600, ())

    def test_on_a_disk_without_lists_it_is_said_and_the_file_stays_closed(self) -> None:
        scene = self.scene()
        scene.world.machine.lists = False
        code, hands = change(scene, dataclasses.replace(CHANGE, reader="www-data"))
        assert (code, self.rights(scene)) == (0, (0o600, ()))
        assert "knows no access control lists: www-data may not read it" in repr(hands.events)


def test_what_is_not_there_cannot_be_taken_out() -> None:
    scene = Scene.new()
    assert change(scene, Change(SITE, {}, ("A",)))[0] == 0
    assert scene.text == BEFORE.replace(b"A=1\n", b"")
    with pytest.raises(UsageError, match="no DB_PASWORD") as missing:
        change(scene, Change(SITE, {}, ("DB_PASWORD",)))
    assert missing.value.help == "did you mean DB_PASSWORD?"


@pytest.mark.parametrize(
    ("planted", "reason"),
    [
        ({str(SITE.variables): "/etc/shadow"}, "is a link, not a file"),
        ({f"{SITE.variables}/x": b""}, "is a folder, not a file"),
        ({str(SITE.variables): b"A=\xff\n"}, "is not UTF-8"),
        ({str(SITE.variables): b'A="open\n'}, "a quote or a backslash"),
    ],
)
def test_what_is_no_file_of_variables_is_left_alone(planted: dict[str, bytes | str | None], reason: str) -> None:
    scene = Scene.new(None)
    scene.world.plant(planted)
    before = scene.world.snapshot(skip=[f"{SITE.own}*"])
    with pytest.raises(SiteError, match=reason):
        change(scene)
    assert scene.world.snapshot(skip=[f"{SITE.own}*"]) == before


def test_what_cannot_be_a_value_is_refused_before_anything() -> None:
    with pytest.raises(UsageError, match="the value of A has a line break"):
        change(Scene.new(), Change(SITE, {"A": "x\ny"}))


class TestRestart:
    def test_services_see_the_new_values_at_once(self) -> None:
        scene = Scene.new()
        code, _ = change(scene, dataclasses.replace(CHANGE, restart=CONF))
        assert code == 0
        assert scene.world.serving()["app.service"] == f"knows {AFTER.decode()}"

    def test_a_service_that_does_not_live_with_them_gets_the_old_ones_back(self) -> None:
        scene = Scene.new()
        code, hands = change(scene, Change(SITE, {"MODE": "BROKEN"}, restart=CONF))
        assert (code, scene.text) == (1, BEFORE)
        assert scene.world.serving()["app.service"] == f"knows {BEFORE.decode()}"
        assert isinstance(hands.events[-1], RunEnded)

    def test_killed_anywhere_the_service_knows_what_the_file_says(self) -> None:
        scene, what = Scene.new(), dataclasses.replace(CHANGE, restart=CONF)
        whole = scene.fork()
        change(whole, what)
        for at in some(40, whole.world.process.ticks, "restart"):
            died = dead(scene, lambda one: change(one, what), at)
            died.world.revive()
            died.recover()
            assert died.text in (BEFORE, AFTER), at
            assert died.world.serving()["app.service"] == f"knows {(died.text or b'').decode()}", at

    def test_the_right_to_restart_is_asked_for_first(self) -> None:
        scene = Scene.new()
        scene.world.sudo.allowed = {sudo.status("app.service")}
        with pytest.raises(RightsError, match=r"systemctl restart app\.service"):
            change(scene, dataclasses.replace(CHANGE, restart=CONF))
        assert scene.text == BEFORE

    def test_without_services_there_is_nothing_to_restart(self) -> None:
        conf = dataclasses.replace(CONF, services=Services(manager="none"))
        with pytest.raises(UsageError, match="names no services"):
            change(Scene.new(), dataclasses.replace(CHANGE, restart=conf))


def test_units_that_load_the_file_are_known_by_systemd() -> None:
    world = Scene.new().world
    services = ("a.service", "b.service", "c.service", "d.service")
    release = Release("vrs-1", "live", "2026-01-01T00:00:00+00:00", "run", services=services, manager="systemd")
    world.plant({str(SITE.ledger): live_line(release)})
    world.commands.programs["systemctl"] = "/bin/systemctl"
    files = ("/etc/x.env (ignore_errors=no)", "/srv/site/.env (ignore_errors=yes)")
    says = {
        "a.service": "".join(f"EnvironmentFiles={file}\n" for file in files),
        "b.service": "ExecStart={ path=/x ; argv[]=/x /srv/site/logs/b.log /srv/site/.env /y ; ignore_errors=no ; }\n",
        "c.service": "ExecStart={ path=/x ; argv[]=/x /srv/site/.envs /srv/site/.env.old ; ignore_errors=no ; }\n",
        "d.service": "",
    }
    world.commands.does["systemctl"] = lambda call: (0, f"Id={call.words[-1]}\n{says[call.words[-1]]}")
    assert readers(SITE, FakeHands(world)) == ("a.service", "b.service")
    world.disk.write(SITE.ledger, live_line(dataclasses.replace(release, manager="none")))
    assert readers(SITE, FakeHands(world)) == ()


def test_what_a_service_would_get_otherwise_is_a_warning() -> None:
    (warning,) = look_at_variables(SITE, Scene.new().world.host()).warnings
    assert warning.startswith(".env, line 3: a service would get DB_PASSWORD otherwise than it is read here")
    assert "hunter2" not in warning


@pytest.mark.parametrize("folder", [BASE, SITE.own], ids=["before the first deploy", "later"])
def test_root_does_not_take_a_site_over_by_mistake(folder: Path) -> None:
    """Its ``.env`` would be root's: the deploy user could not read it, and no deploy would begin."""
    world = FakeWorld(BASE, user="root")
    world.plant({f"{folder}/": None, str(SITE.variables): BEFORE}, "deploy")
    before = world.snapshot(BASE)
    with pytest.raises(SiteError, match="/srv/site belongs to deploy, and this runs as root") as refused:
        change_variables(CHANGE, FakeHands(world))
    assert refused.value.help == "run it as deploy"
    assert world.snapshot(BASE) == before
