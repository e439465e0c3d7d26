"""What the benchmark knows of a tool: how it gets onto the desk, what one types, and where its site is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LIVE = "/home/stenvala/live"
DESK = "/home/stenvala/desk"

@dataclass(frozen=True, slots=True)
class Tool:
    """What must be installed on the desk: commands, run in its root folder before it is booted, with the network."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    version: tuple[str, ...]
    """The command that says the version."""

    @property
    def key(self) -> str:
        """Changes with all that is installed."""
        return repr(self.commands)


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to deploy. ``{tree}`` in ``deploy`` is the output folder of a build on the desk, without a last slash.

    ``link`` is what the web server serves. Who ``checks`` nothing is the floor, outside the ranking.
    """

    name: str
    folder: str
    """Its own in ``desk/``, and its site's name."""
    deploy: tuple[str, ...]
    rollback: tuple[str, ...]
    tool: Tool | None = None
    link: str = "current"
    releases: str = "releases"
    incoming: str = ""
    """A folder in the deploy user's home that it sends to, if not in its site."""
    checks: bool = True

    @property
    def base(self) -> str:
        return f"{LIVE}/{self.folder}"

    @property
    def current(self) -> str:
        return f"{self.base}/{self.link}"

    @property
    def host(self) -> str:
        """The name that its site is asked for by."""
        return f"{self.folder}.box.test"

    @property
    def desk(self) -> str:
        return f"{DESK}/{self.folder}"

    @property
    def state(self) -> tuple[str, ...]:
        """All that it has on the server."""
        return (self.base, *([f"/home/stenvala/{self.incoming}"] if self.incoming else []))

    def deploying(self, tree: str) -> list[str]:
        """The words that deploy a tree."""
        return [word.format(tree=tree) for word in self.deploy]


def from_index(name: str, *pins: str, without: Sequence[str] = ()) -> Tool:
    """A tool of the Python package index in an environment of its own. ``without``: lines that remove a part again."""
    place = f"/opt/{name}"
    into = ("--python", f"{place}/bin/python", "--link-mode=copy", "--cache-dir=/tmp/uv")
    compiling = f"{place}/bin/python -m compileall -q . || true"  # templates that look like Python do not compile
    commands = (
        ("/usr/bin/python3", "-m", "venv", "--without-pip", place),
        ("uv", "pip", "install", "-q", *into, *pins),
        *(("sh", "-c", f"cd {place}/lib/python3*/site-packages && {line}") for line in (*without, compiling)),
    )
    return Tool(name, commands, (f"{place}/bin/python", "-c", _VERSION.format(name)))


_VERSION = "import importlib.metadata as m; print(m.version({!r}))"


def from_debian(name: str, *packages: str) -> Tool:
    """A tool that Debian packages."""
    install = f"apt-get -qq update && apt-get -qq -y --no-install-recommends install {' '.join(packages)}"
    clean = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin"
    line = f"export DEBIAN_FRONTEND=noninteractive; {install}; code=$?; {clean}; exit $code"
    return Tool(name, (("sh", "-c", line),), ("dpkg-query", "-W", "-f", "${Version}", name))
