"""Search of the nearest rows by cosine similarity: exact, or approximate with a graph."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.node_scores import join_rows
from skxmr._core.threads import BLOCK_SCORES, count_workers, run_tasks
from skxmr._core.topk import best_of_rows

# Links per row of the graph: the parameter M of hnswlib.
GRAPH_LINKS = 16
# Candidates that are kept while the graph is built and searched: ef_construction and ef of hnswlib.
GRAPH_CANDIDATES = 200


class ExactIndex:
    """Find the nearest rows by comparing each query with all rows.

    Parameters
    ----------
    rows : {csr_array, ndarray} of shape (n_rows, n_features), float32 or float64
        Rows to search. If they are sparse, a query visits only rows with a common feature. Dense
        products in float64 are rounded to float32, so they do not depend on the number of queries.
    """

    def __init__(self, rows):
        transposed = normalize(rows).T
        self.transposed_rows = transposed.tocsr() if sp.issparse(rows) else transposed

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query.

        Parameters
        ----------
        X : {csr_array, ndarray} of shape (n_queries, n_features)
            Queries with the dtype of the rows; sparse if the rows are sparse.
        k : int
            Maximum number of rows found per query.
        n_jobs : int or None
            Number of threads, as in joblib.

        Returns
        -------
        csr_array of shape (n_queries, n_rows), float32
            Similarities, greater than 0 and at most 1. Of rows with equal similarity, those with
            the lower number are found first.
        """
        X = normalize(X)
        n_rows = self.transposed_rows.shape[1]
        block_size = max(1, BLOCK_SCORES // n_rows)

        def query_block(start):
            S = sp.csr_array(X[start : start + block_size] @ self.transposed_rows)
            ids = S.indices.astype(np.int32, copy=False)
            similarities = S.data.astype(np.float32, copy=False)
            return _select_nearest(S.indptr.astype(np.int64), ids, similarities, k)

        starts = [(start,) for start in range(0, X.shape[0], block_size)]
        nearest = join_rows(run_tasks(query_block, starts, n_jobs, threads_only=True))
        return _positive_similarities(*nearest, (X.shape[0], n_rows))


class GraphIndex:
    """Find most of the nearest rows with a graph of the package hnswlib.

    A hierarchical navigable small world graph: Malkov and Yashunin (2020), "Efficient and robust
    approximate nearest neighbor search using Hierarchical Navigable Small World graphs", IEEE
    TPAMI 42(4).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Rows to search. Rows of zeros are never found.
    seed : int
        Seed of the graph.
    """

    def __init__(self, rows, seed):
        self.n_rows = len(rows)
        self.ids = np.flatnonzero(rows.any(axis=1)).astype(np.int32)
        self.graph = None
        if len(self.ids):
            self.graph = import_hnswlib().Index(space="ip", dim=rows.shape[1])
            self.graph.init_index(len(self.ids), GRAPH_CANDIDATES, GRAPH_LINKS, random_seed=seed)
            # One thread, because the graph depends on the order in which rows are added.
            self.graph.add_items(normalize(rows[self.ids]), num_threads=1)
            self.graph.set_ef(GRAPH_CANDIDATES)

    def query(self, X, k, n_jobs=None):
        """Find the nearest rows of each query; see `ExactIndex.query`."""
        shape = (len(X), self.n_rows)
        if self.graph is None:
            return sp.csr_array(shape, dtype=np.float32)
        k = min(k, len(self.ids))
        n_threads = count_workers(n_jobs)
        nearest, distances = self.graph.knn_query(normalize(X), k, num_threads=n_threads)
        indptr = np.arange(0, len(X) * k + 1, k)
        ids = self.ids[nearest.ravel()]
        by_id = _select_nearest(indptr, ids, 1 - distances.ravel(), 0)
        return _positive_similarities(*by_id, shape)


def import_hnswlib():
    """Return the module hnswlib; raise an ImportError with instructions if it is missing."""
    try:
        import hnswlib
    except ImportError as error:
        raise ImportError(
            "index='hnswlib' needs the package hnswlib. Install it: pip install 'skxmr[neighbors]'."
        ) from error
    return hnswlib


def _select_nearest(indptr, ids, similarities, k):
    no_margins = np.zeros_like(similarities)
    *nearest, _ = best_of_rows(indptr, ids, similarities, no_margins, k, False)
    return nearest


def _positive_similarities(indptr, ids, similarities, shape):
    # Drop similarities that are not positive, and clip the others to 1.
    is_positive = similarities > 0
    indptr = offsets_of(is_positive)[indptr]
    return csr_of(
        indptr, ids[is_positive], np.minimum(similarities[is_positive], np.float32(1)), shape
    )
