"""Stage 1 of a fit: from the training data of a classifier to the label hierarchies."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skxmr._core.progress import NO_PROGRESS
from skxmr.indexing._indexing_options import uses_label_features
from skxmr.indexing._label_features import compute_label_features
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._label_tree import HierarchicalLabelTree


def build_hierarchies(X, Y, options, *, seeds, row_weights=None, n_jobs=None, progress=NO_PROGRESS):
    """Compute the label features once, and build one hierarchy per tree from them.

    Parameters
    ----------
    X : TrainingRows
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    options : IndexingOptions
        Trees and label features.
    seeds : list of int
        One seed per tree, used if the tree has no `random_state`. The first also seeds the label
        features.
    row_weights : ndarray of shape (n_samples,), float32, or None
        Multiplier of each row in the label features "pifa"; ignored by other label features.
    n_jobs : int or None
        Number of workers, as in joblib. The result does not depend on it.
    progress : Progress
        Receives the name and the duration of each step.

    Returns
    -------
    list of LabelHierarchy
    """
    label_trees, label_features = options.label_trees, options.label_features
    if all(isinstance(label_tree, LabelHierarchy) for label_tree in label_trees):
        return list(label_trees)
    n_labels = Y.shape[1]
    if any(map(uses_label_features, label_trees)):
        with progress.stage("label features") as stage:
            Z = compute_label_features(
                label_features, X, Y, row_weights=row_weights, seed=seeds[0], n_jobs=n_jobs
            )
            stage.result = f"{n_labels:,} labels, {Z.shape[1]:,} features"
    else:
        Z = sp.csr_array((n_labels, 1), dtype=np.float32)
    frequencies = np.bincount(Y.indices, minlength=n_labels)
    hierarchies = []
    for label_tree, seed in zip(label_trees, seeds, strict=True):
        with progress.stage("tree") as stage:
            hierarchy = build_hierarchy(
                Z,
                frequencies,
                label_tree,
                seed=seed,
                branching_factor=options.branching_factor,
                max_leaf_size=options.max_leaf_size,
                n_jobs=n_jobs,
            )
            sizes = " -> ".join(f"{size:,}" for size in hierarchy.level_sizes)
            stage.result = f"{sizes} nodes"
        hierarchies.append(hierarchy)
    return hierarchies


def build_hierarchy(Z, frequencies, label_tree, *, seed, **overrides):
    """Build one hierarchy from label features.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        Result of `compute_label_features`.
    frequencies : ndarray of shape (n_labels,)
        Number of rows of each label, for clusterings that need it.
    label_tree : HierarchicalLabelTree, LabelHierarchy or None
        Estimator, which is cloned; None for an estimator with default parameters; or a hierarchy,
        which is returned unchanged.
    seed : int
        Seed, used if the estimator has no `random_state`.
    **overrides
        Parameters of the estimator to override; None keeps the parameter of the estimator.

    Returns
    -------
    LabelHierarchy
    """
    if isinstance(label_tree, LabelHierarchy):
        return label_tree
    tree = HierarchicalLabelTree() if label_tree is None else clone(label_tree)
    tree.set_params(**{name: value for name, value in overrides.items() if value is not None})
    if tree.random_state is None:
        tree.set_params(random_state=seed)
    return tree.fit_hierarchy(Z, frequencies=frequencies if tree._needs_frequencies else None)
