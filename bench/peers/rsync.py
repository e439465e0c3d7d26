"""rsync into a new folder and a link that is renamed into place: the floor, since it checks nothing."""

from __future__ import annotations

from peers.peer import Peer

PEER = Peer(
    "rsync and a link", "rsync",
    deploy=("sh", "deploy.sh", "{tree}/ui"),
    rollback=("sh", "rollback.sh"),
    checks=False,
)  # fmt: skip
