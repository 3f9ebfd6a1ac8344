"""What a type checker says of a user's script."""

import re
import shutil
from pathlib import Path

import pytest
from mypy import api

import rnnstates

PACKAGE = Path(rnnstates.__file__).parent
# Each line, and what mypy says of it: nothing, an error, or the type that it reveals.
SCRIPT = {
    'states = rnnstates.extract(x, [10, 6], engine="numpy", layout="packed", dtype=None)': "",
    'rnnstates.extract(x, engine="cuda")': 'Argument "engine" to "extract" has incompatible type "Literal[\'cuda\']"',
    'rnnstates.extract(x, layout="flat")': 'Argument "layout" to "extract" has incompatible type',
    'rnnstates.extract(x, unit=3)': 'Unexpected keyword argument "unit"',
    'rnnstates.preview(x, engine="cuda")': "incompatible type",
    'rnnstates.preview(x, "full", engine="numpy")["engine"]': "",
    'rnnstates.collect(x, x, padding="left")': 'Argument "padding" to "collect" has incompatible type',
    'rnnstates.StateExtractor(precision="float8")': 'Argument "precision" to "StateExtractor" has incompatible type',
    "reveal_type(states[0])": "SequenceStates",
    "reveal_type(states[:2])": "rnnstates.output.states.states.States",
    "states[[1, 0]], states[states.lengths > 0], states[np.array([1, 0])]": "",
    'reveal_type(states.layer(0).by_id("a"))': "SequenceStates",
    "states[1.5]": "No overload variant",
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Give what mypy says of each line."""
    folder = tmp_path_factory.mktemp("typing")
    # Where an installed package lies, so that its types are those of a library.
    shutil.copytree(PACKAGE, folder / "site" / "rnnstates", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    script = folder / "script.py"
    script.write_text("import numpy as np\nimport rnnstates\nx = np.ones((2, 10, 8))\n" + "\n".join(SCRIPT))
    options = [
        "--config-file=",
        f"--cache-dir={folder / 'cache'}",
        "--follow-imports=silent",
        "--ignore-missing-imports",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(folder / "site"))
        out, err, _ = api.run([*options, str(script)])
    assert not err
    found = dict.fromkeys(SCRIPT, "")
    for line in out.splitlines():
        if match := re.match(r".*script\.py:(\d+): (.*)", line):
            found[list(SCRIPT)[int(match[1]) - 4]] += match[2]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("line", SCRIPT)
def test_mypy_knows_what_is_right(said, line):
    assert SCRIPT[line] in said[line] if SCRIPT[line] else not said[line]
