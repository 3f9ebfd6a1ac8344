"""Running other programs over states files, each in a process of its own: some crash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["CLIENTS", "Client", "run", "version", "wrong"]

PROGRAMS = Path(__file__).parent / "programs"
# The folder of node's package h5wasm, where it is not installed for everybody.
H5WASM = Path(os.environ.get("H5WASM", "/usr/share/nodejs/h5wasm"))
# Where netCDF4 and tables are installed, if not beside this.
PYTHON = os.environ.get("CLIENTS_PYTHON", sys.executable)
R = ["Rscript", "--vanilla"]
NETCDF_VERSION = "ncdump 2>&1 | grep -o 'version [0-9.]*'"
VERSION_OF = "cat(as.character(packageVersion('{}')))"


class Client(NamedTuple):
    """A program that opens states files.

    Parameters
    ----------
    command : list of str
        What comes before DATASET and FILE.
    version : list of str
        Prints the version; fails where the client is not installed.
    reversed : bool
        Whether it shows the axes in the opposite order.
    """

    command: list[str]
    version: list[str]
    reversed: bool = False


def _python(script: str, *modules: str) -> Client:
    shown = "; ".join(f"import {module}; print('{module}', {module}.__version__)" for module in modules)
    return Client([PYTHON, str(PROGRAMS / script)], [PYTHON, "-c", shown])


def _r(package: str) -> Client:
    return Client([*R, str(PROGRAMS / f"{package}.R")], [*R, "-e", VERSION_OF.format(package)], reversed=True)


CLIENTS = {
    "xarray with h5netcdf": _python("h5netcdf_xarray.py", "xarray", "h5netcdf"),
    "netCDF4-python": _python("netcdf4.py", "netCDF4"),
    "PyTables": _python("pytables.py", "tables"),
    "GNU Octave": Client(["octave-cli", "--no-gui", str(PROGRAMS / "octave.m")],
                         ["octave-cli", "--eval", "disp(version)"], reversed=True),
    "R rhdf5": _r("rhdf5"),
    "R hdf5r": _r("hdf5r"),
    "R ncdf4": _r("ncdf4"),
    "ncdump": Client([sys.executable, str(PROGRAMS / "ncdump.py")], ["sh", "-c", NETCDF_VERSION]),
    "h5wasm": Client(["node", str(PROGRAMS / "h5wasm.mjs")],
                     ["node", "-p", f"require('{H5WASM}/package.json').version"]),
}  # fmt: skip


def version(client: Client) -> str | None:
    """Give the version; None where it is not installed."""
    if shutil.which(client.version[0]) is None:
        return None
    done = _run(client.version)
    # Octave prints complaints about its own end after the version.
    return " ".join(done.stdout.split()) if done.returncode == 0 else None


def run(client: Client, dataset: str, path: Path) -> tuple[dict[str, list[str]], str]:
    """Run a client over a file: (what it printed, by the first word of the line; its complaints if it failed)."""
    done = _run([*client.command, dataset, str(path)])
    printed: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        printed[word] = rest.split("|") if word == "ids" else rest.split()
    return printed, "" if done.returncode == 0 else f"exit {done.returncode}: {done.stderr.strip()[-500:]}"


def wrong(client: Client, made, printed: dict[str, list[str]]) -> list[str]:
    """Name what a client read wrong: ``shape``, ``axes`` (where it shows them), ``value``, ``ids``, …."""
    turn = -1 if client.reversed else 1
    expected = {"shape": made.shape[::turn], "lengths": made.lengths, "sums": made.sums[::turn]}
    found = [name for name, numbers in expected.items() if printed.get(name) != [str(number) for number in numbers]]
    if "axes" in printed and printed["axes"] not in (made.axes, made.axes[::turn]):
        found.append("axes")
    if "value" not in printed or abs(float(printed["value"][0]) - made.value) > 1e-6:
        found.append("value")
    return found if printed.get("ids") == made.ids else [*found, "ids"]


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    quiet = {"OCTAVE_HISTFILE": "/dev/null", "H5WASM": str(H5WASM)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **quiet}
    )
