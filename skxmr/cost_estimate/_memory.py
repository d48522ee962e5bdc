"""Memory of a fit: bytes of the arrays that exist at the same time."""

from typing import NamedTuple

import numpy as np

from skxmr._core.threads import count_workers
from skxmr._linear import FolderStore

# Bytes of the targets. Per positive: int8 indicator, int32 label, float32 cost. Per row: int64
# offset, int32 number. Per label: numbers and offsets of the hierarchy, roughly.
POSITIVE_BYTES, ROW_BYTES, LABEL_BYTES = 9, 12, 40
# Bytes of the label features. Per entry: int32 index, float32 value. Several threads make blocks,
# which are concatenated; their 14 bytes were fitted to WordNet, Debian and 50,000 generated labels
# (November 2026). Per feature and thread: float32 sum and scratch, one more entry.
ENTRY_BYTES, BLOCK_ENTRY_BYTES, FEATURE_BYTES = 8, 14, 16
# Bytes of clustering. Per positive: int8 and int32 of a CSC copy, int64 offset. Per label: three
# doubles, two int32 and one int8 of a bisection, int32 number, int64 offset.
CLUSTER_POSITIVE_BYTES, CLUSTER_LABEL_BYTES = 13, 45
NODE_POSITIVE_BYTES = 12  # per positive of a node: int32 row, float32 relevance, float32 cost


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
        Weights of the model, and tables for scoring; with `model_dir`, no weights, and only the
        tables that are not stored in files.
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
        """Show all sizes in megabytes."""
        sizes = ", ".join(
            f"{name.replace('_', ' ')} {size / 1e6:,.0f}"
            for name, size in zip(self._fields, self, strict=True)
            if size or name != "files"
        )
        return f"peak {self.peak / 1e6:,.0f} MB ({sizes})"


def estimate_memory(costs, classifier, copied_bytes):
    """Return the `MemoryEstimate` of `FitCosts`; `copied_bytes` is the size of the copy of X."""
    n_workers = count_workers(classifier.n_jobs)
    to_files = classifier.model_dir is not None
    weights = int(sum(level.weights for tree in costs.trees for level in tree))
    tables = int(sum(level.tables for tree in costs.trees for level in tree))
    stored_tables = int(sum(level.stored_tables for tree in costs.trees for level in tree))
    training = max(_training_bytes(tree, costs, n_workers, to_files) for tree in costs.trees)
    entry_bytes = ENTRY_BYTES if n_workers == 1 else BLOCK_ENTRY_BYTES
    features = entry_bytes * costs.feature_entries + FEATURE_BYTES * costs.n_features * n_workers
    features += CLUSTER_POSITIVE_BYTES * costs.n_positives + CLUSTER_LABEL_BYTES * costs.n_labels
    targets = POSITIVE_BYTES * costs.n_positives + ROW_BYTES * costs.n_rows
    return MemoryEstimate(
        rows=copied_bytes,
        targets=targets + LABEL_BYTES * costs.n_labels,
        label_features=int(features) if costs.feature_entries else 0,
        training=int(training),
        weights=0 if to_files else weights,
        tables=tables - stored_tables if to_files else tables,
        files=weights + stored_tables if to_files else 0,
    )


def _training_bytes(levels, costs, n_workers, to_files):
    # Bytes of training a tree, without those of the model.
    models = np.array([level.weights + level.tables for level in levels])
    # Positives of all nodes, and of the labels once more while they are sorted.
    n_positives = costs.n_positives + sum(level.total.positives for level in levels)
    positives = NODE_POSITIVE_BYTES * n_positives
    # The largest clusters, one for each thread.
    n_parents = np.array([level.n_parents for level in levels])
    spaces = [level.largest.workspace for level in levels]
    spaces = np.sort(np.repeat(spaces, np.minimum(n_parents, n_workers)))[-n_workers:].sum()
    if to_files:
        # Each thread holds a block of weights and its tables.
        n_blocks = np.minimum(n_parents, FolderStore.n_blocks)
        return positives + spaces + n_workers * (models / n_blocks).max()
    # Memory of the blocks that are freed by joining is not returned to the operating system.
    blocks = sum(level.weights + level.total.bitmap_bytes for level in levels)
    return positives + blocks + max(0.0, spaces - models.sum())
