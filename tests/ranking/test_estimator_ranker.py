"""Custom rankers, compared with classifiers that are fitted separately for each label."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from helpers import quick
from helpers.reference import expand
from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.estimators import check_sample_weight_support
from skxmr._core.node_rows import NodeRows
from skxmr._core.node_scores import NodeScores
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import ScoreParams
from skxmr._linear import LevelProblem
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import label_propensities, topk_scorer
from skxmr.ranking import _estimator_ranker, fit_ranker


@pytest.fixture(scope="module")
def small_data(xmc_data):
    """200 rows and 40 labels; small, because each label has a classifier object."""
    X, Y = xmc_data
    Y = Y[:, np.argsort(-Y.getnnz(axis=0), kind="stable")[:40]]
    rows = np.flatnonzero(Y.getnnz(axis=1))[:200]
    return X[rows], Y[rows]


def classifier_score(model, rows):
    """Return the probability, or the margin transformed by "l3-hinge"."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(rows)[:, 1]
    return np.exp(-(np.maximum(0, 1 - model.decision_function(rows)) ** 3))


def expected_label_scores(ranker, X, Y, tree, queries):
    """Return the score of each label by a classifier fitted on the rows of its cluster."""
    Y = Y.toarray() > 0
    scores = np.zeros((queries.shape[0], Y.shape[1]))
    for label, leaf in enumerate(tree.leaf_of_label):
        rows = np.flatnonzero(Y[:, tree.leaf_of_label == leaf].any(axis=1))
        target = Y[rows, label]
        if target.any() and not target.all():
            scores[:, label] = classifier_score(clone(ranker).fit(X[rows], target), queries)
        else:
            scores[:, label] = target.any()
    return scores


RANKERS = [
    LogisticRegression(C=10.0),
    LinearSVC(random_state=0),
    BernoulliNB(),
    SGDClassifier(loss="log_loss", random_state=0),
]


@pytest.mark.parametrize(
    "ranker", quick.first(2, RANKERS), ids=lambda ranker: type(ranker).__name__
)
def test_ranker_equals_a_separate_classifier_for_each_label(ranker, small_data):
    X, Y = small_data
    queries = X[:30]
    model = XRLinearClassifier(4, 10, ranker=ranker, beam_width=3, random_state=0).fit(X, Y)
    label_scores = expected_label_scores(ranker, X, Y, model.hierarchy_, queries)
    P = model.predict_proba(queries).toarray()
    labels, scores = model.predict_topk(queries, k=5)
    for row, x in enumerate(queries.toarray()):
        beam = [(0, 0.0, 0.0)]
        for level in model._model.matcher.levels:
            beam = expand(level, x, beam, 3)
        wanted = np.zeros(Y.shape[1])
        for leaf, log_score, _ in beam:
            below = model.hierarchy_.leaf_of_label == leaf
            wanted[below] = np.exp(log_score) * label_scores[row, below]
        np.testing.assert_allclose(P[row], wanted, rtol=2e-4, atol=1e-6)
        np.testing.assert_array_equal(labels[row], np.lexsort((np.arange(40), -P[row]))[:5])
        np.testing.assert_allclose(scores[row], P[row, labels[row]], rtol=1e-6)


def test_ranker_in_one_cluster_equals_one_vs_rest_classifier(xmc_data):
    X, Y = xmc_data
    # Labels with positive and negative rows, so that each has a classifier.
    Y = Y[:, [0, 1, 2, 4, 5, 6]]
    has_labels = np.flatnonzero(Y.sum(axis=1))
    X, Y = X[has_labels], Y[has_labels]
    flat = LabelHierarchy([[0, 6]], np.arange(6))
    model = XRLinearClassifier(label_tree=flat, ranker=LogisticRegression()).fit(X, Y.toarray())
    reference = OneVsRestClassifier(LogisticRegression()).fit(X, Y.toarray())
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), rtol=1e-4)
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))
    assert model.n_iter_ == 0


@pytest.mark.parametrize(
    "ranker", quick.first(2, RANKERS), ids=lambda ranker: type(ranker).__name__
)
def test_single_rows_and_blocks_are_ranked_as_a_batch(ranker, small_data, monkeypatch):
    X, Y = small_data
    model = XRLinearClassifier(4, 10, ranker=ranker, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X[:40], k=6)
    for row in range(0, 40, 4):
        one = model.predict_topk(X[[row]], k=6)
        np.testing.assert_array_equal(one[0][0], labels[row])
        np.testing.assert_array_equal(one[1][0], scores[row])
    monkeypatch.setattr(_estimator_ranker, "BLOCK_SCORES", 300)
    threaded = model.set_params(n_jobs=2).predict_topk(X[:40], k=6)
    np.testing.assert_array_equal(threaded[0], labels)
    np.testing.assert_array_equal(threaded[1], scores)


