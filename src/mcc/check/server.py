"""A site on the server that it is for: every kind of look, side by side."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mcc.check import (
    certificates,
    clock,
    crontab,
    databases,
    deploy,
    disk,
    folders,
    http,
    nginx,
    postgres,
    reach,
    runs,
    secrets,
    sudo,
    tools,
    units,
)  # fmt: skip
from mcc.check.scene import Look, Scene
from mcc.check.together import together
from mcc.core.layout import Site
from mcc.core.looks.findings import Finding
from mcc.deploy.request import Request
from mcc.deploy.situation import components_of
from mcc.host.ports import Host
from mcc.host.senses import Senses
from mcc.model.conf import Conf
from mcc.operations.site import asked_by_site
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger

LOOKS: Mapping[str, Look] = {
    "deploy": deploy.deploy,
    "sudo": sudo.sudo,
    "folders": folders.folders,
    "secrets": secrets.secrets,
    "reach": reach.reach,
    "disk": disk.disk,
    "tools": tools.tools,
    "units": units.units,
    "nginx": nginx.nginx,
    "certificates": certificates.certificates,
    "http": http.http,
    "databases": databases.databases,
    "postgres": postgres.postgres,
    "crontab": crontab.crontab,
    "backups": runs.backups,
    "runs": runs.runs,
    "clock": clock.clock,
}


def scene_of(request: Request, hands: Hands, senses: Senses) -> Scene:
    """The site that an output folder is for."""
    host = hands.host(request.site, request.conf.services)
    scene = _scene(request.site, request.conf, host, senses)
    return Scene(
        scene.host, senses, scene.site, scene.conf, scene.ledger, request, components_of(request, host.files),
        hands.tool(request.site).version,
    )  # fmt: skip


def scene_of_site(base: Path, hands: Hands, senses: Senses) -> Scene:
    """A site by itself, by the conf of its live release. Raises Refused."""
    asked = asked_by_site(base)
    return _scene(asked.site, asked.conf, hands.host(asked.site, asked.conf.services), senses)


def _scene(site: Site, conf: Conf, host: Host, senses: Senses) -> Scene:
    return Scene(host, senses, site, conf, read_ledger(host.files, site))


def check_server(scene: Scene) -> tuple[Finding, ...]:
    """Everything that can be known of the next deploy before it; nothing is changed."""
    left_out = {"deploy"} if scene.request is None else set()
    found = together({name: functools.partial(look, scene) for name, look in LOOKS.items() if name not in left_out})
    return _as_it_answers(_without_doubles(found))


def _without_doubles(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """A deploy's warnings name no place: they go where a look of its own says the same with its place."""
    placed = {finding.code for finding in found if finding.where}
    return tuple(
        dict.fromkeys(each for each in found if each.where or each.level != "warning" or each.code not in placed)
    )


def _as_it_answers(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """A domain that answers well stops no deploy, whoever serves it: the smoke test asks no more than that."""
    well = {each.where for each in found if each.code == "http.answers"}
    ill = {urlsplit(each.where).hostname for each in found if each.code == "http.answer"}
    good = {urlsplit(url).hostname for url in well} - ill
    return tuple(
        dataclasses.replace(each, level="warning") if each.code == "nginx.domain" and each.where in good else each
        for each in found
    )
