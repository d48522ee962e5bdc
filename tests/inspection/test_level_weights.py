import numpy as np
import pytest

import naive
from skxmr import XRLinearClassifier
from skxmr.linear.level_weights import LevelWeights, weights_of


@pytest.mark.parametrize("shape", [(3, 5), (60, 150)], ids=["8 bits", "one leaf"])
def test_weights_of_every_child_are_those_stored(xmc_data, shape):
    X, Y = xmc_data
    model = XRLinearClassifier(*shape, random_state=0).fit(X, Y)
    for level in model._model.levels:
        W, intercepts = naive.dense_weights(level)
        for child in range(W.shape[1]):
            features, weights, intercept = weights_of(level, child)
            assert np.array_equal(features, np.flatnonzero(W[:, child]))
            assert np.array_equal(weights, W[features, child])
            assert intercept == intercepts[child]


def test_margins_of_a_chunk(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    level = model._model.levels[1]
    W, intercepts = naive.dense_weights(level)
    indptr = level.arrays["child_indptr"]
    weights = LevelWeights(level)
    for parent in range(len(indptr) - 1):
        here = slice(indptr[parent], indptr[parent + 1])
        for row in (X[20], X[21], X[20] * 0):
            x = row.copy()
            x.eliminate_zeros()
            expected = x.toarray()[0] @ W[:, here] + intercepts[here]
            margins = weights.of_chunk(parent).margins((x.indices, x.data))
            np.testing.assert_allclose(margins, expected, atol=1e-12)
