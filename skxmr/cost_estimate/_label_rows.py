"""The rows of each label, its features, and cuts of labels that compute the features of few."""

import time

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of, offsets_of
from skxmr.indexing import CLUSTERED_ENTRIES, aggregate, part_sizes

# Labels of a cluster that are looked at to find where it is cut, and of these to learn how long
# the sums of label rows are.
CUT_LABELS = 4096
NORM_LABELS = 512
# Labels that tell what the features of all take.
SAMPLED_LABELS = 8192


class LabelRows:
    """What an estimate needs to know about labels, without the features of all of them.

    Parameters
    ----------
    X : tuple
        (indptr, indices, data, n_features) of the rows.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    seed : int
        Seeds what is drawn.

    Attributes
    ----------
    work : ndarray of shape (n_labels,), float64
        Entries of the rows of each label.
    aux : ndarray of shape (n_labels,), float64
        What a label is drawn by: about its part in the size of a model.
    sample : csr_array of shape (n_sampled, n_features)
        Features of labels drawn evenly.
    n_entries : float
        Entries that the features of all labels have, by this sample.
    seconds : float
        Processor time that the features of all labels take, by this sample.
    """

    def __init__(self, X, Y, seed=0):
        self.arrays = X
        indptr, indices, data, n_features = X
        n_rows = len(indptr) - 1
        self.X = csr_of(indptr, indices, data, (n_rows, n_features))
        self.random = np.random.RandomState(seed)
        begun = time.process_time()
        columns = sp.csc_array(Y)
        self.sort_seconds = time.process_time() - begun
        self.labels_of_row = np.diff(Y.indptr)
        self.row_weights = (1.0 / np.sqrt(np.maximum(self.labels_of_row, 1))).astype(np.float32)
        rows = columns.indices.astype(np.int32, copy=False)
        # A row for each label, its rows of X as columns.
        self.matrix = csr_of(columns.indptr, rows, self.row_weights[rows], Y.shape[::-1])
        squares = np.append(0.0, np.cumsum(data.astype(np.float64) ** 2))
        self.row_squares = np.diff(squares[indptr])
        sums = offsets_of(np.diff(indptr)[rows])[columns.indptr]
        self.work = np.diff(sums).astype(np.float64)
        self.aux = self.work**0.75 + 1e-3
        bound = np.minimum(self.work, CLUSTERED_ENTRIES)
        n_labels = len(self.work)
        labels = np.sort(self.random.permutation(n_labels)[:SAMPLED_LABELS])
        begun = time.process_time()
        self.sample = self.features(labels)
        self.seconds = time.process_time() - begun
        self.seconds *= float(self.work.sum()) / max(1.0, self.work[labels].sum())
        self.n_entries = self.sample.nnz * float(bound.sum()) / max(1.0, bound[labels].sum())

    @property
    def n_pairs(self):
        """Number of positives in all."""
        return self.matrix.nnz

    def features(self, labels):
        """Return the label features "pifa" of some labels, as the clustering sees them."""
        chosen = self.matrix[labels]
        n_features = self.arrays[3]
        most = min(CLUSTERED_ENTRIES, n_features)
        counts, columns, values = aggregate(
            chosen.indptr.astype(np.int64),
            chosen.indices.astype(np.int32, copy=False),
            self.row_weights,
            *self.arrays,
            int(np.minimum(self.work[labels], most).sum()),
            most,
        )
        return csr_of(offsets_of(counts), columns, values, (len(labels), n_features))

    def cut(self, labels, n_parts, times):
        """Cut labels into parts of about equal size, as a balanced tree does.

        Centres are found on the features of a sample. All labels join them by the products of
        their rows, so that their features are not needed: a label's product with a direction is the
        sum of its rows' over the length of that sum, and the length is told by the sample.

        Parameters
        ----------
        labels : ndarray of int
            The labels.
        n_parts : int
            Number of parts.
        times : CutTimes
            Makes the bisector, and takes the times of its cuts.

        Returns
        -------
        list of ndarray
            Labels of each part.
        """
        own = self.matrix[labels]
        sample = np.sort(self.random.permutation(len(labels))[:CUT_LABELS])
        Z = self.features(labels[sample])
        lengths = self._lengths(own, sample)
        X = self.X
        if len(labels) < self.matrix.shape[0] / 2:
            own, X = _used_rows(own, X)
        place = np.full(len(labels), -1, dtype=np.int32)
        place[sample] = np.arange(len(sample))
        bisector = times.bisector(Z)
        scratch = bisector.scratch()
        parts = []
        stack = [(np.arange(len(labels)), part_sizes(len(labels), n_parts))]
        while stack:
            members, sizes = stack.pop()
            if len(sizes) == 1:
                parts.append(labels[members])
                continue
            half = len(sizes) // 2
            n_left = int(sizes[:half].sum())
            seen = place[members]
            seen = seen[seen >= 0]
            order = np.arange(len(members))
            if len(seen) >= 2:
                share = min(max(1, round(len(seen) * n_left / len(members))), len(seen) - 1)
                seed = int(self.random.randint(2**31 - 1))
                seen, _ = bisector.cut(seen, share, seed, scratch)
                direction = _unit_sum(Z[seen[share:]]) - _unit_sum(Z[seen[:share]])
                products = own[members] @ (X @ direction)
                order = np.argsort(products / lengths[members], kind="stable")
            stack.append((members[np.sort(order[n_left:])], sizes[half:]))
            stack.append((members[np.sort(order[:n_left])], sizes[:half]))
        return parts

    def _lengths(self, own, sample):
        # |sum of rows|^2 lies between the sum of squares and the square of the sum of lengths;
        # where, is about the same for all labels.
        alone = own.power(2) @ self.row_squares
        aligned = (own @ np.sqrt(self.row_squares)) ** 2
        few = sample[:: max(1, len(sample) // NORM_LABELS)]
        sums = own[few] @ self.X
        found = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
        spread = float((aligned - alone)[few].sum())
        between = max(0.0, float((found - alone[few]).sum()) / spread) if spread > 0 else 0.0
        lengths = np.sqrt(alone + between * np.maximum(aligned - alone, 0.0))
        return np.where(lengths > 0, lengths, 1.0)


def _unit_sum(rows):
    total = np.asarray(rows.sum(axis=0), dtype=np.float32).ravel()
    return total / max(float(np.linalg.norm(total)), 1e-30)


def _used_rows(own, X):
    used = np.zeros(X.shape[0], dtype=bool)
    used[own.indices] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    shape = (own.shape[0], int(used.sum()))
    return csr_of(own.indptr, number[own.indices], own.data, shape), X[np.flatnonzero(used)]
