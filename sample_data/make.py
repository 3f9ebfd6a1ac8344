"""Make the files of this folder again: ``python sample_data/make.py [--only parens|waves|model] [--into DIR]``.

The same command gives the same bytes. For ``parens.keras`` that holds on the same machine with the same versions,
because training rounds differently elsewhere; README.md says what each file holds.
"""

import argparse
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent

# parens: a character's number is its place in VOCABULARY; the blank at 0 is the padding.
OPENING, CLOSING, LETTERS = "([{", ")]}", "abcd"
VOCABULARY = " " + OPENING + CLOSING + LETTERS
SEQUENCES, STEPS = 400, 64
SHORTEST, DEEPEST = 4, 8
# Letters say nothing about the depth. They are there because they make a network without training forget it.
LETTER_SHARE = 0.3
SAMPLE_SEED, TRAINING_SEED = 2, 1

# parens.keras
TRAINING_SEQUENCES, EPOCHS, BATCH = 2000, 25, 64
EMBEDDED, UNITS = 8, 24
LEARNING_RATE = 0.01
# Training takes this much smaller steps in its last quarter, so that the weights settle.
SETTLING = 0.25

# waves
WAVES_SHAPE = (40, 200, 5)
WAVES_SEED = 3
# What an analogue-to-digital converter would give; also keeps the last bits of a CPU's own sin() out of the file.
WAVES_QUANTUM = 2.0**-10

# Any fixed date will do; this is the earliest that a zip member can have.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"


def next_character(random: np.random.RandomState, still_open: list[int], left: int) -> str:
    """Draw one character, so that all brackets can still be closed in the ``left`` characters (this one included)."""
    if left > len(still_open) and random.rand() < LETTER_SHARE:
        return LETTERS[random.randint(len(LETTERS))]
    may_open = len(still_open) < DEEPEST and left >= len(still_open) + 2
    if may_open and (not still_open or random.rand() < 0.5):
        still_open.append(random.randint(len(OPENING)))
        return OPENING[still_open[-1]]
    return CLOSING[still_open.pop()] if still_open else LETTERS[random.randint(len(LETTERS))]


def bracket_text(random: np.random.RandomState, length: int) -> str:
    """Write ``length`` characters of balanced brackets with letters between them."""
    text, still_open = "", []
    while len(text) < length:
        text += next_character(random, still_open, length - len(text))
    return text


def depths(text: str) -> list[int]:
    """Count the brackets that are open after reading each character."""
    changes = [(character in OPENING) - (character in CLOSING) for character in text]
    return np.cumsum(changes).tolist()


def bracket_texts(seed: int, count: int) -> list[str]:
    """Write ``count`` texts of ``SHORTEST`` to ``STEPS`` characters, the first of them of full length."""
    random = np.random.RandomState(seed)
    lengths = [STEPS, *random.randint(SHORTEST, STEPS + 1, count - 1)]
    return [bracket_text(random, length) for length in lengths]


def padded(rows: list[list[int]]) -> np.ndarray:
    """Put zeros behind each row.

    Returns
    -------
    uint8 [N, STEPS]
    """
    result = np.zeros((len(rows), STEPS), np.uint8)
    for target, row in zip(result, rows, strict=True):
        target[: len(row)] = row
    return result


def tokens(texts: list[str]) -> np.ndarray:
    """Turn characters into their numbers.

    Returns
    -------
    uint8 [N, STEPS]
        0 past the end.
    """
    return padded([[VOCABULARY.index(character) for character in text] for text in texts])


def make_parens(into: Path) -> Path:
    """Write ``parens.h5``."""
    texts = bracket_texts(SAMPLE_SEED, SEQUENCES)
    path = into / "parens.h5"
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        file.attrs["description"] = "Nested brackets with letters between them, one number a character."
        inputs = file.create_dataset("inputs", data=tokens(texts), track_times=False)
        inputs.attrs["vocabulary"] = VOCABULARY
        lengths = np.array([len(text) for text in texts], np.int64)
        file.create_dataset("lengths", data=lengths, track_times=False)
        ids = np.array([f"parens{number:03d}".encode() for number in range(SEQUENCES)])
        ids = ids.astype(h5py.string_dtype("utf-8", ids.itemsize))
        file.create_dataset("ids", data=ids, track_times=False)
        depth = file.create_dataset("depth", data=padded([depths(text) for text in texts]), track_times=False)
        depth.attrs["description"] = "Brackets open after reading the character; 0 past the length."
    return path


