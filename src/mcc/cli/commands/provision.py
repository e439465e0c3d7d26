"""``mcc provision``: it shows, and changes nothing on a server; what it writes, root runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.provision import show_difference, show_installed
from mcc.core.layout import Site
from mcc.errors import SiteError, UsageError
from mcc.host.files import RealFiles
from mcc.host.ports import Files, Host
from mcc.model.conf import Services
from mcc.provision.script.write import script
from mcc.provision.server.ask import read_stage, read_wish
from mcc.provision.server.difference import difference
from mcc.provision.server.installed import templates
from mcc.provision.server.look_around import installed
from mcc.provision.wish import ALL, Wish


def run_provision(
    output: Path, stage: str, parts: Sequence[str], as_script: bool, folder: Path | None, format: str
) -> int:
    """The difference to this machine; or the script on standard output; or the files in a folder."""
    if as_script and folder is not None:
        raise UsageError("--script and --files are two things", help="take one of them")
    wish = read_wish(output.resolve(), stage, RealFiles(), [part for part in ALL if part in parts])
    if as_script:
        sys.stdout.write(script(wish))
        return 0
    if folder is not None:
        written = {str(file.path)[1:]: (file.text, file.mode) for file in wish.files}
        _write(folder, written, RealFiles())
        return 0
    return _show(wish, stage, format)


def _show(wish: Wish, stage: str, format: str) -> int:
    host = _host(wish.base)
    found = difference(wish, host)
    show_difference(wish, found, stage, host.machine.name(), format)
    if found.against:
        raise SiteError(
            "\n".join(found.against),
            help=f"mcc provision --stage {stage} --import shows how files are taken over; or move them away",
        )
    return 0


def run_import(output: Path, stage: str, folder: Path | None, format: str) -> int:
    """What is installed for the site on this machine, as keys of a conf and as templates."""
    conf = read_stage(output.resolve(), stage)
    host = _host(conf.server.base)
    found = installed(conf.server.base, conf.server.user, host)
    show_installed(found, host.machine.name(), format)
    if folder is not None:
        _write(folder, {name: (text, 0o644) for name, text in templates(found).items()}, RealFiles())
    return 0


def _host(base: Path) -> Host:
    return RealHands(screen_for("plain")).host(Site(base), Services(manager="none"))


def _write(folder: Path, written: Mapping[str, tuple[str, int]], files: Files) -> None:
    """A tree of files. What is there under another kind is never followed. Raises UsageError."""
    folder = folder.absolute()
    for name, (text, mode) in written.items():
        path = folder / name
        kind = files.kind(path)
        if kind not in ("absent", "file"):
            raise UsageError(f"{path} is a {kind}, not a file", help="name an empty folder")
        files.make_folder(path.parent)
        files.write(path, text.encode("utf-8", "surrogateescape"), mode)
        print(path)
    if not written:
        print("no file to write", file=sys.stderr)
