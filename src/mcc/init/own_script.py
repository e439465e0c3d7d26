"""A deploy script of the project's own: what of it stays, what needs a hook, and a new one beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.core.hooks import uses_mcc
from mcc.core.own_script import Part, parts_of
from mcc.host.ports import Files
from mcc.init.notes import Note
from mcc.model.project import NewFile

SCRIPT = "mcc_deploy.py"
_STAGE = "a stage of its own: @app.stage"
_STEP = "mcc does nothing like it: @app.before or @app.after"


def look_at_script(folder: Path, files: Files) -> Iterator[tuple[Note, NewFile | None]]:
    """What is said of the script; the second of a pair is a file that is proposed beside it."""
    if files.kind(folder / SCRIPT) != "file":
        return
    source = files.read(folder / SCRIPT)
    if uses_mcc(source):
        yield Note("unchanged", SCRIPT, "stands on mcc"), None
        return
    try:
        parts = parts_of(source.decode("utf-8", "replace"))
    except (SyntaxError, ValueError) as error:
        yield Note("unchanged", SCRIPT, f"is ignored by mcc deploy; it cannot be read: {error}"), None
        return
    yield Note("unchanged", SCRIPT, "keeps working by uv run; mcc deploy does without it"), None
    yield from ((_note(part), None) for part in parts)
    wanted = [part for part in parts if not part.by_mcc]
    if wanted:
        new = NewFile(f"{SCRIPT}.new", _with_hooks(wanted))
        yield Note("beside", new.path, "has a place for each of them"), new


def _note(part: Part) -> Note:
    if part.by_mcc:
        return Note("unchanged", SCRIPT, f"{part.name}: {part.by_mcc}", part.line)
    return Note("hook", SCRIPT, f"{part.name}: {_STAGE if part.kind == 'stage' else _STEP}", part.line)


_SCRIPT_HEAD = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = ["mcc-deploy"]
# ///
"""Deploy this application: `uv run mcc_deploy.py --stage prod`, in the output folder on the server."""

from mcc import App, Context

app = App()
'''
_SCRIPT_END = '''\

if __name__ == "__main__":
    app()
'''


def _with_hooks(parts: list[Part]) -> str:
    """A script on mcc with a place for what the older one did besides; each hook says that it is still empty."""
    return _SCRIPT_HEAD + "".join(map(_place, parts)) + "\n" + _SCRIPT_END


def _place(part: Part) -> str:
    mark = f'@app.stage("{part.name}")' if part.kind == "stage" else '@app.after("migrate")'
    name = "".join(each if each.isidentifier() or each.isdigit() else "_" for each in part.name)
    return f'''

{mark}
def {name}(context: Context) -> None:
    # bring what {SCRIPT} does in line {part.line} here, and say with the decorator when
    raise NotImplementedError("{part.name} is not moved yet")
'''
