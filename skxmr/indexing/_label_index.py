"""Stage 1 as the classifier asks for it: from rows and labels to a tree."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skxmr._core.arrays import csr_of
from skxmr._core.progress import NO_PROGRESS
from skxmr._core.validation import MAX_CHILDREN
from skxmr.indexing._clustering import clustering_of
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._label_representations import check_label_features, represent_labels
from skxmr.indexing._label_tree import HierarchicalLabelTree


class LabelIndexing(NamedTuple):
    """How labels are grouped; see `index_labels`.

    Attributes
    ----------
    label_trees : list of HierarchicalLabelTree, LabelHierarchy or None
        What each tree is made from.
    label_features : object
        What they see of a label.
    branching_factor, max_leaf_size : int or None
        Override the tree's own.
    """

    label_trees: list
    label_features: Any
    branching_factor: int | None
    max_leaf_size: int | None


def label_indexing(classifier, n_labels, n_features):
    """Check the parameters of a classifier that say how labels are grouped, before any work.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Left as it is.
    n_labels, n_features : int
        Of y and X.

    Returns
    -------
    LabelIndexing

    Raises
    ------
    ValueError
        As `check_label_trees`, `check_features_are_used` and `check_label_features` do.
    """
    shape = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    check_label_trees(classifier.label_tree, classifier.n_trees, n_labels, **shape)
    label_trees = trees_in_turn(classifier.label_tree, classifier.n_trees)
    check_features_are_used(label_trees, classifier.label_features)
    label_features = check_label_features(classifier.label_features, n_labels, n_features)
    return LabelIndexing(label_trees, label_features, **shape)


def trees_in_turn(label_tree, n_trees):
    """Return what each tree of an ensemble is made from.

    Parameters
    ----------
    label_tree : HierarchicalLabelTree, LabelHierarchy, None, or a sequence of these
        The parameter of the classifier; trees take the entries of a sequence in turn.
    n_trees : int
        Number of trees.

    Returns
    -------
    list of length n_trees
    """
    kinds = label_tree if isinstance(label_tree, (list, tuple)) else [label_tree]
    return [kinds[i % len(kinds)] for i in range(n_trees)]


def check_label_trees(label_tree, n_trees, n_labels, **overrides):
    """Refuse trees of bad parameters, and hierarchies that do not fit, before any work.

    Parameters
    ----------
    label_tree : HierarchicalLabelTree, LabelHierarchy, None, or a sequence of these
        The parameter of the classifier.
    n_trees : int
        Number of trees.
    n_labels : int
        Number of labels of y.
    **overrides
        Parameters of the classifier that would override those of a tree estimator.

    Raises
    ------
    ValueError
        If a hierarchy has another number of labels, a cluster too wide for the models, or stands
        beside an override, which could not change it; or a sequence has another entry, none, or
        more than there are trees.
    """
    if isinstance(label_tree, (list, tuple)):
        if not 1 <= len(label_tree) <= n_trees:
            raise ValueError(
                f"label_tree has {len(label_tree)} entries for n_trees={n_trees}; a sequence must "
                "have from one to as many as there are trees."
            )
        for tree in label_tree:
            if not (tree is None or isinstance(tree, (HierarchicalLabelTree, LabelHierarchy))):
                raise ValueError(
                    "label_tree must have entries that are a HierarchicalLabelTree, a "
                    f"LabelHierarchy or None; got {tree!r}."
                )
    for tree in trees_in_turn(label_tree, n_trees):
        _check_tree(tree, n_labels, overrides)


def _check_tree(label_tree, n_labels, overrides):
    if isinstance(label_tree, HierarchicalLabelTree):
        label_tree._validate_params()
    if not isinstance(label_tree, LabelHierarchy):
        return
    for name, value in overrides.items():
        if value is not None:
            raise ValueError(
                f"{name}={value!r} cannot change a LabelHierarchy given as label_tree; "
                f"{name} must be None beside one."
            )
    if label_tree.n_labels != n_labels:
        raise ValueError(
            f"label_tree is a LabelHierarchy of {label_tree.n_labels} labels, but y has "
            f"{n_labels}; they must be equal."
        )
    widest = max(int(np.diff(indptr).max()) for indptr in label_tree.child_indptrs)
    if widest > MAX_CHILDREN:
        raise ValueError(
            f"label_tree has a cluster of {widest} children; at most {MAX_CHILDREN} are allowed."
        )


def check_features_are_used(label_trees, label_features):
    """Refuse label features beside trees that would not look at them.

    Parameters
    ----------
    label_trees : list of HierarchicalLabelTree, LabelHierarchy or None
        What each tree is made from.
    label_features : object
        The parameter of the classifier.

    Raises
    ------
    ValueError
        If no tree looks at rows, being a hierarchy or of a clustering that does not, and
        `label_features` is not the default.
    """
    if isinstance(label_features, str) and label_features == "pifa":
        return
    if any(map(_sees_rows, label_trees)):
        return
    given = repr(label_features) if isinstance(label_features, str) else "another value"
    if isinstance(label_trees[0], LabelHierarchy):
        why = "label_tree is a LabelHierarchy, which is finished"
    else:
        why = f"clustering={label_trees[0].clustering!r} of label_tree does not look at them"
    raise ValueError(
        f"label_features would not be used: {why}. Leave label_features='pifa', the default, "
        f"beside it; got {given}."
    )


def _sees_rows(label_tree):
    if isinstance(label_tree, LabelHierarchy):
        return False
    return label_tree is None or clustering_of(label_tree.clustering).sees_rows


def index_labels(
    X,
    Y,
    label_trees,
    label_features,
    *,
    seeds,
    row_weights=None,
    n_jobs=None,
    progress=NO_PROGRESS,
    **overrides,
):
    """Represent labels once, and group them into trees.

    Parameters
    ----------
    X : tuple
        (indptr, indices, data, n_features) of the training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    label_trees : list of HierarchicalLabelTree, LabelHierarchy or None
        What each tree is made from: an estimator, cloned, its parameters overridden; a hierarchy,
        returned as it is; or None for a default estimator.
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        As `check_label_features` returns it.
    seeds : list of int
        One for each tree: it seeds the tree, if that has no `random_state` of its own; the first
        seeds the features too.
    row_weights : ndarray of shape (n_samples,), float32, or None
        How much a row counts in the features "pifa".
    n_jobs : int or None
        As in joblib.
    progress : Progress
        Told of the stages.
    **overrides
        Parameters for the estimator; None leaves its own.

    Returns
    -------
    list of LabelHierarchy
    """
    if all(isinstance(tree, LabelHierarchy) for tree in label_trees):
        return list(label_trees)
    indptr, indices, data, n_features = X
    if row_weights is not None and isinstance(label_features, str) and label_features == "pifa":
        data = data * np.repeat(row_weights, np.diff(indptr))
    rows = csr_of(indptr, indices, data, (Y.shape[0], n_features))
    if any(map(_sees_rows, label_trees)):
        with progress.stage() as said:
            features = represent_labels(label_features, rows, Y, seed=seeds[0], n_jobs=n_jobs)
            said.append(f"label features: {Y.shape[1]:,} labels, {features.shape[1]:,} features")
    else:
        features = sp.csr_array((Y.shape[1], 1), dtype=np.float32)
    overrides["n_jobs"] = n_jobs
    frequencies = np.bincount(Y.indices, minlength=Y.shape[1])
    trees = []
    for label_tree, seed in zip(label_trees, seeds, strict=True):
        with progress.stage() as said:
            tree = grow_tree(features, frequencies, label_tree, seed=seed, **overrides)
            said.append("tree: levels of " + ", ".join(f"{size:,}" for size in tree.level_sizes))
        trees.append(tree)
    return trees


def grow_tree(Z, frequencies, label_tree, *, seed, **overrides):
    """Group represented labels into a tree.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        As `represent_labels` returns them.
    frequencies : ndarray of shape (n_labels,)
        Rows of each label, for trees that ask for them.
    label_tree : HierarchicalLabelTree, LabelHierarchy or None
        An estimator, cloned; None for a default one; or a hierarchy, returned as it is.
    seed : int
        Seeds a tree that has no `random_state` of its own.
    **overrides
        Parameters for the estimator; None leaves its own.

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
