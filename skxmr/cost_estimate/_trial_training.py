"""Train drawn clusters, or parts of them, to learn what all of a level take."""

import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._linear.level_model import LevelModel, join_chunks

# Children that are trained of a wide cluster, and visits of entries, once for 16 children, that a
# trial may have in a sweep; a larger cluster is trained on a part of its rows.
CHILDREN = 96
VISITS = 4e6
LEAST_ROWS = 64
LANES = 16


class ClusterTrial(NamedTuple):
    """What one cluster takes.

    Attributes
    ----------
    factor : float
        How many clusters of its level it stands for.
    labelled : float
        Positives of its labels: known in all, so that ratios to them are.
    rows, targets : float
        Rows it trains on, and positives of its children.
    weights, features, words : float
        Weights, features that have some, and words of the bitmap of these.
    kept_weights, kept_features, kept_words : float
        The same where weights of each child are bounded.
    seconds : float
        Processor time.
    workspace : float
        Bytes while it is trained.
    """

    factor: float
    labelled: float
    rows: float
    targets: float
    weights: float = 0.0
    features: float = 0.0
    words: float = 0.0
    kept_weights: float = 0.0
    kept_features: float = 0.0
    kept_words: float = 0.0
    seconds: float = 0.0
    workspace: float = 0.0


MEASURED = ("weights", "features", "words", "kept_weights", "kept_features", "kept_words")


