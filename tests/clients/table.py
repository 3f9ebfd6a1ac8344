"""Run every installed client over every case and print what it reads: ``python -m tests.clients.table``."""

import shutil
import tempfile
from pathlib import Path

from .making import make
from .running import CLIENTS, run, version, wrong


def main() -> None:
    """Print one line for each client and case."""
    folder = Path(tempfile.mkdtemp())
    try:
        cases = make(folder)
        for name, client in CLIENTS.items():
            if (known := version(client)) is None:
                print(f"{name}: not installed")
                continue
            print(f"{name} {known}")
            for case, made in cases.items():
                printed, failure = run(client, made.dataset, made.path)
                axes = " ".join(printed.get("axes", [])) or "not shown"
                reported = ", ".join(wrong(client, made, printed)) or "everything right"
                not_read = f"wrong or not read: {reported}" if reported != "everything right" else reported
                print(f"  {case}: {not_read}; shape {' '.join(printed.get('shape', []))}, axes {axes}"
                      + (f" ({failure.splitlines()[-1] if failure else ''})" if failure else ""))  # fmt: skip
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
