"""The parameters of a classifier that control stage 1: checked, and collected in one structure."""

from typing import Any, NamedTuple

import numpy as np

from skxmr._core.validation import MAX_CHILDREN
from skxmr.indexing._clusterings import find_clustering
from skxmr.indexing._grow_hierarchy import TreeLimits
from skxmr.indexing._label_features import check_label_features
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._label_tree import HierarchicalLabelTree

DEFAULT_LABEL_FEATURES = "pifa"


class IndexingOptions(NamedTuple):
    """Parameters of stage 1, for all trees of a classifier.

    Attributes
    ----------
    label_trees : list of HierarchicalLabelTree, LabelHierarchy or None
        One entry per tree: an estimator, which is cloned; a finished hierarchy, which is used
        unchanged; or None for an estimator with default parameters.
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        Result of `check_label_features`, shared by all trees.
    branching_factor, max_leaf_size : int or None
        Values that override the parameters of the estimators; None keeps theirs.
    """

    label_trees: list
    label_features: Any
    branching_factor: int | None
    max_leaf_size: int | None


def check_indexing_options(classifier, n_labels, n_features):
    """Check the parameters of a classifier that control stage 1, before anything is computed.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier; not modified.
    n_labels, n_features : int
        Number of columns of y and of X.

    Returns
    -------
    IndexingOptions

    Raises
    ------
    ValueError
        See `check_label_trees` and `check_label_features`.
    """
    return IndexingOptions(
        check_label_trees(classifier, n_labels),
        check_label_features(classifier.label_features, n_labels, n_features),
        classifier.branching_factor,
        classifier.max_leaf_size,
    )


def expand_label_trees(label_tree, n_trees):
    """Return the `label_tree` of each tree of an ensemble.

    Parameters
    ----------
    label_tree : HierarchicalLabelTree, LabelHierarchy, None, or a sequence of these
        Parameter of the classifier. The trees use the entries of a sequence in turn.
    n_trees : int
        Number of trees.

    Returns
    -------
    list of length n_trees
    """
    entries = label_tree if isinstance(label_tree, (list, tuple)) else [label_tree]
    return [entries[i % len(entries)] for i in range(n_trees)]


def check_label_trees(classifier, n_labels):
    """Check the parameter `label_tree` of a classifier, before anything is computed.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier; not modified.
    n_labels : int
        Number of columns of y.

    Returns
    -------
    label_trees : list of HierarchicalLabelTree, LabelHierarchy or None
        One entry per tree.

    Raises
    ------
    ValueError
        If a sequence is empty, has more entries than there are trees, or has an invalid entry; if
        an estimator has invalid parameters; if a hierarchy has a different number of labels or a
        cluster with too many children, or is combined with `branching_factor` or `max_leaf_size`,
        which cannot change it; or if `label_features` is set but no tree uses it.
    """
    label_tree, n_trees = classifier.label_tree, classifier.n_trees
    if isinstance(label_tree, (list, tuple)):
        if not 1 <= len(label_tree) <= n_trees:
            raise ValueError(
                f"label_tree must have between 1 and n_trees={n_trees} entries if it is a "
                f"sequence; got {len(label_tree)} entries."
            )
        for i, entry in enumerate(label_tree):
            if not (entry is None or isinstance(entry, (HierarchicalLabelTree, LabelHierarchy))):
                raise ValueError(
                    f"label_tree[{i}] must be a HierarchicalLabelTree, a LabelHierarchy or None; "
                    f"got {entry!r}."
                )
    label_trees = expand_label_trees(label_tree, n_trees)
    for entry in label_trees:
        if isinstance(entry, HierarchicalLabelTree):
            entry._validate_params()
        elif isinstance(entry, LabelHierarchy):
            _check_hierarchy(entry, n_labels, classifier)
    _refuse_unused_label_features(classifier.label_features, label_trees)
    return label_trees


def find_tree_limits(classifier, n_trees):
    """Return the largest sizes of the clusters of each tree, for changes of a tree.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier; not modified.
    n_trees : int
        Number of trees.

    Returns
    -------
    list of TreeLimits
        For a tree that was given as a LabelHierarchy, the maximum of any tree.
    """
    limits = []
    for entry in expand_label_trees(classifier.label_tree, n_trees):
        if isinstance(entry, LabelHierarchy):
            limits.append(TreeLimits(MAX_CHILDREN, MAX_CHILDREN, HierarchicalLabelTree().max_iter))
            continue
        tree = HierarchicalLabelTree() if entry is None else entry
        sizes = [
            value if override is None else override
            for value, override in (
                (tree.branching_factor, classifier.branching_factor),
                (tree.max_leaf_size, classifier.max_leaf_size),
            )
        ]
        limits.append(TreeLimits(*sizes, tree.max_iter))
    return limits


def uses_label_features(label_tree):
    """Return whether a tree is built from label features."""
    if isinstance(label_tree, LabelHierarchy):
        return False
    return label_tree is None or find_clustering(label_tree.clustering).uses_label_features


def _check_hierarchy(hierarchy, n_labels, classifier):
    for name in ("branching_factor", "max_leaf_size"):
        value = getattr(classifier, name)
        if value is not None:
            raise ValueError(
                f"{name} must be None if label_tree is a LabelHierarchy; got {value!r}. A "
                "LabelHierarchy is used unchanged."
            )
    if hierarchy.n_labels != n_labels:
        raise ValueError(
            f"label_tree must have {n_labels} labels, one per label of y; got a LabelHierarchy of "
            f"{hierarchy.n_labels} labels."
        )
    widest = max(int(np.diff(indptr).max()) for indptr in hierarchy.child_indptrs)
    if widest > MAX_CHILDREN:
        raise ValueError(
            f"label_tree must have at most {MAX_CHILDREN} children per cluster; got a cluster of "
            f"{widest} children."
        )


def _refuse_unused_label_features(label_features, label_trees):
    if isinstance(label_features, str) and label_features == DEFAULT_LABEL_FEATURES:
        return
    if any(map(uses_label_features, label_trees)):
        return
    if isinstance(label_trees[0], LabelHierarchy):
        reason = "label_tree is a LabelHierarchy, which is not clustered again"
    else:
        clustering = label_trees[0].clustering
        reason = f"label_tree has clustering={clustering!r}, which does not use label features"
    got = repr(label_features) if isinstance(label_features, str) else type(label_features).__name__
    raise ValueError(
        f"label_features must be {DEFAULT_LABEL_FEATURES!r}, the default, if {reason}; got {got}."
    )
