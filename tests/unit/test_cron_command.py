"""``mcc cron``: what is installed, when it runs next, what else speaks of the site; and a job run as cron runs it."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fakes.host import FakeWorld
from mcc.core.cron.crontab import job_lines, with_block
from mcc.core.cron.diff import changes
from mcc.core.cron.installed import CronCall, foreign_lines, installed_jobs
from mcc.core.cron.recovery_line import recovery_line
from mcc.core.cron.schedules import in_words, next_times
from mcc.core.layout import Site
from mcc.errors import CommandFailed, UsageError
from mcc.host.cron_job import run_as_cron
from mcc.host.zone import local_zone
from mcc.model.conf import CronJob
from mcc.operations.cron import find_job, list_jobs, was_skipped

SITE = Site(Path("/srv/site"))
JOBS = (
    CronJob("0 2 * * *", "backup.sh", "backup.log", "MCC-BACKUP"),
    CronJob("*/5 * * * *", "sync.py", "my sync.log", "MCC-SYNC", overlap=False),
    CronJob("@daily", "", "", "", "@daily cd /tmp && ./x 2> /dev/null > /tmp/x.log # SWEEP"),
    CronJob("@hourly", "", "", "", "@hourly ./y >> relative.log"),
)
TEXT = with_block(
    b"PATH=/opt/bin:/bin\nMAILTO=ops@example.com\n5 4 * * * /usr/bin/true\n",
    SITE.base,
    (*job_lines(JOBS, SITE), recovery_line(SITE)),
) + (
    b"LATE=1\n0 1 * * * /srv/site/scripts/own.sh --password=hunter2\n0 1 * * * /srv/site-dev/own.sh\n"
    b"# 0 1 * * * /srv/site/off.sh\n"
)


class TestInstalled:
    def test_each_has_a_name_of_its_own_and_what_cron_sets_for_it(self) -> None:
        found = installed_jobs(TEXT, SITE)
        assert [job.name for job in found] == ["MCC-BACKUP", "MCC-SYNC", "SWEEP", "job", "mcc-recover"]
        assert [job.overlaps for job in found] == [True, False, True, True, True]
        assert found[0].variables == ((b"PATH", b"/opt/bin:/bin"), (b"MAILTO", b"ops@example.com"))

    def test_the_log_is_where_the_command_sends_its_output(self) -> None:
        logs = [job.log for job in installed_jobs(TEXT, SITE)]
        names = ["backup.log", "my sync.log"]
        assert logs == [*(SITE.logs / name for name in names), Path("/tmp/x.log"), None, SITE.logs / "mcc-recover.log"]

    @pytest.mark.parametrize(
        ("command", "log"),
        [
            ("./x >/logs/x", "/logs/x"),
            ("./x >> '/my logs/it'\"'\"'s' 2>&1", "/my logs/it's"),
            ("./x 2>/err >>/logs/x;y", "/logs/x"),
            (r"./x > /logs/50\%", "/logs/50%"),
            ("./x 2>/err", None),
            ("./x >> relative", None),
            ("sh -c 'x > /logs/x'", None),
            ("./x", None),
        ],
    )
    def test_a_log_is_read_as_a_shell_reads_it(self, command: str, log: str | None) -> None:
        (job,) = installed_jobs(with_block(b"", SITE.base, [f"@daily {command}"]), SITE)
        assert job.log == (Path(log) if log else None)

    def test_lines_of_others_that_run_something_of_the_site(self) -> None:
        assert foreign_lines(TEXT, SITE) == (b"0 1 * * * /srv/site/scripts/own.sh --password=hunter2",)

    def test_two_jobs_without_a_name_are_told_apart(self) -> None:
        text = with_block(b"", SITE.base, ["@daily a", "@daily b"])
        assert [job.name for job in installed_jobs(text, SITE)] == ["job", "job-2"]

    def test_no_block_is_no_job(self) -> None:
        assert installed_jobs(b"@daily x\n", SITE) == ()


class TestNext:
    def test_in_the_zone_that_is_asked_for(self) -> None:
        zone = ZoneInfo("Europe/Helsinki")
        times = next_times("0 2 * * *", datetime(2026, 3, 1, 23, 0, tzinfo=zone), 2)
        assert [at.isoformat() for at in times] == ["2026-03-02T02:00:00+02:00", "2026-03-03T02:00:00+02:00"]

    def test_an_hour_that_the_clock_leaves_out_is_made_up_for(self) -> None:
        """As cron(8) does: a job of the skipped hour runs right after it."""
        zone = ZoneInfo("Europe/Helsinki")
        (at,) = next_times("30 3 * * *", datetime(2026, 3, 29, 1, 0, tzinfo=zone), 1)
        assert at.isoformat() == "2026-03-29T04:00:00+03:00"

    @pytest.mark.parametrize("name", ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])
    def test_names_have_times_and_words(self, name: str) -> None:
        assert len(next_times(name, datetime(2026, 1, 1, tzinfo=UTC), 3)) == 3
        assert in_words(name) != name

    def test_a_start_of_the_machine_and_what_is_no_schedule_have_none(self) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert next_times("@reboot", now, 3) == next_times("nonsense", now, 3) == ()
        assert (in_words("@reboot"), in_words("nonsense")) == ("when the machine starts", "nonsense")
        assert in_words("0 2 * * *") == "at 02:00 every day"

    def test_the_zone_of_a_machine(self, tmp_path: Path) -> None:
        link = tmp_path / "localtime"
        link.symlink_to("/usr/share/zoneinfo/Europe/Helsinki")
        assert local_zone(tmp_path / "missing") == ("UTC", UTC)
        name, zone = local_zone(link)
        assert (name, zone.utcoffset(datetime(2026, 7, 1))) == ("Europe/Helsinki", timedelta(hours=3))


class TestOfASite:
    @pytest.fixture
    def world(self) -> FakeWorld:
        world = FakeWorld()
        world.cron.text = TEXT
        world.plant({"/srv/site/logs/backup.log": b"done\n", "/srv/site/logs/mcc-recover.log": b""})
        return world

    def test_times_and_what_the_logs_tell(self, world: FakeWorld) -> None:
        listed = list_jobs(SITE, world.host(), datetime(2026, 1, 1, tzinfo=UTC))
        assert [len(each.next) for each in listed.jobs] == [3, 3, 3, 3, 0]
        assert [each.log_written is not None for each in listed.jobs] == [True, False, False, False, False]
        assert len(listed.foreign) == 1

    def test_a_job_that_is_not_there_is_told_with_those_that_are(self, world: FakeWorld) -> None:
        assert find_job(SITE, world.host(), "MCC-SYNC").name == "MCC-SYNC"
        with pytest.raises(UsageError, match="no job 'MCC-SNYC'") as missing:
            find_job(SITE, world.host(), "MCC-SNYC")
        assert missing.value.help == "did you mean MCC-SYNC?"
        world.cron.text = b""
        with pytest.raises(UsageError, match="the crontab of deploy has no jobs of /srv/site"):
            find_job(SITE, world.host(), "MCC-SYNC")


class TestRun:
    def shown(self, call: CronCall) -> tuple[int, bytes]:
        parts: list[bytes] = []
        return run_as_cron(call, parts.append), b"".join(parts)

    def test_the_environment_is_crons_and_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_OF_THIS_SHELL", "x")
        account = pwd.getpwuid(os.getuid())
        code, text = self.shown(CronCall(b"env; pwd", variables={b"A": b"it's \xff", b"LOGNAME": b"root2"}))
        lines = set(text.splitlines()) - {b"_=/usr/bin/env"}
        home, name = account.pw_dir.encode(), account.pw_name.encode()
        expected = {b"HOME=" + home, b"LOGNAME=" + name, b"PATH=/usr/bin:/bin", b"PWD=" + home, home}
        assert code == 0
        assert lines - {b"SHLVL=1", b"SHLVL=0"} == {*expected, b"SHELL=/bin/sh", b"A=it's \xff"}

    def test_the_crontab_may_set_another_shell_and_home(self, tmp_path: Path) -> None:
        variables = {b"SHELL": b"/bin/bash", b"HOME": os.fsencode(tmp_path)}
        assert self.shown(CronCall(b"[[ a = a ]] && pwd", variables=variables)) == (0, f"{tmp_path}\n".encode())

    def test_what_stands_behind_a_percent_sign_is_its_input(self) -> None:
        assert self.shown(CronCall(b"cat", b"a\nb\n")) == (0, b"a\nb\n")
        assert self.shown(CronCall(b"cat")) == (0, b"")
        assert self.shown(CronCall(b"exit 3", b"never read\n")) == (3, b"")

    def test_both_streams_and_what_its_log_gains_are_shown_and_nothing_older(self, tmp_path: Path) -> None:
        log = tmp_path / "a log"
        log.write_text("older\n")
        command = f"echo out; echo err >&2; echo one >> '{log}'; sleep 0.3; echo two >> '{log}'; exit 7"
        code, text = self.shown(CronCall(command.encode(), log=log))
        assert code == 7
        assert sorted(text.split()) == [b"err", b"one", b"out", b"two"]
        assert text.index(b"one") < text.index(b"two")

    def test_a_log_that_is_exchanged_meanwhile_is_read_from_its_beginning(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_text("older " * 100)
        assert self.shown(CronCall(f"echo new > '{log}'".encode(), log=log)) == (0, b"new\n")

    def test_a_child_that_stays_keeps_nobody_waiting(self) -> None:
        code, text = self.shown(CronCall(b"sleep 30 & echo $!"))
        assert code == 0
        os.kill(int(text), 9)

    def test_a_signal_is_told_as_a_shell_tells_it(self) -> None:
        assert self.shown(CronCall(b"kill -9 $$"))[0] == 137

    def test_a_shell_that_is_not_there_is_told(self) -> None:
        with pytest.raises(CommandFailed, match="/bin/none cannot be started"):
            self.shown(CronCall(b"true", variables={b"SHELL": b"/bin/none"}))

    def test_an_installed_job_runs_with_its_signs_and_is_skipped_while_it_runs(self, tmp_path: Path) -> None:
        site = Site(tmp_path / "50% site")
        for folder in (site.scripts, site.logs, site.own):
            folder.mkdir(parents=True)
        (site.scripts / "x.sh").write_text(f"#!/bin/sh\nflock -n '{site.own}'/cron.X.lock echo free\n")
        (site.scripts / "x.sh").chmod(0o755)
        lines = job_lines([CronJob("@daily", "x.sh", "x.log", "X", overlap=False)], site)
        (job,) = installed_jobs(with_block(b"", site.base, lines), site)
        code = run_as_cron(job.call, lambda _: None)
        assert (code, was_skipped(job, code)) == (1, False)  # the lock is held while it runs
        command = f"flock '{site.own}/cron.X.lock' sh -c \"$RUN\"".encode()
        skipped = run_as_cron(CronCall(command, variables={b"RUN": job.command.replace(b"\\%", b"%")}), lambda _: None)
        assert was_skipped(job, skipped)
        assert b"X: skipped" in (site.logs / "x.log").read_bytes()


def test_what_changes_in_a_crontab_is_told_without_secrets() -> None:
    before = b"A=1\nDB_PASSWORD=hunter2\n@daily x --url https://u:hunter2@a.example.com\n"
    after = b"A=1\n@daily DB_TOKEN='a b' y\n\xff\n"
    assert changes(before, after) == (
        "- DB_PASSWORD=***", "- @daily x --url https://u:***@a.example.com", "+ @daily DB_TOKEN=*** y", "+ \\xff"
    )  # fmt: skip
    assert changes(after, after) == changes(b"", b"") == ()
    assert changes(b"", b"a\nb\n") == ("+ a", "+ b")
    assert changes(b"", b"\x1b[2J\ta\n") == ("+ \\x1b[2J\ta",)
