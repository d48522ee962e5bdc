"""Costs of all stages of a fit, before they are expressed as memory and time."""

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._linear import Solver
from skxmr._linear.level_model import count_dense_lanes, stores_dense_weights
from skxmr.cost_estimate._cluster_sample import ClusterCosts, ClusterTrainer, sample_clusters
from skxmr.cost_estimate._tree_sample import TreeSampler
from skxmr.indexing import LabelHierarchy, expand_label_trees

# Clusters are drawn in proportion to the sum of (1 + positives) ** SIZE_EXPONENT over their labels,
# because the number of weights grows slower than the positives. In default models, the weights of
# leaf clusters grew by a power of 0.72 (WordNet) and 0.87 (Debian) of positives (November 2026).
SIZE_EXPONENT = 0.75
CHILD_BYTES = 12  # int32 `child_ids`, int64 `child_indptr` (at most one number per child)


class LevelCosts(NamedTuple):
    """Costs of one level of a tree."""

    n_parents: int
    total: ClusterCosts  # sum of all clusters
    largest: ClusterCosts  # maximum of each cost over the sampled clusters
    weights: float  # bytes of the weights
    tables: float  # bytes of the tables for scoring
    stored_tables: float  # bytes of those that files contain


class FitCosts(NamedTuple):
    """Costs of a fit."""

    n_rows: int
    n_features: int
    n_labels: int
    n_positives: int
    trees: tuple  # a list of LevelCosts per tree, from the root down
    tree_seconds: float  # processor time of making the trees
    # Label features of any kind are estimated as "pifa". Both are 0 if all hierarchies are given.
    feature_seconds: float  # processor time
    feature_entries: float  # number of stored entries


def measure_fit(classifier, X, Y):
    """Return the `FitCosts` of ``classifier.fit``; `X` are `TrainingRows`, `Y` is the indicator."""
    positives = sp.csc_array(Y)
    solver = Solver(**{name: getattr(classifier, name) for name in Solver._fields})
    trainer = ClusterTrainer(X, positives, solver, classifier.relevance_norm)
    kinds = expand_label_trees(classifier.label_tree, classifier.n_trees)
    is_given = all(isinstance(kind, LabelHierarchy) for kind in kinds)
    sampler = None if is_given else TreeSampler(X, positives)

    @cache
    def measure_tree(kind):
        if isinstance(kind, LabelHierarchy):
            return _train_levels(trainer, kind), 0.0
        shape = classifier.branching_factor, classifier.max_leaf_size
        hierarchy, seconds = sampler.sample(kind, *shape)
        return _train_levels(trainer, hierarchy), seconds

    trees, seconds = zip(*map(measure_tree, kinds), strict=True)
    return FitCosts(
        n_rows=X.n_rows,
        n_features=X.n_features,
        n_labels=Y.shape[1],
        n_positives=Y.nnz,
        trees=trees,
        tree_seconds=sum(seconds),
        feature_seconds=sampler.seconds if sampler else 0.0,
        feature_entries=sampler.entries if sampler else 0.0,
    )


def _train_levels(trainer, hierarchy):
    sizes = (1.0 + np.diff(trainer.positives.indptr)) ** SIZE_EXPONENT
    bytes_per_weight = np.dtype(trainer.solver.weight_dtype).itemsize
    levels = []
    sampled = sample_clusters(hierarchy, sizes)
    for indptr, clusters in zip(hierarchy.child_indptrs, sampled, strict=True):
        costs = np.array([trainer.train(cluster) for cluster in clusters])
        total = ClusterCosts(*([cluster.factor for cluster in clusters] @ costs))
        weights = total.weight_bytes + CHILD_BYTES * indptr[-1]
        # Each uint64 of the bitmap is stored with the numbers of features and weights before it.
        tables = stored_tables = 2 * total.bitmap_bytes
        max_children = np.diff(indptr).max()
        # A byte per feature for its count; per entry a weight and a byte for its child.
        n_entries = (total.weight_bytes - total.features) / (bytes_per_weight + 1)
        n_lanes = count_dense_lanes(max_children, total.features, n_entries)
        tables += n_lanes * bytes_per_weight * total.features
        if stores_dense_weights(max_children, total.features):
            stored_tables = tables
        largest = ClusterCosts(*costs.max(axis=0))
        levels.append(LevelCosts(len(indptr) - 1, total, largest, weights, tables, stored_tables))
    return levels
