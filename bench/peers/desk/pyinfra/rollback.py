"""pyinfra -y server rollback.py --data site=NAME --data link=files|rename"""

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files, server

SITE = f"/home/stenvala/live/{host.data.site}"

live = host.get_fact(Command, f"readlink {SITE}/current").rpartition("/")[2]
before = [name for name in host.get_fact(Command, f"ls -1 {SITE}/releases").split() if name < live]
if not before:
    raise SystemExit("there is no release to go back to")
if host.data.link == "files":
    files.link(name="Publish the release before", path=f"{SITE}/current", target=f"releases/{before[-1]}")
else:
    new = f"{SITE}/.current.{before[-1]}.back"
    server.shell(
        name="Publish the release before",
        commands=[f"ln -sfn releases/{before[-1]} {new} && mv -T {new} {SITE}/current"],
    )
