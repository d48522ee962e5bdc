"""Checks of targets: indicators of labels, or one class per row."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from skxmr._core.arrays import csr_of, nonzero_pattern, plain_value
from skxmr._core.label_names import binarize_names, find_label_names
from skxmr._core.target_containers import (
    BINARIZER,
    find_column_names,
    holds_names,
    read_label_matrix,
    read_targets,
)
from skxmr._core.target_mistakes import warn_about_empty_labels, warn_about_joined_labels
from skxmr._core.user_warnings import warn_user


def check_indicator(y, name="y"):
    """Return an indicator as a canonical CSR matrix without stored zeros.

    Parameters
    ----------
    y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
        Values 0 and 1 in any container; never modified. Duplicate entries of a sparse matrix count
        once.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    Y : csr_array of shape (n_samples, n_labels)
        Ones of dtype int8, with int32 indices, which may be shared with `y`.

    Raises
    ------
    ValueError
        If `read_targets` refuses `y`, a value is neither 0 nor 1, or there are no labels.
    """
    y = read_label_matrix(y, name)
    if y.shape[1] == 0:
        raise ValueError(f"{name} must have at least one label; got shape {y.shape}.")
    if y.shape[1] > np.iinfo(np.int32).max:
        raise ValueError(f"{name} must have at most 2147483647 labels; got {y.shape[1]}.")
    values = y.data if sp.issparse(y) else y
    if values.dtype.kind not in "buif":
        raise ValueError(
            f"{name} must be an indicator of 0 and 1 of a bool, integer or float dtype; got dtype "
            f"{values.dtype}. If the {y.shape[1]} columns contain labels, join them into a list of "
            f"labels per row and convert the lists with {BINARIZER}."
        )
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size:
        raise ValueError(
            f"{name} must be an indicator of 0 and 1; got the value {plain_value(wrong[0])}. "
            f"{_advise_on_values(wrong, sp.issparse(y), name)}"
        )
    Y = nonzero_pattern(y, "csr")
    return csr_of(Y.indptr, Y.indices.astype(np.int32, copy=False), Y.data, Y.shape)


def _advise_on_values(wrong, is_sparse, name):
    if np.any((wrong > 0) & (wrong < 1)):
        return f"If the values are probabilities, choose a threshold, for example {name} >= 0.5."
    if is_sparse or np.any(wrong < 0):
        return f"If positive values mark the labels of a row, pass ({name} > 0)."
    return (
        f"If the columns contain label ids, join them into a list of ids per row and convert the "
        f"lists with {BINARIZER}. If the values are counts, pass ({name} > 0)."
    )


def check_n_labels(y, n_labels, name="y"):
    """Raise a ValueError if an indicator has another number of columns than a fitted estimator.

    Parameters
    ----------
    y : ndarray or sparse matrix
        Result of `read_targets`. One class per row is not checked.
    n_labels : int
        Number of entries of `classes_` of the estimator.
    name : str
        Name of the argument in error messages.
    """
    if y.ndim == 2 and y.shape[1] != n_labels:
        raise ValueError(
            f"{name} must have {n_labels} columns, one per entry of classes_ of the estimator; "
            f"got {y.shape[1]}. Use the binarizer that was fitted on the training labels."
        )


class Targets(NamedTuple):
    """Validated targets of a classifier.

    Attributes
    ----------
    indicator : csr_array of shape (n_samples, n_classes)
        Result of `check_indicator`.
    classes : ndarray of shape (n_classes,)
        Sorted classes or labels, or the columns of an indicator: numbers, or names of a data frame.
    kind : {"classes", "names", "sparse", "dense"}
        Format of `y`: one class per row, labels of each row, or a sparse or dense indicator.
    dtype : dtype
        dtype of `y` and of predictions.
    """

    indicator: sp.csr_array
    classes: np.ndarray
    kind: str
    dtype: np.dtype


def check_targets(y, name="y"):
    """Find out whether `y` holds classes or is an indicator, and convert it to an indicator.

    Parameters
    ----------
    y : array-like, sparse matrix, DataFrame or Series
        One class per row (1-D or one dense column), a list, set or array of labels per row, or an
        indicator of 0 and 1 of shape (n_samples, n_labels), in any container.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    Targets

    Raises
    ------
    ValueError
        If `y` has neither format.
    """
    columns = find_column_names(y, name)
    y = read_targets(y, name)
    if holds_names(y):
        classes = find_label_names(y, name)
        if not len(classes):
            raise ValueError(f"{name} must have at least one label; got only empty rows.")
        return Targets(binarize_names(y, classes), classes, "names", y.dtype)
    if sp.issparse(y) or (y.ndim == 2 and y.shape[1] != 1):
        kind = "sparse" if sp.issparse(y) else "dense"
        classes = np.arange(y.shape[1]) if columns is None else columns
        return Targets(check_indicator(y, name), classes, kind, y.dtype)
    if y.ndim == 2:
        warn_user(
            f"A column-vector {name} was passed when a 1d array was expected. Its values are used "
            "as one class per row. For an indicator of a single label, pass a sparse matrix.",
            DataConversionWarning,
        )
        y = y.ravel()
    if y.dtype.kind == "c":
        raise ValueError(f"{name} must have real values; got dtype {y.dtype}.")
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError(f"{name} must have finite values; got {y[np.isinf(y)][0]}.")
    if y.dtype.kind not in "biuSU":
        # Integers and strings are always classes. scikit-learn would warn that many different
        # values look like a regression target.
        check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    Y = sp.csr_array(
        (np.ones(len(y), dtype=np.int8), codes.astype(np.int32), np.arange(len(y) + 1)),
        shape=(len(y), len(classes)),
    )
    return Targets(Y, classes, "classes", y.dtype)


def check_training_targets(y):
    """Validate the targets of a fit: `check_targets`, and checks for common mistakes.

    Parameters
    ----------
    y : array-like, sparse matrix, DataFrame or Series
        Targets, as in `check_targets`.

    Returns
    -------
    Targets

    Raises
    ------
    ValueError
        If `check_targets` refuses `y`, or no row has a label.

    Warns
    -----
    UserWarning
        If the classes look like several labels joined by a separator, or if nearly all labels have
        no row. The messages begin with "y has", so that callers can filter them.
    """
    targets = check_targets(y)
    if targets.kind in ("classes", "names"):
        warn_about_joined_labels(targets.classes)
    else:
        check_has_labels(targets.indicator)
        warn_about_empty_labels(targets.indicator)
    return targets


def check_has_labels(Y, name="y"):
    """Raise a ValueError if no row of the canonical indicator `Y` has a label."""
    if Y.nnz == 0:
        raise ValueError(
            f"{name} must have at least one label; got only zeros of shape {Y.shape}. There is "
            "nothing to learn."
        )
