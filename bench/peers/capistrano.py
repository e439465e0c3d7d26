"""Capistrano's own flow, all tasks; the source is a plugin that sends a folder by rsync, as its manual shows one."""

from __future__ import annotations

from peers.peer import Peer, from_debian

PEER = Peer(
    "Capistrano", "capistrano",
    deploy=("env", "TREE={tree}/ui", "cap", "production", "deploy"),
    rollback=("cap", "production", "deploy:rollback"),
    tool=from_debian("capistrano", "capistrano", "ruby-ed25519", "ruby-bcrypt-pbkdf"),
)  # fmt: skip