def test_result_does_not_depend_on_n_jobs(xmc_data):
    X, Y = xmc_data
    # liblinear has one random number generator per process.
    model = XRLinearClassifier(4, 20, ranker=LinearSVC(), random_state=0)
    wanted = model.fit(X, Y).predict_topk(X[:40])
    got = clone(model).set_params(n_jobs=2).fit(X, Y).predict_topk(X[:40])
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_array_equal(got[1], wanted[1])


class FitRecorder(ClassifierMixin, BaseEstimator):
    """Record the arguments of `fit`."""

    def __init__(self, random_state=None, other_seed=None):
        self.random_state = random_state
        self.other_seed = other_seed

    def fit(self, X, y, sample_weight=None):
        self.fit_arguments_ = (X, y, sample_weight)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], 2), 0.5)


# Two clusters, of labels (4, 2) and (0,). Row 3 is negative for all labels of its cluster.
L3_HINGE = ScoreParams().make_rule((False,)).transforms[0]
OFFSETS = np.zeros(3, dtype=np.float32)
PROBLEM = LevelProblem(
    rows=NodeRows(np.array([0, 3, 5]), np.array([0, 1, 3, 0, 2], dtype=np.int32)),
    targets=NodeRows(np.array([0, 1, 1, 3]), np.array([1, 0, 2], dtype=np.int32)),
    child_indptr=np.array([0, 2, 3]),
    child_ids=np.array([4, 2, 0], dtype=np.int32),
    seed=7,
    fingerprints=np.zeros(2, dtype=np.uint64),
)
EYE = as_rows(sp.csr_array(np.eye(4, dtype=np.float32)))
TRAINING_ROWS = EYE.to_training_rows()


def test_fit_ranker_passes_rows_targets_weights_and_seed():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    ranker = fit_ranker(
        FitRecorder(), TRAINING_ROWS, PROBLEM, OFFSETS, n_jobs=None, sample_weight=weights
    )
    first, without_positives, without_negatives = ranker.models
    X, y, w = first.fit_arguments_
    np.testing.assert_array_equal(X.toarray(), np.eye(4)[[0, 1, 3]])
    np.testing.assert_array_equal(y, [0, 1, 0])
    np.testing.assert_array_equal(w, [1, 2, 4])
    assert first.random_state == 7
    assert (without_positives, without_negatives) == (False, True)
    seeded = fit_ranker(
        FitRecorder(random_state=3), TRAINING_ROWS, PROBLEM, OFFSETS, n_jobs=None
    ).models[0]
    assert seeded.random_state == 3
    assert seeded.fit_arguments_[2] is None


@pytest.mark.parametrize("linear", [LogisticRegression(C=1e3), LinearSVC(random_state=0)])
def test_fit_ranker_stores_linear_coefficients_of_cluster_features_only(linear):
    X = sp.random_array((4, 100), density=0.1, format="csr", rng=0, dtype=np.float32)
    ranker = fit_ranker(linear, as_rows(X).to_training_rows(), PROBLEM, OFFSETS, n_jobs=None)
    cluster_features = np.unique(X[[0, 1, 3]].indices)
    np.testing.assert_array_equal(np.sort(ranker.models[0].coef_.indices), cluster_features)
    clusters = NodeScores.root(4)
    _, labels, logs, _ = ranker.rank(as_rows(X), clusters, L3_HINGE)
    reference = clone(linear).fit(X[[0, 1, 3]], [0, 1, 0])
    np.testing.assert_allclose(np.exp(logs[labels == 4]), classifier_score(reference, X), rtol=1e-4)


def test_rank_scores_labels_without_a_classifier():
    ranker = fit_ranker(FitRecorder(), TRAINING_ROWS, PROBLEM, OFFSETS, n_jobs=None)
    clusters = NodeScores(
        np.array([0, 2, 2, 3, 3]),
        np.array([0, 1, 1], dtype=np.int32),
        np.log(np.float32([0.5, 0.25, 0.125])),
        np.zeros(3, dtype=np.float32),
    )
    indptr, labels, logs, _ = ranker.rank(EYE, clusters, L3_HINGE, best_first=True)
    np.testing.assert_array_equal(indptr, [0, 3, 3, 4, 4])
    # Equal scores are sorted by label. The label without positive rows is last.
    np.testing.assert_array_equal(labels, [0, 4, 2, 0])
    np.testing.assert_allclose(np.exp(logs), [0.25, 0.25, 0, 0.125], rtol=1e-6)
    indptr, labels, *_ = ranker.rank(EYE, clusters, L3_HINGE, k=2)
    np.testing.assert_array_equal(indptr, [0, 2, 2, 3, 3])
    np.testing.assert_array_equal(labels, [0, 4, 0])
    no_clusters = NodeScores(np.zeros(5, dtype=np.int64), *(part[:0] for part in clusters[1:]))
    np.testing.assert_array_equal(ranker.rank(EYE, no_clusters, L3_HINGE).indptr, np.zeros(5))


