"""k-means for unbalanced trees: a fixed point, empty clusters, and sampling."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans

from helpers.label_vectors import planted_rows, random_rows
from skxmr.indexing._kmeans import kmeans


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_kmeans_converges_to_the_nearest_center_of_each_row(spherical, sparse):
    Z = random_rows(200, 12, density=0.5).toarray()
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    clusters, n_iter = kmeans(
        sp.csr_array(Z) if sparse else Z, 5, spherical=spherical, max_iter=200, seed=0
    )
    assert 1 < n_iter < 200
    centers = np.stack([Z[clusters == c].mean(axis=0) for c in range(5)])
    if spherical:
        centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    distances = ((Z[:, None] - centers) ** 2).sum(axis=2)
    to_center = distances[np.arange(200), clusters]
    np.testing.assert_allclose(to_center, distances.min(axis=1), atol=1e-5)
    if not spherical:
        reference = KMeans(5, n_init=1, random_state=0).fit(Z).inertia_
        assert to_center.sum() < 1.1 * reference


def test_kmeans_with_one_center_per_row_puts_each_row_in_its_own_cluster():
    Z = random_rows(30, 12, density=0.5)
    clusters, _ = kmeans(Z, 30, spherical=False, max_iter=5, seed=0)
    assert len(set(clusters)) == 30


def test_kmeans_on_a_sample_finds_planted_groups():
    Z, group = planted_rows([1000, 8000, 3000, 500])
    for rows in (Z, sp.csr_array(Z)):
        clusters, _ = kmeans(rows, 4, spherical=False, max_iter=20, seed=1)
        assert len(set(zip(group, clusters, strict=True))) == 4
