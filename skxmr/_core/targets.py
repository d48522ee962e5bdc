"""Targets of every container, read by one function, and the checks of targets.

`read_targets` converts pandas, polars and Arrow containers, lists, tensors and sparse matrices to
an ndarray or a CSR matrix. All public functions that take `y` call it first.
"""

import re
import sys
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from skxmr._core.arrays import check_sparse_arrays, csr_of, nonzero_pattern, offsets_of, plain_value

BINARIZER = "MultiLabelBinarizer(sparse_output=True)"
# `y` is reported if more than this fraction of its labels has no row, and at least this number.
# Random samples of the training rows of four data sets (bibtex, Debian dependencies, WordNet, YSO;
# 159 to 37,144 labels; November 2026) leave 0 to 8 % of the labels without rows if 80 % of the rows
# are kept, 42 to 58 % if 20 % are kept, and at most 95.3 % if 1 % is kept. Label ids that were used
# as column numbers usually leave more than 99 %.
MAX_EMPTY_FRACTION = 0.98
MIN_EMPTY_LABELS = 1000
# With fewer labels, label 0 is sometimes the only one without rows in a training fold.
MIN_NUMBERED_LABELS = 6
# Types of single labels that numpy reads as a number.
_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)
_THOUSANDS_SEPARATOR = re.compile(r"(?<=\d),(?=\d{3}(\D|$))")


def read_targets(y, name="y"):
    """Return targets of any container as an array or a CSR matrix.

    Parameters
    ----------
    y : array-like, sparse matrix, DataFrame or Series
        Targets in any container; never modified. A frame with at least one sparse column is read as
        a sparse matrix.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    ndarray of 1 or 2 dimensions, csr_array or csr_matrix
        Values without conversion if possible. Objects that are all numbers are converted to a
        numeric dtype. A sparse matrix keeps its stored zeros and duplicate entries.

    Raises
    ------
    ValueError
        If `y` is not an array, for example a dict; if a value is missing; or if `y` is a list or
        set of labels per row, has classes of several types, or more than two dimensions.
    """
    if sp.issparse(y):
        Y = _read_sparse(y, name)
    elif _is_pandas(y, "DataFrame"):
        Y = _read_frame(y, name)
    else:
        Y = _read_array(y, name)
    values = Y.data if sp.issparse(Y) else Y
    missing = _find_missing(values)
    if missing is not None:
        if sp.issparse(Y):
            row = np.searchsorted(Y.indptr, missing, side="right") - 1
        else:
            row = np.unravel_index(missing, Y.shape)[0]
        value = values.flat[missing]
        value = "NaN" if isinstance(value, (float, np.floating)) else value
        raise ValueError(f"{name} must have no missing values; got {value} in row {row}.")
    if not sp.issparse(Y) and Y.dtype.kind == "O":
        return _convert_objects(Y, name)
    return Y


def read_sparse_frame(values, name="X"):
    """Return a frame with sparse columns as a CSR matrix, and any other value unchanged.

    numpy converts such a frame to a dense array, and so does scikit-learn if one column is dense.
    """
    if _is_pandas(values, "DataFrame") and any(map(_is_sparse_dtype, values.dtypes)):
        return _read_sparse_columns(values, name)
    return values


def _is_pandas(values, *classes):
    # pandas is optional: if it is not imported, the values are not of its types.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(values, tuple(getattr(pandas, c) for c in classes))


def _is_sparse_dtype(dtype):
    return isinstance(dtype, sys.modules["pandas"].SparseDtype)


def _read_sparse(Y, name):
    if Y.ndim != 2:
        raise ValueError(
            f"{name} must have the shape (n_samples, n_labels) if it is sparse; got shape "
            f"{Y.shape}."
        )
    check_sparse_arrays(Y)
    if Y.format != "coo":
        return Y.tocsr()
    # Not `tocsr`, which would sum duplicate entries: those of an indicator count once.
    rows, columns = Y.coords
    order = np.argsort(rows, kind="stable")
    indptr = offsets_of(np.bincount(rows, minlength=Y.shape[0]))
    container = sp.csr_array if isinstance(Y, sp.sparray) else sp.csr_matrix
    C = csr_of(indptr, columns[order], Y.data[order], Y.shape, container)
    C.check_format(full_check=True)
    return C


