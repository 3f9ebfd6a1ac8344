"""Fuzz parsers under the guidance of coverage: ``python tests/fuzzing/fuzz.py [NAME ...] --runs N``; ``make fuzz``.

Each parser runs in a process of its own, which is started again where a library ends it. An exception that is not
documented is noted once for each place it comes from, its input is kept, and fuzzing goes on; so do the counts.
The file ``executions`` beside the finds keeps day, commit, name, executions and finds of every run.
"""

import argparse
import hashlib
import mmap
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).resolve()
RUNS = 1_000_000
# Of one input: seconds, and bytes that a parser may ask for beyond what the libraries themselves have.
TIMEOUT, MEMORY = 20, 2**30
# Of the whole process, in MB.
RSS = 4096
LONGEST = 65_536
# A process that ends more often than this is given up.
MOST_STARTS = 50
# How often bytes change without regard to the structure; and how much a part may grow by one change (bytes).
FLAT, GROWTH = 0.1, 64


def main():
    asked = _arguments()
    if asked.worker:
        return _work(asked.names[0], asked.runs, asked.out)
    names = asked.names or _all_names()
    rows = []
    for name in names:
        rows.append(_fuzz(name, asked.runs, asked.out.resolve()))
        _record(asked.out, *rows[-1])
        _print_row(*(("parser", "executions", "a second", "found") if len(rows) == 1 else ()))
        _print_row(*rows[-1])
    return 1 if any(row[3] for row in rows) else 0


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="parsers, as PARSERS names them; all where none is")
    parser.add_argument("--runs", type=int, default=RUNS, help="executions of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=HERE.parents[2] / ".fuzz", help="corpus and findings (%(default)s)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _record(out, name, count, _, found):
    """Keep what was executed, and on which commit, over all runs."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE.parent, capture_output=True, text=True)
    with (out / "executions").open("a") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M')} {head.stdout.strip() or 'unknown'} {name} {count} {found}\n")


def _all_names():
    command = "from tests.fuzzing.targets import PARSERS; print(*PARSERS)"
    done = subprocess.run([sys.executable, "-c", command], cwd=HERE.parents[2], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.split()


def _print_row(*row):
    if row:
        name, count, rate, found = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        print(f"{name:14} {count:>12} {rate:>10} {found:>6}", flush=True)


def _fuzz(name, runs, out):
    """Run one parser until it was executed often enough; give its row of the table."""
    folder = out / name
    shutil.rmtree(folder / "found", ignore_errors=True)
    for part in ("corpus", "found"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "count").write_bytes(bytes(8))
    start, done = time.monotonic(), 0
    with (folder / "log").open("wb") as log:
        for _ in range(MOST_STARTS):
            command = [sys.executable, str(HERE), name, "--worker", "--runs", str(runs - done), "--out", str(out)]
            with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as room:
                ended = subprocess.run(command, stdout=log, stderr=log, env=os.environ | {"TMPDIR": room})
            before, done = done, struct.unpack("<Q", (folder / "count").read_bytes())[0]
            if done == before and ended.returncode:
                raise SystemExit(f"{name}: does not start; {folder / 'log'} says why.")
            if done >= runs:
                break
    seconds = time.monotonic() - start
    found = [path for path in (folder / "found").iterdir() if path.suffix != ".txt"]
    return name, done, round(done / seconds), len(found)


def _work(name, runs, out):
    """Fuzz in this process."""
    import atheris

    # This checkout, and where the hook that instruments can see it.
    sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[2] / "extractor")]
    with atheris.instrument_imports(include=["rnnstates"], enable_loader_override=False):
        from tests.fuzzing.targets import PARSERS

        parser = PARSERS[name]
        sound = parser.seeds()
        for seed in sound:
            parser.run(seed)
    _keep_seeds(sound, out / name / "seeds")
    warnings.simplefilter("error")
    _bound_memory()
    options = [
        f"-runs={runs}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={RSS}", f"-max_len={LONGEST}", "-print_final_stats=1",
        "-len_control=0", f"-artifact_prefix={out / name / 'found'}{os.sep}",
        str(out / name / "corpus"), str(out / name / "seeds"),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], _counting(parser.run, out / name), custom_mutator=_mutator(atheris))
    atheris.Fuzz()


def _keep_seeds(sound, folder):
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(sound):
        (folder / str(number)).write_bytes(seed)


def _bound_memory():
    """Let an array that a parser has no business to make fail at once, also where nothing is written into it."""
    status = Path("/proc/self/status").read_text()
    held = int(status.partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY,) * 2)


def _counting(run, folder):
    """Count the executions where the count outlives the process, and note what is not documented."""
    with (folder / "count").open("r+b") as file:
        counter = mmap.mmap(file.fileno(), 8)
    seen = set()

    def once(content):
        counter[:8] = struct.pack("<Q", struct.unpack("<Q", counter[:8])[0] + 1)
        try:
            run(content)
        except Exception as error:
            place = _place_of(error)
            if place not in seen:
                seen.add(place)
                _note(folder / "found", content, error)

    return once


def _place_of(error):
    """Give where an exception comes from: the last places, and those of ours before a library's."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "rnnstates" in frame.filename]
    return type(error).__name__, *((frame.filename, frame.lineno) for frame in (*frames[-2:], *ours[-2:]))


def _note(folder, content, error):
    path = folder / f"exception-{hashlib.sha256(content).hexdigest()[:16]}"
    path.write_bytes(content)
    path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)), errors="backslashreplace")


def _mutator(atheris):
    from tests.fuzzing.structure import changed

    def mutate(content, most, seed):
        chance = random.Random(seed)
        if chance.random() < FLAT:
            return atheris.Mutate(content, most)
        return changed(bytes(content), lambda part: atheris.Mutate(part, len(part) + GROWTH), chance)[:most]

    return mutate


if __name__ == "__main__":
    raise SystemExit(main())
