"""Names of features, labels and clusters."""

import numpy as np

from skxmr._core.arrays import plain_value
from skxmr.inspection._fitted_model import label_positions, most_frequent_labels

# Number of columns that an error message about an ambiguous label name lists.
MAX_LISTED_COLUMNS = 5


class FeatureNames:
    """Names of the classifier's features.

    The first available source is used: the names that the user passed, `feature_names_in_` of the
    classifier, `get_feature_names_out` of the transformer. Otherwise the names are x0, x1, ...
    If a step of the transformer has no names, the names depend only on the steps after it.

    Parameters
    ----------
    feature_names : array-like of str or None
        Names that the user passed.
    classifier : estimator
        Fitted classifier.
    transformer : Pipeline or None
        Steps in front of the classifier.
    """

    def __init__(self, feature_names, classifier, transformer):
        n_features = classifier.n_features_in_
        if feature_names is None:
            feature_names = getattr(classifier, "feature_names_in_", None)
        if feature_names is None and transformer is not None:
            feature_names = _feature_names_out(transformer)
        if feature_names is not None and len(feature_names) != n_features:
            raise ValueError(
                f"feature_names must have one name for each of the {n_features} features; got "
                f"{len(feature_names)} names."
            )
        self._names = _index_by_position(feature_names)

    def lookup(self, features):
        """Return the names of features, as a tuple of str."""
        if self._names is None:
            return tuple(f"x{feature}" for feature in features)
        return tuple(str(self._names[feature]) for feature in features)


class LabelNames:
    """Names of the labels: the names that the user passed, or the classes.

    Parameters
    ----------
    label_names : array-like of str or None
        Names that the user passed, by column.
    classes : ndarray
        Classes of the classifier; column numbers if `y` is an indicator.
    """

    def __init__(self, label_names, classes):
        if label_names is not None and not hasattr(label_names, "__len__"):
            raise TypeError(
                "label_names must be an array-like with one name per column of y, such as "
                f"classes_ of a MultiLabelBinarizer; got {type(label_names).__name__}."
            )
        if label_names is not None and len(label_names) != len(classes):
            raise ValueError(
                f"label_names must have one name for each of the {len(classes)} labels; got "
                f"{len(label_names)} names."
            )
        self._classes = classes
        self._names = _index_by_position(label_names)

    def lookup(self, labels):
        """Return the names of columns, as a tuple of str."""
        names = self._classes if self._names is None else self._names
        return tuple(str(names[label]) for label in labels)

    def find_column(self, label):
        """Return the column of a label, given by its name or its class.

        Raises
        ------
        ValueError
            If no column or more than one column has this name.
        """
        columns = np.empty(0, dtype=np.int64)
        for names in (self._names, self._classes):
            if names is not None and not len(columns):
                columns = _find_equal(names, label)
        if len(columns) == 1:
            return int(columns[0])
        if len(columns):
            raise ValueError(
                f"label must be unique; got {plain_value(label)!r}, the name of columns "
                f"{columns[:MAX_LISTED_COLUMNS].tolist()}. Pass the column number."
            )
        n_labels = len(self._classes)
        allowed, advice = f"one of the {n_labels} values of classes_", ""
        if self._names is not None:
            allowed = f"one of label_names or a column of y, from 0 to {n_labels - 1}"
        elif isinstance(label, str) and self._classes.dtype.kind in "biuf":
            allowed += ", which are numbers"
            advice = " To use names, pass label_names, such as classes_ of a MultiLabelBinarizer."
        raise ValueError(f"label must be {allowed}; got {plain_value(label)!r}.{advice}")


def cluster_name(model, level, node, label_names, n_labels=3):
    """Return a cluster's number of labels and the names of its most frequent labels."""
    first, end = label_positions(model.hierarchy, level, node)
    names = ", ".join(label_names.lookup(most_frequent_labels(model, level, node, n_labels)))
    ellipsis = ", ..." if end - first > n_labels else ""
    return f"{count_labels(end - first)}: {names}{ellipsis}"


def count_labels(n_labels):
    """Return "1 label", "2 labels" and so on."""
    return f"{n_labels} {'label' if n_labels == 1 else 'labels'}"


def _feature_names_out(transformer):
    """Return the names of the features of a pipeline of transformers, or None."""
    names = None
    for _, step in transformer.steps:
        try:
            names = step.get_feature_names_out(names)
        # A hashing vectorizer, or a column transformer with one, has no names. Names that are not
        # unique are a ValueError of a column transformer.
        except (AttributeError, ValueError):
            names = None
    return names


def _index_by_position(names):
    # A pandas Series would be indexed by its index, not by position.
    return names if names is None or isinstance(names, (list, tuple)) else np.asarray(names)


def _find_equal(names, label):
    names = np.asarray(names)
    # Numbers and strings are never equal; to compare them would make numpy warn.
    if isinstance(label, str) == (names.dtype.kind in "biuf"):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(names == label)
