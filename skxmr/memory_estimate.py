"""How much memory a fit will take, before it is begun.

The number of weights decides. It follows the number of features that the rows of each label have
between them, which a sample of labels tells; how many of these a threshold leaves was measured on
two data sets of texts (`_OF_THRESHOLD`).
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.validation import FLOATS, check_targets, validate_fit_data
from skxmr.indexing import LabelHierarchy
from skxmr.indexing.label_index import check_label_trees, trees_in_turn
from skxmr.linear.level_model import DENSE_CHILDREN, MOST_DENSE

SAMPLED_LABELS = 2000
# Rows: weight_threshold; weights of the labels for each feature of a label; weights of the clusters
# for each of these; chunk features for each weight. For C=1 and leaves of 100 labels.
_OF_THRESHOLD = np.array(
    [
        [0.0, 20.0, 0.08, 0.02],
        [0.01, 4.7, 0.2, 0.06],
        [0.05, 1.3, 0.45, 0.2],
        [0.1, 0.75, 0.55, 0.3],
        [0.2, 0.35, 0.65, 0.45],
        [0.4, 0.1, 0.9, 0.6],
    ]
)
# What an estimate may be wrong by: a fit is refused only beyond this many times the memory.
UNCERTAINTY = 2.0
WORD_BYTES = 16  # 64 features of a chunk's bitmap, with ranks


class MemoryEstimate(NamedTuple):
    """Bytes that a fit is expected to add to what the process holds, X and y among it.

    Attributes
    ----------
    rows : int
        A copy of X, where it is not CSR in float32.
    targets : int
        The indicator, and which rows belong to which cluster.
    label_features : int
        Representations of the labels and the work of clustering; freed before training.
    training : int
        Weights as they come from the solver, before they are joined.
    weights : int
        The weights of the model.
    tables : int
        What scoring needs beside them.
    """

    rows: int
    targets: int
    label_features: int
    training: int
    weights: int
    tables: int

    @property
    def peak(self):
        """Most bytes at any time."""
        models = self.training + self.weights + self.tables
        return self.rows + self.targets + max(self.label_features, models)

    def __str__(self):
        """Show the parts in megabytes."""
        parts = ", ".join(
            f"{name.replace('_', ' ')} {size / 1e6:,.0f}"
            for name, size in zip(self._fields, self, strict=True)
        )
        return f"peak {self.peak / 1e6:,.0f} MB ({parts})"


class MemoryEstimationMixin:
    """The method `estimate_memory` of the classifier."""

    def estimate_memory(self, X, y):
        """Estimate how much memory `fit` will take, without training.

        A matcher, ranker or callable of one's own is not counted. With default parameters the
        estimate was between a sixth below and a half above the measured peak on three data sets;
        with other parameters it may be half or twice.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        MemoryEstimate
            Bytes by part, and their `peak`.

        Raises
        ------
        ValueError
            If `fit` would refuse the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> wanted = XRLinearClassifier().estimate_memory(X, Y)
        >>> 0 < wanted.weights < wanted.peak
        True
        """
        self._validate_params()
        plain = sp.issparse(X) and X.format == "csr" and X.dtype == np.float32
        options = {"accept_sparse": "csr", "dtype": FLOATS, "multi_output": True}
        (X, y), _ = validate_fit_data(self, X, y, **options)
        Y = check_targets(y)[0]
        shape = {name: getattr(self, name) for name in ("branching_factor", "max_leaf_size")}
        check_label_trees(self.label_tree, self.n_trees, Y.shape[1], **shape)
        pattern = sp.csr_array(X)
        rows = 0 if plain else pattern.nnz * 8 + pattern.shape[0] * 8
        return _estimate(self, rows, Y, X.shape[1], _features_of_labels(pattern, Y))


def refuse_if_too_large(classifier, X, Y):
    """Raise if a fit cannot end: long before the system runs out of memory, and kills it.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters.
    X : tuple
        (indptr, indices, data, n_features) of the rows.
    Y : csr_array
        Indicator.

    Raises
    ------
    MemoryError
        If the estimate is more than twice the memory that the machine or its container has.
    """
    limit = memory_limit()
    if limit is None:
        return
    indptr, indices, data, n_features = X
    row_sizes = np.diff(indptr)
    most = int(row_sizes @ np.diff(Y.indptr))
    if _estimate(classifier, 0, Y, n_features, most).peak < UNCERTAINTY * limit:
        return
    pattern = sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_features))
    estimate = _estimate(classifier, 0, Y, n_features, _features_of_labels(pattern, Y))
    if estimate.peak >= UNCERTAINTY * limit:
        changes = [f"raise weight_threshold (now {classifier.weight_threshold})"]
        if classifier.n_trees > 1:
            changes.append(f"lower n_trees (now {classifier.n_trees})")
        raise MemoryError(
            f"This fit would take about {estimate.peak / 1e9:,.0f} GB, and there are "
            f"{limit / 1e9:,.0f} GB: {' or '.join(changes)}. {estimate}."
        )


def memory_limit():
    """Return the bytes of memory that this process can have, or None where that is not known."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    root = Path("/sys/fs/cgroup")
    candidates = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            candidates.append(root / line.rpartition(":")[2].lstrip("/") / "memory.max")
    for file in candidates:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits, default=None)


