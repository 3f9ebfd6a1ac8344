"""The picture of README.md: the cell states of one sample text, and the depth that a straight line reads from them.

``python docs/picture.py`` writes docs/_static/states.png; it needs matplotlib (the extra ``docs``).
"""

from pathlib import Path

import h5py
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import rnnstates

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_data"
# Fitted on the first texts, shown on one of the others.
FITTED = 200
SHOWN = 354
# Of the colours: a few units count far beyond it.
LIMIT = 4


def read_depth(states: rnnstates.States, depth: np.ndarray) -> np.ndarray:
    """Fit a straight line from cell state to depth, and give what it reads at each step of the text shown."""
    cells = np.concatenate([sequence.cell for sequence in states[:FITTED]])
    depths = np.concatenate([depth[i, : states.lengths[i]] for i in range(FITTED)])
    line, *_ = np.linalg.lstsq(np.column_stack([cells, np.ones(len(cells))]), depths, rcond=None)
    return states[SHOWN].cell @ line[:-1] + line[-1]


def main() -> None:
    """Draw it."""
    with h5py.File(SAMPLE / "parens.h5") as file:
        ids, depth, vocabulary = file["inputs"][SHOWN], file["depth"][:], file["inputs"].attrs["vocabulary"]
    states = rnnstates.extract(SAMPLE / "parens.h5", weights=SAMPLE / "parens.keras", states="cell")
    cell, length = states[SHOWN].cell, states[SHOWN].length
    order = np.argsort([np.corrcoef(unit, depth[SHOWN, :length])[0, 1] for unit in cell.T])[::-1]

    mpl.rcParams.update({"font.size": 9, "font.family": "DejaVu Sans"})
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 4.4), sharex=True, height_ratios=[3, 1.4], layout="constrained"
    )
    image = above.imshow(cell.T[order], aspect="auto", cmap="PuOr", vmin=-LIMIT, vmax=LIMIT, interpolation="nearest")
    above.set_ylabel(f"{cell.shape[1]} units")
    above.set_yticks([])
    above.tick_params(bottom=False)
    figure.colorbar(image, ax=above, label="cell state", pad=0.01, extend="both")
    below.step(
        np.arange(length), depth[SHOWN, :length], where="mid", color="#bbbbbb", linewidth=5, label="nesting depth"
    )
    below.plot(read_depth(states, depth), color="#5e3c99", linewidth=1.5, label="read from the cell states")
    below.set_xticks(np.arange(length), [vocabulary[i] for i in ids[:length]], family="DejaVu Sans Mono")
    below.set_ylabel("depth")
    below.legend(frameon=False, loc="upper left", ncols=2)
    below.spines[["top", "right"]].set_visible(False)
    below.set_ylim(-0.5, depth[SHOWN].max() + 2)
    figure.savefig(ROOT / "docs" / "_static" / "states.png", dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
