"""Weights dropped after training."""

import pickle

import numpy as np
import pytest

from helpers.reference import dense_weights
from skxmr import XRLinearClassifier
from skxmr._core.score_rule import Scoring
from skxmr._linear.pruning import prune_level


def train(xmc_data, **params):
    return XRLinearClassifier(4, 10, random_state=0, **params).fit(*xmc_data)


@pytest.fixture
def fitted(xmc_data):
    return train(xmc_data, weight_threshold=0.05)


def assert_same_arrays(model, wanted):
    for level, want in zip(model._model.levels, wanted._model.levels, strict=True):
        for name, array in want.arrays.items():
            assert level.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(level.arrays[name], array, err_msg=name)


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.3, 1.0, 100.0])
def test_a_threshold_after_training_is_one_at_training(fitted, xmc_data, threshold):
    wanted = train(xmc_data, weight_threshold=threshold)
    assert fitted.prune(weight_threshold=threshold) is fitted
    assert_same_arrays(fitted, wanted)
    X = xmc_data[0]
    for got, want in zip(fitted.predict_topk(X), wanted.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)
    assert fitted.get_params()["weight_threshold"] == 0.05


def test_a_lower_threshold_than_that_of_the_training_drops_nothing(fitted, xmc_data):
    before = train(xmc_data, weight_threshold=0.05)
    assert_same_arrays(fitted.prune(weight_threshold=0.01), before)


@pytest.mark.parametrize("most", [1, 5, 30, 10**9])
def test_the_largest_weights_of_each_label_are_kept(fitted, most):
    *clusters, (W, b) = [dense_weights(level) for level in fitted._model.levels]
    fitted.prune(max_weights_per_label=most)
    *same, (V, c) = [dense_weights(level) for level in fitted._model.levels]
    for cluster, wanted in zip(same, clusters, strict=True):
        np.testing.assert_array_equal(cluster[0], wanted[0])
    np.testing.assert_array_equal(c, b)
    for child in range(W.shape[1]):
        # The most, largest first, of equal ones those of lower features.
        kept = np.lexsort((np.arange(len(W)), -np.abs(W[:, child])))[:most]
        wanted = np.zeros(len(W))
        wanted[kept] = W[kept, child]
        np.testing.assert_array_equal(V[:, child], wanted)
    assert np.any((W != 0).sum(axis=0) > most) == (most < 10**9)


def test_a_count_at_training_is_one_after_it(fitted, xmc_data):
    wanted = train(xmc_data, weight_threshold=0.05, max_weights_per_label=7)
    assert_same_arrays(fitted.prune(max_weights_per_label=7), wanted)


def test_both_bounds_hold(fitted, xmc_data):
    wanted = train(xmc_data, weight_threshold=0.3).prune(max_weights_per_label=4)
    assert_same_arrays(fitted.prune(0.3, 4), wanted)


def test_the_level_given_is_left_alone_and_a_pickle_is_pruned(fitted, xmc_data):
    level = fitted._model.levels[-1]
    before = {name: array.copy() for name, array in level.arrays.items()}
    smaller = prune_level(level, 0.5, 3)
    for name, array in before.items():
        np.testing.assert_array_equal(level.arrays[name], array)
    assert (smaller.n_iter, smaller.n_unsolved) == (level.n_iter, level.n_unsolved)
    again = pickle.loads(pickle.dumps(fitted.prune(max_weights_per_label=3)))
    assert_same_arrays(again, fitted)
    np.testing.assert_array_equal(
        again.predict_topk(xmc_data[0])[1], fitted.predict_topk(xmc_data[0])[1]
    )


def test_nothing_left_but_intercepts(fitted, xmc_data):
    fitted.prune(weight_threshold=1e6)
    nothing = (np.zeros(0, np.int32), np.zeros(0, np.float32))
    one = fitted._model.rank_row(nothing, None, Scoring(("identity",), "last"), 150)
    labels, scores = fitted.set_params(beam_width=None).predict_topk(xmc_data[0], k=1)
    assert np.ptp(scores) == 0
    assert np.ptp(labels) == 0
    level = fitted._model.ranker.level
    intercepts = level.arrays["intercepts"][np.argsort(level.arrays["child_ids"])]
    np.testing.assert_array_equal(intercepts[one[0]], one[1])
