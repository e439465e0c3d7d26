"""What provision would change, and what is installed already, printed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mcc.core.ownership import FolderRule
from mcc.provision.server.difference import Difference
from mcc.provision.server.installed import Installed, Key, keys, templates
from mcc.provision.wish import ALL, Wish

_WORDS = {"foreign": "not ours", "unknown": "?"}


def show_difference(wish: Wish, found: Difference, stage: str, machine: str, format: str) -> None:
    """Each file with its diff, and what would be done beside; or all of it as JSON."""
    if format == "json":
        print(json.dumps(_as_data(wish, found, stage), indent=2), flush=True)
        return
    print(f"provision {stage} -> {wish.base}, beside what {machine} has\n")
    for line in _lines(wish, found):
        print(line)
    print(_last(wish, found, stage), flush=True)


def _lines(wish: Wish, found: Difference) -> Iterator[str]:
    yield from (f"  package   {name}" for name in found.packages)
    yield from (f"  user      {name}" for name in found.users)
    yield from (f"  {_word(state):<9} {rule.path}/{_rights(rule, state, wish)}" for rule, state in found.folders)
    for each in found.files:
        hint = " (only root may read it)" if each.state == "unknown" else ""
        yield f"  {_word(each.state):<9} {each.file.path}{hint}"
        yield from (f"      {line}" for line in each.diff)
    yield from (f"  taken     {each}" for each in found.taken)
    yield from (f"  enable    {name}" for name in found.enable)
    yield from (f"  run       {text}" for text in _runs(wish, found))


def _rights(rule: FolderRule, state: str, wish: Wish) -> str:
    if state == "same":
        return ""
    does = {"written": "writes", "read": "reads", "passed": "passes"}.get(rule.use) if rule.acl else None
    return f" ({rule.mode:04o}, {wish.service} {does})" if does and wish.service else f" ({rule.mode:04o})"


def _word(state: str) -> str:
    return _WORDS.get(state, state)


def _runs(wish: Wish, found: Difference) -> Iterator[str]:
    """Commands that make the services take it up."""
    changed = {each.file.checker for each in found.files if each.state in ("new", "changed")}
    if "systemd-analyze" in changed:
        yield "systemctl daemon-reload"
    if "nginx" in changed:
        yield "nginx -t, systemctl reload-or-restart nginx"
    for each in wish.certificates:
        if each.source == "certbot":
            yield f"certbot, if {each.domain} has no certificate yet"


def _last(wish: Wish, found: Difference, stage: str) -> str:
    if found.against:
        return "\nnothing was changed"
    if found.nothing:
        return "\neverything is as it should be"
    only = "".join(f" --only {part}" for part in ALL if part in wish.parts) if wish.parts != set(ALL) else ""
    return f"\nnothing was changed; root does it with: mcc provision --stage {stage}{only} --script | sudo sh"


def _as_data(wish: Wish, found: Difference, stage: str) -> dict[str, object]:
    return {
        "stage": stage,
        "site": str(wish.base),
        "files": [
            {"path": str(each.file.path), "part": each.file.part, "state": each.state, "diff": list(each.diff)}
            for each in found.files
        ],
        "folders": [{"path": str(rule.path), "state": state} for rule, state in found.folders],
        "packages": list(found.packages),
        "users": list(found.users),
        "enable": list(found.enable),
        "against": list(found.against),
        "as_it_should_be": found.nothing,
    }


# ---- what is installed


def show_installed(found: Installed, machine: str, format: str) -> None:
    """Keys of a conf that say what is there; the text can be put into a conf as it is."""
    if format == "json":
        data = {
            "site": str(found.base),
            "keys": {key.name: key.value for key in keys(found)},
            "units": [str(path) for path in found.units],
            "sites": [str(path) for path in found.sites],
            "sudo": list(found.sudo),
            "templates": sorted(templates(found)),
        }
        print(json.dumps(data, indent=2), flush=True)
        return
    print(f"# {found.base} on {machine}, as it is installed; nothing was changed")
    if found.empty:
        print("# no unit, no site of nginx and no sudo line names it")
        return
    for key in keys(found):
        print(_line(key))
    for title, lines in _rest(found):
        print(f"\n# {title}")
        for text in lines:
            print(f"#   {text}")
    print(end="", flush=True)


def _line(key: Key) -> str:
    source = f" # {key.source}" if key.source else ""
    return f"{key.name}: {json.dumps(key.value)}{source}"


def _rest(found: Installed) -> Iterator[tuple[str, list[str]]]:
    if found.units:
        yield "units", [str(path) for path in found.units]
    if found.sites:
        yield "sites of nginx", [str(path) for path in found.sites]
    if found.sudo:
        yield "sudo allows", list(found.sudo)
    if templates(found):
        yield "templates that make the same files; --files DIR writes them", sorted(templates(found))
