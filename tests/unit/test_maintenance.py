"""What visitors see while a site rests, what its switch says, and which operations there are."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.cli.commands.operations import PLACES
from mcc.core.conf.checks import network
from mcc.core.conf.unfit import Unfit
from mcc.core.maintenance import Maintained, front_pages, is_ours, plain_page, read_switch, switch_text
from mcc.core.smoke import smoke_urls
from mcc.core.stages import OPERATIONS, known_operation, names_in, refuse_unknown_parameters
from mcc.errors import StepError, UsageError
from mcc.model.conf import Conf, Server
from mcc.model.config import Stage
from mcc.steps.leftovers import RemoveLeftovers


class Tags(HTMLParser):
    """All tags with their attributes, and whether each was closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_plain_page_is_whole_small_and_needs_nothing_else() -> None:
    text = plain_page(45).decode()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not re.search(r"https?:|url\(|@import|<script|<link|src=", text)
    assert "prefers-color-scheme: dark" in text
    assert ("meta", {"http-equiv": "refresh", "content": "45"}) in tags.found
    assert len(text) < 2000
    assert is_ours(text.encode())
    assert not is_ours(b"<html>of a project</html>")


def test_a_switch_says_what_was_written_into_it_and_by_hand_nothing() -> None:
    text = switch_text(datetime(2026, 2, 27, 15, tzinfo=UTC), "ann", "for a migration")
    found = read_switch(text.encode())
    assert found.words == "since 2026-02-27T15:00:00+00:00, by ann, for a migration"
    for broken in (b"", b"soon", b"[1]", b"\xff", b"3"):
        assert read_switch(broken) == Maintained()
    assert Maintained().words == "switched on by hand"


def test_front_pages_are_all_but_health() -> None:
    conf = Conf(Path("conf.yml"), Server(Path("/srv/x")), domains=("a.example.com", "b.example.com"))
    urls = smoke_urls(conf)
    assert front_pages(urls, conf.smoke.health_path) == ("https://a.example.com/", "https://b.example.com/")
    asked = dataclasses.replace(conf, smoke=dataclasses.replace(conf.smoke, urls=("https://c.example.com/x",)))
    assert smoke_urls(asked) == ("https://c.example.com/x",)


@pytest.mark.parametrize("good", ["192.0.2.7", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32"])
def test_addresses_and_networks_are_taken_as_nginx_takes_them(good: str) -> None:
    assert network(good) == good


@pytest.mark.parametrize("bad", ["192.0.2", "192.0.2.1/24", "example.com", "10.0.0.0/33", "all", "", 7, None])
def test_what_is_no_network_is_refused(bad: object) -> None:
    with pytest.raises(Unfit):
        network(bad)


# ---- operations


def test_every_operation_has_its_command() -> None:
    assert set(PLACES) == set(OPERATIONS)


def test_an_operation_that_nobody_knows_is_refused_with_the_nearest() -> None:
    assert known_operation(Stage("maintenance-on")) == "maintenance-on"
    assert known_operation(Stage("prod")) is None
    for stage in (Stage("maintenance-of"), Stage("x", parameters={"operation": "maintenance-offf"})):
        with pytest.raises(UsageError) as caught:
            known_operation(stage)
        assert "did you mean maintenance-off?" in caught.value.help


def test_a_parameter_that_an_operation_does_not_read_is_refused() -> None:
    refuse_unknown_parameters("db-restore", ["from", "databases", "confirm", "conf", "operation"])
    with pytest.raises(UsageError, match="db-restore knows no parameter form") as caught:
        refuse_unknown_parameters("db-restore", ["form"])
    assert caught.value.help == "did you mean from?; it takes: conf, from, databases, confirm"


@pytest.mark.parametrize("value", ["a, b", "a b", ["a", "b"], "a,b"])
def test_databases_are_named_by_text_or_by_a_list(value: object) -> None:
    assert names_in(value) == ("a", "b")
    assert names_in(None) == names_in("") == ()


def test_a_leftover_that_another_user_has_closed_does_not_keep_the_others() -> None:
    world = FakeWorld()
    closed, other = Path("/srv/site/.mcc/aside/1"), Path("/srv/site/.mcc/aside/2")
    world.plant({f"{closed}/data/x": b"", f"{other}/x": b""})
    node = world.disk.node(closed / "data")
    node.owner, node.mode = ("www-data", "www-data"), 0o700
    with pytest.raises(StepError, match="cannot be removed: Permission denied") as caught:
        RemoveLeftovers((closed, other), ()).do(world.host(), {})
    assert caught.value.help == f"as root: rm -r {closed}"
    assert world.disk.kind(other) == "absent"
