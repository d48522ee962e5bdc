import numpy as np
import pytest
import scipy.sparse as sp

from skxmr._core.csr import row_is_canonical, rows_are_canonical
from skxmr._core.validation import as_row_arrays, check_indicator


def arrays(indptr, indices, data):
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
def test_rows_are_canonical(indptr, indices, data, canonical):
    assert rows_are_canonical(*arrays(indptr, indices, data), 3) == canonical


def test_row_is_canonical():
    good = np.array([0, 2], np.int32), np.array([1, 2], np.float32)
    assert row_is_canonical(*good, 3)
    assert not row_is_canonical(*good, 2)
    assert not row_is_canonical(good[0], good[1][:1], 3)
    assert row_is_canonical(good[0][:0], good[1][:0], 3)


def test_canonical_rows_are_not_copied():
    X = sp.random_array((20, 30), density=0.2, format="csr", dtype=np.float32, rng=0)
    X.sort_indices()
    _, indices, data, n_columns = as_row_arrays(X)
    assert n_columns == 30
    assert np.shares_memory(data, X.data)
    assert np.shares_memory(indices, X.indices)


def test_every_form_gives_the_same_rows_and_is_left_alone():
    dense = np.array([[0.0, 3.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]])
    messy = sp.csr_array(
        (np.array([1.0, 2.0, 1.0, 0.0, 4.0, 2.0]), [2, 1, 1, 1, 2, 0], [0, 3, 3, 6]), shape=(3, 3)
    )
    before = messy.copy()
    wanted = as_row_arrays(dense)
    for X in (messy, sp.csc_array(dense), sp.coo_matrix(dense), dense.astype(np.float32)):
        for got, want in zip(as_row_arrays(X, drop_zeros=True), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(messy.data, before.data)
    np.testing.assert_array_equal(messy.indices, before.indices)


def test_values_beyond_float32_are_refused():
    with pytest.raises(ValueError, match="Q must contain only values that are finite"):
        as_row_arrays(np.array([[1e300, 0.0]]), "Q")


def test_indices_out_of_range_are_refused():
    X = sp.csr_array((np.ones(1, np.float32), [0], [0, 1]), shape=(1, 2))
    X.indices[0] = 7
    with pytest.raises(ValueError, match="indices"):
        as_row_arrays(X)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("container", [np.array, sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_indicator_forms(dtype, container):
    dense = np.array([[1, 0, 1], [0, 0, 0]], dtype=dtype)
    Y = check_indicator(container(dense))
    np.testing.assert_array_equal(Y.toarray(), dense.astype(np.int8))
    assert Y.has_canonical_format
    assert Y.nnz == 2


def test_duplicates_of_an_indicator_count_once():
    Y = sp.coo_array((np.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(check_indicator(Y).toarray(), [[0, 1], [1, 0]])