class TrialTrainer:
    """Trains clusters as a fit does.

    Parameters
    ----------
    rows : LabelRows
        Rows and labels.
    solver : Solver
        What models minimise.
    relevance_norm : {"l1", "l2", "max"} or None
        As in the classifier.
    """

    def __init__(self, rows, solver, relevance_norm):
        self.rows = rows
        self.solver = solver
        self.norm = relevance_norm
        self.scratch = np.zeros(rows.arrays[3], dtype=np.int32)
        self.row_sizes = np.diff(rows.arrays[0])

    def train(self, cluster, max_weights=None):
        """Train a cluster.

        Parameters
        ----------
        cluster : SampledCluster
            The cluster.
        max_weights : int or None
            Most weights of a child.

        Returns
        -------
        trial : ClusterTrial
            What it takes.
        chunk : tuple or None
            As `Solver.solve` returns it; None where there was nothing to train.
        """
        own = self.rows.matrix[cluster.labels]
        used = np.zeros(own.shape[1], dtype=bool)
        used[own.indices] = True
        trained = np.flatnonzero(used)
        trial = ClusterTrial(cluster.factor, own.nnz, len(trained), 0.0)
        if not len(trained):
            return trial, None
        n_children = len(cluster.child_indptr) - 1
        wide = n_children > 4 * CHILDREN // 3
        order, sizes = self._draw(trained, CHILDREN if wide else n_children)
        used[:] = False
        used[order] = True
        positives = self._positives(cluster, own, used)
        trial = trial._replace(targets=positives.nnz * len(trained) / len(order))
        costs = self._costs(positives)
        share = 1.0
        if wide:
            chosen = np.sort(self.rows.random.permutation(n_children)[:CHILDREN])
            share = n_children / CHILDREN
            positives, costs = _columns(positives, costs, chosen)
        measured, chunk = [], None
        for size in sizes:
            part = np.sort(order[:size])
            values, chunk = self._solve(positives, costs, part, n_children, share, max_weights)
            measured.append(values)
        extended = _extended(measured, sizes, len(trained))
        whole = dict(zip(("seconds", *MEASURED), extended, strict=True))
        bounds = {"features": self.rows.arrays[3], "words": self.rows.arrays[3] / 64 + 1}
        for name, value in whole.items():
            whole[name] = min(value, bounds.get(name.removeprefix("kept_"), np.inf))
        entries = float(self.row_sizes[trained].sum())
        known = min(self.rows.arrays[3], entries)
        # Compacted rows; of a row duals and bookkeeping, of a feature weights in all lanes; and
        # weights that are kept, in buffers that double.
        workspace = 8 * entries + 170 * len(trained) + 80 * known + 20 * whole["weights"]
        return trial._replace(**whole, workspace=workspace), chunk

    def _draw(self, trained, n_children):
        # Rows to train on, and how many of them: all, or growing parts of as many as there is time
        # for.
        visits = self.row_sizes[trained].sum() * -(-n_children // LANES)
        if visits <= VISITS or len(trained) <= LEAST_ROWS:
            return trained, [len(trained)]
        most = max(LEAST_ROWS, int(len(trained) * VISITS / visits))
        return self.rows.random.permutation(trained)[:most], [most // 4, most // 2, most]

    def _positives(self, cluster, own, used):
        # Of the rows that are used, those of each child, as CSC; the values are the labels of the
        # row in it.
        kept = used[own.indices]
        indptr = offsets_of(kept)[own.indptr]
        ones = np.ones(indptr[-1], dtype=np.float32)
        found = csr_of(indptr, own.indices[kept], ones, own.shape)
        n_children = len(cluster.child_indptr) - 1
        if n_children < len(cluster.labels):
            # A row for each child, its labels as columns.
            labels = np.arange(len(cluster.labels))
            ones = np.ones(len(labels), dtype=np.float32)
            found = csr_of(cluster.child_indptr, labels, ones, (n_children, len(labels))) @ found
        found.sort_indices()
        return found.T  # CSC without a copy

    def _costs(self, positives):
        # Norms are of all children of the level. Labels in other clusters count as one each.
        if self.norm is None:
            return None
        rows, values = positives.indices, positives.data.astype(np.float64)
        sizes = np.zeros(positives.shape[0])
        if self.norm == "max":
            np.maximum.at(sizes, rows, values)
            return (values / sizes[rows]).astype(np.float32)
        inside = np.bincount(rows, weights=values, minlength=len(sizes))
        outside = np.maximum(self.rows.labels_of_row - inside, 0.0)
        if self.norm == "l1":
            return (values / (inside + outside)[rows]).astype(np.float32)
        squares = np.bincount(rows, weights=values**2, minlength=len(sizes))
        return (values / np.sqrt(squares + outside)[rows]).astype(np.float32)

    def _solve(self, positives, costs, part, n_children, share, max_weights):
        targets = positives.indptr.astype(np.int64), positives.indices.astype(np.int32, copy=False)
        begun = time.process_time()
        cluster = (part.astype(np.int32), *targets, costs, None)
        chunk = self.solver.solve(*self.rows.arrays[:3], *cluster, seed=0, scratch=self.scratch)
        seconds = share * (time.process_time() - begun)
        kept = chunk
        values = [seconds]
        for made in (chunk, kept):
            values.append(share * len(made[4]))
            for number in (len(made[2]), len(made[1])):
                # Children share features: twice as many have less than twice the features.
                values.append(number * share**0.5)
        return values, chunk


def _columns(positives, costs, chosen):
    # Some columns of CSC, and what stands beside its entries.
    numbered = sp.csc_array(
        (np.arange(positives.nnz), positives.indices, positives.indptr), shape=positives.shape
    )[:, chosen]
    data = positives.data[numbered.data]
    columns = sp.csc_array((data, numbered.indices, numbered.indptr), shape=numbered.shape)
    return columns, None if costs is None else costs[numbered.data]


def _extended(measured, sizes, size):
    # Values at a size beyond those measured. Time follows a power of it, that of the first to the
    # last; counts do so with a power that falls, as features are used up: by the same again for
    # each doubling.
    last = np.array(measured[-1], dtype=np.float64)
    if sizes[-1] == size:
        return last
    logs = np.log(np.maximum(np.array(measured, dtype=np.float64), 1e-9))
    steps = np.log(np.array(sizes[1:]) / sizes[:-1])
    powers = np.diff(logs, axis=0) / steps[:, None]
    reach = np.log(size / sizes[-1])
    bend = np.minimum(powers[1] - powers[0], 0.0) / steps[-1]
    # The power at the largest size: what was found is that of the middle of a step.
    power = np.maximum(powers[1] + bend * steps[-1] / 2, 0.0)
    # It falls to 0, and not below.
    until = np.minimum(reach, power / np.maximum(-bend, 1e-12))
    growth = power * until + bend * until**2 / 2
    growth[0] = reach * np.clip((logs[-1] - logs[0])[0] / steps.sum(), 0.9, 1.15)
    return last * np.exp(growth)


def join_seconds(chunks, n_features):
    """Return the processor time for each weight of joining chunks, and making their tables."""
    chunks = [chunk for chunk in chunks if chunk is not None]
    n_weights = sum(len(chunk[4]) for chunk in chunks)
    if not n_weights:
        return 0.0
    indptr = np.append(0, np.cumsum([len(chunk[-3]) for chunk in chunks]))
    begun = time.process_time()
    names = np.arange(indptr[-1], dtype=np.int32)
    LevelModel.from_blocks([join_chunks(chunks)], indptr, names, n_features)
    return (time.process_time() - begun) / n_weights
