"""The slots of a site as they are now: which one visitors reach, and which may be running."""

from __future__ import annotations

from mcc.core.layout import Site
from mcc.core.slots import restarted, slot_of, template_of
from mcc.core.unit_names import SLOTS, instance_of
from mcc.host.ports import Files
from mcc.model.conf import Conf, Services
from mcc.steps.draining import Slot
from mcc.steps.waiting import Health


def live_slot(site: Site, files: Files) -> str:
    """The slot that ``run/current-api.sock`` leads to; empty if there is none."""
    link = site.current_socket
    return slot_of(files.read_link(link)) if files.kind(link) == "link" else ""


def slot_at(site: Site, template: str, name: str) -> Slot:
    """The unit and the paths of one slot."""
    return Slot(instance_of(template, name), site.slot(name), site.socket(name), site.current_socket)


def slot_health(conf: Conf, slot: Slot) -> Health:
    """A slot is asked on its own socket."""
    return Health(None, conf.smoke.health_path, conf.smoke.timeout, slot.socket)


def units_that_serve(services: Services, site: Site, files: Files) -> tuple[str, ...]:
    """The services of the site as their manager knows them: of two slots the live one."""
    template, live = template_of(services), live_slot(site, files)
    return ((instance_of(template, live),) if template and live else ()) + _others(services)


def units_that_run(services: Services, site: Site, files: Files) -> tuple[str, ...]:
    """The same with a slot that still drains: it may write, too."""
    template = template_of(services)
    slots = [name for name in SLOTS if files.kind(site.slot(name)) == "link"] if template else []
    return (*(instance_of(template, name) for name in slots), *_others(services))


def health_of(conf: Conf, site: Site, files: Files) -> Health:
    """What says that the site's web service is well: its live slot, or its port."""
    template, live = template_of(conf.services), live_slot(site, files)
    if template:
        return slot_health(conf, slot_at(site, template, live)) if live else Health()
    if conf.api_port is None or not conf.services.names:
        return Health()
    return Health(conf.api_port, conf.smoke.health_path, conf.smoke.timeout)


def _others(services: Services) -> tuple[str, ...]:
    return restarted(services) if services.manager != "none" else ()
