"""Clusters treat features that occur in most rows as dense, whatever part of X contains them."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skxmr._core.rows import MixedRows, as_rows
from skxmr._linear import Solver


def make_rows(X, n_sparse):
    """Return X with its first n_sparse columns in the sparse part."""
    sparse = as_rows(sp.csr_array(X[:, :n_sparse]))
    return MixedRows(sparse, np.ascontiguousarray(X[:, n_sparse:])).to_training_rows()


def train(X, rows, Y, solver):
    positives = sp.csc_array(Y.astype(np.int8))
    return solver.solve(
        *X[:4],
        rows,
        positives.indptr.astype(np.int64),
        positives.indices.astype(np.int32),
        None,
        None,
        seed=0,
        scratch=np.zeros(X.n_features, dtype=np.int32),
    )


@st.composite
def clusters(draw):
    """Draw X whose columns have different frequencies, rows of a cluster, and targets."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    n_rows, n_columns = draw(st.integers(1, 14)), draw(st.integers(1, 30))
    frequencies = rng.choice([0.0, 0.2, 0.7, 0.8, 0.95, 1.0], n_columns)
    X = rng.standard_normal((n_rows, n_columns)).astype(np.float32)
    X[rng.random(X.shape) >= frequencies] = 0
    rows = np.flatnonzero(rng.random(n_rows) < draw(st.sampled_from([0.5, 1.0]))).astype(np.int32)
    return X, rows, rng.random((n_rows, 5)) < 0.4, draw(st.integers(0, n_columns))


@pytest.mark.parametrize("tol", [0.1, 1e-6])
@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@given(cluster=clusters())
def test_weights_do_not_depend_on_the_part_of_a_column(cluster, loss, tol):
    X, rows, Y, n_sparse = cluster
    solver = Solver(loss=loss, tol=tol, weight_threshold=0.0, max_iter=20)
    expected = train(make_rows(X, X.shape[1]), rows, Y, solver)
    for split in (0, n_sparse):
        found = train(make_rows(X, split), rows, Y, solver)
        for values, expected_values in zip(found, expected, strict=True):
            assert_array_equal(values, expected_values)
