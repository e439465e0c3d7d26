"""A playbook with the tasks of the roles ansistrano.deploy and ansistrano.rollback, without those that only ask."""

from __future__ import annotations

from peers.peer import Peer, from_index

_PLAY = ("/opt/ansible/bin/ansible-playbook", "-i", "server,")
_OTHERS = "find ansible_collections -mindepth 1 -maxdepth 1 ! -name ansible ! -name '*.py' -exec rm -rf {} +"
PEER = Peer(
    "Ansible", "ansible",
    deploy=(*_PLAY, "deploy.yml", "-e", "tree={tree}/ui"),
    rollback=(*_PLAY, "rollback.yml"),
    tool=from_index("ansible", "ansible==12.3.0", "ansible-core==2.19.14", without=[_OTHERS]),
)  # fmt: skip
