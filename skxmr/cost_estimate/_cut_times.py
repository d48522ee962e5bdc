"""How long a balanced tree takes, from the times of some of its cuts."""

import time

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr.indexing import KMeansBisector, cut_evenly

# Of more than twice this many rows a cut is found on so many of them; see `_balanced_kmeans`.
SAMPLED_ROWS = 4096
# Rounds over all rows of such a cut.
FULL_ROUNDS = 2
# Rows of the smallest cuts that are timed, and entries on a page of memory.
SMALLEST = 256
PAGE = 1024


class CutTimes:
    """Times cuts, and sums those of a whole tree up.

    What a cut takes for each entry depends on its size, by rounds and by what fits in caches; and
    its rows lie far apart, on pages of their own.

    Parameters
    ----------
    spherical, max_iter
        As for `KMeansBisector`.
    """

    def __init__(self, spherical, max_iter):
        self.settings = {"spherical": spherical, "max_iter": max_iter}
        # Entries and seconds by the logarithm of the number of rows.
        self.entries = np.zeros(32)
        self.spent = np.zeros(32)
        self.full = 0.0

    def bisector(self, Z):
        """Return a bisector of label features."""
        return KMeansBisector.of(Z, **self.settings)

    def calibrate(self, Z, n_entries):
        """Time the cuts of a tree of few labels, their features as far apart as those of all.

        Parameters
        ----------
        Z : csr_array
            Label features of some labels.
        n_entries : float
            Entries of the label features of all.
        """
        arrays = _spread(Z, min(PAGE, max(0, round((n_entries - Z.nnz) / Z.shape[0]))))
        rows = 2 * np.arange(Z.shape[0], dtype=np.int32)
        timed = _TimedBisector(self, KMeansBisector(arrays, **self.settings))
        cut_evenly(rows, max(1, len(rows) // SMALLEST), bisector=timed, seed=0)
        few = KMeansBisector(arrays, **{**self.settings, "max_iter": FULL_ROUNDS})
        begun = time.process_time()
        if len(rows) > 1:
            few.cut(rows, len(rows) // 2, 0, few.scratch())
        self.full = (time.process_time() - begun) / max(1, Z.nnz)

    def seconds(self, n_labels, n_leaves, n_entries):
        """Return the processor time of a tree.

        Parameters
        ----------
        n_labels, n_leaves : int
            Labels and leaf clusters.
        n_entries : float
            Entries of the label features.

        Returns
        -------
        float
        """
        timed = np.flatnonzero(self.entries)
        if not len(timed):
            return 0.0
        each = self.spent[timed] / self.entries[timed]
        total, depth, left = 0.0, 0, float(np.log2(max(1, n_leaves)))
        while left > 0:
            size = np.log2(n_labels) - depth
            if 2**size > 2 * SAMPLED_ROWS:
                sample = np.interp(np.log2(SAMPLED_ROWS), timed, each)
                cost = self.full + sample * SAMPLED_ROWS / 2**size
            else:
                cost = np.interp(size, timed, each)
            total += min(1.0, left) * cost
            depth, left = depth + 1, left - 1.0
        return float(total * n_entries)


def _spread(Z, gap):
    # Arrays of a bisector: row i of Z is row 2 i, and those between are never looked at.
    sizes = np.empty(2 * Z.shape[0], dtype=np.int64)
    sizes[::2] = np.diff(Z.indptr)
    sizes[1::2] = gap
    indptr = offsets_of(sizes)
    places = np.arange(Z.nnz) + np.repeat(gap * np.arange(Z.shape[0]), sizes[::2])
    indices = np.empty(indptr[-1], dtype=np.int32)
    data = np.empty(indptr[-1], dtype=np.float32)
    indices[places], data[places] = Z.indices, Z.data
    return indptr, indices, data, Z.shape[1]


class _TimedBisector:
    def __init__(self, times, bisector):
        self.times = times
        self.bisector = bisector
        self.scratch = bisector.scratch

    def cut(self, rows, n_left, seed, scratch):
        begun = time.process_time()
        result = self.bisector.cut(rows, n_left, seed, scratch)
        indptr = self.bisector.arrays[0]
        n_entries = int((indptr[rows + 1] - indptr[rows]).sum())
        size = round(np.log2(len(rows)))
        self.times.entries[size] += n_entries
        self.times.spent[size] += time.process_time() - begun
        return result
