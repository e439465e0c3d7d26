"""Links of a site, and single files in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.errors import StepError
from mcc.host.ports import Files, Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class SwitchLink:
    """Point a link of the site (``current-api``, ``.venv``) at a release; one rename(2)."""

    link: Path
    target: str

    def look(self, host: Host) -> Seen:
        kind = host.files.kind(self.link)
        return {"kind": kind, "target": host.files.read_link(self.link) if kind == "link" else ""}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if seen["kind"] not in ("absent", "link"):
            raise StepError(f"{self.link} is a {seen['kind']}, not a link", help="move it away, then deploy again")
        host.files.link(self.link, self.target)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        sweep(host.files, self.link.parent)
        if host.files.kind(self.link) != "link" or host.files.read_link(self.link) != self.target:
            return None  # never switched, or back already
        if seen["kind"] == "link":
            host.files.link(self.link, seen["target"])
        elif seen["kind"] == "absent":
            host.files.remove(self.link)
        return None


@dataclass(frozen=True, slots=True)
class ReplaceFiles:
    """Put files of the output in the place of the site's; the old ones are kept in ``keep`` until the end.

    ``files`` are ``(source, target)`` pairs. With ``executable`` they get the mode 0755, as
    scripts that cron runs need.
    """

    files: tuple[tuple[Path, Path], ...]
    keep: Path
    executable: bool = False

    def look(self, host: Host) -> Seen:
        return {str(target): host.files.kind(target) for _, target in self.files}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.make_folder(self.keep, 0o700)
        for number, (source, target) in enumerate(self.files):
            if seen[str(target)] not in ("absent", "file"):
                raise StepError(f"{target} is a {seen[str(target)]}, not a file", help="move it away")
            host.files.make_folder(target.parent)
            if seen[str(target)] == "file":
                _keep(host.files, target, self._kept(number))
            host.files.copy_file(source, target, 0o755 if self.executable else 0o644)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        for number, (_, target) in enumerate(self.files):
            if host.files.kind(self._kept(number)) == "file":
                host.files.rename(self._kept(number), target)
            elif seen[str(target)] == "absent":
                host.files.remove(target)
            sweep(host.files, target.parent)
        return None

    def _kept(self, number: int) -> Path:
        return self.keep / f"{number}-{self.files[number][1].name}"


def _keep(files: Files, path: Path, kept: Path) -> None:
    """A second name for a file, or a copy of another user's: Linux refuses the name (proc_sys_fs(5)).

    A copy that is put back belongs to the deploy user, as every file that a deploy places.
    """
    try:
        files.hard_link(path, kept)
    except OSError:
        files.copy_file(path, kept)
