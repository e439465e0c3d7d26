"""openat2(2): a whole path opened in one call, if no symbolic link at all is on its way (Linux 5.6 on)."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

_NUMBER = 437  # the same on all architectures but a few, which answer that there is no such call
_AT_FDCWD = -100  # fcntl.h
_NO_MAGIC_LINKS, _NO_LINKS = 0x02, 0x04  # linux/openat2.h


class _How(ctypes.Structure):
    """struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def without_links(path: Path | str, flags: int) -> int | None:
    """A descriptor of what is there; None for whatever reason: the long way knows it."""
    call = _syscall()
    if call is None:
        return None
    how = _How(flags, 0, _NO_LINKS | _NO_MAGIC_LINKS)
    answer = call(_NUMBER, _AT_FDCWD, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    return answer if answer >= 0 else None


@functools.cache
def _syscall() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None, use_errno=True).syscall
    except (AttributeError, OSError):
        return None
