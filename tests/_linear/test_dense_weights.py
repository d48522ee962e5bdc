"""Dense weights of a level: one row per chunk feature, one column per child."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skxmr import XRLinearClassifier
from skxmr._linear import WEIGHT_TYPES, level_model
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


@pytest.mark.parametrize("n_labels", [17, 70, 300])
@pytest.mark.parametrize("weight_dtype", WEIGHT_TYPES)
@pytest.mark.usefixtures("simd")
def test_dense_weights_of_many_children_do_not_change_scores(weight_dtype, n_labels, monkeypatch):
    rng = np.random.default_rng(0)
    X = sp.random_array((300, 50), density=0.2, format="csr", rng=rng, dtype=np.float32)
    Y = rng.random((300, n_labels)) < 0.1
    model = XRLinearClassifier(
        max_leaf_size=n_labels, weight_dtype=weight_dtype, weight_threshold=0.01, random_state=0
    )
    model.fit(X, Y)
    (level,) = model._model.levels
    assert level.tables["table"].shape[1] == -(-n_labels // 16) * 16
    monkeypatch.setattr(level_model, "MIN_DENSE_FRACTION", 1.0)
    sparse = pickle.loads(pickle.dumps(model))
    assert "table" not in sparse._model.levels[0].tables
    for found, expected in zip(model.predict_topk(X), sparse.predict_topk(X), strict=True):
        assert_array_equal(found, expected)


def test_sparse_levels_of_many_children_have_no_dense_weights():
    X = sp.identity(200, format="csr", dtype=np.float32)
    model = XRLinearClassifier(max_leaf_size=200).fit(X, X > 0)
    assert "table" not in model._model.levels[0].tables
