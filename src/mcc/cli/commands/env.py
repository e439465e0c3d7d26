"""``mcc env``."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.cli.commands.which_site import site_of
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.waiting import waiting
from mcc.core.dotenv import variables
from mcc.core.layout import Site
from mcc.core.masking import MASK, is_secret_name
from mcc.errors import UsageError
from mcc.host.files import RealFiles
from mcc.host.turn import Turn
from mcc.model.conf import Conf, Services
from mcc.operations.site import asked_by_site
from mcc.operations.variables import (
    Change,
    Found,
    change_variables,
    check_values,
    look_at_variables,
    readers,
    service_user,
)


def run_env_list(stage: str | None, base: Path | None, show: bool, format: str) -> int:
    """Names, and values only if they are asked for; the exit code."""
    site = site_of(stage, base, new=True)
    found = _look(site, stage, RealHands(screen_for("plain")))
    values = {name: value if show else MASK for name, value in found.values.items()}
    if format == "json":
        data = {"site": str(site.base), "variables": values, "warnings": list(found.warnings)}
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return 0
    for name, value in values.items():
        print(f"{name}={value}")
    if not values:
        print(f"{site.variables} holds no variables")
    _warn(found.warnings)
    return 0


def run_env_set(
    words: Sequence[str], stdin: bool, stage: str | None, base: Path | None, restart: bool, format: str, wait: int = 0
) -> int:  # fmt: skip
    """Give variables their values, which are read once, before any wait; the exit code."""
    site = site_of(stage, base, new=True)
    values = _values(words, stdin)
    check_values(values)
    for name, equals, _ in (word.partition("=") for word in words):
        if equals and is_secret_name(name):
            _warn([f"{name} stays in the shell's history; mcc env set {name} asks for it instead"])

    def change(turn: Turn) -> int:
        return _change(Change(site, values, (), _conf(site, restart), _user(site, stage)), stage, format, turn)

    return waiting(wait, change)


def run_env_unset(
    names: Sequence[str], stage: str | None, base: Path | None, restart: bool, format: str, turn: Turn | None = None
) -> int:  # fmt: skip
    """Take variables out; the exit code."""
    site = site_of(stage, base)
    return _change(Change(site, {}, tuple(names), _conf(site, restart), _user(site, stage)), stage, format, turn)


def _conf(site: Site, restart: bool) -> Conf | None:
    return asked_by_site(site.base).conf if restart else None


def _user(site: Site, stage: str | None) -> str:
    return service_user(site, Path.cwd(), stage, RealFiles())


def _look(site: Site, stage: str | None, hands: RealHands) -> Found:
    return look_at_variables(site, hands.host(site, Services(manager="none")), _user(site, stage))


def _change(change: Change, stage: str | None, format: str, turn: Turn | None) -> int:
    hands = RealHands(screen_for(format), turn=turn)
    code = change_variables(change, hands)
    if code == 0:
        _warn(_look(change.site, stage, hands).warnings)
        _say_who_sees_it(change, hands, format)
    return code


def _say_who_sees_it(change: Change, hands: RealHands, format: str) -> None:
    if change.restart is not None or format == "jsonl":
        return
    units = readers(change.site, hands)
    for unit in units:
        print(f"{unit} has it after a restart: sudo /bin/systemctl restart {unit}")
    if not units:
        print("no service of the site loads .env; a deploy reads it for {{env:NAME}}")


def _values(words: Sequence[str], stdin: bool) -> Mapping[str, str]:
    """Name and value of each word; those without a value from standard input, or from whoever sits here."""
    pairs = [word.partition("=") for word in words]
    asked = [name for name, equals, _ in pairs if not equals]
    if stdin and not words:
        found = variables(_standard_input())
        if not found:
            raise UsageError("there is no NAME=VALUE line on standard input")
        return found
    if stdin and len(asked) != 1:
        way_out = "name one variable without a value; or none, for lines NAME=VALUE"
        raise UsageError("--stdin reads one value", help=way_out)
    if not words:
        raise UsageError("which variable?", help="mcc env set NAME, or NAME=VALUE, or --stdin for lines NAME=VALUE")
    check_values({name: "" for name, _, _ in pairs})
    return {name: value if equals else _secret(name, stdin) for name, equals, value in pairs}


def _secret(name: str, stdin: bool) -> str:
    if stdin:
        return _standard_input().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise UsageError(f"{name} has no value, and nobody sits here to be asked", help="--stdin reads it")
    try:
        return getpass.getpass(f"{name}: ")
    except EOFError:
        raise UsageError(f"{name} was given no value") from None


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8") from None


def _warn(warnings: Sequence[str]) -> None:
    for text in warnings:
        print(f"warning: {text}", file=sys.stderr)
