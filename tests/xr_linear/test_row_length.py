"""The length of the rows: models of X and of c * X are equal."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from helpers import quick
from skxmr import XRLinearClassifier, load_model, save_model
from skxmr._core.row_length import mean_row_length
from skxmr._core.rows import canonical_rows
from skxmr.inspection import explain
from skxmr.matching import NearestCentroidMatcher

SETTINGS = [
    {},
    {"loss": "log_loss", "score_transform": "sigmoid", "n_trees": 2},
    {"loss": "hinge", "weight_dtype": "float16", "negatives": "tfn+man"},
    {"weight_dtype": "int8", "tol": 1e-7, "label_features": "spectral"},
    {"matcher": NearestCentroidMatcher(), "ranker": LogisticRegression()},
    {"label_features": lambda X, Y: Y.T @ X},
]


@pytest.fixture(scope="module")
def mixed_rows(xmc_data):
    """Return rows of different lengths, some of them zero, in float64."""
    X = sp.csr_matrix(xmc_data[0], dtype=np.float64)
    lengths = np.random.default_rng(0).uniform(0.2, 5, size=(X.shape[0], 1))
    lengths[::50] = 0
    return sp.csr_matrix(X.multiply(lengths))


def length_of(X, Y, **fit_params):
    return XRLinearClassifier(max_leaf_size=200, tol=10.0).fit(X, Y, **fit_params)._row_length


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("params", quick.first(3, SETTINGS), ids=lambda params: "-".join(params))
def test_rankings_do_not_depend_on_the_scale_of_the_rows(mixed_rows, xmc_data, params):
    Y = xmc_data[1]
    weights = np.linspace(0, 2, len(Y.indptr) - 1)
    model = XRLinearClassifier(4, 10, random_state=0, **params)
    sample_weight = None if "matcher" in params else weights
    expected = model.fit(mixed_rows, Y, sample_weight=sample_weight).predict_topk(mixed_rows)
    for c in (1e-6, 0.3, 1e6):
        X = mixed_rows * c
        labels, scores = model.fit(X, Y, sample_weight=sample_weight).predict_topk(X)
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_allclose(scores, expected[1], rtol=1e-4)
        for row in range(5):
            one = model.predict_topk(X[[row]])
            np.testing.assert_array_equal(one[0], labels[[row]])
            np.testing.assert_array_equal(one[1], scores[[row]])


def test_rows_are_divided_by_their_root_mean_square_length(mixed_rows, xmc_data):
    Y = xmc_data[1]
    squares = np.asarray(mixed_rows.multiply(mixed_rows).sum(axis=1)).ravel()
    is_nonzero = squares > 0
    length = np.sqrt(squares[is_nonzero].mean())
    model = XRLinearClassifier(4, 10, random_state=0).fit(mixed_rows, Y)
    assert model._row_length == pytest.approx(length, rel=1e-12)
    divided = XRLinearClassifier(4, 10, random_state=0).fit(mixed_rows / length, Y)
    assert divided._row_length == 1.0
    for level, other in zip(model._model.levels, divided._model.levels, strict=True):
        np.testing.assert_array_equal(level.arrays["entry_weights"], other.arrays["entry_weights"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_rows_are_not_divided(xmc_data, dtype):
    X, Y = xmc_data
    X = normalize(X.astype(dtype))
    assert length_of(X, Y) == 1.0
    X.data = X.data.astype(np.float16).astype(dtype)  # as embeddings are often stored
    assert length_of(X, Y) == 1.0


def test_the_length_does_not_depend_on_the_format_of_the_rows(mixed_rows, xmc_data):
    X, Y = mixed_rows, xmc_data[1]
    expected = length_of(X, Y)
    halves = sp.coo_matrix(
        (np.repeat(X.data / 2, 2), np.repeat(X.tocoo().coords, 2, axis=1)), shape=X.shape
    )
    with_zeros = X.copy()
    with_zeros.data[::3] = 0
    without_zeros = with_zeros.copy()
    without_zeros.eliminate_zeros()
    for rows in (X.toarray(), X.tocsc(), halves, X[:, ::-1].tocsr()[:, ::-1]):
        assert length_of(rows, Y) == expected
    assert length_of(with_zeros, Y) == length_of(without_zeros, Y) != expected


def test_sample_weights_count_rows(mixed_rows, xmc_data):
    X, Y = mixed_rows, xmc_data[1]
    weights = np.random.default_rng(1).integers(0, 4, size=X.shape[0])
    repeated = np.repeat(np.arange(X.shape[0]), weights)
    expected = length_of(X[repeated], Y[repeated])
    assert length_of(X, Y, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


def test_rows_of_zeros_have_no_length(xmc_data):
    X, Y = xmc_data
    assert length_of(0 * X, Y) == 1.0


@pytest.mark.parametrize("n_long", [1, 200])
def test_fit_warns_if_the_lengths_of_the_rows_differ_widely(xmc_data, n_long):
    X, Y = normalize(xmc_data[0]), xmc_data[1]

    def with_long_rows(factor):
        lengths = np.ones((X.shape[0], 1))
        lengths[:n_long] = factor
        lengths[n_long] = 1e-6  # short rows do no harm
        return sp.csr_matrix(X.multiply(lengths))

    # A single row among 600 may be longer than many rows.
    limit = 20 if n_long == 1 else 2.6
    with pytest.warns(UserWarning, match="lengths of the rows .* median is 1, .*Normalizer"):
        length_of(with_long_rows(2.6 * limit), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        length_of(with_long_rows(limit), Y)


def test_fit_warns_if_one_of_many_rows_is_very_long():
    X = sp.csr_matrix(np.ones((50000, 1)))
    rows = canonical_rows(X)
    assert mean_row_length(rows) == 1.0
    X.data[7] = 99
    assert mean_row_length(canonical_rows(X)) == pytest.approx(np.sqrt(1 + 9800 / 50000))
    X.data[7] = 101
    with pytest.warns(UserWarning, match="maximum 101"):
        mean_row_length(canonical_rows(X))


def test_prediction_warns_if_all_rows_are_much_longer_or_shorter(mixed_rows, xmc_data):
    X = normalize(xmc_data[0])
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, xmc_data[1])
    with pytest.warns(UserWarning, match="rows of X are 3 to 3 times as long as the mean training"):
        model.predict_topk(3 * X)
    with pytest.warns(UserWarning, match="rows of X are 0.05 to 0.05 times as long"):
        model.predict_proba(0.05 * X.toarray())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.predict_topk(1.9 * X)
        model.predict_topk(sp.vstack([3 * X, X[:1], 0 * X[:20]]))
        model.predict_topk(3 * X[:5])
        model.predict_topk(0 * X)
        del model._row_length  # a model of an earlier version
        model.predict_topk(3 * X)


class LengthRecorder(ClassifierMixin, BaseEstimator):
    """Matcher that records the mean length of the rows that it gets."""

    def fit(self, X, y):
        self.fit_length_ = np.sqrt(X.multiply(X).sum() / X.shape[0])
        self.n_columns_ = y.shape[1]
        return self

    def predict_proba(self, X):
        self.length_ = np.sqrt(X.multiply(X).sum() / X.shape[0])
        return np.full((X.shape[0], self.n_columns_), 0.5)


def test_custom_stages_get_divided_rows(xmc_data):
    X, Y = xmc_data
    X = 30 * normalize(X.astype(np.float64))
    model = XRLinearClassifier(4, 10, matcher=LengthRecorder(), random_state=0).fit(X, Y)
    model.predict_topk(X[:50])
    matcher = model._model.matcher.estimator
    assert (matcher.fit_length_, matcher.length_) == pytest.approx((1, 1), rel=1e-6)
    model.predict_topk(X[:1])
    assert matcher.length_ == pytest.approx(1, rel=1e-6)


@pytest.mark.filterwarnings("ignore:The rows of X are")
def test_rows_that_overflow_after_the_division_are_an_error(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0).fit(1e-20 * X.astype(np.float64), Y)
    for rows in (1e25 * X.astype(np.float64), 1e25 * X[:1].astype(np.float64)):
        with pytest.raises(ValueError, match="X divided by the mean length of the training rows"):
            model.predict_topk(rows)


def test_explanations_show_the_values_of_the_rows(mixed_rows, xmc_data):
    X = sp.csr_matrix(mixed_rows * 100, dtype=np.float32)
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, xmc_data[1])
    labels, scores = model.predict_topk(X[1:2], k=1)
    explanation = explain(model, X[1:2], int(labels[0, 0]))
    assert explanation.score == scores[0, 0]
    for step in explanation.path:
        np.testing.assert_allclose(step.values, X[1].toarray()[0, step.features], rtol=1e-6)
        np.testing.assert_allclose(step.values * step.weights, step.contributions, rtol=1e-6)


def test_saved_models_keep_the_length(mixed_rows, xmc_data, tmp_path):
    model = XRLinearClassifier(4, 10, random_state=0).fit(mixed_rows, xmc_data[1])
    save_model(model, tmp_path / "model")
    expected = model.predict_topk(mixed_rows)
    in_folder = XRLinearClassifier(4, 10, random_state=0, model_dir=tmp_path / "dir")
    in_folder.fit(mixed_rows, xmc_data[1])
    for loaded in (load_model(tmp_path / "model", mmap_mode="r"), copy.deepcopy(model), in_folder):
        np.testing.assert_array_equal(loaded.predict_topk(mixed_rows)[1], expected[1])


def test_models_of_earlier_versions_do_not_divide_rows(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0).fit(normalize(X), Y)
    expected = model.predict_topk(X)
    del model._row_length
    np.testing.assert_array_equal(model.predict_topk(X)[1], expected[1])


def test_estimated_costs_do_not_depend_on_the_scale(mixed_rows, xmc_data):
    model, Y = XRLinearClassifier(), xmc_data[1]
    memory = model.estimate_memory(mixed_rows, Y)
    assert model.estimate_memory(1000 * mixed_rows, Y) == memory
