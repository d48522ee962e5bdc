"""Train some clusters of each level of a label tree, and measure them."""

import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._linear.level_model import join_chunks
from skxmr._linear.simd.lanes import LANES

CLUSTERS = 24  # number of clusters per level that are trained
# Maximum number of children that are trained per cluster, and of matrix entries that one sweep over
# the rows visits. A larger cluster is trained on a part of its children and rows.
CHILDREN = 96
VISITS = 1e6
# Bytes of the solver. Per entry: int32, float32. Per row: 16 float32 duals, 72 bytes of other
# arrays, 16 float32 costs for half of the rows. Per feature: int32, 18 float32 weights and sums.
# The list of weights has 10 bytes per weight (int32, uint16, float32), and doubles its capacity: up
# to 20 bytes, four times the 5 bytes that are stored (uint8, float32).
ENTRY_BYTES, ROW_BYTES, FEATURE_BYTES, LIST_FACTOR = 8, 170, 80, 4


class ClusterCosts(NamedTuple):
    """Costs of the models of a cluster; `train` sets `positives` and `workspace`."""

    seconds: float = 0  # processor time
    positives: float = 0  # positive rows of all children
    features: float = 0  # features with a weight
    bitmap_bytes: float = 0  # bitmap of these features
    weight_bytes: float = 0  # all other arrays of the weights
    workspace: float = 0  # bytes of the solver


# Limits of the exponents of `_measure`. Median exponents from half to all rows of 16 leaf clusters:
# seconds 1.1, features 0.6, bitmap 0.2, weights 0.65 to 0.85 (WordNet, Debian; November 2026).
MIN_EXPONENTS = ClusterCosts(seconds=0.9)
MAX_EXPONENTS = ClusterCosts(seconds=1.2, features=1, bitmap_bytes=1, weight_bytes=1)


class SampledCluster(NamedTuple):
    """A cluster that represents `factor` clusters of its level."""

    labels: np.ndarray  # labels below the cluster, child after child
    child_sizes: np.ndarray  # number of labels of each child
    factor: float


def sample_clusters(hierarchy, sizes):
    """Return a list of `SampledCluster` per level of a tree; `sizes` has a number for each label.

    Systematic sampling with probability proportional to size (Madow 1949), with the estimator of
    Hansen and Hurwitz (1943).
    """
    order = hierarchy.label_order
    size_before = np.append(0.0, np.cumsum(sizes[order]))
    starts = np.arange(len(order) + 1)  # position of the first label of each node
    levels = []
    for children in reversed(hierarchy.child_indptrs):
        sampled = []
        for parent, factor in _draw_clusters(np.diff(size_before[starts[children]])):
            bounds = starts[children[parent] : children[parent + 1] + 1]
            labels = order[bounds[0] : bounds[-1]]
            sampled.append(SampledCluster(labels, np.diff(bounds), factor))
        levels.append(sampled)
        starts = starts[children]
    return levels[::-1]


def _draw_clusters(sizes):
    # Return pairs (cluster, factor). Equal steps through sorted sizes find all kinds of sizes.
    if len(sizes) <= CLUSTERS:
        return [(cluster, 1.0) for cluster in range(len(sizes))]
    order = np.argsort(sizes, kind="stable")
    ends = np.cumsum(sizes[order])
    points = (np.arange(CLUSTERS) + 0.5) * ends[-1] / CLUSTERS
    drawn, counts = np.unique(order[np.searchsorted(ends, points)], return_counts=True)
    return zip(drawn, counts * ends[-1] / (CLUSTERS * sizes[drawn]), strict=True)


