"""Costs of all stages of a fit, before they are expressed as memory and time."""

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._linear import Solver
from skxmr._linear.level_model import has_dense_weights
from skxmr._linear.simd.lanes import LANES
from skxmr.cost_estimate._cluster_sample import ClusterCosts, ClusterTrainer, sample_clusters
from skxmr.cost_estimate._tree_sample import TreeSampler
from skxmr.indexing import LabelHierarchy, expand_label_trees


class LevelCosts(NamedTuple):
    """Costs of one level of a tree."""

    n_parents: int
    total: ClusterCosts  # sum of all clusters
    largest: ClusterCosts  # maximum of each cost over the sampled clusters
    weights: float  # bytes of the weights
    tables: float  # bytes of the tables for scoring


class FitCosts(NamedTuple):
    """Costs of a fit."""

    n_rows: int
    n_features: int
    n_labels: int
    n_positives: int
    trees: tuple  # a list of LevelCosts per tree, from the root down
    tree_seconds: float  # processor time of making the trees
    feature_seconds: float  # processor time of the label features
    feature_entries: float  # entries of the label features; 0 if there are none


def measure_fit(classifier, X, Y):
    """Make sample trees and train some of their clusters.

    `X` are `Rows`, and `Y` is the indicator.
    """
    positives = sp.csc_array(Y)
    solver = Solver(**{name: getattr(classifier, name) for name in Solver._fields})
    trainer = ClusterTrainer(X, positives, solver, classifier.relevance_norm)
    kinds = expand_label_trees(classifier.label_tree, classifier.n_trees)
    is_given = all(isinstance(kind, LabelHierarchy) for kind in kinds)
    sampler = None if is_given else TreeSampler(X, positives)

    @cache
    def measure_tree(kind):
        hierarchy, seconds = kind, 0.0
        if not isinstance(kind, LabelHierarchy):
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
    # The number of weights grows slower than the positives of a cluster.
    sizes = (1.0 + np.diff(trainer.positives.indptr)) ** 0.75
    dense_bytes = LANES * np.dtype(trainer.solver.weight_dtype).itemsize  # per feature
    levels = []
    sampled = sample_clusters(hierarchy, sizes)
    for indptr, clusters in zip(hierarchy.child_indptrs, sampled, strict=True):
        costs = np.array([trainer.train(cluster) for cluster in clusters])
        total = ClusterCosts(*([cluster.factor for cluster in clusters] @ costs))
        weights = total.chunk + 12 * indptr[-1]  # child_ids and child_indptr
        # A word is stored with the numbers of features and weights before it.
        tables = 2 * total.words
        if has_dense_weights(np.diff(indptr).max(), total.features):
            tables += dense_bytes * total.features
        largest = ClusterCosts(*costs.max(axis=0))
        levels.append(LevelCosts(len(indptr) - 1, total, largest, weights, tables))
    return levels
