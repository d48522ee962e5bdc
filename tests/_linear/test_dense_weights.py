"""`fill_dense_weights` copies the entries of a level to an array with one row per chunk feature."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skxmr._linear.chunk import fill_dense_weights


def make_weights(dtype):
    """Return the entries of four features, and dense weights of zeros."""
    counts = np.array([2, 0, 3, 1], dtype=np.uint8)
    children = np.array([0, 15, 1, 2, 9, 4], dtype=np.uint8)
    weights = np.arange(1, 7, dtype=dtype)
    return counts, children, weights, np.zeros((4, 16), dtype=dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_fill_dense_weights_writes_each_weight_to_its_child(dtype):
    counts, children, weights, dense_weights = make_weights(dtype)
    fill_dense_weights(counts, children, weights, dense_weights)
    expected = np.zeros_like(dense_weights)
    expected[np.repeat(np.arange(4), counts), children] = weights
    assert_array_equal(dense_weights, expected)


@pytest.mark.parametrize(
    "damage",
    [
        lambda counts, children, weights: (counts + 1, children, weights),
        lambda counts, children, weights: (counts[:3], children, weights),
        lambda counts, children, weights: (counts, children + 1, weights),
        lambda counts, children, weights: (counts, children, weights[:-1]),
    ],
    ids=["counts too large", "counts missing", "child out of bounds", "weights missing"],
)
def test_fill_dense_weights_rejects_inconsistent_arrays(damage):
    *arrays, dense_weights = make_weights("u4")
    with pytest.raises(ValueError, match="weights of a level are damaged"):
        fill_dense_weights(*damage(*arrays), dense_weights)
