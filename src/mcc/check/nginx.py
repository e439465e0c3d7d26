"""nginx: whether its sites look where a deploy puts things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, ok, warning
from mcc.core.looks.nginx import Served, judge
from mcc.core.looks.nginx_site import read_sites

_ROOT = Path("/etc/nginx")
_FOLDERS = ("sites-enabled", "conf.d", "snippets")  # the last is read by who includes it
_LARGEST = 1024 * 1024


def nginx(scene: Scene) -> Iterator[Finding]:
    """The files that nginx reads, as far as this user may read them too."""
    if scene.host.files.kind(_ROOT) not in ("folder", "link") or not scene.conf.domains:
        return
    texts, closed = _texts(scene)
    for path in closed:
        message = f"{scene.user} may not read it, so nobody knows whether it fits the site"
        yield warning("nginx.unreadable", path, message, f"as root: chmod o+r {path}")
    conf = scene.conf
    https = conf.web.tls != "none"
    served = Served(str(scene.site.base), conf.domains, scene.links, conf.api_port, https=https)
    found = list(judge(read_sites(texts, texts), served)) if not closed else []
    yield from found
    if not found and not closed:
        yield ok("nginx.sites", f"{len(conf.domains)} domains are served from the links of this site")


def _texts(scene: Scene) -> tuple[dict[str, str], list[str]]:
    texts, closed = dict[str, str](), list[str]()
    paths = [_ROOT / folder / name for folder in _FOLDERS for name in _names(scene, _ROOT / folder)]
    for path in [*paths, _ROOT / "nginx.conf"]:
        try:
            texts[str(path)] = scene.host.files.read(scene.end_of(path), _LARGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError:
            closed.append(str(path))
    return texts, closed


def _names(scene: Scene, folder: Path) -> list[str]:
    names = scene.host.files.names(folder) if scene.host.files.kind(folder) in ("folder", "link") else []
    return [name for name in names if not name.startswith(".") and (folder.name != "conf.d" or name.endswith(".conf"))]
