"""The dense vectors of a level hold its weights, whatever their type."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skxmr._linear.chunk import spread_weights


def make(bits):
    counts = np.array([2, 0, 3, 1], dtype=np.uint8)
    children = np.array([0, 15, 1, 2, 9, 4], dtype=np.uint8)
    weights = np.arange(1, 7, dtype=bits)
    return counts, children, weights, np.zeros((4, 16), dtype=bits)


@pytest.mark.parametrize("bits", ["u1", "u2", "u4"])
def test_each_weight_stands_at_its_child(bits):
    counts, children, weights, table = make(bits)
    spread_weights(counts, children, weights, table)
    wanted = np.zeros_like(table)
    wanted[np.repeat(np.arange(4), counts), children] = weights
    assert_array_equal(table, wanted)


@pytest.mark.parametrize(
    "damage",
    [
        lambda counts, children, weights: (counts + 1, children, weights),
        lambda counts, children, weights: (counts[:3], children, weights),
        lambda counts, children, weights: (counts, children + 1, weights),
        lambda counts, children, weights: (counts, children, weights[:-1]),
    ],
    ids=["counts too large", "counts missing", "child outside", "weights missing"],
)
def test_nothing_is_read_or_written_outside(damage):
    *arrays, table = make("u4")
    with pytest.raises(ValueError, match="weights of a level are damaged"):
        spread_weights(*damage(*arrays), table)
