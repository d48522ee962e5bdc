"""`topk_scorer` works in scikit-learn's model selection."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.metrics import check_scoring, top_k_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from helpers.reference_metrics import ALL_METRICS, PROPENSITY_METRICS
from skxmr import XRLinearClassifier
from skxmr.metrics import (
    label_propensities,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    topk_scorer,
)


class Stub(ClassifierMixin, BaseEstimator):
    """Classifier whose scores are the features multiplied by `sign`."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y):
        assert X.shape[0] == y.shape[0]
        self.classes_ = np.arange(y.shape[1])
        return self

    def _scores(self, X):
        return self.sign * (X.toarray() if sp.issparse(X) else X)


class TopkStub(Stub):
    """Stub with `predict_topk`; its `predict_proba` must not be called."""

    def predict_topk(self, X, k=10):
        scores = self._scores(X)
        indices = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return indices, np.take_along_axis(scores, indices, axis=1)

    def predict_proba(self, X):
        raise AssertionError("predict_topk should have been called")


class ProbaStub(Stub):
    def predict_proba(self, X):
        return sp.csr_array(1 / (1 + np.exp(-self._scores(X))))

    def decision_function(self, X):
        raise AssertionError("predict_proba should have been called")


class DecisionStub(Stub):
    def decision_function(self, X):
        return self._scores(X)


STUBS = [TopkStub, ProbaStub, DecisionStub]


@pytest.fixture(scope="module")
def data():
    """Return sparse X and y; used as scores, X ranks two thirds of the rows correctly."""
    rng = np.random.default_rng(0)
    y = sp.csr_array((rng.random((60, 6)) < 0.25).astype(np.int8))
    noise = rng.normal(scale=0.6, size=(60, 6))
    return sp.csr_array(y + noise), y


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("metric", [*ALL_METRICS])
def test_topk_scorer_equals_metric(data, stub, metric):
    X, y = data
    kwargs = {"propensities": label_propensities(y)} if metric in PROPENSITY_METRICS else {}
    expected = ALL_METRICS[metric](y, X.toarray(), 3, **kwargs)
    scorer = topk_scorer(metric, 3, **kwargs)
    assert scorer(stub().fit(X, y), X, y) == pytest.approx(expected, rel=1e-12)
    assert scorer(stub().fit(X, y), X, y.toarray()) == pytest.approx(expected, rel=1e-12)
    assert scorer(stub(sign=-1).fit(X, y), X, y) < expected


@pytest.mark.parametrize("stub", STUBS)
def test_topk_scorer_selects_best_parameter_for_sparse_targets(data, stub):
    X, y = data
    scorer = topk_scorer("precision", k=2)
    search = GridSearchCV(stub(), {"sign": [-1, 1]}, scoring=scorer, cv=3, error_score="raise")
    search.fit(X, y)
    assert search.best_params_ == {"sign": 1}
    expected = precision_at_k(y, X.toarray(), 2)
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(expected, rel=1e-12)
    # A fitted search without predict_topk is scored through its best estimator.
    assert scorer(search, X, y) == search.score(X, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("stub", STUBS)
def test_topk_scorer_applies_all_steps_of_pipeline(data, stub):
    X, y = data
    flip = FunctionTransformer(np.negative, accept_sparse=True)
    inner = make_pipeline(flip, "passthrough", stub())
    steps = [("flip", flip), ("none", None), ("inner", inner)]
    grid = {f"inner__{stub.__name__.lower()}__sign": [-1, 1]}
    for estimator, names in ((Pipeline(steps), grid), (inner, {k[7:]: v for k, v in grid.items()})):
        search = GridSearchCV(
            estimator, names, scoring=topk_scorer("ndcg", k=2), cv=2, error_score="raise"
        ).fit(X, y)
        # The nested pipeline flips the sign twice, the inner one once.
        assert list(search.best_params_.values()) == [1 if estimator.steps == steps else -1]
        expected = ndcg_at_k(y, X.toarray(), 2)
        assert topk_scorer("ndcg", k=2)(search, X, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("routing", [False, True])
def test_topk_scorers_work_in_a_dict_of_metrics(data, routing):
    X, y = data
    scoring = {f"P@{k}": topk_scorer("precision", k) for k in (1, 3)}
    scoring["PSP@3"] = topk_scorer("psprecision", 3, propensities=label_propensities(y))
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            TopkStub(), {"sign": [1, -1]}, scoring=scoring, refit="P@3", cv=2, error_score="raise"
        ).fit(X, y)
        scores = cross_validate(TopkStub(), X, y.toarray(), scoring=scoring, cv=2)
    assert search.best_params_ == {"sign": 1}
    for name in scoring:
        assert np.array_equal(
            scores[f"test_{name}"],
            [search.cv_results_[f"split{i}_test_{name}"][0] for i in range(2)],
        )
    assert not np.array_equal(scores["test_P@1"], scores["test_P@3"])


def test_topk_scorer_can_be_checked_pickled_cloned_and_printed(data):
    X, y = data
    scorer = topk_scorer("psndcg", k=3, propensities=np.full(6, 0.5))
    assert repr(scorer) == "topk_scorer('psndcg', k=3, propensities=<6 values>)"
    assert repr(topk_scorer()) == "topk_scorer('precision', k=1)"
    assert check_scoring(TopkStub(), scoring=scorer) is scorer
    assert clone(GridSearchCV(TopkStub(), {}, scoring=scorer)).scoring is scorer
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == repr(scorer)
    assert again(TopkStub(), X, y) == scorer(TopkStub(), X, y) > 0


def test_topk_scorer_copies_propensities(data):
    X, y = data
    propensities = label_propensities(y)
    scorer = topk_scorer("psprecision", k=2, propensities=propensities)
    before = scorer(TopkStub(), X, y)
    propensities[:] = np.linspace(0.01, 1, 6)
    assert scorer(TopkStub(), X, y) == before


def test_topk_scorer_treats_one_or_two_sparse_columns_as_labels(data):
    X, y = data
    for n_labels in (1, 2):
        few = (X[:, :n_labels], y[:, :n_labels])
        expected = recall_at_k(few[1], few[0].toarray(), 1)
        assert topk_scorer("recall")(DecisionStub().fit(*few), *few) == expected > 0


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(), GaussianNB()])
def test_topk_scorer_accepts_one_dimensional_classes(estimator):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    expected = cross_val_score(estimator, X, names, cv=3)
    value = cross_val_score(estimator, X, names, scoring=topk_scorer(), cv=3, error_score="raise")
    # Both resolve ties of neighbors in favor of the lower class.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    proba = estimator.fit(X[::2], y[::2]).predict_proba(X)
    if isinstance(estimator, GaussianNB):  # no ties
        expected = top_k_accuracy_score(y, proba, k=2)
        assert topk_scorer("recall", 2)(estimator, X, y) == pytest.approx(expected, rel=1e-12)


