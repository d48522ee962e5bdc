"""Memory of a fit: bytes of the arrays that exist at the same time."""

from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs

from skxmr._linear import FolderStore


class MemoryEstimate(NamedTuple):
    """Bytes that a fit is expected to add to the memory of the process, which holds X and y.

    Attributes
    ----------
    rows : int
        Copy of X, if X is not CSR in float32.
    targets : int
        Indicator, and costs of its entries.
    label_features : int
        Label features and the memory of clustering; freed before training.
    training : int
        Training rows of each cluster, memory of the solver, and weights before they are joined.
    weights, tables : int
        Weights of the model, and tables for scoring; 0 with `model_dir`.
    files : int
        Size of the files in `model_dir`; 0 without it.
    """

    rows: int
    targets: int
    label_features: int
    training: int
    weights: int
    tables: int
    files: int = 0

    @property
    def peak(self):
        """Maximum number of bytes at any time."""
        models = self.training + self.weights + self.tables
        return self.rows + self.targets + max(self.label_features, models)

    def __str__(self):
        """Show the parts in megabytes."""
        parts = ", ".join(
            f"{name.replace('_', ' ')} {size / 1e6:,.0f}"
            for name, size in zip(self._fields, self, strict=True)
            if size or name != "files"
        )
        return f"peak {self.peak / 1e6:,.0f} MB ({parts})"


def memory_of(costs, classifier, copied):
    """Return the `MemoryEstimate` of `FitCosts`; `copied` are the bytes of the copy of X."""
    n_workers = effective_n_jobs(classifier.n_jobs)
    to_files = classifier.model_dir is not None
    weights = int(sum(level.weights for tree in costs.trees for level in tree))
    tables = int(sum(level.tables for tree in costs.trees for level in tree))
    training = max(_training_bytes(tree, costs, n_workers, to_files) for tree in costs.trees)
    # An entry has an index and a value. Several threads make parts, which exist twice in part.
    per_entry = 8 if n_workers == 1 else 14
    features = per_entry * costs.feature_entries + 16 * costs.n_features * n_workers
    features += 13 * costs.n_positives + 45 * costs.n_labels
    return MemoryEstimate(
        rows=copied,
        targets=9 * costs.n_positives + 12 * costs.n_rows + 40 * costs.n_labels,
        label_features=int(features) if costs.feature_entries else 0,
        training=int(training),
        weights=0 if to_files else weights,
        tables=0 if to_files else tables,
        files=weights + tables if to_files else 0,
    )


def _training_bytes(levels, costs, n_workers, to_files):
    # Bytes of training a tree, without those of the model.
    models = np.array([level.weights + level.tables for level in levels])
    # Rows, values and costs of the positives of all nodes, and memory of sorting them.
    pairs = 12 * (costs.n_positives + sum(level.total.positives for level in levels))
    # The largest clusters, one for each thread.
    n_parents = np.array([level.n_parents for level in levels])
    spaces = [level.largest.workspace for level in levels]
    spaces = np.sort(np.repeat(spaces, np.minimum(n_parents, n_workers)))[-n_workers:].sum()
    if to_files:
        # Each thread holds a block of weights and its tables.
        n_blocks = np.minimum(n_parents, FolderStore.n_blocks)
        return pairs + spaces + n_workers * (models / n_blocks).max()
    # The system does not get back the memory of weights and words when they are joined.
    solved = sum(level.weights + level.total.words for level in levels)
    return pairs + solved + max(0.0, spaces - models.sum())
