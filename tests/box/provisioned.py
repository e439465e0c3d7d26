"""A site as root sets it up for ``OWNERSHIP: acl``: folders from the one table, sudo lines from the one list."""

from __future__ import annotations

import re
from pathlib import Path

from box.harness import DEPLOY_USER, Box
from box.notes import EXAMPLE, Notes
from mcc.core.ownership import folders
from mcc.core.sudo import required, sudoers_line, useful
from mcc.model.conf import Conf, Ownership, Server, Services

CONF = {"OWNERSHIP": "acl", "DIR_GROUP": "", "SMOKE_URLS": "[]", "STABLE_FOR": "0.5"}
"""Keys of conf-prod.yml that make the sample application's site one with lists."""


def conf_of(notes: Notes, single_tenant: bool = False) -> Conf:
    """What root needs to know of a site."""
    server, services = Server(Path(notes.base), DEPLOY_USER), Services(names=notes.units)
    return Conf(
        Path("conf-prod.yml"), server, ownership=Ownership("acl", "www-data"), services=services,
        domains=() if single_tenant else notes.domains,
    )  # fmt: skip


def set_up_folders(box: Box, conf: Conf) -> None:
    """What root does once: chown, chmod, setfacl, in the words of the table."""
    lines = ["set -e"]
    for rule in folders(conf):
        lines += [f"mkdir -p {rule.path}", f"chown {rule.owners} {rule.path}"]
        lines += [f"setfacl --set {','.join(rule.acl)} {rule.path}"] if rule.acl else []
        lines += [f"chmod {rule.mode:o} {rule.path}"]
    box.exec("\n".join(lines))


def rights(conf: Conf) -> list[str]:
    """Whole command lines for the services, and nothing else."""
    return [sudoers_line(DEPLOY_USER, *required(conf), *useful(conf))]


def set_up(notes: Notes, *, single_tenant: bool = False) -> Notes:
    """Units that run as the service user in its own group, nginx, sudo lines and folders."""
    place_units(notes)
    conf = conf_of(notes, single_tenant)
    set_up_folders(notes.box, conf)
    notes.box.sudoers(rights(conf))
    return notes


def place_units(notes: Notes) -> None:
    """The example's, but for its group; and nginx."""
    notes.set_up()
    for unit, part in zip(notes.units, ("api", "worker"), strict=True):
        text = (EXAMPLE / f"deploy/notes-prod-{part}.service").read_text().replace("notes-prod", notes.name)
        text = re.sub(r"\b8000\b", str(notes.port), text)
        notes.box.unit(unit, text.replace("Group=stenvala", "Group=www-data").replace("UMask=0002\n", ""))


def deployed(notes: Notes, output: Path) -> Notes:
    """The first release of such a site is live; folders and sudo lines are those of ``mcc provision``."""
    place_units(notes)
    box = notes.box
    box.exec(["rm", "/etc/sudoers.d/box"])
    notes.bring(output, conf=CONF)
    words = ["mcc", "provision", "--stage", "prod", "--only", "folders", "--only", "sudoers", "--script"]
    box.exec(["sh"], stdin=box.exec(words, DEPLOY_USER, cwd=notes.brought).stdout)
    assert rights(conf_of(notes))[0].partition("NOPASSWD: ")[2].split(", ") == _allowed(box)
    done = notes.deploy()
    assert done.code == 0, done
    notes.wait_for_version("1")
    return notes


def _allowed(box: Box) -> list[str]:
    """The commands of provision's file for sudo."""
    lines = box.exec("cat /etc/sudoers.d/mcc-*").stdout.splitlines()
    return [line.partition("NOPASSWD: ")[2] for line in lines if "NOPASSWD: " in line]