class ClusterTrainer:
    """Trains sampled clusters as a fit does; `X` are `TrainingRows`, `positives` is a csc_array."""

    def __init__(self, X, positives, solver, relevance_norm):
        self.X = X
        self.positives = positives
        self.solver = solver
        self.relevance_norm = relevance_norm
        self.random_state = np.random.RandomState(0)
        self.row_sizes = X.row_sizes
        self.sparse_sizes = np.diff(X.indptr)
        self.labels_per_row = np.bincount(positives.indices, minlength=positives.shape[0])
        self.scratch = np.zeros(X.n_features, dtype=np.int32)

    def train(self, cluster):
        """Return the `ClusterCosts` of a cluster."""
        targets = self._child_targets(cluster)
        # A fit does not train an only child, unless it is the only label of all.
        if targets.shape[1] == 1 and self.positives.shape[1] > 1:
            return ClusterCosts(positives=targets.nnz)
        rows = np.unique(targets.indices)
        n_children, n_features = targets.shape[1], self.X.n_features
        trained = np.arange(n_children)[:: -(-n_children // CHILDREN)]
        targets.data = self._target_costs(targets)
        costs = self._measure(targets[:, trained], rows)
        # Extrapolate to all children. Children have features in common: from a quarter of the
        # children to all, the number of features grew by a power of 0.50 (Debian) to 0.56 (WordNet;
        # medians of 8 leaf clusters, November 2026).
        ratio = n_children / len(trained)
        seconds, weight_bytes = costs.seconds * ratio, costs.weight_bytes * ratio
        features = min(costs.features * ratio**0.5, n_features)
        bitmap_bytes = min(costs.bitmap_bytes * ratio**0.5, n_features / 8 + 8)
        n_entries = self.row_sizes[rows].sum()
        # The dense part of the rows is used in place.
        workspace = ENTRY_BYTES * self.sparse_sizes[rows].sum() + ROW_BYTES * len(rows)
        workspace += FEATURE_BYTES * min(n_entries, n_features) + LIST_FACTOR * weight_bytes
        return ClusterCosts(seconds, targets.nnz, features, bitmap_bytes, weight_bytes, workspace)

    def _child_targets(self, cluster):
        # Positive rows of each child. The values are numbers of labels below the child.
        positives = self.positives[:, cluster.labels]
        children = np.repeat(np.arange(len(cluster.child_sizes)), cluster.child_sizes)
        pairs = positives.indices, np.repeat(children, np.diff(positives.indptr))
        ones = np.ones(positives.nnz, dtype=np.float32)
        return sp.csc_array((ones, pairs), shape=(positives.shape[0], len(cluster.child_sizes)))

    def _target_costs(self, targets):
        # relevance_norm scales a row over all clusters of the level. Other clusters are not
        # expanded here, so each of their labels counts as one child.
        rows, values = targets.indices, targets.data
        if self.relevance_norm is None:
            return values
        if self.relevance_norm == "max":
            return values / targets.max(axis=1).toarray().ravel()[rows]
        power = 1 if self.relevance_norm == "l1" else 2
        # Number of labels of each row in other clusters, plus the power sum over the children.
        sums = self.labels_per_row - np.bincount(rows, values, minlength=targets.shape[0])
        sums += np.bincount(rows, values**power, minlength=targets.shape[0])
        return values / sums[rows] ** (1 / power)

    def _measure(self, targets, rows):
        # Return `ClusterCosts`. The solver trains groups of LANES children.
        visits = self.row_sizes[rows].sum() * -(-targets.shape[1] // LANES)
        if visits <= VISITS:
            return self._solve(targets, rows)
        n_rows = max(2, int(len(rows) * VISITS / visits))
        drawn = self.random_state.permutation(rows)[:n_rows]
        of_half = np.array(self._solve(targets, np.sort(drawn[: n_rows // 2])))
        of_all = np.array(self._solve(targets, np.sort(drawn)))
        # Extrapolate each cost by a power of the number of rows; the exponent is measured from half
        # and all of the drawn rows.
        exponents = np.log2(np.maximum(of_all, 1e-9) / np.maximum(of_half, 1e-9))
        exponents = np.clip(exponents, MIN_EXPONENTS, MAX_EXPONENTS)
        return ClusterCosts(*(of_all * (len(rows) / n_rows) ** exponents))

    def _solve(self, targets, rows):
        indptr, indices = targets.indptr.astype(np.int64), targets.indices.astype(np.int32)
        costs = None if self.relevance_norm is None else targets.data.astype(np.float32)
        cluster = rows.astype(np.int32), indptr, indices, costs, None
        start = time.process_time()
        chunk = self.solver.solve(*self.X[:4], *cluster, seed=0, scratch=self.scratch)
        seconds = time.process_time() - start
        arrays = join_chunks([chunk])
        bitmap = arrays.pop("words")
        return ClusterCosts(
            seconds,
            features=len(arrays["entry_counts"]),
            bitmap_bytes=bitmap.nbytes,
            weight_bytes=sum(array.nbytes for array in arrays.values()),
        )
