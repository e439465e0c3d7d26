"""The two machines: a desk with the tools, and a server that is deployed to."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from box.harness import DEPLOY_HOME, DEPLOY_USER, Box, BoxError, Result, box_root, recipe, until
from box.layers import inside, layer, mcc_layers
from peers.peer import DESK, Peer, Tool
from peers.tree import Tree

_HERE = Path(__file__).resolve().parent
UID = "1000"
_PROBE = "/opt/probe.py"
_TREES = f"{DEPLOY_HOME}/trees"
_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_CONFIG = """\
Host server
  HostName {ip}
  User {user}
  IdentityFile ~/.ssh/id_ed25519
  ControlMaster auto
  ControlPath ~/.ssh/master-%C
  ControlPersist 60
"""
_SITE = """\
server {{
  listen 80;
  server_name {host};
  root {current};
  access_log off;
}}
"""


def say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)


class Machine:
    """What both have: a box, and the small program that looks at it from inside."""

    def __init__(self, box: Box) -> None:
        self.box = box
        box.write(_PROBE, (_HERE / "probe.py").read_text())

    def probing(self, *words: str) -> list[str]:
        return ["/usr/bin/python3", "-I", _PROBE, *words]

    def ask(self, *words: str) -> dict[str, Any]:
        """What the small program says of the machine."""
        answer: dict[str, Any] = json.loads(self.box.exec(self.probing(*words)).stdout)
        return answer

    @property
    def cpu(self) -> float:
        """Seconds of CPU that its services and sessions have had so far (cgroups(7), version 2); 0 if unknown."""
        for top in _CGROUPS:
            file = Path(f"{top}/mccbox-{self.box.name}/cpu.stat")
            if file.exists() and (found := re.search(r"usage_usec (\d+)", file.read_text())):
                return int(found[1]) / 1e6
        return 0.0

    def wait_until_quiet(self) -> None:
        """Return when the deploy user runs nothing."""
        until(lambda: self.ask("processes", UID)["processes"] == 0, f"an end of all that runs in {self.box.name}")


class Server(Machine):
    """nginx serves the link of each tool's site under a name of its own."""

    @classmethod
    def start(cls, peers: Iterable[Peer]) -> Server:
        server = cls(Box.start(mcc_layers(Path(recipe("build")), say)))
        server.box.exec(["loginctl", "enable-linger", DEPLOY_USER])  # its first session would pay for the others
        for peer in peers:
            server.box.exec(["mkdir", "-p", peer.base], DEPLOY_USER)
        server.box.nginx_site("".join(_SITE.format(host=peer.host, current=peer.current) for peer in peers), "peers")
        return server

    def keep(self, peer: Peer) -> None:
        """Remember a site as it is."""
        self.box.exec(["rm", "-rf", f"/kept/{peer.folder}"])
        self.box.exec(["mkdir", "-p", f"/kept/{peer.folder}"])
        names = [path.lstrip("/") for path in peer.state]
        self.box.exec(["cp", "-a", "--parents", *names, f"/kept/{peer.folder}"], cwd="/")

    def restore(self, peer: Peer) -> None:
        """The site as it was remembered."""
        self.box.exec(["rm", "-rf", *peer.state])
        self.box.exec(["cp", "-a", f"/kept/{peer.folder}/home", "/"])

    def state(self, peer: Peer) -> dict[str, Any]:
        """What the site serves, as :func:`peers.probe.state` says it."""
        return self.ask("state", peer.current, f"{peer.base}/{peer.releases}")

    def watched(self, peer: Peer) -> list[str]:
        """The folders in which a tool makes links."""
        return [peer.base, f"{peer.base}/{peer.releases}"]


@dataclass(frozen=True, slots=True)
class Timed:
    """A command on the desk that has ended: how many seconds it took, and how many of CPU on both machines.

    What stays in the background on the desk (the master of shared connections) is not in ``cpu``.
    """

    result: Result
    seconds: float
    cpu: float


class Desk(Machine):
    """Where the tools are, each in its folder."""

    server: Server
    missing: dict[str, str]
    """Why a tool is not here, by its name."""

    @classmethod
    def start(cls, peers: Iterable[Peer], trees: Sequence[Tree], server: Server) -> Desk:
        layers, missing = _install({peer.tool.name: peer.tool for peer in peers if peer.tool})
        desk = cls(Box.start(layers))
        desk.server = server
        desk.missing = missing
        desk._trust(server)
        desk.box.push(_HERE / "desk", DESK)
        for peer in peers:
            desk.box.exec(["mkdir", "-p", peer.desk], DEPLOY_USER)
        for tree in trees:
            desk.box.push(tree.folder, f"{_TREES}/{tree.number}")
        return desk

    def _trust(self, server: Server) -> None:
        home = f"{DEPLOY_HOME}/.ssh"
        known = (server.box.folder / "known_hosts").read_text()
        self.box.exec(["tee", "-a", "/etc/hosts"], stdin=f"{server.box.ip} server\n")
        self.box.write(f"{home}/known_hosts", known + known.replace(server.box.ip, "server"), DEPLOY_USER)
        self.box.write(f"{home}/id_ed25519", (box_root() / "keys/ssh").read_bytes(), DEPLOY_USER, 0o600)
        self.box.write(f"{home}/config", _CONFIG.format(ip=server.box.ip, user=DEPLOY_USER), DEPLOY_USER, 0o600)

    def has(self, peer: Peer) -> bool:
        return peer.tool is None or peer.tool.name not in self.missing

    def version(self, peer: Peer) -> str:
        words = peer.tool.version if peer.tool else ("rsync", "--version")
        said = self.box.exec(words).stdout.split()
        return said[0] if peer.tool else said[2]

    def words(self, peer: Peer, tree: Tree) -> list[str]:
        return peer.deploying(f"{_TREES}/{tree.number}")

    def run(self, peer: Peer, words: Sequence[str]) -> Timed:
        """A command of a tool in its folder, to its end, each time with no connection open."""
        cpu, started = self._cpu(), time.perf_counter()
        result = self.box.exec(words, DEPLOY_USER, cwd=peer.desk, check=False, timeout=180)
        seconds = time.perf_counter() - started
        cpu = self._cpu() - cpu
        self.hang_up()
        return Timed(result, seconds, cpu)

    def _cpu(self) -> float:
        """What commands from here took so far, and the server."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + self.server.cpu

    def hang_up(self) -> None:
        """Connections that are kept for a next command end with their processes."""
        self.ask("kill", UID)
        self.box.exec(f"rm -rf {DEPLOY_HOME}/.ssh/master-* {DEPLOY_HOME}/.ansible/cp")


def _install(tools: dict[str, Tool]) -> tuple[list[Path], dict[str, str]]:
    """A layer for each tool, and why there is none for some."""
    base, layers, missing = Path(recipe("build")), [], {}
    for tool in tools.values():

        def fill(root: Path, tool: Tool = tool) -> None:
            for words in tool.commands:
                inside(root, words, f"{tool.name} cannot be installed")

        try:
            layers.append(layer(f"desk-{tool.name}", [base], tool.key, fill, say))
        except BoxError as error:
            missing[tool.name] = str(error).strip().splitlines()[-1]
    return layers, missing
