"""A template unit is deployed by its two slots; what cannot be deployed so is refused before anything is touched."""

from __future__ import annotations

import dataclasses

import pytest

from engine import test_slot_kills as slots
from fakes.scenes import OUT, Scene, State, second, simple_conf
from fakes.services import Unit
from mcc.core import sudo
from mcc.core.layout import Site
from mcc.errors import Refused
from mcc.model.conf import Component, Conf, Ownership, Server, Services
from mcc.model.event import Warned


def conf(**services: tuple[str, ...]) -> Conf:
    return dataclasses.replace(simple_conf(), services=Services(**services))


def refused(scene: Scene) -> Refused:
    before = State.of(scene)
    with pytest.raises(Refused) as caught:
        scene.deploy()
    assert caught.value.exit_code == 2
    assert State.of(scene).difference(before) == []
    return caught.value


@pytest.mark.parametrize("name", ["app@a.service", "app@b"])
@pytest.mark.parametrize("key", ["names", "workers"])
def test_one_slot_alone_is_refused_and_its_template_named(name: str, key: str) -> None:
    scene = slots.second()
    scene.conf = conf(**{key: (name,)})
    error = refused(scene)
    assert f"{name} is one slot of a template unit" in error.message
    assert "name app@.service" in f"{error.message} {error.help}"


def test_a_worker_is_no_template() -> None:
    scene = slots.second()
    scene.conf = conf(names=("app@.service",), workers=("worker@.service",))
    assert "a worker has no socket" in refused(scene).message


def test_two_templates_are_refused() -> None:
    scene = slots.second()
    scene.conf = conf(names=("app@.service", "other@.service"))
    assert "only one service can have two slots" in refused(scene).message


def test_without_a_folder_for_sockets_root_is_asked_for_it() -> None:
    scene = slots.first()
    scene.world.disk.remove_tree(slots.SITE.run)
    error = refused(scene)
    assert (error.message, "--only folders" in error.help) == (
        f"{slots.SITE.run} is missing, where a service of two slots has its sockets", True,
    )  # fmt: skip


def test_a_folder_that_the_deploy_user_may_not_write_is_refused() -> None:
    scene = slots.first()
    scene.world.disk.remove_tree(slots.SITE.run)
    scene.world.plant({str(slots.SITE.run): None}, owner="root")
    assert refused(scene).message == f"deploy may not write in {slots.SITE.run}"


def test_a_unit_that_systemd_does_not_know_is_named() -> None:
    scene = slots.first()
    del scene.world.units.units["app@b.service"]
    error = refused(scene)
    assert error.message == "the service app@b.service is not known: not found"
    assert "mcc provision" in error.help


def test_a_path_that_is_too_long_for_a_socket_is_refused() -> None:
    scene = slots.first()
    base = scene.world.base.parent / ("x" * 90)
    scene.world.plant({str(base / "run"): None})
    scene.conf = dataclasses.replace(scene.conf, server=Server(base))
    assert "107 bytes" in refused(scene).message


def test_a_file_in_the_place_of_the_link_is_refused() -> None:
    scene = slots.first()
    scene.world.plant({str(slots.SITE.current_socket): b""})
    assert refused(scene).message == f"{slots.SITE.current_socket} is a file, not a link"


def test_another_instance_is_a_unit_like_any_other() -> None:
    """Only the slots are special: whoever has units such as app@main.service goes on restarting them."""
    scene = second()
    scene.world.units.units["app@main.service"] = Unit("app@main.service", up=True)
    scene.conf = conf(names=("app@main.service",))
    assert scene.deploy() == 0
    assert scene.world.units.units["app@main.service"].starts


def test_a_front_end_alone_leaves_the_slots_as_they_are() -> None:
    scene = slots.second()
    found = (Component("ui", "ui", (("ui", "."),), (("current-ui", "."),)),)
    scene.conf = dataclasses.replace(scene.conf, components=found, cron=(), site_files=())
    scene.bring({f"{OUT}/ui/index.html": b"page 2", f"{OUT}/conf-prod.yml": b""})
    served, links = slots.visitors(scene), scene.world.disk.names(slots.SITE.slots)
    assert scene.deploy() == 0
    assert (slots.visitors(scene), scene.world.disk.names(slots.SITE.slots)) == (served, links)
    assert scene.world.commands.detached == []


def test_another_manager_knows_no_slots() -> None:
    scene = second()
    scene.conf = dataclasses.replace(scene.conf, services=Services("none", names=("app@.service",)))
    assert scene.deploy() == 0


class TestRights:
    def test_sudo_is_needed_for_exactly_the_two_units(self) -> None:
        units = ("app@a.service", "app@b.service")
        needed = sudo.required(conf(names=("app@.service",)))
        assert needed == tuple(words(unit) for unit in units for words in (sudo.restart, sudo.stop))
        both = {*needed, *sudo.useful(conf(names=("app@.service",)))}
        assert both == {words(unit) for unit in units for words in (sudo.restart, sudo.stop, sudo.start, sudo.status)}

    def test_one_that_is_missing_is_named_with_the_line_to_add(self) -> None:
        scene = slots.first()
        scene.conf = dataclasses.replace(scene.conf, ownership=Ownership("none"))
        scene.world.sudo.allowed = {*sudo.required(scene.conf)} - {sudo.stop("app@b.service")}
        error = refused(scene)
        assert "sudo /bin/systemctl stop app@b.service" in error.message
        assert "/bin/systemctl stop app@b.service" in error.help


class TestAnotherKindOfUnit:
    """A site changes from an ordinary unit to two slots, and back: nginx is root's, so root has the last word."""

    def test_from_an_ordinary_unit_the_slot_starts_and_the_unit_goes_on(self) -> None:
        scene = second()
        serving = scene.world.serving()["app.service"]
        for name in slots.UNITS:
            scene.world.units.units[name] = Unit(name)
        scene.world.plant({str(Site(scene.world.base).run): None})
        scene.conf = slots.conf()
        hands = slots.FakeHands(scene.world)
        assert scene.deploy(hands) == 0
        assert slots.live_unit(scene) == "app@a.service"
        assert scene.world.serving()["app.service"] == serving
        (said,) = [event.text for event in hands.events if isinstance(event, Warned) and "app.service" in event.text]
        assert "until nginx leads to" in said
        assert "mcc provision --stage prod --only nginx" in said

    def test_back_to_an_ordinary_unit_the_slots_go_on(self) -> None:
        scene = slots.second()
        scene.world.units.units["app.service"] = Unit("app.service")
        scene.world.http.fixed["https://"] = (200, "OK")
        scene.world.http.fixed["http://127.0.0.1"] = (200, "OK")
        scene.conf = second().conf
        hands = slots.FakeHands(scene.world)
        assert scene.deploy(hands) == 0
        assert scene.world.serving()["app@a.service"]
        assert scene.world.serving()["app.service"]
        assert [event for event in hands.events if isinstance(event, Warned) and "disable --now app@a" in event.text]
