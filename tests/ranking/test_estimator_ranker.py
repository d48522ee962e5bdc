"""A ranker of the user's own against classifiers fitted by hand, label by label."""

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
from skxmr._core.score_rule import Scoring
from skxmr._linear import LevelProblem
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import label_propensities, topk_scorer
from skxmr.ranking import _estimator_ranker, fit_ranker


@pytest.fixture(scope="module")
def small_data(xmc_data):
    """200 rows and 40 labels: each label has a classifier object of its own."""
    X, Y = xmc_data
    Y = Y[:, np.argsort(-Y.getnnz(axis=0), kind="stable")[:40]]
    rows = np.flatnonzero(Y.getnnz(axis=1))[:200]
    return X[rows], Y[rows]


def own_score(model, rows):
    if hasattr(model, "predict_proba"):
        return model.predict_proba(rows)[:, 1]
    return np.exp(-(np.maximum(0, 1 - model.decision_function(rows)) ** 3))


def label_scores_by_hand(ranker, X, Y, tree, queries):
    """Score of each label by a classifier of its own, fitted on the rows of its cluster."""
    Y = Y.toarray() > 0
    scores = np.zeros((queries.shape[0], Y.shape[1]))
    for label, leaf in enumerate(tree.leaf_of_label):
        rows = np.flatnonzero(Y[:, tree.leaf_of_label == leaf].any(axis=1))
        target = Y[rows, label]
        if target.any() and not target.all():
            scores[:, label] = own_score(clone(ranker).fit(X[rows], target), queries)
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
def test_equals_a_classifier_for_each_label(ranker, small_data):
    X, Y = small_data
    queries = X[:30]
    model = XRLinearClassifier(4, 10, ranker=ranker, beam_width=3, random_state=0).fit(X, Y)
    own = label_scores_by_hand(ranker, X, Y, model.hierarchy_, queries)
    P = model.predict_proba(queries).toarray()
    labels, scores = model.predict_topk(queries, k=5)
    for row, x in enumerate(queries.toarray()):
        beam = [(0, 0.0)]
        for level in model._model.matcher.levels:
            beam = expand(level, x, beam, 3)
        wanted = np.zeros(Y.shape[1])
        for leaf, log_score in beam:
            below = model.hierarchy_.leaf_of_label == leaf
            wanted[below] = np.exp(log_score) * own[row, below]
        np.testing.assert_allclose(P[row], wanted, rtol=2e-4, atol=1e-6)
        np.testing.assert_array_equal(labels[row], np.lexsort((np.arange(40), -P[row]))[:5])
        np.testing.assert_allclose(scores[row], P[row, labels[row]], rtol=1e-6)


def test_one_cluster_equals_one_vs_rest(xmc_data):
    X, Y = xmc_data
    # Labels that some rows have and some have not, so that each has a classifier.
    Y = Y[:, [0, 1, 2, 4, 5, 6]]
    labelled = np.flatnonzero(Y.sum(axis=1))
    X, Y = X[labelled], Y[labelled]
    flat = LabelHierarchy([[0, 6]], np.arange(6))
    model = XRLinearClassifier(label_tree=flat, ranker=LogisticRegression()).fit(X, Y.toarray())
    peer = OneVsRestClassifier(LogisticRegression()).fit(X, Y.toarray())
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), rtol=1e-4)
    np.testing.assert_array_equal(model.predict(X), peer.predict(X))
    assert model.n_iter_ == 0


@pytest.mark.parametrize(
    "ranker", quick.first(2, RANKERS), ids=lambda ranker: type(ranker).__name__
)
def test_batch_rows_and_blocks_agree(ranker, small_data, monkeypatch):
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


def test_number_of_processes_makes_no_difference(xmc_data):
    X, Y = xmc_data
    # liblinear's random numbers are one stream for a process.
    model = XRLinearClassifier(4, 20, ranker=LinearSVC(), random_state=0)
    wanted = model.fit(X, Y).predict_topk(X[:40])
    got = clone(model).set_params(n_jobs=2).fit(X, Y).predict_topk(X[:40])
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_array_equal(got[1], wanted[1])


class Memory(ClassifierMixin, BaseEstimator):
    """Remembers what it was fitted on."""

    def __init__(self, random_state=None, other_seed=None):
        self.random_state = random_state
        self.other_seed = other_seed

    def fit(self, X, y, sample_weight=None):
        self.seen_ = (X, y, sample_weight)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], 2), 0.5)


# Two clusters, of labels (4, 2) and (0,); row 3 is a negative that no label of its cluster has.
L3_HINGE = Scoring().rule((False,)).transforms[0]
OFFSETS = np.zeros(3, dtype=np.float32)
PROBLEM = LevelProblem(
    rows=NodeRows(np.array([0, 3, 5]), np.array([0, 1, 3, 0, 2], dtype=np.int32)),
    targets=NodeRows(np.array([0, 1, 1, 3]), np.array([1, 0, 2], dtype=np.int32)),
    child_indptr=np.array([0, 2, 3]),
    child_ids=np.array([4, 2, 0], dtype=np.int32),
    seed=7,
)
EYE = as_rows(sp.csr_array(np.eye(4, dtype=np.float32)))


def test_what_a_label_learns_from():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    ranker = fit_ranker(Memory(), EYE, PROBLEM, OFFSETS, n_jobs=None, sample_weight=weights)
    first, none, every = ranker.models
    X, y, w = first.seen_
    np.testing.assert_array_equal(X.toarray(), np.eye(4)[[0, 1, 3]])
    np.testing.assert_array_equal(y, [0, 1, 0])
    np.testing.assert_array_equal(w, [1, 2, 4])
    assert first.random_state == 7
    assert (none, every) == (False, True)
    kept = fit_ranker(Memory(random_state=3), EYE, PROBLEM, OFFSETS, n_jobs=None).models[0]
    assert kept.random_state == 3
    assert kept.seen_[2] is None


