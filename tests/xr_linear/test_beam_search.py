"""Beam search over the levels of a fitted tree, compared with a slow reference."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.reference import all_scores, beam_search
from skxmr import XRLinearClassifier
from skxmr._core.rows import as_rows

PARAMS = [
    {"branching_factor": 2, "max_leaf_size": 4},
    {"branching_factor": 4, "max_leaf_size": 10},
    {"branching_factor": 16, "max_leaf_size": 100},
    {"max_leaf_size": 1000},
]


@pytest.fixture(scope="module", params=PARAMS, ids=str)
def model(request, xmc_data):
    return XRLinearClassifier(random_state=0, **request.param).fit(*xmc_data)


def assert_same_ranking(got_labels, got_scores, expected, rtol=2e-5):
    """Compare rankings; labels may differ where rounding makes scores equal."""
    expected_scores = np.exp([score for _, score in expected])
    is_label = got_labels >= 0
    np.testing.assert_allclose(got_scores[is_label], expected_scores, rtol=rtol, atol=1e-30)
    scores = dict(expected)
    for label, score in zip(got_labels[is_label], got_scores[is_label], strict=True):
        if label in scores:
            np.testing.assert_allclose(np.exp(scores[label]), score, rtol=rtol, atol=1e-30)
        else:
            np.testing.assert_allclose(expected_scores[-1], score, rtol=rtol, atol=1e-30)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [1, 3, 10, 1000])
def test_beam_search_equals_the_reference(model, xmc_data, beam_width):
    X = xmc_data[0][:25]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=7)
    assert labels.shape == scores.shape == (25, 7)
    for row, x in enumerate(X.toarray()):
        expected = beam_search(model, x, beam_width, keep=7)
        assert np.count_nonzero(labels[row] >= 0) == len(expected)
        assert_same_ranking(labels[row], scores[row], expected)


def test_beam_search_with_all_clusters_equals_scoring_all_labels(model, xmc_data):
    X = xmc_data[0][:10]
    model.set_params(beam_width=model.hierarchy_.n_leaves)
    P = model.predict_proba(X)
    assert P.nnz == 10 * 150
    for row, x in enumerate(X.toarray()):
        expected = all_scores(model, x)
        np.testing.assert_allclose(
            P[[row]].toarray().ravel(),
            np.exp([expected[label] for label in range(150)]),
            rtol=2e-5,
            atol=1e-30,
        )


def test_beam_search_never_exceeds_the_exact_maximum(model, xmc_data):
    # Two beams cannot be compared: a wider beam can drop a cluster that a narrower one keeps.
    X = xmc_data[0]
    exact = model.set_params(beam_width=1000).predict_topk(X, k=1)[1]
    for width in (1, 2, 5):
        assert np.all(model.set_params(beam_width=width).predict_topk(X, k=1)[1] <= exact)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [1, 10])
def test_predict_topk_of_a_batch_equals_single_rows_exactly(model, xmc_data, beam_width):
    X = xmc_data[0]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=9)
    for row in range(0, 600, 31):
        for one in (X[[row]], X[[row]].toarray(), X[[row]].astype(np.float64)):
            one_labels, one_scores = model.predict_topk(one, k=9)
            np.testing.assert_array_equal(one_labels, labels[[row]])
            np.testing.assert_array_equal(one_scores, scores[[row]])
    order = np.random.default_rng(0).permutation(600)
    np.testing.assert_array_equal(model.predict_topk(X[order], k=9)[0], labels[order])


def test_predictions_do_not_depend_on_the_block_size(model, xmc_data, monkeypatch):
    X = xmc_data[0]
    model.set_params(beam_width=5)
    expected = model.predict_topk(X), model.predict_proba(X)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_ROWS", 37)
    got = model.predict_topk(X), model.predict_proba(X)
    np.testing.assert_array_equal(got[0], expected[0])
    assert (got[1] != expected[1]).nnz == 0


def test_predict_topk_exact_search_uses_small_blocks(xmc_data, monkeypatch):
    X = xmc_data[0]
    fitted = XRLinearClassifier(4, 10, beam_width=None, random_state=0).fit(*xmc_data)
    expected = fitted.predict_topk(X, k=2)
    sizes = []
    rank = fitted._model.rank

    def record_size(X, *args):
        sizes.append(X.n_rows)
        return rank(X, *args)

    monkeypatch.setattr(fitted._model, "rank", record_size)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_SCORES", 500)
    got = fitted.predict_topk(X, k=2)
    # Each row of an exact search has a score per leaf cluster, although k is only 2.
    assert max(sizes) * fitted.hierarchy_.n_leaves <= 500
    np.testing.assert_array_equal(got[0], expected[0])


def test_predict_topk_pads_rows_with_few_labels_in_the_beam(xmc_data):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, beam_width=1, random_state=0).fit(*xmc_data)
    labels, scores = model.predict_topk(X, k=150)
    assert labels.shape == scores.shape == (600, 150)
    n_scored = np.diff(model.predict_proba(X).indptr)
    np.testing.assert_array_equal((labels >= 0).sum(axis=1), n_scored)
    np.testing.assert_array_equal(labels < 0, scores == -np.inf)
    one = model.predict_topk(X[[0]], k=150)
    np.testing.assert_array_equal(one[0], labels[[0]])
    np.testing.assert_array_equal(one[1], scores[[0]])


@pytest.mark.parametrize("k", [151, 2**31, 2**100, np.int64(2**40)])
def test_predict_topk_limits_k_to_the_number_of_labels(xmc_data, k):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    for rows in (X, X[:1], X[:1].toarray()):
        expected = model.predict_topk(rows, k=150)
        assert expected[0].shape == (rows.shape[0], 150)
        for got, want in zip(model.predict_topk(rows, k=k), expected, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.filterwarnings("ignore:The rows of X are")
@pytest.mark.parametrize(
    ("n_trees", "transform"), [(1, "l3-hinge"), (2, "l3-hinge"), (2, "identity")]
)
def test_equal_scores_are_ranked_by_the_sum_of_the_margins(n_trees, transform, xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, n_trees=n_trees, beam_width=None, random_state=0).fit(X, Y)
    model.set_params(score_transform=transform)
    long_rows = 20 * X[:100]  # most margins are greater than 1, or even 20
    labels, scores = model.predict_topk(long_rows, k=20)
    trees = [model._model] if n_trees == 1 else model._model.models
    sums = 0.0
    for tree in trees:
        ranking = tree.rank(as_rows(long_rows), None, model._score_params(), 100)
        margins = sp.csr_array((ranking.margins, ranking.ids, ranking.indptr), shape=(100, 150))
        sums = sums + margins.toarray()
    margins = np.take_along_axis(sums, labels, axis=1)
    # Smaller scores are shown as the smallest float32.
    equal = (scores[:, 1:] == scores[:, :-1]) & (scores[:, 1:] > 1e-30)
    assert equal.sum() > 100
    assert np.all(margins[:, 1:][equal] <= margins[:, :-1][equal])
    for row in range(20):
        one = model.predict_topk(long_rows[[row]], k=20)
        np.testing.assert_array_equal(one[0], labels[[row]])
        np.testing.assert_array_equal(one[1], scores[[row]])


def test_labels_with_equal_scores_and_margins_are_ranked_by_number(xmc_data):
    X, Y = xmc_data
    Y = sp.csr_matrix(sp.hstack([Y, Y[:, :30]]))  # each of 30 labels twice, with equal models
    model = XRLinearClassifier(max_leaf_size=200, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X, k=20)
    equal = scores[:, 1:] == scores[:, :-1]
    assert equal.sum() > 100
    assert np.all(labels[:, 1:][equal] > labels[:, :-1][equal])


def test_beam_width_can_be_changed_after_fit(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(2, 5, beam_width=1, random_state=0).fit(X, Y)
    narrow = model.predict_proba(X).nnz
    wide = model.set_params(beam_width=30).predict_proba(X).nnz
    assert wide > 5 * narrow
    fresh = XRLinearClassifier(2, 5, beam_width=30, random_state=0).fit(X, Y)
    assert (fresh.predict_proba(X) != model.predict_proba(X)).nnz == 0
