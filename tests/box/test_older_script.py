"""A project's own script, put together from the specification, beside mcc: ``uv run --frozen mcc_deploy.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from box.harness import DEPLOY_USER, SPEC_PATHS, Box, Result, spec_sudoers
from box.layers import CHECKOUT
from box.notes import DOMAINS, Notes, Outputs

SCRIPT = CHECKOUT / "examples/from-the-specification/mcc_deploy.py"
# requests has authorities of its own, and this server's is private.
TRUST = {"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
FOREIGN = "MAILTO=me\n# a % of mine\n\n*/5 * * * *   cd /srv && ./count_notes.sh  # not ours\n"


@pytest.fixture(scope="session")
def with_script(outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of version 2, with the older script in the place of the one that stands on mcc."""
    folder = tmp_path_factory.mktemp("script") / "output"
    shutil.copytree(outputs("v2"), folder)
    shutil.copy2(SCRIPT, folder)
    return folder


def allow(site: Notes) -> None:
    """The script sets the owner of .venv too."""
    site.box.sudoers(spec_sudoers(site.base, site.units, paths=(*SPEC_PATHS, ".venv")))


def run_script(site: Notes, output: Path, **conf: str) -> Result:
    """As its project does: it imports typer, yaml and requests from the environment of the output folder."""
    at = site.bring(output, conf=conf)
    words = ["uv", "run", "--frozen", "mcc_deploy.py", "--stage", "prod"]
    return site.box.exec(words, DEPLOY_USER, cwd=at, env=TRUST, check=False)


def test_a_site_of_the_script_is_its_own(new: Notes, with_script: Path) -> None:
    """It works where mcc is installed; mcc does not touch such a site, and says why."""
    allow(new)
    by_hand = ["logs", *(f"domains/{domain}" for domain in DOMAINS)]
    new.box.exec(["mkdir", "-p", *(f"{new.base}/{folder}" for folder in by_hand)], DEPLOY_USER)
    new.box.exec(["chown", "-R", "www-data", f"{new.base}/logs", f"{new.base}/domains"])
    new.box.exec(["chmod", "-R", "g+w", f"{new.base}/logs", f"{new.base}/domains"])
    done = run_script(new, with_script, SERVICES="[notes-prod-api.service]")
    assert done.code == 0, done
    new.wait_for_version("2")
    before, crontab = new.facts(), new.box.crontab()
    refused = new.deploy()
    assert refused.code == 2, refused
    assert f"{new.base}/.venv is a real environment, as an older script made it" in refused.stderr
    assert (new.facts(), new.box.crontab()) == (before, crontab)
    assert new.version() == "2"


def test_both_can_deploy_to_one_site_in_turn(live: Notes, outputs: Outputs, with_script: Path) -> None:
    """mcc, the script, mcc: each works. mcc says what was changed, clears the doubled jobs away, and no longer
    runs from an environment that the script has changed in place and opened to the service."""
    allow(live)
    add_foreign_lines(live.box)
    crontab, environment = live.box.crontab(), live.link(".venv")
    done = run_script(live, with_script, SERVICES="[notes-prod-api.service]")
    assert done.code == 0, done
    live.wait_for_version("2")
    assert live.box.crontab().count("./count_notes.sh >> ") == 2

    again = live.deploy(outputs())
    print(again)
    assert again.code == 0, again
    assert "current-api was changed by someone else" in again.stdout
    live.wait_for_version("1")
    assert live.box.crontab() == crontab
    assert live.link(".venv") != environment
    as_service = ["setpriv", "--reuid=www-data", "--regid=stenvala", "--clear-groups"]
    writable = ["find", f"{live.base}/{live.link('.venv')}", "!", "-type", "l", "-writable"]
    assert live.box.exec([*as_service, *writable], cwd="/").stdout == ""
    assert live.post("after both") == 201
    assert live.status()["changed_links"] == []


def add_foreign_lines(box: Box) -> None:
    text = f"{FOREIGN}{box.crontab()}# last\n@daily true"
    box.exec(["crontab", "-"], DEPLOY_USER, stdin=f"{text}\n")
