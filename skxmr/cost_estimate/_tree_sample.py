"""Make a label tree like the tree of a fit, in a part of its time and memory."""

import time

import numpy as np
from sklearn.base import clone

from skxmr._core.arrays import offsets_of
from skxmr.indexing import MAX_PIFA_ENTRIES, HierarchicalLabelTree, sum_positive_rows

# Up to this many labels, the tree is made from the label features of a fit. For more labels, the
# features of a label have at most SHORT_ENTRIES entries. On 50,000 generated labels and on
# debian-deps-bysource, the clusters of a default tree then have as many rows as with the features
# of a fit (within 10 % on each level), and the tree takes a quarter of the time.
SAMPLED_LABELS = 4096
SHORT_ENTRIES = 16


class TreeSampler:
    """Makes trees from short features of all labels; `positives` is the indicator as csc_array.

    `fit_features` are features as in a fit, for a sample of labels: "pifa" with at most
    MAX_PIFA_ENTRIES entries per label. `entries` and `seconds` are estimates for all labels.
    """

    def __init__(self, X, positives):
        step = -(-positives.shape[1] // SAMPLED_LABELS)
        self.labels = labels = slice(None, None, step)
        # Time is proportional to the entries of the label's rows. A label cannot have more entries
        # than its rows.
        row_entries = np.diff(offsets_of(X.row_sizes[positives.indices])[positives.indptr])
        bounds = np.minimum(row_entries, MAX_PIFA_ENTRIES)
        start = time.process_time()
        sampled = positives[:, labels]
        self.fit_features = sum_positive_rows(X, sampled, max_entries=MAX_PIFA_ENTRIES)
        seconds = time.process_time() - start
        self.seconds = float(seconds * row_entries.sum() / max(1, row_entries[labels].sum()))
        self.entries = float(self.fit_features.nnz * bounds.sum() / max(1, bounds[labels].sum()))
        self.short_features = self.fit_features
        if step > 1:
            self.short_features = sum_positive_rows(X, positives, max_entries=SHORT_ENTRIES)
        self.frequencies = np.diff(positives.indptr)

    def sample(self, tree, branching_factor, max_leaf_size):
        """Return a hierarchy, and estimated processor seconds that a fit needs for its hierarchy.

        `tree` is an estimator or None; the other arguments override its parameters. K-means
        replaces custom clusterers, which may be slow.
        """
        tree = clone(tree or HierarchicalLabelTree()).set_params(n_jobs=1, random_state=0)
        shape = {"branching_factor": branching_factor, "max_leaf_size": max_leaf_size}
        tree.set_params(**{name: value for name, value in shape.items() if value is not None})
        if not isinstance(tree.clustering, str):
            tree.set_params(clustering="kmeans")
        hierarchy, seconds = _time_hierarchy(tree, self.short_features, self.frequencies)
        if self.short_features is self.fit_features:
            return hierarchy, seconds
        # The sampled labels show how much longer a tree of the features of a fit takes.
        frequencies = self.frequencies[self.labels]
        _, short_seconds = _time_hierarchy(tree, self.short_features[self.labels], frequencies)
        _, complete_seconds = _time_hierarchy(tree, self.fit_features, frequencies)
        return hierarchy, seconds * max(1.0, complete_seconds / max(short_seconds, 1e-9))


def _time_hierarchy(tree, Z, frequencies):
    # Return a hierarchy and its processor seconds.
    used_frequencies = frequencies if tree.clustering == "huffman" else None
    start = time.process_time()
    hierarchy = tree.fit_hierarchy(Z, frequencies=used_frequencies)
    return hierarchy, time.process_time() - start