@pytest.mark.parametrize("linear", [LogisticRegression(C=1e3), LinearSVC(random_state=0)])
def test_linear_classifiers_drop_features_that_their_cluster_has_not(linear):
    X = sp.random_array((4, 100), density=0.1, format="csr", rng=0, dtype=np.float32)
    ranker = fit_ranker(linear, as_rows(X), PROBLEM, OFFSETS, n_jobs=None)
    known = np.unique(X[[0, 1, 3]].indices)
    np.testing.assert_array_equal(np.sort(ranker.models[0].coef_.indices), known)
    clusters = NodeScores.root(4)
    _, labels, logs = ranker.rank(as_rows(X), clusters, L3_HINGE)
    whole = clone(linear).fit(X[[0, 1, 3]], [0, 1, 0])
    np.testing.assert_allclose(np.exp(logs[labels == 4]), own_score(whole, X), rtol=1e-4)


def test_labels_without_a_classifier():
    ranker = fit_ranker(Memory(), EYE, PROBLEM, OFFSETS, n_jobs=None)
    clusters = NodeScores(
        np.array([0, 2, 2, 3, 3]),
        np.array([0, 1, 1], dtype=np.int32),
        np.log(np.float32([0.5, 0.25, 0.125])),
    )
    indptr, labels, logs = ranker.rank(EYE, clusters, L3_HINGE, best_first=True)
    np.testing.assert_array_equal(indptr, [0, 3, 3, 4, 4])
    # Equal scores by rising label; positive on no row comes last.
    np.testing.assert_array_equal(labels, [0, 4, 2, 0])
    np.testing.assert_allclose(np.exp(logs), [0.25, 0.25, 0, 0.125], rtol=1e-6)
    indptr, labels, _ = ranker.rank(EYE, clusters, L3_HINGE, k=2)
    np.testing.assert_array_equal(indptr, [0, 2, 2, 3, 3])
    np.testing.assert_array_equal(labels, [0, 4, 0])
    nothing = NodeScores(np.zeros(5, dtype=np.int64), clusters.ids[:0], clusters.scores[:0])
    np.testing.assert_array_equal(ranker.rank(EYE, nothing, L3_HINGE).indptr, np.zeros(5))


def test_weights_that_cannot_be_heeded():
    weights = np.ones(4)
    check_sample_weight_support("ranker", LogisticRegression(), weights)
    check_sample_weight_support("ranker", KNeighborsClassifier(), None)
    check_sample_weight_support("ranker", None, weights)
    with pytest.raises(ValueError, match="sample_weight .*got ranker=KNeighborsClassifier"):
        check_sample_weight_support("ranker", KNeighborsClassifier(), weights)


@pytest.mark.slow(reason="nine fits with a classifier object per label")
def test_own_matcher_and_own_ranker_together(small_data):
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


def test_what_cannot_be_a_ranker(xmc_data):
    for wrong in (KMeans(), "svm"):
        with pytest.raises(ValueError, match="'ranker' parameter of XRLinearClassifier"):
            XRLinearClassifier(ranker=wrong).fit(*xmc_data)


@pytest.mark.parametrize("ranker", quick.first(1, [LinearSVC(random_state=0), BernoulliNB()]))
def test_own_stages_join_scores_as_linear_models_do(ranker, small_data):
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
        np.testing.assert_array_equal(sigmoid, product)  # has no margins
    else:
        positions = {label: at for at, label in enumerate(model.hierarchy_.label_order)}
        for label in (0, 1, 2):
            classifier = model._model.ranker.models[positions[label]]
            margins = classifier.decision_function(X[:40])
            here = (sigmoid[:, label] > 1e-6) & (product[:, label] > 1e-6)
            # The score of the cluster is a factor of both.
            ratio = (1 / (1 + np.exp(-margins[here]))) / np.exp(
                -(np.maximum(0, 1 - margins[here]) ** 3)
            )
            wanted = product[here, label] * ratio
            np.testing.assert_allclose(sigmoid[here, label], wanted, rtol=1e-3)
    model.set_params(score_transform="l3-hinge")
    lifted = scores(propensity_weight=0.7)
    propensities = label_propensities(Y)
    seen = Y.getnnz(axis=0) > 0
    factors = (propensities[seen].min() / propensities) ** 0.7
    stored = (product > 1e-20) & seen
    np.testing.assert_allclose(lifted[stored], (product * factors)[stored], rtol=1e-3, atol=1e-30)


def test_what_own_stages_cannot_do(small_data):
    X, Y = small_data
    model = XRLinearClassifier(4, 10, ranker=BernoulliNB(), random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="score_candidates needs linear models on all levels"):
        model.score_candidates(X, Y)
    with pytest.raises(ValueError, match="max_weights_per_label must be None .* got 5"):
        model.prune(max_weights_per_label=5)
    before = model.predict_topk(X)[1]
    assert np.any(model.prune(weight_threshold=1.0).predict_topk(X)[1] != before)
    neither = XRLinearClassifier(
        4, 10, matcher=NearestNeighborsMatcher(), ranker=BernoulliNB(), random_state=0
    ).fit(X, Y)
    with pytest.raises(ValueError, match="prune needs linear models"):
        neither.prune(weight_threshold=1.0)
