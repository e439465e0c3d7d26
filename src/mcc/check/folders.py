"""The folders of the site: there, whose they are, and who may write in them."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.ownership import FolderRule
from mcc.core.ownership import folders as rules_of

_PROVISION = "as root: what mcc provision --only folders writes"


def folders(scene: Scene) -> Iterator[Finding]:
    """Every folder of the table in :mod:`mcc.core.ownership` that is there; what is not, a deploy makes."""
    if scene.host.files.kind(scene.site.base) == "absent":
        return  # a deploy makes it, or is refused
    found: list[Finding] = []
    rules = rules_of(scene.conf)
    for rule in rules:
        found += _folder(scene, rule)
    yield from found
    if not found:
        yield ok("folders.fit", f"{len(rules)} folders are as they should be")


def _folder(scene: Scene, rule: FolderRule) -> Iterator[Finding]:
    path, where = rule.path, str(rule.path)
    facts = scene.host.rights.look(path)
    if facts is None:
        return
    kind = scene.host.files.kind(path)
    if kind != "folder" and path != scene.site.base:
        message = f"it is a {kind}, not a folder: what is done below it is done where it leads to"
        yield error("folders.kind", where, message, f"move {path} away, and put a real folder in its place")
        return
    if facts.mode & 0o002:
        yield warning("folders.everybody", where, f"everybody may write in it ({facts.mode:04o})", f"chmod o-w {path}")
    # In data/ and run/ no deploy makes anything: they are the application's.
    if path not in (scene.site.data, scene.site.run) and not scene.host.files.may_write(path):
        message = f"it belongs to {facts.owner}:{facts.group} ({facts.mode:04o}), and {scene.user} may not write in it"
        yield error("folders.closed", where, message, _give_back(scene, rule))
    yield from _service(scene, rule)


def _give_back(scene: Scene, rule: FolderRule) -> str:
    if scene.conf.ownership.mode == "acl":
        return _PROVISION
    return f"as root: chown {scene.user} {rule.path} && chmod u+rwx {rule.path}"


def _service(scene: Scene, rule: FolderRule) -> Iterator[Finding]:
    """What the service user needs there, and must not have."""
    user, may = scene.service_user, scene.senses.may
    if user is None:
        return
    where = str(rule.path)
    if rule.use == "written" and not may(user, rule.path, "rwx"):
        yield _shut(scene, rule, f"{user} may not write in it")
    elif rule.use in ("passed", "read") and not may(user, rule.path, "x"):
        yield error("folders.shut", where, f"{user} may not pass it", _opened(scene, rule, "o+x"))
    if rule.use == "private" and _is_open(scene, rule, user):
        message = f"{user} may get at what is {scene.user}'s alone"
        yield warning("folders.open", where, message, f"chmod 700 {rule.path}")
    if rule.use in ("read", "passed") and may(user, rule.path, "w") and not _is_given(scene, rule):
        message = f"{user} may write in it, and {scene.user} runs what is there"
        yield warning(
            "folders.writable", where, message, f"chown {scene.user} {rule.path} && chmod g-w,o-w {rule.path}"
        )
    if scene.conf.ownership.mode == "acl" and rule.acl and rule.use == "written":
        facts = scene.host.rights.look(rule.path)
        if facts is not None and not any(each.startswith("d:") for each in facts.acl):
            message = "what is made in it gets no access control list: one of the two users could not write it"
            yield error("folders.acl", where, message, _PROVISION)


def _is_open(scene: Scene, rule: FolderRule, user: str) -> bool:
    """Reading is kept from the service where lists say who may what; writing always."""
    closed = scene.conf.ownership.mode == "acl"
    return scene.senses.may(user, rule.path, "w") or (closed and scene.senses.may(user, rule.path, "r"))


def _shut(scene: Scene, rule: FolderRule, message: str) -> Finding:
    # With OWNERSHIP: sudo the next deploy sets these owners itself.
    level = warning if scene.conf.ownership.mode == "sudo" else error
    return level("folders.shut", str(rule.path), message, _opened(scene, rule, "g+rwx"))


def _opened(scene: Scene, rule: FolderRule, how: str) -> str:
    if scene.conf.ownership.mode == "acl":
        return _PROVISION
    if scene.conf.ownership.mode == "sudo" and rule.use == "written":
        return "the next deploy sets it"
    return f"chmod {how} {rule.path}"


def _is_given(scene: Scene, rule: FolderRule) -> bool:
    """``OWNERSHIP: sudo`` gives releases to the service user; and SQLite needs the site of a single tenant."""
    if scene.conf.ownership.mode != "sudo":
        return False
    below = str(rule.path.relative_to(scene.site.base)) if rule.path != scene.site.base else ""
    return below in scene.folders or (not below and not scene.conf.domains)
