"""Stage 1 as the classifier asks for it: from rows and labels to a tree."""

import numpy as np
from sklearn.base import clone

from skxmr._core.arrays import csr_of
from skxmr._core.validation import MAX_CHILDREN
from skxmr.indexing.label_features import positive_instance_features
from skxmr.indexing.label_hierarchy import LabelHierarchy
from skxmr.indexing.label_tree import HierarchicalLabelTree

# Features of a label that the clustering sees; see `positive_instance_features`.
CLUSTERED_ENTRIES = 256


def check_label_tree(label_tree, n_labels, **overrides):
    """Refuse a tree of bad parameters, or a hierarchy that does not fit, before any work.

    Parameters
    ----------
    label_tree : HierarchicalLabelTree, LabelHierarchy or None
        The parameter of the classifier.
    n_labels : int
        Number of labels of y.
    **overrides
        Parameters of the classifier that would override those of a tree estimator.

    Raises
    ------
    ValueError
        If a hierarchy has another number of labels, a cluster too wide for the models, or stands
        beside an override, which could not change it.
    """
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


def index_labels(X, Y, label_tree, *, seed, **overrides):
    """Group labels into a tree by the features of their positive rows.

    Parameters
    ----------
    X : tuple
        (indptr, indices, data, n_features) of the training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    label_tree : HierarchicalLabelTree, LabelHierarchy or None
        An estimator, cloned, its parameters overridden; a hierarchy, returned as it is; or None
        for a default estimator.
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
    indptr, indices, data, n_features = X
    rows = csr_of(indptr, indices, data, (Y.shape[0], n_features))
    features = positive_instance_features(
        rows, Y, max_entries=CLUSTERED_ENTRIES, n_jobs=overrides.get("n_jobs")
    )
    return tree.fit_hierarchy(features)
