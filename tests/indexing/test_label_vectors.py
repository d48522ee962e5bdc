"""Features of some labels and clusters equal those that are computed from all labels."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr._core.rows import canonical_rows, in_float32
from skxmr.indexing import LabelVectors, positive_instance_features
from skxmr.pipeline import MixedMatrix

rng = np.random.default_rng(0)
X = (rng.random((80, 12)) * (rng.random((80, 12)) < 0.4)).astype(np.float32)
Y = sp.csr_array(((rng.random((80, 9)) < 0.2) & (np.arange(9) != 4)).astype(np.int8))
CONTAINERS = {
    "sparse": sp.csr_array,
    "dense": np.asarray,
    "mixed": lambda X: MixedMatrix(sp.csr_array(X[:, :7]), X[:, 7:].copy()),
}


def make_vectors(container, row_weights=None):
    rows = in_float32(canonical_rows(CONTAINERS[container](X))).to_training_rows()
    return LabelVectors(rows, Y, row_weights)


def to_array(M):
    return M.toarray() if sp.issparse(M) else M


@pytest.mark.parametrize("container", CONTAINERS)
def test_vectors_of_some_labels_are_those_of_all_labels(container):
    expected = positive_instance_features(X, Y).toarray()
    for labels in ([3], [8, 0, 4], np.arange(9)):
        found = to_array(make_vectors(container).vectors(np.asarray(labels)))
        np.testing.assert_allclose(found, expected[labels], atol=1e-6)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_centers_are_normalized_sums_of_rows(container, weighted):
    weights = rng.integers(1, 4, 80).astype(np.float32) if weighted else None
    clusters = np.array([0, 2, -1, 0, 1, 2, -1, 0, 2])  # the label of cluster 1 has no rows
    scales = 1 / np.sqrt(np.maximum(Y.sum(axis=1), 1))
    scales = scales if weights is None else scales * weights
    expected = np.zeros((3, 12))
    for row, label in zip(*Y.nonzero(), strict=True):
        if clusters[label] >= 0:
            expected[clusters[label]] += scales[row] * X[row]
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-30)
    found = to_array(make_vectors(container, weights).centers(clusters, 3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