def test_topk_scorer_accepts_decision_function_of_two_classes():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:, :2], y[50:]

    model = LinearSVC().fit(X, y)
    assert model.decision_function(X).ndim == 1
    assert topk_scorer()(model, X, y) == pytest.approx(model.score(X, y), rel=1e-12)
    assert 0.6 < model.score(X, y) < 1


def test_topk_scorer_accepts_multilabel_estimator_of_scikit_learn(data):
    X, y = data
    model = OneVsRestClassifier(GaussianNB()).fit(X.toarray(), y.toarray())
    expected = precision_at_k(y, model.predict_proba(X.toarray()), 2)
    assert topk_scorer(k=2)(model, X.toarray(), y) == expected > 0.3


def test_topk_scorer_raises_for_invalid_arguments():
    for kwargs, error, message in [
        ({"metric": "map"}, ValueError, r"metric must be one of \['precision'.*\]; got 'map'"),
        ({"k": 0}, ValueError, "k must be a positive integer; got 0"),
        ({"k": "1"}, TypeError, "k must be a positive integer; got '1'"),
        (
            {"metric": "psndcg"},
            ValueError,
            "got metric 'psndcg' without propensities",
        ),
        (
            {"propensities": [1.0]},
            ValueError,
            "got metric 'precision' with propensities",
        ),
        ({"metric": "psndcg", "propensities": [2.0]}, ValueError, r"in \(0, 1\]; got 2.0"),
    ]:
        with pytest.raises(error, match=message):
            topk_scorer(**kwargs)


def test_topk_scorer_call_raises_for_invalid_estimator_or_y(data):
    X, y = data
    with pytest.raises(TypeError, match="estimator must have predict_topk, .*; got Stub"):
        topk_scorer()(Stub().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"y must contain classes of .*; got only unknown .*9"):
        topk_scorer()(DecisionStub().fit(X, y), X, np.full(60, 9))
    with pytest.raises(ValueError, match=r"y must be .*; got shape \(60,\) for DecisionStub"):
        topk_scorer()(DecisionStub(), X, np.zeros(60))
    model = KNeighborsClassifier().fit(X, y.toarray())
    with pytest.raises(TypeError, match="predict_proba of .* must return one array; got a list"):
        topk_scorer()(model, X, y)


