"""Bringing a release live: links, files, cron, services, and the look whether it is well."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mcc.core.cron.backup_line import backup_lines
from mcc.core.cron.crontab import job_lines, unquoted_commands, with_block
from mcc.core.cron.diff import changes
from mcc.core.cron.notify_line import notify_lines
from mcc.core.cron.recovery_line import recovery_line
from mcc.core.slots import restarted
from mcc.core.smoke import smoke_urls
from mcc.core.unit_names import instance_of
from mcc.core.wording import many
from mcc.deploy.maintenance import resting_urls
from mcc.deploy.rights import log_steps
from mcc.deploy.situation import Situation
from mcc.deploy.slot_steps import switch_steps
from mcc.model.plan import Phase, PlannedStep, Step
from mcc.steps.adopt import ExchangeEnvironment
from mcc.steps.cron import InstallCron
from mcc.steps.link import ReplaceFiles, SwitchLink
from mcc.steps.services import RestartServices, ServicesBack, ServicesStable
from mcc.steps.smoke import SmokeTest
from mcc.steps.waiting import Health


def _step(phase: Phase, title: str, step: Step, optional: bool = False) -> PlannedStep:
    return PlannedStep(phase, title, step, optional)


def cut_over_steps(s: Situation) -> Iterator[PlannedStep]:
    services, site = s.request.conf.services, s.site
    names = restarted_names(s)
    if names:
        guard = ServicesBack(names, health(s), services.start_timeout)
        yield _step("cut-over", "remember how the services are", guard)
    for link, target in s.links:
        yield _step("cut-over", f"{link} -> {target}", SwitchLink(site.base / link, target))
    if not (s.slots and s.slots.runs):
        yield from switch_steps(s)
    if s.environment:
        yield _environment_link(s, f"venvs/{s.environment.name}")
    yield from _site_files(s)
    yield from _cron(s)


def _environment_link(s: Situation, target: str) -> PlannedStep:
    site, aside = s.site, s.adoption.aside
    if aside is None:
        return _step("cut-over", f".venv -> {target}", SwitchLink(site.environment, target))
    title = f".venv -> {target}; the environment of the script -> venvs/{aside.name}"
    return _step("cut-over", title, ExchangeEnvironment(site.environment, target, aside))


def _site_files(s: Situation) -> Iterator[PlannedStep]:
    output, site = s.request.output, s.site
    single = [(output / file.source, site.base / file.target) for file in s.request.conf.site_files]
    if s.environment:
        single += [(output / name, site.base / name) for name in s.project_files]
    if single:
        title = ", ".join(target.name for _, target in single)
        yield _step("cut-over", title, ReplaceFiles(tuple(single), site.kept(s.run) / "files"))
    scripts = tuple((output / "scripts" / name, site.scripts / name) for name in s.script_names)
    if scripts:
        step = ReplaceFiles(scripts, site.kept(s.run) / "scripts", executable=True)
        yield _step("cut-over", f"scripts/: {', '.join(s.script_names)}", step)


def _cron(s: Situation) -> Iterator[PlannedStep]:
    if not s.has_crontab:
        return
    conf, site = s.request.conf, s.site
    lines, older = cron_lines(s)
    yield from log_steps(s, lines)
    own = (*backup_lines(conf.backup, site), *notify_lines(conf.notify, site))
    jobs = many(len(conf.cron) + len(own) // 2, "job")
    step, after = InstallCron(site.base, lines, older), with_block(s.crontab, site.base, lines, older)
    yield PlannedStep("cut-over", f"crontab: {jobs}", step, details=changes(s.crontab, after))


def cron_lines(s: Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines of the site's block, and the commands of a script that they stand for."""
    conf, site = s.request.conf, s.site
    lines = (
        *job_lines(conf.cron, site),
        *backup_lines(conf.backup, site),
        *notify_lines(conf.notify, site),
    )
    if conf.services.manager == "systemd" and not s.recovers_at_boot:
        lines = (*lines, recovery_line(site))
    return lines, unquoted_commands(conf.cron, site)


def health(s: Situation) -> Health:
    """Of the services that are restarted: with two slots, the others answer no requests."""
    conf = s.request.conf
    if conf.api_port is None or not conf.services.names or s.slots is not None:
        return Health()
    return Health(conf.api_port, conf.smoke.health_path, conf.smoke.timeout)


def restarted_names(s: Situation) -> tuple[str, ...]:
    """The services that are restarted: all, but for the one with two slots."""
    services = s.request.conf.services
    return restarted(services) if services.manager != "none" else ()


def restart_steps(s: Situation) -> Iterator[PlannedStep]:
    """With two slots, workers wait until the web part is safe: see :func:`stable_steps`."""
    return _restart(s) if s.slots is None else iter(())


def _restart(s: Situation) -> Iterator[PlannedStep]:
    services, names = s.request.conf.services, restarted_names(s)
    if names:
        step = RestartServices(names, health(s), services.start_timeout, s.site.logs)
        yield _step("cut-over", f"restart {', '.join(names)}", step)


def smoke_steps(s: Situation) -> Iterator[PlannedStep]:
    urls = smoke_urls(s.request.conf)
    if urls:
        hosts = ", ".join(dict.fromkeys(urlsplit(url).netloc.rpartition("@")[2] for url in urls))
        step = SmokeTest(urls, s.request.conf.smoke.timeout, s.site.logs, resting_urls(s, urls))
        many = "1 address" if len(urls) == 1 else f"{len(urls)} addresses"
        yield _step("smoke", f"{many} of {hosts}", step)


def stable_steps(s: Situation) -> Iterator[PlannedStep]:
    services, names = s.request.conf.services, restarted_names(s)
    if s.slots is not None:
        yield from _restart(s)
        names = (instance_of(s.slots.template, s.slots.next), *names)
    if names:
        step = ServicesStable(names, services.stable_for, s.site.logs)
        yield _step("smoke", f"services stay up for {services.stable_for:g} s", step)
