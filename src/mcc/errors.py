"""Everything that mcc raises on purpose.

::

    MccError                    one clear message, an exit code, the way out
    ├── Refused           (2)   nothing was started
    │   ├── UsageError          the command line asks for what cannot be
    │   ├── ConfigError         files that a person wrote need a change
    │   ├── BranchRefused       the stage does not take this branch
    │   ├── RightsError         the deploy user may not do what the run needs
    │   └── SiteError           the site or the machine is not in a state to deploy to
    ├── SiteLocked        (4)   another run holds the site
    ├── StepError         (1)   a step could not do its work; the run is undone
    │   ├── CommandFailed       a command ended with an error, or did not end in time
    │   ├── MigrationFailed     a database could not be brought forward
    │   ├── CopyFailed          a database could not be copied, or a copy is not what it should be
    │   │   └── Damaged         what is there is no database, or not a whole one
    │   ├── ServiceFailed       a service did not come up, or did not stay up
    │   └── SmokeFailed         the site does not answer as it should
    ├── Interrupted       (1)   a person or a signal ended the run
    └── Stuck             (3)   neither back nor forward: a person is needed

The number is the exit code of the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.model.problem import Problem


class MccError(Exception):
    """Something went wrong that mcc understands.

    ``message`` says what, ``help`` says the way out, and ``log`` holds lines of
    evidence (the end of a log file, the output of a command).
    """

    exit_code = 1

    def __init__(self, message: str, *, help: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.log = tuple(log)


class Refused(MccError):
    """Nothing was started, nothing was changed."""

    exit_code = 2


class UsageError(Refused):
    """The command line asks for something that cannot be."""


class ConfigError(Refused):
    """Files that a person wrote need a change; ``problems`` lists all of them."""

    def __init__(self, problems: Sequence[Problem], *, help: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), help=help)
        self.problems = tuple(problems)


class BranchRefused(Refused):
    """The stage does not allow the branch that the output was built from."""


class RightsError(Refused):
    """The deploy user lacks a right; the message holds the line that gives it."""


class SiteError(Refused):
    """The site, or the machine below it, is not in a state to deploy to."""


class SiteLocked(MccError):
    """Another run holds the site; the message says whose, and since when.

    ``lock`` is the file that could be waited for, ``whose`` tells one holder from the next.
    """

    exit_code = 4

    def __init__(self, message: str, *, help: str = "", lock: Path | None = None, whose: str = "") -> None:
        super().__init__(message, help=help)
        self.lock = lock
        self.whose = whose


class StepError(MccError):
    """A step could not do its work."""


class CommandFailed(StepError):
    """A command ended with an error, could not be started, or did not end in time."""


class MigrationFailed(StepError):
    """A database could not be brought forward; it is as it was."""


class CopyFailed(StepError):
    """A database could not be copied or put back, or a copy is not what its manifest says."""


class Damaged(CopyFailed):
    """A file that should be a database, or a copy of one, is none, or is not whole."""


class ServiceFailed(StepError):
    """A service did not come up, did not stay up, or does not answer."""


class SmokeFailed(StepError):
    """The site does not answer as it should."""


class Interrupted(MccError):
    """A person or a signal asked the run to end."""


class Stuck(MccError):
    """A run could neither be undone nor finished; the message says what to do by hand."""

    exit_code = 3