def test_topk_scorer_counts_unknown_classes_as_misses():
    X = np.repeat(np.eye(3), 4, axis=0)
    model = GaussianNB().fit(X[:8], ["a"] * 4 + ["b"] * 4)
    y = np.array(["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    for metric, expected in (("precision", 2 / 3), ("recall", 2 / 3), ("ndcg", 2 / 3)):
        assert topk_scorer(metric, k=1)(model, X, y) == pytest.approx(expected)


def test_topk_scorer_raises_if_y_has_another_number_of_columns_than_classes(data):
    X, y = data
    model = XRLinearClassifier(random_state=0).fit(X, y)
    scorer = topk_scorer("precision", k=1)
    for other in (y[:, :-1], sp.hstack([y, y[:, :2]], format="csr")):
        for labels in (other, other.toarray()):
            with pytest.raises(ValueError, match=rf"y must have {y.shape[1]} columns.*got"):
                scorer(model, X, labels)
    assert scorer(model, X, y) > 0


def test_topk_scorer_refuses_classes_of_another_kind(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(max_leaf_size=200, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"y must be an indicator of shape \(n_samples, 150\)"):
        topk_scorer("precision", k=1)(model, X, np.arange(600) % 150)
    y = np.arange(600) % 3
    names = np.array(["a", "b", "c"])[y]
    numbers = XRLinearClassifier(random_state=0).fit(X, y)
    strings = XRLinearClassifier(random_state=0).fit(X, names)
    for other in (names, names.astype(object)):
        with pytest.raises(ValueError, match="only unknown ones such as 'a'"):
            topk_scorer("precision", k=1)(numbers, X, other)
        with pytest.raises(ValueError, match="only unknown ones such as 0"):
            topk_scorer("precision", k=1)(strings, X, y)


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("metric", ALL_METRICS)
def test_topk_scorer_passes_weights_and_ignored_pairs_to_metric(data, stub, metric):
    X, y = data
    rng = np.random.default_rng(1)
    kwargs = {"propensities": label_propensities(y)} if metric in PROPENSITY_METRICS else {}
    given = {"ignore": sp.csr_array(rng.random(y.shape) < 0.1), "sample_weight": rng.random(60)}
    # TopkStub must return more than three labels of rows with ignored labels.
    expected = ALL_METRICS[metric](y, X.toarray(), 3, **given, **kwargs)
    if metric != "coverage":  # it is 1 in both cases
        assert expected != ALL_METRICS[metric](y, X.toarray(), 3, **kwargs)
    value = topk_scorer(metric, 3, **kwargs)(stub().fit(X, y), X, y, **given)
    assert value == pytest.approx(expected, rel=1e-12)


def test_topk_scorer_accepts_ignored_labels_by_name():
    rng = np.random.default_rng(0)
    Y = rng.random((60, 4)) < 0.4
    X = Y + rng.normal(scale=0.5, size=Y.shape)
    classes = np.array(["a", "b", "c", "d"], dtype=object)
    names = [classes[row].tolist() for row in Y]
    model = XRLinearClassifier(random_state=0).fit(X, names)
    ignored = rng.random(Y.shape) < 0.2
    ignored_names = [classes[row].tolist() for row in ignored]
    scorer = topk_scorer("recall", k=2)
    expected = recall_at_k(Y, model.predict_topk(X, k=4), 2, ignore=ignored)
    assert scorer(model, X, names, ignore=ignored_names) == expected
    assert scorer(model, X, names, ignore=ignored) == expected
    # A label that the model does not know counts as not found, unless it is ignored.
    more_names = [[*row, "unknown"] for row in names]
    assert scorer(model, X, more_names, ignore=ignored_names) < expected
    more_ignored = [[*row, "unknown"] for row in ignored_names]
    assert scorer(model, X, more_names, ignore=more_ignored) == expected
    for y, bad in ((Y, ignored_names), (names, ignored_names[1:])):
        with pytest.raises(ValueError, match="ignore must be an indicator unless y has a list"):
            scorer(model, X, y, ignore=bad)


def test_topk_scorer_requests_metadata_for_model_selection(data):
    X, y = data
    weights, ignored = np.arange(60), sp.csr_array(y.toarray() * (np.arange(60)[:, None] % 2))
    params = {"sample_weight": weights, "ignore": ignored}
    scorer = topk_scorer("precision", 2)
    with sklearn.config_context(enable_metadata_routing=True):
        requesting = scorer.set_score_request(sample_weight=True, ignore=True)
        scoring = {"weighted": requesting, "plain": scorer}
        search = GridSearchCV(TopkStub(), {"sign": [1]}, scoring=scoring, cv=2, refit=False)
        results = search.fit(X, y, **params).cv_results_
    for split, rows in enumerate((slice(0, 30), slice(30, 60))):
        ranking = X[rows].toarray()
        expected = precision_at_k(
            y[rows], ranking, 2, ignore=ignored[rows], sample_weight=weights[rows]
        )
        assert results[f"split{split}_test_weighted"][0] == pytest.approx(expected)
        # Without a request, the scorer does not use them.
        plain = precision_at_k(y[rows], ranking, 2)
        assert results[f"split{split}_test_plain"][0] == plain != expected
    assert repr(scorer.set_score_request(ignore="pairs")) == repr(scorer)
    with pytest.raises(TypeError, match=r"for 'ignore' or 'sample_weight'; got \['weight'\]"):
        scorer.set_score_request(weight=True)
