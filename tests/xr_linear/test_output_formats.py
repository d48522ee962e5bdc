"""Formats of results: sparse or dense, columns, rare cases of labels and rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.metrics import label_ranking_average_precision_score

from skxmr import XRLinearClassifier


def make_classifier(**params):
    return XRLinearClassifier(4, 10, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return make_classifier().fit(*xmc_data)


def test_sparse_results_are_sorted_csr_and_agree_with_each_other(xmc_data, fitted):
    X, Y = xmc_data
    P = fitted.predict_proba(X)
    assert P.format == "csr"
    assert P.dtype == np.float32
    assert P.shape == Y.shape
    assert P.has_sorted_indices
    assert np.all((P.data > 0) & (P.data <= 1))
    assert np.diff(P.indptr).max() <= 10 * 10
    D = fitted.decision_function(X)
    assert (D != P).nnz == 0
    predicted = fitted.predict(X)
    assert predicted.format == "csr"
    assert np.all(predicted.data == 1)
    np.testing.assert_array_equal(predicted.toarray() > 0, P.toarray() >= 0.5)
    labels, scores = fitted.predict_topk(X, k=5)
    assert (labels.dtype, scores.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(np.take_along_axis(P.toarray(), labels, 1), scores)
    np.testing.assert_allclose(-np.sort(-P.toarray(), axis=1)[:, :5], scores)


def test_sparse_results_use_the_configured_container(xmc_data, fitted):
    sklearn = pytest.importorskip("sklearn")
    if "sparse_interface" not in sklearn.get_config():
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_matrix)
        return
    with sklearn.config_context(sparse_interface="sparray"):
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_array)
        assert isinstance(fitted.predict(xmc_data[0]), sp.csr_array)
    with sklearn.config_context(sparse_interface="spmatrix"):
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_matrix)


def test_sparse_output_overrides_the_format_of_y(xmc_data, fitted):
    X, Y = xmc_data
    sparse = make_classifier(sparse_output=True).fit(X, Y.toarray())
    assert (sparse.predict_proba(X) != fitted.predict_proba(X)).nnz == 0
    assert sp.issparse(sparse.predict(X))
    assert sp.issparse(sparse.decision_function(X))
    dense = make_classifier(sparse_output=False).fit(X, Y)
    assert isinstance(dense.predict_proba(X), np.ndarray)
    assert isinstance(dense.predict(X), np.ndarray)
    np.testing.assert_array_equal(dense.predict(X), fitted.predict(X).toarray())


def test_sparse_scores_rank_like_dense_scores(xmc_data):
    X, Y = xmc_data
    has_label = np.asarray(Y.sum(axis=1)).ravel() > 0
    model = XRLinearClassifier(4, 10, random_state=0).fit(X[:400], Y[:400])
    D = model.decision_function(X[400:])
    lrap = label_ranking_average_precision_score(Y[400:].toarray(), D.toarray())
    model.set_params(sparse_output=False)
    dense = label_ranking_average_precision_score(
        Y[400:].toarray(), model.decision_function(X[400:])
    )
    assert has_label[400:].all()
    assert lrap == pytest.approx(dense, abs=1e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_class_predictions_of_all_methods_agree_near_probability_1():
    X, y = load_digits(return_X_y=True)
    model = XRLinearClassifier(C=100.0, tol=1.0, random_state=0).fit(X / 16, y)
    rng = np.random.default_rng(0)
    rows = (X[rng.integers(len(X), size=20_000)] + X[rng.integers(len(X), size=20_000)]) / 16
    predicted = model.predict(rows)
    np.testing.assert_array_equal(model.predict_proba(rows).argmax(axis=1), predicted)
    np.testing.assert_array_equal(model.decision_function(rows).argmax(axis=1), predicted)


def test_labels_without_rows_keep_their_column_and_are_never_first(xmc_data, fitted):
    X, Y = xmc_data
    empty = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel() == 0)
    assert len(empty) >= 2
    assert len(fitted.classes_) == Y.shape[1]
    assert not np.isin(fitted.predict_topk(X, k=1)[0], empty).any()
    assert fitted.predict(X)[:, empty].nnz == 0
    rng = np.random.default_rng(0)
    anything = sp.random_array((2000, X.shape[1]), density=0.05, format="csr", rng=rng)
    assert not np.isin(fitted.predict_topk(anything, k=1)[0], empty).any()
    # A label that needs both features has a low intercept; a label without rows has a lower one.
    X = sp.csr_array(np.array([[1, 1], [1, 0], [0, 1], [0, 0]] * 25, dtype=np.float32))
    Y = sp.csr_array(np.array([[0, 1], [0, 0], [0, 0], [0, 0]] * 25))
    labels, _ = XRLinearClassifier(random_state=0).fit(X, Y).predict_topk(X[[3]], k=2)
    np.testing.assert_array_equal(labels, [[1, 0]])


def test_fit_accepts_few_labels_and_empty_rows():
    rng = np.random.default_rng(0)
    dense = (rng.random((30, 5)) < 0.4).astype(np.float32)
    dense[3] = 0
    X = sp.csr_matrix(dense)
    for n_labels in (1, 2, 5):
        Y = sp.csr_matrix((rng.random((30, n_labels)) < 0.5).astype(int))
        for params in ({}, {"branching_factor": 2, "max_leaf_size": 1}):
            model = XRLinearClassifier(random_state=0, **params).fit(X, Y)
            P = model.predict_proba(X)
            assert P.shape == (30, n_labels)
            assert P.nnz > 0
            assert model.predict(X).shape == (30, n_labels)
            labels, _ = model.predict_topk(sp.csr_matrix((1, 5), dtype=np.float32))
            assert labels.shape == (1, n_labels)
    model = XRLinearClassifier(random_state=0).fit(sp.csr_matrix((30, 5)), Y)
    assert np.ptp(model.predict_topk(X, k=1)[1]) == 0


@pytest.mark.parametrize("kind", ["dense", "classes", "two classes"])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_dense_results_do_not_depend_on_blocks_of_rows(kind, method, xmc_data, monkeypatch):
    X, Y = xmc_data
    if kind == "dense":
        y = Y.toarray()
    else:
        y = np.arange(X.shape[0]) % (2 if kind == "two classes" else 60)
    model = XRLinearClassifier(4, 10, tol=1.0, random_state=0).fit(X, y)
    expected = getattr(model, method)(X)
    monkeypatch.setattr("skxmr.xr_linear._prediction.DENSE_BLOCK_SCORES", 1000)
    for n_jobs in (1, 3):
        got = getattr(model.set_params(n_jobs=n_jobs), method)(X)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, expected)
