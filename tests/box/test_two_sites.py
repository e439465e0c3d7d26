"""Two sites of one user on one server: what one does, the other does not notice."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from box.harness import DEPLOY_HOME, DEPLOY_USER, Box, Boxes, Result
from box.notes import Notes, Outputs, rules_of

CACHE = f"{DEPLOY_HOME}/.cache/uv"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sites, and how the first deploys of them ended, which ran at the same time."""

    box: Box
    prod: Notes
    dev: Notes
    results: tuple[Result, Result]


@pytest.fixture(scope="module")
def pair(module_boxes: Boxes, outputs: Outputs) -> Pair:
    """On a server as uv finds it: its cache on the disk of the sites, and nothing said of links."""
    box = module_boxes(own_uv_cache=True)
    assert "link-mode" not in box.read("/etc/uv/uv.toml")
    prod = Notes(box, domains=("app.box.test",)).set_up()
    dev = Notes(box, "notes-dev", 8001, ("client.box.test",)).set_up()
    box.sudoers(rules_of((prod, dev)))
    running = [site.start_deploy(outputs()) for site in (prod, dev)]
    first, second = (deploy.wait(120) for deploy in running)
    return Pair(box, prod, dev, (first, second))


def test_both_can_be_deployed_at_once(pair: Pair) -> None:
    """Each has its own lock, services, databases and block in the one crontab."""
    for result in pair.results:
        assert result.code == 0, result
    for site in (pair.prod, pair.dev):
        site.wait_for_version("1")
        assert site.post("hello") == 201
        assert site.box.crontab().splitlines().count(f"# BEGIN mcc {site.base}") == 1
    assert pair.box.crontab().count("@reboot ") == 2
    assert pair.box.crontab().count("\n* * * * * cd ") == 2


def test_their_environments_share_no_file(pair: Pair) -> None:
    """Not with each other and not with uv's cache, from which uv itself takes links."""
    assert everything_is_its_own(pair)
    output = pair.prod.brought
    pair.box.exec(["uv", "sync", "-q", "--frozen"], DEPLOY_USER, cwd=output)
    assert inodes(pair.box, f"{output}/.venv") & inodes(pair.box, CACHE)
    pair.box.exec(["rm", "-rf", f"{output}/.venv"])


def test_links_that_somebody_asked_of_uv_are_not_made(pair: Pair, outputs: Outputs) -> None:
    """The user's uv.toml says hardlink; the environment that is built anew is made of copies all the same."""
    pair.box.write(f"{DEPLOY_HOME}/.config/uv/uv.toml", 'link-mode = "hardlink"\n', DEPLOY_USER)
    old = pair.prod.link(".venv")
    done = pair.prod.deploy(outputs(), UV_SYNC_ARGS="['--no-default-groups']")
    assert done.code == 0, done
    assert pair.prod.link(".venv") != old
    assert everything_is_its_own(pair)


def test_a_deploy_of_one_leaves_the_other_alone(pair: Pair, outputs: Outputs) -> None:
    """A good one, and one that goes back: links, files, environment, crontab, services, answers of the other stay."""
    before, prod_block = state(pair.dev), block(pair.prod)
    good = pair.prod.deploy(outputs("v2"))
    assert good.code == 0, good
    assert (pair.prod.version(), pair.dev.version()) == ("2", "1")
    assert state(pair.dev) == before
    bad = pair.prod.deploy(outputs("v2", "does-not-start"))
    assert bad.code == 1, bad
    assert (pair.prod.version(), pair.dev.version()) == ("2", "1")
    assert state(pair.dev) == before
    assert block(pair.prod) == prod_block
    assert pair.dev.migrations("client.box.test")[-1] == "004_heartbeats"


def test_the_rights_of_one_are_not_those_of_the_other(pair: Pair, outputs: Outputs) -> None:
    """With the lines of one alone, the other is refused before anything is touched."""
    before = state(pair.dev)
    pair.box.sudoers(pair.prod.rules())
    refused = pair.dev.deploy(outputs("v2"))
    pair.box.sudoers(rules_of((pair.prod, pair.dev)))
    assert refused.code == 2, refused
    assert "notes-dev-api.service" in refused.stderr
    assert "notes-prod" not in refused.stderr
    assert state(pair.dev) == before


def state(site: Notes) -> dict[str, object]:
    """Everything of a site that a deploy of it may change, to the identity of each file of its environments."""
    identities = site.box.exec(["find", f"{site.base}/venvs", "-printf", "%i %C@ %p\n"]).stdout
    return {
        "files": site.facts(".mcc/lock"), "environments": identities, "block": block(site), "starts": site.starts(),
        "releases": site.mcc("releases", "--site", site.base).stdout, "version": site.version(),
    }  # fmt: skip


def block(site: Notes) -> str:
    """What is between the edges of a site's block in the crontab."""
    before, edge, rest = site.box.crontab().partition(f"# BEGIN mcc {site.base}\n")
    assert edge, before
    return rest.partition("# END mcc")[0]


def inodes(box: Box, *folders: str) -> set[str]:
    """The identities of all files below; two names of one file have the same."""
    listed = box.exec(["find", *folders, "-type", "f", "-printf", "%D:%i\n"]).stdout
    return set(listed.splitlines())


def everything_is_its_own(pair: Pair) -> bool:
    """Whether no file of an environment has a second name, and each is the deploy user's."""
    venvs = [f"{site.base}/venvs" for site in (pair.prod, pair.dev)]
    prod, dev, cache = (inodes(pair.box, folder) for folder in (*venvs, CACHE))
    assert min(len(prod), len(dev), len(cache)) > 500
    assert pair.box.exec(["find", *venvs, "-type", "f", "-links", "+1"]).stdout == ""
    assert pair.box.exec(["find", *venvs, CACHE, "!", "-user", DEPLOY_USER]).stdout == ""
    return not (prod & dev or prod & cache or dev & cache)
