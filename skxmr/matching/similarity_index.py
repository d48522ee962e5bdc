"""Nearest rows by cosine similarity: by comparing with all, or by a graph of neighbours."""

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from skxmr._core._topk import best_of_rows
from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.score_forms import join_rows
from skxmr._core.threads import BLOCK_SCORES, run_tasks

# Directions that rows are reduced to for the graph, which takes dense rows only.
REDUCED = 128
# Links of a point of the graph, and candidates kept open while it is built and searched.
GRAPH_LINKS = 16
GRAPH_BREADTH = 200


class ExactIndex:
    """Find nearest rows by comparing with all rows that share a feature.

    Parameters
    ----------
    rows : csr_array of shape (n_rows, n_features)
        Rows to be found; scaled to unit length.
    """

    def __init__(self, rows):
        # By feature, so that a product visits only rows that have a feature of the query.
        self.by_feature = normalize(rows).T.tocsr()

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query.

        Parameters
        ----------
        X : csr_array of shape (n_queries, n_features)
            Queries.
        k : int
            Most rows found for a query.
        n_jobs : int or None
            Threads, as in joblib; the result does not depend on it.

        Returns
        -------
        csr_array of shape (n_queries, n_rows)
            Similarities above 0, at most 1; equal ones are kept by lower row.
        """
        X = normalize(X)
        n_rows = self.by_feature.shape[1]
        size = max(1, BLOCK_SCORES // n_rows)

        def query_block(start):
            S = X[start : start + size] @ self.by_feature
            ids = S.indices.astype(np.int32, copy=False)
            return best_of_rows(S.indptr.astype(np.int64), ids, S.data, k, False)

        starts = [(start,) for start in range(0, X.shape[0], size)]
        found = join_rows(run_tasks(query_block, starts, n_jobs, shared=True))
        return _positive(*found, (X.shape[0], n_rows))


class GraphIndex:
    """Find most of the nearest rows by hnswlib's graph, in a reduced space.

    A hierarchical navigable small world: Malkov and Yashunin (2020), "Efficient and robust
    approximate nearest neighbor search using Hierarchical Navigable Small World graphs", IEEE
    TPAMI 42(4). Rows are reduced by `TruncatedSVD`, as latent semantic analysis does.

    Parameters
    ----------
    rows : csr_array of shape (n_rows, n_features)
        Rows to be found; rows of zeros never are.
    n_components : int or None
        Directions to reduce to, if there are more features; None for `REDUCED`.
    seed : int
        Seeds the reduction and the graph.
    """

    def __init__(self, rows, n_components, seed):
        hnswlib = import_hnswlib()
        self.n_rows, n_features = rows.shape
        self.ids = np.flatnonzero(np.diff(rows.indptr)).astype(np.int32)
        n_components = n_components or REDUCED
        self.reduction = None
        if n_components < n_features:
            self.reduction = TruncatedSVD(n_components, random_state=seed)
            self.reduction.fit(normalize(rows))
        self.graph = None
        if len(self.ids):
            points = self._reduced(rows[self.ids])
            self.graph = hnswlib.Index(space="ip", dim=points.shape[1])
            self.graph.init_index(len(points), GRAPH_BREADTH, GRAPH_LINKS, random_seed=seed)
            # One thread: the graph depends on the order in which rows come.
            self.graph.add_items(points, num_threads=1)
            self.graph.set_ef(GRAPH_BREADTH)

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query; see `ExactIndex.query`."""
        shape = (X.shape[0], self.n_rows)
        if self.graph is None:
            return sp.csr_array(shape, dtype=np.float32)
        k = min(k, len(self.ids))
        points = self._reduced(X)
        found, distances = self.graph.knn_query(points, k, num_threads=effective_n_jobs(n_jobs))
        indptr = np.arange(0, (len(points) + 1) * k, k)
        ids = self.ids[found.ravel()]
        return _positive(*best_of_rows(indptr, ids, 1 - distances.ravel(), 0, False), shape)

    def _reduced(self, X):
        X = X.toarray() if self.reduction is None else self.reduction.transform(X)
        return normalize(X).astype(np.float32, copy=False)


def import_hnswlib():
    """Return the module hnswlib, or say how it is installed."""
    try:
        import hnswlib
    except ImportError as error:
        raise ImportError(
            "index='hnswlib' needs the package hnswlib: pip install 'skxmr[neighbors]'."
        ) from error
    return hnswlib


def _positive(indptr, ids, similar, shape):
    keep = similar > 0
    kept = offsets_of(keep)[indptr]
    return csr_of(kept, ids[keep], np.minimum(similar[keep], np.float32(1)), shape)
