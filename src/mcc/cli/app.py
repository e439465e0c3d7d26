"""What a project's own ``mcc_deploy.py`` is made of.

::

    from mcc import App

    app = App()

    if __name__ == "__main__":
        app()
"""

from __future__ import annotations


class App:
    """``uv run mcc_deploy.py --stage prod`` does what ``mcc deploy --stage prod`` does."""

    def __call__(self) -> None:
        """Read the command line and deploy; ends the process with the exit code."""
        from mcc.cli.main import run_as_script

        run_as_script()