def drifting_waves(random: np.random.RandomState, steps: int, channels: int) -> np.ndarray:
    """Mix three sinusoids, whose frequencies wander, into each channel and add noise.

    Returns
    -------
    float32 [steps, channels]
    """
    frequencies = random.uniform(0.01, 0.1, 3) + np.cumsum(random.normal(0, 0.001, (steps, 3)), axis=0)
    phases = random.uniform(0, 2 * np.pi, 3) + 2 * np.pi * np.cumsum(frequencies, axis=0)
    loudness = random.uniform(-1, 1, (3, channels))
    mixed = (np.sin(phases)[:, :, np.newaxis] * loudness).sum(axis=1) + random.normal(0, 0.1, (steps, channels))
    return (np.round(mixed / WAVES_QUANTUM) * WAVES_QUANTUM).astype(np.float32)


def make_waves(into: Path) -> Path:
    """Write ``waves.npy`` and ``waves_lengths.npy``."""
    count, steps, channels = WAVES_SHAPE
    random = np.random.RandomState(WAVES_SEED)
    # Evenly spread over a logarithmic scale: a few are very short, one has every step.
    lengths = random.permutation(np.round(steps ** np.linspace(0, 1, count)).astype(np.int64))
    # NaN as padding shows that padding is never read: it would spread to every state after it.
    waves = np.full(WAVES_SHAPE, np.nan, np.float32)
    for row, length in zip(waves, lengths, strict=True):
        row[:length] = drifting_waves(random, length, channels)
    path = into / "waves.npy"
    np.save(path, waves)
    np.save(into / "waves_lengths.npy", lengths)
    return path


def new_model() -> Any:
    """Build the network: it reads characters and gives the probability of each next one."""
    import keras

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="characters"),
            keras.layers.Embedding(len(VOCABULARY), EMBEDDED, name="embedding"),
            keras.layers.LSTM(UNITS, return_sequences=True, name="lstm"),
            keras.layers.Dense(len(VOCABULARY), activation="softmax", name="next_character"),
        ],
        name="parens",
    )


def training_set() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make inputs, the characters that follow, and a weight of 0 where none follows.

    Returns
    -------
    uint8 [N, STEPS], uint8 [N, STEPS], float32 [N, STEPS]
    """
    texts = bracket_texts(TRAINING_SEED, TRAINING_SEQUENCES)
    inputs, following = tokens(texts), tokens([text[1:] for text in texts])
    return inputs, following, (following > 0).astype(np.float32)


def trained_weights() -> list[np.ndarray]:
    """Train the network; nothing in it is left to chance."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(TRAINING_SEED)
    tf.config.experimental.enable_op_determinism()
    model = new_model()
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy", weighted_metrics=[])
    inputs, following, weights = training_set()
    settled = round(EPOCHS * (1 - SETTLING))
    for first, last, rate in ((0, settled, LEARNING_RATE), (settled, EPOCHS, LEARNING_RATE * SETTLING)):
        model.optimizer.learning_rate.assign(rate)
        model.fit(
            inputs, following, sample_weight=weights, batch_size=BATCH, initial_epoch=first, epochs=last, verbose=2
        )
    return model.get_weights()


def make_model(into: Path) -> Path:
    """Train and write ``parens.keras`` (a minute at most), without the optimizer's state."""
    weights = trained_weights()
    # A model that was never compiled has no optimizer to save.
    model = new_model()
    model.set_weights(weights)
    path = into / "parens.keras"
    model.save(path)
    make_repeatable(path)
    return path


def numbered(config: bytes) -> bytes:
    """Replace the memory addresses by which a Keras configuration tells shared objects apart with 0, 1, …."""
    numbers: dict[int, int] = {}

    def number(part: dict[str, Any]) -> dict[str, Any]:
        if "shared_object_id" in part:
            part["shared_object_id"] = numbers.setdefault(part["shared_object_id"], len(numbers))
        return part

    return json.dumps(json.loads(config, object_hook=number)).encode()


def make_repeatable(path: Path) -> None:
    """Rewrite a Keras file without dates and memory addresses, so that the same weights give the same bytes."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in sorted(file.namelist())}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": DATE_SAVED}
    members["metadata.json"] = json.dumps(metadata).encode()
    members["config.json"] = numbered(members["config.json"])
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name, ZIP_DATE), content)


MAKERS = {"parens": make_parens, "waves": make_waves, "model": make_model}


def main() -> None:
    """Make all files, or those named."""
    parser = argparse.ArgumentParser(description="Make the files of sample_data again.")
    parser.add_argument("--only", choices=MAKERS, action="append", help="make this one only; may be repeated")
    parser.add_argument("--into", type=Path, default=HERE, metavar="DIR", help="where to write (default: here)")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.only or MAKERS:
        path = MAKERS[name](options.into)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