def _read_frame(frame, name):
    dtypes = list(frame.dtypes)
    if any(map(_is_sparse_dtype, dtypes)):
        return _read_sparse_columns(frame, name)
    if all(isinstance(dtype, np.dtype) for dtype in dtypes) and len(set(dtypes)) < 2:
        return frame.to_numpy()
    return np.column_stack([_read_column(column) for _, column in frame.items()])


def _read_sparse_columns(frame, name):
    rows, values = [], []
    for label, column in frame.items():
        array = column.array
        if _is_sparse_dtype(column.dtype) and array.fill_value == 0:  # false for NaN
            rows.append(array.sp_index.to_int_index().indices)
            values.append(array.sp_values)
        else:
            dense = _read_column(column)
            if dense.dtype.kind not in "biuf":
                raise ValueError(
                    f"{name} must have numeric columns if a column is sparse; got dtype "
                    f"{column.dtype} in column {label!r}."
                )
            rows.append(np.flatnonzero(dense))
            values.append(dense[rows[-1]])
    indptr = offsets_of([len(column) for column in rows])
    arrays = (np.concatenate(values), np.concatenate(rows), indptr)
    return sp.csc_matrix(arrays, shape=frame.shape).tocsr()


def _read_column(column):
    # A nullable column has the dtype object or float64 in numpy, even without missing values.
    numpy_dtype = getattr(column.dtype, "numpy_dtype", None)
    if numpy_dtype is not None and numpy_dtype.kind in "biuf" and not column.hasnans:
        return column.to_numpy(dtype=numpy_dtype)
    return np.asarray(column)


def _read_array(y, name):
    if isinstance(y, (list, tuple)):
        _refuse_label_lists(y, name)
    values = _read_column(y) if _is_pandas(y, "Series", "Index") else np.asarray(y)
    if isinstance(y, (list, tuple)) and values.ndim == 1 and values.dtype.kind in "SU":
        types = set(map(type, y))
        # numpy converts other values in a list of strings to strings, even NaN.
        is_mixed = not all(issubclass(cls, (str, bytes)) for cls in types)
        values = np.array(y, dtype=object) if is_mixed else values
    if np.ma.is_masked(y) or values.dtype.kind == "T":  # "T": strings of variable length
        values = values.astype(object)
        values[np.ma.getmaskarray(y)] = None
    if values.ndim == 0:
        raise ValueError(
            f"{name} must be an array, list, frame or sparse matrix with one entry per row; got "
            f"{type(y).__name__}."
        )
    if values.ndim > 2:
        raise ValueError(f"{name} must have 1 or 2 dimensions; got shape {values.shape}.")
    return values


def _is_collection(value):
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return True
    return hasattr(value, "__array__") and getattr(value, "ndim", 1) > 0


def _refuse_label_lists(y, name):
    """Raise a ValueError if a list contains a list or set of labels per row.

    Rows of an indicator, that is, lists of numbers that are equally long, are not refused.
    """
    rows = [row for row in y if _is_collection(row)]
    lengths = {len(row) for row in rows}
    if (
        len(lengths) > 1
        or any(isinstance(row, (set, frozenset, dict)) for row in rows)
        or (rows and len(rows) < len(y))
        or (max(lengths, default=0) > 1 and any(map(_has_strings, rows)))
    ):
        _refuse_label_collections(name)


def _has_strings(row):
    if isinstance(row, np.ndarray) and row.dtype.kind != "O":
        return row.dtype.kind in "SU"
    return any(isinstance(value, str) for value in row)


def _refuse_label_collections(name):
    raise ValueError(
        f"{name} must be an indicator of 0 and 1, or contain one class per row; got a list or set "
        f"of labels per row. Convert it with {BINARIZER}: fit_transform for training rows, "
        "transform of the fitted binarizer for other rows."
    )


def _is_missing(value):
    # NA and NaT are of pandas, which is optional.
    is_nan = isinstance(value, (float, np.floating)) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _find_missing(values):
    """Return the index of the first missing value in C order, or None."""
    if values.dtype.kind == "f":
        is_missing = np.isnan(values)
        return int(is_missing.argmax()) if is_missing.any() else None
    if values.dtype.kind == "O" and set(map(type, values.flat)) != {str}:
        return next((i for i, value in enumerate(values.flat) if _is_missing(value)), None)
    return None


