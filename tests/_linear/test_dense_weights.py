"""Sparse weights of a level, copied into a dense table with one row per feature of a chunk."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skxmr._linear.chunk import spread_weights


def make_weights(dtype):
    """Return sparse weights of four features, and a table of zeros."""
    counts = np.array([2, 0, 3, 1], dtype=np.uint8)
    children = np.array([0, 15, 1, 2, 9, 4], dtype=np.uint8)
    weights = np.arange(1, 7, dtype=dtype)
    return counts, children, weights, np.zeros((4, 16), dtype=dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_spread_weights_writes_each_weight_to_its_child(dtype):
    counts, children, weights, table = make_weights(dtype)
    spread_weights(counts, children, weights, table)
    expected = np.zeros_like(table)
    expected[np.repeat(np.arange(4), counts), children] = weights
    assert_array_equal(table, expected)


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
def test_spread_weights_rejects_inconsistent_arrays(damage):
    *arrays, table = make_weights("u4")
    with pytest.raises(ValueError, match="weights of a level are damaged"):
        spread_weights(*damage(*arrays), table)
