"""A fabfile: a new folder under a name that nobody takes for a release, then its own name, then the link."""

from __future__ import annotations

from peers.peer import Peer, from_index

_FAB = ("/opt/fabric/bin/fab", "-H", "server")
PEER = Peer(
    "Fabric", "fabric",
    deploy=(*_FAB, "deploy", "--tree", "{tree}/ui"),
    rollback=(*_FAB, "rollback"),
    tool=from_index("fabric", "fabric==3.2.3", "paramiko==5.1.0", "invoke==2.2.1"),
)  # fmt: skip
