"""What the units of a site run, as lists of words."""

from __future__ import annotations

from pathlib import Path

from mcc.model.conf import Conf

# gunicorn knows WSGI alone by itself; the package uvicorn-worker brings this one.
_ASGI_WORKER = "uvicorn_worker.UvicornWorker"
_GUNICORN_LEVELS = {"trace": "debug"}

# The first descriptor that systemd hands over (sd_listen_fds(3)).
_FIRST_DESCRIPTOR = "3"


def web_command(conf: Conf, programs: Path, listen: Path | None, patience: float) -> tuple[str, ...]:
    """uvicorn or gunicorn from ``programs`` (an environment's ``bin``), on a handed-over socket or on ``listen``.

    ``patience``: seconds that requests have to end when the service is stopped.
    """
    app = conf.application
    make = _gunicorn if app.server == "gunicorn" else _uvicorn
    workers = str(conf.values.get("WORKERS") or 1)
    return (str(programs / app.server), *make(conf, listen, workers, f"{patience:.0f}"), *app.server_args, app.name)


def _uvicorn(conf: Conf, listen: Path | None, workers: str, patience: str) -> tuple[str, ...]:
    # On a socket of its own only nginx can reach it, so that who forwards is known.
    where = ("--fd", _FIRST_DESCRIPTOR) if listen is None else ("--uds", str(listen), "--forwarded-allow-ips", "*")
    level = conf.application.log_level.lower()
    return (
        *where, "--workers", workers, "--log-level", level, "--proxy-headers", "--timeout-graceful-shutdown", patience,
    )  # fmt: skip


def _gunicorn(conf: Conf, listen: Path | None, workers: str, patience: str) -> tuple[str, ...]:
    """gunicorn takes what systemd hands over by itself (LISTEN_FDS)."""
    given = conf.application.server_args
    own_class = any(word.startswith(("-k", "--worker-class")) for word in given)
    where = () if listen is None else ("--bind", f"unix:{listen}", "--umask", "007", "--forwarded-allow-ips", "*")
    level = conf.application.log_level.lower()
    return (
        *where, *(() if own_class else ("--worker-class", _ASGI_WORKER)), "--workers", workers,
        "--log-level", _GUNICORN_LEVELS.get(level, level), "--graceful-timeout", patience,
    )  # fmt: skip


def worker_command(conf: Conf) -> tuple[str, ...]:
    """``WORKER_COMMAND``: a program without a path, or in ``.venv``, is the environment's."""
    program, *arguments = conf.application.worker_command
    base = conf.server.base
    path = base / program if "/" in program else base / ".venv/bin" / program
    return (str(path), *arguments)
