"""An error that ended a command: what, why, the way out."""

from __future__ import annotations

import sys

from mcc.errors import MccError


def show_error(error: MccError) -> None:
    """One clear message on standard error."""
    print(f"mcc: {error.message}", file=sys.stderr)
    for line in error.log:
        print(f"  | {line}", file=sys.stderr)
    if error.help:
        print(f"  {error.help}", file=sys.stderr)
