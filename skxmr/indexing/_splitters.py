"""Split the rows of one cluster.

There are two interfaces. A bisector, used by balanced trees, divides rows into two parts of given
sizes: `cut`. A splitter, used by unbalanced trees, divides rows into clusters of any size: `split`.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skxmr._core.native_threads import limit_openmp_threads
from skxmr._core.rows import TrainingRows, canonical_rows, in_float32
from skxmr.indexing._balanced_kmeans import bisect
from skxmr.indexing._kmeans import (
    center_dtype,
    compute_centers,
    kmeans,
    sum_rows_by_cluster,
)


class KMeansBisector(NamedTuple):
    """Bisector: balanced 2-means.

    Attributes
    ----------
    rows : TrainingRows
        All rows; of unit length if `spherical`. They are either sparse or dense.
    spherical : bool
        Whether centers are scaled to unit length.
    max_iter : int
        Maximum number of iterations per cut.
    """

    rows: TrainingRows
    spherical: bool
    max_iter: int

    @classmethod
    def of(cls, Z, spherical, max_iter):
        """Create a bisector of a matrix. Dense and sparse rows give the same tree."""
        return cls(in_float32(canonical_rows(Z, "Z")).to_training_rows(), spherical, max_iter)

    def select_rows(self, rows):
        """Return a bisector of these rows only, numbered from 0."""
        return self._replace(rows=self.rows.take(rows))

    def scratch(self):
        """Return a work array for `cut`. One array serves all cuts of a thread."""
        return np.zeros(self.rows.n_features, dtype=center_dtype(self.spherical))

    def cut(self, rows, n_left, seed, scratch):
        """Return `rows` with the `n_left` rows of the left part first, and the iterations."""
        rows = rows.copy()
        n_iter = bisect(*self.rows[:4], rows, n_left, self.spherical, self.max_iter, seed, scratch)
        return rows, n_iter


class KMeansSplitter(NamedTuple):
    """Splitter: k-means. The attributes are parameters of `kmeans`."""

    Z: object
    spherical: bool
    max_iter: int

    def split(self, rows, n_clusters, seed):
        """Return the cluster of each row, and the number of iterations."""
        return kmeans(
            self.Z[rows],
            n_clusters,
            spherical=self.spherical,
            max_iter=self.max_iter,
            seed=seed,
        )


class CustomClusterer(NamedTuple):
    """Splitter and bisector: clones of a clusterer that the user supplied.

    Attributes
    ----------
    clusterer : estimator
        Clusterer with the method `fit_predict` and the parameter `n_clusters`, which is set for
        each split. If it has a parameter `random_state` that is None, this is set too.
    Z : {ndarray, csr_array} of shape (n_labels, n_features), float32
        All rows. The clusterer receives them unchanged.
    """

    clusterer: object
    Z: object

    def split(self, rows, n_clusters, seed):
        """Return the cluster of each row, numbered from 0 without gaps, and 1 iteration."""
        clusterer = clone(self.clusterer).set_params(n_clusters=n_clusters)
        if clusterer.get_params(deep=False).get("random_state", 0) is None:
            clusterer.set_params(random_state=seed % 2**32)
        name = type(clusterer).__name__
        with limit_openmp_threads():
            clusters = np.asarray(clusterer.fit_predict(self.Z[rows]))
        if clusters.shape != rows.shape:
            raise ValueError(
                f"fit_predict of clustering={name} must return one cluster per row; got shape "
                f"{clusters.shape} for {len(rows)} rows."
            )
        found, clusters = np.unique(clusters, return_inverse=True)
        if len(found) > n_clusters:
            raise ValueError(
                f"fit_predict of clustering={name} must return at most n_clusters={n_clusters} "
                f"clusters; got {len(found)} clusters."
            )
        return clusters, 1

    def select_rows(self, rows):
        """Return a bisector of these rows only, numbered from 0."""
        return self._replace(Z=self.Z[rows])

    def scratch(self):
        """Return None: `cut` needs no work array."""

    def cut(self, rows, n_left, seed, scratch):
        """Return `rows` with the `n_left` rows of the left part first, and 1 iteration.

        Rows stay in the cluster that the clusterer found. If a cluster is too large, the rows
        nearest to the center of the other cluster move there.
        """
        side, _ = self.split(rows, 2, seed)
        Z = self.Z[rows]
        # The left part is the cluster whose size is closer to n_left.
        n_ones = np.count_nonzero(side)
        n_zeros = len(side) - n_ones
        if abs(n_ones - n_left) < abs(n_zeros - n_left):
            side = 1 - side
        sizes = np.bincount(side, minlength=2)
        sums = sum_rows_by_cluster(Z, side, 2, np.float64)
        centers = compute_centers(sums, sizes, spherical=False)
        score = Z @ (centers[[1]] - centers[[0]]).T
        score = score.toarray() if sp.issparse(score) else score
        order = np.lexsort((score.ravel(), side))
        left, right = np.sort(order[:n_left]), np.sort(order[n_left:])
        return np.concatenate([rows[left], rows[right]]), 1
