"""Read targets and the texts of labels, including the texts of labels without rows."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of, plain_value
from skxmr._core.label_names import find_label_names
from skxmr._core.targets import check_has_labels, check_targets


class LabeledTexts(NamedTuple):
    """Targets, and the texts of labels.

    Attributes
    ----------
    Y : csr_array of shape (n_samples, n_labels), int8
        Indicator; labels without rows have an empty column.
    classes : ndarray of shape (n_labels,)
        Labels.
    kind : {"names", "sparse", "dense"}
        Format of the targets.
    dtype : dtype
        dtype of the targets.
    texts : list of str, or matrix of shape (n_texts, n_features)
        Texts of labels, or their rows.
    columns : ndarray of shape (n_texts,), int32
        Label of each text, increasing.
    """

    Y: sp.csr_array
    classes: np.ndarray
    kind: str
    dtype: np.dtype
    texts: object
    columns: np.ndarray


def read_labeled_texts(y, label_texts):
    """Return the `LabeledTexts` of the arguments of a fit; see `LabelTextClassifier`."""
    if y is None:
        # scikit-learn's estimator checks require this text.
        raise ValueError("requires y to be passed, but the target y is None.")
    Y, classes, kind, dtype = check_targets(y)
    if kind == "classes":
        raise ValueError(
            "y must be an indicator of shape (n_samples, n_labels), or have a list of labels per "
            "row; got one class per row. Pass [[label] for label in y]."
        )
    check_has_labels(Y)
    if not isinstance(label_texts, Mapping):
        texts, columns = _read_matrix(label_texts, len(classes), kind)
        return LabeledTexts(Y, classes, kind, dtype, texts, columns)
    for label, text in label_texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                "label_texts must have texts that are not empty; got "
                f"{text!r} for the label {label!r}."
            )
    labels = [plain_value(label) for label in label_texts]
    if kind == "names":
        Y, classes = _add_names(Y, classes, labels)
    column_of = {label: column for column, label in enumerate(classes.tolist())}
    unknown = [label for label in labels if label not in column_of]
    if unknown:
        raise ValueError(
            "label_texts must have keys that are columns of y: the numbers from 0 to "
            f"{len(classes) - 1}, or the names of a data frame; got {unknown[0]!r}."
        )
    columns = np.array([column_of[label] for label in labels], dtype=np.int32)
    order = np.argsort(columns)
    texts = list(label_texts.values())
    return LabeledTexts(Y, classes, kind, dtype, [texts[i] for i in order], columns[order])


def _read_matrix(rows, n_labels, kind):
    if not hasattr(rows, "shape") or rows.ndim != 2:
        raise ValueError(
            "label_texts must be a dict from labels to texts, or a matrix with one row per column "
            f"of y; got an object of type {type(rows).__name__}."
        )
    if kind == "names":
        raise ValueError(
            "label_texts must be a dict if y has a list of labels per row, because the order of "
            f"the labels is not known here; got a matrix of shape {rows.shape}."
        )
    if rows.shape[0] != n_labels:
        raise ValueError(
            f"label_texts must have one row per column of y, {n_labels}; got {rows.shape[0]}. Add "
            "empty columns to y for labels without rows."
        )
    if sp.issparse(rows):
        rows = rows.tocsr()
    # A row of zeros is similar to no other row, so it means that the label has no text.
    columns = np.unique(rows.nonzero()[0]).astype(np.int32)
    return rows[columns], columns


def _add_names(Y, classes, labels):
    # Return the targets with columns for all labels of texts, sorted by name.
    both = np.empty(2, dtype=object)
    both[:] = tuple(classes.tolist()), tuple(labels)
    all_classes = find_label_names(both, "y and label_texts")
    column_of = {label: column for column, label in enumerate(all_classes.tolist())}
    columns = np.array([column_of[label] for label in classes.tolist()], dtype=np.int32)
    shape = Y.shape[0], len(all_classes)
    # Both are sorted, so the indices stay sorted.
    return csr_of(Y.indptr, columns[Y.indices], Y.data, shape), all_classes
