"""A deploy lets services read ``.env`` as their own user, where root's program starts them."""

from __future__ import annotations

import dataclasses

import pytest

from fakes import scenes
from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, Scene, State
from mcc.core.layout import Site
from mcc.core.ownership import variables_acl
from mcc.core.provisioned import marker, start_program
from mcc.deploy.rollback import rollback
from mcc.deploy.run import plan_deploy
from mcc.deploy.way_back import RollbackRequest, choose
from mcc.model.conf import Ownership

SITE = Site(BASE)
READ = (0o640, variables_acl("www-data"))
SHUT = (0o600, ())


def scene(user: str | None = "www-data", ours: bool = True) -> Scene:
    made = scenes.second(dataclasses.replace(scenes.rich_conf(), ownership=Ownership("none", user)))
    program = f"{marker(BASE) if ours else '# of somebody else'}\n".encode()
    made.world.plant({str(SITE.variables): b"A=1\n", str(start_program(BASE)): program})
    made.world.disk.chmod(SITE.variables, 0o600)
    return made


def rights(one: Scene) -> object:
    access = one.world.host().rights.look(SITE.variables)
    return (access.mode, access.acl) if access else None


def test_their_user_is_named_and_nobody_else() -> None:
    one = scene()
    one.world.disk.chmod(SITE.variables, 0o644)
    _, plan = plan_deploy(one.request, FakeHands(one.world))
    assert ".env: www-data reads it" in [step.title for step in plan.before]
    assert one.deploy() == 0
    assert rights(one) == READ
    assert one.deploy() == 0
    assert rights(one) == READ


@pytest.mark.parametrize(("user", "ours"), [("www-data", False), ("deploy", True), (None, True)])
def test_it_stays_closed_where_nobody_else_has_to_read_it(user: str | None, ours: bool) -> None:
    one = scene(user, ours)
    assert one.deploy() == 0
    assert rights(one) == SHUT


def test_on_a_disk_without_lists_the_deploy_says_so() -> None:
    one = scene()
    one.world.machine.lists = False
    hands = FakeHands(one.world)
    assert one.deploy(hands) == 0
    assert (rights(one), "www-data may not read it" in repr(hands.events)) == (SHUT, True)


def test_a_rollback_gives_the_right_again() -> None:
    one = scene()
    assert one.deploy() == 0
    found = one.world.host().rights.look(SITE.variables)
    assert found
    one.world.host().rights.set(SITE.variables, dataclasses.replace(found, mode=0o600, acl=()))
    assert rights(one) == SHUT
    release = choose(one.world.host().files, SITE, one.ledger, None)
    conf = dataclasses.replace(one.conf, path=SITE.conf(release.name))
    assert rollback(RollbackRequest(SITE, release, conf), FakeHands(one.world)) == 0
    assert rights(one) == READ


def test_a_deploy_that_dies_leaves_it_as_the_live_release_had_it() -> None:
    first = scene()
    whole = first.fork()
    assert whole.deploy() == 0
    for at in some(40, whole.world.process.ticks, "variables"):
        copy = first.fork(kill_at=at)
        with pytest.raises(Killed):
            copy.deploy()
        copy.world.revive()
        copy.recover()
        assert rights(copy) == (SHUT if State.of(copy).live == State.of(first).live else READ), at
