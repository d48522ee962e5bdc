"""What each level of a tree takes, from clusters that are drawn and trained."""

from typing import NamedTuple

import numpy as np

from skxmr._linear import Solver
from skxmr.cost_estimate._label_rows import LabelRows
from skxmr.cost_estimate._sampled_tree import sample_tree
from skxmr.cost_estimate._trial_training import MEASURED, TrialTrainer, join_seconds
from skxmr.indexing import LabelHierarchy, expand_label_trees


class LevelCosts(NamedTuple):
    """What one level takes.

    Attributes
    ----------
    n_parents, n_children : int
        Clusters, and their children.
    width : int
        Most children of a cluster.
    rows, targets : float
        Rows that clusters train on, and positives of children, summed.
    weights, features, words, kept_weights, kept_features, kept_words : float
        Of the level; see `ClusterTrial`.
    seconds, longest : float
        Processor time of all clusters, and of the one that takes most.
    join_seconds : float
        Processor time of making one model of them.
    workspaces : list of (float, float)
        Bytes while a cluster is trained, and for how many clusters it stands; the most first.
    """

    n_parents: int
    n_children: int
    width: int
    rows: float
    targets: float
    weights: float
    features: float
    words: float
    kept_weights: float
    kept_features: float
    kept_words: float
    seconds: float
    longest: float
    join_seconds: float
    workspaces: list


class TreeCosts(NamedTuple):
    """What one tree takes.

    Attributes
    ----------
    levels : list of LevelCosts
        From the root's children to the labels.
    seconds : float
        Processor time of grouping the labels.
    """

    levels: list
    seconds: float


class FitCosts(NamedTuple):
    """What a fit takes, as far as it follows from data and models.

    Attributes
    ----------
    n_rows, n_features, n_labels, n_pairs : int
        Shapes, and positives in all.
    weight_bytes : int
        Of one weight.
    trees : list of TreeCosts
        One for each tree.
    feature_entries : float
        Entries of the label features; 0 if no tree is made.
    feature_seconds : float
        Processor time that they take.
    sort_seconds : float
        Processor time of bringing the positives in the order of labels, once.
    """

    n_rows: int
    n_features: int
    n_labels: int
    n_pairs: int
    weight_bytes: int
    trees: list
    feature_entries: float
    feature_seconds: float
    sort_seconds: float


def measure_costs(classifier, X, Y):
    """Draw clusters of a classifier's trees and train them.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters; left as it is.
    X : tuple
        (indptr, indices, data, n_features) of the rows.
    Y : csr_array
        Indicator.

    Returns
    -------
    FitCosts
    """
    rows = LabelRows(X, Y)
    solver = Solver(**{name: getattr(classifier, name) for name in Solver._fields})
    trainer = TrialTrainer(rows, solver, classifier.relevance_norm)
    shape = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    kinds = expand_label_trees(classifier.label_tree, classifier.n_trees)
    found = {}
    for kind in kinds:
        if id(kind) not in found:
            drawn = sample_tree(rows, kind, **shape)
            levels = _train(trainer, drawn, None)
            found[id(kind)] = TreeCosts(levels, drawn.seconds)
    entries = seconds = 0.0
    if any(not isinstance(kind, LabelHierarchy) for kind in kinds):
        entries, seconds = rows.n_entries, rows.seconds
    return FitCosts(
        n_rows=len(X[0]) - 1,
        n_features=X[3],
        n_labels=Y.shape[1],
        n_pairs=rows.n_pairs,
        weight_bytes=np.dtype(classifier.weight_dtype).itemsize,
        trees=[found[id(kind)] for kind in kinds],
        feature_entries=entries,
        feature_seconds=seconds,
        sort_seconds=rows.sort_seconds,
    )


def _train(trainer, drawn, max_weights):
    levels = []
    n_parents = 1
    last = len(drawn.level_sizes) - 1
    for level, clusters in enumerate(drawn.clusters):
        most = max_weights if level == last else None
        trained = [trainer.train(cluster, most) for cluster in clusters]
        trials, chunks = zip(*trained, strict=True)
        factors = np.array([trial.factor for trial in trials])
        # Clusters of a level have all labels between them.
        labelled = float(factors @ [trial.labelled for trial in trials])
        if labelled > 0:
            factors *= trainer.rows.n_pairs / labelled
        total = {
            name: float(factors @ [getattr(trial, name) for trial in trials])
            for name in ("rows", "targets", "seconds", *MEASURED)
        }
        each = join_seconds(chunks, trainer.rows.arrays[3])
        workspaces = sorted(((t.workspace, f) for t, f in zip(trials, factors, strict=True)))[::-1]
        levels.append(
            LevelCosts(
                n_parents=n_parents,
                n_children=drawn.level_sizes[level],
                width=drawn.widths[level],
                longest=max(trial.seconds for trial in trials),
                join_seconds=each * total["weights"],
                workspaces=workspaces,
                **total,
            )
        )
        n_parents = drawn.level_sizes[level]
    return levels
