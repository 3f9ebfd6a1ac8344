"""What netCDF's ncdump makes of states files: DATASET FILE."""

import re
import subprocess
import sys

SIZE = re.compile(r"^\s*(\w+) = (\d+) ;$", re.M)


def dump(path: str, *names: str) -> str:
    """Give the text of some variables; their values stand behind ``data:``."""
    chosen = ",".join(f"/{name}" if "/" in name else name for name in names)
    return subprocess.run(
        ["ncdump", "-p", "9,17", "-v", chosen, path], capture_output=True, text=True, check=True
    ).stdout


def values(text: str, variable: str) -> list[str]:
    """Give the values of a variable."""
    last = re.findall(rf"^ +{variable} =(.*?) ;$", text, re.M | re.S)[-1]
    return re.split(r",\s+", last.strip())


def main() -> None:
    """Read a file with ncdump."""
    name, path = sys.argv[1:]
    text = dump(path, name, "lengths")
    *groups, short = name.split("/")
    own = text
    for group in groups:
        own = own[own.index(f"group: {group} {{") :]
    axes = re.findall(rf"^\s*float {short}\((.*)\) ;$", own, re.M)[0].split(", ")
    sizes = {axis: size for place in (text, own) for axis, size in reversed(SIZE.findall(place))}
    print("shape", *(sizes[axis] for axis in axes))
    print("axes", *axes)
    print("value", values(text, short)[int(sizes["unit"]) + 2])
    print("lengths", *values(text, "lengths"))
    print("sums", *(sizes[axis] for axis in ("window", "dataset", "sum")), flush=True)
    print("ids", "|".join(one.strip('"') for one in values(dump(path, "ids"), "ids")))


if __name__ == "__main__":
    main()