def test_sample_weight_is_rejected_if_the_ranker_does_not_support_it():
    weights = np.ones(4)
    check_sample_weight_support("ranker", LogisticRegression(), weights)
    check_sample_weight_support("ranker", KNeighborsClassifier(), None)
    check_sample_weight_support("ranker", None, weights)
    with pytest.raises(ValueError, match="sample_weight .*got ranker=KNeighborsClassifier"):
        check_sample_weight_support("ranker", KNeighborsClassifier(), weights)


@pytest.mark.slow(reason="nine fits with a classifier object per label")
def test_grid_search_over_custom_matcher_and_ranker(small_data):
    X, Y = small_data
    model = XRLinearClassifier(
        4, 10, matcher=NearestNeighborsMatcher(), ranker=BernoulliNB(), random_state=0
    )
    search = GridSearchCV(
        model,
        {"matcher__n_neighbors": [1, 20], "ranker__alpha": [0.01, 1.0]},
        scoring=topk_scorer("precision", k=1),
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    best = search.best_estimator_
    assert best._model.levels == []
    assert [len(row) for row in itertools.chain(best.predict_topk(X[:9], k=4))] == [9, 9]


def test_classifier_rejects_invalid_rankers(xmc_data):
    for invalid in (KMeans(), "svm"):
        with pytest.raises(ValueError, match="'ranker' parameter of XRLinearClassifier"):
            XRLinearClassifier(ranker=invalid).fit(*xmc_data)


@pytest.mark.parametrize("ranker", quick.first(1, [LinearSVC(random_state=0), BernoulliNB()]))
def test_custom_stages_join_scores_as_linear_models_do(ranker, small_data):
    X, Y = small_data
    model = XRLinearClassifier(
        4, 10, matcher=NearestNeighborsMatcher(), ranker=ranker, beam_width=None, random_state=0
    ).fit(X, Y)

    def scores(**params):
        model.set_params(**params)
        P = model.predict_proba(X[:40]).toarray()
        labels, values = model.predict_topk(X[:40], k=40)
        for row in range(0, 40, 13):
            one = model.predict_topk(X[[row]], k=40)
            np.testing.assert_array_equal(one[0][0], labels[row])
            np.testing.assert_array_equal(one[1][0], values[row])
        return P

    product = scores()
    sigmoid = scores(score_transform="sigmoid")
    if isinstance(ranker, BernoulliNB):
        np.testing.assert_array_equal(sigmoid, product)  # no margins to transform
    else:
        positions = {label: at for at, label in enumerate(model.hierarchy_.label_order)}
        for label in (0, 1, 2):
            classifier = model._model.ranker.models[positions[label]]
            margins = classifier.decision_function(X[:40])
            is_scored = (sigmoid[:, label] > 1e-6) & (product[:, label] > 1e-6)
            # The score of the cluster is a factor of both scores and cancels out.
            ratio = (1 / (1 + np.exp(-margins[is_scored]))) / np.exp(
                -(np.maximum(0, 1 - margins[is_scored]) ** 3)
            )
            wanted = product[is_scored, label] * ratio
            np.testing.assert_allclose(sigmoid[is_scored, label], wanted, rtol=1e-3)
    model.set_params(score_transform="l3-hinge")
    with_offsets = scores(propensity_weight=0.7)
    propensities = label_propensities(Y)
    has_rows = Y.getnnz(axis=0) > 0
    factors = (propensities[has_rows].min() / propensities) ** 0.7
    stored = (product > 1e-20) & has_rows
    np.testing.assert_allclose(
        with_offsets[stored], (product * factors)[stored], rtol=1e-3, atol=1e-30
    )


def test_classifier_with_custom_stages_rejects_unsupported_methods(small_data):
    X, Y = small_data
    model = XRLinearClassifier(4, 10, ranker=BernoulliNB(), random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="score_candidates needs linear models on all levels"):
        model.score_candidates(X, Y)
    with pytest.raises(ValueError, match="max_weights_per_label must be None .* got 5"):
        model.prune(max_weights_per_label=5)
    before = model.predict_topk(X)[1]
    assert np.any(model.prune(weight_threshold=1.0).predict_topk(X)[1] != before)
    without_linear_models = XRLinearClassifier(
        4, 10, matcher=NearestNeighborsMatcher(), ranker=BernoulliNB(), random_state=0
    ).fit(X, Y)
    with pytest.raises(ValueError, match="prune needs linear models"):
        without_linear_models.prune(weight_threshold=1.0)
