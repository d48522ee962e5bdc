"""Sparse y, the case the library is for and the common checks never try."""

import tracemalloc

import joblib
import numpy as np
import pytest
import scipy.sparse as sp

from helpers import quick
from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel

CONTAINERS = [
    sp.csr_matrix,
    sp.csc_matrix,
    sp.coo_matrix,
    sp.csr_array,
    sp.csc_array,
    sp.coo_array,
    sp.lil_array,
]


def classifier(**params):
    return XRLinearClassifier(4, 10, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return classifier().fit(*xmc_data)


def assert_same_model(model, reference):
    assert model.hierarchy_ == reference.hierarchy_
    levels = model._model.levels
    wanted = reference._model.levels
    for level, want in zip(levels, wanted, strict=True):
        for name, array in level.arrays.items():
            np.testing.assert_array_equal(array, want.arrays[name], err_msg=name)


def with_int64(M):
    M = M.copy()
    M.indices, M.indptr = M.indices.astype(np.int64), M.indptr.astype(np.int64)
    return M


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda c: c.__name__)
def test_every_container_of_y_and_x_gives_the_same_model(container, xmc_data, fitted):
    X, Y = xmc_data
    assert_same_model(classifier().fit(container(X), container(Y)), fitted)
    P = fitted.predict_proba(container(X))
    assert sp.issparse(P)
    assert (P != fitted.predict_proba(X)).nnz == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32, np.int64, np.float32, float])
def test_every_dtype_of_y_gives_the_same_model_and_comes_back(dtype, xmc_data, fitted):
    X, Y = xmc_data
    model = classifier().fit(X, Y.astype(dtype))
    assert_same_model(model, fitted)
    assert model.predict(X).dtype == dtype
    assert (model.predict(X).astype(int) != fitted.predict(X).astype(int)).nnz == 0


def test_int64_indices(xmc_data, fitted):
    X, Y = xmc_data
    model = classifier().fit(with_int64(X), with_int64(Y))
    assert_same_model(model, fitted)
    np.testing.assert_array_equal(model.predict_topk(with_int64(X))[0], fitted.predict_topk(X)[0])


def test_read_only_memory_maps(xmc_data, fitted, tmp_path):
    joblib.dump((*xmc_data, fitted), tmp_path / "all.joblib")
    X, Y, mapped = joblib.load(tmp_path / "all.joblib", mmap_mode="r")
    assert not X.data.flags.writeable
    assert_same_model(classifier().fit(X, Y), fitted)
    labels, scores = fitted.predict_topk(xmc_data[0])
    for model in (fitted, mapped):
        got_labels, got_scores = model.predict_topk(X)
        np.testing.assert_array_equal(got_labels, labels)
        np.testing.assert_array_equal(got_scores, scores)
        np.testing.assert_array_equal(model.predict_topk(X[[5]])[0], labels[[5]])


def test_messy_storage_gives_the_same_model_and_is_left_alone(xmc_data, fitted):
    X, Y = xmc_data
    rng = np.random.default_rng(0)
    messy = []
    for M in (X, Y):
        C = M.tocoo()
        # Duplicates that add up to the value, explicit zeros, in random order.
        halves = C.data * 0.5 if M is X else C.data
        again = halves if M is X else C.data * 0
        data = np.concatenate([halves, again, np.zeros(50, C.data.dtype)])
        row = np.concatenate([C.row, C.row, rng.integers(0, M.shape[0], 50)])
        col = np.concatenate([C.col, C.col, rng.integers(0, M.shape[1], 50)])
        order = np.lexsort((rng.random(len(row)), row))
        indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=M.shape[0]))))
        messy.append(sp.csr_matrix((data[order], col[order], indptr), shape=M.shape))
    before = [M.copy() for M in messy]
    assert_same_model(classifier().fit(*messy), fitted)
    fitted.predict_topk(messy[0])
    for M, old in zip(messy, before, strict=True):
        np.testing.assert_array_equal(M.data, old.data)
        np.testing.assert_array_equal(M.indices, old.indices)


@pytest.mark.parametrize("n_jobs", quick.first(1, [3, 2, -1]))
def test_threads_change_nothing(n_jobs, xmc_data, fitted):
    model = classifier(n_jobs=n_jobs).fit(*xmc_data)
    assert_same_model(model, fitted)
    X = sp.vstack([xmc_data[0]] * 8, format="csr")
    for got, want in zip(model.predict_topk(X), fitted.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)
    assert (model.predict_proba(X) != fitted.predict_proba(X)).nnz == 0
    assert (model.predict(X) != fitted.predict(X)).nnz == 0


def test_processes_change_nothing(xmc_data, fitted):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        model = classifier(n_jobs=2).fit(*xmc_data)
        ranking = model.predict_topk(xmc_data[0])
    assert_same_model(model, fitted)
    np.testing.assert_array_equal(ranking[0], fitted.predict_topk(xmc_data[0])[0])


def test_float64_and_dense_rows_are_the_same_rows(xmc_data, fitted):
    X, Y = xmc_data
    for rows in (X.astype(np.float64), X.toarray(), X.toarray().astype(np.float64)):
        assert_same_model(classifier().fit(rows, Y), fitted)


