"""Weights that are dropped after training."""

import pickle

import numpy as np
import pytest

from helpers.reference import dense_weights
from skxmr import XRLinearClassifier
from skxmr._core.row_search import RowScores, SparseRow
from skxmr._core.score_rule import ScoreParams
from skxmr._linear.pruning import prune_level


def train(xmc_data, **params):
    return XRLinearClassifier(4, 10, random_state=0, **params).fit(*xmc_data)


@pytest.fixture
def fitted(xmc_data):
    return train(xmc_data, weight_threshold=0.05)


def assert_same_arrays(model, expected):
    pairs = zip(model._model.levels, expected._model.levels, strict=True)
    for level, expected_level in pairs:
        for name, array in expected_level.arrays.items():
            if name == "fingerprints":  # pruned weights do not follow from the training data
                continue
            assert level.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(level.arrays[name], array, err_msg=name)


@pytest.mark.filterwarnings("ignore:weight_threshold=100 removed")
@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.3, 1.0, 100.0])
def test_prune_by_threshold_equals_training_with_the_threshold(fitted, xmc_data, threshold):
    expected = train(xmc_data, weight_threshold=threshold)
    assert fitted.prune(weight_threshold=threshold) is fitted
    assert_same_arrays(fitted, expected)
    X = xmc_data[0]
    for got, want in zip(fitted.predict_topk(X), expected.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)
    assert fitted.get_params()["weight_threshold"] == 0.05


def test_prune_by_a_lower_threshold_than_in_training_drops_nothing(fitted, xmc_data):
    before = train(xmc_data, weight_threshold=0.05)
    assert_same_arrays(fitted.prune(weight_threshold=0.01), before)


@pytest.mark.parametrize("max_weights", [1, 5, 30, 10**9])
def test_prune_by_count_keeps_the_largest_weights_per_label(fitted, max_weights):
    *clusters, (W, b) = [dense_weights(level) for level in fitted._model.levels]
    fitted.prune(max_weights_per_label=max_weights)
    *pruned_clusters, (V, c) = [dense_weights(level) for level in fitted._model.levels]
    for pruned, cluster in zip(pruned_clusters, clusters, strict=True):
        np.testing.assert_array_equal(pruned[0], cluster[0])
    np.testing.assert_array_equal(c, b)
    for child in range(W.shape[1]):
        # Largest absolute values first; equal ones by increasing feature.
        kept = np.lexsort((np.arange(len(W)), -np.abs(W[:, child])))[:max_weights]
        expected = np.zeros(len(W))
        expected[kept] = W[kept, child]
        np.testing.assert_array_equal(V[:, child], expected)
    assert np.any((W != 0).sum(axis=0) > max_weights) == (max_weights < 10**9)


def test_prune_combines_threshold_and_count(fitted, xmc_data):
    expected = train(xmc_data, weight_threshold=0.3).prune(max_weights_per_label=4)
    assert_same_arrays(fitted.prune(weight_threshold=0.3, max_weights_per_label=4), expected)


def test_prune_level_does_not_change_its_argument_and_pickles_are_pruned(fitted, xmc_data):
    level = fitted._model.levels[-1]
    before = {name: array.copy() for name, array in level.arrays.items()}
    smaller = prune_level(level, 0.5, 3)
    for name, array in before.items():
        np.testing.assert_array_equal(level.arrays[name], array)
    assert (smaller.n_iter, smaller.n_unsolved) == (level.n_iter, level.n_unsolved)
    unpickled = pickle.loads(pickle.dumps(fitted.prune(max_weights_per_label=3)))
    assert_same_arrays(unpickled, fitted)
    np.testing.assert_array_equal(
        unpickled.predict_topk(xmc_data[0])[1], fitted.predict_topk(xmc_data[0])[1]
    )


@pytest.mark.filterwarnings("ignore:weight_threshold=1e.06 removed")
def test_prune_by_a_huge_threshold_leaves_intercepts_only(fitted, xmc_data):
    fitted.prune(weight_threshold=1e6)
    empty_row = SparseRow(np.zeros(0, np.int32), np.zeros(0, np.float32))
    n_leaves = fitted.hierarchy_.n_leaves
    zeros = np.zeros(n_leaves, np.float32)
    clusters = RowScores.from_arrays(np.arange(n_leaves, dtype=np.int32), zeros, zeros)
    margin = ScoreParams(("identity",)).make_rule((False,)).transforms[0]
    one = fitted._model.ranker.rank_row(empty_row, clusters, margin, 150)
    labels, scores = fitted.set_params(beam_width=None).predict_topk(xmc_data[0], k=1)
    assert np.ptp(scores) == 0
    assert np.ptp(labels) == 0
    level = fitted._model.ranker.level
    intercepts = level.arrays["intercepts"][np.argsort(level.arrays["child_ids"])]
    np.testing.assert_array_equal(intercepts[one.ids], one.scores)


def test_fit_warns_if_weight_threshold_removes_nearly_all_weights(xmc_data):
    with pytest.warns(
        UserWarning, match="weight_threshold=5 removed nearly all weights: 0 are lef"
    ):
        train(xmc_data, weight_threshold=5)
    X, Y = xmc_data
    with pytest.warns(UserWarning, match="weight_threshold=5 removed nearly all weights"):
        train(xmc_data).prune(weight_threshold=5)
    train((0 * X, Y))  # no features, so no weights
    rng = np.random.default_rng(0)  # a single feature, so at most one weight per label
    XRLinearClassifier(random_state=0).fit(rng.poisson(0.1, (200, 1)), rng.random((200, 10)) < 0.2)
    XRLinearClassifier(max_leaf_size=1, random_state=0).fit(X, Y)  # labels have no models
