"""Ways out of a site with provisioned rights: each is a shell line that succeeds only for who has got out."""

from __future__ import annotations

from dataclasses import dataclass

DEPLOYER, SERVICE = "stenvala", "www-data"


@dataclass(frozen=True, slots=True)
class Escape:
    """``attempt`` ends with 0 if it worked, for all that the one who tries can tell.

    ``proof``, asked as root afterwards, ends with 0 if it worked in truth; it is for attempts whose own end says
    nothing. ``tidy`` puts back what was tried, as root. ``$B`` is the site, ``$U`` its unit, ``$T`` a folder of the
    one who tries, ``$V`` a folder of root's that is another site.
    """

    name: str
    user: str
    attempt: str
    proof: str = ""
    tidy: str = ""


_EVIL = "'* * * * * touch /root/got-out'"

SUDO = (
    Escape("restart of another unit", DEPLOYER, "sudo -n /bin/systemctl restart ssh.service"),
    Escape("another verb: disable", DEPLOYER, "sudo -n /bin/systemctl disable $U"),
    Escape("another verb: mask", DEPLOYER, "sudo -n /bin/systemctl mask --runtime $U"),
    Escape(
        "another verb: edit",
        DEPLOYER,
        "script -qec \"SYSTEMD_EDITOR='touch /root/got-out' sudo -n /bin/systemctl edit $U\" $T/typed >/dev/null",
    ),
    Escape("another verb: set-property", DEPLOYER, "sudo -n /bin/systemctl set-property $U MemoryMax=1G"),
    Escape("another verb: kill", DEPLOYER, "sudo -n /bin/systemctl kill $U"),
    Escape("another verb: daemon-reload", DEPLOYER, "sudo -n /bin/systemctl daemon-reload"),
    Escape(
        "a unit of one's own: link",
        DEPLOYER,
        "printf '[Service]\\nExecStart=/bin/touch /root/got-out\\n' >$T/own.service; "
        "sudo -n /bin/systemctl link $T/own.service",
    ),
    Escape("an option before the verb: --root", DEPLOYER, "sudo -n /bin/systemctl --root=$T restart $U"),
    Escape("an option behind the unit: --host", DEPLOYER, "sudo -n /bin/systemctl restart $U --host=$T"),
    Escape("an option behind the unit: --no-pager", DEPLOYER, "sudo -n /bin/systemctl status $U --no-pager"),
    Escape("a trailing word: another unit", DEPLOYER, "sudo -n /bin/systemctl restart $U ssh.service"),
    Escape("a wildcard for the unit", DEPLOYER, "sudo -n /bin/systemctl restart 'notes-prod-*'"),
    Escape("the unit without its ending", DEPLOYER, "sudo -n /bin/systemctl restart ${U%.service}"),
    Escape("a unit with ..", DEPLOYER, "sudo -n /bin/systemctl restart ../$U"),
    Escape("an empty word", DEPLOYER, "sudo -n /bin/systemctl restart '' $U"),
    Escape("systemctl from another folder", DEPLOYER, "cp /bin/true $T/systemctl; sudo -n $T/systemctl restart $U"),
    Escape("systemctl from the PATH", DEPLOYER, "cp /bin/true $T/systemctl; PATH=$T:$PATH sudo -n systemctl start ssh"),
    Escape("as another user", DEPLOYER, "sudo -n -u www-data true"),
    Escape("as another group", DEPLOYER, "sudo -n -g root true"),
    Escape("a shell", DEPLOYER, "sudo -n -s true"),
    Escape("sudoedit", DEPLOYER, "EDITOR=true sudoedit -n /etc/hosts"),
    Escape("the specification's chown", DEPLOYER, "sudo -n /bin/chown -R www-data:stenvala $B/api"),
    Escape("the specification's chmod", DEPLOYER, "sudo -n /bin/chmod -R g+rw $B/api"),
    Escape("LD_PRELOAD by sudo's own words", DEPLOYER, "sudo -n LD_PRELOAD=$T/x.so /bin/systemctl status $U"),
    Escape(
        "LD_PRELOAD by the environment",
        DEPLOYER,
        "LD_PRELOAD=$T/x.so sudo -n -E /bin/systemctl status $U",
    ),
    Escape(
        "a pager that runs commands",
        DEPLOYER,
        "echo '!touch /root/got-out' | "
        'TERM=xterm timeout 5 script -qec "sudo -n /bin/systemctl status $U" $T/typed >/dev/null',
        "test -e /root/got-out",
    ),
    Escape(
        "another pager by the environment",
        DEPLOYER,
        "printf '#!/bin/sh\\ntouch /root/got-out\\n' >$T/pager; chmod +x $T/pager; "
        "SYSTEMD_PAGERSECURE=0 SYSTEMD_PAGER=$T/pager PAGER=$T/pager TERM=xterm "
        'timeout 5 script -qec "sudo -n /bin/systemctl status $U" $T/typed >/dev/null </dev/null',
        "test -e /root/got-out",
    ),
    Escape("systemctl without sudo", DEPLOYER, "systemctl --no-ask-password restart ssh.service"),
    Escape("a transient unit", DEPLOYER, "systemd-run --no-ask-password -q touch /root/got-out"),
    Escape("sudo of the service user", SERVICE, "sudo -n /bin/systemctl restart $U"),
)

