"""Data of a benchmark: read or generate, convert to one format, write for the child processes."""

import os

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr.datasets import dump_xmc_file, load_xmc_file, make_extreme_multilabel

NPZ = ("X_train.npz", "Y_train.npz", "X_test.npz", "Y_test.npz")
TXT = ("train.txt", "test.txt")
# The generator makes rows with 30 features and 4 labels on average, which sets these minima.
MIN_SIZES = {"n_train": 1, "n_test": 1, "n_features": 30, "n_labels": 4}


def find_files(folder):
    """Return the names of the data files in a folder, or None."""
    for names in (NPZ, TXT):
        if all(os.path.isfile(os.path.join(folder, name)) for name in names):
            return names
    return None


def read(folder):
    """Read the matrices X_train, Y_train, X_test and Y_test from a folder."""
    names = find_files(folder)
    paths = [os.path.join(folder, name) for name in names]
    if names == NPZ:
        matrices = [sp.load_npz(path) for path in paths]
    else:
        matrices = [matrix for path in paths for matrix in load_xmc_file(path)]
    X_train, Y_train, X_test, Y_test = matrices
    for name, first, second in [
        ("rows in X_train and Y_train", X_train.shape[0], Y_train.shape[0]),
        ("rows in X_test and Y_test", X_test.shape[0], Y_test.shape[0]),
        ("features in the training and the test data", X_train.shape[1], X_test.shape[1]),
        ("labels in the training and the test data", Y_train.shape[1], Y_test.shape[1]),
    ]:
        if first != second:
            raise ValueError(f"number of {name} must be equal; got {first} and {second}")
    if 0 in (*X_train.shape, *Y_train.shape, X_test.shape[0]):
        shapes = [matrix.shape for matrix in matrices]
        raise ValueError(f"matrices must have rows, features and labels; got shapes {shapes}")
    return matrices


def generate(n_train, n_test, n_features, n_labels, **options):
    """Generate data with make_extreme_multilabel; equal arguments give equal data."""
    n_rows = n_train + n_test
    X, Y = make_extreme_multilabel(n_rows, n_features, n_labels, **options, random_state=0)
    return X[:n_train], Y[:n_train], X[n_train:], Y[n_train:]


def prepare(matrices, normalized):
    """Convert the matrices to the format that all peers accept without a conversion."""
    X_train, Y_train, X_test, Y_test = map(_to_canonical_csr, matrices)
    for Y in (Y_train, Y_test):
        Y.data[:] = 1
    if normalized:
        X_train, X_test = normalize(X_train), normalize(X_test)
    return X_train, Y_train, X_test, Y_test


def _to_canonical_csr(matrix):
    matrix = sp.csr_matrix(matrix, dtype=np.float32, copy=True)
    if not np.isfinite(matrix.data).all():
        raise ValueError("values must be finite in float32; got NaN or infinity")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if matrix.nnz > np.iinfo(np.int32).max:
        raise ValueError(
            "number of entries must be less than 2**31, because the peers use int32; got "
            f"{matrix.nnz}"
        )
    matrix.indices = matrix.indices.astype(np.int32, copy=False)
    matrix.indptr = matrix.indptr.astype(np.int32, copy=False)
    return matrix


def write(X_train, Y_train, X_test, folder, text):
    """Write the files for the child processes; `text` adds the training rows as a text file."""
    for name, matrix in [("X_train", X_train), ("Y_train", Y_train), ("X_test", X_test)]:
        sp.save_npz(os.path.join(folder, f"{name}.npz"), matrix, compressed=False)
    if text:
        dump_xmc_file(X_train, Y_train, os.path.join(folder, "train.txt"))


def describe(X_train, Y_train, X_test, Y_test):
    """Return the sizes of the data."""
    return {
        "n_train": X_train.shape[0],
        "n_test": X_test.shape[0],
        "n_features": X_train.shape[1],
        "n_labels": Y_train.shape[1],
        "features_per_row": X_train.nnz / X_train.shape[0],
        "labels_per_row": Y_train.nnz / Y_train.shape[0],
    }
