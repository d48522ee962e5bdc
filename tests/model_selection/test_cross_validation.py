"""Cross-validation with a sparse y: results equal those of scikit-learn with a dense y."""

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

SCORING = {
    "P1": topk_scorer("precision", k=1),
    "N5": topk_scorer("ndcg", k=5),
    "accuracy": "accuracy",
}
P3 = topk_scorer("precision", k=3)
TIMES = {"fit_time", "score_time"}


def classifier(**params):
    return XRLinearClassifier(max_leaf_size=20, random_state=0, **params)


@pytest.mark.parametrize(
    "cv", quick.first(1, [KFold(4, shuffle=True, random_state=0), None, 3]), ids=str
)
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array])
def test_cross_validate_equals_scikit_learn_with_dense_y(cv, container, xmc_data):
    X, Y = xmc_data
    settings = {"scoring": SCORING, "cv": cv, "return_train_score": True, "return_indices": True}
    result = model_selection.cross_validate(
        classifier(), X, container(Y), return_estimator=True, **settings
    )
    expected = reference.cross_validate(classifier(), X, Y.toarray(), **settings)
    assert set(result) == {*expected, "estimator"}
    for name in set(expected) - TIMES - {"indices"}:
        np.testing.assert_array_equal(result[name], expected[name])
        assert np.ptp(result[name]) > 0
    for side in ("train", "test"):
        for rows, expected_rows in zip(
            result["indices"][side], expected["indices"][side], strict=True
        ):
            np.testing.assert_array_equal(rows, expected_rows)
    model, held_out = result["estimator"][0], result["indices"]["test"][0]
    assert sp.issparse(model.predict(X))
    assert SCORING["P1"](model, X[held_out], Y[held_out]) == result["test_P1"][0]


def test_cross_val_score_equals_scikit_learn_with_dense_y(xmc_data):
    X, Y = xmc_data
    for scoring in (P3, None, "f1_micro"):
        result = model_selection.cross_val_score(classifier(), X, Y, scoring=scoring, cv=3)
        expected = reference.cross_val_score(classifier(), X, Y.toarray(), scoring=scoring, cv=3)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("shuffle", [False, True])
def test_learning_curve_equals_scikit_learn_with_dense_y(shuffle, xmc_data):
    X, Y = xmc_data
    settings = {"scoring": P3, "cv": 3, "shuffle": shuffle, "random_state": 0}
    result = model_selection.learning_curve(classifier(), X, Y, return_times=True, **settings)
    expected = reference.learning_curve(classifier(), X, Y.toarray(), **settings)
    assert len(result) == 5
    for array, expected_array in zip(result[:3], expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)
    assert result[4].shape == (5, 3)
    assert result[2][-1].mean() > result[2][0].mean()  # more rows improve the score


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_cross_val_score_of_classes_equals_scikit_learn():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=20)
    for y_any in (y, y.astype(str)):
        result = model_selection.cross_val_score(model, X, y_any)
        np.testing.assert_array_equal(result, reference.cross_val_score(model, X, y_any))
        assert result.min() > 0.8  # unstratified folds of the sorted rows would lack classes


@pytest.mark.parametrize("n_labels", [1, 2, 3])
def test_cross_val_score_treats_few_columns_as_labels(n_labels, xmc_data):
    X, Y = xmc_data
    Y = Y[:, 10 : 10 + n_labels]
    scores = model_selection.cross_val_score(classifier(), X, Y, scoring=P3, cv=2)
    is_second_half = np.arange(600) >= 300
    for score, train in zip(scores, (is_second_half, ~is_second_half), strict=True):
        assert P3(classifier().fit(X[train], Y[train]), X[~train], Y[~train]) == score


@pytest.mark.parametrize(
    "name", ["cross_validate", "cross_val_score", "cross_val_predict", "learning_curve"]
)
def test_signatures_equal_scikit_learn(name):
    ours = inspect.signature(getattr(model_selection, name)).parameters
    theirs = inspect.signature(getattr(reference, name)).parameters
    removed = {"fit_params"}  # deprecated in 1.6
    shared = [each for each in theirs if each not in removed]
    assert [each for each in ours if each in theirs] == shared
    assert set(ours) - set(theirs) <= {"k"}
    for each in shared:
        assert ours[each].kind == theirs[each].kind
        np.testing.assert_array_equal(ours[each].default, theirs[each].default)


@pytest.mark.parametrize("routing", [False, True])
def test_params_are_indexed_with_training_rows(routing, xmc_data):
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
        _, _, test_scores = model_selection.learning_curve(
            model, X, Y, scoring=P3, cv=2, params=params, train_sizes=[1.0]
        )
    np.testing.assert_array_equal(test_scores[0], scores)
    for score, test in zip(scores, (slice(300), slice(300, 600)), strict=True):
        train = np.setdiff1d(np.arange(600), np.arange(600)[test])
        fit_params = {name: value[train] for name, value in params.items()}
        expected = classifier().fit(X[train], Y[train], **fit_params).predict_topk(X[test], k=3)
        assert precision_at_k(Y[test], expected, k=3) == score
        np.testing.assert_array_equal(ranking[0][test], expected[0])
    plain = model_selection.cross_val_score(classifier(), X, Y, scoring=P3, cv=2)
    assert not np.array_equal(plain, scores)


def test_cross_validation_accepts_groups_texts_and_data_frames(xmc_data):
    X, Y = xmc_data
    groups = np.arange(600) % 7
    result = model_selection.cross_validate(
        classifier(), X, Y, groups=groups, cv=GroupKFold(3), scoring=P3, return_indices=True
    )
    for rows in result["indices"]["test"]:
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
    """Raise an error in fit if there are fewer than 400 rows."""

    def fit(self, X, y):
        if X.shape[0] < 400:
            raise RuntimeError("too few rows")
        self.model_ = classifier().fit(X, y)
        return self

    def predict_topk(self, X, k=10):
        return self.model_.predict_topk(X, k)

    def predict(self, X):
        return self.model_.predict(X)


def test_failed_fits_give_nan_or_raise(xmc_data):
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
    ("arguments", "message"),
    [
        ({"cv": "five"}, "cv"),
        ({"scoring": "nothing"}, "scoring"),
        ({"error_score": "ignore"}, "error_score"),
        ({"verbose": "loud"}, "verbose"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"params": [1]}, "params"),
    ],
)
def test_cross_validation_raises_for_invalid_arguments(arguments, message, xmc_data):
    X, Y = xmc_data
    for function in ("cross_validate", "cross_val_score", "learning_curve"):
        model = FailsWithFewRows()
        settings = {"error_score": "raise", **arguments}
        with pytest.raises(ValueError, match=message):
            getattr(model_selection, function)(model, X[:100], Y[:100], **settings)
    with pytest.raises(ValueError, match=r"y.*must be"):
        model_selection.cross_validate(classifier(), X, "labels")
    with pytest.raises(ValueError, match="inconsistent"):
        model_selection.cross_validate(classifier(), X, Y[:-1])
    with pytest.raises(ValueError, match="scoring must be one metric; got .* use cross_validate"):
        model_selection.cross_val_score(classifier(), X, Y, scoring=SCORING)
