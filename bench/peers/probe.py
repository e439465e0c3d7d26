"""What runs on the server beside a deploy, on its own: Python's library is all it needs.

``opens LINK``, ``requests HOST`` and ``links UID DIR...`` say ``ready`` and go on until SIGTERM; ``after UID SECONDS``,
``state LINK RELEASES``, ``kill UID`` and ``processes UID`` end by themselves. Each says one line of JSON at the end.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

VISITORS = 4
PAUSE = 0.02
"""Seconds between a page and the file that it names, as of a browser that reads it."""
STAYS = {"systemd", "(sd-pam)", "dbus-daemon"}
"""Processes of a user that are no part of what it runs."""
_NAMED = re.compile(r'src="/?([^"]+)"')


class Loop:
    """Until somebody ends it with SIGTERM."""

    def __init__(self) -> None:
        self.ended = False
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self.ended = True

    def until_ended(self, work: Callable[[], None]) -> None:
        print("ready", flush=True)
        while not self.ended:
            work()


def named(page: str) -> str:
    """The file that a page names first."""
    found = _NAMED.search(page)
    return found.group(1) if found else ""


class Opens:
    """Opens a page through a link as fast as it can, and the file of its release that it names."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.count: Counter[str] = Counter()
        self.longest = 0.0
        """Seconds for which the page could not be opened, at most."""
        self._since = 0.0

    def once(self) -> None:
        self.count["pages"] += 1
        try:
            page = (self.link / "index.html").read_text()
        except OSError:
            self.count["failed pages"] += 1
            self._since = self._since or time.monotonic()
            self.longest = max(self.longest, time.monotonic() - self._since)
            return
        self._since = 0.0
        self.count["files"] += 1
        try:
            (self.link / named(page)).open().close()
        except OSError:
            self.count["failed files"] += 1

    def told(self) -> dict[str, float]:
        return {**self.count, "longest": self.longest}


class Visitors:
    """A page, a moment later the file that it names, and again; half of them with a new connection each time."""

    def __init__(self, host: str, address: str = "127.0.0.1") -> None:
        self.host, self.address = host, address
        self.count: Counter[str] = Counter()
        self.ended = threading.Event()

    def visit(self, keep: bool) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        while not self.ended.is_set():
            status, page = self._get(connection, "/")
            self._note("pages", status)
            time.sleep(PAUSE)
            if status == 200:
                self._note("files", self._get(connection, f"/{named(page)}")[0])
            if not keep:
                connection.close()
        connection.close()

    def _get(self, connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
        try:
            connection.request("GET", path, headers={"Host": self.host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0, ""

    def _note(self, what: str, status: int) -> None:
        self.count[what] += 1
        if status != 200:
            self.count[f"failed {what}"] += 1


def links(folders: list[Path]) -> set[tuple[str, int]]:
    """Names and numbers of all links that lie directly in these folders."""
    found = set()
    for folder in folders:
        try:
            found |= {(entry.path, entry.inode()) for entry in os.scandir(folder) if entry.is_symlink()}
        except OSError:
            continue
    return found


def processes(uid: int) -> Iterator[int]:
    """What a user runs here, without the parts of a session that stay."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == uid:
                name = (folder / "comm").read_text().strip()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if name not in STAYS and state not in "ZX":
                    yield int(folder.name)
        except OSError:
            continue


def kill(uid: int) -> int:
    """SIGKILL for each of them, again until there is none; how many there were."""
    killed: set[int] = set()
    for _ in range(1000):
        those = list(processes(uid))
        if not those:
            break
        for pid in those:
            killed.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.001)
    return len(killed)


def files_in(folder: Path) -> Iterator[Path]:
    return (Path(above, name) for above, _, names in os.walk(folder) for name in names)


def state(link: Path, releases: Path) -> dict[str, object]:
    """Where a link leads, a hash of each file there (none if it leads nowhere), and how many files each release has."""
    target = os.readlink(link) if link.is_symlink() else ""
    files = {str(path.relative_to(link)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files_in(link)}
    folders = [folder for folder in sorted(releases.glob("*")) if folder.is_dir() and not folder.is_symlink()]
    counts = {folder.name: sum(1 for _ in files_in(folder)) for folder in folders}
    return {"target": target, "files": files, "releases": counts}


def _opens(link: str) -> object:
    opens = Opens(Path(link))
    Loop().until_ended(opens.once)
    return opens.told()


def _requests(host: str) -> object:
    loop, visitors = Loop(), Visitors(host)
    threads = [threading.Thread(target=visitors.visit, args=(number % 2 == 0,)) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    loop.until_ended(lambda: time.sleep(0.02))
    visitors.ended.set()
    for thread in threads:
        thread.join()
    return visitors.count


def _links(uid: str, *folders: str) -> object:
    """Waits until a link in one of the folders is another than before; then kills all of a user, if one is given."""
    places = [Path(folder) for folder in folders]
    before, loop = links(places), Loop()
    changed = False

    def look() -> None:
        nonlocal changed
        if links(places) != before:
            changed = loop.ended = True

    loop.until_ended(look)
    return {"changed": changed, "killed": kill(int(uid)) if changed and uid else 0}


def _after(uid: str, seconds: str) -> object:
    """Waits so long, then kills all of a user; it is ready by then, so that no start is in the time."""
    print("ready", flush=True)
    time.sleep(float(seconds))
    return {"killed": kill(int(uid))}


_VERBS: dict[str, Callable[..., object]] = {
    "opens": _opens,
    "requests": _requests,
    "links": _links,
    "after": _after,
    "state": lambda link, releases: state(Path(link), Path(releases)),
    "kill": lambda uid: {"killed": kill(int(uid))},
    "processes": lambda uid: {"processes": len(list(processes(int(uid))))},
}

if __name__ == "__main__":
    print(json.dumps(_VERBS[sys.argv[1]](*sys.argv[2:])), flush=True)
