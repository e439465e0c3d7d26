"""SIGKILL in the middle of a deploy, and what is there afterwards, after the next deploy, and after a rollback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from box.harness import DEPLOY_USER, BoxError, Running
from peers.boxes import UID, Desk, Server
from peers.load import last_words, start
from peers.peer import Peer
from peers.tree import Tree

Side = Literal["desk", "server"]
SHARES = (0.6, 0.2, 0.95, 0.4, 0.8)
"""Moments, as parts of the time that a deploy takes, spread so that few tell much; one more is when a link changes."""
AT_THE_LINK = 0.0
BEFORE, KILLED, NEXT = 2, 3, 4
"""Releases: live before, killed while it is deployed, deployed next. Release 1 is there too, to go back to."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a site serves: a whole release, or none (``release`` is 0); ``unfinished`` ones lie beside it."""

    release: int
    unfinished: int = 0
    there: bool = True


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what followed. ``moment``: a share of a deploy's time. Exit codes are of the tool."""

    side: Side
    moment: float
    code: int
    after: Served
    next_code: int
    next: Served
    back: Served

    @property
    def whole(self) -> bool:
        """Visitors have a whole release, that before or the new one."""
        return self.after.release in (BEFORE, KILLED)

    @property
    def goes_on(self) -> bool:
        """The next deploy needs no help, and what it says is true."""
        return self.next_code == 0 and self.next.release == NEXT

    @property
    def comes_back(self) -> bool:
        """A rollback publishes no half release; one that refuses leaves a whole one."""
        return self.back.release != 0

    @property
    def loses_nothing(self) -> bool:
        return self.whole and self.goes_on and self.comes_back


def served(state: Mapping[str, Any], trees: Iterable[Tree]) -> Served:
    """Which release all files of are there with their content; other files may lie beside them."""
    files, trees = state["files"], list(trees)
    whole = [tree.number for tree in trees if tree.files.items() <= files.items()]
    fewest = min(len(tree.files) for tree in trees)
    unfinished = sum(count < fewest for count in state["releases"].values())
    return Served(whole[0] if whole else 0, unfinished, bool(files))


class Killer:
    """Kills deploys of one tool, each from the same site."""

    def __init__(self, desk: Desk, server: Server, peer: Peer, trees: Sequence[Tree], seconds: float) -> None:
        self.desk, self.server, self.peer, self.seconds = desk, server, peer, seconds
        self.trees = {tree.number: tree for tree in trees}

    def prepare(self) -> None:
        """The site that each kill begins with: release 2 is live, 1 was."""
        self.server.box.exec(["rm", "-rf", *self.peer.state])
        self.server.box.exec(["mkdir", "-p", self.peer.base], DEPLOY_USER)
        for number in (1, BEFORE):
            if self._deploy(number) != 0:
                raise BoxError(f"{self.peer.name} does not deploy")
        self.server.wait_until_quiet()
        self.server.keep(self.peer)

    def kill(self, side: Side, moment: float) -> Kill:
        self.server.restore(self.peer)
        code = self._killed(side, moment)
        after = self._served()
        next_code = self._deploy(NEXT)
        following = self._served()
        self.desk.run(self.peer, self.peer.rollback)
        return Kill(side, moment, code, after, next_code, following, self._served())

    def _killed(self, side: Side, moment: float) -> int:
        killer = self._killer(side, moment)
        words = self.desk.words(self.peer, self.trees[KILLED])
        running = self.desk.box.spawn(words, DEPLOY_USER, cwd=self.peer.desk)
        last_words(killer)
        if side == "desk" and moment == AT_THE_LINK:
            self.desk.ask("kill", UID)  # who saw the link is on the server
        code = _end(running)
        self.desk.hang_up()
        self.server.wait_until_quiet()
        return code

    def _killer(self, side: Side, moment: float) -> Running:
        if moment == AT_THE_LINK:
            whom = UID if side == "server" else ""
            return start(self.server, "links", whom, *self.server.watched(self.peer), user=None)
        machine = self.desk if side == "desk" else self.server
        return start(machine, "after", UID, f"{self.seconds * moment:.3f}", user=None)

    def _deploy(self, number: int) -> int:
        return self.desk.run(self.peer, self.desk.words(self.peer, self.trees[number])).result.code

    def _served(self) -> Served:
        return served(self.server.state(self.peer), self.trees.values())


def _end(running: Running) -> int:
    try:
        return running.wait(120).code
    except BoxError:  # it waits for a server that has lost its processes; by now it is killed
        return -1


def moments(count: int) -> list[float]:
    """When to kill on each side: the link first, then as many of the shares as asked for."""
    return [AT_THE_LINK, *SHARES][:count]