def _features_of_labels(X, Y):
    # The features that the rows of a label have, counted once each, summed over labels.
    n_labels = Y.shape[1]
    sample = np.random.RandomState(0).permutation(n_labels)[:SAMPLED_LABELS]
    pattern = sp.csr_array((np.ones(X.nnz, dtype=np.float32), X.indices, X.indptr), shape=X.shape)
    chosen = sp.csr_array(sp.csc_array(Y)[:, sample].T, dtype=np.float32)
    return (chosen @ pattern).nnz * n_labels / max(1, len(sample))


def _estimate(classifier, rows, Y, n_features, label_features):
    trees = trees_in_turn(classifier.label_tree, classifier.n_trees)
    parts = [_of_tree(classifier, tree, Y.shape[1], n_features, label_features) for tree in trees]
    n_levels, training, weights, tables = zip(*parts, strict=True)
    return MemoryEstimate(
        rows=int(rows),
        targets=int(12 * Y.nnz * (1 + max(n_levels))),
        label_features=int(12 * label_features),
        training=int(max(training)),
        weights=int(sum(weights)),
        tables=int(sum(tables)),
    )


def _of_tree(classifier, tree, n_labels, n_features, label_features):
    # Levels of a tree, and bytes: what its training needs, its weights, its tables.
    leaf = classifier.max_leaf_size or getattr(tree, "max_leaf_size", 100)
    width = classifier.branching_factor or getattr(tree, "branching_factor", 16)
    if isinstance(tree, LabelHierarchy):
        n_levels, leaf = tree.n_levels, n_labels / tree.n_leaves
        width = max(int(np.diff(indptr).max()) for indptr in tree.child_indptrs[:-1] or [[0, 1]])
    else:
        clusters = max(1.0, n_labels / leaf)
        n_levels = 1 + int(np.ceil(np.log(clusters) / np.log(width)))
    threshold, *curves = _OF_THRESHOLD.T
    kept, above, chunk_features = (
        np.interp(classifier.weight_threshold, threshold, curve) for curve in curves
    )
    kept *= classifier.C**0.25
    above *= 1 + np.log(max(1.0, 100 / leaf)) / 2 if n_levels > 1 else 0
    of_labels = min(label_features * kept, float(n_labels) * n_features)
    if classifier.max_weights_per_label is None:
        left = of_labels
    else:
        left = min(of_labels, float(n_labels) * classifier.max_weights_per_label)
    of_clusters = of_labels * above
    n_weights = left + of_clusters
    features, features_above = left * chunk_features, of_clusters * chunk_features
    bytes_each = np.dtype(classifier.weight_dtype).itemsize
    clusters = max(1.0, n_labels / leaf)
    tables = WORD_BYTES * min(features, clusters * n_features / 64)
    tables += WORD_BYTES * min(features_above, (1 + clusters / width) * n_features / 64)
    if leaf <= DENSE_CHILDREN and features <= MOST_DENSE:
        tables += DENSE_CHILDREN * bytes_each * features
    if width <= DENSE_CHILDREN:  # of all levels above, counted as one
        tables += DENSE_CHILDREN * bytes_each * min(features_above, MOST_DENSE)
    training = (2 + bytes_each) * (of_labels + of_clusters) + 4 * (features + features_above)
    return n_levels, training, (1 + bytes_each) * n_weights + features + features_above, tables
