"""Who may do what in a site's folders (``OWNERSHIP: acl``): by lists that the deploy user sets on what is his own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.core.acl import canonical
from mcc.core.ownership import FolderRule
from mcc.host.ports import Access, Host
from mcc.model.plan import Facts, Seen

_LOG_MODE = 0o660  # the service user may empty it, which is how logrotate does it on his behalf


@dataclass(frozen=True, slots=True)
class ShareFolders:
    """Make the folders that are missing, and give all that are this user's their mode and list.

    Folders of another user are left as they are: whether they will do is known before.
    """

    rules: tuple[FolderRule, ...]

    def look(self, host: Host) -> Seen:
        return {str(rule.path): _as_data(host.rights.look(rule.path)) for rule in self.rules}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for rule in self.rules:
            host.files.make_folder(rule.path, 0o700)
            now = host.rights.look(rule.path)
            if now is not None and now.owner == host.machine.user() and as_ruled(rule, now) != now:
                host.rights.set(rule.path, as_ruled(rule, now))
        self._look_at_group(host)
        return None

    def _look_at_group(self, host: Host) -> None:
        """The lists name both users, so that a group that cannot be given is no failure."""
        for rule in self.rules:
            now, user = host.rights.look(rule.path), host.machine.user()
            if now is not None and rule.group and now.group != rule.group and now.owner == user:
                host.listener.warn(
                    f"{rule.path} stays with the group {now.group}: {user} is not in {rule.group}; "
                    f"as root: usermod -aG {rule.group} {user}"
                )
                return

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """A folder that somebody has put something into by now stays, with its rights."""
        for rule in reversed(self.rules):
            before, now = seen[str(rule.path)], host.rights.look(rule.path)
            if now is None or host.files.kind(rule.path) != "folder":
                continue
            if before is not None:
                _set_back(host, rule.path, before, now)
            elif not host.files.names(rule.path):
                host.files.remove_tree(rule.path)
        return None


@dataclass(frozen=True, slots=True)
class ShareFiles:
    """Let the other user write files of ours that were made before the folder's list was there: databases."""

    files: tuple[Path, ...]
    mode: int
    acl: tuple[str, ...]

    def look(self, host: Host) -> Seen:
        return {str(path): _as_data(host.rights.look(path)) for path in self.files}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for path in self.files:
            now = host.rights.look(path)
            if now is None or now.owner != host.machine.user() or host.files.kind(path) != "file":
                continue
            wanted = Access(now.owner, now.group, self.mode, canonical(self.acl))
            if wanted != now:
                host.rights.set(path, wanted)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        for path in self.files:
            before, now = seen[str(path)], host.rights.look(path)
            if before is not None and now is not None and host.files.kind(path) == "file":
                _set_back(host, path, before, now)
        return None


@dataclass(frozen=True, slots=True)
class TakeLogs:
    """Have files of our own where cron's shell will add to logs: it would follow another user's link.

    What another user has there is moved aside (``NAME.1``), which the owner of the folder may. The folder's sticky
    bit keeps the names that are ours.
    """

    files: tuple[Path, ...]

    def look(self, host: Host) -> Seen:
        return {str(path): _log_state(host, path) for path in self.files}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for path in self.files:
            state = _log_state(host, path)
            if state == "ours":
                continue
            if state != "absent":
                aside = seen[str(path)] if seen[str(path)] not in ("ours", "absent") else _free(host, path)
                host.files.rename(path, path.with_name(aside))
                host.listener.warn(f"{path} was another user's, and is {aside} now: cron's jobs add to a file of ours")
            host.files.append(path, b"", _LOG_MODE)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        for path in self.files:
            state = seen[str(path)]
            if state == "ours" or _log_state(host, path) not in ("ours", "absent"):
                continue
            if _log_state(host, path) == "ours" and host.files.size(path) == 0:
                host.files.remove(path)
            aside = path.with_name(state) if state != "absent" else path
            if state != "absent" and host.files.kind(path) == "absent" and host.files.kind(aside) != "absent":
                host.files.rename(aside, path)
        return None


def as_ruled(rule: FolderRule, now: Access) -> Access:
    """What a folder should be: the group stays where the rule names none."""
    return Access(now.owner, rule.group or now.group, rule.mode, canonical(rule.acl))


def _log_state(host: Host, path: Path) -> str:
    """``absent``, ``ours``, or under which name another user's would be kept."""
    kind, now = host.files.kind(path), host.rights.look(path)
    if now is None or kind == "absent":
        return "absent"
    return "ours" if kind == "file" and now.owner == host.machine.user() else _free(host, path)


def _free(host: Host, path: Path) -> str:
    taken, number = set(host.files.names(path.parent)), 1
    while f"{path.name}.{number}" in taken:
        number += 1
    return f"{path.name}.{number}"


def _as_data(access: Access | None) -> dict[str, Any] | None:
    if access is None:
        return None
    return {"owner": access.owner, "group": access.group, "mode": access.mode, "acl": list(access.acl)}


def _set_back(host: Host, path: Path, before: Mapping[str, Any], now: Access) -> None:
    wanted = Access(before["owner"], before["group"], before["mode"], tuple(before["acl"]))
    if wanted != now and now.owner == before["owner"] == host.machine.user():
        host.rights.set(path, wanted)
