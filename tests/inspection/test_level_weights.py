import numpy as np
import pytest

from helpers import reference
from skxmr import XRLinearClassifier
from skxmr._linear.level_weights import LevelWeights


@pytest.mark.parametrize("shape", [(3, 5), (60, 150)], ids=["8 bits", "one leaf"])
def test_level_weights_equal_stored_weights(xmc_data, shape):
    X, Y = xmc_data
    model = XRLinearClassifier(*shape, random_state=0).fit(X, Y)
    for level in model._model.levels:
        W, intercepts = reference.dense_weights(level)
        level_weights, indptr = LevelWeights(level), level.arrays["child_indptr"]
        for child in range(W.shape[1]):
            parent = np.searchsorted(indptr, child, side="right") - 1
            chunk = level_weights.of_chunk(parent)
            features, weights, intercept = chunk.of_child(child - indptr[parent])
            assert np.array_equal(features, np.flatnonzero(W[:, child]))
            assert np.array_equal(weights, W[features, child])
            assert intercept == intercepts[child]
