"""What the demo is made of: the sample application, the script without mcc, uv, an interpreter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from mcc.errors import SiteError

_INSTALL = 'pip install "mcc-deploy[demo]"'
_NOT_OURS = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "NOTES_BASE", "CONDA_PREFIX")


@dataclass(frozen=True, slots=True)
class Material:
    """``application``: the sample's folder. ``script``: the deploy script without mcc. ``uv``: the program."""

    application: Path
    script: Path
    uv: Path

    def environment(self, first_on_path: Path) -> dict[str, str]:
        """Variables for both sides: uv on the PATH, and this interpreter instead of one that uv downloads."""
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        path = os.pathsep.join((str(first_on_path), str(self.uv.parent), kept.get("PATH", os.defpath)))
        python = str(getattr(sys, "_base_executable", None) or sys.executable)
        ours = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1")))
        return {
            **kept,
            "PATH": path,
            "NO_PROXY": ours,
            "no_proxy": ours,
            "UV_PYTHON": python,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
        }


def find_material() -> Material:
    """Find everything, in a checkout or in an installed package. Raises SiteError with what is missing."""
    if importlib.util.find_spec("supervisor") is None:
        raise SiteError("the demo needs the package supervisor", help=_INSTALL)
    here = Path(__file__).resolve().parent
    installed = Material(here / "notes", here / "from_the_specification.py", _find_uv())
    examples = here.parents[2] / "examples"
    checkout = Material(examples / "notes", examples / "from-the-specification" / "mcc_deploy.py", installed.uv)
    for found in (installed, checkout):
        if (found.application / "mcc_build.py").is_file() and found.script.is_file():
            return found
    raise SiteError(f"the sample application is neither in {here} nor in {examples}", help="install mcc-deploy again")


def _find_uv() -> Path:
    try:
        import uv

        return Path(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise SiteError("the demo needs uv", help=_INSTALL)
    return Path(found).absolute()


def free_ports(count: int) -> list[int]:
    """Ports of this machine on which nobody listens now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports
