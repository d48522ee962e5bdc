"""Label features for tests of trees: random rows, and rows in known groups."""

import numpy as np
import scipy.sparse as sp


def random_rows(n, d, seed=0, density=0.3):
    return sp.random_array((n, d), density=density, format="csr", dtype=np.float32, rng=seed)


def planted_rows(sizes, seed=0):
    """Return rows in random order, with five columns per group, and the group of each row."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    Z = np.zeros((len(group), 5 * len(sizes)), dtype=np.float32)
    for g in range(len(sizes)):
        Z[group == g, 5 * g : 5 * g + 5] = 1.0 + 0.3 * rng.random((sizes[g], 5))
    return Z, group