def _convert_objects(values, name):
    """Return an array of objects with a numeric dtype if all are numbers."""
    objects = values.ravel().tolist()
    types = set(map(type, objects))
    if all(issubclass(cls, _NUMBERS) for cls in types):
        return np.array(objects).reshape(values.shape)
    if values.ndim == 1 and any(map(_is_collection, objects)):
        _refuse_label_collections(name)
    is_string = [issubclass(cls, str) for cls in types]
    if values.ndim == 1 and any(is_string) and not all(is_string):
        names = " and ".join(sorted(cls.__name__ for cls in types))
        raise ValueError(
            f"{name} must have classes of one type; got {names}. Convert all classes to str."
        )
    return values


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
    y = read_targets(y, name)
    if y.ndim != 2:
        raise ValueError(
            f"{name} must be an indicator of shape (n_samples, n_labels); got shape {y.shape}."
        )
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
        Sorted classes, or the column numbers of an indicator.
    kind : {"classes", "sparse", "dense"}
        Format of `y`: one class per row, or a sparse or dense indicator.
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
        One class per row (1-D or one dense column), or an indicator of 0 and 1 of shape
        (n_samples, n_labels), in any container.
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
    y = read_targets(y, name)
    if sp.issparse(y) or (y.ndim == 2 and y.shape[1] != 1):
        kind = "sparse" if sp.issparse(y) else "dense"
        return Targets(check_indicator(y, name), np.arange(y.shape[1]), kind, y.dtype)
    if y.ndim == 2:
        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected. Its values are used "
            "as one class per row. For an indicator of a single label, pass a sparse matrix.",
            DataConversionWarning,
            stacklevel=6,
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
    if targets.kind == "classes":
        _warn_about_joined_labels(targets.classes)
    else:
        check_has_labels(targets.indicator)
        _warn_about_empty_labels(targets.indicator)
    return targets


def check_has_labels(Y, name="y"):
    """Raise a ValueError if no row of the canonical indicator `Y` has a label."""
    if Y.nnz == 0:
        raise ValueError(
            f"{name} must have at least one label; got only zeros of shape {Y.shape}. There is "
            "nothing to learn."
        )


def _warn_about_empty_labels(Y):
    n_labels = Y.shape[1]
    has_row = np.zeros(n_labels, dtype=bool)
    has_row[Y.indices] = True
    n_empty = n_labels - np.count_nonzero(has_row)
    if n_empty >= MIN_EMPTY_LABELS and n_empty > MAX_EMPTY_FRACTION * n_labels:
        warnings.warn(
            f"y has {n_labels:,} labels, and {n_empty:,} of them have no row. They are never "
            "ranked first. If label ids were used as column numbers, convert the labels with "
            f"{BINARIZER}, which creates columns only for labels that occur.",
            UserWarning,
            stacklevel=6,
        )
    elif n_empty == 1 and not has_row[0] and n_labels >= MIN_NUMBERED_LABELS:
        warnings.warn(
            "y has a row for each label except for label 0. If the column numbers are label ids "
            f"that start at 1, convert the labels with {BINARIZER}, or remove column 0.",
            UserWarning,
            stacklevel=6,
        )


def _warn_about_joined_labels(classes):
    separator = _find_separator(classes)
    if separator is not None:
        example = next(name for name in classes if separator in name)
        warnings.warn(
            f"y has classes that look like several labels joined by {separator!r}, such as "
            f"{str(example)!r}. Each joined string is used as one class. For several labels per "
            f"row, split the strings, for example with y.str.split({separator!r}), and convert "
            f"the lists with {BINARIZER}.",
            UserWarning,
            stacklevel=6,
        )


def _find_separator(classes):
    """Return the separator of joined labels in the names of classes, or None.

    At least half of the classes must contain the separator. Names of single classes often contain a
    comma, as in "Korea, North". Therefore a comma is a separator only if the parts occur at
    different places: a quarter of the parts that occur repeatedly must be first in one name and
    second in another, for example. In "last name, first name", each part has its place.
    """
    names = [name for name in classes.tolist() if isinstance(name, str)]
    for separator in (";", "|", ","):
        joined = [name for name in names if separator in name.strip(separator)]
        if len(joined) < 2 or 2 * len(joined) < len(names):
            continue
        if separator != ",":
            return separator
        counts, places = Counter(), set()
        for name in names:
            parts = _THOUSANDS_SEPARATOR.sub("", name).split(",")
            parts = [part.strip() for part in parts]
            counts.update(parts)
            places.update(zip(parts, range(len(parts)), strict=True))
        n_places = Counter(part for part, _ in places)
        n_repeated = sum(count > 1 for count in counts.values())
        n_moving = sum(count > 1 for count in n_places.values())
        if n_moving and 4 * n_moving >= n_repeated:
            return separator
    return None
