"""Random data of one cluster, and the linear models that the solver trains for its children."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from helpers.reference import read_bitmap
from skxmr._linear import Solver


class ClusterModel(NamedTuple):
    """Linear models of the children of a cluster.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_children)
        Dense weights.
    intercepts : ndarray of shape (n_children,)
        Intercept of each child.
    n_iter : int
        Largest number of sweeps.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    n_iter: int


def make_cluster(n_rows=120, n_features=300, n_children=5, seed=0, density=0.05):
    """Return sparse rows, many features of which occur once, and targets (n_rows, n_children)."""
    rng = np.random.default_rng(seed)
    X = sp.random_array((n_rows, n_features), density=density, format="csr", rng=rng)
    X = X.astype(np.float32)
    X.sort_indices()
    Y = rng.random((n_rows, n_children)) < 0.2
    return X, Y


def solve(X, Y, rows=None, costs=None, row_costs=None, seed=0, **settings):
    """Train the children of one cluster; return a ClusterModel.

    `costs` (n_rows, n_children) and `row_costs` (n_rows,) multiply the costs of errors. `settings`
    are arguments of `Solver`.
    """
    solver = Solver(**{"tol": 1e-5, "max_iter": 3000, "weight_threshold": 0.0, **settings})
    rows = np.arange(X.shape[0]) if rows is None else rows
    targets = sp.csc_array(Y.astype(np.int8))
    scratch = np.zeros(X.shape[1], dtype=np.int32)
    chunk = solver.solve(
        X.indptr.astype(np.int64),
        X.indices.astype(np.int32),
        X.data,
        np.empty((X.shape[0], 0), dtype=np.float32),
        rows.astype(np.int32),
        targets.indptr.astype(np.int64),
        targets.indices.astype(np.int32),
        None if costs is None else costs.T[Y.T].astype(np.float32),
        None if row_costs is None else row_costs.astype(np.float32),
        seed=seed,
        scratch=scratch,
    )
    assert not scratch.any(), "the solver must set scratch to 0"
    features = np.array(read_bitmap(chunk.summary, chunk.words), dtype=int)
    assert np.all(chunk.counts > 0)
    assert chunk.counts.sum() == len(chunk.children) == len(chunk.weights)
    W = np.zeros((X.shape[1], Y.shape[1]))
    W[np.repeat(features, chunk.counts), chunk.children] = chunk.weights
    assert np.count_nonzero(W) == len(chunk.weights)
    return ClusterModel(W, chunk.intercepts.astype(np.float64), chunk.n_iter)
