"""Root runs nothing that the deploy user owns, and the deploy user becomes nobody who is as good as root."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.model.conf import Conf
from mcc.model.problem import Problem

# Debian's groups that are as good as root, or read what root alone should.
_POWERFUL = frozenset(
    {"root", "sudo", "wheel", "adm", "shadow", "disk", "docker", "lxd", "kmem", "systemd-journal", "staff", "libvirt"}
    | {"incus-admin", "ssl-cert", "crontab"}
)


def problems(conf: Conf) -> Iterator[Problem]:
    """What a conf must not ask for; templates of units are looked at where they are filled in."""
    name, group = conf.path.name, conf.ownership.group
    if conf.ownership.user == "root":
        message = f"is root, who would run what {conf.server.user} owns"
        yield Problem(name, 0, "DIR_USER", message, "name a user without rights, such as www-data")
    for key, user in (("REMOTE_USER", conf.server.user), ("DIR_USER", conf.ownership.user)):
        if user in _POWERFUL - {"root"}:  # useradd(8) makes a user of that name a member of the group
            yield Problem(
                name, 0, key, f"is {user}, as a group is called that is as good as root", "choose another name"
            )
    if group in _POWERFUL:
        message = f"is {group}, whose members can become root or read everything"
        yield Problem(name, 0, "DIR_GROUP", message, "name the deploy user's own group")
