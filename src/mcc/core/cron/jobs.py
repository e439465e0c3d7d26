"""``CRON_JOBS``, in both of its forms."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mcc.core.conf.rules import Given
from mcc.core.conf.schema import CronFile
from mcc.core.conf.unfit import shown
from mcc.core.cron.crontab import job_lines, problem_with_job
from mcc.core.cron.schedules import problem_with
from mcc.core.layout import Site
from mcc.model.conf import CronJob
from mcc.model.problem import Problem

_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=")
_ONE_WORD = re.compile(r"[\w.:-]+")
_CRONS_OWN = {
    "MAILTO": "cron mails what a job prints: send it to a file with >> FILE 2>&1",
    "SHELL": "call the shell in the command: bash -c '…'",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST = 990  # crontab(5) of Debian: a command has at most 998 characters


def to_jobs(given: Given) -> tuple[CronJob, ...]:
    """The jobs, in the order of the file."""
    if given.cron_text is not None:
        return tuple(_from_line(line, marker) for _, line, marker in _lines(given.cron_text))
    return tuple(_from_entry(job) for job in given.file.CRON_JOBS)


def _from_entry(job: CronFile) -> CronJob:
    log, variables = job.log or _log(job.script), tuple(job.environment.items())
    return CronJob(job.schedule, job.script, log, _marker(job), overlap=job.overlap, environment=variables)


def _marker(job: CronFile) -> str:
    return job.marker or job.script


def _log(script: str) -> str:
    return f"{PurePosixPath(script).stem}.log"


def _lines(text: str) -> list[tuple[int, str, str]]:
    """The lines that are jobs, counted from 1, each with the marker right above it (one word, or none)."""
    found, above = [], ""
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line and not line.startswith("#"):
            found.append((number, line, above))
        comment = line.lstrip("#").strip() if line.startswith("#") else ""
        above = comment if _ONE_WORD.fullmatch(comment) else ""
    return found


def _split(line: str) -> tuple[str, str]:
    """Schedule and command."""
    fields = line.split(None, 1 if line.startswith("@") else 5)
    return " ".join(fields[:-1]), fields[-1]


def _from_line(line: str, marker: str) -> CronJob:
    return CronJob(_split(line)[0], script="", log="", marker=marker, line=line)


def job_problems(given: Given) -> list[Problem]:
    """Markers that are used twice, lines that are no jobs."""
    if given.cron_text is not None:
        return _text_problems(given, given.cron_text)
    problems, markers = [], dict[str, int]()
    for index, job in enumerate(given.file.CRON_JOBS):
        marker, line = _marker(job), given.document.lines.get(("CRON_JOBS", index), 0)
        if wrong := problem_with_job(_from_entry(job)) or _too_long(given, _from_entry(job)):
            problems.append(given.document.problem(("CRON_JOBS", index), wrong))
        if marker in markers:
            message = f"{marker} is also the marker of the job on line {markers[marker]}"
            problems.append(given.document.problem(("CRON_JOBS", index, "marker"), message, "give each job its own"))
        markers.setdefault(marker, line)
    return problems


def _too_long(given: Given, job: CronJob) -> str | None:
    site = Site(Path(given.file.REMOTE_BASE or "/"))
    line = job_lines([job], site)[-1]
    # In a C program a letter beyond ASCII counts as several.
    return f"makes a crontab line of more than {_LONGEST} characters" if len(line.encode()) > _LONGEST else None


def _text_problems(given: Given, text: str) -> list[Problem]:
    found = ((number, _line_problem(line)) for number, line, _ in _lines(text))
    return [
        given.document.problem(("CRON_JOBS",), f"line {number} of the text: {message}")
        for number, message in found
        if message
    ]


def _line_problem(line: str) -> str | None:
    if _SETTING.match(line):
        name = line.partition("=")[0].strip()
        if name in _CRONS_OWN:
            return f"sets {name}, which would change the jobs of others; {_CRONS_OWN[name]}"
        return "sets a variable, which would change the jobs of others; put it in front of the command"
    if _CONTROL.search(line) or len(line) > _LONGEST:
        return f"holds control characters, or is longer than {_LONGEST} characters"
    if len(line.split()) < (2 if line.startswith("@") else 6):
        return f"found {shown(line)}, allowed: a schedule and a command"
    return problem_with(_split(line)[0])