ROOTS_FILES = (
    Escape("the unit's file", DEPLOYER, "echo >>/etc/systemd/system/$U"),
    Escape("a drop-in of the unit", DEPLOYER, "mkdir /etc/systemd/system/$U.d"),
    Escape("a file of sudoers", DEPLOYER, "echo 'stenvala ALL=NOPASSWD: ALL' >/etc/sudoers.d/own"),
    Escape("the system's cron", DEPLOYER, f"echo {_EVIL} >/etc/cron.d/own"),
    Escape("the crontab of another", DEPLOYER, f"echo {_EVIL} | crontab -u www-data -"),
    Escape("the crontab of the deploy user", SERVICE, f"echo {_EVIL} | crontab -u stenvala -"),
    Escape("the system's journal", DEPLOYER, "journalctl -q -u $U 2>/dev/null | grep -q ."),
    Escape("a hard link to root's file", DEPLOYER, "ln /etc/shadow $B/data/shadow"),
    Escape(
        "the site replaced by a link",
        DEPLOYER,
        "mv $B $B.real && ln -s /etc $B; sudo -n /bin/systemctl restart $U; sudo -n /bin/systemctl status $U; true",
        "find /etc -user stenvala -o -user www-data -o -perm -o=w ! -type l | grep -q .",
        "rm $B; mv $B.real $B; systemctl restart $U",
    ),
    Escape(
        "a component replaced by a link",
        DEPLOYER,
        "mv $B/api $B/api.real && ln -s /root $B/api; sudo -n /bin/systemctl restart $U; true",
        "find /root -user stenvala -o -user www-data | grep -q .",
        "rm $B/api; mv $B/api.real $B/api; systemctl restart $U",
    ),
)

