"""pyinfra -y server deploy.py --data tree=DIR --data site=NAME --data link=files|rename"""

from datetime import UTC, datetime

from pyinfra import host
from pyinfra.operations import files, server

SITE = f"/home/stenvala/live/{host.data.site}"
KEEP = 3

release = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
releases = f"{SITE}/releases"

files.directory(name="Folders", path=releases)
files.rsync(
    name="Send the release",
    src=f"{host.data.tree}/",
    dest=f"{releases}/.{release}/",
    flags=["-a", "--delete", f"--link-dest={SITE}/current/"],
)
server.shell(name="Name the release", commands=[f"mv -T {releases}/.{release} {releases}/{release}"])
if host.data.link == "files":
    files.link(name="Publish the release", path=f"{SITE}/current", target=f"releases/{release}")
else:
    new = f"{SITE}/.current.{release}"
    server.shell(
        name="Publish the release", commands=[f"ln -s releases/{release} {new} && mv -T {new} {SITE}/current"]
    )
server.shell(
    name="Remove old releases",
    commands=[f"cd {releases} && ls -1 | head -n -{KEEP} | xargs -r rm -rf"],
)
