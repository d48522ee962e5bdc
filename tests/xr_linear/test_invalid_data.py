"""Errors for invalid data; a failed fit keeps the fitted model."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.indexing import LabelFeatureUnion, positive_instance_features
from skxmr.matching import NearestCentroidMatcher, NearestNeighborsMatcher


@pytest.fixture
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


def replace_value(M, value):
    """Return a copy of a sparse matrix with one changed value."""
    M = M.astype(np.float64)
    M.data[5] = value
    return M


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_x_rejects_nan_and_infinity(xmc_data, fitted, value):
    X, Y = xmc_data
    bad = replace_value(X, value)
    for rows in (bad, bad.toarray(), bad.astype(np.float32)):
        with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
            XRLinearClassifier().fit(rows, Y)
        with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
            fitted.predict_topk(rows)
    one = bad[[0]].astype(np.float32)
    assert not np.isfinite(one.data).all()
    with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
        fitted.predict_topk(one)


def test_x_rejects_values_beyond_float32(xmc_data):
    with pytest.raises(ValueError, match=r"X must contain only values from -1e\+30 to 1e\+30"):
        XRLinearClassifier().fit(replace_value(xmc_data[0], 1e300), xmc_data[1])


@pytest.mark.parametrize("value", [3.4e38, -2e30])
def test_x_rejects_values_whose_sums_are_not_finite(value, xmc_data, fitted):
    X, Y = xmc_data
    for rows in (replace_value(X, value), replace_value(X, value).astype(np.float32).toarray()):
        for function in (
            lambda rows: XRLinearClassifier(label_features=refuse_to_compute).fit(rows, Y),
            fitted.predict_topk,
            fitted.decision_function,
        ):
            with pytest.raises(ValueError, match="^X must contain only values from -1e.30"):
                function(rows)


def refuse_to_compute(X, Y):
    raise AssertionError("label features were computed")


TEXTS = ["sparse matrix", "fourier transform", "solver"]


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS)[:, None],
        [[text, 1.0] for text in TEXTS],
        pd.Series(TEXTS),
        pd.DataFrame({"text": TEXTS}),
        pd.DataFrame({"number": [1.0, 2.0, 3.0], "text": TEXTS}),
        "a single text",
        [text.encode() for text in TEXTS],
    ],
    ids=lambda texts: type(texts).__name__,
)
@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (XRLinearClassifier(), "X"),
        (NearestCentroidMatcher(), "X"),
        (NearestNeighborsMatcher(), "X"),
        (CalibratedMultilabelClassifierCV(XRLinearClassifier(), cv=2), "X"),
        (HierarchicalLabelTree(), "Z"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_names_a_vectorizer_in_the_error(estimator, name, texts):
    message = f"^{name} must contain numbers; got text. Use skxmr.make_text_classifier, or put"
    y = np.array([[1, 0], [0, 1], [1, 1]])
    if not isinstance(texts, str) or not isinstance(estimator, CalibratedMultilabelClassifierCV):
        with pytest.raises(ValueError, match=message):
            clone(estimator).fit(texts, y)
    fitted = clone(estimator).fit(np.eye(3), y)
    for method in ("predict", "predict_proba", "predict_topk", "transform"):
        if hasattr(fitted, method):
            with pytest.raises(ValueError, match=message):
                getattr(fitted, method)(texts)


def test_strings_of_numbers_are_converted(fitted, xmc_data):
    X = xmc_data[0][:2].toarray().astype(np.float64)
    expected = fitted.predict_topk(X)
    for part, want in zip(fitted.predict_topk(X.astype(str)), expected, strict=True):
        np.testing.assert_array_equal(part, want)


@pytest.mark.parametrize("n_features", [2**31 - 63, 2**31 - 1, 2**31, 2**40])
def test_too_many_features_are_rejected_before_any_work(n_features):
    rows, columns = np.arange(4), np.array([0, 7, 9, n_features - 1])
    X = sp.csr_array(sp.coo_array((np.ones(4), (rows, columns)), shape=(4, n_features)))
    Y = sp.eye_array(4, format="csr")
    message = f"{{}} must have at most 2147483584 columns; got {n_features}"
    for name, function in {
        "X": lambda: XRLinearClassifier(label_features=refuse_to_compute).fit(X, Y),
        "Z": lambda: HierarchicalLabelTree().fit(X),
        "label_features": lambda: XRLinearClassifier(label_features=X).fit(np.eye(4), Y),
    }.items():
        with pytest.raises(ValueError, match=message.format(name)):
            function()
    for function in (
        lambda: positive_instance_features(X, Y),
        lambda: NearestCentroidMatcher().fit(X, Y),
        lambda: XRLinearClassifier().estimate_costs(X, Y),
    ):
        with pytest.raises(ValueError, match=message.format("X")):
            function()
    union = LabelFeatureUnion(["pifa", X[:, : 2**31 - 70]])
    with pytest.raises(ValueError, match="label_features must have at most 2147483584 features"):
        XRLinearClassifier(label_features=union).fit(sp.eye_array(4, 100, format="csr"), Y)


def test_largest_number_of_features_can_be_fitted():
    n_features = 2**31 - 64
    columns = np.array([0, n_features - 1, 7, n_features - 65] * 5)
    X = sp.csr_array((np.ones(20, dtype=np.float32), columns, np.arange(21)), (20, n_features))
    y = np.arange(20) % 4
    model = XRLinearClassifier(random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict_topk(X, k=1)[0].ravel(), y)


def test_x_rejects_a_different_number_of_features(xmc_data, fitted):
    X = xmc_data[0]
    for rows in (X[:, :-1], X[[0], :-1], sp.hstack([X, X], format="csr"), X[:3, :5].toarray()):
        with pytest.raises(ValueError, match=rf"X has {rows.shape[1]} features, but .* 400"):
            fitted.predict_topk(rows)


def test_x_rejects_wrong_shapes_and_types(xmc_data, fitted):
    X, Y = xmc_data
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        fitted.predict(X.toarray()[0])
    with pytest.raises(ValueError, match="X must contain numbers; got text. Use skxmr.make_text"):
        fitted.predict_topk([["a"] * 400])
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict_topk(X[:0])
    with pytest.raises(ValueError, match="0 sample"):
        XRLinearClassifier().fit(X[:0], Y[:0])
    with pytest.raises(ValueError, match="0 feature"):
        XRLinearClassifier().fit(X[:, :0], Y)


def test_x_rejects_csr_indices_out_of_range(xmc_data, fitted):
    X = xmc_data[0].copy()
    X.indices[3] = 10**6
    with pytest.raises(ValueError, match="ind"):
        fitted.predict_topk(X)
    one = xmc_data[0][[0]].copy()
    one.indices[-1] = 10**6
    with pytest.raises(ValueError, match="ind"):
        fitted.predict_topk(one)


def test_x_and_label_order_reject_indices_beyond_32_bits(xmc_data, fitted):
    X = xmc_data[0].copy()
    X.indices = X.indices.astype(np.int64) + 2**32
    with pytest.raises(ValueError, match="indices"):
        fitted.predict_topk(X)
    with pytest.raises(ValueError, match="label_order must be at most"):
        LabelHierarchy([[0, 2]], [2**32, 1])


def test_y_accepts_lists_of_indicator_rows_and_of_classes(xmc_data):
    X, Y = xmc_data
    dense = Y.toarray()[:, :3]
    model = XRLinearClassifier(random_state=0)
    expected = model.fit(X, dense).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, dense.tolist()).predict_proba(X), expected)
    names = ["ab"[int(value)] for value in dense[:, 0]]
    assert model.fit(X, names).classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("value", [2, -1, 0.5, 255])
def test_y_rejects_values_other_than_0_and_1(xmc_data, value):
    X, Y = xmc_data
    for bad in (
        replace_value(Y, value),
        replace_value(Y, value).toarray(),
        replace_value(Y, value).tocsc(),
    ):
        with pytest.raises(ValueError, match=f"y must be an indicator of 0 and 1; .*{value}"):
            XRLinearClassifier().fit(X, bad)
    # A constant wrong value: scikit-learn would accept it as an indicator.
    with pytest.raises(ValueError, match="y must be an indicator of 0 and 1"):
        XRLinearClassifier().fit(X, Y * value)


def test_y_rejects_nan_complex_and_string_indicators(xmc_data):
    X, Y = xmc_data
    with pytest.raises(ValueError, match="y must have no missing values; got NaN in row 11"):
        XRLinearClassifier().fit(X, replace_value(Y, np.nan))
    with pytest.raises(ValueError, match="y must be an indicator .* got dtype complex128"):
        XRLinearClassifier().fit(X, Y.astype(complex))
    with pytest.raises(ValueError, match="y must be an indicator .* got dtype"):
        XRLinearClassifier().fit(X, np.full((600, 2), "a"))


def test_y_rejects_wrong_shapes_and_continuous_targets(xmc_data):
    X, Y = xmc_data
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[600, 599\]"):
        XRLinearClassifier().fit(X, Y[:-1])
    with pytest.raises(ValueError, match=r"y must have at least one label; got shape \(600, 0\)"):
        XRLinearClassifier().fit(X, Y[:, :0])
    with pytest.raises(ValueError, match="y"):
        XRLinearClassifier().fit(X, None)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        XRLinearClassifier().fit(X, np.linspace(0, 1, 600))


def test_y_rejects_sparse_vectors(xmc_data):
    with pytest.raises(ValueError, match="y must have the shape .* if it is sparse; got shape"):
        XRLinearClassifier().fit(xmc_data[0], sp.coo_array(np.arange(600) % 2))


def test_score_candidates_rejects_wrong_shapes_and_indices(fitted, xmc_data):
    X, Y = xmc_data
    for wrong in (Y[:-1], Y[:, :-1], Y.toarray()[0]):
        with pytest.raises(ValueError, match=r"candidates must have the shape \(600, 150\)"):
            fitted.score_candidates(X, wrong)
    broken = Y.copy()
    broken.indices[3] = 150
    with pytest.raises(ValueError, match="ind"):
        fitted.score_candidates(X, broken)


@pytest.mark.parametrize("clustering", ["kmeans"])
def test_label_tree_rejects_values_beyond_float32(clustering):
    Z = np.random.default_rng(0).random((30, 3)) * 1e300
    for rows in (Z, sp.csr_array(Z)):
        with pytest.raises(ValueError, match="Z must contain only values from"):
            HierarchicalLabelTree(2, 5, clustering=clustering).fit(rows)


def test_fit_warns_if_max_iter_is_too_small(xmc_data):
    with pytest.warns(ConvergenceWarning, match="did not converge within max_iter=1 sweeps"):
        XRLinearClassifier(4, 10, max_iter=1).fit(*xmc_data)


def test_predict_before_fit_raises_not_fitted_error(xmc_data):
    model = XRLinearClassifier()
    for method in ("predict", "predict_proba", "decision_function", "predict_topk"):
        for X in (xmc_data[0], xmc_data[0][[0]]):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                getattr(model, method)(X)


def test_fit_that_fails_keeps_the_fitted_model(xmc_data, fitted):
    X, Y = xmc_data
    before = fitted.predict_topk(X)
    with pytest.raises(ValueError, match="X must contain only values from"):
        fitted.fit(replace_value(X, 1e300), Y)
    with pytest.raises(ValueError, match="indicator"):
        fitted.fit(X, Y * 2)
    with pytest.raises(ValueError, match="samples"):
        fitted.fit(X[:, :7], Y[:-1])
    with pytest.raises(ValueError, match="indicator"):
        fitted.fit(X[:, :7], Y * 2)
    fitted.set_params(C=-1.0)
    with pytest.raises(ValueError, match="'C'"):
        fitted.fit(X[:, :7], Y)
    fitted.set_params(C=1.0)
    assert fitted.n_features_in_ == 400
    for got, expected in zip(fitted.predict_topk(X), before, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_fit_that_fails_during_training_keeps_the_fitted_model(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    before = model.predict_topk(X[:5], k=3)
    model.set_params(max_iter=1, tol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X[:, :100], Y[:, :20])
    np.testing.assert_array_equal(model.predict_topk(X[:5], k=3)[0], before[0])
    assert len(model.classes_) == 150