CODE = (
    Escape("a file in the release", SERVICE, "touch $B/current-api/api/own.py"),
    Escape("a module of the release", SERVICE, "echo >>$B/current-api/api/main.py"),
    Escape("bytecode of the release", SERVICE, "touch $B/current-api/api/__pycache__/main.cpython-311.pyc"),
    Escape("a page of the front end", SERVICE, "echo >>$B/current-ui/index.html"),
    Escape("a .pth file in the environment", SERVICE, "touch $B/.venv/lib/python3.11/site-packages/own.pth"),
    Escape("the environment's Python", SERVICE, "ln -sf /tmp/python $B/.venv/bin/python"),
    Escape("the environment's settings", SERVICE, "echo >>$B/.venv/pyvenv.cfg"),
    Escape("another environment", SERVICE, "mkdir $B/venvs/own"),
    Escape("a script that cron runs", SERVICE, "echo 'touch /tmp/x' >>$B/scripts/count_notes.sh"),
    Escape("a new script", SERVICE, "touch $B/scripts/own.sh"),
    Escape("a link of the site", SERVICE, "ln -sfn /tmp $B/current-api"),
    Escape("a link of the site, removed", SERVICE, "rm $B/current-api"),
    Escape("a link of the site, renamed", SERVICE, "mv $B/current-api $B/logs/current-api"),
    Escape("a new name in the site", SERVICE, "touch $B/own"),
    Escape("a folder of the site, moved away", SERVICE, "mv $B/scripts $B/logs/scripts"),
    Escape("the list of a folder", SERVICE, "setfacl -m u:www-data:rwx $B/api"),
    Escape("the list of a folder that it writes in", SERVICE, "setfacl -m o::rwx $B/data"),
    Escape("the mode of a folder", SERVICE, "chmod o+w $B/logs"),
    Escape("the mode of a link's target", SERVICE, "ln -s $B/scripts $B/logs/own; chmod o+w $B/logs/own"),
    Escape("the owner through a link", SERVICE, "ln -s $B/scripts $B/data/own; chown www-data $B/data/own/"),
    Escape("the switch of the maintenance", SERVICE, "touch $B/maintenance/on"),
    Escape(
        "a program with the deploy user's group",
        SERVICE,
        "cp /usr/bin/id $B/data/own; chmod 2755 $B/data/own; $B/data/own -gn | grep -qx stenvala",
    ),
    Escape(
        "a program made with the deploy user's group",
        SERVICE,
        'python3 -c "import os,sys; f=os.open(sys.argv[1],os.O_CREAT|os.O_WRONLY,0o2777);'
        " os.write(f,open('/usr/bin/id','rb').read())\" $B/data/own2; $B/data/own2 -gn | grep -qx stenvala",
    ),
)

SECRETS = (
    Escape("the site's variables", "nobody", "cat $B/.env"),
    Escape("the site's variables, removed", SERVICE, "rm -f $B/.env"),
    Escape("the site's variables, written", SERVICE, "echo OWN=1 >>$B/.env"),
    Escape("the site's variables, replaced", SERVICE, "echo OWN=1 >$B/data/own.env; mv -f $B/data/own.env $B/.env"),
    Escape("the list of the site's variables", SERVICE, "setfacl -m u:www-data:rw $B/.env"),
    Escape("the variables of a release's conf", SERVICE, "cat $B/.mcc/conf/*"),
    Escape("mcc's folder", SERVICE, "ls $B/.mcc"),
    Escape("the ledger", SERVICE, "echo >>$B/.mcc/releases.jsonl"),
    Escape("the journal", SERVICE, "touch $B/.mcc/journal/own"),
    Escape("the lock", SERVICE, "flock -n $B/.mcc/lock true"),
    Escape("a project's own steps", SERVICE, "mkdir -p $B/.mcc/hooks/own"),
    Escape("mcc itself", SERVICE, "ln -sf /tmp/mcc $B/.mcc/bin/mcc"),
    Escape("copies of databases", SERVICE, "find $B/backups -type f | grep -q ."),
    Escape(
        "copies of databases, removed",
        SERVICE,
        "rm -rf $B/backups/before $B/backups/daily && test ! -e $B/backups/daily",
    ),
    Escape("a hard link to the deploy user's file", SERVICE, "ln $B/current-api/api/main.py $B/logs/own"),
    Escape("data of the site, as somebody else", "nobody", "ls $B/domains $B/data $B/logs"),
)

LINKS = (
    Escape("a tenant's folder replaced by a link", SERVICE, "mv $B/domains/app.box.test $B/data/own"),
    Escape("a log of cron, removed", SERVICE, "rm -f $B/logs/count_notes.log"),
    Escape("a log of cron, replaced by a link", SERVICE, "ln -sf /home/stenvala/.profile $B/logs/count_notes.log"),
    Escape(
        "a log of cron, renamed over",
        SERVICE,
        "ln -s /home/stenvala/.profile $B/logs/own; mv $B/logs/own $B/logs/backup.log",
    ),
    Escape("a log of the recovery", SERVICE, "ln -sf /home/stenvala/.profile $B/logs/mcc-recover.log"),
)

