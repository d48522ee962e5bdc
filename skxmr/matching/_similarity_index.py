"""Nearest rows by cosine similarity: by comparing with all, or by a graph of neighbours."""

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.node_scores import join_rows
from skxmr._core.threads import BLOCK_SCORES, run_tasks
from skxmr._core.topk import best_of_rows

# Links of a point of the graph, and candidates kept open while it is built and searched.
GRAPH_LINKS = 16
GRAPH_BREADTH = 200


class ExactIndex:
    """Find nearest rows by comparing with all.

    Parameters
    ----------
    rows : {csr_array, ndarray} of shape (n_rows, n_features), float32
        Rows to be found. Of sparse ones only those are visited that share a feature with the
        query.
    """

    def __init__(self, rows):
        by_feature = normalize(rows).T
        self.by_feature = by_feature.tocsr() if sp.issparse(rows) else by_feature

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query.

        Parameters
        ----------
        X : {csr_array, ndarray} of shape (n_queries, n_features), float32
            Queries, sparse if the rows are.
        k : int
            Most rows found for a query.
        n_jobs : int or None
            Threads, as in joblib.

        Returns
        -------
        csr_array of shape (n_queries, n_rows)
            Similarities above 0, at most 1; equal ones are kept by lower row.
        """
        X = normalize(X)
        n_rows = self.by_feature.shape[1]
        size = max(1, BLOCK_SCORES // n_rows)

        def query_block(start):
            S = sp.csr_array(X[start : start + size] @ self.by_feature)
            ids = S.indices.astype(np.int32, copy=False)
            return best_of_rows(S.indptr.astype(np.int64), ids, S.data, k, False)

        starts = [(start,) for start in range(0, X.shape[0], size)]
        found = join_rows(run_tasks(query_block, starts, n_jobs, threads_only=True))
        return _positive(*found, (X.shape[0], n_rows))


class GraphIndex:
    """Find most of the nearest rows by a graph that hnswlib makes.

    A hierarchical navigable small world: Malkov and Yashunin (2020), "Efficient and robust
    approximate nearest neighbor search using Hierarchical Navigable Small World graphs", IEEE
    TPAMI 42(4).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Rows to be found; rows of zeros never are.
    seed : int
        Seeds the graph.
    """

    def __init__(self, rows, seed):
        self.n_rows = len(rows)
        self.ids = np.flatnonzero(rows.any(axis=1)).astype(np.int32)
        self.graph = None
        if len(self.ids):
            self.graph = import_hnswlib().Index(space="ip", dim=rows.shape[1])
            self.graph.init_index(len(self.ids), GRAPH_BREADTH, GRAPH_LINKS, random_seed=seed)
            # One thread: the graph depends on the order in which rows come.
            self.graph.add_items(normalize(rows[self.ids]), num_threads=1)
            self.graph.set_ef(GRAPH_BREADTH)

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query; see `ExactIndex.query`."""
        shape = (len(X), self.n_rows)
        if self.graph is None:
            return sp.csr_array(shape, dtype=np.float32)
        k = min(k, len(self.ids))
        n_threads = effective_n_jobs(n_jobs)
        found, distances = self.graph.knn_query(normalize(X), k, num_threads=n_threads)
        indptr = np.arange(0, len(X) * k + 1, k)
        ids = self.ids[found.ravel()]
        return _positive(*best_of_rows(indptr, ids, 1 - distances.ravel(), 0, False), shape)


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
