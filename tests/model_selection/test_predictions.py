"""`cross_val_predict`: predictions for each row by a model trained without this row."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import model_selection as reference
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold, ShuffleSplit

from skxmr import XRLinearClassifier
from skxmr.model_selection import cross_val_predict

FOLDS = KFold(3, shuffle=True, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**params):
    return XRLinearClassifier(max_leaf_size=20, random_state=0, **params)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array])
def test_cross_val_predict_returns_sparse_results_for_sparse_y(method, container, xmc_data):
    X, Y = xmc_data
    result = cross_val_predict(classifier(), X, container(Y), cv=FOLDS, method=method)
    assert sp.issparse(result)
    assert result.format == "csr"
    for train, test in FOLDS.split(X):
        expected = getattr(classifier().fit(X[train], Y[train]), method)(X[test])
        assert (result[test] != expected).nnz == 0


@pytest.mark.parametrize("dense", [False, True])
def test_cross_val_predict_topk_equals_fits_per_fold(dense, xmc_data):
    X, Y = xmc_data
    model = classifier(beam_width=1)
    labels, scores = cross_val_predict(
        model, X, Y.toarray() if dense else Y, cv=FOLDS, method="predict_topk", k=30
    )
    assert (labels.dtype, scores.dtype) == (np.int32, np.float32)
    assert (labels < 0).any()  # a leaf cluster has at most 20 labels
    for train, test in FOLDS.split(X):
        expected = classifier(beam_width=1).fit(X[train], Y[train]).predict_topk(X[test], 30)
        np.testing.assert_array_equal(labels[test], expected[0])
        np.testing.assert_array_equal(scores[test], expected[1])


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("column", [False, True])
def test_cross_val_predict_topk_indexes_all_classes(column):
    X, y = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    unshuffled = KFold(3)  # the training rows lack the class of the held-out rows
    labels, scores = cross_val_predict(
        classifier(),
        X,
        names[:, None] if column else names,
        cv=unshuffled,
        method="predict_topk",
        k=3,
    )
    assert not np.any(labels == y[:, None])
    np.testing.assert_array_equal(labels[:, 2], -1)
    assert set(labels[:50, 0]) <= {1, 2}
    assert set(labels[100:, 0]) <= {0, 1}
    np.testing.assert_array_equal(scores[:, 2], -np.inf)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict_of_dense_y_equals_scikit_learn(method, xmc_data):
    X, Y = xmc_data
    result = cross_val_predict(classifier(), X, Y.toarray(), cv=3, method=method)
    expected = reference.cross_val_predict(classifier(), X, Y.toarray(), cv=3, method=method)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, expected)


def test_cross_val_predict_does_not_depend_on_n_jobs(xmc_data):
    X, Y = xmc_data
    one = cross_val_predict(classifier(), X, Y, cv=FOLDS, method="predict_topk")
    two = cross_val_predict(classifier(), X, Y, cv=FOLDS, method="predict_topk", n_jobs=2)
    np.testing.assert_array_equal(one[0], two[0])


def test_cross_val_predict_raises_for_invalid_arguments(xmc_data):
    X, Y = xmc_data
    for arguments in (
        {"method": "transform"},
        {"k": 0, "method": "predict_topk"},
        {"k": 2.5, "method": "predict_topk"},
        {"cv": ShuffleSplit(2, random_state=0)},
    ):
        with pytest.raises(ValueError, match=r"'method'|'k'|only works for partitions"):
            cross_val_predict(classifier(), X, Y, **arguments)
    with pytest.raises(AttributeError, match="predict_log_proba"):
        cross_val_predict(classifier(), X, Y, method="predict_log_proba")
