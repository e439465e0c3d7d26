"""What it costs to start: ``mcc status`` and ``mcc --help``, beside a bare typer program and bare argparse.

CPU seconds of whole commands, by the same interpreter, all of them byte-compiled. The typer program has
one command with one option, a path; the argparse program the same. Help is compared with help.
"""

from __future__ import annotations

import py_compile
from pathlib import Path

import _common as common

LIMIT = 100  # milliseconds of CPU

TYPER = '''
from pathlib import Path
import typer

app = typer.Typer(add_completion=False)

@app.command()
def main(site: Path = Path()) -> None:
    """Say where."""
    print(site)
'''
ARGPARSE = """
import argparse
from pathlib import Path

def app() -> None:
    parser = argparse.ArgumentParser(description="Say where.")
    parser.add_argument("--site", type=Path, default=Path())
    print(parser.parse_args().site)
"""


def make_program(folder: Path, name: str, text: str) -> list[str | Path]:
    """A module with its bytecode beside it, and the words that run it as a console script would."""
    module = folder / f"{name}.py"
    module.write_text(text)
    py_compile.compile(str(module))
    start = folder / f"run_{name}.py"
    start.write_text(f"from {name} import app\napp()\n")
    return [common.BIN / "python", start]


def make_site(folder: Path) -> tuple[Path, Path]:
    """A site that was deployed to, and the output folder that it came from."""
    output, site = folder / "output", folder / "site"
    common.make_output(output, site, files=100, size=500_000)
    common.must([common.MCC, "deploy", "--stage", common.STAGE, "--format", "plain"], output)
    return output, site


def main() -> None:
    options = common.options(str(__doc__), rounds=15)
    with common.work_folder(options.folder) as folder:
        output, site = make_site(folder)
        typer, plain = make_program(folder, "with_typer", TYPER), make_program(folder, "plain", ARGPARSE)
        run = {
            "bare argparse": [*plain, "--site", site],
            "bare typer": [*typer, "--site", site],
            "mcc status --site DIR": [common.MCC, "status", "--site", site],
            "mcc status --stage S": [common.MCC, "status", "--stage", common.STAGE],
        }
        helps = {
            "bare argparse --help": [*plain, "--help"],
            "bare typer --help": [*typer, "--help"],
            "mcc --help": [common.MCC, "--help"],
        }
        words = {**run, **helps}
        sides = {name: lambda words=words[name]: common.must(words, output).cost for name in words}
        found = common.interleaved(sides, options.rounds)
    show(found, list(run), list(helps), options.json)


def show(found: dict[str, list[common.Cost]], run: list[str], helps: list[str], as_json: bool) -> None:
    what = f"CPU, {common.machine()}"
    rows = common.summary(found, "bare typer", "cpu")
    if as_json:
        common.print_json(what, rows)
        return
    print(f"{what}; {len(found['bare typer'])} interleaved rounds\n")
    common.show_summary({name: rows[name] for name in run}, "bare typer", cpu=False)
    help_rows = common.summary({name: found[name] for name in helps}, "bare typer --help", "cpu")
    common.show_summary(help_rows, "bare typer --help", cpu=False)
    for name in (*run[2:], helps[-1]):
        common.verdict(f"{name}, more than a bare typer program", rows[name].more * 1000, LIMIT, "ms of CPU")


if __name__ == "__main__":
    main()
