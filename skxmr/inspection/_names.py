"""Names of features, labels and clusters, and the classifier inside what the user has."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skxmr._core.estimators import find_topk_estimator
from skxmr._linear.level_weights import UNTRAINED_INTERCEPT
from skxmr.xr_linear import TreeEnsemble, TreeModel


def find_classifier(estimator):
    """Return the fitted tree classifier inside an estimator, and the steps before it.

    Parameters
    ----------
    estimator : estimator
        The classifier itself, a pipeline that ends in it, or a fitted search over either.

    Returns
    -------
    classifier : estimator
        The classifier.
    steps : Pipeline or None
        What rows go through first.

    Raises
    ------
    TypeError
        If there is no such classifier.
    """
    check_is_fitted(estimator)
    classifier, steps = find_topk_estimator(estimator)
    if classifier is not None:
        check_is_fitted(classifier)
    if not isinstance(getattr(classifier, "_model", None), (TreeModel, TreeEnsemble)):
        raise TypeError(
            "estimator must be an XRLinearClassifier, or a pipeline or search that ends in one; "
            f"got {type(estimator).__name__}."
        )
    return classifier, make_pipeline(*steps) if steps else None


def trees_of(classifier):
    """Return the trees of a fitted classifier: one or several `TreeModel`."""
    model = classifier._model
    return model.models if isinstance(model, TreeEnsemble) else [model]


class FeatureNames:
    """Names of features, looked up when they are asked for.

    Parameters
    ----------
    given : array-like of str or None
        As the user gave them.
    classifier : estimator
        Else its `feature_names_in_`, if it has them.
    steps : Pipeline or None
        Else what these steps call their output, if they say. Else "x0", "x1", ...
    """

    def __init__(self, given, classifier, steps):
        n_features = classifier.n_features_in_
        if given is None:
            given = getattr(classifier, "feature_names_in_", None)
        if given is None and hasattr(steps, "get_feature_names_out"):
            given = steps.get_feature_names_out()
        if given is not None and len(given) != n_features:
            raise ValueError(
                f"feature_names must have a name for each of the {n_features} features; got "
                f"{len(given)}."
            )
        self._names = _by_place(given)

    def of(self, features):
        """Return the names of features, a tuple of str."""
        if self._names is None:
            return tuple(f"x{feature}" for feature in features)
        return tuple(str(self._names[feature]) for feature in features)


class LabelNames:
    """Names of labels: those given, or the classes.

    Parameters
    ----------
    given : array-like of str or None
        As the user gave them, by column.
    classes : ndarray
        Classes of the classifier: the column numbers of an indicator.
    """

    def __init__(self, given, classes):
        if given is not None and not hasattr(given, "__len__"):
            raise TypeError(
                "label_names must be an array-like of names by column, such as classes_ of a "
                f"MultiLabelBinarizer; got {type(given).__name__}."
            )
        if given is not None and len(given) != len(classes):
            raise ValueError(
                f"label_names must have a name for each of the {len(classes)} labels; got "
                f"{len(given)}."
            )
        self._classes = classes
        self._names = _by_place(given)

    def of(self, labels):
        """Return the names of columns, a tuple of str."""
        names = self._classes if self._names is None else self._names
        return tuple(str(names[label]) for label in labels)

    def column(self, label):
        """Return the column of a name or class.

        Raises
        ------
        ValueError
            If there is none, or the name stands there more than once.
        """
        found = np.empty(0, dtype=np.int64)
        for names in (self._names, self._classes):
            if names is not None and not len(found):
                found = _places(names, label)
        if len(found) == 1:
            return int(found[0])
        if len(found):
            raise ValueError(
                f"label={label!r} is the name of columns {found[:5].tolist()}; give the column."
            )
        n = len(self._classes)
        if self._names is not None:
            where = f"neither in label_names nor a column of y, of which there are {n}"
        elif isinstance(label, str) and self._classes.dtype.kind in "biuf":
            where = (
                f"not in classes_, which are {n} numbers; label_names=, such as classes_ of a "
                "MultiLabelBinarizer, gives them names"
            )
        else:
            where = f"not in classes_, of which there are {n}"
        raise ValueError(f"label={label!r} is {where}.")


def _by_place(names):
    # A Series looks names up by its index.
    return names if names is None or isinstance(names, (list, tuple)) else np.asarray(names)


def _places(names, label):
    names = np.asarray(names)
    # Numbers and strings are never equal, and numpy would warn of the try.
    if isinstance(label, str) == (names.dtype.kind in "biuf"):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(names == label)


def positions_below(hierarchy, level, node):
    """Return the first place and the end of the labels below a node of a level (from 1)."""
    first, last = int(node), int(node) + 1
    for indptr in hierarchy.child_indptrs[level:]:
        first, last = int(indptr[first]), int(indptr[last])
    return first, last


def frequent_labels(model, level, node, n_labels):
    """Return the labels below a node with the most training rows, at most `n_labels`.

    Labels without a row come last. Frequencies are read from the labels' propensities.
    """
    first, last = positions_below(model.hierarchy, level, node)
    # The more rows, the lower the offset; equal ones stand by rising label.
    order = np.lexsort((model.ranker.offsets[first:last], _never(model, first, last)))
    return model.hierarchy.label_order[first:last][order[:n_labels]]


def _never(model, first, last):
    if model.ranker.levels:
        return model.ranker.levels[0].arrays["intercepts"][first:last] <= UNTRAINED_INTERCEPT
    return np.array([each is False for each in model.ranker.models[first:last]])


def cluster_name(model, level, node, label_names, n_labels=3):
    """Return what a cluster holds: the number of its labels, and the most frequent of them."""
    first, last = positions_below(model.hierarchy, level, node)
    shown = ", ".join(label_names.of(frequent_labels(model, level, node, n_labels)))
    more = ", ..." if last - first > n_labels else ""
    noun = "label" if last - first == 1 else "labels"
    return f"{last - first} {noun}: {shown}{more}"
