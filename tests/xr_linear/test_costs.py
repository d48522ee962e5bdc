"""Costs of training errors: relevance, sample weights, `positive_weight`, loss."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from helpers.models import assert_equal_models
from skxmr import XRLinearClassifier
from skxmr._linear.relevance import target_costs
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import precision_at_k


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(
        n_samples=1500, n_features=800, n_labels=300, n_labels_per_sample=4, random_state=0
    )


def make_classifier(**parameters):
    return XRLinearClassifier(4, 10, random_state=0, **parameters)


@pytest.mark.parametrize("norm", ["l1", "l2", "max", None])
def test_relevance_of_a_cluster_is_the_normalized_sum_of_its_labels(data, norm):
    _, Y = data
    R = sp.csr_array(Y, dtype=np.float64)
    R.data[:] = np.random.default_rng(0).uniform(0.5, 3.0, R.nnz)
    hierarchy = make_classifier().fit(*data).hierarchy_
    indicator = sp.csr_array(Y)
    levels = hierarchy.node_targets(indicator, R.data.astype(np.float32))
    dense = R.toarray()[:, hierarchy.label_order]
    for level in range(hierarchy.n_levels - 1, -1, -1):
        expected = dense.copy()
        if norm is not None:
            power = {"l1": 1, "l2": 2, "max": np.inf}[norm]
            sizes = np.linalg.norm(expected, ord=power, axis=1, keepdims=True)
            expected /= np.where(sizes > 0, sizes, 1.0)
        costs = levels[level].astype(np.float64)
        costs.data = target_costs(levels[level], norm).astype(np.float64)
        np.testing.assert_allclose(costs.toarray(), expected, rtol=1e-5)
        indptr = hierarchy.child_indptrs[level]
        dense = np.add.reduceat(dense, indptr[:-1], axis=1)


def test_relevance_of_1_equals_none_for_labels_and_counts_labels_of_clusters(data):
    X, Y = data
    ones = sp.csr_array(Y, dtype=float)
    plain = make_classifier(relevance_norm=None)
    none, one = plain.fit(X, Y), clone(plain).fit(X, Y, relevance=ones)
    np.testing.assert_allclose(
        none._model.levels[-1].arrays["intercepts"],
        one._model.levels[-1].arrays["intercepts"],
        atol=1e-5,
    )
    assert np.any(
        none._model.levels[0].arrays["intercepts"] != one._model.levels[0].arrays["intercepts"]
    )
    assert_equal_models(
        make_classifier(relevance_norm="l2").fit(X, Y),
        make_classifier(relevance_norm="l2").fit(X, Y, relevance=ones),
    )


def test_relevance_raises_the_scores_of_relevant_labels(data):
    X, Y = data
    rng = np.random.default_rng(1)
    R = sp.csr_array(Y, dtype=np.float64)
    strong = rng.random(R.nnz) < 0.5
    R.data[:] = np.where(strong, 10.0, 0.1)
    scores = make_classifier(weight_threshold=0.0).fit(X, Y, relevance=R).predict_proba(X).toarray()
    rows, columns = R.nonzero()
    assert scores[rows, columns][strong].mean() > 2 * scores[rows, columns][~strong].mean()


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.ones((2, 2)), "relevance must have the shape of y"),
        (sp.csr_array((1500, 300)), "greater than 0, .* wherever y is 1"),
        (np.full((1500, 300), np.inf), "relevance must be finite"),
        (np.full((1500, 300), -1.0), "greater than 0"),
    ],
)
def test_relevance_rejects_wrong_shapes_and_values(data, relevance, message):
    with pytest.raises(ValueError, match=message):
        make_classifier().fit(*data, relevance=relevance)


def test_relevance_is_validated_before_rows_of_weight_0_are_dropped(data):
    X, Y = data
    weights = np.arange(1500) % 2
    for rows in (1400, 1600):
        with pytest.raises(ValueError, match="relevance must have the shape of y"):
            make_classifier().fit(X, Y, sample_weight=weights, relevance=np.ones((rows, 300)))


def test_positive_weight_raises_the_scores_of_positives(data):
    X, Y = data
    rows, columns = Y.nonzero()
    one, ten = (
        make_classifier(positive_weight=weight)
        .fit(X, Y)
        .predict_proba(X)
        .toarray()[rows, columns]
        .mean()
        for weight in (0.2, 10.0)
    )
    assert ten > one


def test_sample_weight_0_equals_dropping_the_rows(data):
    X, Y = data
    weights = np.ones(X.shape[0])
    weights[::3] = 0.0
    has_weight = weights > 0
    negatives = sp.random_array(Y.shape, density=0.001, rng=np.random.default_rng(0)).tocsr()
    relevance = sp.csr_array(Y, dtype=float) * 2.0
    one = make_classifier(negatives=negatives).fit(X, Y, sample_weight=weights, relevance=relevance)
    two = make_classifier(negatives=sp.csr_array(negatives)[has_weight])
    assert_equal_models(one, two.fit(X[has_weight], Y[has_weight], relevance=relevance[has_weight]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-1.0, "between 0 and 1e"),
        (1e39, "between 0 and 1e"),
        (0.0, "[Ss]ample.weight"),
        (np.nan, "NaN"),
    ],
)
def test_sample_weight_rejects_invalid_values(data, weights, message):
    with pytest.raises(ValueError, match=message):
        make_classifier().fit(*data, sample_weight=np.full(1500, weights))


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
def test_loss_of_every_kind_ranks_well_for_any_n_jobs(data, loss):
    X, Y = data
    model = make_classifier(loss=loss, n_jobs=2).fit(X, Y)
    assert precision_at_k(Y, model.predict_topk(X, k=1), k=1) > 0.6
    assert_equal_models(model, make_classifier(loss=loss).fit(X, Y))
