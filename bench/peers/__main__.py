"""Deploys of one tree over ssh by mcc and by what one would use instead: seconds, visitors, kills.

See docs/peers.md for what each of them does, and how to read the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _common as common

from peers import ansible, capistrano, fabric, mcc, pyinfra, rsync
from peers.boxes import Desk, Server, Timed, say
from peers.kills import Killer, moments
from peers.load import visitors
from peers.table import Found, as_data, show
from peers.tree import FILES, RELEASES, SIZE, Tree, make_trees

PEERS = (rsync.PEER, mcc.PEER, fabric.PEER, pyinfra.PEER, pyinfra.CAREFUL, capistrano.PEER, ansible.PEER)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/peers", description=str(__doc__).splitlines()[0])
    counts = {
        "--rounds": (5, "deploys of each that are timed"),
        "--seen": (3, "deploys of each while visitors come"),
        "--kills": (5, "kills of each on the desk, and as many on the server; at most 6"),
    }
    for name, (default, text) in counts.items():
        parser.add_argument(name, type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="folders in bench/peers/desk")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON instead of tables")
    return parser.parse_args()


class Bench:
    """The two machines and what was found so far."""

    def __init__(self, desk: Desk, server: Server, trees: Sequence[Tree], found: Sequence[Found]) -> None:
        self.desk, self.server, self.trees = desk, server, trees
        self.all = found
        self.turn = 0

    @property
    def present(self) -> list[Found]:
        return [each for each in self.all if not each.absent]

    def look_for_tools(self) -> None:
        for each in self.all:
            if self.desk.has(each.peer):
                each.version = "" if each.peer is mcc.PEER else self.desk.version(each.peer)
            else:
                each.absent = self.desk.missing[each.peer.tool.name] if each.peer.tool else ""

    def round(self) -> Sequence[Found]:
        """All, beginning with another than in the round before; each round deploys another tree."""
        turn = self.turn % len(self.present)
        self.turn += 1
        return self.present[turn:] + self.present[:turn]

    def deploy(self, found: Found) -> Timed:
        """One deploy; one that fails ends the benchmark, since its numbers would say nothing."""
        self.server.wait_until_quiet()
        timed = self.desk.run(found.peer, self.desk.words(found.peer, self.trees[self.turn % RELEASES]))
        if timed.result.code != 0:
            raise SystemExit(str(timed.result))
        return timed

    def measure(self, rounds: int) -> None:
        for number in range(rounds + 1):
            for found in self.round():
                timed = self.deploy(found)
                if number:  # the first one finds nothing there
                    found.seconds.append(timed.seconds)
                    found.cpu.append(timed.cpu)
            say(f"round {number} of {rounds}")

    def watch(self, rounds: int) -> None:
        for number in range(rounds):
            for found in self.round():
                with visitors(self.server, found.peer, found.seen):
                    self.deploy(found)
                found.deploys_seen += 1
            say(f"round {number + 1} of {rounds} with visitors")

    def kill(self, count: int) -> None:
        for found in self.present if count else []:
            killer = Killer(self.desk, self.server, found.peer, self.trees, found.median)
            killer.prepare()
            found.kills += [killer.kill("desk", moment) for moment in moments(count)]
            found.kills += [killer.kill("server", moment) for moment in moments(count)]
            say(f"{found.peer.name}: {len(found.kills)} kills")


def main() -> None:
    asked = options()
    peers = [peer for peer in PEERS if not asked.only or peer.folder in asked.only or peer is mcc.PEER]
    with tempfile.TemporaryDirectory(prefix="mcc-bench-") as folder:
        trees = make_trees(Path(folder))
        server = Server.start(peers)
        try:
            desk = Desk.start(peers, trees, server)
            try:
                bench = Bench(desk, server, trees, [Found(peer) for peer in peers])
                bench.look_for_tools()
                bench.measure(asked.rounds)
                bench.watch(asked.seen)
                bench.kill(asked.kills)
            finally:
                desk.box.down()
        finally:
            server.box.down()
    if asked.json:
        print(json.dumps([as_data(each) for each in bench.all], indent=2))
        return
    print(f"{FILES} files, {SIZE / 1e6:.0f} MB, {common.machine()}; {asked.rounds} interleaved rounds\n")
    show(bench.all, next(each for each in bench.all if each.peer is mcc.PEER))


if __name__ == "__main__":
    main()
