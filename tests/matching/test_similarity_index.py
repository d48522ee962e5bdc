"""The exact index, compared with a dense matrix, and the graph, compared with the exact index."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr.matching._similarity_index import ExactIndex, GraphIndex


@pytest.fixture
def rows(xmc_data):
    """Rows with some negative values; row 5 is zero."""
    X = sp.csr_array(xmc_data[0], dtype=np.float32, copy=True)
    X.data[X.indptr[5] : X.indptr[6]] = 0
    X.eliminate_zeros()
    X.data *= np.random.default_rng(0).choice([-1, 1, 1], size=X.nnz)
    return X


def cosine_similarities(A, B):
    A, B = A.toarray().astype(np.float64), B.toarray().astype(np.float64)
    norms = np.linalg.norm(A, axis=1)[:, None] * np.linalg.norm(B, axis=1)
    return A @ B.T / np.where(norms == 0, 1, norms)


@pytest.mark.parametrize("k", [1, 7, 10**6])
@pytest.mark.parametrize("block_scores", [1, 2**22])
def test_exact_index_equals_a_dense_matrix(rows, k, block_scores, monkeypatch):
    monkeypatch.setattr("skxmr.matching._similarity_index.BLOCK_SCORES", block_scores)
    queries = rows[:40]
    found = ExactIndex(rows).query(queries, k, n_jobs=2)
    expected = cosine_similarities(queries, rows)
    assert found.shape == expected.shape
    assert found.has_sorted_indices
    for row in range(len(expected)):
        best = np.sort(expected[row])[::-1][:k]
        got = found[[row]].data
        np.testing.assert_allclose(np.sort(got)[::-1], best[best > 1e-7], atol=1e-6)
    is_found = found.toarray() > 0
    np.testing.assert_allclose(found.toarray()[is_found], expected[is_found], atol=1e-6)


def test_exact_index_prefers_lower_rows_of_equal_similarity():
    rows = sp.csr_array(np.ones((6, 2), dtype=np.float32))
    found = ExactIndex(rows).query(rows[:1], 3)
    np.testing.assert_array_equal(found.indices, [0, 1, 2])


def test_exact_index_of_dense_rows_equals_that_of_sparse_rows(rows):
    got = ExactIndex(rows.toarray()).query(rows[:40].toarray(), 1000)
    wanted = ExactIndex(rows).query(rows[:40], 1000)
    np.testing.assert_allclose(got.toarray(), wanted.toarray(), atol=1e-6)


def test_graph_index_finds_nearly_all_of_the_exact_index(rows):
    pytest.importorskip("hnswlib")
    X = abs(rows).toarray()
    graph = GraphIndex(X, seed=0)
    found, exact = graph.query(X, 10), ExactIndex(X).query(X, 10)
    both = found.multiply(exact != 0)
    assert both.nnz > 0.95 * exact.nnz
    np.testing.assert_allclose(both.data, exact.multiply(found != 0).data, atol=1e-5)
    # The zero row is never found and finds nothing.
    assert 5 not in found.indices
    assert found[[5]].nnz == 0
    again = GraphIndex(X, seed=0).query(X, 10, n_jobs=2)
    assert (found != again).nnz == 0
    assert (found != pickle.loads(pickle.dumps(graph)).query(X, 10)).nnz == 0


def test_graph_index_of_zero_rows_finds_nothing():
    pytest.importorskip("hnswlib")
    found = GraphIndex(np.zeros((4, 3), np.float32), seed=0).query(np.eye(3, dtype=np.float32), 2)
    assert found.shape == (3, 4)
    assert found.nnz == 0
