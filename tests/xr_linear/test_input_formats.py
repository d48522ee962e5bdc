"""Every format of `X` and `y` leads to the same model."""

import tracemalloc

import joblib
import numpy as np
import pytest
import scipy.sparse as sp

from helpers.models import assert_equal_models
from skxmr import XRLinearClassifier

CONTAINERS = [
    sp.csr_matrix,
    sp.csc_matrix,
    sp.coo_matrix,
    sp.csr_array,
    sp.csc_array,
    sp.coo_array,
    sp.lil_array,
]


def make_classifier(**params):
    return XRLinearClassifier(4, 10, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return make_classifier().fit(*xmc_data)


def convert_to_int64(M):
    M = M.copy()
    M.indices, M.indptr = M.indices.astype(np.int64), M.indptr.astype(np.int64)
    return M


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda c: c.__name__)
def test_fit_and_predict_accept_every_sparse_container(container, xmc_data, fitted):
    X, Y = xmc_data
    assert_equal_models(make_classifier().fit(container(X), container(Y)), fitted)
    P = fitted.predict_proba(container(X))
    assert sp.issparse(P)
    assert (P != fitted.predict_proba(X)).nnz == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32, np.int64, np.float32, float])
def test_y_of_every_dtype_is_accepted_and_predict_returns_the_dtype(dtype, xmc_data, fitted):
    X, Y = xmc_data
    model = make_classifier().fit(X, Y.astype(dtype))
    assert_equal_models(model, fitted)
    assert model.predict(X).dtype == dtype
    assert (model.predict(X).astype(int) != fitted.predict(X).astype(int)).nnz == 0


def test_fit_and_predict_accept_int64_indices(xmc_data, fitted):
    X, Y = xmc_data
    model = make_classifier().fit(convert_to_int64(X), convert_to_int64(Y))
    assert_equal_models(model, fitted)
    np.testing.assert_array_equal(
        model.predict_topk(convert_to_int64(X))[0], fitted.predict_topk(X)[0]
    )


def test_fit_and_predict_accept_read_only_memory_maps(xmc_data, fitted, tmp_path):
    joblib.dump((*xmc_data, fitted), tmp_path / "all.joblib")
    X, Y, mapped = joblib.load(tmp_path / "all.joblib", mmap_mode="r")
    assert not X.data.flags.writeable
    assert_equal_models(make_classifier().fit(X, Y), fitted)
    labels, scores = fitted.predict_topk(xmc_data[0])
    for model in (fitted, mapped):
        got_labels, got_scores = model.predict_topk(X)
        np.testing.assert_array_equal(got_labels, labels)
        np.testing.assert_array_equal(got_scores, scores)
        np.testing.assert_array_equal(model.predict_topk(X[[5]])[0], labels[[5]])


def test_fit_accepts_duplicates_zeros_and_any_order_and_keeps_the_input(xmc_data, fitted):
    X, Y = xmc_data
    rng = np.random.default_rng(0)
    unsorted = []
    for M in (X, Y):
        C = M.tocoo()
        # In random order: duplicates whose sum is the value, and explicit zeros.
        halves = C.data * 0.5 if M is X else C.data
        again = halves if M is X else C.data * 0
        data = np.concatenate([halves, again, np.zeros(50, C.data.dtype)])
        row = np.concatenate([C.row, C.row, rng.integers(0, M.shape[0], 50)])
        col = np.concatenate([C.col, C.col, rng.integers(0, M.shape[1], 50)])
        order = np.lexsort((rng.random(len(row)), row))
        indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=M.shape[0]))))
        unsorted.append(sp.csr_matrix((data[order], col[order], indptr), shape=M.shape))
    before = [M.copy() for M in unsorted]
    assert_equal_models(make_classifier().fit(*unsorted), fitted)
    fitted.predict_topk(unsorted[0])
    for M, old in zip(unsorted, before, strict=True):
        np.testing.assert_array_equal(M.data, old.data)
        np.testing.assert_array_equal(M.indices, old.indices)


def test_fit_accepts_float64_and_dense_rows(xmc_data, fitted):
    X, Y = xmc_data
    for rows in (X.astype(np.float64), X.toarray(), X.toarray().astype(np.float64)):
        assert_equal_models(make_classifier().fit(rows, Y), fitted)


def test_y_dense_gives_an_equal_model_and_dense_results(xmc_data, fitted):
    X, Y = xmc_data
    model = make_classifier().fit(X, Y.toarray().astype(int))
    assert_equal_models(model, fitted)
    for got, expected in zip(model.predict_topk(X), fitted.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, expected)
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


@pytest.mark.parametrize("n_dense_columns", [0, 1])
def test_sparse_frame_as_x_remains_sparse_and_keeps_feature_names(n_dense_columns, xmc_data):
    pd = pytest.importorskip("pandas")
    X, Y = xmc_data
    columns = [f"feature {i}" for i in range(X.shape[1])]
    frame = pd.DataFrame.sparse.from_spmatrix(X, columns=columns)
    for name in columns[:n_dense_columns]:
        frame[name] = frame[name].sparse.to_dense()
    model = make_classifier().fit(frame, Y)
    fitted = make_classifier().fit(X, Y)
    assert_equal_models(model, fitted)
    assert model.feature_names_in_.tolist() == columns
    np.testing.assert_array_equal(model.predict_topk(frame)[0], fitted.predict_topk(X)[0])
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        model.predict(frame[columns[1:]])
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(frame[columns[::-1]])
    frame[columns[0]] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(frame)


def test_sparse_frame_as_x_is_not_converted_to_a_dense_array():
    pd = pytest.importorskip("pandas")
    X = sp.random(3000, 3000, density=0.001, format="csr", dtype=np.float32, random_state=0)
    frame = pd.DataFrame.sparse.from_spmatrix(X)
    frame[0] = frame[0].sparse.to_dense()
    y = np.arange(3000) % 4
    model = make_classifier().fit(X, y)
    tracemalloc.start()
    model.fit(frame, y).predict(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000  # a dense array takes 36 MB
