"""Whether the running site answers."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.check.together import each_at_once
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.slots import template_of
from mcc.core.smoke import smoke_urls
from mcc.host.ports import Answer
from mcc.runs.slots import health_of

_TIMEOUT = 5.0
_HERE = "127.0.0.1"


def http(scene: Scene) -> Iterator[Finding]:
    """The application on its port, then the site as visitors see it, with what a deploy's smoke test asks."""
    yield from _port(scene)
    if not scene.serves:
        return
    if scene.host.files.kind(scene.site.maintenance_switch) != "absent":
        message = "the site is in maintenance: visitors get 503"
        yield warning(
            "http.maintenance", str(scene.site.maintenance_switch), message, "mcc maintenance off, when it is over"
        )
        return
    yield from each_at_once(lambda url: _ask(scene, url), smoke_urls(scene.conf))


def _ask(scene: Scene, url: str) -> list[Finding]:
    answer = scene.host.http.get(url, min(_TIMEOUT, scene.conf.smoke.timeout))
    if answer.ok:
        return [ok("http.answers", "200", url)]
    reason = f"{answer.status} {answer.reason}".strip() if answer.status else answer.reason
    help = "a deploy's smoke test would fail for this: look at logs/, at nginx and at the services"
    return [error("http.answer", url, reason, help)]


def _port(scene: Scene) -> Iterator[Finding]:
    """The application itself, or somebody else on its port."""
    conf, port = scene.conf, scene.conf.api_port
    if template_of(conf.services):
        yield from _slot(scene)
        return
    if port is None or not conf.services.names or conf.services.manager == "none":
        return
    listens = scene.host.http.tcp(_HERE, port, _TIMEOUT) == ""
    active = [name for name in conf.services.names if _is_up(scene, name)]
    if listens and not active:
        message = f"somebody else listens on port {port}, and none of {', '.join(conf.services.names)} is up"
        help = f"as root: ss -ltnp 'sport = :{port}' says who; stop that, or change API_PORT, unit and nginx"
        yield error("http.port-taken", f"API_PORT: {port}", message, help)
    elif active and scene.serves:
        yield from _health(scene, port, listens)


def _slot(scene: Scene) -> Iterator[Finding]:
    """Of two slots the live one, on its own socket."""
    socket = health_of(scene.conf, scene.site, scene.host.files).socket
    if socket is None or not scene.serves:
        return
    if scene.host.http.connections(socket) is None:
        message = "nobody listens there, though visitors are led to it"
        yield error("http.port", str(socket), message, "mcc deploy starts the other slot; logs/ says why this one died")
        return
    url = f"http://localhost{scene.conf.smoke.health_path}"
    yield from _judge(scene, scene.host.http.get(url, min(_TIMEOUT, scene.conf.smoke.timeout), socket), str(socket))


def _is_up(scene: Scene, name: str) -> bool:
    state = scene.host.services.state(name)
    sockets = (scene.host.services.state(each) for each in state.triggers)
    return state.active or state.starting or any(each.active for each in sockets)


def _health(scene: Scene, port: int, listens: bool) -> Iterator[Finding]:
    url = f"http://{_HERE}:{port}{scene.conf.smoke.health_path}"
    if not listens:
        message = f"nobody listens on port {port}, though the service is up"
        yield error("http.port", f"API_PORT: {port}", message, "let the unit's command and API_PORT name the same port")
        return
    yield from _judge(scene, scene.host.http.get(url, min(_TIMEOUT, scene.conf.smoke.timeout)), url)


def _judge(scene: Scene, answer: Answer, url: str) -> Iterator[Finding]:
    if answer.status == 404:
        message = f"HEALTH_PATH {scene.conf.smoke.health_path} is not known to the application (404)"
        yield warning("http.health-path", url, message, "correct HEALTH_PATH in the conf, or add the route")
    elif not answer.ok:
        reason = f"{answer.status} {answer.reason}".strip() if answer.status else answer.reason
        yield error("http.health", url, reason, "the application is not well: look at logs/ and at the databases")
    else:
        yield ok("http.health-answers", "200", url)
