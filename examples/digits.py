"""A classifier of handwritten digits that averages all cell states of an LSTM over the real lengths.

Each image of 8 x 8 pixels is read column by column, from left to right. None of these images has a blank row, but most
have blank columns at their sides: without those, a digit is a sequence of 2 to 8 steps of 8 features.

The same model is trained twice on images padded to 8 columns: with the real lengths, and without, so that every column
counts. Then both read unseen images padded further, as happens when something longer comes into the batch.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from rnnstates.keras import LengthAwareMean, StateLSTM

EPOCHS, WIDTHS = 15, (8, 16, 32)


def read_columns(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read images [N, 8, 8] without blank columns at their sides: float32 [N, 32, 8], zero behind, and int64 [N]."""
    inputs, lengths = np.zeros((len(images), WIDTHS[-1], 8), np.float32), np.zeros(len(images), np.int64)
    for row, image in enumerate(images):
        first, *_, last = np.flatnonzero(image.any(axis=0))
        lengths[row] = last + 1 - first
        inputs[row, : lengths[row]] = image.T[first : last + 1] / 16
    return inputs, lengths


def new_model(*, with_lengths: bool) -> keras.Model:
    """Build the classifier: inputs [B, T, 8] and lengths [B] to logits [B, 10]."""
    inputs, lengths = keras.Input((None, 8)), keras.Input((), dtype="int32")
    states = StateLSTM(48)(inputs, lengths=lengths if with_lengths else None)
    mean = LengthAwareMean(state="cell")(states)
    model = keras.Model([inputs, lengths], keras.layers.Dense(10)(mean))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def main() -> None:
    """Train both and compare."""
    digits = load_digits()
    inputs, lengths = read_columns(digits.images)
    print("columns read:", *(f"{columns:4}" for columns in range(2, 9)))
    print("images:      ", *(f"{count:4}" for count in np.bincount(lengths)[2:]))
    print("accuracy on 450 unseen images, padded to", *(f"{width:4}" for width in WIDTHS))

    x, other_x, n, other_n, y, other_y = train_test_split(inputs, lengths, digits.target, test_size=450, random_state=0)
    slower = keras.callbacks.LearningRateScheduler(lambda epoch: 0.02 * (1 - epoch / EPOCHS))
    for name, with_lengths in (("mean over the real columns", True), ("mean over all, padding too", False)):
        keras.utils.set_random_seed(0)
        model = new_model(with_lengths=with_lengths)
        model.fit([x[:, : WIDTHS[0]], n], y, batch_size=64, epochs=EPOCHS, callbacks=[slower], verbose=0)
        guesses = [np.argmax(model([other_x[:, :width], other_n]), axis=1) for width in WIDTHS]
        print(f"    {name:36}", *(f"{np.mean(guess == other_y):.2f}" for guess in guesses))


if __name__ == "__main__":
    main()
