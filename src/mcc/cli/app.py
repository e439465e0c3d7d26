"""What a project's own ``mcc_deploy.py`` is made of.

::

    from mcc import App, Context

    app = App()

    @app.before("migrate")
    def check_disk(context: Context) -> None:
        context.run(["python", "scripts/check_disk.py"])

    if __name__ == "__main__":
        app()
"""

from __future__ import annotations

import sys

from mcc.core.hooks import Registry


class App(Registry):
    """``uv run mcc_deploy.py --stage prod`` does what ``mcc deploy --stage prod`` does, with the project's hooks."""

    def __call__(self) -> None:
        """Read the command line and deploy; ends the process with the exit code.

        Does nothing while the file is only read for its hooks.
        """
        if sys._getframe(1).f_globals.get("__name__") != "__main__":
            return
        from mcc.cli.main import run_as_script

        run_as_script()
