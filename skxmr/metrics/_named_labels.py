"""Metrics of suggestions: names of labels instead of columns."""

from typing import NamedTuple

import numpy as np

from skxmr._core.label_names import binarize_names, find_label_names, to_names
from skxmr._core.target_containers import find_column_names, holds_names, read_targets
from skxmr._core.targets import check_indicator


class NamedRanking(NamedTuple):
    """True labels and scores by column.

    Attributes
    ----------
    y_true, y_score, ignore : object
        The arguments of the metric, or two indicators, and arrays of columns and scores.
    classes : ndarray of shape (n_labels,) or None
        Labels of the columns; None if the arguments had columns.
    """

    y_true: object
    y_score: object
    ignore: object
    classes: np.ndarray | None


def replace_names(y_true, y_score, k, ignore=None):
    """Return indicators and a ranking of columns if `y_score` is a result of ``suggest``.

    Parameters
    ----------
    y_true : object
        True labels of each row if `y_score` is a list of suggestions: lists of labels, or an
        indicator in a data frame, whose columns are the names.
    y_score : object
        Scores in any form. A list with a list of pairs (name, score) per row is a list of
        suggestions.
    k : int
        Number of places of each row that the metric evaluates.
    ignore : object
        Pairs to leave out, in the form of `y_true`, or None.

    Returns
    -------
    NamedRanking

    Raises
    ------
    ValueError
        If `y_score` is a list of suggestions, and `y_true` or `ignore` has other rows or no labels
        per row.
    """
    if not _are_suggestions(y_score):
        return NamedRanking(y_true, y_score, ignore, None)
    y = read_names(y_true, "y_true")
    if len(y) != len(y_score):
        raise ValueError(f"y_score must have {len(y)} rows, as y_true has; got {len(y_score)}.")
    names = np.empty(2 * len(y), dtype=object)
    names[: len(y)] = y
    names[len(y) :] = [tuple(name for name, _ in row) for row in y_score]
    find_label_names(names[len(y) :], "y_score")  # names the row of an invalid label
    classes = find_label_names(names, "y_true")
    columns = {name: column for column, name in enumerate(classes.tolist())}
    # More places than labels are never read, whatever k is.
    n_places = max(min(k, len(classes)), max(map(len, y_score)))
    indices = np.full((len(y), n_places), -1, dtype=np.int64)
    scores = np.full((len(y), n_places), -np.inf)
    for row, pairs in enumerate(y_score):
        indices[row, : len(pairs)] = [columns[name] for name, _ in pairs]
        scores[row, : len(pairs)] = [score for _, score in pairs]
    if ignore is not None:
        ignore = _binarize_ignored(ignore, len(y), classes)
    return NamedRanking(binarize_names(y, classes), (indices, scores), ignore, classes)


def read_names(y, name):
    """Return an array with a tuple of labels per row; `y` has lists or is an indicator frame.

    Raises
    ------
    ValueError
        If `y` has no names.
    """
    columns = find_column_names(y, name)
    y = read_targets(y, name)
    if columns is not None and y.ndim == 2:
        y = to_names(check_indicator(y, name), columns)
    if not holds_names(y):
        raise ValueError(
            f"{name} must have a list of labels per row if y_score is a result of suggest. Pass "
            "the result of predict_topk with an indicator."
        )
    return y


def _binarize_ignored(ignore, n_rows, classes):
    ignored = read_names(ignore, "ignore")
    if len(ignored) != n_rows:
        raise ValueError(f"ignore must have {n_rows} rows, as y_true has; got {len(ignored)}.")
    # Labels that are neither true nor suggested are not in `classes`.
    return binarize_names(ignored, classes)[:, : len(classes)]


def read_propensities(propensities, classes):
    """Return propensities by column.

    Parameters
    ----------
    propensities : array-like or dict
        Propensities by column; by label if there are `classes`. Labels that a dict does not have
        are at least as rare as any other, and get its smallest value.
    classes : ndarray of shape (n_labels,) or None
        Labels of the columns, as of `NamedRanking`.

    Returns
    -------
    array-like of shape (n_labels,)

    Raises
    ------
    TypeError
        If labels need a dict, or columns an array.
    """
    is_dict = isinstance(propensities, dict)
    if classes is None and is_dict:
        raise TypeError(
            "propensities must be an array with one value per column of y_true; got a dict. Pass "
            "the result of suggest as y_score."
        )
    if classes is None:
        return propensities
    if not is_dict or not propensities:
        raise TypeError(
            "propensities must be a dict from labels to numbers if y_score is a result of suggest; "
            f"got {type(propensities).__name__}. label_propensities returns one for lists of "
            "labels."
        )
    smallest = min(propensities.values())
    return [propensities.get(label, smallest) for label in classes.tolist()]


def _are_suggestions(y_score):
    return isinstance(y_score, list) and all(
        isinstance(row, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in row)
        for row in y_score
    )
