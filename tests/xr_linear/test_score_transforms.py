"""Scores for each `score_transform`: ranking, probabilities, dense results, candidates."""

import numpy as np
import pytest
from scipy.special import expit

from helpers import quick
from helpers.reference import beam_search
from helpers.scores import (
    TRANSFORM_CHOICES,
    assert_same_ranking,
    get_score_functions,
    make_candidates,
    reset_scores,
)
from skxmr import XRLinearClassifier
from skxmr._core.score_rule import TRANSFORMS

ROWS = 12


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


@pytest.fixture(params=quick.first(5, TRANSFORM_CHOICES), ids=str)
def model(request, fitted):
    yield fitted.set_params(score_transform=request.param)
    reset_scores(fitted)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [3, None])
def test_predict_topk_equals_the_reference(model, xmc_data, beam_width):
    X = xmc_data[0][:ROWS]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=7)
    shown, _ = get_score_functions(model)
    for row, x in enumerate(X.toarray()):
        expected = beam_search(model, x, beam_width, keep=7)
        assert np.count_nonzero(labels[row] >= 0) == len(expected)
        assert_same_ranking(labels[row], scores[row], expected, shown)


def test_predict_proba_is_in_0_1_and_keeps_the_ranking(model, xmc_data):
    X = xmc_data[0]
    P = model.set_params(beam_width=10).predict_proba(X)
    assert P.has_sorted_indices
    assert np.all((P.data > 0) & (P.data <= 1))
    labels, scores = model.predict_topk(X, k=7)
    ranked = np.take_along_axis(P.toarray(), labels, 1)
    assert np.all(np.diff(ranked, axis=1) <= 0)
    assert np.all(np.diff(scores, axis=1) <= 0)
    np.testing.assert_array_equal(ranked[:, 0], P.max(axis=1).toarray().ravel())
    np.testing.assert_array_equal(model.predict(X).toarray() > 0, P.toarray() >= 0.5)
    assert (model.decision_function(X) != P).nnz == 0
    _, proba = get_score_functions(model)
    for row, x in enumerate(X[:3].toarray()):
        expected = dict(beam_search(model, x, 10))
        got = P[[row]]
        common = [(w, v) for w, v in zip(got.indices, got.data, strict=True) if w in expected]
        assert len(common) > 0.9 * got.nnz
        names, values = zip(*common, strict=True)
        naive = proba(np.array([expected[name] for name in names]))
        np.testing.assert_allclose(values, naive, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [4, None])
def test_predict_topk_of_a_batch_equals_single_rows_exactly(model, xmc_data, beam_width):
    X = xmc_data[0][:100]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=9)
    for row in range(0, 100, 33):
        for one in (X[[row]], X[[row]].toarray()):
            one_labels, one_scores = model.predict_topk(one, k=9)
            np.testing.assert_array_equal(one_labels, labels[[row]])
            np.testing.assert_array_equal(one_scores, scores[[row]])


def test_predict_topk_never_ranks_labels_without_rows_first(model, xmc_data):
    X, Y = xmc_data
    empty = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel() == 0)
    for weight in (0.0, 3.0, 1e4):
        model.set_params(propensity_weight=weight)
        labels, _ = model.predict_topk(X, k=1)
        model.set_params(propensity_weight=0.0)
        assert not np.isin(labels, empty).any()


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if f"log-{name}" in TRANSFORMS])
def test_log_transforms_return_logarithms_of_the_scores(fitted, xmc_data, name):
    X = xmc_data[0]
    labels, scores = fitted.set_params(score_transform=name).predict_topk(X)
    P = fitted.predict_proba(X)
    log_labels, logs = fitted.set_params(score_transform=f"log-{name}").predict_topk(X)
    assert (fitted.predict_proba(X) != P).nnz == 0
    reset_scores(fitted)
    np.testing.assert_array_equal(log_labels, labels)
    assert np.all(logs <= 0)
    np.testing.assert_array_equal(np.maximum(np.exp(logs), np.finfo(np.float32).tiny), scores)


def test_dense_results_equal_sparse_results(model, xmc_data):
    X, Y = xmc_data
    transform = model.score_transform
    dense = XRLinearClassifier(4, 10, random_state=0, score_transform=transform).fit(X, Y.toarray())
    P, sparse = dense.predict_proba(X), model.set_params(beam_width=10).predict_proba(X).toarray()
    assert np.all((P > 0) & (P < 1))
    np.testing.assert_allclose(P, sparse, atol=1e-6)
    D = dense.decision_function(X)
    assert np.all(np.isfinite(D))
    clear = np.abs(P - 0.5) > 1e-6
    np.testing.assert_array_equal((D > 0)[clear], (P > 0.5)[clear])
    assert D[sparse == 0].max() < D[sparse > 0].min()
    inside = (P > 1e-30) & (P < 0.99)
    np.testing.assert_allclose(expit(D[inside]), P[inside], rtol=1e-4, atol=1e-7)


def test_class_probabilities_sum_to_1_and_agree_with_predict(model, xmc_data):
    X = xmc_data[0]
    y = np.arange(600) % 7
    transform = model.score_transform
    classes = XRLinearClassifier(2, 2, random_state=0, score_transform=transform).fit(X, y)
    P = classes.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-5)
    chosen = classes.predict(X)
    assert np.all(P[np.arange(600), chosen] >= P.max(axis=1) * (1 - 1e-6))
    assert np.mean(chosen == classes.predict_topk(X, k=1)[0].ravel()) == 1


def test_beam_width_none_equals_a_beam_of_all_leaves(model, xmc_data):
    X = xmc_data[0]
    P = model.set_params(beam_width=None).predict_proba(X)
    assert P.nnz == 600 * 150
    assert (model.set_params(beam_width=model.hierarchy_.n_leaves).predict_proba(X) != P).nnz == 0


@pytest.mark.usefixtures("simd")
def test_score_candidates_equals_an_exact_search(model, xmc_data):
    X = xmc_data[0]
    everything = model.set_params(beam_width=None).predict_proba(X).toarray()
    model.set_params(beam_width=2)  # has no effect on candidates
    candidates = make_candidates(np.random.default_rng(0), 600)
    S = model.score_candidates(X, candidates)
    assert S.format == "csr"
    assert S.dtype == np.float32
    candidates.sort_indices()
    np.testing.assert_array_equal(S.indptr, candidates.indptr)
    np.testing.assert_array_equal(S.indices, candidates.indices)
    rows = np.repeat(np.arange(600), np.diff(S.indptr))
    np.testing.assert_array_equal(S.data, everything[rows, S.indices])
