"""Texts and indicators of a data folder, and random rows of them, without other packages."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp


def read(folder, part):
    """Return the texts and the indicator of `part`, "train" or "test"."""
    texts = (Path(folder) / f"{part}.txt").read_text(encoding="utf-8").split("\n")
    Y = sp.csr_matrix(sp.load_npz(Path(folder) / f"Y_{part}.npz"))
    if len(texts) == Y.shape[0] + 1 and not texts[-1]:
        texts.pop()
    if len(texts) != Y.shape[0]:
        raise ValueError(
            f"{part}.txt and Y_{part}.npz must have the same number of rows; got {len(texts)} and "
            f"{Y.shape[0]}"
        )
    return np.array(texts, dtype=object), Y


def sample_rows(texts, Y, n, rng):
    """Return n random rows, or all rows if n is None."""
    if n is None or n >= len(texts):
        return texts, Y
    rows = np.sort(rng.choice(len(texts), n, replace=False))
    return texts[rows], Y[rows]


def load(options):
    """Return texts and indicator of the training rows, then of the test rows."""
    rng = np.random.default_rng(options.seed)
    texts, Y = sample_rows(*read(options.folder, "train"), options.rows, rng)
    if not options.held_out:
        return texts, Y, *sample_rows(*read(options.folder, "test"), options.test_rows, rng)
    shuffled = rng.permutation(len(texts))
    test, train = np.sort(shuffled[: options.held_out]), np.sort(shuffled[options.held_out :])
    return texts[train], Y[train], texts[test], Y[test]
