"""fab -H server deploy --tree DIR; fab -H server rollback"""

from datetime import UTC, datetime

from fabric import task

SITE = "/home/stenvala/live/fabric"
KEEP = 3


@task
def deploy(c, tree):
    """A new folder under a hidden name, then under its own name, then the link."""
    release = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
    releases = f"{SITE}/releases"
    c.run(f"mkdir -p {releases}")
    to = f"{c.user}@{c.host}:{releases}/.{release}/"
    c.local(f"rsync -a --delete --link-dest={SITE}/current/ {tree}/ {to}")
    c.run(f"mv -T {releases}/.{release} {releases}/{release}")
    publish(c, release)
    old = c.run(f"ls -1 {releases}", hide=True).stdout.split()[:-KEEP]
    if old:
        c.run(f"cd {releases} && rm -rf {' '.join(old)}")


@task
def rollback(c):
    """Back to the release before the live one."""
    live = c.run(f"readlink {SITE}/current", hide=True).stdout.strip().rpartition("/")[2]
    before = [name for name in c.run(f"ls -1 {SITE}/releases", hide=True).stdout.split() if name < live]
    if not before:
        raise SystemExit("there is no release to go back to")
    publish(c, before[-1])


def publish(c, release):
    new = f"{SITE}/.current.{datetime.now(UTC).timestamp()}"
    c.run(f"ln -s releases/{release} {new} && mv -T {new} {SITE}/current")
