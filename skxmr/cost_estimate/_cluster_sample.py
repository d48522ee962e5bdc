"""Train some clusters of each level of a label tree, and measure them."""

import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._linear.level_model import join_chunks

# Number of clusters per level that are trained.
CLUSTERS = 24
# Maximum number of children that are trained per cluster, and of matrix entries that one sweep over
# the rows visits. A larger cluster is trained on a part of its children and rows.
CHILDREN = 96
VISITS = 1e6
# The solver trains this many children together.
LANES = 16


class SampledCluster(NamedTuple):
    """A cluster that represents `factor` clusters of its level."""

    labels: np.ndarray  # labels below the cluster, child after child
    child_sizes: np.ndarray  # number of labels of each child
    factor: float


class ClusterCosts(NamedTuple):
    """Costs of the models of a cluster."""

    seconds: float  # processor time
    positives: float  # positive rows of all children
    features: float  # features with a weight
    words: float  # bytes of the bitmap of these features
    chunk: float  # bytes of the weights and their places
    workspace: float  # bytes of the solver


def sample_clusters(hierarchy, sizes):
    """Return a list of `SampledCluster` per level of a tree; `sizes` has a number for each label.

    Clusters are drawn in proportion to size, so that each represents the same total size. Source:
    Hansen, Hurwitz (1943), "On the theory of sampling from finite populations".
    """
    order = hierarchy.label_order
    before = np.append(0.0, np.cumsum(sizes[order]))
    starts = np.arange(len(order) + 1)  # position of the first label of each node
    levels = []
    for children in reversed(hierarchy.child_indptrs):
        sampled = []
        for parent, factor in _draw(np.diff(before[starts[children]])):
            bounds = starts[children[parent] : children[parent + 1] + 1]
            labels = order[bounds[0] : bounds[-1]]
            sampled.append(SampledCluster(labels, np.diff(bounds), factor))
        levels.append(sampled)
        starts = starts[children]
    return levels[::-1]


def _draw(sizes):
    # Pairs of a cluster and its factor. Equal steps through sorted sizes find all kinds of sizes.
    if len(sizes) <= CLUSTERS:
        return [(cluster, 1.0) for cluster in range(len(sizes))]
    order = np.argsort(sizes, kind="stable")
    ends = np.cumsum(sizes[order])
    points = (np.arange(CLUSTERS) + 0.5) * ends[-1] / CLUSTERS
    found, counts = np.unique(order[np.searchsorted(ends, points)], return_counts=True)
    return zip(found, counts * ends[-1] / (CLUSTERS * sizes[found]), strict=True)


class ClusterTrainer:
    """Trains sampled clusters as a fit does; `X` are `Rows`, `positives` is a csc_array."""

    def __init__(self, X, positives, solver, relevance_norm):
        self.X = X
        self.positives = positives
        self.solver = solver
        self.norm = relevance_norm
        self.random = np.random.RandomState(0)
        self.row_sizes = np.diff(X.indptr)
        self.labels_of_row = np.bincount(positives.indices, minlength=positives.shape[0])
        self.scratch = np.zeros(X.n_features, dtype=np.int32)

    def train(self, cluster):
        """Return the `ClusterCosts` of a cluster."""
        targets = self._child_targets(cluster)
        rows = np.unique(targets.indices)
        n_children, n_features = targets.shape[1], self.X.n_features
        chosen = np.arange(n_children)[:: -(-n_children // CHILDREN)]
        share = n_children / len(chosen)
        targets.data = self._target_costs(targets)
        measured = self._solve(targets[:, chosen], rows)
        # Children share features: twice as many have less than twice the features.
        seconds, features, words, chunk = measured * [share, share**0.5, share**0.5, share]
        features, words = min(features, n_features), min(words, n_features / 8 + 8)
        entries = self.row_sizes[rows].sum()
        # Bytes of the compacted rows, of the solver's numbers per row and feature, and of weights.
        workspace = 8 * entries + 170 * len(rows) + 80 * min(entries, n_features) + 4 * chunk
        return ClusterCosts(seconds, targets.nnz, features, words, chunk, workspace)

    def _child_targets(self, cluster):
        # Positive rows of each child. The values are numbers of labels below the child.
        positives = self.positives[:, cluster.labels]
        children = np.repeat(np.arange(len(cluster.child_sizes)), cluster.child_sizes)
        places = positives.indices, np.repeat(children, np.diff(positives.indptr))
        ones = np.ones(positives.nnz, dtype=np.float32)
        return sp.csc_array((ones, places), shape=(positives.shape[0], len(cluster.child_sizes)))

    def _target_costs(self, targets):
        # The norm of a row is over the level: labels of other clusters are counted as children.
        rows, values = targets.indices, targets.data
        if self.norm is None:
            return values
        if self.norm == "max":
            return values / targets.max(axis=1).toarray().ravel()[rows]
        power = 1 if self.norm == "l1" else 2
        # Number of labels of each row in other clusters, and the power sum of the children's.
        sizes = self.labels_of_row - np.bincount(rows, values, minlength=targets.shape[0])
        sizes += np.bincount(rows, values**power, minlength=targets.shape[0])
        return values / sizes[rows] ** (1 / power)

    def _solve(self, targets, rows):
        # Array of seconds, features, and bytes of words and of the rest of the chunk.
        visits = self.row_sizes[rows].sum() * -(-targets.shape[1] // LANES)
        if visits <= VISITS:
            return self._solve_rows(targets, rows)
        n_rows = max(2, int(len(rows) * VISITS / visits))
        drawn = self.random.permutation(rows)[:n_rows]
        half = self._solve_rows(targets, np.sort(drawn[: n_rows // 2]))
        whole = self._solve_rows(targets, np.sort(drawn))
        # Each follows a power of the number of rows: the seconds about the first power.
        powers = np.log2(np.maximum(whole, 1e-9) / np.maximum(half, 1e-9))
        powers = np.clip(powers, [0.9, 0, 0, 0], [1.2, 1, 1, 1])
        return whole * (len(rows) / n_rows) ** powers

    def _solve_rows(self, targets, rows):
        indptr, indices = targets.indptr.astype(np.int64), targets.indices.astype(np.int32)
        costs = None if self.norm is None else targets.data.astype(np.float32)
        cluster = rows.astype(np.int32), indptr, indices, costs, None
        begun = time.process_time()
        solved = self.solver.solve(*self.X[:3], *cluster, seed=0, scratch=self.scratch)
        seconds = time.process_time() - begun
        arrays = join_chunks([solved])
        words = arrays.pop("words").nbytes
        chunk = sum(array.nbytes for array in arrays.values())
        return np.array([seconds, len(arrays["entry_counts"]), words, chunk])