def test_dense_y_gives_the_same_model_and_dense_results(xmc_data, fitted):
    X, Y = xmc_data
    model = classifier().fit(X, Y.toarray().astype(int))
    assert_same_model(model, fitted)
    for got, want in zip(model.predict_topk(X), fitted.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)
    predicted = model.predict(X)
    assert isinstance(predicted, np.ndarray)
    assert predicted.dtype == int
    np.testing.assert_array_equal(predicted, fitted.predict(X).toarray())
    P, sparse = model.predict_proba(X), fitted.predict_proba(X).toarray()
    assert isinstance(P, np.ndarray)
    assert P.shape == Y.shape
    assert np.all((P > 0) & (P < 1))
    np.testing.assert_allclose(P, sparse, atol=1e-6)
    D = model.decision_function(X)
    assert np.all(np.isfinite(D))
    np.testing.assert_array_equal(D > 0, sparse > 0.5)
    assert np.all(D[sparse == 0] <= D[sparse > 0].min())


def test_sparse_output_overrides_the_form_of_y(xmc_data, fitted):
    X, Y = xmc_data
    sparse = classifier(sparse_output=True).fit(X, Y.toarray())
    assert (sparse.predict_proba(X) != fitted.predict_proba(X)).nnz == 0
    assert sp.issparse(sparse.predict(X))
    assert sp.issparse(sparse.decision_function(X))
    dense = classifier(sparse_output=False).fit(X, Y)
    assert isinstance(dense.predict_proba(X), np.ndarray)
    assert isinstance(dense.predict(X), np.ndarray)
    np.testing.assert_array_equal(dense.predict(X), fitted.predict(X).toarray())


def test_sparse_results(xmc_data, fitted):
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


def test_the_container_follows_the_configuration(xmc_data, fitted):
    sklearn = pytest.importorskip("sklearn")
    if "sparse_interface" not in sklearn.get_config():
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_matrix)
        return
    with sklearn.config_context(sparse_interface="sparray"):
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_array)
        assert isinstance(fitted.predict(xmc_data[0]), sp.csr_array)
    with sklearn.config_context(sparse_interface="spmatrix"):
        assert isinstance(fitted.predict_proba(xmc_data[0]), sp.csr_matrix)


def test_more_labels_wanted_than_the_beam_holds(xmc_data, fitted):
    X = xmc_data[0]
    model = classifier(beam_width=1).fit(*xmc_data)
    labels, scores = model.predict_topk(X, k=200)
    assert labels.shape == scores.shape == (600, 200)
    held = np.diff(model.predict_proba(X).indptr)
    np.testing.assert_array_equal((labels >= 0).sum(axis=1), held)
    np.testing.assert_array_equal(labels < 0, scores == -np.inf)
    one = model.predict_topk(X[[0]], k=200)
    np.testing.assert_array_equal(one[0], labels[[0]])
    np.testing.assert_array_equal(one[1], scores[[0]])


def test_labels_without_a_row_keep_their_column_and_never_win(xmc_data, fitted):
    X, Y = xmc_data
    empty = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel() == 0)
    assert len(empty) >= 2
    assert len(fitted.classes_) == Y.shape[1]
    assert not np.isin(fitted.predict_topk(X, k=1)[0], empty).any()
    assert fitted.predict(X)[:, empty].nnz == 0
    rng = np.random.default_rng(0)
    anything = sp.random_array((2000, X.shape[1]), density=0.05, format="csr", rng=rng)
    assert not np.isin(fitted.predict_topk(anything, k=1)[0], empty).any()
    # A label that needs two features at once has a low intercept; an empty one has a lower.
    X = sp.csr_array(np.array([[1, 1], [1, 0], [0, 1], [0, 0]] * 25, dtype=np.float32))
    Y = sp.csr_array(np.array([[0, 1], [0, 0], [0, 0], [0, 0]] * 25))
    labels, _ = XRLinearClassifier(random_state=0).fit(X, Y).predict_topk(X[[3]], k=2)
    np.testing.assert_array_equal(labels, [[1, 0]])


def test_few_labels_and_empty_rows():
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
            assert model.predict_topk(sp.csr_matrix((1, 5), dtype=np.float32))[0].shape == (1, 10)
    nothing = sp.csr_matrix((30, 3), dtype=int)
    model = XRLinearClassifier(random_state=0).fit(X, nothing)
    assert model.predict(X).nnz == 0
    model = XRLinearClassifier(random_state=0).fit(sp.csr_matrix((30, 5)), Y)
    assert np.ptp(model.predict_topk(X, k=1)[1]) == 0


def test_nothing_of_rows_times_labels_is_ever_dense():
    n_samples, n_labels = 4_000, 80_000
    X, Y = make_extreme_multilabel(
        n_samples=n_samples,
        n_features=3000,
        n_labels=n_labels,
        n_features_per_sample=10,
        n_labels_per_sample=4,
        random_state=0,
    )
    model = XRLinearClassifier(random_state=0, tol=10.0)
    dense_bytes = n_samples * n_labels  # one byte per cell
    tracemalloc.start()
    try:
        model.fit(X, Y)
        fit_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        labels, _ = model.predict_topk(X)
        topk_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        predicted = model.predict(X)
        predict_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        P = model.set_params(beam_width=2).predict_proba(X)
        proba_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert labels.shape == (n_samples, 10)
    assert predicted.shape == P.shape == (n_samples, n_labels)
    assert max(fit_peak, topk_peak, predict_peak, proba_peak) < dense_bytes / 2
