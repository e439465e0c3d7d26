"""pyinfra's operations; the link once by ``files.link``, as it documents, once by a rename in a shell command."""

from __future__ import annotations

from peers.peer import Peer, from_index

_TOOL = from_index("pyinfra", "pyinfra==3.10.0")


def _peer(name: str, folder: str, link: str) -> Peer:
    command = ("/opt/pyinfra/bin/pyinfra", "-y", "server")
    data = ("--data", f"site={folder}", "--data", f"link={link}")
    deploy = (*command, "../pyinfra/deploy.py", "--data", "tree={tree}/ui", *data)
    return Peer(name, folder, deploy, (*command, "../pyinfra/rollback.py", *data), _TOOL)


PEER = _peer("pyinfra, files.link", "pyinfra", "files")
CAREFUL = _peer("pyinfra, mv -T", "pyinfra-mv", "rename")
