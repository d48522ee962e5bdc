"""Features of labels and clusters from their positive rows, computed only where they are needed.

`positive_instance_features` computes the features of all labels. To add a few labels to a large
tree, this would take most of the time.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr._core.rows import TrainingRows
from skxmr.indexing._kmeans import compute_centers
from skxmr.indexing._label_features import MAX_PIFA_ENTRIES
from skxmr.indexing._positive_instances import sum_positive_rows


class LabelVectors(NamedTuple):
    """Features of labels and clusters.

    Attributes
    ----------
    rows : TrainingRows
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    row_weights : ndarray of shape (n_samples,), float32, or None
        Multiplier of each row.
    n_jobs : int or None
        Number of threads, as in joblib. The results do not depend on it.
    """

    rows: TrainingRows
    Y: sp.csr_array
    row_weights: np.ndarray | None = None
    n_jobs: int | None = None

    def vectors(self, labels):
        """Return the label features "pifa" of some labels: unit rows, or zero without rows."""
        Y = sp.csr_array(self.Y[:, labels])
        # `sum_positive_rows` divides rows by the root of the number of these labels.
        weights = np.sqrt(np.diff(Y.indptr)) * self._scales
        return sum_positive_rows(
            self.rows,
            Y,
            row_weights=weights.astype(np.float32),
            max_entries=MAX_PIFA_ENTRIES,
            n_jobs=self.n_jobs,
        )

    def centers(self, clusters, n_clusters):
        """Return the normalized sum of the rows of each cluster, once for each label of a row.

        Parameters
        ----------
        clusters : ndarray of shape (n_labels,), int
            Cluster of each label; -1 for labels in no cluster.
        n_clusters : int
            Number of clusters.

        Returns
        -------
        {ndarray, csr_array} of shape (n_clusters, n_features), float32
            Rows of unit length, or zero; dense if the training rows are dense.
        """
        kept = np.flatnonzero(clusters[self.Y.indices] >= 0)
        rows = np.repeat(np.arange(self.Y.shape[0]), np.diff(self.Y.indptr))[kept]
        values = self._scales[rows].astype(np.float32)
        M = sp.csr_array(
            (values, (clusters[self.Y.indices[kept]], rows)), shape=(n_clusters, self.Y.shape[0])
        )
        X, n_dense = self.rows, self.rows.dense.shape[1]
        parts = []
        if n_dense < X.n_features:
            shape = (X.n_rows, X.n_features - n_dense)
            parts.append(M @ csr_of(X.indptr, X.indices, X.data, shape))
        if n_dense:
            parts.append(M @ X.dense)
        sums = parts[0] if len(parts) == 1 else sp.hstack(parts, format="csr")
        return compute_centers(sums, None, True)

    @property
    def _scales(self):
        # Multiplier of each row in all sums.
        scales = 1.0 / np.sqrt(np.maximum(np.diff(self.Y.indptr), 1))
        return scales if self.row_weights is None else scales * self.row_weights
