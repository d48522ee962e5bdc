"""scikit-learn's functions with a sparse y give what scikit-learn gives with a dense one."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import model_selection as reference
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline

from helpers import quick
from skxmr import XRLinearClassifier, model_selection
from skxmr.metrics import precision_at_k, topk_scorer

SCORING = {"P1": topk_scorer("precision", k=1), "N5": topk_scorer("ndcg", k=5), "same": "accuracy"}
P3 = topk_scorer("precision", k=3)
TIMES = {"fit_time", "score_time"}


def classifier(**params):
    return XRLinearClassifier(max_leaf_size=20, random_state=0, **params)


@pytest.mark.parametrize(
    "cv", quick.first(1, [KFold(4, shuffle=True, random_state=0), None, 3]), ids=str
)
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array])
def test_cross_validate(cv, container, xmc_data):
    X, Y = xmc_data
    settings = {"scoring": SCORING, "cv": cv, "return_train_score": True, "return_indices": True}
    got = model_selection.cross_validate(
        classifier(), X, container(Y), return_estimator=True, **settings
    )
    want = reference.cross_validate(classifier(), X, Y.toarray(), **settings)
    assert set(got) == {*want, "estimator"}
    for name in set(want) - TIMES - {"indices"}:
        np.testing.assert_array_equal(got[name], want[name])
        assert np.ptp(got[name]) > 0
    for side in ("train", "test"):
        for rows, wanted in zip(got["indices"][side], want["indices"][side], strict=True):
            np.testing.assert_array_equal(rows, wanted)
    model, held_out = got["estimator"][0], got["indices"]["test"][0]
    assert sp.issparse(model.predict(X))
    assert SCORING["P1"](model, X[held_out], Y[held_out]) == got["test_P1"][0]


def test_cross_val_score(xmc_data):
    X, Y = xmc_data
    for scoring in (P3, None, "f1_micro"):
        got = model_selection.cross_val_score(classifier(), X, Y, scoring=scoring, cv=3)
        want = reference.cross_val_score(classifier(), X, Y.toarray(), scoring=scoring, cv=3)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shuffle", [False, True])
def test_learning_curve(shuffle, xmc_data):
    X, Y = xmc_data
    settings = {"scoring": P3, "cv": 3, "shuffle": shuffle, "random_state": 0}
    got = model_selection.learning_curve(classifier(), X, Y, return_times=True, **settings)
    want = reference.learning_curve(classifier(), X, Y.toarray(), **settings)
    assert len(got) == 5
    for array, wanted in zip(got[:3], want, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert got[4].shape == (5, 3)
    assert got[2][-1].mean() > got[2][0].mean()  # more rows, better


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_targets_that_are_not_sparse_are_scikit_learns():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=20)
    for y_any in (y, y.astype(str)):
        got = model_selection.cross_val_score(model, X, y_any)
        np.testing.assert_array_equal(got, reference.cross_val_score(model, X, y_any))
        assert got.min() > 0.8  # stratified: in order the folds would lack classes


@pytest.mark.parametrize("n_labels", [1, 2, 3])
def test_few_columns_are_still_an_indicator(n_labels, xmc_data):
    X, Y = xmc_data
    Y = Y[:, 10 : 10 + n_labels]
    scores = model_selection.cross_val_score(classifier(), X, Y, scoring=P3, cv=2)
    halves = np.arange(600) >= 300
    for score, train in zip(scores, (halves, ~halves), strict=True):
        assert P3(classifier().fit(X[train], Y[train]), X[~train], Y[~train]) == score


@pytest.mark.parametrize(
    "name", ["cross_validate", "cross_val_score", "cross_val_predict", "learning_curve"]
)
def test_signatures_are_scikit_learns(name):
    ours = inspect.signature(getattr(model_selection, name)).parameters
    theirs = inspect.signature(getattr(reference, name)).parameters
    gone = {"fit_params"}  # deprecated in 1.6
    shared = [each for each in theirs if each not in gone]
    assert [each for each in ours if each in theirs] == shared
    assert set(ours) - set(theirs) <= {"k"}
    for each in shared:
        assert ours[each].kind == theirs[each].kind
        np.testing.assert_array_equal(ours[each].default, theirs[each].default)


@pytest.mark.parametrize("routing", [False, True])
def test_arguments_of_fit_are_cut_to_the_rows(routing, xmc_data):
    X, Y = xmc_data
    rng = np.random.default_rng(0)
    relevance = Y.multiply(rng.random((1, Y.shape[1])) + 0.5).tocsr()
    params = {"sample_weight": rng.random(600) + 0.1, "relevance": relevance}
    with sklearn.config_context(enable_metadata_routing=routing):
        model = classifier()
        if routing:
            model.set_fit_request(sample_weight=True, relevance=True)
        scores = model_selection.cross_val_score(model, X, Y, scoring=P3, cv=2, params=params)
        ranking = model_selection.cross_val_predict(
            model, X, Y, cv=2, params=params, method="predict_topk", k=3
        )
        _, _, tested = model_selection.learning_curve(
            model, X, Y, scoring=P3, cv=2, params=params, train_sizes=[1.0]
        )
    np.testing.assert_array_equal(tested[0], scores)
    for score, test in zip(scores, (slice(300), slice(300, 600)), strict=True):
        train = np.setdiff1d(np.arange(600), np.arange(600)[test])
        cut = {name: value[train] for name, value in params.items()}
        expected = classifier().fit(X[train], Y[train], **cut).predict_topk(X[test], k=3)
        assert precision_at_k(Y[test], expected, k=3) == score
        np.testing.assert_array_equal(ranking[0][test], expected[0])
    plain = model_selection.cross_val_score(classifier(), X, Y, scoring=P3, cv=2)
    assert not np.array_equal(plain, scores)


def test_groups_frames_and_texts(xmc_data):
    X, Y = xmc_data
    groups = np.arange(600) % 7
    got = model_selection.cross_validate(
        classifier(), X, Y, groups=groups, cv=GroupKFold(3), scoring=P3, return_indices=True
    )
    for rows in got["indices"]["test"]:
        assert not set(groups[rows]) & set(groups[np.setdiff1d(np.arange(600), rows)])
    texts = [" ".join(f"w{j}" for j in X[[i]].indices) for i in range(600)]
    pipeline = make_pipeline(TfidfVectorizer(), classifier())
    assert model_selection.cross_val_score(pipeline, texts, Y, scoring=P3, cv=2).min() > 0.15
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X.toarray()).rename(columns=str)
    from_frame = model_selection.cross_val_score(classifier(), frame, Y, scoring=P3, cv=2)
    plain = model_selection.cross_val_score(classifier(), X, Y, scoring=P3, cv=2)
    np.testing.assert_array_equal(from_frame, plain)


class FailsWithFewRows(ClassifierMixin, BaseEstimator):
    """Cannot be fitted on less than 400 rows."""

    def fit(self, X, y):
        if X.shape[0] < 400:
            raise RuntimeError("too few rows")
        self.model_ = classifier().fit(X, y)
        return self

    def predict_topk(self, X, k=10):
        return self.model_.predict_topk(X, k)

    def predict(self, X):
        return self.model_.predict(X)


def test_failed_fits(xmc_data):
    X, Y = xmc_data
    rows = np.arange(600)
    cv = [(rows[:350], rows[350:]), (rows[:450], rows[450:])]
    with pytest.warns(FitFailedWarning, match="too few rows"):
        scores = model_selection.cross_val_score(FailsWithFewRows(), X, Y, scoring=P3, cv=cv)
    assert np.isnan(scores).tolist() == [True, False]
    with pytest.raises(RuntimeError, match="too few rows"):
        model_selection.cross_validate(
            FailsWithFewRows(), X, Y, scoring=P3, cv=cv, error_score="raise"
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cv": "five"}, "cv"),
        ({"scoring": "nothing"}, "scoring"),
        ({"error_score": "ignore"}, "error_score"),
        ({"verbose": "loud"}, "verbose"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"params": [1]}, "params"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(wrong, message, xmc_data):
    X, Y = xmc_data
    for function in ("cross_validate", "cross_val_score", "learning_curve"):
        model = FailsWithFewRows()
        settings = {"error_score": "raise", **wrong}
        with pytest.raises(ValueError, match=message):
            getattr(model_selection, function)(model, X[:100], Y[:100], **settings)
    with pytest.raises(ValueError, match=r"y.*must be"):
        model_selection.cross_validate(classifier(), X, "labels")
    with pytest.raises(ValueError, match="inconsistent"):
        model_selection.cross_validate(classifier(), X, Y[:-1])
    with pytest.raises(ValueError, match="cross_validate takes several"):
        model_selection.cross_val_score(classifier(), X, Y, scoring=SCORING)
