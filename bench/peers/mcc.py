"""rsync into a folder that stays, and ``mcc deploy`` there."""

from __future__ import annotations

from peers.peer import Peer

PEER = Peer(
    "mcc", "mcc",
    deploy=("sh", "deploy.sh", "{tree}"),
    rollback=("sh", "rollback.sh"),
    link="current-ui",
    releases="ui",
    incoming="incoming",
)  # fmt: skip
