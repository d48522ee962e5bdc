"""A scikit-learn clusterer of the user's own as the step of a tree."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skxmr.indexing._routing import centers_of, cluster_sums


class ClustererSplitter(NamedTuple):
    """Splits and cuts rows with clones of a clusterer.

    Attributes
    ----------
    clusterer : estimator
        With `fit_predict` and the parameter `n_clusters`, which is set for each split, as is its
        `random_state` if it has one that is None.
    Z : {ndarray, csr_array} of shape (n_labels, n_features), float32
        Rows, given to the clusterer as they are.
    """

    clusterer: object
    Z: object

    def split(self, rows, n_parts, seed):
        """Return a cluster for each of `rows`, from 0 up without gaps, and 1 round."""
        clusterer = clone(self.clusterer).set_params(n_clusters=n_parts)
        if clusterer.get_params(deep=False).get("random_state", 0) is None:
            clusterer.set_params(random_state=seed % 2**32)
        name = type(clusterer).__name__
        found = np.asarray(clusterer.fit_predict(self.Z[rows]))
        if found.shape != rows.shape:
            raise ValueError(
                f"clustering={name} returned labels of shape {found.shape} for {len(rows)} rows."
            )
        names, clusters = np.unique(found, return_inverse=True)
        if len(names) > n_parts:
            raise ValueError(
                f"clustering={name} returned {len(names)} clusters for n_clusters={n_parts}."
            )
        return clusters, 1

    def part(self, rows):
        """Return a splitter that knows these rows only, by their places among them."""
        return self._replace(Z=self.Z[rows])

    def scratch(self):
        """Return nothing: a clusterer needs no room of ours."""

    def cut(self, rows, n_left, seed, scratch):
        """Return `rows` with the `n_left` of the left side first, and 1 round.

        Rows stay in the cluster that they are found in, but for those that have to leave the larger
        one: the rows nearest the other's centre.
        """
        side, _ = self.split(rows, 2, seed)
        Z = self.Z[rows]
        if abs(np.count_nonzero(side) - n_left) < abs(np.count_nonzero(side == 0) - n_left):
            side = 1 - side
        centers = centers_of(*cluster_sums(Z, side, 2), spherical=False)
        score = Z @ (centers[[1]] - centers[[0]]).T
        score = score.toarray() if sp.issparse(score) else score
        order = np.lexsort((score.ravel(), side))
        return np.concatenate([rows[np.sort(order[:n_left])], rows[np.sort(order[n_left:])]]), 1
