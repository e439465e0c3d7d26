"""What a deploy needs of memory, for trees of 1, 10 and 50 times a size.

The peak of each process is what the kernel says (VmHWM in proc_pid_status(5)), read every few
milliseconds until the process ends. mcc is two processes, the runner and its guardian: the larger one
counts. Commands that it runs (uv, Python's compiler) stand beside it.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import time
from pathlib import Path

import _common as common

FILES, SIZE = 800, 8_000_000
TIMES = (1, 10, 50)
TOLERANCE = 4.0  # MB
_PAUSE = 0.004


def peaks(words: list[str | Path], cwd: Path) -> tuple[float, float]:
    """MB: the larger of mcc's own processes, and the largest command that it ran."""
    process = subprocess.Popen(
        [str(word) for word in words], cwd=cwd, env=common.environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    own, others = 0.0, 0.0
    while process.poll() is None:
        for pid in family(process.pid):
            peak, is_mcc = look(pid, str(words[0]))
            own, others = (max(own, peak), others) if is_mcc else (own, max(others, peak))
        time.sleep(_PAUSE)
    if process.returncode:
        print(f"{' '.join(map(str, words))} ended with {process.returncode}")
    return own, others


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def look(pid: int, command: str) -> tuple[float, bool]:
    """The peak so far in MB, and whether it is mcc; a command that is only just forked still looks like it."""
    with contextlib.suppress(OSError, StopIteration):
        is_mcc = command in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024, is_mcc
    return 0.0, False


def measure(folder: Path, times: int, rounds: int) -> dict[str, float]:
    """The second deploy of a tree and those after it, each on the same site."""
    output = folder / f"output-{times}"
    common.make_output(output, folder / f"site-{times}", FILES, SIZE, copies=times)
    words = [common.MCC, "deploy", "--stage", common.STAGE, "--format", "jsonl"]
    common.must(words, output)
    found = [peaks(words, output) for _ in range(rounds)]
    files, size = common.tally(output)
    return {
        "times": times, "files": files, "megabytes": size / 1e6,
        "mcc": statistics.median(own for own, _ in found),
        "commands": statistics.median(others for _, others in found),
    }  # fmt: skip


def main() -> None:
    options = common.options(str(__doc__), rounds=3)
    with common.work_folder(options.folder) as folder:
        rows = [measure(folder, times, options.rounds) for times in TIMES]
    if options.json:
        print(json.dumps({"what": common.machine(), "peaks": rows}, indent=2))
        return
    print(f"{common.machine()}; median of {options.rounds} rounds\n")
    table = [
        [f"{row['times']} x", f"{row['files']}", f"{row['megabytes']:.0f}", f"{row['mcc']:.1f}",
         f"{row['mcc'] / rows[0]['mcc']:.2f}", f"{row['commands']:.1f}"]
        for row in rows
    ]  # fmt: skip
    common.table(["tree", "files", "MB", "mcc's peak MB", "ratio", "largest command MB"], table)
    common.verdict(f"growth from {TIMES[0]} x to {TIMES[-1]} x", rows[-1]["mcc"] - rows[0]["mcc"], TOLERANCE, "MB")


if __name__ == "__main__":
    main()
