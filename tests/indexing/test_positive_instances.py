"""PIFA and PII, compared with their definitions in dense arithmetic."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr.indexing import (
    label_spectrum,
    positive_instance_features,
    positive_instance_indices,
)


@pytest.mark.parametrize("n_jobs", [None, 3])
@pytest.mark.parametrize("n_features", [15, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pifa_is_the_weighted_sum_of_positive_rows(dtype, n_features, n_jobs):
    rng = np.random.default_rng(0)
    X = sp.random_array((40, n_features), density=0.3, format="csr", dtype=dtype, rng=1)
    Y = (rng.random((40, 9)) < 0.2).astype(np.int8)
    Y[:, 4] = 0
    Y[7] = 0
    Z = positive_instance_features(X, sp.csr_array(Y), n_jobs=n_jobs)
    wanted = np.zeros((9, n_features))
    for label in range(9):
        for row in np.flatnonzero(Y[:, label]):
            wanted[label] += X.toarray()[row] / np.sqrt(Y[row].sum())
        wanted[label] /= np.linalg.norm(wanted[label]) or 1.0
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z.toarray(), wanted, rtol=1e-5, atol=1e-7)
    assert Z.has_sorted_indices
    assert Z[[4]].nnz == 0


@pytest.mark.parametrize("max_entries", [1, 4, 100])
def test_pifa_keeps_the_largest_entries(max_entries):
    rng = np.random.default_rng(0)
    # With few distinct values, many entries are equal.
    X = sp.csr_array(rng.integers(-2, 3, size=(30, 50)) * (rng.random((30, 50)) < 0.5) * 1.0)
    Y = sp.csr_array((rng.random((30, 8)) < 0.1).astype(np.int8))
    full = positive_instance_features(X, Y).toarray()
    truncated = positive_instance_features(X, Y, max_entries=max_entries)
    assert truncated.has_sorted_indices
    for row, got in zip(full, truncated.toarray(), strict=True):
        order = np.argsort(-np.abs(row), kind="stable")[:max_entries]
        wanted = np.zeros_like(row)
        wanted[order] = row[order]
        np.testing.assert_allclose(got, wanted / (np.linalg.norm(wanted) or 1.0), rtol=1e-5)


def test_pii_is_the_scaled_indicator_of_positive_rows():
    Y = (np.random.default_rng(0).random((40, 9)) < 0.2).astype(np.int8)
    Y[:, 4] = 0
    Z = positive_instance_indices(sp.csr_array(Y))
    assert Z.dtype == np.float32
    assert Z.has_sorted_indices
    norms = np.linalg.norm(Y, axis=0)
    np.testing.assert_allclose(Z.toarray(), Y.T / np.where(norms, norms, 1.0)[:, None], rtol=1e-6)
    assert Z[[4]].nnz == 0


def test_pii_of_permuted_rows_has_permuted_columns():
    rng = np.random.default_rng(0)
    Y = sp.csr_array((rng.random((40, 9)) < 0.2).astype(np.int8))
    order = rng.permutation(40)
    Z = positive_instance_indices(Y).toarray()
    np.testing.assert_array_equal(positive_instance_indices(Y[order]).toarray(), Z[:, order])


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_label_features_ignore_stored_zeros(format):
    X = sp.csr_array(np.eye(4, dtype=np.float32))
    Y = sp.csc_array(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0]]))
    Y.data[Y.indptr[1] : Y.indptr[2]] = 0
    without = Y.copy()
    without.eliminate_zeros()
    Y = Y.asformat(format)
    for features in (
        lambda Y: positive_instance_features(X, Y).toarray(),
        lambda Y: positive_instance_indices(Y).toarray(),
        lambda Y: label_spectrum(Y, 2, random_state=0),
    ):
        np.testing.assert_array_equal(features(Y), features(without))
        assert not features(Y)[1].any()


@pytest.mark.parametrize("function", [positive_instance_indices, label_spectrum])
def test_y_with_an_invalid_indptr_is_rejected(function):
    Y = sp.eye_array(4, format="csr")
    Y.indptr = Y.indptr + 1
    with pytest.raises(ValueError, match="index pointer"):
        function(Y)


def test_positive_instance_features_rejects_different_numbers_of_rows(xmc_data):
    X, Y = xmc_data
    for rows, labels in ((X[:-1], Y), (X, Y[:-1])):
        with pytest.raises(ValueError, match="X and Y must have the same number of rows; got"):
            positive_instance_features(rows, labels)


def test_features_and_labels_are_read_as_in_a_fit():
    X = np.array([[3.0, 0.0], [0.0, 4.0], [3.0, 4.0]])
    Y = np.array([[1, 0], [0, 0], [0, 1]])
    expected = [[1.0, 0.0], [0.6, 0.8]]
    for rows in (X.tolist(), X.astype(np.float16), X.astype(">f4"), X.astype(object)):
        Z = positive_instance_features(rows, Y.tolist())
        np.testing.assert_allclose(Z.toarray(), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="Expected 2D array"):
        positive_instance_features(X[0], Y)
    for function in (lambda y: positive_instance_features(X, y), positive_instance_indices):
        with pytest.raises(ValueError, match=r"Y must be an indicator .*; got shape \(3,\)"):
            function(np.array([0, 1, 1]))
