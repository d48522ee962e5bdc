"""Bytes of a fit, part by part, from what its arrays hold."""

from typing import NamedTuple

from joblib import effective_n_jobs

from skxmr._linear import FolderStore
from skxmr._linear.level_model import DENSE_CHILDREN, has_dense_vectors

# Bits of a summary stand for so many features; see `feature_sets`.
SUMMARY_FEATURES = 64 * 64


class MemoryEstimate(NamedTuple):
    """Bytes that a fit is expected to add to what the process holds, X and y among it.

    Attributes
    ----------
    rows : int
        A copy of X, where it is not CSR in float32.
    targets : int
        The indicator, and what its entries count.
    label_features : int
        Representations of the labels and the work of clustering; freed before training.
    training : int
        Which rows train which cluster, working space, and weights as they come from the solver.
    weights : int
        The weights of the model; 0 with `model_dir`.
    tables : int
        What scoring needs beside them; 0 with `model_dir`.
    files : int
        What `model_dir` will hold; 0 without one.
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
        """Most bytes of memory at any time."""
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


def estimate_memory(costs, rows, n_jobs, model_dir):
    """Add up the bytes of a fit.

    Parameters
    ----------
    costs : FitCosts
        What was measured.
    rows : int
        Bytes of the copy of X.
    n_jobs : int or None
        As in joblib.
    model_dir : path-like or None
        As in the classifier.

    Returns
    -------
    MemoryEstimate
    """
    n_workers = effective_n_jobs(n_jobs)
    targets = target_bytes(costs.n_rows, costs.n_labels, costs.n_pairs)
    features = feature_bytes(costs, n_workers) if costs.feature_entries else 0
    of_trees = [_of_tree(tree, costs, n_workers, model_dir is not None) for tree in costs.trees]
    training, weights, tables = zip(*of_trees, strict=True)
    sizes = {"weights": int(sum(weights)), "tables": int(sum(tables)), "files": 0}
    if model_dir is not None:
        sizes = {"weights": 0, "tables": 0, "files": int(sum(weights) + sum(tables))}
    return MemoryEstimate(
        rows=int(rows),
        targets=int(targets),
        label_features=int(features),
        training=int(max(training)),
        **sizes,
    )


def target_bytes(n_rows, n_labels, n_pairs):
    """Return the bytes of the indicator, of its costs, and of a few numbers a label and a row."""
    return 9 * n_pairs + 12 * n_rows + 40 * n_labels


def feature_bytes(costs, n_workers):
    """Return the bytes of label features, and of the work of making them and of clustering."""
    # Parts of several threads are joined: they are there once and a half, and not all of their
    # memory is given back.
    each = 8 if n_workers == 1 else 14
    dense = 16 * costs.n_features * n_workers
    return each * costs.feature_entries + dense + 13 * costs.n_pairs + 45 * costs.n_labels


def pair_bytes(targets, n_pairs):
    """Return the bytes of the rows of clusters: ids, values and costs, and what sorting leaves."""
    return 12 * targets + 12 * n_pairs


def has_vectors(level, kept):
    """Return whether a level of these costs is scored from dense vectors."""
    return has_dense_vectors(level.width, level.kept_features if kept else level.features)


def _of_tree(tree, costs, n_workers, to_files):
    # Bytes: what training needs beside the model, its weights, its tables.
    pairs = pair_bytes(sum(level.targets for level in tree.levels), costs.n_pairs)
    spaces = _workspaces(tree, n_workers)
    kept = [_weight_bytes(level, costs, kept=True) for level in tree.levels]
    tables = [_table_bytes(level, costs, kept=True) for level in tree.levels]
    if to_files:
        # A block of weights a worker, in chunks and joined; or a block and its tables.
        share = 1 / FolderStore.n_blocks
        most = FolderStore.max_children
        blocks = [
            min(1.0, max(share, 1 / level.n_parents), most / level.n_children) * (size + table)
            for level, size, table in zip(tree.levels, kept, tables, strict=True)
        ]
        training = pairs + max(spaces + n_workers * max(blocks), 2 * max(blocks))
        return training, sum(kept), sum(tables)
    # Memory of blocks is not given back as they are joined; to fill a dense table takes two
    # numbers of 64 bits for each weight.
    solved, before, most = 0.0, 0.0, spaces
    for level in tree.levels:
        size = _weight_bytes(level, costs, kept=False)
        table = _table_bytes(level, costs, kept=False)
        filling = 16 * level.weights if has_vectors(level, kept=False) else 0
        solved += size + 8 * level.words
        before += size + table
        most = max(most, before + filling)
    last = tree.levels[-1]
    if last.kept_weights < last.weights:
        most = max(most, before + kept[-1] + tables[-1])
    return max(0.0, pairs + solved + most - sum(kept) - sum(tables)), sum(kept), sum(tables)


def _workspaces(tree, n_workers):
    # Of the largest clusters, one a worker.
    total, left = 0.0, float(n_workers)
    for space, number in sorted(w for level in tree.levels for w in level.workspaces)[::-1]:
        count = min(left, max(1.0, number))
        total += count * space
        left -= count
        if left <= 0:
            break
    return total


def _weight_bytes(level, costs, kept):
    # Words of the bitmaps are in the tables, beside their ranks.
    weights = level.kept_weights if kept else level.weights
    features = level.kept_features if kept else level.features
    narrow = 1 if level.width < 2**8 else 2
    summaries = 8 * level.n_parents * -(-costs.n_features // SUMMARY_FEATURES)
    each = costs.weight_bytes + narrow
    return each * weights + narrow * features + summaries + 16 * level.n_children


def _table_bytes(level, costs, kept):
    features = level.kept_features if kept else level.features
    words = level.kept_words if kept else level.words
    summaries = 4 * level.n_parents * -(-costs.n_features // SUMMARY_FEATURES)
    dense = DENSE_CHILDREN * costs.weight_bytes * features if has_vectors(level, kept) else 0
    return dense + 16 * words + summaries + 24 * level.n_parents
