"""Make a label tree like the tree of a fit, in a part of its time and memory."""

import time

import numpy as np
from sklearn.base import clone

from skxmr._core.arrays import csr_of, offsets_of
from skxmr.indexing import (
    MAX_PIFA_ENTRIES,
    HierarchicalLabelTree,
    positive_instance_features,
)

# Up to this many labels, the tree is made from complete label features. For more labels, the
# features of a label have at most SHORT_ENTRIES entries. On 50,000 generated labels and on
# debian-deps-bysource, the clusters of a default tree then have as many rows as with complete
# features (within 10 % on each level), and the tree takes a quarter of the time.
SAMPLED_LABELS = 4096
SHORT_ENTRIES = 16


class TreeSampler:
    """Makes trees from short features of all labels; `positives` is the indicator as csc_array.

    `entries` and `seconds` are those of the complete features of all labels, as a fit makes them.
    """

    def __init__(self, X, positives):
        rows = csr_of(X.indptr, X.indices, X.data, (X.n_rows, X.n_features))
        step = -(-positives.shape[1] // SAMPLED_LABELS)
        self.labels = slice(None, None, step)
        # The time of a label follows the entries of its rows. They also bound its own entries.
        work = np.diff(offsets_of(np.diff(X.indptr)[positives.indices])[positives.indptr])
        bound = np.minimum(work, MAX_PIFA_ENTRIES)
        begun = time.process_time()
        sampled = positives[:, self.labels]
        self.complete = positive_instance_features(rows, sampled, max_entries=MAX_PIFA_ENTRIES)
        seconds = time.process_time() - begun
        self.seconds = float(seconds * work.sum() / max(1, work[self.labels].sum()))
        self.entries = float(self.complete.nnz * bound.sum() / max(1, bound[self.labels].sum()))
        self.short = self.complete
        if step > 1:
            self.short = positive_instance_features(rows, positives, max_entries=SHORT_ENTRIES)
        self.frequencies = np.diff(positives.indptr)

    def sample(self, tree, branching_factor, max_leaf_size):
        """Return a hierarchy, and the processor time of the hierarchy of a fit.

        `tree` is an estimator or None, and the other arguments override its parameters. Custom
        clusterers are not called. They may be slow, and k-means takes their place.
        """
        tree = clone(tree or HierarchicalLabelTree()).set_params(n_jobs=1, random_state=0)
        shape = {"branching_factor": branching_factor, "max_leaf_size": max_leaf_size}
        tree.set_params(**{name: value for name, value in shape.items() if value is not None})
        if not isinstance(tree.clustering, str):
            tree.set_params(clustering="kmeans")
        hierarchy, seconds = _grow(tree, self.short, self.frequencies)
        if self.short is self.complete:
            return hierarchy, seconds
        # The sampled labels show how much longer complete features take than short ones.
        few = self.frequencies[self.labels]
        _, short = _grow(tree, self.short[self.labels], few)
        _, complete = _grow(tree, self.complete, few)
        return hierarchy, seconds * max(1.0, complete / max(short, 1e-9))


def _grow(tree, Z, frequencies):
    needed = frequencies if tree.clustering == "huffman" else None
    begun = time.process_time()
    hierarchy = tree.fit_hierarchy(Z, frequencies=needed)
    return hierarchy, time.process_time() - begun
