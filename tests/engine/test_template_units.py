"""A template unit has two slots, and a deploy restarts units: it is refused before anything is touched."""

from __future__ import annotations

import dataclasses

import pytest

from fakes.scenes import State, second, simple_conf
from fakes.services import Unit
from mcc.errors import Refused
from mcc.model.conf import Conf, Services


def conf(**services: tuple[str, ...]) -> Conf:
    return dataclasses.replace(simple_conf(), services=Services(**services))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app@.service", "a template unit"),
        ("app@", "a template unit"),
        ("app@a.service", "one slot of a template unit"),
        ("app@b", "one slot of a template unit"),
    ],
)
@pytest.mark.parametrize("key", ["names", "workers"])
def test_neither_a_template_nor_one_of_its_slots_is_deployed(name: str, kind: str, key: str) -> None:
    scene = second()
    before = State.of(scene)
    scene.conf = conf(**{key: (name,)})
    with pytest.raises(Refused) as caught:
        scene.deploy()
    assert caught.value.exit_code == 2
    assert caught.value.message == f"{name} is {kind}, which this version of mcc does not deploy"
    assert caught.value.help == "name an ordinary unit, such as app.service, and let mcc provision write it"
    assert State.of(scene).difference(before) == []


def test_another_instance_is_a_unit_like_any_other() -> None:
    """Only the slots are special: whoever has units such as app@main.service goes on restarting them."""
    scene = second()
    scene.world.units.units["app@main.service"] = Unit("app@main.service", up=True)
    scene.conf = conf(names=("app@main.service",))
    assert scene.deploy() == 0
    assert scene.world.units.units["app@main.service"].starts
