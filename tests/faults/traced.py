"""Real processes under strace, whose calls of the operating system fail: ``python -m tests.faults.traced --runs 500``.

Each run is one command; strace lets one call on one of its paths fail, once or from then on. Held against the same
command left alone: documented exit codes, no stack trace, and an output that is absent or the same byte for byte; then
the command runs again, undisturbed, and must come to its end. ``make soak`` runs it.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

CODES = {0, 2, 65, 66, 69, 71, 73, 74, 75, 77, 78}
COMMAND = (sys.executable, "-m", "rnnstates_cli.main")
READING = ("openat", "read", "pread64", "preadv", "newfstatat", "statx", "lseek", "close", "readlink", "access")
WRITING = ("openat", "pwrite64", "write", "fsync", "fdatasync", "ftruncate", "fallocate", "flock", "linkat", "link",
           "renameat", "rename", "unlink", "newfstatat", "close")  # fmt: skip
ERRORS = ("EIO", "EACCES", "ESTALE", "ENOSPC", "EDQUOT", "ENOMEM", "EMFILE", "ELOOP", "ENAMETOOLONG", "EPERM", "EINTR",
          "ETIMEDOUT", "EROFS")  # fmt: skip
TIMEOUT = 120
OURS = ("out.h5", "out.h5.partial", "out.h5.partial.new", "out.h5.journal", "out.h5.lock")
COMMANDS = {
    "extract": (
        "extract in.h5 out.h5 --engine numpy --units 3 --lengths l.txt --ids i.txt --no-timestamps",
        ("in.h5", "l.txt", "i.txt"), OURS,
    ),
    "extract --weights": (
        "extract in.npy out.h5 --engine numpy --weights w.safetensors --lengths full --no-timestamps",
        ("in.npy", "w.safetensors"), OURS,
    ),
    "info": ("info done.h5", ("done.h5",), ()),
    "info of weights": ("info w.safetensors", ("w.safetensors",), ()),
    "convert": ("convert w.safetensors v.weights.h5", ("w.safetensors",), ("v.weights.h5",)),
    "export": ("export done.h5 o.npz --rows 0:2", ("done.h5",), ("o.npz",)),
    "verify": ("verify done.h5 --sample 2", ("done.h5", "in.h5"), ()),
    "status": ("status out.h5", ("out.h5.journal", "out.h5.lock"), ("out.h5",)),
    "clean": ("clean out.h5", (), OURS),
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    counts, wrong = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made = make(home)
        for number in range(asked.runs):
            chance = random.Random(f"{asked.seed} {number}")
            reported = one(chance, home, Path(folder) / "run", made, counts)
            wrong += [f"run {number}: {text}" for text in reported]
            if reported:
                print(*reported, sep="\n", flush=True)
    print(f"{asked.runs} processes; failed calls in {counts['struck']}; exit codes:")
    print(*(f"  {code}: {count}" for code, count in sorted(counts.items(), key=str) if code != "struck"), sep="\n")
    print(f"wrong: {len(wrong)}")
    return 1 if wrong else 0


def why_not():
    """Say why nothing can be traced here; "" where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "-e", "inject=fsync:error=EIO", "true"], capture_output=True, text=True
    )
    return f"strace may not trace here ({tried.stderr.strip()[:100]})" if tried.returncode else ""


def make(home):
    """Make the files that the commands read; give the output of an undisturbed ``extract`` by its command."""
    home.mkdir()
    values = np.random.default_rng(0).normal(size=(6, 5, 4)).astype("f4")
    np.save(home / "in.npy", values)
    with h5py.File(home / "in.h5", "w") as file:
        file["inputs"] = values
    (home / "l.txt").write_text("5\n1\n0\n3\n4\n2\n")
    (home / "i.txt").write_text("a\nb\nc\nd\ne\nf\n")
    run("extract in.npy x.h5 --units 3 --lengths full --save-weights k.weights.h5", home)
    run("convert k.weights.h5 w.safetensors", home)
    run("extract in.h5 done.h5 --engine numpy --units 3 --lengths full", home)
    made = {}
    for name in ("extract", "extract --weights"):
        run(COMMANDS[name][0], home)
        made[name] = (home / "out.h5").read_bytes()
        (home / "out.h5").unlink()
    return made


def one(chance, home, place, made, counts):
    """Run one command with one failing call; give what is wrong."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(home, place)
    name = chance.choice(list(COMMANDS))
    line, read, written = COMMANDS[name]
    writes = bool(written) and (not read or chance.random() < 0.6)
    paths, calls = (written, WRITING) if writes else (read, READING)
    if name in ("status", "clean"):
        leave_unfinished(place)
    call, error = chance.choice(calls), chance.choice(ERRORS)
    when = f"{chance.randint(1, 6)}{chance.choice(['', '+'])}"
    if error == "EINTR" and "+" in when and call not in ("fsync", "fdatasync"):
        # Python's own calls are begun again for ever, as POSIX programs do; a system that never stops is none.
        error = "EIO"
    trace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "trace",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:error={error}:when={when}",
    ]
    trace += [part for path in paths for part in ("-P", str(place / path))]
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    what = f"{name}: {call} {error} when={when} on {'what is written' if writes else 'what is read'}"
    try:
        done = run(line, place, trace)
    except subprocess.TimeoutExpired:
        return [f"{what}: not over after {TIMEOUT} s"]
    counts["struck"] += b"INJECTED" in (place / "trace").read_bytes() if (place / "trace").exists() else 0
    counts[done.returncode] += 1
    reported = [f"exit {done.returncode}: {done.stderr[-300:]}"] if done.returncode not in CODES else []
    reported += [f"a stack trace: {done.stderr[-600:]}"] if "Traceback" in done.stderr else []
    reported += [
        f"{kept} was changed" for kept in before if kept not in OURS and (place / kept).read_bytes() != before[kept]
    ]
    if name in made:
        reported += check_output(name, line, place, made, done)
    return [f"{what}: {text}" for text in reported]


def check_output(name, line, place, made, done):
    output = place / "out.h5"
    if output.exists() and output.read_bytes() != made[name]:
        return ["the output is there, but another one"]
    if done.returncode == 0 and not output.exists():
        return ["exit 0, but there is no output"]
    if output.exists():
        return []
    again = run(line, place)
    if again.returncode or output.read_bytes() != made[name]:
        return [f"run again: exit {again.returncode}, {again.stderr[-300:]}"]
    return []


def leave_unfinished(place):
    """Leave what an unfinished run leaves: empty files of its names."""
    for ending in (".partial", ".journal"):
        (place / f"out.h5{ending}").write_bytes(b"")


def run(line, folder, before=()):
    return subprocess.run(
        [*before, *COMMAND, *line.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
    )


if __name__ == "__main__":
    raise SystemExit(main())
