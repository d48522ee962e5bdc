"""Validation of rows and targets: canonical CSR arrays, indicators."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import XRLinearClassifier
from skxmr._core.csr import row_is_canonical, rows_are_canonical
from skxmr._core.rows import as_rows
from skxmr._core.targets import check_indicator
from skxmr.indexing import positive_instance_features


def make_arrays(indptr, indices, data):
    return np.array(indptr, np.int64), np.array(indices, np.int32), np.array(data, np.float32)


@pytest.mark.parametrize(
    ("indptr", "indices", "data", "canonical"),
    [
        ([0, 2, 3], [0, 2, 1], [1, 1, 1], True),
        ([0, 0, 0], [], [], True),
        ([0, 2, 3], [2, 0, 1], [1, 1, 1], False),
        ([0, 2, 3], [1, 1, 1], [1, 1, 1], False),
        ([0, 2, 3], [0, 3, 1], [1, 1, 1], False),
        ([0, 2, 3], [-1, 2, 1], [1, 1, 1], False),
        ([0, 2, 3], [0, 2, 1], [1, np.nan, 1], False),
        ([0, 2, 3], [0, 2, 1], [1, np.inf, 1], False),
        ([0, 2, 4], [0, 2, 1], [1, 1, 1], False),
        ([0, 3, 2], [0, 1, 2], [1, 1, 1], False),
        ([1, 2, 3], [0, 2, 1], [1, 1, 1], False),
        ([0, -1, 3], [0, 2, 1], [1, 1, 1], False),
    ],
)
def test_rows_are_canonical_checks_indptr_indices_and_values(indptr, indices, data, canonical):
    assert rows_are_canonical(*make_arrays(indptr, indices, data), 3) == canonical


def test_row_is_canonical_checks_sizes_and_columns():
    good = np.array([0, 2], np.int32), np.array([1, 2], np.float32)
    assert row_is_canonical(*good, 3)
    assert not row_is_canonical(*good, 2)
    assert not row_is_canonical(good[0], good[1][:1], 3)
    assert row_is_canonical(good[0][:0], good[1][:0], 3)


def test_as_rows_does_not_copy_canonical_rows():
    X = sp.random_array((20, 30), density=0.2, format="csr", dtype=np.float32, rng=0)
    X.sort_indices()
    _, indices, data, n_columns, _ = as_rows(X)
    assert n_columns == 30
    assert np.shares_memory(data, X.data)
    assert np.shares_memory(indices, X.indices)


def test_as_rows_returns_equal_rows_for_every_format_and_keeps_the_input():
    dense = np.array([[0.0, 3.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]])
    unsorted = sp.csr_array(
        (np.array([1.0, 2.0, 1.0, 0.0, 4.0, 2.0]), [2, 1, 1, 1, 2, 0], [0, 3, 3, 6]), shape=(3, 3)
    )
    before = unsorted.copy()
    expected = as_rows(dense)
    for X in (unsorted, sp.csc_array(dense), sp.coo_matrix(dense), dense.astype(np.float32)):
        for got, array in zip(as_rows(X)[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(got, array)
    np.testing.assert_array_equal(unsorted.data, before.data)
    np.testing.assert_array_equal(unsorted.indices, before.indices)


def test_as_rows_refuses_values_beyond_float32():
    with pytest.raises(ValueError, match="Q must contain only values from .* from 0 to 1e.300"):
        as_rows(sp.csr_array([[1e300, 0.0], [0.0, 1.0]]), "Q")
    with pytest.raises(ValueError, match="Q must contain only finite values"):
        as_rows(np.array([[np.inf, 0.0]]), "Q")


def test_as_rows_refuses_indices_out_of_range():
    X = sp.csr_array((np.ones(1, np.float32), [0], [0, 1]), shape=(1, 2))
    X.indices[0] = 7
    with pytest.raises(ValueError, match="indices"):
        as_rows(X)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("container", [np.array, sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_check_indicator_accepts_every_format_and_dtype(dtype, container):
    dense = np.array([[1, 0, 1], [0, 0, 0]], dtype=dtype)
    Y = check_indicator(container(dense))
    np.testing.assert_array_equal(Y.toarray(), dense.astype(np.int8))
    assert Y.has_canonical_format
    assert Y.nnz == 2


def test_check_indicator_counts_duplicates_once():
    Y = sp.coo_array((np.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(check_indicator(Y).toarray(), [[0, 1], [1, 0]])


def test_sparse_arrays_out_of_bounds_are_an_error():
    X = sp.random_array((4, 5), density=0.5, format="csc", dtype=np.float32, rng=0)
    X.indices[0] = 10**8
    B = sp.random_array((4, 5), density=0.5, format="coo", dtype=np.float32, rng=0)
    B.coords[1][0] = -1
    C = sp.csr_array((1, 5), dtype=np.float32)
    C.indptr = np.array([0, 1, 2], dtype=np.int32)
    C.indices, C.data = np.array([1, 2], dtype=np.int32), np.ones(2, dtype=np.float32)
    model = XRLinearClassifier().fit(np.eye(5), np.eye(5))
    for bad in (X, B, C):
        with pytest.raises(ValueError, match="indices|index|indptr"):
            model.predict_topk(bad)
        with pytest.raises(ValueError, match="indices|index|indptr"):
            positive_instance_features(bad, np.ones((bad.shape[0], 2)))
    for one in (sp.csc_array(np.eye(5)[:1]), sp.coo_array(np.eye(5)[:1])):
        if one.format == "csc":
            one.indptr = np.array([1, 1, 1, 1, 1, 1], dtype=np.int32)
        else:
            one.coords[0][0] = 1
        with pytest.raises(ValueError, match="ind"):
            model.predict_topk(one)