# The service `teller`, whose unit provision made, tells its variables; it is started by root, as at a boot. $V is a
# folder of root's with a .env for root alone (STOLEN=yes), in which the service could run and write.
_TOLD = """rm -f $B/data/told /srv/victim/data/told; systemctl stop teller
systemctl start teller; for _ in $(seq 100); do
    test -s $B/data/told && break; grep -qs 'cannot read' $B/logs/teller.log && break
    test "$(systemctl show -P NRestarts teller)" -gt 0 && break; sleep 0.1
done; grep -qs STOLEN $B/data/told"""
_BACK = "rm -f $B/logs/teller.log"

STARTS = (
    Escape(
        "variables of root's, by a link in the place of .env",
        DEPLOYER,
        "mv $B/.env $B/.env.kept && ln -s $V/.env $B/.env",
        _TOLD,
        f"mv -fT $B/.env.kept $B/.env; {_BACK}",
    ),
    Escape(
        "variables of root's, by a second name in the place of .env",
        DEPLOYER,
        "mv $B/.env $B/.env.kept; ln $V/.env $B/.env",
        _TOLD,
        f"mv -fT $B/.env.kept $B/.env; {_BACK}",
    ),
    Escape(
        "variables of another site, by a link in the place of this one",
        DEPLOYER,
        "mv $B $B.real && ln -s $V $B",
        _TOLD,
        f"rm $B; mv $B.real $B; rm -f $V/logs/teller.log; {_BACK}",
    ),
    Escape(
        "a line of code in .env",
        DEPLOYER,
        "cp -p $B/.env $B/.env.kept; echo 'OWN=$(id >/srv/open/ran) `id >/srv/open/ran`; id >/srv/open/ran' >>$B/.env",
        f"{_TOLD}; test -e /srv/open/ran",
        f"mv -fT $B/.env.kept $B/.env; {_BACK}",
    ),
    Escape(
        "root's file as the log of a service",
        SERVICE,
        "rm -f $B/logs/teller.log; ln -s /root/victim.log $B/logs/teller.log",
        f"{_TOLD}; test -s /root/victim.log",
        _BACK,
    ),
)

ESCAPES = (*SUDO, *ROOTS_FILES, *CODE, *SECRETS, *LINKS, *STARTS)

ALLOWED = (
    Escape("restart its units", DEPLOYER, "sudo -n /bin/systemctl restart $U"),
    Escape("see its units", DEPLOYER, "sudo -n /bin/systemctl status $U"),
    Escape("stop and start its units", DEPLOYER, "sudo -n /bin/systemctl stop $U && sudo -n /bin/systemctl start $U"),
    Escape("change a release", DEPLOYER, "touch $B/current-api/own && rm $B/current-api/own"),
    Escape("read the data", DEPLOYER, "sqlite3 $B/domains/app.box.test/data.db 'SELECT count(*) FROM notes'"),
    Escape("read the release", SERVICE, "cat $B/current-api/api/main.py $B/current-ui/index.html"),
    Escape("run the environment", SERVICE, "$B/.venv/bin/python -c 'import uvicorn'"),
    Escape("read the variables", SERVICE, "grep -q API_TOKEN $B/.env"),
    Escape("write the data", SERVICE, "sqlite3 $B/domains/app.box.test/data.db 'INSERT INTO notes (text) VALUES (1)'"),
    Escape("make files in the data", SERVICE, "mkdir $B/data/own-folder && touch $B/data/own-folder/x"),
    Escape("make a new tenant", SERVICE, "mkdir $B/domains/new.box.test && touch $B/domains/new.box.test/x"),
    Escape("let the deploy user write there", DEPLOYER, "echo >>$B/data/own-folder/y && rm $B/data/own-folder/y"),
    Escape("write and rotate logs", SERVICE, "echo >$B/logs/own.log && mv $B/logs/own.log $B/logs/own.log.1"),
    Escape("make sockets", SERVICE, "python3 -c \"import socket as s; s.socket(s.AF_UNIX).bind('$B/run/own.sock')\""),
    Escape("let the deploy user clear that away", DEPLOYER, "rm $B/run/own.sock $B/logs/own.log.1"),
)
