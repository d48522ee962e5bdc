"""Custom matchers, compared with the probabilities that their classifiers return."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from helpers import quick
from helpers.reference import beam_search, expand
from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.row_search import SparseRow
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import ScoreParams
from skxmr.matching import (
    NearestCentroidMatcher,
    NearestNeighborsMatcher,
    _estimator_matcher,
    fit_matcher,
)
from skxmr.metrics import topk_scorer


class FixedProbabilities(ClassifierMixin, BaseEstimator):
    """Return given probabilities; the first feature of a query is the number of their row.

    Parameters
    ----------
    container : {"sparse", "dense", "list"}
        Type of the result of `predict_proba`.
    proba : ndarray
        Probabilities.
    """

    def __init__(self, container="sparse", proba=None):
        self.container = container
        self.proba = proba

    def fit(self, X, M):
        self.target_ = M
        self.classes_ = np.arange(M.shape[1] if M.ndim == 2 else 2)
        return self

    def predict_proba(self, X):
        P = self.proba[np.asarray(X[:, [0]].todense()).ravel().astype(int)]
        if self.container == "sparse":
            return sp.csr_matrix(P)
        if self.container == "list":
            return [np.column_stack([1 - p, p]) for p in P.T]
        return P


PROBA = np.array(
    [
        [0.5, 0.25, 0.5, 0.5],
        [0.0, 0.0, 1.0, 0.0],
        [1e-60, 0.0, 0.0, 1e-30],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
# Positive rows of the clusters. Each has positive and negative rows; cluster 3 is most frequent.
TARGETS = sp.csc_array([[1, 0, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=np.int8)
TRANSFORMS = ScoreParams().make_rule((True, False)).transforms[:1]
ROWS = as_rows(sp.csr_array(np.array([[0.0], [1.0], [2.0], [3.0]])))


def as_pairs(beam):
    """Return a list of (cluster, probability) for each row."""
    indptr, ids, logs, _ = beam
    return [
        list(zip(ids[a:b].tolist(), np.exp(logs[a:b], dtype=float).tolist(), strict=True))
        for a, b in itertools.pairwise(indptr)
    ]


@pytest.mark.parametrize("container", ["sparse", "dense", "list"])
def test_match_keeps_the_most_probable_clusters(container, monkeypatch):
    monkeypatch.setattr(_estimator_matcher, "BLOCK_SCORES", 8)
    matcher = fit_matcher(FixedProbabilities(container, PROBA), ROWS, TARGETS, seed=0)
    beam = matcher.match(ROWS, 2, TRANSFORMS)
    got = as_pairs(beam)
    # If clusters are equally probable, those with the lower number are kept.
    assert got[0] == [(0, pytest.approx(0.5)), (2, pytest.approx(0.5))]
    assert got[1] == [(2, 1.0)]
    # A probability below the smallest normal float32 is 0.
    assert got[2] == [(3, pytest.approx(1e-30, rel=1e-4))]
    # A row without clusters gets the most frequent ones.
    assert got[3] == [(3, pytest.approx(0.75)), (0, pytest.approx(0.5))]
    assert [len(row) for row in as_pairs(matcher.match(ROWS, 100, TRANSFORMS))] == [4, 1, 1, 4]
    for row in range(4):
        x = sp.csr_array([[float(row)]], dtype=np.float32)
        one = matcher.match_row(SparseRow(x.indices, x.data), 2, TRANSFORMS)
        expected = beam.block(row, row + 1)
        np.testing.assert_array_equal(one.ids, expected.ids)
        np.testing.assert_array_equal(one.scores, expected.scores)


@pytest.mark.parametrize(("container", "max_rows"), [("sparse", 4), ("dense", 2), ("list", 2)])
def test_match_limits_the_rows_per_call_if_probabilities_are_dense(
    container, max_rows, monkeypatch
):
    monkeypatch.setattr(_estimator_matcher, "BLOCK_SCORES", 8)
    matcher = fit_matcher(FixedProbabilities(container, PROBA), ROWS, TARGETS, seed=0)
    sizes = []
    predict_proba = matcher.estimator.predict_proba
    matcher.estimator.predict_proba = lambda X: sizes.append(X.shape[0]) or predict_proba(X)
    matcher.match(ROWS, 2, TRANSFORMS)
    assert sizes == [max_rows] * (4 // max_rows)


def test_fit_matcher_leaves_out_clusters_with_constant_targets():
    M = sp.csc_array([[1, 0, 1, 1], [1, 0, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0]], dtype=np.int8)
    matcher = fit_matcher(FixedProbabilities("dense", PROBA[:, [0, 2]]), ROWS, M, seed=0)
    np.testing.assert_array_equal(matcher.estimator.target_, M.toarray()[:, 2:])
    got = as_pairs(matcher.match(ROWS, 10, TRANSFORMS))
    assert got[0] == [(0, 1.0), (2, pytest.approx(0.5)), (3, pytest.approx(0.5))]
    assert got[3] == [(0, 1.0)]
    # If one cluster remains, the target is binary. If none remains, there is no estimator.
    binary = fit_matcher(
        FixedProbabilities("dense", np.eye(2)[[0, 1, 1, 0]]), ROWS, M[:, [0, 3]], seed=0
    )
    assert binary.estimator.target_.ndim == 1
    assert [len(row) for row in as_pairs(binary.match(ROWS, 10, TRANSFORMS))] == [1, 2, 2, 1]
    constant = fit_matcher(FixedProbabilities(), ROWS, M[:, :2], seed=0)
    assert as_pairs(constant.match(ROWS, 10, TRANSFORMS))[2] == [(0, 1.0)]


def test_fit_matcher_passes_large_targets_as_sparse_matrix(monkeypatch):
    small = fit_matcher(FixedProbabilities(proba=PROBA), ROWS, TARGETS, seed=0).estimator.target_
    np.testing.assert_array_equal(small, TARGETS.toarray())
    assert small.dtype == np.int8
    monkeypatch.setattr(_estimator_matcher, "MAX_DENSE_TARGETS", 15)
    large = fit_matcher(FixedProbabilities(proba=PROBA), ROWS, TARGETS, seed=0).estimator.target_
    assert large.format == "csr"
    np.testing.assert_array_equal(large.toarray(), TARGETS.toarray())
    with pytest.raises(ValueError, match="sparse multilabel-indicator") as error:
        fit_matcher(RandomForestClassifier(), ROWS, TARGETS, seed=0)
    assert "is too large for a dense array" in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("container", "proba", "match"),
    [
        ("dense", PROBA[:, :3], r"shape \(1, 4\), one column per cluster; got \(1, 3\)"),
        ("dense", 2 * np.ones((4, 4)), "between 0 and 1; got 2"),
        ("sparse", -PROBA, "between 0 and 1; got -0.5"),
        ("dense", PROBA * np.nan, "between 0 and 1; got nan"),
    ],
)
def test_fit_matcher_rejects_invalid_probabilities(container, proba, match):
    with pytest.raises(ValueError, match=match):
        fit_matcher(FixedProbabilities(container, proba), ROWS, TARGETS, seed=0)


def test_fit_matcher_passes_sample_weights(xmc_data):
    X, Y = xmc_data
    M = sp.csc_array(Y[:, :3])
    weights = np.random.default_rng(0).integers(0, 3, X.shape[0]).astype(float)
    forest = RandomForestClassifier(5, random_state=0)
    got = fit_matcher(forest, as_rows(X), M, seed=0, sample_weight=weights).estimator
    wanted = clone(forest).fit(X, M.toarray(), sample_weight=weights)
    np.testing.assert_array_equal(got.predict_proba(X), wanted.predict_proba(X))


MATCHERS = [
    NearestNeighborsMatcher(5),
    KNeighborsClassifier(3),
    RandomForestClassifier(5, random_state=0),
    NearestCentroidMatcher(),
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
    make_pipeline(
        FunctionTransformer(sp.csr_matrix.toarray, accept_sparse=True),
        RandomForestClassifier(5, random_state=0),
    ),
]


def cluster_probabilities(matcher, X, Y, hierarchy, level, queries):
    """Return the probability of each node of a level, computed with the estimator alone."""
    M = (hierarchy.node_targets(sp.csr_array(Y))[level].toarray() > 0).astype(int)
    model = clone(matcher).fit(X, M)
    P = model.predict_proba(queries)
    if isinstance(P, list):
        P = np.column_stack([p[:, 1] for p in P])
    return P


@pytest.mark.parametrize("level", [1, 2, -1])
@pytest.mark.parametrize("matcher", quick.first(3, MATCHERS), ids=lambda m: type(m).__name__)
def test_linear_levels_continue_the_search_of_the_matcher(matcher, level, xmc_data):
    X, Y = xmc_data
    X, Y, queries = X[:400], Y[:400], X[400:415]
    tree = XRLinearClassifier(3, 12, random_state=0).fit(X, Y).hierarchy_
    assert tree.n_levels == 4
    model = XRLinearClassifier(
        label_tree=tree, matcher=matcher, matcher_level=level, beam_width=3, random_state=0
    ).fit(X, Y)
    labels, scores = model.predict_topk(queries, k=150)
    at = level - 1 if level > 0 else tree.n_levels - 1 + level
    P = cluster_probabilities(matcher, X, Y, tree, at, queries)
    assert len(model._model.matcher.levels) == 2 - at
    for row, x in enumerate(queries.toarray()):
        order = np.lexsort((np.arange(P.shape[1]), -P[row]))[:3]
        beam = [(int(c), float(np.log(P[row, c])), 0.0) for c in sorted(order) if P[row, c] > 1e-37]
        assert beam
        for linear in model._model.matcher.levels:
            beam = expand(linear, x, beam, 3)
        wanted = {label: score for label, score, _ in expand(model._model.ranker.level, x, beam, 0)}
        is_label = labels[row] >= 0
        assert set(labels[row, is_label]) == set(wanted)
        np.testing.assert_allclose(
            scores[row, is_label],
            [np.exp(wanted[label]) for label in labels[row, is_label]],
            rtol=1e-4,
            atol=1e-30,
        )
        one_row = model.predict_topk(queries[[row]], k=150)
        np.testing.assert_array_equal(one_row[0][0], labels[row])
        np.testing.assert_allclose(one_row[1][0], scores[row], rtol=1e-5)
    # The levels below have the same weights as without a matcher.
    plain = XRLinearClassifier(label_tree=tree, random_state=0).fit(X, Y)
    x = queries.toarray()[0]
    assert beam_search(plain, x, 10**9, 1)
    for got, wanted in zip(model._model.levels[::-1], plain._model.levels[::-1], strict=False):
        for name, values in got.arrays.items():
            np.testing.assert_array_equal(values, wanted.arrays[name])


@pytest.mark.parametrize("target_format", ["sparse", "dense", "classes"])
def test_classifier_with_matcher_predicts_in_all_formats(target_format, xmc_data):
    X, Y = xmc_data
    y = {"sparse": Y, "dense": Y.toarray(), "classes": np.arange(600) % 40}[target_format]
    model = XRLinearClassifier(
        3, 5, matcher=RandomForestClassifier(5), random_state=0, beam_width=2
    ).fit(X, y)
    empty_row = sp.csr_matrix((1, X.shape[1]), dtype=np.float32)
    queries = sp.vstack([X, empty_row], format="csr")
    labels, scores = model.predict_topk(queries, k=3)
    P = model.predict_proba(queries)
    values = P.toarray() if target_format == "sparse" else P
    if target_format == "classes":
        np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(model.predict(queries), labels[:, 0])
    else:
        # Every row has a cluster, which may have fewer than k labels.
        is_label = labels >= 0
        assert is_label[:, 0].all()
        wanted = np.take_along_axis(values, np.maximum(labels, 0), 1)
        np.testing.assert_allclose(scores[is_label], wanted[is_label], rtol=1e-6)
        assert np.all(P.data > 0) if target_format == "sparse" else np.all((P > 0) & (P < 1))
    assert model.predict(queries).shape == (601, *np.shape(y)[1:])
    # The same seed gives the same forest for any number of threads.
    again = clone(model).set_params(n_jobs=2).fit(X, y).predict_topk(queries, k=3)
    np.testing.assert_array_equal(again[0], labels)
    np.testing.assert_array_equal(again[1], scores)


def test_nearest_centroid_matcher_finds_labels_that_are_single_clusters(xmc_data):
    X, Y = xmc_data
    matcher = NearestCentroidMatcher(20)
    model = XRLinearClassifier(2, 1, matcher=matcher, beam_width=20, random_state=0).fit(X, Y)
    assert model.hierarchy_.n_leaves == 150
    labels, _ = model.predict_topk(X[:50], k=150)
    P = matcher.fit(X, Y).predict_proba(X[:50]).toarray()
    for row in range(50):
        assert set(labels[row, labels[row] >= 0]) == set(np.flatnonzero(P[row]))


def test_grid_search_sets_parameters_of_the_matcher(xmc_data):
    model = XRLinearClassifier(3, 10, matcher=NearestNeighborsMatcher(), random_state=0)
    search = GridSearchCV(
        model,
        {"matcher__n_neighbors": [1, 20], "matcher_level": [1, -1]},
        scoring=topk_scorer("precision", k=3),
        cv=2,
        error_score="raise",
    ).fit(*xmc_data)
    scores = search.cv_results_["mean_test_score"]
    many_neighbors = search.cv_results_["param_matcher__n_neighbors"] == 20
    # One neighbor has few clusters.
    assert scores[many_neighbors].mean() > scores[~many_neighbors].mean()
    assert search.best_estimator_.matcher.n_neighbors == 20


def test_classifier_rejects_invalid_matchers_and_levels(xmc_data):
    for invalid in (LinearSVC(), OneVsRestClassifier(LinearSVC()), "knn"):
        with pytest.raises(ValueError, match="'matcher' parameter of XRLinearClassifier"):
            XRLinearClassifier(matcher=invalid).fit(*xmc_data)
    knn = NearestNeighborsMatcher()
    for level in (0, 4, -4):
        with pytest.raises(ValueError, match=f"from 1 to 3, .* got {level}"):
            XRLinearClassifier(2, 20, matcher=knn, matcher_level=level).fit(*xmc_data)
    with pytest.raises(ValueError, match="matcher_level must be -1 .* got 1"):
        XRLinearClassifier(2, 20, matcher_level=1).fit(*xmc_data)
    flat = LabelHierarchy([[0, 150]], np.arange(150))
    with pytest.raises(ValueError, match="all labels are in one cluster"):
        XRLinearClassifier(label_tree=flat, matcher=knn).fit(*xmc_data)


def test_matcher_is_ignored_if_there_is_one_label(xmc_data):
    y = np.zeros(600, dtype=int)
    model = XRLinearClassifier(matcher=NearestNeighborsMatcher()).fit(xmc_data[0], y)
    np.testing.assert_array_equal(model.predict(xmc_data[0]), y)


def test_ensemble_with_matcher_ranks_single_rows_as_a_batch(xmc_data):
    X, Y = xmc_data
    X = X.astype(np.float32)
    matcher = NearestNeighborsMatcher()
    model = XRLinearClassifier(4, 20, matcher=matcher, n_trees=2, random_state=0)
    batch = model.fit(X, Y).predict_topk(X[:5], k=7)
    for row in range(5):
        for one, all_rows in zip(model.predict_topk(X[row], k=7), batch, strict=True):
            np.testing.assert_array_equal(one[0], all_rows[row])
