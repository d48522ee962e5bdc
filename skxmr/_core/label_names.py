"""Conversion of collections of labels to indicators, and back."""

from collections import Counter

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of, plain_value


def find_label_names(y, name="y"):
    """Return the sorted labels of a result of `read_targets` with a tuple of labels per row.

    Parameters
    ----------
    y : ndarray of tuple of shape (n_samples,)
        Labels of each row: all str or all integers.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    ndarray of shape (n_labels,)
        Labels without duplicates: objects of type str, or int64.

    Raises
    ------
    ValueError
        If labels have several types, or a name is empty or has blanks around it.
    """
    types = Counter(type(label) for row in y for label in row)
    if all(issubclass(cls, str) for cls in types):
        names = sorted({str(label) for row in y for label in row})
        wrong = next((label for label in names if not label or label != label.strip()), None)
        if wrong is not None:
            row = next(number for number, labels in enumerate(y) if wrong in labels)
            raise ValueError(
                f"{name} must have labels that are not empty and have no blanks around them; got "
                f"{wrong!r} in row {row}. Strip the labels, and remove empty ones."
            )
        classes = np.empty(len(names), dtype=object)
        classes[:] = names
        return classes
    if all(issubclass(cls, (int, np.integer)) and cls is not bool for cls in types):
        return np.array(sorted({int(label) for row in y for label in row}), dtype=np.int64)
    found = " and ".join(sorted(cls.__name__ for cls in types))
    raise ValueError(f"{name} must have labels that are all str or all int; got {found}.")


def binarize_names(y, classes):
    """Return the indicator of tuples of labels.

    Parameters
    ----------
    y : ndarray of tuple of shape (n_samples,)
        Labels of each row.
    classes : ndarray of shape (n_labels,)
        Labels of the first columns. Others get further columns, in the order in which they occur.

    Returns
    -------
    csr_array of shape (n_samples, n_columns), int8
        Canonical indicator with int32 indices.
    """
    columns = {label: column for column, label in enumerate(classes.tolist())}
    codes = [columns.setdefault(plain_value(label), len(columns)) for row in y for label in row]
    indptr = offsets_of(np.fromiter(map(len, y), dtype=np.int64, count=len(y)))
    ones = np.ones(len(codes), dtype=np.int8)
    codes = np.array(codes, dtype=np.int32)
    Y = sp.csr_array((ones, codes, indptr), shape=(len(y), len(columns)))
    Y.sum_duplicates()
    Y.data[:] = 1
    return Y


def to_names(Y, classes):
    """Return an array with a tuple of labels per row of a CSR indicator, in sorted order."""
    names = classes[Y.indices].tolist()
    rows = np.empty(Y.shape[0], dtype=object)
    starts = Y.indptr.tolist()
    for row in range(Y.shape[0]):
        rows[row] = tuple(names[starts[row] : starts[row + 1]])
    return rows
